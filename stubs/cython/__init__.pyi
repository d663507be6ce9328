"""What mypy must know of cython: the few names that the core's modules use."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

compiled: bool
nogil: AbstractContextManager[None]
gil: AbstractContextManager[None]

def cast(kind: Any, value: Any) -> Any: ...
def overflowcheck[F: Callable[..., Any]](on: bool) -> Callable[[F], F]: ...

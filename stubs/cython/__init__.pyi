"""What mypy must know of cython: the few names that the core's modules use."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

NULL: Any
compiled: bool
gil: AbstractContextManager[None]

def address(place: Any) -> Any: ...
def cast(kind: Any, value: Any) -> Any: ...
def overflowcheck[F: Callable[..., Any]](on: bool) -> Callable[[F], F]: ...

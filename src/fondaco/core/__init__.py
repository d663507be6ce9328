"""The exchange: pure, deterministic, compiled. No clock, chance, I/O or await.

Promises: COMPILED says which build runs. An import fails, with what to do, if the compiled build
is missing or of other sources than those beside it; FONDACO_PURE=1 asks for the Python sources
themselves.
"""

from typing import Final

import fondaco_build

__all__ = ["COMPILED"]

COMPILED: Final = fondaco_build.enter()

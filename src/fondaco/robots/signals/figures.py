"""The figures that rules name: one number of TA-Lib over the closed candles of one interval.

Promises: a figure is what TA-Lib gives for the newest of the bars it is handed, or NaN while it is
warming up or where the library refuses (too few bars for the parameters). Floats by nature.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import talib
import talib.abstract

from fondaco.robots.signals.candles import Columns

__all__ = ["KEPT_BARS", "figure_at_last"]

KEPT_BARS: Final = 1500  # as technical_ratings: what a live worker keeps
_library: Any = talib  # its functions are made at run time
_abstract: Any = talib.abstract


class Asked(Protocol):
    """A figure as the rules name it."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> tuple[tuple[str, float], ...]: ...
    @property
    def output(self) -> str: ...


class _Prepared(NamedTuple):
    """A figure's function, ready to be called again and again."""

    function: Callable[..., Any]
    inputs: tuple[str, ...]
    parameters: dict[str, float]
    place: int | None  # of the output, where there are several


def figure_at_last(asked: Asked, bars: Columns) -> float:
    """Return the figure at the newest bar."""
    if not len(bars.close):
        return math.nan
    prepared = _prepare(asked.name, asked.parameters, asked.output)
    inputs = [getattr(bars, name) for name in prepared.inputs]
    try:
        found = prepared.function(*inputs, **prepared.parameters)
    except Exception as error:
        if "TA_BAD_PARAM" in str(error) or "inputs are all NaN" in str(error):
            return math.nan
        raise
    return float((found if prepared.place is None else found[prepared.place])[-1])


@lru_cache(maxsize=1024)
def _prepare(name: str, parameters: tuple[tuple[str, float], ...], output: str) -> _Prepared:
    about = _abstract.Function(name).info
    inputs: list[str] = []
    for fed in about["input_names"].values():
        inputs += [fed] if isinstance(fed, str) else fed
    defaults = about["parameters"]
    names = about["output_names"]
    return _Prepared(
        function=getattr(_library, name),
        inputs=tuple(inputs),
        parameters={
            key: int(value) if isinstance(defaults[key], int) else float(value)
            for key, value in parameters
        },
        place=names.index(output) if len(names) > 1 else None,
    )

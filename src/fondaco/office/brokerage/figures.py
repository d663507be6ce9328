"""How a track record is read on a page: its figures, its table of months, its curves.

Promises: what is not defined is a dash; a gain or loss says its sign, so that colour says nothing
alone. Floats are for the picture; money in the table is exact text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from fondaco.office.brokerage.tracks import OF_THE_MARKET, Shown, thinned
from fondaco.strategies.amounts import UNIT, text_of
from fondaco.strategies.tracks import Track

__all__ = ["Cell", "curves_of", "figures_of", "months_of", "rows_of"]

DASH: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Cell(NamedTuple):
    """One figure: what is read, what stands small beside it, whether it is money or a loss."""

    text: str
    note: str = ""
    is_money: bool = False


def figures_of(found: Shown) -> list[tuple[str, str, Cell]]:
    """Return (name, title, figure) in the order in which they are read."""
    track, told_of = found.track, found.track.figures
    is_market = found.source == OF_THE_MARKET
    money = (
        []
        if is_market
        else [
            ("equity", "Equity", Cell(text_of(told_of.last), is_money=True)),
            ("profit", "Profit", Cell(text_of(told_of.profit), is_money=True)),
        ]
    )
    best, worst = told_of.best, told_of.worst
    return [
        *money,
        ("return", "Return", Cell(share_text(told_of.total))),
        ("yearly", "Growth a year", Cell(share_text(told_of.yearly))),
        ("volatility", "Volatility", Cell(share_text(told_of.volatility, signed=False))),
        ("sharpe", "Sharpe", Cell(ratio_text(told_of.sharpe))),
        ("sortino", "Sortino", Cell(ratio_text(told_of.sortino))),
        ("profit_factor", "Profit factor", Cell(ratio_text(told_of.profit_factor))),
        ("deepest", "Deepest drawdown", Cell(share_text(track.under.deepest, signed=False))),
        ("now", "Drawdown now", Cell(share_text(track.under.now, signed=False))),
        ("longest", "Longest drawdown", Cell(length_text(track.longest_s))),
        ("best", "Best day", Cell(share_text(best and best.share), _day(best and best.day))),
        ("worst", "Worst day", Cell(share_text(worst and worst.share), _day(worst and worst.day))),
        ("gaining", "Days that gained", Cell(share_text(told_of.gaining, signed=False))),
        (
            "exposure",
            "Exposure",
            Cell(DASH if is_market else share_text(told_of.exposure, signed=False)),
        ),
        ("days", "Days", Cell(str(told_of.days))),
    ]


def rows_of(found: Sequence[Shown]) -> list[tuple[str, str, list[Cell]]]:
    """Return (name, title, figure of each record) in the order in which they are read."""
    columns = [{name: (title, cell) for name, title, cell in figures_of(each)} for each in found]
    titles = {name: title for column in columns for name, (title, _) in column.items()}
    none = ("", Cell(DASH))
    return [
        (name, title, [column.get(name, none)[1] for column in columns])
        for name, title in titles.items()
    ]


def share_text(share: float | None, *, signed: bool = True) -> str:
    """Return a share in per cent with two decimals, its sign said when it is a gain or loss."""
    if share is None:
        return DASH
    text = f"{abs(share) * 100:,.2f}"
    is_none = text == "0.00"
    sign = "" if is_none else MINUS if share < 0 else "+" if signed else ""
    return f"{sign}{text} %"


def ratio_text(ratio: float | None) -> str:
    if ratio is None:
        return DASH
    return f"{MINUS if ratio < 0 else ''}{abs(ratio):,.2f}"


def length_text(seconds: int) -> str:
    """Return a length in its two largest units."""
    days, hours = divmod(seconds // 3600, 24)
    if not days:
        return f"{hours} h"
    return f"{days} d {hours} h" if hours else f"{days} d"


def _day(day: dt.date | None) -> str:
    return f"{day.day} {day:%b %Y}" if day else ""


def months_of(track: Track) -> list[dict[str, Any]]:
    """Return years, the newest first, each with twelve cells and its whole."""
    known = {(each.year, each.month): each.share for each in track.months}
    return [
        {
            "year": year,
            "cells": [
                _month(name, known.get((year, month))) for month, name in enumerate(MONTHS, 1)
            ],
            "whole": _month("Whole", known[year, 0]),
        }
        for year in sorted({year for year, _ in known}, reverse=True)
    ]


def _month(name: str, share: float | None) -> dict[str, str]:
    text = "" if share is None else share_text(share).removesuffix(" %")
    kind = "" if share is None or not text.strip("0.") else "loss" if share < 0 else "gain"
    return {"name": name, "text": text, "kind": kind}


def curves_of(found: Sequence[Shown], *, as_growth: bool) -> dict[str, Any]:
    """Return what the page's script draws: growth in per cent, or the money of the first."""
    if not as_growth:
        track = found[0].track
        wallets = [point.wallet for point in track.points]
        margins = [point.margin for point in track.points]
        lines = [_line("Equity", track, wallets)]
        if any(margins) and margins != wallets:
            lines.append(_line("Margin", track, margins))
        unit = "USD"
    else:
        lines = [_growth_line(each) for each in found]
        unit = "%"
    under = [
        {
            "name": each.name,
            "points": _pairs(each.track, [s * 100 for s in each.track.under.shares]),
        }
        for each in found
        if each.track.points
    ]
    return {"unit": unit, "lines": [each for each in lines if each["points"]], "under": under}


def _line(name: str, track: Track, values: list[int]) -> dict[str, Any]:
    return {"name": name, "points": _pairs(track, [value / UNIT for value in values])}


def _growth_line(found: Shown) -> dict[str, Any]:
    shares = [(each - 1) * 100 for each in found.track.growth]
    return {"name": found.name, "points": _pairs(found.track, shares)}


def _pairs(track: Track, values: Sequence[float]) -> list[tuple[int, float]]:
    """Return (milliseconds, value) of the points that are told; for the picture alone."""
    return [
        (track.points[place].time_us // 1000, round(values[place], 4))
        for place in thinned(len(track.points))
    ]

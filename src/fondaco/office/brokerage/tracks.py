"""Track records as pages and routes ask for them: which, over what span, side by side.

Promises: a member's own strategies alone, what is another's is as unknown as what isn't there;
markets are everybody's. Everything of one answer is of one moment and one span, and a market
begins where the first strategy does. How people read them is in brokerage.figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.http import QueryDict

from fondaco.identity.models import Member
from fondaco.projections import selectors as history
from fondaco.projections.selectors import InstrumentRow
from fondaco.strategies import tracks, words
from fondaco.strategies.amounts import text_of
from fondaco.strategies.models import Strategy
from fondaco.strategies.statistics import Move
from fondaco.strategies.tracks import Span, SpanUnfit, Track

__all__ = ["ASKED_MAX", "Asked", "Shown", "Unknown", "asked_of", "shown", "thinned", "told"]

ASKED_MAX: Final = 6  # records in one answer: more lines than that are no picture
POINTS_TOLD_MAX: Final = 800  # of a curve; of more, every second, third … is told
STRATEGY: Final = "strategy"
MARKET: Final = "market"
OF_THE_MARKET: Final = "market"


class Unknown(LookupError):
    """No strategy of the member, or no market, has this key."""


class Asked(NamedTuple):
    span: Span
    basis: str
    keys: list[str]  # "strategy:3", "market:BTCUSDT"


class Shown(NamedTuple):
    """One record with its name and where it comes from."""

    key: str
    name: str
    source: str
    strategy: Strategy | None
    track: Track


def asked_of(words_of: QueryDict, *, now_us: int) -> Asked:
    """Return what a query asks for; raises SpanUnfit."""
    span = tracks.span_of(
        span=words_of.get("span", ""),
        first_day=words_of.get("from", ""),
        last_day=words_of.get("to", ""),
        now_us=now_us,
        zone=settings.HOUSE_ZONE,
    )
    basis = words_of.get("equity") or tracks.BASES[0]
    if basis not in tracks.BASES:
        raise SpanUnfit(f"give one of {', '.join(tracks.BASES)}", field="equity")
    keys = list(dict.fromkeys(key for key in words_of.getlist("of") if key))
    if len(keys) > ASKED_MAX:
        raise SpanUnfit(f"give at most {ASKED_MAX}", field="of")
    return Asked(span, basis, keys)


def shown(member: Member, asked: Asked) -> list[Shown]:
    """Return the records of these keys, markets last; raises Unknown."""
    kinds = [(key, *key.partition(":")[::2]) for key in asked.keys]
    numbers = [word for _, kind, word in kinds if kind == STRATEGY and _is_number(word)]
    rows = {
        str(row.pk): row
        for row in Strategy.objects.filter(member=member, pk__in=numbers).select_related(
            "account", "standing"
        )
    }
    markets = {row.symbol: row for row in history.instruments()}
    found = []
    for key, kind, word in kinds:
        if kind == STRATEGY and word in rows:
            found.append(_of_strategy(key, rows[word], asked))
        elif kind != MARKET or word not in markets:
            raise Unknown(f"there is no {key[:80]}")
    starts = [each.track.points[0].time_us for each in found if each.track.points]
    start_us = min(starts, default=asked.span.start_us)
    return found + [
        _of_market(key, markets[word], asked, start_us)
        for key, kind, word in kinds
        if kind == MARKET
    ]


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 19


def _of_strategy(key: str, row: Strategy, asked: Asked) -> Shown:
    track = tracks.strategy_track(row, asked.span, zone=settings.HOUSE_ZONE, basis=asked.basis)
    return Shown(key, row.name, row.source, row, track)


def _of_market(key: str, row: InstrumentRow, asked: Asked, start_us: int) -> Shown:
    track = tracks.market_track(row, asked.span, zone=settings.HOUSE_ZONE, start_us=start_us)
    return Shown(key, row.symbol, OF_THE_MARKET, None, track)


# ---- for programs


def told(found: Shown) -> dict[str, Any]:
    """Tell a record in JSON: amounts as decimal text, shares as numbers (0.1 is 10 per cent)."""
    track, figures = found.track, found.track.figures
    is_market = found.source == OF_THE_MARKET
    money = (
        {}
        if is_market
        else {
            "first": text_of(figures.first),
            "last": text_of(figures.last),
            "brought_in": text_of(figures.flow),
            "profit": text_of(figures.profit),
        }
    )
    return {
        "key": found.key,
        "name": found.name,
        "source": found.source,
        "step": "hour" if track.is_hourly else "day",
        **money,
        "statistics": {
            "days": figures.days,
            "return": figures.total,
            "yearly_growth": figures.yearly,
            "volatility": figures.volatility,
            "sharpe": figures.sharpe,
            "sortino": figures.sortino,
            "profit_factor": figures.profit_factor,
            "best_day": _move(figures.best),
            "worst_day": _move(figures.worst),
            "gaining_days": figures.gaining,
            "exposure": None if is_market else figures.exposure,
            "drawdown_deepest": track.under.deepest,
            "drawdown_now": track.under.now,
            "drawdown_longest_s": track.longest_s,
        },
        "months": [
            {"year": each.year, "month": each.month or None, "return": each.share}
            for each in track.months
        ],
        "series": _series(track, is_market=is_market),
    }


def _move(move: Move | None) -> dict[str, Any] | None:
    return move and {"day": move.day.isoformat(), "return": move.share}


def _series(track: Track, *, is_market: bool) -> list[dict[str, Any]]:
    growth, shares = track.growth, track.under.shares
    found = []
    for place in thinned(len(track.points)):
        point = track.points[place]
        money = (
            {} if is_market else {"wallet": text_of(point.wallet), "margin": text_of(point.margin)}
        )
        found.append(
            {
                "time": words.time_text(point.time_us),
                **money,
                "growth": round(growth[place] - 1, 10),
                "drawdown": round(shares[place], 10),
            }
        )
    return found


def thinned(count: int) -> Sequence[int]:
    """Return which of so many points are told: the first, the last, and evenly between."""
    step = -(-count // POINTS_TOLD_MAX) or 1
    if step == 1:
        return range(count)
    return [*range(0, count - 1, step), count - 1]

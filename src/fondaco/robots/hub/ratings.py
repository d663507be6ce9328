"""Our own analysis of each book, by interval: rated as soon as a bar is closed, and kept.

Promises: one worker of all rates (a lease); each closed bar of each book and interval is rated once
by the technical ratings of both rule sets and by the crossing averages, from the bars that the
tables have, at most KEPT_BARS, once these have all that was traded before it closed; what is kept
of each has a bound. A book without bars enough has no rating yet. A rating is a signal to every
client where the house file says so (`own_signals`), once for each bar. Needs the extra `ta`;
without it nothing is rated, and nothing else is held up.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from django.db import DatabaseError, connections, transaction

from fondaco.house.declared import HouseSettings
from fondaco.link.address import writer_socket
from fondaco.link.answers import LinkError
from fondaco.link.blocking import BlockingClient
from fondaco.projections import candles, selectors
from fondaco.projections.bars import INTERVALS, Bar
from fondaco.projections.selectors import InstrumentRow
from fondaco.robots.holding import Held, while_held
from fondaco.robots.hub.messages import KINDS, RATED, Incoming
from fondaco.robots.hub.services import take_signal
from fondaco.robots.models import Rating

if TYPE_CHECKING:
    from fondaco.robots.signals.candles import Candle

__all__ = ["KINDS", "RATED", "rate_bars", "rate_due", "start"]

KEPT_BARS: Final = 1_500  # as signals.technical_ratings: a rating depends on the market alone
RATINGS_KEPT: Final = 1_500  # of a book, interval and kind
GRACE_US: Final = 1_500_000  # for trades stamped just before the bar closed
LOOK_S: Final = 1.0
TOLD_S: Final = 0.1  # between two looks whether the tables have a moment's events
BOOK: Final = 1


class Moment(NamedTuple):
    """How far the writer was at a time: all that was traded before is up to this event."""

    seq: int
    time_us: int


def start(settings: HouseSettings, data_dir: Path, stop: threading.Event) -> None:
    """Rate in a thread of its own until `stop`, if the library of indicators is there."""
    if find_spec("talib") is None:
        if settings.own_signals:
            print(  # noqa: T201
                "fondaco: own_signals needs the extra ta; nothing is rated",
                file=sys.stderr,
            )
        return
    arguments = (settings, data_dir, stop)
    threading.Thread(target=_run, args=arguments, name="ratings", daemon=True).start()


def _run(settings: HouseSettings, data_dir: Path, stop: threading.Event) -> None:
    done: dict[tuple[int, str], int] = {}

    def work(held: Held) -> None:
        wait_s = LOOK_S
        moment: Moment | None = None
        with BlockingClient(writer_socket(data_dir), role="ratings") as client:
            while not held.wait(wait_s):
                try:
                    moment = rate_told(settings, client, moment, done)
                    wait_s = LOOK_S if moment is None else TOLD_S
                except (LinkError, DatabaseError) as error:
                    wait_s, moment = LOOK_S, None
                    print(f"fondaco: ratings: {error}", file=sys.stderr)  # noqa: T201
                    connections.close_all()

    try:
        while_held("ratings", stop, work)
    finally:
        connections.close_all()


def rate_told(
    settings: HouseSettings,
    client: BlockingClient,
    moment: Moment | None,
    done: dict[tuple[int, str], int],
) -> Moment | None:
    """Rate what is due at a moment, or now, if the tables have all of before it; else return it."""
    told = client.status()
    if moment is None or told["seq"] < moment.seq:  # less: the writer began anew, with less
        moment = Moment(int(told["seq"]), int(told["time_us"]))
    if selectors.cursor().seq < moment.seq:
        return moment
    rate_due(settings, moment.time_us, done)
    return None


def rate_due(settings: HouseSettings, now_us: int, done: dict[tuple[int, str], int]) -> int:
    """Rate what has closed since; `done` has the newest bar that was rated. Return how many."""
    count = 0
    for row in selectors.instruments():
        if row.market != BOOK:
            continue
        for interval in RATED:
            step = INTERVALS[interval]
            begun = step.start_of(now_us - GRACE_US)
            last = step.back(begun, 1)
            if done.get((row.number, interval)) == last:
                continue
            found = _rate(row, interval, last, now_us)
            count += len(found)
            if interval == settings.own_signals_interval:
                _send(settings, row, begun, found)
            done[row.number, interval] = last
    return count


def _send(
    settings: HouseSettings, row: InstrumentRow, closed_us: int, found: Sequence[Rating]
) -> None:
    """Have the rating of the house's choice be a signal, of a book in the house's cash."""
    if not settings.own_signals:
        return
    codes = selectors.asset_codes()
    if codes[row.quote][0] != settings.cash:
        return
    for each in found:
        if each.kind == settings.own_signals:
            incoming = Incoming(
                symbol=codes[row.base][0], strength=each.strength, timestamp_us=closed_us
            )
            take_signal(incoming, source=f"{each.kind} {each.interval}")


def _rate(row: InstrumentRow, interval: str, last_us: int, now_us: int) -> list[Rating]:
    from fondaco.robots.signals.candles import SignalError

    bars = closed_bars(row.number, interval, last_us, now_us)
    if not bars or bars[-1].start_us != last_us:
        return []
    try:
        found = rate_bars(row, interval, bars)
    except SignalError as error:  # of one book: the others are rated
        print(f"fondaco: {row.symbol} {interval} is not rated: {error}", file=sys.stderr)  # noqa: T201
        return []
    with transaction.atomic():
        for each in found:
            Rating.objects.update_or_create(
                symbol=each.symbol,
                interval=each.interval,
                kind=each.kind,
                bar_us=each.bar_us,
                defaults={
                    "strength": each.strength,
                    "value": each.value,
                    "detail": each.detail,
                },
            )
            kept = Rating.objects.filter(symbol=row.symbol, interval=interval, kind=each.kind)
            old = kept.order_by("-bar_us").values_list("bar_us", flat=True)
            past = old[RATINGS_KEPT : RATINGS_KEPT + 1].first()
            if past is not None:
                kept.filter(bar_us__lte=past).delete()
    return found


def closed_bars(instrument: int, interval: str, last_us: int, now_us: int) -> list[Bar]:
    """Return the newest closed bars, oldest first, at most KEPT_BARS."""
    bars = candles.klines(
        instrument, interval, now_us=now_us, end_us=last_us, limit=candles.LIMIT_MAX
    )
    if len(bars) < candles.LIMIT_MAX:
        return bars
    before_us, rest = bars[0].start_us - 1, KEPT_BARS - candles.LIMIT_MAX
    return [
        *candles.klines(instrument, interval, now_us=now_us, end_us=before_us, limit=rest),
        *bars,
    ]


def rate_bars(row: InstrumentRow, interval: str, bars: Sequence[Bar]) -> list[Rating]:
    """Return what each kind says at the newest of some bars; nothing where they are too few."""
    from fondaco.robots.signals.candles import Bars
    from fondaco.robots.signals.own import judge

    tick, lot = Decimal(row.tick_size), Decimal(row.lot_size)
    series = [_candle(bar, tick, lot) for bar in bars]
    length_us = INTERVALS[interval].next_start(bars[0].start_us) - bars[0].start_us
    kept = Bars(series, interval_ms=length_us // 1000, kept_max=KEPT_BARS)
    closes = [each.close for each in reversed(series)]
    found = [(kind, judge(kind, kept, closes)) for kind in KINDS]
    return [
        Rating(
            symbol=row.symbol,
            interval=interval,
            bar_us=bars[-1].start_us,
            kind=kind,
            strength=own.strength,
            value=own.value,
            detail=msgspec.json.encode(own.detail).decode(),
        )
        for kind, own in found
        if own is not None
    ]


def _candle(bar: Bar, tick: Decimal, lot: Decimal) -> Candle:
    from fondaco.robots.signals.candles import Candle

    return Candle(
        open_ms=bar.start_us // 1000,
        open=bar.open_ticks * tick,
        high=bar.high_ticks * tick,
        low=bar.low_ticks * tick,
        close=bar.close_ticks * tick,
        volume=bar.volume_lots * lot,
    )

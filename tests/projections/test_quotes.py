"""Quotes in SQL: each message once, statistics of any range, bars, what each message filled."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fondaco.core import records
from fondaco.core.records import Verdict
from fondaco.projections import quotes, services
from fondaco.projections.bars import DAY_US, HOUR_US, INTERVALS, MINUTE_US
from fondaco.projections.router import ALIAS
from fondaco.projections.services import Writer
from tests.projections import packed
from tests.projections.conftest import dump
from tests.projections.test_exchange import Runs
from tests.projections.test_outside import lived

Renew = Callable[[], None]
SPAN_US = 3 * DAY_US
STOCK = packed.BTCUSDT
OTHER = 9
START_US = packed.NOON_US


def quote(seq: int, message_us: int, verdict: int = Verdict.CURRENT, **words: int) -> bytes:
    """A QUOTE event of one stock."""
    known = {"instrument": STOCK, "price_ticks": 100, "availability_lots": 50} | words
    return records.pack(
        records.Event.QUOTE,
        seq=seq,
        time_us=packed.NOON_US + seq * 1_000_000,
        message_us=message_us,
        verdict=verdict,
        **known,
    )


def stream(count: int, seed: int, *, after: int = 1) -> Runs:
    """Messages as a broker may bring them: mostly in time, some late, some late ones again."""
    chance = Random(seed)
    runs: Runs = [(1, packed.definitions())] if after == 1 else []
    now_us = START_US
    told: list[tuple[int, dict[str, int]]] = []
    for seq in range(after + 1, after + count + 1):
        words = {
            "price_ticks": chance.choice((1, 100, 101, 1 << 61, chance.randint(90, 110))),
            "availability_lots": seq,
            "instrument": STOCK if chance.random() < 0.9 else OTHER,
        }
        if chance.random() < 0.7 or not told:
            now_us += chance.choice((1, 999_999, 1_000_000, 40_000_000, 3_000_000_000))
            runs.append((seq, quote(seq, now_us, **words)))
        else:
            if chance.random() < 0.4:
                late_us, words = chance.choice(told)
            else:
                late_us = chance.randint(START_US, now_us)
            runs.append((seq, quote(seq, late_us, Verdict.OLDER, **words)))
            told.append((late_us, words))
            continue
        told.append((now_us, words))
    return runs


def write(runs: Runs, size: int) -> None:
    writer = Writer()
    for start in range(0, len(runs), size):
        part = runs[start : start + size]
        writer.apply_events(b"".join(events for _, events in part), part[-1][0])


def truth(instrument: int, start_us: int, end_us: int) -> tuple[Any, ...] | None:
    """The statistics of a range from every raw row, added up in Python."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT price_ticks FROM projections_quote "
            "WHERE instrument = %s AND message_us >= %s AND message_us < %s",
            (instrument, start_us, end_us),
        )
        prices = [row[0] for row in cursor.fetchall()]
    if not prices:
        return None
    return max(prices), min(prices), Fraction(sum(prices), len(prices)), len(prices)


def found(instrument: int, start_us: int, end_us: int) -> tuple[Any, ...] | None:
    told = quotes.statistics(instrument, start_us=start_us, end_us=end_us)
    if told is None:
        return None
    return told.high_ticks, told.low_ticks, told.average_ticks, told.quotes


@pytest.fixture
def filled(tables: Renew) -> int:
    """Tables with a stream of 900 messages; the time of its end."""
    write(stream(900, seed=5), 37)
    return quotes.recent(STOCK, limit=1)[0].message_us


def _moments(end_us: int) -> st.SearchStrategy[int]:
    """Any moment, mostly near the beginning or end of a second, minute, hour, day or message."""
    unit = st.sampled_from((1, 1_000_000, MINUTE_US, HOUR_US, DAY_US))
    anywhere = st.integers(START_US - DAY_US, end_us + DAY_US)
    near = st.tuples(anywhere, unit, st.integers(-1, 1))
    return near.map(lambda drawn: drawn[0] // drawn[1] * drawn[1] + drawn[2])


def check_any_range(end_us: int) -> None:
    @settings(
        max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(_moments(end_us), _moments(end_us))
    def check(one: int, other: int) -> None:
        start_us, stop_us = sorted((one, other))
        assert found(STOCK, start_us, stop_us) == truth(STOCK, start_us, stop_us)

    check()
    for row in quotes.recent(STOCK, limit=50):
        second = row.message_us // 1_000_000 * 1_000_000
        for start_us, stop_us in (
            (second, second + 1_000_000),
            (row.message_us, row.message_us + 1),
            (0, row.message_us),
        ):
            assert found(STOCK, start_us, stop_us) == truth(STOCK, start_us, stop_us)


def test_s4_6_statistics_of_any_range_equal_the_rows(filled: int) -> None:
    """300 random ranges, single seconds and single microseconds: roll-ups equal the raw rows."""
    check_any_range(filled)
    assert found(STOCK, 0, quotes.END_US) == truth(STOCK, 0, quotes.END_US)
    everything = quotes.statistics_of_all()
    assert everything[STOCK] == quotes.statistics(STOCK)
    assert everything[OTHER] == quotes.statistics(OTHER)
    assert quotes.statistics(77) is None


def test_a_lost_end_is_caught(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a range that leaves out the rows at its ends differs from them, and is caught."""
    monkeypatch.setattr(quotes, "_of_rows", lambda *_: (None,) * 5)
    with pytest.raises(AssertionError):
        check_any_range(filled)


def test_a_repeat_of_an_older_message_counts_once(tables: Renew) -> None:
    """The core tells an older message each time that it comes; the tables have it once."""
    late = {"price_ticks": 7, "availability_lots": 3}
    runs: Runs = [
        (1, packed.definitions()),
        (2, quote(2, START_US)),
        (3, quote(3, START_US - 5, Verdict.OLDER, **late)),
        (4, quote(4, START_US - 5, Verdict.OLDER, **late)),
        (5, quote(5, START_US, Verdict.OLDER)),
        (6, quote(6, START_US - 5, Verdict.OLDER, **(late | {"availability_lots": 4}))),
    ]
    write(runs[:3], 3)
    write(runs[3:], 1)
    assert [row.price_ticks for row in quotes.recent(STOCK, limit=9)] == [100, 7, 7]
    assert found(STOCK, 0, quotes.END_US) == (100, 7, Fraction(114, 3), 3)


def test_taking_repeats_for_new_ones_is_caught(
    tables: Renew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: without looking for what is there, the tables refuse the second row."""
    monkeypatch.setattr(services, "_unseen_quotes", lambda _cursor, rows: rows)
    with pytest.raises(Exception, match="UNIQUE"):
        write(stream(200, seed=5), 37)


def test_rebuilt_tables_equal_themselves(tables: Renew) -> None:
    """Deleted and rebuilt in pieces of any size, every row of every table is the same."""
    runs = stream(600, seed=8)
    write(runs, 11)
    first = dump()
    assert len(first["quote"]) > 400
    tables()
    write(runs, 600)
    assert dump() == first


def test_bars_of_every_interval_equal_the_rows(filled: int) -> None:
    """Open, high, low, close and count of each bar are those of its messages by their own time."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT message_us, price_ticks FROM projections_quote WHERE instrument = %s "
            "ORDER BY message_us, seq",
            (STOCK,),
        )
        rows = cursor.fetchall()
    for name, step in INTERVALS.items():
        expected: dict[int, list[int]] = {}
        for message_us, price in rows:
            expected.setdefault(step.start_of(message_us), []).append(price)
        told = quotes.bars(STOCK, name, start_us=0, end_us=filled + 1, limit=1000)
        oldest = step.back(step.start_of(filled), 999)
        assert [
            (
                *(bar.start_us, bar.open_ticks, bar.high_ticks, bar.low_ticks),
                *(bar.close_ticks, bar.quotes),
            )
            for bar in told
        ] == [
            (start, prices[0], max(prices), min(prices), prices[-1], len(prices))
            for start, prices in sorted(expected.items())
            if start >= oldest
        ]


def test_quotes_and_their_trades_are_the_core_s(tables: Renew) -> None:
    """Of a flow through the real core: the newest price, and which trades each message made."""
    from fondaco.core.exchange import Exchange

    exchange = Exchange()
    runs = lived(exchange, seed=3)
    writer = Writer()
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
    newest = {}
    made: dict[int, list[int]] = {}
    for record in (record for _, events in runs for record in records.split(events)):
        kind = int.from_bytes(record[:2], "little")
        if kind not in {records.Event.QUOTE, records.Event.TRADE}:
            continue
        words = records.unpack(record)
        if kind == records.Event.TRADE:
            made.setdefault(words["instrument"], []).append(words["trade_id"])
        elif words["verdict"] == Verdict.CURRENT:
            newest[words["instrument"]] = words
    dealers = list(newest)
    assert dealers
    assert any(made.get(number) for number in dealers)
    for number in dealers:
        (row,) = quotes.recent(number, limit=1)
        assert row.message_us == newest[number]["message_us"]
        ids = [trade.trade_id for trade in quotes.trades_of(number, limit=1000)]
        assert ids == sorted(made.get(number, []), reverse=True)[:1000]
        assert [trade.trade_id for trade in quotes.trades_of(number, limit=3)] == ids[:3]

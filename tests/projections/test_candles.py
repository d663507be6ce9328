"""Bars: equal to a recomputation from the trades, at every interval, live ones included."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core.records import Side
from fondaco.projections import bars, candles, selectors
from fondaco.projections.bars import DAY_US, INTERVALS, MINUTE_US, Bar, fold_bars, fold_trades
from fondaco.projections.selectors import TradeRow
from fondaco.projections.services import Writer
from tests.projections import packed

Renew = Callable[[], None]
Words = tuple[int, int, int, int, int, bool]


def recomputed(trades: Iterable[TradeRow], name: str) -> dict[int, tuple[int, ...]]:
    """Bars of an interval from the trades alone, by a reading of the definition."""
    parts: dict[int, list[TradeRow]] = {}
    for trade in trades:
        parts.setdefault(INTERVALS[name].start_of(trade.time_us), []).append(trade)
    found: dict[int, tuple[int, ...]] = {}
    for start, part in parts.items():
        prices = [trade.price_ticks for trade in part]
        bought = [trade for trade in part if trade.taker_side == Side.BUY]
        found[start] = (
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            sum(trade.quantity_lots for trade in part),
            sum(trade.quote_amount for trade in part),
            sum(trade.quantity_lots for trade in bought),
            sum(trade.quote_amount for trade in bought),
            len(part),
        )
    return found


def words_of(bar: Bar) -> tuple[int, ...]:
    return (
        bar.open_ticks,
        bar.high_ticks,
        bar.low_ticks,
        bar.close_ticks,
        bar.volume_lots,
        bar.volume_quote,
        bar.taker_buy_lots,
        bar.taker_buy_quote,
        bar.trades,
    )


def traded(days: float, *, count: int, seed: int) -> tuple[list[TradeRow], list[bytes]]:
    """Trades at random moments of a span, as rows and as events."""
    chance = random.Random(seed)
    times = sorted(packed.NOON_US + chance.randrange(int(days * DAY_US)) for _ in range(count))
    rows, events = [], []
    for place, time_us in enumerate(times):
        price, lots = chance.randint(90, 110), chance.randint(1, 50)
        side = chance.choice((Side.BUY, Side.SELL)).value
        event = packed.trade(
            place + 2,
            place + 1,
            time_us=time_us,
            price_ticks=price,
            quantity_lots=lots,
            taker_side=side,
        )
        events.append(event)
        rows.append(
            TradeRow(
                place + 2,
                time_us,
                packed.BTCUSDT,
                packed.KEPT + place + 1,
                price,
                lots,
                price * lots * 10,
                side,
                place + 2,
                1,
                17,
                16,
                0,
                0,
                packed.BTC,
                packed.USDT,
            )
        )
    return rows, events


def project(events: list[bytes]) -> None:
    """Apply trade events of the seqs 2, 3 … after the definitions, in three runs."""
    writer = Writer()
    writer.apply_events(packed.definitions(), 1)
    third = len(events) // 3
    for first, last in ((0, third), (third, 2 * third), (2 * third, len(events))):
        writer.apply_events(b"".join(events[first:last]), last + 1)


@pytest.mark.parametrize("name", list(INTERVALS))
def test_stored_bars_equal_a_recomputation_from_the_trades(tables: Renew, name: str) -> None:
    """At every interval the bars of 40 days of trades are what the trades give."""
    rows, events = traded(40, count=900, seed=7)
    project(events)
    found = candles.stored(
        packed.BTCUSDT, INTERVALS[name], start_us=0, end_us=packed.NOON_US + 50 * DAY_US
    )
    assert {bar.start_us: words_of(bar) for bar in found} == recomputed(rows, name)


@pytest.mark.parametrize("name", ["1m", "15m", "4h", "1d", "1w", "1M"])
def test_newer_trades_of_the_edge_count_once(tables: Renew, name: str) -> None:
    """Bars are complete while the tables lag, also where the edge repeats what they have."""
    rows, events = traded(3, count=300, seed=8)
    project(events[:200])
    found = candles.klines(
        packed.BTCUSDT, name, now_us=rows[-1].time_us, limit=1000, newer=rows[150:]
    )
    expected = recomputed(rows, name)
    bars_with_trades = {bar.start_us: words_of(bar) for bar in found if bar.trades}
    starts = {bar.start_us for bar in found}
    assert bars_with_trades == {start: expected[start] for start in starts & set(expected)}
    assert found[-1].start_us == INTERVALS[name].start_of(rows[-1].time_us)


def test_intervals_without_trades_are_flat_at_the_last_close(tables: Renew) -> None:
    """From the first trade on no minute is missing; before it there is none."""
    first = packed.NOON_US
    writer = Writer()
    writer.apply_events(packed.definitions(), 1)
    writer.apply_events(packed.trade(2, 1, time_us=first, price_ticks=101), 2)
    writer.apply_events(packed.trade(3, 2, time_us=first + 3 * MINUTE_US, price_ticks=99), 3)
    now = first + 5 * MINUTE_US
    found = candles.klines(packed.BTCUSDT, "1m", now_us=now, limit=100)
    assert [(bar.start_us - first) // MINUTE_US for bar in found] == [0, 1, 2, 3, 4, 5]
    assert [bar.close_ticks for bar in found] == [101, 101, 101, 99, 99, 99]
    assert [bar.volume_lots for bar in found] == [3, 0, 0, 3, 0, 0]
    later = candles.klines(
        packed.BTCUSDT, "1m", now_us=now, start_us=first + MINUTE_US + 1, limit=2
    )
    assert [(bar.start_us - first) // MINUTE_US for bar in later] == [2, 3]
    assert later[0].open_ticks == 101
    newest = candles.klines(packed.BTCUSDT, "1m", now_us=now, limit=2)
    assert [(bar.start_us - first) // MINUTE_US for bar in newest] == [4, 5]
    assert candles.klines(packed.BTCUSDT, "1m", now_us=first - MINUTE_US) == []
    assert candles.klines(packed.BTCUSDT + 1, "1m", now_us=now) == []


def test_a_range_holds_the_bars_that_begin_in_it(tables: Renew) -> None:
    """StartTime and endTime are both inclusive, and the oldest of the range come first."""
    rows, events = traded(1, count=300, seed=9)
    project(events)
    start = INTERVALS["5m"].start_of(rows[50].time_us)
    end = start + 20 * 5 * MINUTE_US
    found = candles.klines(
        packed.BTCUSDT, "5m", now_us=rows[-1].time_us, start_us=start, end_us=end, limit=1000
    )
    assert [bar.start_us for bar in found] == list(range(start, end + 1, 5 * MINUTE_US))
    ending = candles.klines(packed.BTCUSDT, "5m", now_us=rows[-1].time_us, end_us=end, limit=3)
    assert [bar.start_us for bar in ending] == [bar.start_us for bar in found[-3:]]


def test_a_rolling_day_is_what_its_minutes_give(tables: Renew) -> None:
    """Hours and minutes together give the same as the trades of the window."""
    rows, events = traded(3, count=900, seed=10)
    project(events[:700])
    for offset in (0, 17, 59, 60, 61, 777):
        end = (rows[-1].time_us // MINUTE_US - offset) * MINUTE_US
        start = end - DAY_US
        found = candles.rolling(packed.BTCUSDT, start_us=start, end_us=end, newer=rows[600:])
        inside = [row for row in rows if start <= row.time_us < end]
        assert found is not None
        assert found.trades == len(inside) > 0
        assert found.volume_quote == sum(row.quote_amount for row in inside)
        assert (found.open_ticks, found.close_ticks) == (
            inside[0].price_ticks,
            inside[-1].price_ticks,
        )
        assert found.high_ticks == max(row.price_ticks for row in inside)
    assert candles.rolling(packed.BTCUSDT, start_us=0, end_us=MINUTE_US) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 400 * DAY_US), st.integers(1, 50), st.integers(1, 9)), min_size=1
    ),
    st.sampled_from(sorted(INTERVALS)),
)
def test_folding_minutes_equals_folding_trades(
    drawn: list[tuple[int, int, int]], name: str
) -> None:
    """Trades to minutes to an interval is the same as trades to that interval."""
    drawn.sort()
    trades: list[Words] = [
        (time_us, place + 1, price, lots, price * lots, bool(lots % 2))
        for place, (time_us, price, lots) in enumerate(drawn)
    ]
    minutes = fold_trades(trades, INTERVALS["1m"])
    assert fold_bars(minutes, INTERVALS[name]) == fold_trades(trades, INTERVALS[name])
    stored = fold_bars(minutes, INTERVALS[INTERVALS[name].stored])
    assert fold_bars(stored, INTERVALS[name]) == fold_trades(trades, INTERVALS[name])


def test_a_bar_does_not_depend_on_which_part_came_first() -> None:
    """Merging the later part of a bar before the earlier one gives the same bar."""
    early = fold_trades([(5, 1, 10, 1, 10, True), (6, 2, 12, 1, 12, False)], INTERVALS["1m"])[0]
    late = fold_trades([(7, 3, 9, 2, 18, True)], INTERVALS["1m"])[0]
    assert bars.merge(early, late) == bars.merge(late, early)


@pytest.mark.parametrize(
    "name, moment, start",
    [
        ("1w", "2026-11-20T12:00", "2026-11-16T00:00"),  # a Friday, and its Monday
        ("1w", "2026-11-16T00:00", "2026-11-16T00:00"),
        ("1w", "2026-11-15T23:59", "2026-11-09T00:00"),
        ("1M", "2024-02-29T23:59", "2024-02-01T00:00"),
        ("1M", "2024-12-31T23:59", "2024-12-01T00:00"),
        ("8h", "2024-12-31T23:59", "2024-12-31T16:00"),
        ("3d", "1970-01-05T01:00", "1970-01-04T00:00"),
    ],
)
def test_bars_begin_where_the_calendar_says(name: str, moment: str, start: str) -> None:
    """Weeks begin on Monday, months on the first, hours at multiples from midnight."""

    def micros(text: str) -> int:
        return int(dt.datetime.fromisoformat(text + "+00:00").timestamp()) * 1_000_000

    assert INTERVALS[name].start_of(micros(moment)) == micros(start)
    assert INTERVALS[name].start_of(INTERVALS[name].next_start(micros(start)) - 1) == micros(start)


@pytest.mark.parametrize("name", list(INTERVALS))
def test_going_back_and_forward_agree(name: str) -> None:
    """Going back n bars and forward n bars comes to the same bar."""
    step = INTERVALS[name]
    start = step.start_of(packed.NOON_US)
    back = step.back(start, 13)
    for _ in range(13):
        back = step.next_start(back)
    assert back == start


def test_aggregates_are_trades_of_one_taker_at_one_price(tables: Renew) -> None:
    """Runs of one taker order at one price are one; pages by id neither repeat nor leave out."""
    writer = Writer()
    writer.apply_events(packed.definitions(), 1)
    run, trade_id = [], 0
    chance = random.Random(11)
    for seq in range(2, 300):
        price = 100
        for _ in range(chance.randint(1, 4)):
            trade_id += 1
            run.append(packed.trade(seq, trade_id, price_ticks=price))
            price += chance.randint(0, 1)
    writer.apply_events(b"".join(run), 300)
    every = selectors.aggregate(selectors.trades(packed.BTCUSDT, limit=1000))
    assert 298 < len(every) < trade_id
    assert selectors.agg_trades(packed.BTCUSDT, limit=1000) == every
    assert selectors.agg_trades(packed.BTCUSDT, limit=10) == every[-10:]
    paged: list[selectors.AggregateTrade] = []
    next_id = 1
    while page := selectors.agg_trades(packed.BTCUSDT, from_id=next_id, limit=7):
        paged += page
        next_id = page[-1].first_trade_id + 1
    assert paged == every


@pytest.mark.parametrize("name", ["5m", "4h", "3d", "1w"])
def test_volumes_that_pass_an_integer_stop_at_the_largest(tables: Renew, name: str) -> None:
    """Turnover may exceed an asset's total: folded bars keep 2**63 - 1 and no request fails."""
    writer = Writer()
    writer.apply_events(packed.definitions(), 1)
    start = INTERVALS[name].start_of(packed.NOON_US)
    most = (1 << 62) - 1
    for place in range(3):
        moment = start + place * MINUTE_US
        writer.apply_events(
            packed.trade(place + 2, place + 1, time_us=moment, quote_amount=most), place + 2
        )
    (bar,) = candles.stored(packed.BTCUSDT, INTERVALS[name], start_us=0, end_us=1 << 60)
    assert bar.volume_quote == bars.VOLUME_MAX
    assert (bar.start_us, bar.trades, bar.volume_lots) == (start, 3, 9)

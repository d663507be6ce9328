"""Our own analysis of a house's books: once for each closed bar, by the library's own figures."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from fondaco.house.declared import HouseSettings
from fondaco.projections.models import MINUTE_BITS, Asset, Candle1m, Cursor, Instrument
from fondaco.projections.selectors import instruments
from fondaco.robots.hub import ratings
from fondaco.robots.hub.ratings import closed_bars, rate_bars, rate_due
from fondaco.robots.models import Rating, Signal
from fondaco.robots.signals.crossing_averages import analyse
from fondaco.robots.signals.technical_ratings import RuleSet, Stream

pytest.importorskip("talib")
pytestmark = pytest.mark.django_db(databases=["default", "projections"])
QUIET = HouseSettings(name="Rialto", cash="USDT")
MINUTE_US = 60_000_000
FIRST = 29_000_000  # a minute since 1970


def price(place: int) -> int:
    return round(20_000 + 900 * math.sin(place / 17) + 300 * math.sin(place / 5) + place)


@pytest.fixture
def market() -> Instrument:
    """A book with 1,700 minutes of trades."""
    Candle1m.objects.bulk_create(
        Candle1m(
            id=1 << MINUTE_BITS | FIRST + place,
            open_ticks=price(place - 1),
            high_ticks=max(price(place - 1), price(place)) + 2,
            low_ticks=min(price(place - 1), price(place)) - 2,
            close_ticks=price(place),
            volume_lots=10 + place % 7,
            volume_quote=1,
            taker_buy_lots=1,
            taker_buy_quote=1,
            trades=1,
            first_trade_id=place,
            last_trade_id=place,
        )
        for place in range(1700)
    )
    return Instrument.objects.create(
        number=1,
        symbol="BTCUSDT",
        base=2,
        quote=1,
        market=1,
        tick_size="0.01",
        lot_size="0.001",
        base_per_lot=1,
        quote_per_lot_tick=1,
        status=1,
    )


def test_the_rating_of_the_house_s_choice_is_a_signal_once(market: Instrument) -> None:
    """With own_signals the chosen kind and interval speaks to every client; else none does."""
    Asset.objects.create(number=1, code="USDT", decimals=8)
    Asset.objects.create(number=2, code="BTC", decimals=8)
    rate_due(QUIET, now_us(1500), {})
    assert not Signal.objects.exists()
    chosen = HouseSettings(
        name="Rialto", cash="USDT", own_signals="technical_ratings", own_signals_interval="1m"
    )
    for _ in range(2):  # a worker that begins anew rates the bar again
        rate_due(chosen, now_us(1501), {})
    row, rating = (
        Signal.objects.get(),
        Rating.objects.get(
            kind="technical_ratings", interval="1m", bar_us=(FIRST + 1501) * MINUTE_US
        ),
    )
    assert (row.symbol, row.strength, row.member) == ("BTC", rating.strength, 0)
    assert (row.timestamp_us, row.source) == ((FIRST + 1502) * MINUTE_US, "technical_ratings 1m")
    rate_due(HouseSettings(name="R", own_signals="robot", cash="EUR"), now_us(1505), {})
    assert Signal.objects.count() == 1


def now_us(place: int) -> int:
    """Return a moment after the bar of that place was closed."""
    return (FIRST + place + 1) * MINUTE_US + ratings.GRACE_US


def test_a_closed_bar_is_rated_once_by_every_kind(market: Instrument) -> None:
    """The newest 1,500 closed bars, and their figures; nothing more until the next is closed."""
    done: dict[tuple[int, str], int] = {}
    rate_due(QUIET, now_us(1699), done)
    assert rate_due(QUIET, now_us(1699) + 1000, done) == 0
    found = {row.kind: row for row in Rating.objects.filter(symbol=market.symbol, interval="1m")}
    assert set(found) == set(ratings.KINDS)
    bars = closed_bars(1, "1m", (FIRST + 1699) * MINUTE_US, now_us(1699))
    assert len(bars) == ratings.KEPT_BARS
    series = [ratings._candle(bar, Decimal("0.01"), Decimal("0.001")) for bar in bars]
    for kind, rules in (("technical_ratings", RuleSet.V3), ("technical_ratings_v1", RuleSet.V1)):
        stream = Stream(series[:-1], interval_ms=60_000, rule_set=rules)
        assert found[kind].value == pytest.approx(stream.add(series[-1]).whole, abs=1e-12)
        assert found[kind].bar_us == (FIRST + 1699) * MINUTE_US
    labels = analyse([each.close for each in reversed(series)])
    assert f'"sma_5":"{labels.simple[0].signal}"' in found["robot"].detail
    assert len(found["robot"].detail.split(",")) == 12


def test_a_running_bar_is_not_rated(market: Instrument) -> None:
    """Just before it closes, and within the grace after, the one before is the newest."""
    done: dict[tuple[int, str], int] = {}
    rate_due(QUIET, now_us(1600) - 1, done)
    newest = Rating.objects.filter(interval="1m").order_by("-bar_us").first()
    assert newest is not None
    assert newest.bar_us == (FIRST + 1599) * MINUTE_US


def test_a_bar_is_rated_once_the_tables_have_what_came_before_it_closed(
    market: Instrument,
) -> None:
    """While they lag it waits, by the writer's count of then; a writer with less is asked anew."""

    class Writer:
        seq, time_us = 50, now_us(1600)

        def status(self) -> dict[str, int]:
            return {"seq": self.seq, "time_us": self.time_us}

    writer: Any = Writer()
    done: dict[tuple[int, str], int] = {}
    Cursor.objects.create(pk=1, seq=49, time_us=0)
    moment = ratings.rate_told(QUIET, writer, None, done)
    assert moment == (50, now_us(1600))
    assert not done
    assert not Rating.objects.exists()
    writer.seq, writer.time_us = 60, now_us(1601)
    Cursor.objects.update(seq=50)
    assert ratings.rate_told(QUIET, writer, moment, done) is None
    newest = Rating.objects.filter(interval="1m").order_by("-bar_us").first()
    assert newest is not None
    assert newest.bar_us == (FIRST + 1600) * MINUTE_US
    writer.seq = 45
    assert ratings.rate_told(QUIET, writer, ratings.Moment(60, now_us(1601)), done) is None
    assert done[1, "1m"] == (FIRST + 1601) * MINUTE_US


def test_few_bars_have_no_rating(market: Instrument) -> None:
    """A book that has just begun is left out, as is an interval without a bar."""
    (row,) = instruments()
    bars = closed_bars(1, "1m", (FIRST + 3) * MINUTE_US, now_us(3))
    assert len(bars) == 4
    assert rate_bars(row, "1m", bars) == []
    assert rate_due(QUIET, now_us(3), {}) == 0
    assert not Rating.objects.exists()


def test_what_is_kept_has_a_bound(market: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind the newest stay."""
    monkeypatch.setattr(ratings, "RATINGS_KEPT", 2)
    done: dict[tuple[int, str], int] = {}
    for place in (1000, 1001, 1002, 1003):
        rate_due(QUIET, now_us(place), done)
    kept = Rating.objects.filter(interval="1m", kind="robot").order_by("bar_us")
    assert [row.bar_us // MINUTE_US - FIRST for row in kept] == [1002, 1003]

"""What everybody may hear of ratings and signals, read from the tables."""

from __future__ import annotations

import pytest
from django.test import Client

from fondaco.core.records import Side
from fondaco.identity.services import create_member
from fondaco.projections.models import Asset, Instrument
from fondaco.robots.hub import published
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.selectors import Scales, told_to_client
from fondaco.robots.models import Decision, Rating, Signal

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
HOUR_US = 3_600_000_000


def rated(hour: int, *, kind: str = "technical_ratings", symbol: str = "BTCUSDT") -> Rating:
    return Rating.objects.create(
        symbol=symbol,
        interval="1h",
        kind=kind,
        bar_us=hour * HOUR_US,
        strength=1,
        value=0.25,
        detail='{"averages":0.5,"oscillators":0.0}',
    )


def sent(hour: int, *, member: int = 0, symbol: str = "BTC", source: str = "api") -> Signal:
    return Signal.objects.create(
        symbol=symbol,
        strength=-2,
        timestamp_us=hour * HOUR_US,
        member=member,
        source=source,
        analysis='[{"secret":"sauce"}]',
        received_us=hour * HOUR_US + 1,
    )


def test_a_member_s_own_signals_and_what_was_sent_along_are_nobody_else_s() -> None:
    """Neither to who begins to listen nor later; of one for all its word and its times."""
    before = published.marks()
    sent(1, member=16)
    told = sent(2)
    known = published.now("BTCUSDT", "BTC")
    _, new = published.since(before, ["BTCUSDT"], ["BTC"])
    expected = {
        "id": told.pk,
        "symbol": "BTC",
        "summary": "STRONG_SELL",
        "time": "1970-01-01T02:00:00Z",
        "received": "1970-01-01T02:00:00.000001Z",
        "source": "",
    }
    assert known.signals == new.signals == [expected]


def test_a_signal_of_the_house_s_own_analysis_says_which() -> None:
    """The kind and interval of the rating that spoke; any other sender stays unnamed."""
    sent(1, source="technical_ratings 1h")
    sent(2, source="hook 7")
    assert [each["source"] for each in published.now("BTCUSDT", "BTC").signals] == [
        "",
        "technical_ratings 1h",
    ]


def test_the_newest_rating_of_each_kind_is_what_is_known() -> None:
    """One row each; the newest signals first, at most SIGNALS_TOLD; none for a book in no cash."""
    rated(1)
    rated(2)
    rated(1, kind="robot")
    rated(3, symbol="ETHUSDT")
    for hour in range(published.SIGNALS_TOLD + 5):
        sent(hour)
    known = published.now("BTCUSDT", "BTC")
    assert [(each["kind"], each["bar"]) for each in known.ratings] == [
        ("technical_ratings", "1970-01-01T02:00:00Z"),
        ("robot", "1970-01-01T01:00:00Z"),
    ]
    assert len(known.signals) == published.SIGNALS_TOLD
    assert known.signals[0]["time"] == "1970-01-02T00:00:00Z"
    assert published.now("BTCUSDT", "").signals == []


def test_what_came_since_is_read_once() -> None:
    """Ratings of the books asked for, oldest first, none of them again by the next look."""
    rated(1)
    told = published.marks()
    rated(2)
    rated(2, symbol="ETHUSDT")
    rated(3)
    told, new = published.since(told, ["BTCUSDT"], [])
    assert [each["bar"][11:13] for each in new.ratings] == ["02", "03"]
    again, new = published.since(told, ["BTCUSDT"], [])
    assert (again, new.ratings) == (told, [])


@pytest.fixture
def asked() -> Client:
    """A member who asks, in a house with a book and a market that has none."""
    sizes = {"tick_size": "0.01", "lot_size": "1", "base_per_lot": 1, "quote_per_lot_tick": 1}
    for number, symbol, market in ((1, "BTCUSDT", 1), (2, "ABANUSDT", 3)):
        Instrument.objects.create(
            number=number, symbol=symbol, base=2, quote=1, market=market, status=1, **sizes
        )
    client = Client()
    client.force_login(
        create_member(username="ann", email="ann@example.com", password="a long password")
    )
    return client


@pytest.mark.parametrize("symbol", ["NOSUCH", "ABANUSDT"])
def test_a_market_that_is_not_rated_is_said(asked: Client, symbol: str) -> None:
    """Unknown, or without a book: 404 with the reason, not an empty list."""
    answer = asked.get(f"/api/v1/ratings/{symbol}/", {"interval": "1h"})
    text = f"There is no market '{symbol}' with a book; only those are rated."
    assert (answer.status_code, answer.json()) == (404, {"detail": text})


@pytest.mark.parametrize("interval", ["2h", "", "1h\0", "h" * 500])
def test_an_interval_that_is_not_rated_is_said(asked: Client, interval: str) -> None:
    """400 with those that are; a rated one without a rating yet is an empty list."""
    answer = asked.get("/api/v1/ratings/BTCUSDT/", {"interval": interval})
    text = "Give one of 1m, 5m, 15m, 30m, 1h, 6h, 1d."
    assert (answer.status_code, answer.json()) == (400, {"interval": [text]})
    assert asked.get("/api/v1/ratings/BTCUSDT/").json() == {"ratings": []}


def test_the_newest_decision_of_a_client_is_a_sentence() -> None:
    """What it did not do, and why, without idle zeros; with the time."""
    for number, code in ((1, "USDT"), (2, "BTC")):
        Asset.objects.create(number=number, code=code, decimals=8)
    sizes = {"tick_size": "0.01", "lot_size": "1", "base_per_lot": 1, "quote_per_lot_tick": 1}
    Instrument.objects.create(
        number=1, symbol="BTCUSDT", base=2, quote=1, market=1, status=1, **sizes
    )
    assert told_to_client(7, Scales("USDT")) == ("", 0)
    Decision.objects.create(
        signal=sent(1).pk,
        account=7,
        time_us=5_000_000,
        side=Side.SELL,
        reason=Reason.COIN_TOO_LOW.value,
        had=0,
        needed=100_000,
        price_ticks=2_000_000,
    )
    said = "did not sell: 0 BTC, minimum 0.001"
    assert told_to_client(7, Scales("USDT")) == (said, 5_000)

"""The client library against a real house: places, sees, cancels, moves, reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817 - a letter for a table

import pytest

from fondaco_client import ApiKey, AsyncClient, Client, InsufficientBalance, NotFound, OrderNotFound
from fondaco_client import Unauthorised as NobodyKnown
from tests.house_fixture import RunningHouse, house

__all__ = ["house"]


@pytest.fixture
def ann(house: RunningHouse) -> Iterator[Client]:
    with Client(house.url, ApiKey(*house.ann)) as client:
        yield client


@pytest.fixture
def bob(house: RunningHouse) -> Iterator[Client]:
    with Client(house.url, ApiKey(*house.bob)) as client:
        yield client


def test_an_order_is_placed_seen_and_cancelled(ann: Client) -> None:
    """A resting order is open until it is cancelled, and then is gone."""
    placed = ann.orders.place("BTCUSDT", "BUY", quantity="0.001", price="20000.50")
    assert (placed.status, placed.price) == ("NEW", D("20000.50"))
    assert [each.order_id for each in ann.orders.open("BTCUSDT")] == [placed.order_id]
    held = {each.asset: each.held for each in ann.orders.balances().balances}
    assert held["USDT"] == D("20.0005")
    done = ann.orders.cancel("BTCUSDT", order_id=placed.order_id)
    assert done.status == "CANCELED"
    with pytest.raises(OrderNotFound):
        ann.orders.cancel("BTCUSDT", order_id=placed.order_id)
    assert ann.orders.one("BTCUSDT", client_order_id=placed.client_order_id).status == "CANCELED"


async def test_a_trade_is_told_to_both_and_to_the_public(
    house: RunningHouse, ann: Client, bob: Client
) -> None:
    """The taker's answer has its fill; fills, public trades and candles tell the same amounts."""
    ann.orders.place("ETHUSDT", "SELL", quantity="0.5", price="3000")
    async with AsyncClient(house.url, ApiKey(*house.bob)) as client:
        taken = await client.orders.place("ETHUSDT", "BUY", "MARKET", quantity="0.2")
    assert taken.status == "FILLED"
    [fill] = taken.fills
    assert (fill.price, fill.quantity, fill.fee) == (D(3000), D("0.2"), D("0.0002"))
    assert fill.fee_asset == "ETH"
    [own] = bob.orders.fills("ETHUSDT")
    assert (own.price, own.quantity, own.is_buyer, own.is_maker) == (D(3000), D("0.2"), True, False)
    assert ann.markets.trades("ETHUSDT")[-1].quote_quantity == 600
    last = ann.markets.candles("ETHUSDT", "1m")[-1]
    assert (last.close, last.volume, last.trades) == (D(3000), D("0.2"), 1)
    assert ann.markets.depth("ETHUSDT").asks[0].quantity == D("0.3")
    assert ann.markets.day("ETHUSDT").last_price == 3000
    ann.orders.cancel_all("ETHUSDT")


def test_too_little_money_is_named(ann: Client) -> None:
    """An order that can't be paid is InsufficientBalance."""
    with pytest.raises(InsufficientBalance):
        ann.orders.place("BTCUSDT", "SELL", quantity="1000", price="60000")


def test_the_markets_say_their_terms(ann: Client) -> None:
    """Native markets and instruments tell the same steps; totals are zero."""
    by_symbol = {each.symbol: each for each in ann.markets.all()}
    [instrument] = [each for each in ann.markets.instruments() if each.symbol == "BTCUSDT"]
    market = by_symbol["BTCUSDT"]
    assert (market.tick_size, market.lot_size) == (instrument.tick_size, instrument.lot_size)
    assert ann.markets.one("BTCUSDT") == market
    assert all(each.sum == 0 for each in ann.markets.ledger_totals().values())
    with pytest.raises(NotFound):
        ann.markets.one("NOSUCH")


def test_the_native_routes_take_the_signed_style(ann: Client) -> None:
    """A member reads who they are and what their account holds, by the key's signature."""
    me = ann.members.me()
    assert (me.username, len(me.accounts)) == ("ann", 1)
    [account] = ann.money.accounts()
    assert {each.asset for each in account.balances} >= {"USDT", "BTC", "ETH"}
    assert [*ann.money.deposits(), *ann.money.withdrawals()] == []
    assert ann.members.membership().is_paid_up
    [month] = ann.statements.months()[:1]
    statement = ann.statements.month(month)
    assert all(
        each.opening + each.credits - each.debits == each.closing for each in statement.assets
    )
    assert "USDT" in ann.statements.month_csv(month)


def test_a_wrong_secret_is_nobody(house: RunningHouse) -> None:
    """A signature by another secret is Unauthorised."""
    with Client(house.url, ApiKey(house.ann.key, "another")) as client, pytest.raises(NobodyKnown):
        client.orders.open()


def test_the_environment_says_who_asks(
    house: RunningHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without arguments the house and the key come from the environment."""
    monkeypatch.setitem(os.environ, "FONDACO_URL", house.url)
    monkeypatch.setitem(os.environ, "FONDACO_API_KEY", house.ann.key)
    monkeypatch.setitem(os.environ, "FONDACO_API_SECRET", house.ann.secret)
    with Client() as client:
        assert client.members.me().username == "ann"

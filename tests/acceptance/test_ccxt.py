"""Unmodified ccxt trades in a house by a change of URLs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.acceptance.clients import keys, point_ccxt
from tests.house_fixture import Credentials, RunningHouse, house

__all__ = ["house"]

SYMBOL = "BTC/USDT"


@pytest.fixture
def ann(house: RunningHouse) -> Any:
    return client(house, house.ann)


@pytest.fixture
def bob(house: RunningHouse) -> Any:
    return client(house, house.bob)


def client(house: RunningHouse, who: Credentials) -> Any:
    made = point_ccxt(ccxt.binance(keys(who)), house.url)
    made.load_markets()
    return made


def sums(house: RunningHouse) -> dict[str, tuple[Decimal, Decimal]]:
    """Members' and fees' sum, and the world's, by asset."""
    totals = house.get("/api/v1/ledger/totals/").json
    return {
        code: (Decimal(row["members"]) + Decimal(row["fees"]), Decimal(row["world"]))
        for code, row in totals.items()
    }


def test_markets_are_loaded_with_their_steps_and_limits(ann: Any) -> None:
    """load_markets() with keys works and gives tick, lot and notional as declared."""
    market = ann.market(SYMBOL)
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 0.00001
    assert market["limits"]["cost"]["min"] == 5.0
    assert market["limits"]["amount"]["max"] > 1_000
    assert market["active"]
    assert ann.fetch_currencies()["BTC"]["code"] == "BTC"


def test_place_fill_in_part_and_cancel(house: RunningHouse, ann: Any, bob: Any) -> None:
    """An order rests, is filled in part, is cancelled; what it held comes back; value is kept."""
    before = ann.fetch_balance()
    value_before = sums(house)
    order = ann.create_order(SYMBOL, "limit", "buy", 1.5, 20000)
    assert order["status"] == "open"
    assert ann.fetch_balance()["USDT"]["used"] == 30000
    taken = bob.create_order(SYMBOL, "limit", "sell", 0.5, 19990)
    assert taken["status"] == "closed"
    assert taken["average"] == 20000  # the maker's price: improvement at once
    seen = ann.fetch_order(order["id"], SYMBOL)
    assert (seen["status"], seen["filled"]) == ("open", 0.5)
    assert [each["id"] for each in ann.fetch_open_orders(SYMBOL)] == [order["id"]]
    canceled = ann.cancel_order(order["id"], SYMBOL)
    assert (canceled["status"], canceled["filled"]) == ("canceled", 0.5)
    assert ann.fetch_order(order["id"], SYMBOL)["status"] == "canceled"
    after = ann.fetch_balance()
    assert after["USDT"]["used"] == 0
    assert after["USDT"]["free"] == pytest.approx(before["USDT"]["free"] - 10000, abs=1e-6)
    assert after["BTC"]["free"] == pytest.approx(before["BTC"]["free"] + 0.4995, abs=1e-8)
    for code, (inside, world) in sums(house).items():
        assert inside + world == 0, code
        assert inside == value_before[code][0], code


def test_market_orders_by_amount_and_by_cost(ann: Any, bob: Any) -> None:
    """Market orders walk the book, and report their fills, average and fee."""
    bob.create_order(SYMBOL, "limit", "sell", 1, 20001)
    bob.create_order(SYMBOL, "limit", "sell", 1, 20003)
    order = ann.create_order(SYMBOL, "market", "buy", 1.5)
    assert order["status"] == "closed"
    assert order["cost"] == pytest.approx(20001 + 0.5 * 20003)
    assert order["fee"]["currency"] == "BTC"
    assert order["fee"]["cost"] == pytest.approx(0.0015)
    by_cost = ann.create_market_buy_order_with_cost(SYMBOL, 2000)
    assert by_cost["status"] == "closed"
    assert 1999 < by_cost["cost"] <= 2000


def test_own_trades_and_orders_are_seen_at_once(ann: Any, bob: Any) -> None:
    """A read after an acknowledged write sees it: fills, orders, public trades, candles."""
    bob.create_order("ETH/USDT", "limit", "sell", 2, 1500)
    order = ann.create_order("ETH/USDT", "limit", "buy", 2, 1500)
    trades = ann.fetch_my_trades("ETH/USDT")
    assert trades[-1]["order"] == order["id"]
    assert (trades[-1]["side"], trades[-1]["takerOrMaker"]) == ("buy", "taker")
    assert bob.fetch_my_trades("ETH/USDT")[-1]["takerOrMaker"] == "maker"
    assert ann.fetch_orders("ETH/USDT")[-1]["id"] == order["id"]
    assert ann.fetch_trades("ETH/USDT")[-1]["amount"] == 2
    assert ann.fetch_ohlcv("ETH/USDT", "1m")[-1][4] == 1500
    assert ann.fetch_ticker("ETH/USDT")["last"] == 1500
    assert ann.fetch_order_trades(order["id"], "ETH/USDT")[0]["price"] == 1500


@pytest.mark.parametrize(
    "kind,side,amount,price,error",
    [
        ("limit", "buy", 1, 20000.0, ccxt.InsufficientFunds),
        ("limit", "buy", 0.0001, 20000.0, ccxt.BadRequest),  # below min_notional
    ],
)
def test_refusals_become_the_clients_errors(
    ann: Any, kind: str, side: str, amount: float, price: float, error: type[Exception]
) -> None:
    """What a house refuses arrives as the exception that the client promises for it."""
    amount = 60 if error is ccxt.InsufficientFunds else amount
    with pytest.raises(error):
        ann.create_order(SYMBOL, kind, side, amount, price)


def test_prices_and_lots_off_their_step_are_invalid_orders(ann: Any) -> None:
    """Off the tick or the lot is InvalidOrder, nothing is rounded."""
    request = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    with pytest.raises(ccxt.InvalidOrder, match="PRICE_FILTER"):
        ann.private_post_order({**request, "quantity": "1", "price": "20000.005"})
    with pytest.raises(ccxt.InvalidOrder, match="LOT_SIZE"):
        ann.private_post_order({**request, "quantity": "1.000001", "price": "20000"})


def test_post_only_that_would_match_is_fillable(ann: Any, bob: Any) -> None:
    """A LIMIT_MAKER that would take is OrderImmediatelyFillable."""
    resting = bob.create_order(SYMBOL, "limit", "sell", 0.1, 20100)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        ann.create_order(SYMBOL, "limit", "buy", 0.1, 21000, {"postOnly": True})
    bob.cancel_order(resting["id"], SYMBOL)


def test_a_stop_loss_waits_triggers_and_fills(ann: Any, bob: Any) -> None:
    """create_order with stopLossPrice and triggerPrice; a reached price is the client's error."""
    for each in (ann, bob):
        if each.fetch_open_orders(SYMBOL):
            each.cancel_all_orders(SYMBOL)
    bob.create_order(SYMBOL, "limit", "sell", 0.1, 20000)
    bob.create_order(SYMBOL, "limit", "buy", 0.1, 20000)
    limited = ann.create_order(SYMBOL, "limit", "sell", 0.5, 18900, {"stopLossPrice": 19000})
    market = ann.create_order(SYMBOL, "market", "buy", 0.5, None, {"triggerPrice": 21000})
    waiting = {each["id"]: each for each in ann.fetch_open_orders(SYMBOL)}
    assert set(waiting) == {limited["id"], market["id"]}
    assert waiting[limited["id"]]["triggerPrice"] == 19000
    assert waiting[market["id"]]["type"] in {"market", "stop_loss"}
    assert not ann.fetch_order_book(SYMBOL)["asks"]
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        ann.create_order(SYMBOL, "limit", "sell", 0.5, 18900, {"stopLossPrice": 20001})
    bob.create_order(SYMBOL, "limit", "buy", 1, 18950)
    bob.create_order(SYMBOL, "limit", "sell", 0.1, 18950)
    filled = ann.fetch_order(limited["id"], SYMBOL)
    assert (filled["status"], filled["filled"], filled["average"]) == ("closed", 0.5, 18950)
    assert ann.cancel_order(market["id"], SYMBOL)["status"] == "canceled"
    bob.cancel_all_orders(SYMBOL)
    assert ann.fetch_balance()["USDT"]["used"] == 0


def test_unknown_orders_are_not_found(ann: Any) -> None:
    """-2011 and -2013 become OrderNotFound."""
    with pytest.raises(ccxt.OrderNotFound):
        ann.cancel_order("999999", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        ann.fetch_order("999999", SYMBOL)


def test_bad_symbol_and_bad_keys(house: RunningHouse, ann: Any) -> None:
    """-1121 becomes BadSymbol, a wrong secret or key AuthenticationError."""
    with pytest.raises(ccxt.BadSymbol):
        ann.public_get_depth({"symbol": "NOSUCH"})
    wrong = point_ccxt(ccxt.binance({"apiKey": house.ann.key, "secret": "no"}), house.url)
    with pytest.raises(ccxt.AuthenticationError):
        wrong.fetch_balance()
    unknown = point_ccxt(ccxt.binance({"apiKey": "x" * 64, "secret": "no"}), house.url)
    with pytest.raises(ccxt.AuthenticationError):
        unknown.fetch_balance()


def test_edit_order_replaces(ann: Any) -> None:
    """edit_order() ends the one and places the other; of an order that is gone, neither."""
    order = ann.create_order(SYMBOL, "limit", "buy", 0.1, 15000)
    newer = ann.edit_order(order["id"], SYMBOL, "limit", "buy", 0.2, 15001)
    assert ann.fetch_order(order["id"], SYMBOL)["status"] == "canceled"
    found = ann.fetch_order(newer["id"], SYMBOL)
    assert (found["status"], found["amount"], found["price"]) == ("open", 0.2, 15001)
    with pytest.raises(ccxt.BaseError, match="cancel-replace failed"):
        ann.edit_order(order["id"], SYMBOL, "limit", "buy", 0.3, 15002)
    assert [each["id"] for each in ann.fetch_open_orders(SYMBOL)] == [newer["id"]]
    ann.cancel_order(newer["id"], SYMBOL)


def test_cancel_all(ann: Any) -> None:
    """cancel_all_orders() cancels every open order of a symbol; none is OrderNotFound."""
    for price in (14000, 14001, 14002):
        ann.create_order(SYMBOL, "limit", "buy", 0.1, price)
    assert len(ann.cancel_all_orders(SYMBOL)) == 3
    with pytest.raises(ccxt.OrderNotFound):
        ann.cancel_all_orders(SYMBOL)


def test_cancel_all_with_lists_open(ann: Any) -> None:
    """Open legs are orders to fetch_open_orders(); cancel_all_orders() ends lists and orders."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.1", "stopPrice": "30000"}
    for price in ("14000", "14001"):
        ann.private_post_order_oco({**terms, "price": price})
    single = ann.create_order(SYMBOL, "limit", "buy", 0.1, 14002)
    ann.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
    opened = ann.fetch_open_orders(SYMBOL)
    assert [each["type"] for each in opened] == ["market", "limit"] * 2 + ["limit"]
    assert {each["id"] for each in ann.fetch_open_orders()} == {each["id"] for each in opened}
    gone = ann.cancel_all_orders(SYMBOL)
    assert len(gone) == 3
    assert [each["status"] for each in gone if each["id"] == single["id"]] == ["canceled"]
    told = [each["info"] for each in gone if each["info"].get("contingencyType") == "OCO"]
    assert [len(each["orderReports"]) for each in told] == [2, 2]
    assert not ann.fetch_open_orders(SYMBOL)
    assert ann.fetch_balance()["USDT"]["used"] == 0


def test_an_oco_list_by_both_spellings(ann: Any, bob: Any) -> None:
    """ccxt's own calls place, read and cancel lists; a fill of the maker ends the stop."""
    terms = {"symbol": "ETHUSDT", "side": "SELL", "quantity": "2"}
    older = ann.private_post_order_oco(
        {**terms, "price": "2100", "stopPrice": "1000", "stopLimitPrice": "990",
         "stopLimitTimeInForce": "GTC"}
    )  # fmt: skip
    newer = ann.private_post_orderlist_oco(
        {**terms, "aboveType": "LIMIT_MAKER", "abovePrice": "2100", "belowType": "STOP_LOSS",
         "belowStopPrice": "1000"}
    )  # fmt: skip
    assert [each["contingencyType"] for each in (older, newer)] == ["OCO", "OCO"]
    assert ann.fetch_balance()["ETH"]["used"] == 4
    opened = ann.private_get_openorderlist()
    assert [each["orderListId"] for each in opened] == [older["orderListId"], newer["orderListId"]]
    bob.create_order("ETH/USDT", "limit", "buy", 2, 2100)
    left = {order["id"]: order for order in ann.fetch_orders("ETH/USDT")}
    stop, maker = (left[str(each["orderId"])] for each in older["orders"])
    assert (stop["status"], maker["status"], maker["filled"]) == ("expired", "closed", 2)
    ann.cancel_order(str(newer["orders"][0]["orderId"]), "ETH/USDT")
    assert ann.private_get_openorderlist() == []
    assert ann.fetch_balance()["ETH"]["used"] == 0
    number = newer["orderListId"]
    done = ann.private_get_orderlist({"orderListId": number})
    assert done["listOrderStatus"] == "ALL_DONE"
    with pytest.raises(ccxt.OrderNotFound):
        ann.private_delete_orderlist({"symbol": "ETHUSDT", "orderListId": number})
    with pytest.raises(ccxt.InsufficientFunds):
        ann.private_post_order_oco(
            {**terms, "quantity": "1000000", "price": "2100", "stopPrice": "1000"}
        )


def test_lists_are_there_after_a_restart(house: RunningHouse, ann: Any) -> None:
    """A house that was killed has its open list, which still ends as one, and the done one."""
    terms = {"symbol": "ETHUSDT", "side": "SELL", "quantity": "1"}
    prices = {"price": "2200", "stopPrice": "900"}
    gone, kept = (ann.private_post_order_oco({**terms, **prices}) for _ in range(2))
    ann.private_delete_orderlist({"symbol": "ETHUSDT", "orderListId": gone["orderListId"]})
    house.kill()
    house.start()
    opened = ann.private_get_openorderlist()[-1]
    assert opened["orders"] == kept["orders"]
    listed = ann.private_get_allorderlist({"fromId": gone["orderListId"]})
    told = [(each["orderListId"], each["listOrderStatus"]) for each in listed]
    assert told == [(gone["orderListId"], "ALL_DONE"), (kept["orderListId"], "EXECUTING")]
    canceled = ann.private_delete_orderlist(
        {"symbol": "ETHUSDT", "orderListId": kept["orderListId"]}
    )
    assert {each["status"] for each in canceled["orderReports"]} == {"CANCELED"}
    assert ann.fetch_balance()["ETH"]["used"] == 0

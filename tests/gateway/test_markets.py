"""The dealer and the agency market at the gateway: reads, streams, and the owner's own events."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from fondaco.core.records import (
    AssetBody,
    Command,
    InstrumentBody,
    OrderType,
    Side,
    pack,
    pack_body,
)
from fondaco.projections.quotes import PriceBar
from tests.gateway.stand_ins import (
    ANN,
    BOB,
    START_US,
    USDT,
    LoopWriter,
    SmallHouse,
    Socket,
    small_house,
)

CIB, ABAN = 4, 5  # assets
DESK, AGENCY = 3, 4  # instruments
MINUTE_US: Final = 60_000_000


def define_outside(writer: LoopWriter) -> None:
    """Add a dealer and an agency market to the small house, and some of their coins."""
    for number, code, decimals in ((CIB, "CIB", 0), (ABAN, "ABAN", 4)):
        asset = AssetBody(number=number, code=code, decimals=decimals)
        writer.commit(pack_body(Command.DEFINE_ASSET, asset))
    desk = InstrumentBody(
        number=DESK, symbol="CIBUSDT", base=CIB, quote=USDT, market=2, tick_size="0.01",
        lot_size="1", base_per_lot=1, quote_per_lot_tick=1_000_000, name="Commercial Bank",
        stock_id="6ffb8e62-92c1-40c7-9d38-5b976a346b62",
    )  # fmt: skip
    agency = InstrumentBody(
        number=AGENCY, symbol="ABANUSDT", base=ABAN, quote=USDT, market=3, tick_size="0.01",
        lot_size="0.0001", base_per_lot=1, quote_per_lot_tick=100, venue="outside",
        reference_ticks=1000, slippage_ppm=10_000, pool_min_notional=10 * 10**8,
        pool_timeout_us=60 * MINUTE_US,
    )  # fmt: skip
    for body in (desk, agency):
        writer.commit(pack_body(Command.DEFINE_INSTRUMENT, body))
    for entry, account in enumerate((ANN, BOB), 1):
        writer.commit(pack(Command.DEPOSIT, account=account, asset=CIB, amount=1000, entry=entry))


def quote(writer: LoopWriter, ticks: int, lots: int, at_us: int = 0) -> None:
    writer.commit(
        pack(
            Command.QUOTE,
            instrument=DESK,
            price_ticks=ticks,
            availability_lots=lots,
            message_us=at_us or writer.time_us,
        )
    )


def bounded(writer: LoopWriter, account: int, lots: int, upper: int, lower: int = 0) -> int:
    """Buy with bounds; return the order's number."""
    return ordered(
        writer, account, DESK, OrderType.BOUNDED, lots, price_ticks=upper, stop_price_ticks=lower
    )


def pooled(writer: LoopWriter, account: int, lots: int) -> int:
    """Buy through the pool; return the order's number."""
    return ordered(writer, account, AGENCY, OrderType.POOLED, lots)


def ordered(
    writer: LoopWriter, account: int, instrument: int, kind: OrderType, lots: int, **words: int
) -> int:
    events = writer.commit(
        pack(
            Command.NEW_ORDER,
            account=account,
            instrument=instrument,
            side=Side.BUY,
            order_type=kind,
            quantity_lots=lots,
            **words,
        )
    )
    assert events[:2] != b"\x07\x01", "refused"
    return writer.seq


def some_past(writer: LoopWriter) -> None:
    """Let a house have a quote, an older message after it, a pool and a venue order on its way."""
    define_outside(writer)
    quote(writer, 2800, 46, START_US - 7_461_607)
    quote(writer, 2700, 5, START_US - 60_000_000)  # older: never the price
    pooled(writer, ANN, 10_000)
    writer.commit(pack(Command.VENUE_SENT, venue_order=1))
    pooled(writer, BOB, 4_000)


WANTED_QUOTE: Final = {
    "price": "28.00000000",
    "availability": "46.00000000",
    "time": "2026-09-21T14:13:12.538393Z",
}


async def market(house: SmallHouse, symbol: str) -> Any:
    reply = await house.get(f"/api/v1/markets/{symbol}/")
    assert reply.status == 200, reply
    return reply.json


async def settled(house: SmallHouse) -> None:
    """Let the mirrors of markets defined just now be loaded."""
    for _ in range(50):
        await asyncio.sleep(0)
    assert not house.gateway._bringing_up._loading


@pytest.mark.parametrize("is_past", [True, False])
async def test_a_market_is_read_with_its_state(*, is_past: bool) -> None:
    """Price, availability and time; reference and pools: the same from answers as from events."""
    if is_past:
        house = await small_house(prepare=some_past)
    else:
        house = await small_house()
        some_past(house.writer)
        await settled(house)
    desk = await market(house, "CIBUSDT")
    assert {name: desk[name] for name in WANTED_QUOTE} == WANTED_QUOTE
    assert (desk["market"], desk["name"], desk["status"]) == (
        "dealer",
        "Commercial Bank",
        "TRADING",
    )
    agency = await market(house, "ABANUSDT")
    assert agency["reference_price"] == "10.00000000"
    assert agency["pools"]["sell"] == {
        "orders": 0,
        "quantity": "0.00000000",
        "notional": "0.00000000",
        "min_notional": "10.00000000",
        "deadline": None,
    }
    waiting = agency["pools"]["buy"]
    assert (waiting["orders"], waiting["quantity"], waiting["notional"]) == (
        1,
        "0.40000000",
        "4.00000000",
    )
    assert waiting["deadline"].startswith("2026-09-21T15:13:20.")
    parts = house.gateway.edge.markets[AGENCY].outside.parts
    assert {number: list(of.values()) for number, of in parts.items()} == {1: [ANN]}


async def test_before_the_first_message_there_are_nulls() -> None:
    """A stock that was only declared has no price yet; a book has neither quote nor pools."""
    house = await small_house(prepare=define_outside)
    desk = await market(house, "CIBUSDT")
    assert (desk["price"], desk["availability"], desk["time"]) == (None, None, None)
    book = await market(house, "BTCUSDT")
    assert (book["market"], book["tick_size"]) == ("book", "0.01")
    assert not {"price", "pools"} & set(book)


async def test_the_list_has_every_market_in_both_slash_forms() -> None:
    """All instruments, by number; with and without the last slash; a stranger may ask."""
    house = await small_house(prepare=some_past)
    listed = (await house.get("/api/v1/markets/")).json
    assert [each["symbol"] for each in listed] == ["BTCUSDT", "ETHUSDT", "CIBUSDT", "ABANUSDT"]
    assert (await house.get("/api/v1/markets")).json == listed
    assert listed[2] == await market(house, "CIBUSDT")
    assert (await house.get("/api/v1/markets/CIBUSDT")).json == listed[2]


async def test_what_is_not_there_is_said_in_the_houses_words() -> None:
    """An unknown symbol is 404 with detail, another method 405; nothing moves."""
    house = await small_house(prepare=some_past)
    seq = house.writer.seq
    unknown = await house.get("/api/v1/markets/NOPE/")
    assert (unknown.status, unknown.json) == (404, {"detail": "There is no market 'NOPE'."})
    assert (await house.get("/api/v1/markets/CIBUSDT/nothing/")).status == 404
    wrong = await house.http("POST", "/api/v1/markets/")
    assert (wrong.status, wrong.json) == (405, {"error": "only GET is served here"})
    assert house.writer.seq == seq


async def test_the_candles_of_quotes() -> None:
    """Their own time and prices; before the first message none; a wrong word is said by name."""
    house = await small_house(prepare=define_outside)
    path = "/api/v1/markets/CIBUSDT/candles"
    house.history.quote_bars = [
        PriceBar(START_US - MINUTE_US, 2800, 2850, 2750, 2801, 7),
        PriceBar(START_US, 2801, 2801, 2801, 2801, 1),
    ]
    assert (await house.get(path)).json == []
    quote(house.writer, 2801, 5)
    assert (await house.get(path, interval="1m", limit="2")).json[0] == {
        "time": "2026-09-21T14:12:20.000000Z",
        "open": "28.00000000",
        "high": "28.50000000",
        "low": "27.50000000",
        "close": "28.01000000",
        "messages": 7,
    }
    assert len((await house.get(f"{path}/", limit="1")).json) == 1
    unfit: tuple[dict[str, str], ...] = (
        *({"interval": "7m"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "ten"}),
        {"from": "9" * 30},  # there is no such word: it is said, not passed over
    )
    for more in unfit:
        reply = await house.get(path, **more)
        assert (reply.status, list(reply.json)) == (400, list(more)), reply
    assert (await house.get("/api/v1/markets/ABANUSDT/candles")).status == 404
    assert (await house.get("/api/v1/markets/NOPE/candles")).status == 404


async def test_quotes_and_pools_are_told_once_a_tick() -> None:
    """Many messages within a tick are one text with the newest; an older one is none."""
    house = await small_house(prepare=some_past)
    writer, broadcast = house.writer, house.gateway.broadcast
    async with Socket(house, "/ws/cibusdt@quote/abanusdt@pool/cibusdt@trade") as socket:
        broadcast.tick()
        first = [await socket.next(), await socket.next()]
        assert {each["e"] for each in first} == {"quote", "pool"}
        for ticks in (2801, 2802, 2803):
            quote(writer, ticks, 7)
        quote(writer, 99, 1, START_US - MINUTE_US)
        pooled(writer, ANN, 1_000)
        broadcast.tick()
        told = await socket.next()
        assert (told["s"], told["price"], told["availability"]) == (
            "CIBUSDT",
            "28.03000000",
            "7.00000000",
        )
        told = await socket.next()
        assert (told["s"], told["pools"]["buy"]["notional"]) == ("ABANUSDT", "5.00000000")
        broadcast.tick()
        pooled(writer, ANN, 5_000)  # reaches the minimum: the pool leaves
        broadcast.tick()
        told = await socket.next()
        assert told["pools"]["buy"]["orders"] == 0


async def test_a_market_has_the_streams_of_its_kind_only() -> None:
    """@quote is of dealers, @pool of agencies, the rest of books; the tickers tell books only."""
    house = await small_house(prepare=some_past)
    wrong = ["cibusdt@pool", "abanusdt@quote", "btcusdt@quote", "cibusdt@depth", "abanusdt@trade"]
    async with Socket(house, "/ws/!miniTicker@arr") as socket:
        answer = await socket.ask(method="SUBSCRIBE", params=wrong, id=1)
        assert answer["error"]["msg"] == f"Invalid request: no such stream: {', '.join(wrong)}"
        bounded(house.writer, ANN, 5, 3000)
        quote(house.writer, 2900, 10)  # trades
        await house.place("bob", "SELL", "1", "20000")
        for _ in range(10):
            house.gateway.broadcast.tick()
        assert [each["s"] for each in await socket.next()] == ["BTCUSDT"]


@pytest.fixture
def reads() -> list[tuple[str, dict[str, str]]]:
    """Return the public Binance-style reads that take a symbol."""
    more = {"klines": {"interval": "1m"}, "uiKlines": {"interval": "1m"}}
    names = (
        "exchangeInfo", "depth", "trades", "historicalTrades", "aggTrades", "klines", "uiKlines",
        "avgPrice", "ticker/24hr", "ticker/price", "ticker/bookTicker",
    )  # fmt: skip
    return [(f"/api/v3/{name}", more.get(name, {})) for name in names]


@pytest.mark.parametrize("symbol, kind", [("CIBUSDT", "dealer"), ("ABANUSDT", "agency")])
async def test_binance_routes_are_of_books(
    symbol: str, kind: str, reads: list[tuple[str, dict[str, str]]]
) -> None:
    """Every Binance-style route answers -1121 for another market, and says where that one is."""
    house = await small_house(prepare=some_past)
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "1"}
    replies = [await house.get(path, symbol=symbol, **more) for path, more in reads]
    for method, name, more in (
        ("POST", "order", order),
        ("POST", "order/test", order),
        ("GET", "order", {"orderId": 1}),
        ("DELETE", "order", {"orderId": 1}),
        ("GET", "openOrders", {}),
        ("DELETE", "openOrders", {}),
        ("GET", "allOrders", {}),
        ("GET", "myTrades", {}),
        ("GET", "account/commission", {}),
    ):
        path = f"/api/v3/{name}"
        replies.append(await house.signed("ann", method, path, symbol=symbol, **more))
    text = (
        f"Invalid symbol. {symbol} is of the {kind} kind, without a book: read it at "
        f"/api/v1/markets/{symbol}/ and order at /api/v1/orders/."
    )
    assert len(replies) == 20
    for reply in replies:
        assert (reply.status, reply.json) == (400, {"code": -1121, "msg": text})


async def test_lists_without_a_symbol_are_of_books() -> None:
    """exchangeInfo, tickers and open orders without a symbol leave the other markets out."""
    house = await small_house(prepare=some_past)
    bounded(house.writer, ANN, 5, 3000)
    info = (await house.get("/api/v3/exchangeInfo")).json
    assert [each["symbol"] for each in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    prices = (await house.get("/api/v3/ticker/price")).json
    assert [each["symbol"] for each in prices] == ["BTCUSDT", "ETHUSDT"]
    assert (await house.signed("ann", "GET", "/api/v3/openOrders")).json == []
    listed = await house.signed(
        "ann", "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="BOUNDED", quantity="1"
    )
    assert listed.json == {"code": -1116, "msg": "Invalid orderType."}


async def listen(house: SmallHouse, who: str) -> str:
    made = await house.signed(who, "POST", "/api/v3/userDataStream")
    return str(made.json["listenKey"])


def reports_of(found: list[Any]) -> list[tuple[str, str, str, Any]]:
    return [(each["x"], each["X"], each["z"], each.get("wait")) for each in found]


async def test_the_owner_of_a_bounded_order_hears_why_it_waits() -> None:
    """New, a part, the rest cancelled: reports with both bounds, and a reason while it waits."""
    house = await small_house(prepare=some_past)
    writer = house.writer
    async with Socket(house, f"/ws/{await listen(house, 'ann')}") as socket:
        number = bounded(writer, ANN, 100, 2000, 1500)
        bounded(writer, BOB, 5, 2000)
        quote(writer, 1900, 60)
        command = pack(Command.CANCEL_ORDER, account=ANN, instrument=DESK, order_id=number)
        writer.commit(command)
        texts = [await socket.next() for _ in range(6)]
        found = [each for each in texts if each["e"] == "executionReport"]
        assert reports_of(found) == [
            ("NEW", "NEW", "0.00000000", "NO_QUOTE"),
            ("TRADE", "PARTIALLY_FILLED", "60.00000000", "AVAILABILITY"),
            ("CANCELED", "CANCELED", "60.00000000", None),
        ]
        assert (found[0]["o"], found[0]["p"], found[0]["P"], found[0]["i"]) == (
            "BOUNDED",
            "20.00000000",
            "15.00000000",
            number,
        )
        assert (found[1]["L"], found[1]["l"]) == ("19.00000000", "60.00000000")
        held = [each["B"] for each in texts if each["e"] == "outboundAccountPosition"]
        assert held[-1][0] == {"a": "USDT", "f": "999998849.90000000", "l": "10.10000000"}


async def test_the_owner_of_a_pooled_order_hears_of_its_venue_order() -> None:
    """Pool, venue order pending, sent, unknown, a fill and the refund; others hear nothing."""
    house = await small_house(prepare=define_outside)
    writer = house.writer
    key = await listen(house, "bob")
    async with Socket(house, f"/ws/{await listen(house, 'ann')}") as socket:
        number = pooled(writer, ANN, 6_000)
        pooled(writer, BOB, 5_000)
        writer.commit(pack(Command.VENUE_SENT, venue_order=1))
        writer.commit(pack(Command.VENUE_UNKNOWN, venue_order=1))
        report = {"filled_base": 5_500, "filled_quote": 55 * 10**7, "is_final": 1, "by_query": 1}
        writer.commit(pack(Command.VENUE_REPORT, venue_order=1, **report))
        texts = [await socket.next() for _ in range(9)]
        found = [each for each in texts if each["e"] == "executionReport"]
        assert reports_of(found) == [
            ("NEW", "NEW", "0.00000000", "POOL"),
            ("TRADE", "PARTIALLY_FILLED", "0.30000000", "VENUE"),
            ("EXPIRED", "EXPIRED", "0.30000000", None),
        ]
        assert (found[0]["o"], found[0]["p"]) == ("POOLED", "10.10000000")
        told = [each for each in texts if each["e"] == "venueOrder"]
        assert [each["status"] for each in told] == ["PENDING", "SENT", "UNKNOWN", "CONFIRMED"]
        assert all(each["orders"] == [number] and each["venue_order"] == 1 for each in told)
        assert socket.out.empty()
    assert house.gateway.edge.markets[AGENCY].outside.parts == {}
    async with Socket(house, f"/ws/{key}") as socket:
        number = pooled(writer, ANN, 20_000)
        assert number
        assert socket.out.empty()

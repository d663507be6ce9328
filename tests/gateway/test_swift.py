"""The compiled steps of an order give what the slow ones give, or nothing."""

from __future__ import annotations

import random
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    Command,
    Event,
    InstrumentBody,
    OrderStatus,
    OrderType,
    SelfTrade,
    TimeInForce,
)
from fondaco.gateway.auth import Caller, split_signature
from fondaco.gateway.call import Call, read_parameters
from fondaco.gateway.edge import Market
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import Asset, Instrument, head_of
from fondaco.gateway.orders import new_order
from fondaco.gateway.swift import Form
from fondaco.gateway.trading import Trading
from fondaco_build import edge_source
from tests.gateway.stand_ins import ANN, BOB, small_house


def uncompiled() -> ModuleType:
    """Return the module as Python runs it, whichever build the others use."""
    spec = spec_from_file_location("swift_as_python", edge_source("gateway.swift"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


swift: Final = uncompiled()
NAMES: Final = [name.decode() for name in swift.NAMES]
VALUES: Final = {
    "symbol": ["BTCUSDT"],
    "side": ["BUY", "SELL", "buy"],
    "type": [*(each.name for each in OrderType), "limit"],
    "timeInForce": [*(each.name for each in TimeInForce), "GTX"],
    "newOrderRespType": ["ACK", "RESULT", "FULL", "NONE"],
}
numbers = st.one_of(
    st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,9})?", fullmatch=True),
    st.from_regex(r"[0-9]{15,22}(\.[0-9]{0,22})?", fullmatch=True),
    st.sampled_from(["0", "0.0", "1.", ".5", "1e3", "-1", "+1", "1 ", "00012.50000", "1.1.1"]),
)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,38}", fullmatch=True)


def value_of(name: str) -> st.SearchStrategy[str]:
    if name in VALUES:
        return st.one_of(st.sampled_from(VALUES[name]), texts)
    if name.endswith(("Id", "ClientOrderId")):
        return st.one_of(ids, numbers, texts)
    return st.one_of(numbers, texts)


@st.composite
def forms(draw: st.DrawFn, wanted: list[str]) -> str:
    """Draw a form: mostly what is wanted, now and then something more, twice or oddly spelled."""
    names = [*wanted, *draw(st.lists(st.sampled_from([*NAMES, "stopPrice", ""]), max_size=1))]
    pairs = [(name, draw(value_of(name))) for name in names]
    plain = draw(st.booleans())
    text = "&".join(f"{n}={v}" for n, v in pairs) if plain else urlencode(pairs)
    return f"{text}&signature=ab12"


def instrument() -> Instrument:
    assets = {
        1: Asset(_asset(1, "BTC", 8)),
        2: Asset(_asset(2, "USDT", 6)),
    }
    return Instrument(
        InstrumentBody(
            number=7, symbol="BTCUSDT", base=1, quote=2, tick_size="0.25", lot_size="0.0002",
            base_per_lot=20_000, quote_per_lot_tick=50, maker_fee_ppm=0, taker_fee_ppm=0,
        ),
        assets,
    )  # fmt: skip


def _asset(number: int, code: str, decimals: int) -> Any:
    from fondaco.core.records import AssetBody

    return AssetBody(number=number, code=code, decimals=decimals)


def as_python(instrument: Instrument) -> Any:
    """Return the instrument's Shape as Python runs it."""
    tick, lot, base, quote = instrument.tick, instrument.lot, instrument.base, instrument.quote
    return swift.Shape(
        instrument.symbol.encode(),
        instrument.number,
        (tick.size, tick.decimals, tick.wire_decimals),
        (lot.size, lot.decimals, lot.wire_decimals),
        (base.number, base.code.encode(), base.decimals),
        (quote.number, quote.code.encode(), quote.decimals),
        (head_of(Command.NEW_ORDER), head_of(Command.CANCEL_ORDER)),
    )


INSTRUMENT: Final = instrument()
AS_PYTHON: Final = as_python(INSTRUMENT)
CALLER: Final = Caller(
    account=ANN, key=3, member=1, scopes=3, order_limit_10s=0, order_limit_1d=0,
    weight_limit_1m=0, proof=None,
)  # fmt: skip


@given(forms(["symbol", "side", "type", "timeInForce", "quantity", "price", "newClientOrderId"]))
@example("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=2&signature=ab12")
@example("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.0002&signature=ab12")
def test_a_record_is_the_slow_ones_or_none(text: str) -> None:
    """What the compiled reader makes of a form is byte for byte what the slow one makes."""
    form, again = Form(), swift.Form()
    raw = text.encode()
    is_plain = form.read(raw)
    assert again.read(raw) is is_plain
    if not is_plain:
        return
    assert split_signature(b"", raw) == (form.payload(), form.signature())
    record = INSTRUMENT.shape.new_order(form, CALLER.account, CALLER.key)
    kind = form.reply_kind()
    assert record == AS_PYTHON.new_order(again, CALLER.account, CALLER.key)
    if record is None or kind < 0:
        return
    order = new_order(Call(CALLER, read_parameters(b"", raw)), Market(INSTRUMENT), CALLER)
    assert record == order.record
    assert form.client_id().decode() == (order.client_id or "")
    assert ("ACK", "RESULT", "FULL")[kind] == order.reply_type


def test_plain_forms_are_read() -> None:
    """The shapes that programs send are not left to the slow way: the test above isn't empty."""
    chance = random.Random(5)
    for _ in range(300):
        words: dict[str, object] = {"symbol": "BTCUSDT", "side": chance.choice(["BUY", "SELL"])}
        words["quantity"] = f"{chance.randrange(1, 10**6) * 2 / 10_000:.4f}"
        if chance.random() < 0.3:
            words["type"] = "MARKET"
        else:
            words |= {"type": "LIMIT", "timeInForce": chance.choice(["GTC", "IOC", "FOK"])}
            words["price"] = f"{chance.randrange(1, 10**6) / 4:.2f}"
        if chance.random() < 0.5:
            words["newClientOrderId"] = f"x-{chance.randrange(10**12)}_Z"
        form = Form()
        assert form.read(f"{urlencode(words)}&timestamp=1&recvWindow=5&signature=00".encode())
        assert INSTRUMENT.shape.new_order(form, 1, 1) is not None, words


@given(forms(["symbol", "origClientOrderId"]), st.booleans())
def test_a_cancel_is_the_slow_ones_or_none(text: str, by_number: bool) -> None:
    """As above, for cancels by client order id and by number."""
    if by_number:
        text = text.replace("origClientOrderId", "orderId", 1)
    form, again = Form(), swift.Form()
    raw = text.encode()
    is_plain = form.read(raw)
    assert again.read(raw) is is_plain
    if not is_plain:
        return
    record = INSTRUMENT.shape.cancel_order(form, CALLER.account, CALLER.key)
    assert record == AS_PYTHON.cancel_order(again, CALLER.account, CALLER.key)
    if record is None:
        return
    trading = Trading(Known(), None)  # type: ignore[arg-type]
    try:
        wish = trading.cancel(Call(CALLER, read_parameters(b"", raw)))
    except Fault as fault:
        raise AssertionError(f"{text}: {fault.text}") from fault
    assert wish.records == (record,)


class Known:
    """An Edge that knows one market."""

    def market_of(self, symbol: str) -> Market:
        return Market(INSTRUMENT)


@given(st.integers(0, 10**13), st.integers(0, 10**5), st.integers(0, 10**16))
def test_a_window_is_the_slow_ones(stamp: int, window: int, now_us: int) -> None:
    """A timestamp is fresh for the compiled reader exactly when it is for the slow one."""
    from fondaco.gateway.auth import check_window

    form = Form()
    assert form.read(f"timestamp={stamp}&recvWindow={window}&signature=1".encode())
    try:
        check_window(str(stamp), str(window), now_us)
    except Fault:
        assert not form.is_fresh(now_us)
    else:
        assert form.is_fresh(now_us) or stamp >= 10**13 or window >= 10**5


async def test_every_answer_is_the_slow_ones() -> None:
    """Over a seeded flow of all types, answers to orders and cancels are the same bytes."""
    house = await small_house()
    writer, trading = house.writer, house.gateway.lane._trading
    shape = house.gateway.edge.market_of("BTCUSDT").instrument.shape
    plain = as_python(house.gateway.edge.market_of("BTCUSDT").instrument)
    chance = random.Random(11)
    ids: list[str] = []
    seen: set[str] = set()
    for step in range(1500):
        who = chance.choice([ANN, BOB])
        caller = CALLER._replace(account=who, key=0)
        if ids and chance.random() < 0.3:
            words = {"symbol": "BTCUSDT", "origClientOrderId": chance.choice(ids)}
            wish = trading.cancel(Call(caller, words))
            events = writer.commit(wish.records[0])
            swiftly = shape.cancel_reply(events)
            assert plain.cancel_reply(events) == swiftly
        else:
            words = order_words(chance, step)
            call = Call(caller, words)
            market = house.gateway.edge.market_of("BTCUSDT")
            order = new_order(call, market, caller)
            wish = trading.place(call)
            events = writer.commit(order.record)
            kind = ("ACK", "RESULT", "FULL").index(order.reply_type)
            name = (order.client_id or "").encode()
            swiftly = shape.new_order_reply(events, name, kind)
            assert plain.new_order_reply(events, name, kind) == swiftly
            ids += [order.client_id] if order.client_id else []
        if swiftly is None and "stopPrice" in words:
            seen.add("a stop, left to the slow way")
            continue
        if swiftly is None:
            with pytest.raises(Fault):
                wish.reply(events)
            seen.add("refused")
            continue
        assert swiftly == wish.reply(events)
        seen |= {word for word in SEEN if word.encode() in swiftly}
    assert seen == {*SEEN, "refused", "a stop, left to the slow way"}


SEEN: Final = (
    "NEW", "FILLED", "PARTIALLY_FILLED", "CANCELED", "EXPIRED", "MARKET", "LIMIT_MAKER",
    "EXPIRE_TAKER", "tradeId", '"clientOrderId":"F', '"type":"STOP_LOSS",', "TAKE_PROFIT_LIMIT",
    '"stopPrice":"',
)  # fmt: skip


def order_words(chance: random.Random, step: int) -> dict[str, str]:
    stops = ["STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
    kind = chance.choice(["LIMIT"] * 9 + ["MARKET"] * 3 + ["LIMIT_MAKER"] * 3 + stops)
    words = {
        "symbol": "BTCUSDT",
        "side": chance.choice(["BUY", "SELL"]),
        "type": kind,
        "quantity": f"{chance.randrange(1, 5000) / 1000:.3f}",
    }
    if kind in stops:
        words["stopPrice"] = f"{20_000 + chance.randrange(-9, 9)}"
    if kind not in {"MARKET", "STOP_LOSS", "TAKE_PROFIT"}:
        words["price"] = f"{20_000 + chance.randrange(-500, 500) / 100:.2f}"
    if kind == "LIMIT" or kind.endswith("_LIMIT"):
        words["timeInForce"] = chance.choice(["GTC", "GTC", "IOC", "FOK"])
    if kind == "LIMIT" and chance.random() < 0.2:
        words["selfTradePreventionMode"] = "EXPIRE_TAKER"
    if chance.random() < 0.7:
        words["newClientOrderId"] = f"own-{step}_{'x' * chance.randrange(20)}"
    if chance.random() < 0.4:
        words["newOrderRespType"] = chance.choice(["ACK", "RESULT", "FULL"])
    return words


def test_the_spellings_are_the_cores() -> None:
    """Kinds, statuses, types and preventions stand at the numbers that the core gives them."""
    texts = {
        swift.STATUSES: OrderStatus,
        swift.TIMES: TimeInForce,
        swift.PREVENTIONS: SelfTrade,
    }
    for found, numbers_of in texts.items():
        assert list(found[1:]) == [each.name.encode() for each in numbers_of]
    assert [each.decode() for each in swift.TYPES[1:]] == [each.name for each in OrderType][:3]
    assert [each.decode() for each in swift.TYPE_NAMES[1:]] == [each.name for each in OrderType][:7]
    assert HEAD_WORDS + len(LAYOUTS[Event.ORDER]) == swift.ORDER_WORDS
    assert (swift.ORDER_KIND, swift.FILL_KIND, swift.CANCEL_KIND) == (
        Event.ORDER,
        Event.FILL,
        Event.CANCEL,
    )

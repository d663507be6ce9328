"""Orders in the wire's words: from parameters to a command's record, from states to JSON.

Promises: what can be seen to be wrong without the core is refused here with the code and the text
that clients act on; nothing is rounded. JSON is written by hand where an order's way is hot: every
text in it is ASCII without quotes by construction (symbols, client order ids, enumerations).
"""

from __future__ import annotations

import re
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Final, NamedTuple

from fondaco.core.client_ids import LENGTH_MAX
from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    VERSION,
    Command,
    Event,
    Execution,
    OrderStatus,
    OrderType,
    SelfTrade,
    TimeInForce,
)
from fondaco.gateway import faults
from fondaco.gateway.auth import Caller
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Market
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.numbers import Finer, split_number
from fondaco.gateway.overlay import ORDER_WORDS, OrderState
from fondaco.projections.selectors import OrderRow

__all__ = [
    "EXECUTIONS",
    "NewOrder",
    "cancel_record",
    "cancel_reply",
    "client_id_text",
    "new_order",
    "new_order_reply",
    "order_json",
    "refusal_in",
]

_NEW: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Command.NEW_ORDER])}q")
_NEW_HEAD: Final = Command.NEW_ORDER | VERSION << 16 | _NEW.size << 32
_CANCEL: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Command.CANCEL_ORDER])}q")
_CANCEL_HEAD: Final = Command.CANCEL_ORDER | VERSION << 16 | _CANCEL.size << 32
_REFUSED: Final = struct.Struct("<q4q2q")
_WORD: Final = struct.Struct("<q")
_ID_WORDS: Final = struct.Struct("<4q")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_FROM_BASE64: Final = bytes.maketrans(b"+/", b"-_")
NO_ID: Final = (0, 0, 0, 0)
ORDER_KIND: Final = int(Event.ORDER)
FILL_KIND: Final = int(Event.FILL)
CANCEL_KIND: Final = int(Event.CANCEL)
OWN_KINDS: Final = frozenset({ORDER_KIND, FILL_KIND, CANCEL_KIND})
REFUSED_KIND: Final = int(Event.REFUSED)
MARKET: Final = int(OrderType.MARKET)
QUOTE_UNITS_MAX: Final = (1 << 62) - 1

SIDES: Final = {"BUY": 1, "SELL": 2}
SIDE_TEXTS: Final = ("", "BUY", "SELL")
TYPES: Final = {each.name: int(each) for each in OrderType if each < OrderType.BOUNDED}
TYPE_TEXTS: Final = ("", *(each.name for each in OrderType))
UNPRICED: Final = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})
STOPS: Final = frozenset(TYPES[name] for name in TYPES if name.startswith(("STOP", "TAKE")))
TIMES: Final = {each.name: int(each) for each in TimeInForce}
TIME_TEXTS: Final = ("GTC", "GTC", "IOC", "FOK")  # a MARKET order has none: clients read GTC
PREVENTIONS: Final = {each.name: int(each) for each in SelfTrade}
PREVENTION_TEXTS: Final = ("NONE", *(each.name for each in SelfTrade))
STATUSES: Final = ("", *(each.name for each in OrderStatus))
EXECUTIONS: Final = {int(each): each.name for each in Execution}
EXECUTIONS[Execution.REDUCED] = "REPLACED"  # clients know no other word for it
EXECUTIONS[Execution.TRIGGERED] = "NEW"  # and see by w and W that the order works now
_OWN_ID: Final = re.compile(r"F([1-9][0-9]{0,18})\Z")
# What Binance has and this house has not; a strategy's mark would have to be told back for good.
UNSERVED: Final = frozenset(
    {"icebergQty", "trailingDelta", "pegPriceType", "strategyId", "strategyType"}
)


class NewOrder(NamedTuple):
    """A NEW_ORDER record without its account, and what its reply needs."""

    record: bytes
    client_id: str | None
    reply_type: str  # ACK, RESULT or FULL


def new_order(call: Call, market: Market, caller: Caller) -> NewOrder:
    """Read the parameters of an order. Raises Fault."""
    get = call.parameters.get
    instrument = market.instrument
    side = SIDES.get(get("side") or "", 0)
    if not side:
        raise enumerated(call, "side", faults.INVALID_SIDE)
    order_type = TYPES.get(get("type") or "", 0)
    if not order_type:
        raise enumerated(call, "type", faults.INVALID_TYPE)
    if not UNSERVED.isdisjoint(call.parameters):
        raise faults.not_served(min(UNSERVED & call.parameters.keys()))
    price = quantity = quote = time_in_force = stop_price = 0
    if order_type == MARKET:
        quantity, quote = _market_size(call, instrument)
    else:
        quantity = lots_of(call, instrument)
        if get("quoteOrderQty"):
            raise faults.not_required("quoteOrderQty")
    if order_type in UNPRICED:
        for name in ("price", "timeInForce"):
            if get(name):
                raise faults.not_required(name)
    else:
        price = ticks_of(call, instrument)
        time_in_force = time_in_force_of(call, order_type)
    if order_type in STOPS:
        stop_price = ticks_of(call, instrument, "stopPrice")
    elif get("stopPrice"):
        raise faults.not_required("stopPrice")
    prevention = PREVENTIONS.get(get("selfTradePreventionMode") or "NONE", 0)
    if not prevention:
        raise Fault(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    client_id = call.client_id("newClientOrderId")
    words = NO_ID if client_id is None else id_words(client_id)
    record = _NEW.pack(
        _NEW_HEAD,
        0,
        0,
        caller.account,
        caller.key,
        instrument.number,
        side,
        order_type,
        time_in_force,
        prevention,
        price,
        quantity,
        quote,
        stop_price,
        *words,
    )
    return NewOrder(record, client_id, _reply_type(get("newOrderRespType"), order_type))


def id_words(client_id: str) -> tuple[int, ...]:
    """Return core.client_ids.encode() of an id that was checked already, in half the time."""
    packed = a2b_base64(client_id.translate(_URL_SAFE).ljust(LENGTH_MAX, "A"))
    return _ID_WORDS.unpack(b"%b\0\0\0\0%c" % (packed, len(client_id)))


def enumerated(call: Call, name: str, invalid: tuple[int, str]) -> Fault:
    """Return the refusal of a word that is missing, or none of a few."""
    return Fault(*invalid) if call.get(name) else faults.mandatory(name)


def time_in_force_of(call: Call, order_type: int, name: str = "timeInForce") -> int:
    """Return the time in force of an order with a price. Raises Fault."""
    text = call.get(name)
    if order_type == OrderType.LIMIT_MAKER:
        if text not in (None, "GTC"):
            raise faults.not_required(name)
        return TimeInForce.GTC.value
    found = TIMES.get(text or "", 0)
    if not found:
        raise enumerated(call, name, faults.INVALID_TIME_IN_FORCE)
    return found


def _reply_type(text: str | None, order_type: int) -> str:
    usual = "ACK" if order_type not in {OrderType.LIMIT, OrderType.MARKET} else "FULL"
    return reply_type_of(text, usual)


def reply_type_of(text: str | None, usual: str) -> str:
    """Return ACK, RESULT or FULL, as asked or as usual. Raises Fault."""
    if text is None or text == "":
        return usual
    if text not in {"ACK", "RESULT", "FULL"}:
        raise Fault(*faults.INVALID_REPLY_TYPE)
    return text


def _market_size(call: Call, instrument: Instrument) -> tuple[int, int]:
    quote_text = call.get("quoteOrderQty")
    if quote_text is None:
        return lots_of(call, instrument), 0
    if call.get("quantity"):
        raise Fault(*faults.COMBINATION)
    return 0, _quote_units(quote_text, instrument)


def _quote_units(text: str, instrument: Instrument) -> int:
    parts = split_number(text)
    if parts is None:
        raise faults.bad_characters("quoteOrderQty")
    whole, fraction = parts
    decimals = instrument.quote.decimals
    if len(fraction) > decimals:
        raise faults.too_precise("quoteOrderQty")
    units = int(f"{whole}{fraction.ljust(decimals, '0')}")
    if units == 0:
        raise Fault(*faults.NOTIONAL)
    return min(units, QUOTE_UNITS_MAX)


def ticks_of(call: Call, instrument: Instrument, name: str = "price") -> int:
    """Return a price in ticks, above 0. Raises Fault."""
    text = call.need(name)
    try:
        ticks = instrument.tick.count(text)
    except ValueError:
        raise faults.bad_characters(name) from None
    except Finer as finer:
        raise (faults.too_precise(name) if finer.places else Fault(*faults.PRICE_FILTER)) from None
    if ticks == 0:
        raise Fault(*faults.PRICE_FILTER)
    return ticks


def lots_of(call: Call, instrument: Instrument, name: str = "quantity") -> int:
    """Return a quantity in lots, above 0. Raises Fault."""
    text = call.need(name)
    try:
        lots = instrument.lot.count(text)
    except ValueError:
        raise faults.bad_characters(name) from None
    except Finer as finer:
        raise (faults.too_precise(name) if finer.places else Fault(*faults.LOT_SIZE)) from None
    if lots == 0:
        raise Fault(*faults.LOT_SIZE)
    return lots


def own_id(text: str) -> int:
    """Return the order that a default client order id names, 0 if it is not of that form."""
    found = _OWN_ID.match(text)
    return int(found.group(1)) if found else 0


def cancel_record(
    caller: Caller,
    instrument: int,
    *,
    order_id: int,
    words: Sequence[int],
    cancel_words: Sequence[int],
) -> bytes:
    return _CANCEL.pack(
        _CANCEL_HEAD, 0, 0, caller.account, caller.key, instrument, order_id, *words, *cancel_words
    )


# ---- what came of it


def refusal_in(events: bytes) -> tuple[int, int] | None:
    """Return (reason, command) if the events are a refusal."""
    if events[0] | events[1] << 8 != REFUSED_KIND:
        return None
    _, _, _, _, _, command, reason = _REFUSED.unpack_from(events)
    return reason, command


def client_id_text(words: Sequence[int], order_id: int) -> str:
    """Return the client order id, the default one where the order has none."""
    if not any(words):
        return f"F{order_id}"
    packed = _ID_WORDS.pack(*words)  # core.client_ids.decode(), without its check of our own words
    return b2a_base64(packed[:27], newline=False)[: packed[31]].translate(_FROM_BASE64).decode()


def new_order_reply(events: bytes, instrument: Instrument, order: NewOrder) -> bytes:
    """Return the JSON of a new order from its own events. Raises Fault where it was refused."""
    refusal = refusal_in(events)
    if refusal is not None:
        raise faults.of_reason(*refusal)
    words = memoryview(events).cast("q").tolist()
    account, order_id = words[3], words[6]
    wants_fills = order.reply_type == "FULL"
    fills = []
    at = last = 0
    end = len(words)
    while at < end:
        head = words[at]
        kind = head & 0xFFFF
        if kind in OWN_KINDS and words[at + 6] == order_id and words[at + 3] == account:
            last = at
            if kind == FILL_KIND and wants_fills:
                fills.append(_fill_json(words[at + ORDER_WORDS : at + ORDER_WORDS + 6], instrument))
        at += head >> 35
    state = OrderState._make(words[last : last + ORDER_WORDS])
    client_id = order.client_id or f"F{order_id}"
    made_ms = state.time_us // 1000
    text = (
        f'{{"symbol":"{instrument.symbol}","orderId":{order_id},"orderListId":-1,'
        f'"clientOrderId":"{client_id}","transactTime":{made_ms}'
    )
    if order.reply_type == "ACK":
        return f"{text}}}".encode()
    working = f'"workingTime":{working_ms(state)},{_prevention(state)}'
    text = f"{text},{_result(state, instrument)},{working}"
    if wants_fills:
        text = f'{text},"fills":[{",".join(fills)}]'
    return f"{text}}}".encode()


def _fill_json(words: list[int], instrument: Instrument) -> str:
    price, lots, _, fee, fee_asset, trade_id = words
    asset = instrument.base if fee_asset == instrument.base.number else instrument.quote
    return (
        f'{{"price":"{instrument.tick.text(price)}","qty":"{instrument.lot.text(lots)}",'
        f'"commission":"{asset.text(fee)}","commissionAsset":"{asset.code}",'
        f'"tradeId":{trade_id}}}'
    )


def _result(order: OrderState | OrderRow, instrument: Instrument) -> str:
    """Return the fields that every answer about an order shares."""
    lots = instrument.lot.text
    quote = instrument.quote.text
    stop = ""
    if order.stop_price_ticks:
        stop = f',"stopPrice":"{instrument.tick.text(order.stop_price_ticks)}"'
    return (
        f'"price":"{instrument.tick.text(order.price_ticks)}",'
        f'"origQty":"{lots(order.quantity_lots or order.filled_lots)}",'
        f'"executedQty":"{lots(order.filled_lots)}",'
        f'"origQuoteOrderQty":"{quote(order.quote_quantity)}",'
        f'"cummulativeQuoteQty":"{quote(order.filled_quote)}",'
        f'"status":"{STATUSES[order.status]}",'
        f'"timeInForce":"{TIME_TEXTS[order.time_in_force]}",'
        f'"type":"{TYPE_TEXTS[order.order_type]}","side":"{SIDE_TEXTS[order.side]}"{stop}'
    )


def _prevention(order: OrderState | OrderRow) -> str:
    return f'"selfTradePreventionMode":"{PREVENTION_TEXTS[order.self_trade]}"'


def words_of(order: OrderState | OrderRow) -> tuple[int, int, int, int]:
    return (
        order.client_order_id_0,
        order.client_order_id_1,
        order.client_order_id_2,
        order.client_order_id_3,
    )


def working_ms(order: OrderState | OrderRow) -> int:
    """Return since when an order works, in milliseconds; -1 for a stop that wasn't triggered."""
    return order.working_us // 1000 if order.working_us else -1


def list_number(order: OrderState | OrderRow) -> int:
    """Return the list that an order is in as clients read it: -1 for none."""
    return order.list_id or -1


def state_json(state: OrderState, instrument: Instrument, reply_type: str) -> str:
    """Return the JSON of an order that came in as one of several: ACK, or what is known of it."""
    text = (
        f'{{"symbol":"{instrument.symbol}","orderId":{state.order_id},'
        f'"orderListId":{list_number(state)},'
        f'"clientOrderId":"{client_id_text(words_of(state), state.order_id)}",'
        f'"transactTime":{state.time_us // 1000}'
    )
    if reply_type == "ACK":
        return f"{text}}}"
    working = f'"workingTime":{working_ms(state)},{_prevention(state)}'
    return f"{text},{_result(state, instrument)},{working}}}"


def order_json(order: OrderRow, instrument: Instrument) -> str:
    """Return the JSON of an order as queries answer it."""
    none = "" if order.stop_price_ticks else '"stopPrice":"0.00000000",'
    is_open = order.status in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}
    is_working = is_open and order.working_us != 0
    created_ms = order.created_us // 1000
    return (
        f'{{"symbol":"{instrument.symbol}","orderId":{order.order_id},'
        f'"orderListId":{list_number(order)},'
        f'"clientOrderId":"{client_id_text(words_of(order), order.order_id)}",'
        f"{_result(order, instrument)},"
        f'{none}"icebergQty":"0.00000000","time":{created_ms},'
        f'"updateTime":{order.updated_us // 1000},'
        f'"isWorking":{"true" if is_working else "false"},"workingTime":{working_ms(order)},'
        f"{_prevention(order)}}}"
    )


def cancel_reply(events: bytes, offset: int, instrument: Instrument, cancel_id: str | None) -> str:
    """Return the JSON of a CANCEL event."""
    state = OrderState.at(events, offset)
    return (
        f'{{"symbol":"{instrument.symbol}",'
        f'"origClientOrderId":"{client_id_text(words_of(state), state.order_id)}",'
        f'"orderId":{state.order_id},"orderListId":{list_number(state)},'
        f'"clientOrderId":"{cancel_id or f"C{state.seq}"}",'
        f'"transactTime":{state.time_us // 1000},{_result(state, instrument)},'
        f"{_prevention(state)}}}"
    )


def offsets_of(events: bytes, wanted: int, *, start: int = 0) -> list[int]:
    """Return the offsets of the records of one kind, from a record on."""
    found = []
    offset = start
    while offset < len(events):
        (head,) = _WORD.unpack_from(events, offset)
        if head & 0xFFFF == wanted:
            found.append(offset)
        offset += head >> 32
    return found

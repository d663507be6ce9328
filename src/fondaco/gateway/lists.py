"""Order lists (OCO): place in both of Binance's spellings, cancel, one, open, all.

Promises: as trading.py: answered after the sync from the list's own events; what is open is the
core's answer of now, what is history is SQL's with the overlay's newer states over it. The legs
above and below are the core's profit and stop legs, by the side. It keeps no state.
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

from fondaco.core.records import HEAD_WORDS, LAYOUTS, Command, Query, pack
from fondaco.gateway import faults
from fondaco.gateway.auth import Caller
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Edge
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.list_answers import (
    LIST_EVENT,
    cancelled_json,
    id_of,
    list_json,
    list_words,
    new_list_json,
)
from fondaco.gateway.orders import (
    NO_ID,
    PREVENTIONS,
    SIDES,
    STOPS,
    TYPES,
    UNPRICED,
    enumerated,
    id_words,
    lots_of,
    offsets_of,
    refusal_in,
    reply_type_of,
    ticks_of,
    time_in_force_of,
)
from fondaco.gateway.overlay import list_row
from fondaco.gateway.trading import LIMIT_DEFAULT, LIMIT_MAX, Trading, time_range
from fondaco.projections import selectors
from fondaco.projections.selectors import ListRow

__all__ = ["OrderLists"]

_NEW: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Command.NEW_LIST])}q")
_OWN_ID: Final = re.compile(r"L([1-9][0-9]{0,18})\Z")
# Of what Binance has for a leg and this house has not, by its prefix.
UNSERVED: Final = ("IcebergQty", "TrailingDelta", "PegPriceType", "StrategyId", "StrategyType")
LIMIT_MAKER: Final = TYPES["LIMIT_MAKER"]
STOP_LOSSES: Final = frozenset({TYPES["STOP_LOSS"], TYPES["STOP_LOSS_LIMIT"]})
TAKE_PROFITS: Final = frozenset({TYPES["TAKE_PROFIT"], TYPES["TAKE_PROFIT_LIMIT"]})


class Leg(NamedTuple):
    """A leg in the core's words."""

    order_type: int
    time_in_force: int
    price: int
    trigger: int
    words: tuple[int, ...]  # of its client order id


def leg_of(call: Call, instrument: Instrument, side: str) -> Leg:
    """Read the leg `above` or `below`. Raises Fault."""
    name = f"{side}Type"
    order_type = TYPES.get(call.get(name) or "", 0)
    if not order_type:
        raise enumerated(call, name, faults.INVALID_TYPE)
    check_served(call, side)
    price = trigger = time_in_force = 0
    if order_type in UNPRICED:
        for word in ("Price", "TimeInForce"):
            if call.get(f"{side}{word}"):
                raise faults.not_required(f"{side}{word}")
    else:
        price = ticks_of(call, instrument, f"{side}Price")
        time_in_force = time_in_force_of(call, order_type, f"{side}TimeInForce")
    if order_type in STOPS:
        trigger = ticks_of(call, instrument, f"{side}StopPrice")
    elif call.get(f"{side}StopPrice"):
        raise faults.not_required(f"{side}StopPrice")
    words = words_in(call, f"{side}ClientOrderId")
    return Leg(order_type, time_in_force, price, trigger, words)


def older_legs(call: Call, instrument: Instrument) -> tuple[Leg, Leg]:
    """Read the stop and the LIMIT_MAKER of the older spelling. Raises Fault."""
    price = ticks_of(call, instrument)
    trigger = ticks_of(call, instrument, "stopPrice")
    limit = time_in_force = 0
    kind = TYPES["STOP_LOSS"]
    if call.get("stopLimitPrice"):
        kind = TYPES["STOP_LOSS_LIMIT"]
        limit = ticks_of(call, instrument, "stopLimitPrice")
        time_in_force = time_in_force_of(call, kind, "stopLimitTimeInForce")
    elif call.get("stopLimitTimeInForce"):
        raise faults.not_required("stopLimitTimeInForce")
    check_served(call, "limit", "stop")
    stop = Leg(kind, time_in_force, limit, trigger, words_in(call, "stopClientOrderId"))
    words = words_in(call, "limitClientOrderId")
    return stop, Leg(TYPES["LIMIT_MAKER"], 1, price, 0, words)


def check_served(call: Call, *prefixes: str) -> None:
    """Raise Fault if a list asks for what this house has not."""
    names = [f"{prefix}{word}" for prefix in prefixes for word in UNSERVED]
    for name in (*names, "trailingDelta"):
        if call.get(name):
            raise faults.not_served(name)


def check_places(side: int, above: int, below: int) -> None:
    """Raise Fault, as Binance names it, if legs of these types don't make an OCO."""
    for kind in (above, below):
        if kind != LIMIT_MAKER and kind not in STOP_LOSSES and kind not in TAKE_PROFITS:
            raise Fault(-1158, "Order type not supported in OCO.")
    if above == below == LIMIT_MAKER:
        raise Fault(-1168, "At least one OCO order must be contingent.")
    is_sell = side == SIDES["SELL"]
    profit, stop = (above, below) if is_sell else (below, above)
    words = ("sell", "above", "below") if is_sell else ("buy", "below", "above")
    name, for_profit, for_stop = words
    if stop == LIMIT_MAKER:
        raise Fault(
            -1166 if is_sell else -1165, f"A limit order in a {name} OCO must be {for_profit}."
        )
    if profit in STOP_LOSSES:
        code = -1197 if is_sell else -1196
        raise Fault(code, f"A stop loss order in a {name} OCO must be {for_stop}.")
    if stop in TAKE_PROFITS:
        code = -1199 if is_sell else -1198
        raise Fault(code, f"A take profit order in a {name} OCO must be {for_profit}.")


def words_in(call: Call, name: str) -> tuple[int, ...]:
    """Return the words of a client id, all 0 if there is none. Raises Fault."""
    text = call.client_id(name)
    return NO_ID if text is None else id_words(text)


def own_number(text: str) -> int:
    """Return the list that the id which we show for a list without one names, or 0."""
    found = _OWN_ID.match(text)
    return int(found.group(1)) if found else 0


class OrderLists:
    def __init__(self, edge: Edge, trading: Trading) -> None:
        self._edge = edge
        self._trading = trading

    # ---- writing

    async def new_oco(self, call: Call) -> bytes:
        """Place a list by its legs above and below."""
        instrument = self._edge.market_of(call.need("symbol")).instrument
        side = side_of(call)
        above, below = (leg_of(call, instrument, where) for where in ("above", "below"))
        check_places(side, above.order_type, below.order_type)
        legs = (below, above) if side == SIDES["SELL"] else (above, below)
        return await self._place(call, instrument, side, legs)

    async def new_oco_by_prices(self, call: Call) -> bytes:
        """Place a list in the older spelling."""
        instrument = self._edge.market_of(call.need("symbol")).instrument
        side = side_of(call)
        return await self._place(call, instrument, side, older_legs(call, instrument))

    async def _place(
        self, call: Call, instrument: Instrument, side: int, legs: tuple[Leg, Leg]
    ) -> bytes:
        caller = call.who
        prevention = PREVENTIONS.get(call.get("selfTradePreventionMode") or "NONE", 0)
        if not prevention:
            raise Fault(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
        reply_type = reply_type_of(call.get("newOrderRespType"), "RESULT")
        record = _NEW.pack(
            Command.NEW_LIST | 1 << 16 | _NEW.size << 32,
            *(0, 0, caller.account, caller.key, instrument.number, side, prevention),
            lots_of(call, instrument),
            *(word for leg in legs for word in (*leg[:4], *leg.words)),
            *words_in(call, "listClientOrderId"),
        )
        for _ in legs:
            self._trading.count(caller)
        return new_list_json(await self._edge.submit(record), instrument, reply_type)

    async def cancel(self, call: Call) -> bytes:
        caller = call.who
        instrument = self._edge.market_of(call.need("symbol")).instrument
        cancel_id = call.client_id("newClientOrderId")
        number, text = which_list(call, "listClientOrderId")
        targets = [(number, id_words(text) if text else NO_ID)]
        shown = own_number(text)  # the list that it is if that has no id
        if shown and number in {0, shown}:
            targets.append((shown, NO_ID))
        for list_id, words in targets:
            events = await self._edge.submit(
                cancel_list(caller, instrument, list_id, words, words_in(call, "newClientOrderId"))
            )
            if refusal_in(events) is None:
                break
        refusal = refusal_in(events)
        if refusal is not None:
            raise faults.of_reason(*refusal)
        return cancelled_json(events, instrument, cancel_id)[0].encode()

    # ---- reading

    async def one(self, call: Call) -> bytes:
        account = call.who.account
        number, text = which_list(call, "origClientOrderId")
        row = await self._find(account, number, text)
        if row is None and not number and own_number(text):
            row = await self._find(account, own_number(text), "")
        if row is None or text not in {"", id_of(row)}:
            raise Fault(*faults.NO_SUCH_LIST)
        return self._json(row).encode()

    async def _find(self, account: int, number: int, text: str) -> ListRow | None:
        """Return a list's newest state: among the open ones, in memory, in SQL.

        It is looked for by its number where there is one, else by its client id.
        """
        words = id_words(text) if text and not number else NO_ID
        named = {f"list_client_id_{place}": word for place, word in enumerate(words)}
        question = pack(Query.LISTS, account=account, list_id=number, **named)
        records = (await self._edge.query(question)).records
        for offset in offsets_of(records, LIST_EVENT):
            return list_row(records, offset)
        newer = self._edge.overlay.lists(account).values()
        matching = [
            row for row in newer if (row.list_id == number if number else list_words(row) == words)
        ]
        if matching:
            return matching[-1]
        if not number:
            return await self._edge.read(selectors.list_by_client_id, account, words)
        rows = await self._edge.read(selectors.lists, account, from_id=number, limit=1)
        return rows[0] if rows and rows[0].list_id == number else None

    async def open(self, call: Call) -> bytes:
        records = (await self._edge.query(pack(Query.LISTS, account=call.who.account))).records
        found = [self._json(list_row(records, at)) for at in offsets_of(records, LIST_EVENT)]
        return f"[{','.join(found)}]".encode()

    async def all(self, call: Call) -> bytes:
        account = call.who.account
        limit = call.limit(default=LIMIT_DEFAULT, most=LIMIT_MAX)
        from_id = call.integer("fromId")
        start_us, end_us = time_range(call)
        if from_id is not None and (start_us is not None or end_us is not None):
            raise Fault(*faults.COMBINATION)
        await self._edge.catch_up()
        newer = self._edge.overlay.lists(account)
        rows = await self._edge.read(
            selectors.lists, account, from_id=from_id, start_us=start_us, end_us=end_us, limit=limit
        )
        merged = {row.list_id: row for row in rows}
        for number, row in newer.items():
            if number not in merged or merged[number].updated_seq <= row.updated_seq:
                merged[number] = row
        kept = [
            row
            for _, row in sorted(merged.items())
            if (from_id is None or row.list_id >= from_id)
            and (start_us is None or row.created_us >= start_us)
            and (end_us is None or row.created_us < end_us)
        ]
        newest = from_id is None and start_us is None
        kept = kept[-limit:] if newest else kept[:limit]
        return f"[{','.join(map(self._json, kept))}]".encode()

    def _json(self, row: ListRow) -> str:
        instrument = self._edge.catalogue.instruments[row.instrument]
        return list_json(row, instrument, at_us=row.created_us)


def side_of(call: Call) -> int:
    """Return the side of a list. Raises Fault."""
    side = SIDES.get(call.get("side") or "", 0)
    if not side:
        raise enumerated(call, "side", faults.INVALID_SIDE)
    return side


def which_list(call: Call, name: str) -> tuple[int, str]:
    """Return number and client id of the list that a request names: 0 or "" for none.

    Where it gives both, the list must have both. Raises Fault.
    """
    number = call.integer("orderListId", least=1)
    text = call.client_id(name)
    if number is None and text is None:
        raise Fault(
            -1102, f"Param '{name}' or 'orderListId' must be sent, but both were empty/null!"
        )
    return number or 0, text or ""


def cancel_list(
    caller: Caller,
    instrument: Instrument,
    list_id: int,
    words: tuple[int, ...],
    cancel_words: tuple[int, ...],
) -> bytes:
    """Return the record of a CANCEL_LIST."""
    ids = {f"list_client_id_{place}": word for place, word in enumerate(words)}
    ids |= {f"cancel_id_{place}": word for place, word in enumerate(cancel_words)}
    head = {"account": caller.account, "key": caller.key, "instrument": instrument.number}
    return pack(Command.CANCEL_LIST, **head, list_id=list_id, **ids)

"""Orders by their owner: new, test, cancel, one, open, all, fills.

Promises: an order is answered after its sync, from its own events; what is open is the core's
answer of now, what is history is SQL's with the overlay's newer states laid over it, so a read
after an acknowledged write always sees it. It keeps no state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from fondaco.core.records import (
    Command,
    Event,
    InstrumentStatus,
    Query,
    pack,
    unpack,
)
from fondaco.gateway import faults
from fondaco.gateway.auth import Caller
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Edge
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.limits import Limits
from fondaco.gateway.list_answers import cancelled_json
from fondaco.gateway.orders import (
    NO_ID,
    NewOrder,
    cancel_record,
    client_id_text,
    id_words,
    new_order,
    new_order_reply,
    offsets_of,
    order_json,
    own_id,
    refusal_in,
    words_of,
)
from fondaco.gateway.overlay import OrderState
from fondaco.projections import selectors
from fondaco.projections.selectors import FillRow, OrderRow

__all__ = ["Trading", "Wish", "holder_of"]

LIMIT_DEFAULT: Final = 500
LIMIT_MAX: Final = 1000
ORDER_EVENT: Final = int(Event.ORDER)


class Wish(NamedTuple):
    """What a request asks of the core: commands, the next one if all before it were refused."""

    records: tuple[bytes, ...]
    reply: Callable[[bytes], bytes | None]  # its events -> JSON; None or a Fault: refused


def holder_of(caller: Caller) -> int:
    """Return by whom orders and weight are counted: the key, or a signed-in person's account."""
    return caller.key or -caller.account


class Trading:
    def __init__(self, edge: Edge, limits: Limits) -> None:
        self._edge = edge
        self._limits = limits

    # ---- writing

    async def new_order(self, call: Call) -> bytes:
        return await self.carry_out(self.place(call))

    async def cancel_order(self, call: Call) -> bytes:
        return await self.carry_out(self.cancel(call))

    async def carry_out(self, wish: Wish) -> bytes:
        """Return the JSON of what a wish came to. Raises Fault where it was refused."""
        for record in wish.records:
            events = await self._edge.submit(record)
            if refusal_in(events) is None:
                break
        content = wish.reply(events)
        assert content is not None, "the slow way raises what is refused"
        return content

    def place(self, call: Call) -> Wish:
        """Return what a new order asks of the core; it is counted. Raises Fault."""
        caller = call.who
        market = self._edge.market_of(call.parameters.get("symbol") or _no_symbol())
        order = new_order(call, market, caller)
        self.count(caller)
        return Wish(
            (order.record,), lambda events: new_order_reply(events, market.instrument, order)
        )

    def cancel(self, call: Call) -> Wish:
        """Return what a cancel asks of the core. Raises Fault."""
        caller = call.who
        instrument = self._edge.market_of(call.need("symbol")).instrument
        cancel_id = call.client_id("newCancelClientOrderId")
        cancel_words = NO_ID if cancel_id is None else id_words(cancel_id)
        order_id, client_id = _which(call)
        targets = [(order_id, id_words(client_id) if client_id else NO_ID)]
        shown = own_id(client_id)  # the order that it is if that has no client id
        if shown and order_id in {0, shown}:
            targets.append((shown, NO_ID))
        records = tuple(
            cancel_record(
                caller, instrument.number, order_id=number, words=words, cancel_words=cancel_words
            )
            for number, words in targets
        )

        def reply(events: bytes) -> bytes:
            refusal = refusal_in(events)
            if refusal is not None:
                raise faults.of_reason(*refusal)
            return cancelled_json(events, instrument, cancel_id)[0].encode()

        return Wish(records, reply)

    async def test_order(self, call: Call) -> bytes:
        """Check everything that does not need the book or the balance; nothing is sent."""
        caller = call.who
        market = self._edge.market_of(call.need("symbol"))
        check_filters(new_order(call, market, caller), market.instrument)
        return b"{}"

    def count(self, caller: Caller) -> None:
        """Count one new order of a caller. Raises Fault, 429."""
        self._limits.take_order(
            holder_of(caller), caller.order_limit_10s, caller.order_limit_1d, self._limits.now_s()
        )

    async def cancel_open_orders(self, call: Call) -> bytes:
        caller = call.who
        instrument = self._edge.market_of(call.need("symbol")).instrument
        command = pack(
            Command.CANCEL_ALL,
            account=caller.account,
            key=caller.key,
            instrument=instrument.number,
        )
        events = await self._edge.submit(command)
        refusal = refusal_in(events) if events else None
        if refusal is not None:
            raise faults.of_reason(*refusal)
        found = cancelled_json(events, instrument, None) if events else []
        if not found:
            raise Fault(*faults.UNKNOWN_ORDER)
        return f"[{','.join(found)}]".encode()

    # ---- reading

    async def order(self, call: Call) -> bytes:
        caller = call.who
        instrument = self._edge.market_of(call.need("symbol")).instrument
        order_id, client_id = _which(call)
        row = await self._find(caller.account, instrument, order_id, client_id)
        if row is None and not order_id and own_id(client_id):
            row = await self._find(caller.account, instrument, own_id(client_id), "")
        if row is None or client_id not in {"", client_id_text(words_of(row), row.order_id)}:
            raise Fault(*faults.NO_SUCH_ORDER)
        return order_json(row, instrument).encode()

    async def _find(
        self, account: int, instrument: Instrument, order_id: int, client_id: str
    ) -> OrderRow | None:
        """Return an order's newest state: among the open ones, in memory, in SQL.

        It is looked for by its number where there is one, else by its client id.
        """
        words = id_words(client_id) if client_id and not order_id else NO_ID
        question = pack(
            Query.ORDER,
            account=account,
            instrument=instrument.number,
            order_id=order_id,
            client_order_id_0=words[0],
            client_order_id_1=words[1],
            client_order_id_2=words[2],
            client_order_id_3=words[3],
        )
        answer = await self._edge.query(question)
        for offset in offsets_of(answer.records, ORDER_EVENT):
            (dated,) = await self._dated(account, [OrderState.at(answer.records, offset).row()])
            return dated
        newest: OrderRow | None = None
        for state in self._edge.overlay.states(account):
            matches = state.order_id == order_id if order_id else words_of(state) == words
            if (
                matches
                and state.instrument == instrument.number
                and (newest is None or state.order_id >= newest.order_id)
            ):
                newest = state.row()
        if newest is not None:
            return newest
        if order_id:
            row = await self._edge.read(selectors.order, order_id)
        else:
            row = await self._edge.read(selectors.order_by_client_id, account, words)
        mine = row is not None and row.account == account
        return row if mine and row is not None and row.instrument == instrument.number else None

    async def _dated(self, account: int, rows: Sequence[OrderRow]) -> list[OrderRow]:
        """Return open orders as the core told them, each with the time of its own last change.

        The core's answer has the time of the house's newest command; an order's own is in memory,
        or follows from its row as long as nothing was filled, or is in SQL.
        """
        changed = {state.order_id: state.time_us for state in self._edge.overlay.states(account)}
        found = []
        for row in rows:
            at_us = changed.get(row.order_id) or max(row.created_us, row.working_us)
            if row.filled_lots and row.order_id not in changed:
                stored = await self._edge.read(selectors.order, row.order_id)
                at_us = stored.updated_us if stored is not None else at_us
            found.append(msgspec.structs.replace(row, updated_us=at_us))
        return found

    async def open_orders(self, call: Call) -> bytes:
        """Return the open orders of book markets; the others' are at /api/v1/orders/."""
        symbol = call.get("symbol")
        number = self._edge.market_of(symbol).instrument.number if symbol else 0
        question = pack(Query.OPEN_ORDERS, account=call.who.account, instrument=number)
        records = (await self._edge.query(question)).records
        instruments = self._edge.catalogue.instruments
        told = [OrderState.at(records, offset).row() for offset in offsets_of(records, ORDER_EVENT)]
        books = [row for row in told if instruments[row.instrument].is_book]
        rows = await self._dated(call.who.account, books)
        return (
            f"[{','.join(order_json(row, instruments[row.instrument]) for row in rows)}]".encode()
        )

    async def all_orders(self, call: Call) -> bytes:
        instrument = self._edge.market_of(call.need("symbol")).instrument
        account = call.who.account
        limit = call.limit(default=LIMIT_DEFAULT, most=LIMIT_MAX)
        from_id = call.integer("orderId")
        start_us, end_us = time_range(call)
        await self._edge.catch_up()
        newer = list(self._edge.overlay.states(account))
        rows = await self._edge.read(
            selectors.orders,
            account,
            instrument.number,
            from_order_id=from_id,
            start_us=start_us,
            end_us=end_us,
            limit=limit,
        )
        merged = _latest(rows, newer, instrument.number)
        kept = [
            row
            for row in merged
            if (from_id is None or row.order_id >= from_id)
            and (start_us is None or row.created_us >= start_us)
            and (end_us is None or row.created_us < end_us)
        ]
        newest = from_id is None and start_us is None
        kept = kept[-limit:] if newest else kept[:limit]
        return f"[{','.join(order_json(row, instrument) for row in kept)}]".encode()

    async def my_trades(self, call: Call) -> bytes:
        instrument = self._edge.market_of(call.need("symbol")).instrument
        account = call.who.account
        limit = call.limit(default=LIMIT_DEFAULT, most=LIMIT_MAX)
        from_id = call.integer("fromId")
        order_id = call.integer("orderId")
        start_us, end_us = time_range(call)
        if from_id is not None and (start_us is not None or end_us is not None):
            raise Fault(*faults.COMBINATION)
        await self._edge.catch_up()
        newer = self._edge.overlay.fills(account, instrument.number)
        rows = await self._edge.read(
            selectors.my_trades,
            account,
            instrument.number,
            from_id=from_id,
            order_id=order_id,
            start_us=start_us,
            end_us=end_us,
            limit=limit,
        )
        merged = {(row.trade_id, row.side): row for row in (*rows, *newer)}
        kept = [
            merged[each]
            for each in sorted(merged)
            if (from_id is None or merged[each].trade_id >= from_id)
            and (order_id is None or merged[each].order_id == order_id)
            and (start_us is None or merged[each].time_us >= start_us)
            and (end_us is None or merged[each].time_us < end_us)
        ]
        newest = from_id is None and start_us is None and order_id is None
        kept = kept[-limit:] if newest else kept[:limit]
        return f"[{','.join(fill_json(row, instrument) for row in kept)}]".encode()


def _no_symbol() -> str:
    raise faults.mandatory("symbol")


def _which(call: Call) -> tuple[int, str]:
    """Return order id and client order id of the order that a request names: 0 or "" for none.

    Where it gives both, the order must have both.
    """
    order_id = call.integer("orderId", least=1)
    client_id = call.client_id("origClientOrderId")
    if order_id is None and client_id is None:
        raise Fault(
            -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    return order_id or 0, client_id or ""


def time_range(call: Call) -> tuple[int | None, int | None]:
    """Return startTime and endTime as the range [start, end) in microseconds."""
    start = call.integer("startTime", most=1 << 50)
    end = call.integer("endTime", most=1 << 50)
    if start is not None and end is not None and start > end:
        raise Fault(-1023, "Start time is greater than end time.")
    start_us = None if start is None else _micros(start)
    end_us = None if end is None else (end + 1 if end > 10**14 else (end + 1) * 1000)
    return start_us, end_us


def _micros(stamp: int) -> int:
    return stamp if stamp > 10**14 else stamp * 1000


def _latest(
    rows: Iterable[OrderRow], newer: Iterable[OrderState], instrument: int
) -> list[OrderRow]:
    """Return rows with newer states laid over them, by order id."""
    found = {row.order_id: row for row in rows}
    for state in newer:
        if state.instrument != instrument:
            continue
        known = found.get(state.order_id)
        if known is None or known.updated_seq <= state.seq:
            found[state.order_id] = state.row()
    return [found[order_id] for order_id in sorted(found)]


def fill_json(row: FillRow, instrument: Instrument) -> str:
    """Return the JSON of one's own side of a trade."""
    asset = instrument.base if row.fee_asset == instrument.base.number else instrument.quote
    is_buyer = row.side == 1
    return (
        f'{{"symbol":"{instrument.symbol}","id":{row.trade_id},"orderId":{row.order_id},'
        f'"orderListId":{row.list_id or -1},"price":"{instrument.tick.text(row.price_ticks)}",'
        f'"qty":"{instrument.lot.text(row.quantity_lots)}",'
        f'"quoteQty":"{instrument.quote.text(row.quote_amount)}",'
        f'"commission":"{asset.text(row.fee)}","commissionAsset":"{asset.code}",'
        f'"time":{row.time_us // 1000},"isBuyer":{"true" if is_buyer else "false"},'
        f'"isMaker":{"true" if row.is_maker else "false"},"isBestMatch":true}}'
    )


def check_filters(order: NewOrder, instrument: Instrument) -> None:
    """Raise the Fault that the core would give for an instrument's filters."""
    words = unpack(order.record)
    body = instrument.body
    price, lots = words["price_ticks"], words["quantity_lots"]
    if body.status != InstrumentStatus.TRADING:
        raise Fault(*faults.MARKET_CLOSED)
    given = [ticks for ticks in (price, words["stop_price_ticks"]) if ticks]
    if not all(body.price_ticks_min <= ticks <= instrument.ticks_max for ticks in given):
        raise Fault(*faults.PRICE_FILTER)
    if lots and not body.quantity_lots_min <= lots <= instrument.lots_max:
        raise Fault(*faults.LOT_SIZE)
    worth = (price or words["stop_price_ticks"]) * lots * body.quote_per_lot_tick
    notional = worth or words["quote_quantity"]
    if notional and not body.min_notional <= notional <= instrument.notional_max:
        raise Fault(*faults.NOTIONAL)

"""Lists in the wire's words: from LIST, ORDER and CANCEL events to JSON.

Promises: as orders.py: every text in it is ASCII without quotes by construction. A list without a
client id is shown as L and its number. It reads events and rows, and asks nobody.
"""

from __future__ import annotations

from typing import Final

from fondaco.core.records import Event, ListStatus
from fondaco.gateway import faults
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.orders import (
    cancel_reply,
    client_id_text,
    offsets_of,
    refusal_in,
    state_json,
)
from fondaco.gateway.overlay import OrderState, list_row
from fondaco.projections.selectors import ListRow

__all__ = [
    "LIST_EVENT",
    "cancelled_json",
    "id_of",
    "list_json",
    "list_status_json",
    "list_words",
    "new_list_json",
]

ORDER_EVENT: Final = int(Event.ORDER)
CANCEL_EVENT: Final = int(Event.CANCEL)
LIST_EVENT: Final = int(Event.LIST)
STATUS_TYPES: Final = ("", "EXEC_STARTED", "ALL_DONE")  # by ListStatus
STATUSES: Final = ("", *(each.name for each in ListStatus))


def list_words(row: ListRow) -> tuple[int, int, int, int]:
    return (
        row.list_client_id_0,
        row.list_client_id_1,
        row.list_client_id_2,
        row.list_client_id_3,
    )


def id_of(row: ListRow) -> str:
    """Return the client id of a list, the default one where it has none."""
    words = list_words(row)
    return client_id_text(words, 0) if any(words) else f"L{row.list_id}"


def legs_of(row: ListRow) -> list[tuple[int, str]]:
    """Return number and client order id of both legs, the stop first."""
    stop = (
        row.stop_client_id_0,
        row.stop_client_id_1,
        row.stop_client_id_2,
        row.stop_client_id_3,
    )
    profit = (
        row.profit_client_id_0,
        row.profit_client_id_1,
        row.profit_client_id_2,
        row.profit_client_id_3,
    )
    return [
        (number, client_id_text(words, number))
        for number, words in ((row.stop_order_id, stop), (row.profit_order_id, profit))
    ]


def list_json(row: ListRow, instrument: Instrument, *, at_us: int, reports: str = "") -> str:
    """Return the JSON of a list as queries answer it, with order reports where there are any."""
    orders = ",".join(
        f'{{"symbol":"{instrument.symbol}","orderId":{number},"clientOrderId":"{text}"}}'
        for number, text in legs_of(row)
    )
    return (
        f'{{"orderListId":{row.list_id},"contingencyType":"OCO",'
        f'"listStatusType":"{STATUS_TYPES[row.status]}",'
        f'"listOrderStatus":"{STATUSES[row.status]}","listClientOrderId":"{id_of(row)}",'
        f'"transactionTime":{at_us // 1000},"symbol":"{instrument.symbol}","orders":[{orders}]'
        f"{reports}}}"
    )


def list_status_json(events: bytes, offset: int, instrument: Instrument) -> str:
    """Return the listStatus of a LIST event."""
    row = list_row(events, offset)
    stamp_ms = row.updated_us // 1000
    orders = ",".join(
        f'{{"s":"{instrument.symbol}","i":{number},"c":"{text}"}}' for number, text in legs_of(row)
    )
    return (
        f'{{"e":"listStatus","E":{stamp_ms},"s":"{instrument.symbol}","g":{row.list_id},"c":"OCO",'
        f'"l":"{STATUS_TYPES[row.status]}","L":"{STATUSES[row.status]}","r":"NONE",'
        f'"C":"{id_of(row)}","T":{stamp_ms},"O":[{orders}]}}'
    )


def new_list_json(events: bytes, instrument: Instrument, reply_type: str) -> bytes:
    """Return the JSON of a new list from its own events. Raises Fault where it was refused."""
    refusal = refusal_in(events)
    if refusal is not None:
        raise faults.of_reason(*refusal)
    (offset, *_) = offsets_of(events, LIST_EVENT)
    row = list_row(events, offset)
    states = [OrderState.at(events, at) for at in offsets_of(events, ORDER_EVENT)[:2]]
    reports = ",".join(state_json(state, instrument, reply_type) for state in states)
    return list_json(
        row, instrument, at_us=row.created_us, reports=f',"orderReports":[{reports}]'
    ).encode()


def cancelled_json(events: bytes, instrument: Instrument, cancel_id: str | None) -> list[str]:
    """Return the JSON of what was cancelled: of each order, and of each list as a whole."""
    lists = {
        row.list_id: row for row in (list_row(events, at) for at in offsets_of(events, LIST_EVENT))
    }
    reports: dict[int, list[str]] = {}
    found: dict[int, str] = {}
    for offset in offsets_of(events, CANCEL_EVENT):
        state = OrderState.at(events, offset)
        reply = cancel_reply(events, offset, instrument, cancel_id)
        if state.list_id:
            reports.setdefault(state.list_id, []).append(reply)
            found.setdefault(state.list_id, "")
        else:
            found[state.order_id] = reply
    for number, texts in reports.items():
        row = lists[number]
        text = f',"orderReports":[{",".join(texts)}]'
        found[number] = list_json(row, instrument, at_us=row.updated_us, reports=text)
    return list(found.values())

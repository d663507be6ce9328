"""Answers to questions about now: depth, balances, open orders, definitions, totals.

Promises: changes nothing; an answer is event records with the seq and time of the last command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fondaco.core.constants import (
    BOOK_ANSWER_HEAD,
    HOUSE_HEAD,
    KEY_HEAD,
    SCOPE_READ,
    TOTAL_ANSWER_HEAD,
)
from fondaco.core.records import (
    HEAD_BYTES,
    LAYOUTS,
    VERSION,
    WORD,
    AccountBody,
    Event,
    Query,
    Reason,
    pack_body,
    unpack,
)

if TYPE_CHECKING:
    from fondaco.core.exchange import Exchange

LEVELS_MAX: Final = 100_000  # levels a side in one answer


def answer(exchange: Exchange, record: bytes) -> bytes:
    """Return the answer to one query record."""
    events = exchange.events
    events.words.used = 0
    events.seq = exchange.seq
    events.time_us = exchange.time_us
    events.account = 0
    events.key = 0
    kind = int.from_bytes(record[:2], "little")
    reason = _answer(exchange, kind, record)
    if reason:
        events.words.used = 0
        events.refuse(kind, reason)
    return events.words.to_bytes()


def _answer(exchange: Exchange, kind: int, record: bytes) -> int:
    layout = LAYOUTS.get(kind)
    if kind not in _ANSWERS or layout is None or len(record) != HEAD_BYTES + WORD * len(layout):
        return Reason.UNKNOWN_COMMAND
    word = int.from_bytes(record[:8], "little")
    if word != kind | VERSION << 16 | len(record) << 32:
        return Reason.UNKNOWN_COMMAND
    words = unpack(record)
    if words["key"]:
        reason = exchange.accounts.allows(words["key"], words["account"], SCOPE_READ)
        if reason:
            return reason
    return _ANSWERS[kind](exchange, words)


def _depth(exchange: Exchange, words: dict[str, int]) -> int:
    instrument = exchange.register.instrument(words["instrument"])
    if instrument is None:
        return Reason.UNKNOWN_INSTRUMENT
    book_seq = instrument.book.book_seq
    last = (instrument.last_price_ticks, instrument.last_trade_id)
    exchange.events.put(BOOK_ANSWER_HEAD, 0, [instrument.number, book_seq, *last])
    exchange.open_orders.answer_depth(instrument, max(0, min(words["limit"], LEVELS_MAX)))
    return 0


def _balances(exchange: Exchange, words: dict[str, int]) -> int:
    for asset in sorted(exchange.register.assets):
        exchange.ledger.answer(words["account"], asset)
    return 0


def _open_orders(exchange: Exchange, words: dict[str, int]) -> int:
    if words["instrument"]:
        if exchange.register.instrument(words["instrument"]) is None:
            return Reason.UNKNOWN_INSTRUMENT
        exchange.open_orders.answer_open(words["instrument"], words["account"])
        return 0
    for instrument in exchange.register.defined():
        exchange.open_orders.answer_open(instrument.number, words["account"])
    return 0


def _order(exchange: Exchange, words: dict[str, int]) -> int:
    """Answer with the open order; history has the closed ones."""
    orders = exchange.orders
    order_id = words["order_id"]
    if order_id == 0:
        parts = [words[f"client_order_id_{place}"] for place in range(4)]
        order_id = orders.find_client_order(words["account"], *parts)
    slot = orders.find_order(words["account"], words["instrument"], order_id)
    if slot == 0:
        return Reason.UNKNOWN_ORDER
    exchange.open_orders.answer_order(slot)
    return 0


def _definitions(exchange: Exchange, _words: dict[str, int]) -> int:
    register = exchange.register
    stamp = {"seq": exchange.seq, "time_us": exchange.time_us}
    for number in sorted(register.assets):
        exchange.events.put_record(pack_body(Event.ASSET, register.assets[number], **stamp))
    for instrument in register.defined():
        exchange.events.put_record(pack_body(Event.INSTRUMENT, instrument.body, **stamp))
    for slot in range(1, exchange.accounts.count() + 1):
        number, member, kind, frozen = exchange.accounts.describe(slot)
        terms = exchange.limits.terms_of(number)
        body = AccountBody(member=member, kind=kind, frozen=bool(frozen), robot=terms)
        exchange.events.put_record(pack_body(Event.ACCOUNT, body, account=number, **stamp))
    for number, account, scopes in exchange.accounts.granted():
        exchange.events.put(KEY_HEAD, account, [number, scopes])
    if exchange.orders.checks.maintenance:
        exchange.events.put(HOUSE_HEAD, 0, [exchange.orders.checks.maintenance])
    return 0


def _totals(exchange: Exchange, _words: dict[str, int]) -> int:
    for asset in sorted(exchange.register.assets):
        exchange.events.put(TOTAL_ANSWER_HEAD, 0, [asset, *exchange.ledger.totals(asset)])
    return 0


def _robots(exchange: Exchange, words: dict[str, int]) -> int:
    account = words["account"]
    if account and exchange.limits.terms_of(account) is None:
        return Reason.NOT_ROBOT if exchange.accounts.find(account) else Reason.UNKNOWN_ACCOUNT
    exchange.limits.answer(account)
    return 0


def _lists(exchange: Exchange, words: dict[str, int]) -> int:
    """Answer with the open lists; history has the closed ones."""
    instrument, list_id = words["instrument"], words["list_id"]
    if instrument and exchange.register.instrument(instrument) is None:
        return Reason.UNKNOWN_INSTRUMENT
    parts = [words[f"list_client_id_{place}"] for place in range(4)]
    if list_id or any(parts):
        list_id = exchange.list_orders.find(words["account"], instrument, list_id, *parts)
        if list_id == 0:
            return Reason.UNKNOWN_ORDER
    exchange.orders.lists.answer(words["account"], instrument, list_id)
    return 0


def _outside(kind: int) -> Callable[[Exchange, dict[str, int]], int]:
    return lambda exchange, words: exchange.outside.answer(kind, words)


_ANSWERS: Final[dict[int, Callable[[Exchange, dict[str, int]], int]]] = {
    Query.DEPTH: _depth,
    Query.BALANCES: _balances,
    Query.OPEN_ORDERS: _open_orders,
    Query.ORDER: _order,
    Query.DEFINITIONS: _definitions,
    Query.TOTALS: _totals,
    Query.ROBOTS: _robots,
    Query.LISTS: _lists,
    Query.QUOTES: _outside(Query.QUOTES),
    Query.POOLS: _outside(Query.POOLS),
    Query.VENUE_ORDERS: _outside(Query.VENUE_ORDERS),
    Query.WAITING: _outside(Query.WAITING),
}

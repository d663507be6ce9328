"""The twin's answers to questions about now, from its dicts."""

from __future__ import annotations

from fondaco.core.records import (
    ACCOUNT_FIRST,
    ACCOUNT_WORLD,
    AccountBody,
    Event,
    Execution,
    Query,
    Side,
    pack,
    pack_body,
    unpack,
)
from tests.twin.exchange import Twin
from tests.twin.market import Order, order_words

__all__ = ["answer"]


def answer(twin: Twin, record: bytes) -> bytes:
    """Return the answer to one well-formed question about something that exists."""
    words = unpack(record)
    stamp = {"seq": twin.seq, "time_us": twin.time_us}
    answers = {
        Query.DEPTH: _depth,
        Query.BALANCES: _balances,
        Query.OPEN_ORDERS: _open_orders,
        Query.DEFINITIONS: _definitions,
        Query.TOTALS: _totals,
    }
    return b"".join(answers[Query(words["kind"])](twin, words, stamp))


def _depth(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    market, number = twin.market, words["instrument"]
    book_seq = market.book_seq.get(number, 0)
    head = pack(
        Query.BOOK_ANSWER,
        **stamp,
        instrument=number,
        book_seq=book_seq,
        last_price_ticks=market.last_price.get(number, 0),
        last_trade_id=market.trade_id.get(number, 0),
    )
    found = [head]
    for side in (Side.BUY, Side.SELL):
        prices = dict.fromkeys(order.price for order in market.side(number, side))
        for price in list(prices)[: words["limit"]]:
            level = {"side": side, "price_ticks": price, "book_seq": book_seq}
            lots = market.level_lots(number, side, price)
            record = pack(Event.LEVEL, **stamp, instrument=number, quantity_lots=lots, **level)
            found.append(record)
    return found


def _balances(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    found = []
    for asset in sorted(twin.assets):
        balance = twin.ledger.of(words["account"], asset)
        if balance.free or balance.held:
            amounts = {"asset": asset, "free": balance.free, "held": balance.held}
            found.append(pack(Event.BALANCE, **stamp, account=words["account"], **amounts))
    return found


def _open_orders(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    def place(order: Order) -> tuple[int, int]:
        return order.instrument, order.order_id

    mine = [order for order in twin.market.orders.values() if order.account == words["account"]]
    return [
        pack(Event.ORDER, **stamp, account=order.account, **order_words(order, Execution.NEW))
        for order in sorted(mine, key=place)
        if words["instrument"] in {0, order.instrument}
    ]


def _definitions(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    found = [pack_body(Event.ASSET, twin.assets[n], **stamp) for n in sorted(twin.assets)]
    bodies = twin.market.instruments
    found += [pack_body(Event.INSTRUMENT, bodies[n], **stamp) for n in sorted(bodies)]
    for number, body in twin.accounts.items():
        told = AccountBody(member=body.member, kind=body.kind, frozen=body.frozen)
        found.append(pack_body(Event.ACCOUNT, told, account=number, **stamp))
    for number, (account, scopes) in sorted(twin.keys.items()):
        found.append(pack(Event.KEY, **stamp, account=account, key_number=number, scopes=scopes))
    return found


def _totals(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    found = []
    for asset in sorted(twin.assets):
        totals = dict.fromkeys(("members", "fees", "rounding", "inventory", "world"), 0)
        house = {2: "fees", 3: "rounding", 4: "inventory", ACCOUNT_WORLD: "world"}
        for (account, held_asset), balance in twin.ledger.balances.items():
            if held_asset == asset:
                whose = "members" if account >= ACCOUNT_FIRST else house[account]
                totals[whose] += balance.total
        found.append(pack(Query.TOTAL_ANSWER, **stamp, asset=asset, **totals))
    return found

"""The twin's answers to questions about now, from its dicts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from fondaco.core.records import (
    ACCOUNT_FIRST,
    ACCOUNT_WORLD,
    Event,
    Execution,
    ListStatus,
    Period,
    Query,
    Side,
    Verdict,
    pack,
    pack_body,
    unpack,
)
from tests.twin.exchange import Twin
from tests.twin.market import TRADES_KEPT, Order, list_words, order_words

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
        Query.QUOTES: _quotes,
        Query.POOLS: _pools,
        Query.VENUE_ORDERS: _venue_orders,
        Query.WAITING: _waiting,
        Query.ROBOTS: _robots,
        Query.LISTS: _lists,
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
        last_trade_id=market.trade_id.get(number, TRADES_KEPT),
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


def _lists(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    return [
        pack(Event.LIST, **stamp, account=o.account, **list_words(o, ListStatus.EXECUTING))
        for o in sorted(twin.market.lists.values(), key=lambda o: o.list_id)
        if o.account == words["account"] and words["instrument"] in {0, o.instrument}
    ]


def _definitions(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    found = [pack_body(Event.ASSET, twin.assets[n], **stamp) for n in sorted(twin.assets)]
    bodies = twin.market.instruments
    found += [pack_body(Event.INSTRUMENT, bodies[n], **stamp) for n in sorted(bodies)]
    for number, body in twin.accounts.items():
        told = msgspec.structs.replace(body, opening=[])
        found.append(pack_body(Event.ACCOUNT, told, account=number, **stamp))
    for number, (account, scopes) in sorted(twin.keys.items()):
        found.append(pack(Event.KEY, **stamp, account=account, key_number=number, scopes=scopes))
    if twin.maintenance:
        found.append(pack(Event.HOUSE, **stamp, maintenance=1))
    return found


def _asked(twin: Twin, words: dict[str, int], market: int) -> list[int]:
    bodies = sorted(twin.market.instruments.items())
    asked = words["instrument"]
    return [n for n, body in bodies if body.market == market and asked in {0, n}]


def _told(twin: Twin, tell: Callable[[], None]) -> list[bytes]:
    """Return what tell() says, as an answer."""
    market = twin.market
    before, market.events = market.events, []
    market.seq, market.time_us, market.account, market.key = twin.seq, twin.time_us, 0, 0
    tell()
    found, market.events = market.events, before
    return found


def _quotes(twin: Twin, words: dict[str, int], _stamp: dict[str, int]) -> list[bytes]:
    outside, found = twin.outside, []
    for number in _asked(twin, words, 2):
        quote = outside.quotes.get(number)
        if quote is not None:
            names = ("bought_lots", "sold_lots", "buys_wait", "sells_wait")
            told = {name: quote.words[name] for name in names}
            found += _told(twin, partial(outside.tell_quote, quote.words, Verdict.CURRENT, told))
    return found


def _pools(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    outside, found = twin.outside, []
    for number in _asked(twin, words, 3):
        ticks = outside.references.get(number, 0)
        found.append(pack(Event.REFERENCE, **stamp, instrument=number, price_ticks=ticks))
        for side in Side:
            if outside.pool(number, side):
                found += _told(twin, partial(outside.tell_pool, number, side))
    return found


def _venue_orders(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    outside, found = twin.outside, []
    for number in _asked(twin, words, 3):
        for _, venue in sorted(outside.venue_orders.items()):
            if venue.words["instrument"] == number:
                found.append(pack(Event.VENUE_ORDER, **stamp, **venue.words))
                for member in sorted(venue.members):
                    order = twin.market.orders[member]
                    found += _told(twin, partial(outside.tell_part, order))
    return found


def _waiting(twin: Twin, words: dict[str, int], stamp: dict[str, int]) -> list[bytes]:
    found = []
    numbers = sorted([*_asked(twin, words, 2), *_asked(twin, words, 3)])
    for number in numbers:
        for order in sorted(twin.market.orders.values(), key=lambda order: order.order_id):
            if (order.account, order.instrument) == (words["account"], number):
                wait, venue = twin.outside.wait_of(order)
                told = {"instrument": number, "order_id": order.order_id, "wait": wait}
                head = {**stamp, "account": order.account}
                found.append(pack(Query.WAIT_ANSWER, **head, **told, venue_order=venue))
    return found


def _robots(twin: Twin, words: dict[str, int], _stamp: dict[str, int]) -> list[bytes]:
    limits, found = twin.limits, []
    for account, robot in sorted(limits.robots.items()):
        if words["account"] in {0, account}:
            found += _told(twin, partial(limits.tell_robot, robot))
            seen = {number for period in Period for number in limits.traded(robot, period)}
            for asset in twin.assets:
                if asset != robot.terms.cash and limits.position(robot, asset)[0]:
                    seen |= {limits.book_of(robot, asset)} - {0}
            for number in sorted(seen):
                for period in Period:
                    found += _told(twin, partial(limits.tell_summary, robot, number, period))
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

"""A small language for the core's tests: a table of what people do and what comes of it.

    ann sells 10 at 100            -> new
    bob buys 4 at 101 IOC          -> new, 4 at 100
    book                           -> bids none; asks 6 at 100
    ann has                        -> 990 BTC + 60 held, 1000400 USD

Left of the arrow an action, right of it its events in words (levels and balances left out) or the
answer to a question. After each line the sums of all assets must be zero.
"""

from __future__ import annotations

from typing import Final

from fondaco.core import client_ids
from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    Event,
    Execution,
    InstrumentBody,
    InstrumentStatus,
    ListStatus,
    OrderStatus,
    OrderType,
    Query,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)

BTC: Final = 1
USD: Final = 2
CODES: Final = {BTC: "BTC", USD: "USD"}
PEOPLE: Final = {"ann": 16, "bob": 17, "cat": 18, "ann2": 19}  # ann2 is another account of ann's
MEMBERS: Final = {"ann": 1, "bob": 2, "cat": 3, "ann2": 1}
NAMES: Final = {number: name for name, number in PEOPLE.items()} | {2: "fees"}
SECOND_US: Final = 1_000_000


def instrument(**changes: object) -> InstrumentBody:
    """Return a definition: one lot is 10 units of BTC, a lot at one tick one unit of USD."""
    words: dict[str, object] = {
        "number": 1, "symbol": "BTCUSD", "base": BTC, "quote": USD, "tick_size": "0.1",
        "lot_size": "10", "base_per_lot": 10, "quote_per_lot_tick": 1, "max_open_orders": 0,
    }  # fmt: skip
    return InstrumentBody(**{**words, **changes})  # type: ignore[arg-type]


class Field:
    """An exchange with a few people in it, and the table's reader."""

    def __init__(self, *, usd: int = 1_000_000, btc: int = 1_000, **changes: object) -> None:
        """Open the house; changes are of the instrument's definition."""
        self.exchange = Exchange()
        self.time_us = SECOND_US
        self.orders: dict[str, int] = {}  # name given by "as" -> order id
        self.last_events: list[bytes] = []
        self.define(AssetBody(number=BTC, code="BTC", decimals=0))
        self.define(AssetBody(number=USD, code="USD", decimals=0))
        self.send(pack_body(Command.DEFINE_INSTRUMENT, instrument(**changes)))
        for name, number in PEOPLE.items():
            body = AccountBody(member=MEMBERS[name], opening=[(BTC, btc), (USD, usd)])
            self.send(pack_body(Command.OPEN_ACCOUNT, body, account=number))

    def define(self, body: AssetBody) -> None:
        """Define an asset."""
        self.send(pack_body(Command.DEFINE_ASSET, body))

    def send(self, *records: bytes) -> list[bytes]:
        """Stamp and apply records as one batch; return their events."""
        batch = bytearray(b"".join(records))
        self.exchange.stamp(batch, self.exchange.seq + 1, self.time_us)
        self.last_events = split(self.exchange.apply(bytes(batch)))
        return self.last_events

    def refusals(self, *records: bytes) -> list[tuple[str, int, int, int]]:
        """Apply records; return the reason and details of each that is refused."""
        found = []
        for event in self.send(*records):
            if kind_of(event) == Event.REFUSED:
                words = unpack(event)
                details = (words["detail_0"], words["detail_1"], words["detail_2"])
                found.append((Reason(words["reason"]).name, *details))
        return found

    def order(self, name: str, side: Side, lots: int, price: int, **words: int) -> bytes:
        """Return a NEW_ORDER: LIMIT GTC unless words say otherwise."""
        given = {"order_type": 1, "time_in_force": 1, "instrument": 1, **words}
        return pack(
            Command.NEW_ORDER, account=PEOPLE[name], side=side, quantity_lots=lots,
            price_ticks=price, **given,
        )  # fmt: skip

    # -- the table

    def play(self, table: str) -> None:
        """Do what a table says and compare what comes of it, line by line."""
        for line in table.strip().splitlines():
            if line.strip():
                action, _, wanted = line.partition("->")
                found = self.act(action.split())
                assert found == " ".join(wanted.split()), f"{line.strip()}\n  gave: {found}"
                self.check_sums()

    def act(self, words: list[str]) -> str:
        """Do one action; return its events, or the answer, in words."""
        if words[0] == "book":
            return self.book()
        if words[0] == "advance":
            return self.told(pack(Command.ADVANCE))
        if words[0] == "wait":
            self.time_us += int(words[1]) * SECOND_US
            return ""
        if words[1] == "has":
            return self.funds(words[0])
        if words[1] in {"buys", "sells"}:
            return self.trade(words)
        if words[1] in {"oco-buys", "oco-sells"}:
            return self.pair(words)
        if words[1] == "cancels":
            return self.cancel(words)
        assert words[1] == "reduces"
        order = self.orders[words[2]]
        return self.told(
            pack(
                Command.REDUCE_ORDER, account=PEOPLE[words[0]], instrument=1,
                order_id=order, remaining_lots=int(words[4]),
            )
        )  # fmt: skip

    def trade(self, words: list[str]) -> str:
        """<who> buys|sells <lots> [at <price>] [for <quote>] [stop <price>] [words...] [id|as <x>].

        With a stop price it is a STOP_LOSS, or a STOP_LOSS_LIMIT if it has a price.
        """
        side = Side.BUY if words[1] == "buys" else Side.SELL
        lots = 0 if words[2] == "for" else int(words[2])
        rest = words[2:] if words[2] == "for" else words[3:]
        given: dict[str, int] = {"order_type": OrderType.MARKET, "time_in_force": 0}
        price, name = 0, ""
        while rest:
            word, *rest = rest
            if word == "at":
                price, rest = int(rest[0]), rest[1:]
                given |= {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
            elif word == "for":
                given["quote_quantity"], rest = int(rest[0]), rest[1:]
            elif word == "stop":
                given["stop_price_ticks"], rest = int(rest[0]), rest[1:]
                given["order_type"] = OrderType.STOP_LOSS_LIMIT if price else OrderType.STOP_LOSS
            elif word == "id":
                given |= id_words(rest[0])
                rest = rest[1:]
            elif word == "as":
                name, rest = rest[0], rest[1:]
            elif word in TimeInForce.__members__:
                given["time_in_force"] = TimeInForce[word]
            elif word in SelfTrade.__members__:
                given["self_trade"] = SelfTrade[word]
            else:
                given["order_type"] = OrderType[word]
        found = self.told(self.order(words[0], side, lots, price, **given))
        if name:
            self.orders[name] = self.exchange.seq
        return found

    def pair(self, words: list[str]) -> str:
        """<who> oco-buys|oco-sells <lots> [at <p>] [take <p>] [stop <p>] [limit <p>] [words...].

        `limit` is of the leg before it; `id` and `as` name the list, `ids` its legs, and x and
        x.stop are its numbers.
        """
        side = Side.BUY if words[1] == "oco-buys" else Side.SELL
        given: dict[str, int] = {"side": side, "quantity_lots": int(words[2])}
        rest, leg, name = words[3:], "profit", ""
        while rest:
            word, *rest = rest
            if word == "at":
                given |= {"profit_type": OrderType.LIMIT_MAKER, "profit_price_ticks": int(rest[0])}
            elif word == "take":
                leg, kind = "profit", OrderType.TAKE_PROFIT
                given |= {"profit_type": kind, "profit_trigger_ticks": int(rest[0])}
            elif word == "stop":
                leg, kind = "stop", OrderType.STOP_LOSS
                given |= {"stop_type": kind, "stop_trigger_ticks": int(rest[0])}
            elif word == "limit":
                given |= {f"{leg}_price_ticks": int(rest[0]), f"{leg}_time_in_force": 1}
                given[f"{leg}_type"] += 1
            elif word == "id":
                given |= list_id_words("list", rest[0])
            elif word == "ids":
                given |= list_id_words("stop", rest[0] + "-s") | list_id_words(
                    "profit", rest[0] + "-p"
                )
            elif word == "as":
                name = rest[0]
            else:
                given["self_trade"] = SelfTrade[word]
                continue
            rest = rest[1:]
        found = self.told(pack(Command.NEW_LIST, account=PEOPLE[words[0]], instrument=1, **given))
        if name:
            self.orders |= {name: self.exchange.seq, f"{name}.stop": self.exchange.seq - 1}
        return found

    def cancel(self, words: list[str]) -> str:
        """<who> cancels all | <name> | id <text> | list <name> | list-id <text>."""
        account = PEOPLE[words[0]]
        if words[2] in {"list", "list-id"}:
            by_id = words[2] == "list-id"
            which = list_id_words("list", words[3]) if by_id else {"list_id": self.orders[words[3]]}
            return self.told(pack(Command.CANCEL_LIST, account=account, instrument=1, **which))
        if words[2] == "all":
            return self.told(pack(Command.CANCEL_ALL, account=account, instrument=1))
        given = id_words(words[3]) if words[2] == "id" else {"order_id": self.orders[words[2]]}
        return self.told(pack(Command.CANCEL_ORDER, account=account, instrument=1, **given))

    def told(self, record: bytes) -> str:
        """Apply a record; return its events in words."""
        return ", ".join(word for event in self.send(record) if (word := in_words(event)))

    # -- questions

    def query(self, kind: Query, **words: int) -> list[bytes]:
        """Return the records of an answer."""
        return split(self.exchange.query(pack(kind, **words)))

    def book(self) -> str:
        """Return the depth: lots at prices, best first."""
        sides: dict[int, list[str]] = {Side.BUY: [], Side.SELL: []}
        for record in self.query(Query.DEPTH, instrument=1, limit=100)[1:]:
            words = unpack(record)
            sides[words["side"]].append(f"{words['quantity_lots']} at {words['price_ticks']}")
        bids, asks = (" ".join(sides[side]) or "none" for side in (Side.BUY, Side.SELL))
        return f"bids {bids}; asks {asks}"

    def funds(self, name: str) -> str:
        """Return what somebody has."""
        account = 2 if name == "fees" else PEOPLE[name]
        found = []
        for record in self.query(Query.BALANCES, account=account):
            words = unpack(record)
            held = f" + {words['held']} held" if words["held"] else ""
            found.append(f"{words['free']} {CODES[words['asset']]}{held}")
        return ", ".join(found) or "nothing"

    def check_sums(self) -> None:
        """See that the sum of each asset over all accounts is zero."""
        for record in self.query(Query.TOTALS):
            words = unpack(record)
            names = ("members", "fees", "rounding", "inventory", "world")
            assert sum(words[name] for name in names) == 0, words


def kind_of(record: bytes) -> int:
    """Return the kind of a record."""
    return int.from_bytes(record[:2], "little")


def id_words(text: str) -> dict[str, int]:
    """Return a client order id as words of a record."""
    return {f"client_order_id_{at}": word for at, word in enumerate(client_ids.encode(text))}


def list_id_words(leg: str, text: str) -> dict[str, int]:
    """Return the client id of a list or a leg as words of a record."""
    return {f"{leg}_client_id_{at}": word for at, word in enumerate(client_ids.encode(text))}


def in_words(event: bytes) -> str:
    """Return an event in the language of the tables; "" for those that they leave out."""
    kind = kind_of(event)
    if kind not in {Event.ORDER, Event.CANCEL, Event.TRADE, Event.REFUSED, Event.LIST}:
        return ""
    words = unpack(event)
    if kind == Event.LIST:
        return "list" if words["status"] == ListStatus.EXECUTING else "list done"
    if kind == Event.TRADE:
        return f"{words['quantity_lots']} at {words['price_ticks']}"
    if kind == Event.REFUSED:
        return Reason(words["reason"]).name
    whose = NAMES[words["account"]]
    execution = Execution(words["execution"])
    if execution in {Execution.NEW, Execution.REDUCED, Execution.CANCELED, Execution.EXPIRED}:
        return execution.name.lower()
    if execution == Execution.TRIGGERED:
        return f"{whose} triggered"
    status = OrderStatus(words["status"])
    if status == OrderStatus.EXPIRED_IN_MATCH:
        return f"{whose} prevented"
    return f"{whose} cut to {words['quantity_lots'] - words['filled_lots']}"


def halted(field: Field) -> None:
    """Halt trading on the instrument."""
    body = instrument(status=InstrumentStatus.HALT)
    field.send(pack_body(Command.DEFINE_INSTRUMENT, body))


def still(field: Field) -> bytes:
    """Return the state without its seq and time: what a refusal must leave as it was."""
    dump = field.exchange.dump()
    size = int.from_bytes(dump[:8], "little")
    words = 8 + size + -size % 8
    return dump[: words + 16] + dump[words + 32 :]

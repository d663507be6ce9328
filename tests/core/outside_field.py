"""The tables' language for the dealer and the agency market, on top of field.py.

    ann buys 100 CIB between 0 and 20 as one   -> new
    quote 20 x 50 of 1                         -> ann 50 at 20, quote
    ann buys 4 ABAN as two                     -> new, pool 4
    sent 1 ; report 1 4 40 final               -> venue SENT ; ann 4 at 10, venue CONFIRMED

CIB: whole shares, a lot one share, a tick one unit of USD; its desk is instrument 2. ABAN and DOGE
trade by a venue: a lot is 10 units of the coin, a lot at one tick one unit of USD; 3 and 4.
Times of messages are seconds.
"""

from __future__ import annotations

from typing import Any, Final

from fondaco.core.records import (
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    OrderType,
    Query,
    Reason,
    Side,
    VenueStatus,
    Verdict,
    Wait,
    pack,
    pack_body,
    unpack,
)
from tests.core.field import CODES, NAMES, PEOPLE, SECOND_US, Field, id_words, in_words, kind_of

CIB: Final = 3
ABAN: Final = 4
DOGE: Final = 5
COINS: Final = {"CIB": 2, "ABAN": 3, "DOGE": 4}  # code -> instrument
WHOSE: Final = NAMES | {1: "world", 3: "rounding", 4: "inventory"}
ACCOUNTS: Final = {name: number for number, name in WHOSE.items()}


def desk(**changes: object) -> InstrumentBody:
    """Return the definition of CIB."""
    words: dict[str, Any] = {
        "number": 2, "symbol": "CIBUSD", "base": CIB, "quote": 2, "market": 2, "tick_size": "1",
        "lot_size": "1", "base_per_lot": 1, "quote_per_lot_tick": 1, "max_open_orders": 0,
        "stock_id": "6ffb8e62", "name": "CIB",
    }  # fmt: skip
    return InstrumentBody(**{**words, **changes})


def agency(code: str = "ABAN", **changes: object) -> InstrumentBody:
    """Return the definition of ABAN or DOGE."""
    words: dict[str, Any] = {
        "number": COINS[code], "symbol": f"{code}USD", "base": COINS[code] + 1, "quote": 2,
        "market": 3, "tick_size": "0.1", "lot_size": "10", "base_per_lot": 10,
        "quote_per_lot_tick": 1, "max_open_orders": 0, "venue": "outside", "reference_ticks": 10,
        "pool_min_notional": 100, "pool_timeout_us": 3600 * SECOND_US,
    }  # fmt: skip
    return InstrumentBody(**{**words, **changes})


class OutsideField(Field):
    """The field with a desk and two agency instruments."""

    def __init__(
        self,
        *,
        cib: dict[str, Any] | None = None,
        aban: dict[str, Any] | None = None,
        shares: int = 0,
        coins: int = 0,
    ) -> None:
        """Open the house; everybody begins with so many shares and so many units of each coin."""
        super().__init__()
        for number, code in ((CIB, "CIB"), (ABAN, "ABAN"), (DOGE, "DOGE")):
            CODES[number] = code
            self.define(AssetBody(number=number, code=code, decimals=0))
        for body in (desk(**(cib or {})), agency(**(aban or {})), agency("DOGE")):
            self.send(pack_body(Command.DEFINE_INSTRUMENT, body))
        entry = 1
        for account in PEOPLE.values():
            for asset, amount in ((CIB, shares), (ABAN, coins), (DOGE, coins)):
                if amount:
                    words = {"account": account, "asset": asset, "amount": amount}
                    self.send(pack(Command.DEPOSIT, **words, entry=entry))
                    entry += 1

    # -- the table

    def act(self, words: list[str]) -> str:
        """Do one action of these markets, or one of the field's."""
        if ";" in words:
            at = words.index(";")
            return f"{self.act(words[:at])} ; {self.act(words[at + 1 :])}"
        does = getattr(self, f"do_{words[0]}", None)
        if does is not None:
            return str(does(words[1:]))
        if len(words) > 3 and words[1] in {"buys", "sells"} and words[3] in COINS:
            return self.place(words)
        if words[1] == "cancels" and words[2] in self.orders:
            return self.take_back(words)
        if words[1] == "waits":
            return self.waits(words[0])
        return super().act(words)

    def place(self, words: list[str]) -> str:
        """<who> buys|sells <lots> <code> [between <lower> and <upper>] [id <text>] [as <name>]."""
        who, verb, lots, code, *rest = words
        given: dict[str, int] = {"order_type": OrderType.POOLED, "price_ticks": 0}
        name = ""
        while rest:
            word, *rest = rest
            if word == "between":
                given |= {"order_type": OrderType.BOUNDED, "stop_price_ticks": int(rest[0])}
                given["price_ticks"], rest = int(rest[2]), rest[3:]
            elif word == "id":
                given, rest = given | id_words(rest[0]), rest[1:]
            else:
                assert word == "as"
                name, rest = rest[0], rest[1:]
        side = Side.BUY if verb == "buys" else Side.SELL
        order = {"account": PEOPLE[who], "instrument": COINS[code], "side": side}
        told = self.told(pack(Command.NEW_ORDER, **order, quantity_lots=int(lots), **given))
        if name:
            self.orders[name] = self.exchange.seq
            self.coins = getattr(self, "coins", {}) | {name: COINS[code]}
        return told

    def take_back(self, words: list[str]) -> str:
        """<who> cancels <name>."""
        number = self.coins.get(words[2], 1)
        order = {"account": PEOPLE[words[0]], "instrument": number}
        return self.told(pack(Command.CANCEL_ORDER, **order, order_id=self.orders[words[2]]))

    def do_quote(self, words: list[str]) -> str:
        """Quote <price> x <availability> of <second>."""
        price, _, lots, _, second = words
        quote = {"price_ticks": int(price), "availability_lots": int(lots)}
        record = pack(Command.QUOTE, instrument=2, **quote, message_us=int(second) * SECOND_US)
        return self.told(record)

    def do_reference(self, words: list[str]) -> str:
        """Reference <price>: of ABAN."""
        return self.told(pack(Command.SET_REFERENCE, instrument=3, price_ticks=int(words[0])))

    def do_sent(self, words: list[str]) -> str:
        """Sent <venue order>."""
        return self.told(pack(Command.VENUE_SENT, venue_order=int(words[0])))

    def do_lost(self, words: list[str]) -> str:
        """Lost <venue order>: its answer."""
        return self.told(pack(Command.VENUE_UNKNOWN, venue_order=int(words[0])))

    def do_report(self, words: list[str]) -> str:
        """Report <venue order> <base> <quote> [final] [asked]."""
        number, base, quote, *flags = words
        filled = {"filled_base": int(base), "filled_quote": int(quote)}
        told = {"is_final": int("final" in flags), "by_query": int("asked" in flags)}
        return self.told(pack(Command.VENUE_REPORT, venue_order=int(number), **filled, **told))

    def do_advance(self, _words: list[str]) -> str:
        """Advance, if the core's deadline has come."""
        deadline = self.exchange.deadline()
        if not 0 < deadline <= self.time_us:
            return "not yet"
        return self.told(pack(Command.ADVANCE))

    def told(self, record: bytes) -> str:
        """Apply a record; return its events in words."""
        return ", ".join(word for event in self.send(record) if (word := outside_words(event)))

    def waits(self, who: str) -> str:
        """Return why somebody's orders wait."""
        found = []
        for record in self.query(Query.WAITING, account=PEOPLE[who]):
            words = unpack(record)
            number = f" {words['venue_order']}" if words["venue_order"] else ""
            found.append(f"{Wait(words['wait']).name}{number}")
        return ", ".join(found) or "for nothing"

    def funds(self, name: str) -> str:
        """Return what somebody has; also the house's accounts."""
        PEOPLE.setdefault(name, ACCOUNTS[name])
        try:
            return super().funds(name)
        finally:
            if ACCOUNTS[name] < 16:
                del PEOPLE[name]


def outside_words(event: bytes) -> str:
    """Return an event in words; what field.py leaves out, too."""
    kind = kind_of(event)
    if kind == Event.FILL:
        words = unpack(event)
        return f"{WHOSE[words['account']]} {words['last_lots']} at {words['last_price_ticks']}"
    if kind == Event.TRADE:
        return ""
    if kind == Event.POSTING:
        words = unpack(event)
        source, target = WHOSE[words["debit_account"]], WHOSE[words["credit_account"]]
        return f"{words['amount']} {CODES[words['asset']]} from {source} to {target}"
    if kind == Event.QUOTE:
        words = unpack(event)
        waits = {words["buys_wait"], words["sells_wait"]} - {0}
        names = [Verdict(words["verdict"]).name.lower(), *(Wait(w).name for w in sorted(waits))]
        return " ".join(names)
    if kind == Event.POOL:
        return f"pool {unpack(event)['quantity_lots']}"
    if kind == Event.VENUE_ORDER:
        words = unpack(event)
        status = VenueStatus(words["status"]).name
        if words["attempts"] == 0:
            return f"venue {words['venue_order']} of {words['quantity_lots']}"
        return f"venue {words['venue_order']} {status}"
    if kind == Event.REFUSED:
        return Reason(unpack(event)["reason"]).name
    return in_words(event)

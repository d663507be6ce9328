"""What the house trades with the outside: the dealer and the agency market behind one door.

Promises: the commands of both markets come in here and go to the market of their instrument; a
book's orders never come here. Each gives its events or one named refusal, decided before anything
changes. Plain Python on the verbs of waiting.py and of the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fondaco.core.agency import AGENCY, Agency
from fondaco.core.buffer import Words
from fondaco.core.dealer import DEALER, Dealer
from fondaco.core.instrument import Instrument
from fondaco.core.records import (
    ACCOUNT_INVENTORY,
    ASSET_TOTAL_MAX,
    Command,
    Query,
    Reason,
    pack,
    unpack,
)
from fondaco.core.waiting import Waiting

__all__ = ["Outside"]

_NO_ID: Final = (0, 0, 0, 0)


class Outside:
    """Both markets."""

    def __init__(self, waiting: Waiting, instruments: list[Instrument | None]) -> None:
        """Share the tables of all orders, and the list of instruments."""
        self.waiting = waiting
        self.events = waiting.orders.events
        self.instruments = instruments
        self.dealer = Dealer(self)
        self.agency = Agency(self)
        self.commands: dict[int, Callable[[bytes], int]] = {
            Command.QUOTE: self.dealer.quote,
            Command.SET_REFERENCE: self.agency.set_reference,
            Command.VENUE_SENT: self.agency.sent,
            Command.VENUE_UNKNOWN: self.agency.unknown,
            Command.VENUE_REPORT: self.agency.report,
        }

    # -- what both markets ask -------------------------------------------------------------------

    def known(self, number: int) -> Instrument:
        """Return an instrument that is defined."""
        instrument = self.instruments[number]
        assert instrument is not None, f"instrument {number} has orders and no definition"
        return instrument

    def instrument(self, number: int, market: int) -> Instrument | None:
        """Return the instrument of this number if it is of this market."""
        if not 0 < number < len(self.instruments):
            return None
        instrument = self.instruments[number]
        if instrument is None or instrument.body.market != market:
            return None
        return instrument

    def inventory_room(self, asset: int) -> int:
        """Return how many units the inventory may pay out before the asset's total is too large."""
        ledger = self.waiting.ledger
        room = ASSET_TOTAL_MAX - ledger.owed(asset)
        return max(0, room + max(0, ledger.free_of(ACCOUNT_INVENTORY, asset)))

    def tell(self, kind: int, *, account: int = 0, **words: int) -> None:
        """Write an event of the command at hand."""
        events = self.events
        key = events.key if account == events.account else 0
        record = pack(
            kind, seq=events.seq, time_us=events.time_us, account=account, key=key, **words
        )
        events.put_record(record)

    # -- orders ----------------------------------------------------------------------------------

    def trade(self, instrument: Instrument, record: bytes) -> None:
        """Carry out a command about orders on an instrument that has no book."""
        kind = int.from_bytes(record[:2], "little")
        if kind == Command.NEW_ORDER:
            market = self.dealer if instrument.body.market == DEALER else self.agency
            reason = market.new_order(instrument, record)
        elif kind == Command.CANCEL_ORDER:
            reason = self._cancel(instrument, unpack(record))
        elif kind == Command.CANCEL_ALL:
            account = unpack(record)["account"]
            reason = 0 if self.cancel_all(instrument, account) else Reason.UNKNOWN_ORDER
        else:
            reason = Reason.NOT_SUPPORTED
        if reason:
            self.events.refuse(kind, reason)

    def _cancel(self, instrument: Instrument, words: dict[str, int]) -> int:
        """Cancel by order id or client order id; if both are given they must agree."""
        orders = self.waiting.orders
        ids = [words[f"client_order_id_{place}"] for place in range(4)]
        by_client = orders.find_client_order(words["account"], *ids)
        asked = words["order_id"]
        slot = 0
        if asked == 0 or not any(ids) or asked == by_client:
            slot = orders.find_order(words["account"], instrument.number, asked or by_client)
        if slot == 0:
            self.events.detail(asked, 0, 0)
            return Reason.UNKNOWN_ORDER
        return self._take_out(instrument, slot, [words[f"cancel_id_{at}"] for at in range(4)])

    def _take_out(self, instrument: Instrument, slot: int, ids: list[int]) -> int:
        number, _, side, _, _, _, _ = self.waiting.terms(slot)
        if instrument.body.market == DEALER:
            self.dealer.forget(instrument, number, side)
            self.waiting.cancel(instrument, slot, ids)
            return 0
        reason = self.agency.forget(instrument, number, side)
        if reason == 0:
            self.waiting.cancel(instrument, slot, ids)
            self.agency.tell_pool_after(instrument, side)
        return reason

    def cancel_all(self, instrument: Instrument, account: int) -> int:
        """Cancel all orders of an account that may be cancelled, oldest first; return how many."""
        count = 0
        for slot in self.waiting.slots_of(account, instrument.number):
            count += self._take_out(instrument, slot, list(_NO_ID)) == 0
        self.events.detail(0, 0, 0)
        return count

    def cancel_anywhere(self, instrument: Instrument, account: int) -> int:
        """Cancel all orders of an account on an instrument of any market; return how many."""
        if instrument.body.market in {DEALER, AGENCY}:
            return self.cancel_all(instrument, account)
        return int(self.waiting.orders.cancel_all(instrument, account))

    def expire_buys(self, account: int, book: Instrument) -> None:
        """Let an account's open buys in a book expire."""
        self.waiting.open_orders.expire_buys(book, account)

    # -- definitions and time --------------------------------------------------------------------

    def define(self, instrument: Instrument, reference_before: int) -> None:
        """Follow a definition that has come into force."""
        if instrument.body.market == AGENCY:
            self.agency.define(instrument, reference_before)

    def deadline(self) -> int:
        """Return when ADVANCE has something to do, in microseconds; 0 = never."""
        return self.agency.deadline()

    def advance(self) -> None:
        """ADVANCE."""
        self.agency.advance()

    # -- questions -------------------------------------------------------------------------------

    def answer(self, kind: int, words: dict[str, int]) -> int:
        """Answer a question about the two markets."""
        number = words["instrument"]
        if number and (number < 0 or number >= len(self.instruments)):
            return Reason.UNKNOWN_INSTRUMENT
        for instrument in self.instruments:
            if instrument is None or number not in {0, instrument.number}:
                continue
            market = instrument.body.market
            if kind == Query.WAITING and market in {DEALER, AGENCY}:
                self._answer_waiting(instrument, words["account"])
            elif kind == Query.QUOTES and market == DEALER:
                self.dealer.answer_quote(instrument)
            elif kind == Query.POOLS and market == AGENCY:
                self.agency.answer_pools(instrument)
            elif kind == Query.VENUE_ORDERS and market == AGENCY:
                self.agency.answer_venue_orders(instrument)
        return 0

    def _answer_waiting(self, instrument: Instrument, account: int) -> None:
        for slot in self.waiting.slots_of(account, instrument.number):
            terms = self.waiting.terms(slot)
            venue_order = 0
            if instrument.body.market == DEALER:
                wait = self.dealer.wait_of(instrument, terms)
            else:
                wait, venue_order = self.agency.wait_of(terms[0])
            self.tell(
                Query.WAIT_ANSWER,
                account=account,
                instrument=instrument.number,
                order_id=terms[0],
                wait=wait,
                venue_order=venue_order,
            )

    # -- dump ------------------------------------------------------------------------------------

    def dump(self, words: Words) -> None:
        """Write both markets, instrument by instrument."""
        words.add(self.agency.last_number)
        for instrument in self.instruments:
            if instrument is not None and instrument.body.market == DEALER:
                self.dealer.dump(words, instrument)
            elif instrument is not None and instrument.body.market == AGENCY:
                self.agency.dump(words, instrument)

    def load(self, words: Words, at: int) -> int:
        """Read what dump() wrote; return the place after it."""
        self.dealer.desks.clear()
        self.agency.forget_all()
        self.agency.last_number = words.get(at)
        at += 1
        for instrument in self.instruments:
            if instrument is not None and instrument.body.market == DEALER:
                at = self.dealer.load(words, at, instrument)
            elif instrument is not None and instrument.body.market == AGENCY:
                at = self.agency.load(words, at, instrument)
        return at

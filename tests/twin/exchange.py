"""The whole exchange, slowly: the same commands in, the same events out, no cleverness at all.

Written from the records and the design alone; it shares with the core nothing but records.py.
Every command runs to its end or raises Refusal before the first change.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from fondaco.core.records import (
    ACCOUNT_FIRST,
    ACCOUNT_WORLD,
    ASSET_TOTAL_MAX,
    HEAD_BYTES,
    LAYOUTS,
    AccountBody,
    AssetBody,
    Cause,
    Command,
    Event,
    Execution,
    Flag,
    InstrumentBody,
    OrderStatus,
    OrderType,
    Reason,
    Scope,
    SelfTrade,
    TimeInForce,
    numbers_of,
    pack_body,
    split,
    unpack,
    unpack_body,
)
from tests.twin import definitions, doors
from tests.twin.ledger import Ledger
from tests.twin.limits import Limits
from tests.twin.lists import Lists
from tests.twin.market import BOOK_MARKET, NO_ID, STOPS, ClientId, Market, Order, Refusal, Walk
from tests.twin.outside import Outside
from tests.twin.stops import Stops

__all__ = ["Twin"]

DAY_US: Final = 86_400_000_000
BODIES: Final[dict[int, type[msgspec.Struct]]] = {
    Command.DEFINE_ASSET: AssetBody,
    Command.DEFINE_INSTRUMENT: InstrumentBody,
    Command.OPEN_ACCOUNT: AccountBody,
    Command.CONFIGURE_ACCOUNT: AccountBody,
}
WITHDRAWS: Final = {Command.WITHDRAW: Scope.WITHDRAW}
Words = dict[str, int]
ASKED: Final = LAYOUTS[Command.NEW_ORDER][:9]  # what a repeated order must say again


class Twin:
    """An exchange in dicts and lists; its markets may be exchanged to plant a bug."""

    market_class: type[Market] = Market
    outside_class: type[Outside] = Outside
    stops_class: type[Stops] = Stops
    limits_class: type[Limits] = Limits

    def __init__(self) -> None:
        """Begin with the house's own accounts and nothing else."""
        self.ledger = Ledger()
        self.market = self.market_class(self.ledger)
        self.stops = self.stops_class(self)
        self.lists = Lists(self)
        self.outside = self.outside_class(self)
        self.limits = self.limits_class(self)
        self.assets: dict[int, AssetBody] = {}
        self.accounts: dict[int, AccountBody] = {}  # of members; the house's are known
        self.keys: dict[int, tuple[int, int]] = {}  # number -> account, scopes
        # (account, client id, parameters) -> seq and time of the accepted order
        self.accepted: dict[tuple[int, ClientId, tuple[int, ...]], tuple[int, int]] = {}
        self.accepted_lists: dict[tuple[int, ClientId, tuple[int, ...]], tuple[int, int]] = {}
        self.entries: dict[int, tuple[int, tuple[int, ...]]] = {}
        self.maintenance = False
        self.day = 0
        self.month = 0
        self.seq = 0
        self.time_us = 0
        self._boundaries: list[int] = []

    # ---- the door

    def apply(self, batch: bytes) -> bytes:
        """Apply a run of stamped commands and return the run of their events."""
        run: list[bytes] = []
        self._boundaries = []
        for record in split(batch):
            if numbers_of(record) == 2:
                self._boundaries.append(sum(map(len, run)))
            run += self.apply_one(record)
            self._boundaries.append(sum(map(len, run)))
        return b"".join(run)

    def boundaries(self) -> list[int]:
        """Return where the events of each command of the last batch end."""
        return self._boundaries

    def apply_one(self, record: bytes) -> list[bytes]:
        """Apply one stamped command and return its events."""
        word, seq, time_us, account, key = struct.unpack_from("<5q", record)
        kind = word & 0xFFFF
        self.seq = self.market.seq = seq
        self.time_us = self.market.time_us = time_us
        self.market.account, self.market.key = account, key
        self.market.events = []
        try:
            self.dispatch(kind, record)
        except Refusal as refusal:
            assert not self.market.events
            assert not self.ledger.touched
            details = dict(zip(("detail_0", "detail_1", "detail_2"), refusal.details, strict=True))
            words = {"command": kind, "reason": int(refusal.reason), **details}
            self.market.emit(Event.REFUSED, account=account, **words)
        return self.market.events

    def dispatch(self, kind: int, record: bytes) -> None:
        """Find the command's handler, its words or body, and the right of its key."""
        trading = kind < Command.ADVANCE
        handler: Callable[[Any], None] = getattr(self, Command(kind).name.lower())
        if kind in LAYOUTS and len(record) != HEAD_BYTES + 8 * len(LAYOUTS[kind]):
            raise Refusal(Reason.UNKNOWN_COMMAND)
        if kind == Command.ADVANCE:
            self.outside.advance()
            self.stops.advance()
            self.finish(0)
            return
        scopes = {Scope.TRADE} if trading else {Scope.WITHDRAW} & {WITHDRAWS.get(Command(kind))}
        self.check_key(scopes)
        handler(unpack(record) if kind in LAYOUTS else body_of(kind, record))
        self.finish(unpack(record)["instrument"] if trading else 0)

    def finish(self, first: int) -> None:
        """End a command: robots, levels (those of an instrument first), balances."""
        self.limits.enforce(first)
        self.market.report_levels(first)
        self.limits.tell()
        self.market.report_balances()

    def check_key(self, scopes: set[Any]) -> None:
        """Refuse a key that isn't granted to this account for one of these scopes."""
        key = self.market.key
        if key == 0:
            return
        if key not in self.keys:
            raise Refusal(Reason.UNKNOWN_KEY)
        owner, granted = self.keys[key]
        if owner != self.market.account or not any(granted & scope for scope in scopes):
            raise Refusal(Reason.KEY_SCOPE)

    # ---- orders

    def robot_order(self, words: Words) -> None:
        """Accept an order of who holds a robot's lock."""
        if words["instrument"] not in self.market.instruments:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        if self.is_outside(words["instrument"]):
            raise Refusal(Reason.NOT_SUPPORTED)
        self.limits.check_sender(words)
        self.new_order(words, is_exit=words["flags"] == Flag.EXIT)

    def new_order(self, words: Words, *, is_exit: bool = False) -> None:
        """Accept, match, and rest or end an order."""
        account = words["account"]
        if words["instrument"] not in self.market.instruments:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        if account not in self.accounts:
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        doors.check_account(self.accounts[account], account, maintenance=self.maintenance)
        if self.is_outside(words["instrument"]):
            if account in self.limits.robots:
                raise Refusal(Reason.NOT_ROBOT_MARKET)
            self.outside.new_order(words)
            return
        order = self.order_of(words)
        doors.check_shape(order)
        self.check_retry(order)
        terms = doors.check_terms(self.market, order)
        self.limits.admit(order, terms.lots, is_exit=is_exit)
        self.take_in(order, terms)
        self.stops.run(order.instrument)

    def is_outside(self, number: int) -> bool:
        """Whether an instrument has no book."""
        return self.market.instruments[number].market != BOOK_MARKET

    def remember(self, order: Order) -> None:
        """Remember the client order id of an accepted order."""
        if order.client_id != NO_ID:
            key = (order.account, order.client_id, order.asked)
            self.accepted[key] = (order.order_id, self.time_us)

    def take_in(self, order: Order, terms: doors.Terms) -> None:
        """Carry out an order that nothing stands against."""
        market, walk = self.market, terms.walk
        order.quantity, order.runs_out = terms.lots, terms.runs_out
        if order.price:
            order.time_in_force = order.time_in_force or TimeInForce.GTC
        self.remember(order)
        market.report(order, Execution.NEW)
        if order.armed:
            self.stops.arm(order)
        else:
            self.work(order, walk)

    def work(self, order: Order, walk: Walk) -> None:
        """Let an order meet what it walks into, and rest or end."""
        market = self.market
        may_rest = order.order_type != OrderType.MARKET and order.time_in_force == TimeInForce.GTC
        killed = order.time_in_force == TimeInForce.FOK and walk.filled() < order.remaining
        if not killed:
            market.execute(order, walk)
        if walk.stopped and not killed:
            order.status = OrderStatus.EXPIRED_IN_MATCH
            market.report(order, Execution.TRADE_PREVENTION)
        elif order.remaining and may_rest:
            market.rest(order)
        elif order.remaining or order.runs_out:
            order.status = OrderStatus.EXPIRED
            market.report(order, Execution.EXPIRED)

    def order_of(self, words: Words) -> Order:
        """Return the order that a NEW_ORDER's words describe."""
        armed = words["order_type"] in STOPS
        return Order(
            armed=armed,
            working_us=0 if armed else self.time_us,
            order_id=self.seq,
            account=words["account"],
            instrument=words["instrument"],
            side=words["side"],
            order_type=words["order_type"],
            time_in_force=words["time_in_force"],
            self_trade=words["self_trade"] or SelfTrade.NONE,
            price=words["price_ticks"],
            stop_price=words["stop_price_ticks"],
            quantity=words["quantity_lots"],
            quote_quantity=words["quote_quantity"],
            created_us=self.time_us,
            client_id=client_id(words),
            asked=tuple(words[name] for name in ASKED),
        )

    def check_retry(self, order: Order) -> None:
        """Refuse the client order id of an accepted order while it must not be used again."""
        if order.client_id == NO_ID:
            return
        same = {"account": order.account, "client_id": order.client_id}
        for other in self.market.orders.values():
            if {"account": other.account, "client_id": other.client_id} == same:
                if other.asked == order.asked:
                    raise Refusal(Reason.DUPLICATE_ORDER, other.order_id)
                raise Refusal(Reason.CLIENT_ORDER_ID_OPEN, other.order_id)
        found = self.accepted.get((order.account, order.client_id, order.asked))
        if found is not None and self.time_us - found[1] < DAY_US:
            raise Refusal(Reason.DUPLICATE_ORDER, found[0])

    # ---- cancel and reduce

    def find_open(self, words: Words) -> Order:
        """Return the open order that a command names by one id, or by both, or refuse."""
        account = words["account"]
        if words["instrument"] not in self.market.instruments:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        order_id, wanted = words["order_id"], client_id(words)
        found = [
            order
            for order in self.market.orders.values()
            if (order.account, order.instrument) == (account, words["instrument"])
            and order_id in {0, order.order_id}
            and wanted in {NO_ID, order.client_id}
            and (order_id or wanted != NO_ID)
        ]
        if not found:
            raise Refusal(Reason.UNKNOWN_ORDER, order_id)
        assert len(found) == 1
        return found[0]

    def cancel_order(self, words: Words) -> None:
        """Take one order out of the book, and the other leg of its list."""
        order = self.find_open(words)
        other = self.market.sibling(order)
        for each in [order] if other is None else [order, other]:
            self.cancel(each, [words[f"cancel_id_{place}"] for place in range(4)])

    def new_list(self, words: Words) -> None:
        """Accept two orders of which only one may trade."""
        self.lists.new_list(words)

    robot_list = new_list  # a fence and flags are among its words

    def cancel_list(self, words: Words) -> None:
        """Cancel what is open of a list."""
        self.lists.cancel_list(words)

    def cancel(self, order: Order, ids: list[int]) -> None:
        """Say that the order is cancelled, and take it out."""
        if self.is_outside(order.instrument):
            self.outside.cancel(order, ids)
            return
        order.status = OrderStatus.CANCELED
        words = {f"cancel_id_{place}": word for place, word in enumerate(ids)}
        self.market.report(order, Execution.CANCELED, **words)
        self.market.take_out(order)

    def cancel_all(self, words: Words) -> None:
        """Take all orders of an account on one instrument, or on all, out of the book."""
        account = words["account"]
        if words["instrument"] and words["instrument"] not in self.market.instruments:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        found = [
            order
            for order in self.market.orders.values()
            if order.account == account
            and words["instrument"] in {0, order.instrument}
            and self.outside.may_cancel(order)
        ]
        if not found:
            raise Refusal(Reason.UNKNOWN_ORDER)
        for order in sorted(found, key=lambda order: (order.instrument, order.order_id)):
            self.cancel(order, [0, 0, 0, 0])

    def reduce_order(self, words: Words) -> None:
        """Make the open part smaller; the order keeps its place."""
        if words["instrument"] in self.market.instruments and self.is_outside(words["instrument"]):
            raise Refusal(Reason.NOT_SUPPORTED)
        order = self.find_open(words)
        if words["remaining_lots"] < 1:
            raise Refusal(Reason.INVALID_QUANTITY)
        if self.market.sibling(order) is not None:
            raise Refusal(Reason.ORDER_IN_LIST, order.list_id)
        if words["remaining_lots"] >= order.remaining:
            raise Refusal(Reason.NOT_REDUCED, order.remaining)
        self.market.touch(order)
        order.quantity = order.filled + words["remaining_lots"]
        self.market.hold_owed(order, order.remaining)
        self.market.report(order, Execution.REDUCED)

    def roll(self, words: Words) -> None:
        """Remember the day and the month."""
        self.limits.roll(words)
        self.day, self.month = words["day"], words["month"]

    def lock_robot(self, words: Words) -> None:
        """Give a robot's lock."""
        self.limits.lock(words)

    def unlock_robot(self, words: Words) -> None:
        """Take a robot's lock back."""
        self.limits.unlock(words)

    def kill_robot(self, words: Words) -> None:
        """Turn a robot's kill switch."""
        self.limits.kill(words)

    def configure_house(self, words: Words) -> None:
        """Close the house to new orders, or open it again."""
        if words["maintenance"] not in {0, 1}:
            raise Refusal(Reason.INVALID_DEFINITION)
        self.maintenance = words["maintenance"] == 1
        self.market.emit(Event.HOUSE, account=0, maintenance=words["maintenance"])

    def advance(self, words: Words) -> None:
        """Only the outside markets and stops wait for it: dispatch() asks them."""

    def deadline(self) -> int:
        """Return when ADVANCE has something to do, or 0."""
        return self.stops.deadline() or self.outside.deadline()

    def tombstone(self, words: Words) -> None:
        """Say which command is passed over; the replay has left it out."""
        self.market.emit(Event.SKIPPED, account=0, skipped_seq=words["skipped_seq"])

    # ---- money

    def deposit(self, words: Words) -> None:
        """Bring funds from the world."""
        self.check_move(words, Command.DEPOSIT)
        self.check_total(words["asset"], words["amount"])
        self.move(words, ACCOUNT_WORLD, words["account"], Cause.DEPOSIT)

    def withdraw(self, words: Words) -> None:
        """Send free funds to the world."""
        self.check_move(words, Command.WITHDRAW)
        self.check_free(words)
        self.move(words, words["account"], ACCOUNT_WORLD, Cause.WITHDRAWAL)

    def transfer(self, words: Words) -> None:
        """Move free funds from one account to another."""
        target = words["to_account"]
        if not self.holds_money(words["account"]):
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        if target == words["account"] or not self.holds_money(target):
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        self.check_move(words, Command.TRANSFER)
        self.check_free(words)
        self.move(words, words["account"], target, Cause.TRANSFER)

    def holds_money(self, account: int) -> bool:
        """Say whether money may be moved to and from the account: all but the world's."""
        return account in self.accounts or account in {2, 3, 4}

    def check_move(self, words: Words, kind: int) -> None:
        """Refuse what is nonsense, and a row id that was used, for ever."""
        if not self.holds_money(words["account"]):
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        if words["asset"] not in self.assets:
            raise Refusal(Reason.UNKNOWN_ASSET)
        if not 1 <= words["amount"] <= ASSET_TOTAL_MAX:
            raise Refusal(Reason.INVALID_AMOUNT)
        if words["entry"] < 1:
            raise Refusal(Reason.INVALID_ENTRY)
        if words["entry"] in self.entries:
            seq, before = self.entries[words["entry"]]
            same = before == told(words, kind)
            raise Refusal(Reason.DUPLICATE_ENTRY if same else Reason.ENTRY_CONFLICT, seq)

    def check_free(self, words: Words) -> None:
        """Refuse to move what isn't free."""
        free = self.ledger.of(words["account"], words["asset"]).free
        if words["amount"] > free:
            raise Refusal(Reason.INSUFFICIENT_BALANCE, words["asset"], words["amount"], free)

    def check_total(self, asset: int, amount: int) -> None:
        """Refuse more of an asset than the house can count."""
        if self.ledger.owed(asset) + amount > ASSET_TOTAL_MAX:
            raise Refusal(Reason.TOTAL_TOO_LARGE)

    def move(self, words: Words, debit: int, credit: int, cause: Cause) -> None:
        """Use the row id and move the amount."""
        kind = {
            Cause.DEPOSIT: Command.DEPOSIT,
            Cause.WITHDRAWAL: Command.WITHDRAW,
            Cause.TRANSFER: Command.TRANSFER,
        }[cause]
        self.entries[words["entry"]] = (self.seq, told(words, kind))
        self.post(debit, credit, words["asset"], words["amount"], cause, words["entry"])

    def post(
        self, debit: int, credit: int, asset: int, amount: int, cause: Cause, entry: int
    ) -> None:
        """Move free funds and say so."""
        self.market.emit(
            Event.POSTING,
            account=self.market.account,
            debit_account=debit,
            credit_account=credit,
            asset=asset,
            amount=amount,
            cause=cause,
            entry=entry,
        )
        self.ledger.move(debit, asset, free=-amount, cause=cause)
        self.ledger.move(credit, asset, free=amount, cause=cause)
        self.limits.moved(debit, asset, -amount)
        self.limits.moved(credit, asset, amount)

    # ---- the house

    def tell_body(self, kind: Event, body: msgspec.Struct) -> None:
        """Say a definition."""
        market = self.market
        head = {"seq": self.seq, "time_us": self.time_us}
        event = pack_body(kind, body, account=market.account, key=market.key, **head)
        market.events.append(event)

    def define_asset(self, body: AssetBody) -> None:
        """Define an asset, once."""
        definitions.check_asset(body, self.assets)
        self.assets[body.number] = body
        self.tell_body(Event.ASSET, body)

    def define_instrument(self, body: InstrumentBody) -> None:
        """Define an instrument, or change what may change of it."""
        definitions.check_instrument(body, self.assets, self.market.instruments)
        before = self.market.instruments.get(body.number)
        self.market.instruments[body.number] = body
        self.tell_body(Event.INSTRUMENT, body)
        self.market.hold_anew(body.number)
        self.outside.define(body, before)

    def quote(self, words: Words) -> None:
        """Take a feed's message."""
        self.outside.quote(words)

    def set_reference(self, words: Words) -> None:
        """Set an agency market's reference price."""
        self.outside.set_reference(words)

    def venue_sent(self, words: Words) -> None:
        """Let a worker send a venue order."""
        self.outside.venue_sent(words)

    def venue_unknown(self, words: Words) -> None:
        """Take note that a venue's answer is lost."""
        self.outside.venue_unknown(words)

    def venue_report(self, words: Words) -> None:
        """Take what a venue says."""
        self.outside.venue_report(words)

    def open_account(self, body: AccountBody) -> None:
        """Open an account with what it has from the beginning."""
        account = self.market.account
        if not ACCOUNT_FIRST <= account <= definitions.ACCOUNT_MAX:
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        if account in self.accounts:
            raise Refusal(Reason.ACCOUNT_EXISTS)
        definitions.check_account(body, self.assets)
        for asset, amount in body.opening:
            self.check_total(asset, amount)
        self.accounts[account] = body
        self.market.members[account] = body.member
        self.tell_body(Event.ACCOUNT, body)
        if body.robot is not None:
            self.limits.open(account, body.robot)
        for asset, amount in body.opening:
            if amount:
                self.post(ACCOUNT_WORLD, account, asset, amount, Cause.OPENING, 0)

    def configure_account(self, body: AccountBody) -> None:
        """Freeze an account, or thaw it."""
        if body.opening:
            raise Refusal(Reason.INVALID_BODY)
        known = self.accounts.get(self.market.account)
        if known is None:
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        if (body.member, body.kind) != (known.member, known.kind):
            raise Refusal(Reason.DEFINITION_CONFLICT)
        account = self.market.account
        self.limits.check_change(account, body, self.assets)
        if body.robot is not None:
            self.limits.change(account, body.robot)
        body = msgspec.structs.replace(body, robot=body.robot or known.robot)
        self.accounts[account] = body
        self.tell_body(Event.ACCOUNT, body)

    def grant_key(self, words: Words) -> None:
        """Grant a key to an account, or change its scopes."""
        number, account = words["key_number"], words["account"]
        if account not in self.accounts:
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        if number < 1 or not 1 <= words["scopes"] <= Scope.READ | Scope.TRADE | Scope.WITHDRAW:
            raise Refusal(Reason.INVALID_DEFINITION)
        if self.keys.get(number, (account, 0))[0] != account:
            raise Refusal(Reason.DEFINITION_CONFLICT)
        self.keys[number] = (account, words["scopes"])
        self.tell_key(account, number, words["scopes"])

    def revoke_key(self, words: Words) -> None:
        """Forget a key."""
        number = words["key_number"]
        holder, _ = self.keys.get(number, (0, 0))
        if holder == 0 or words["account"] not in {0, holder}:
            raise Refusal(Reason.UNKNOWN_KEY)
        del self.keys[number]
        self.tell_key(holder, number, 0)

    def tell_key(self, account: int, number: int, scopes: int) -> None:
        """Say what a key may do."""
        self.market.emit(Event.KEY, account=account, key_number=number, scopes=scopes)


def client_id(words: Words) -> ClientId:
    """Return the four words of a client order id; a record without them has none."""
    first, second, third, fourth = (words.get(f"client_order_id_{place}", 0) for place in range(4))
    return first, second, third, fourth


def told(words: Words, kind: int) -> tuple[int, ...]:
    """Return what a repeated money command must say again."""
    return (kind, *(words.get(name, 0) for name in ("account", "asset", "amount", "to_account")))


def body_of(kind: int, record: bytes) -> Any:
    """Return a record's body, or refuse it."""
    size = struct.unpack_from("<q", record, HEAD_BYTES)[0] if len(record) > HEAD_BYTES else 0
    padded = (size + 7) // 8 * 8
    if size < 1 or len(record) != HEAD_BYTES + 8 + padded or any(record[HEAD_BYTES + 8 + size :]):
        raise Refusal(Reason.INVALID_BODY)
    try:
        return msgspec.msgpack.decode(unpack_body(record), type=BODIES[kind])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Reason.INVALID_BODY) from error

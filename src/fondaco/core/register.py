"""The cold commands: assets, instruments, accounts, keys, deposits, withdrawals, transfers.

Promises: each gives its events or one named refusal, decided before anything changes; what was
once defined never changes in meaning; the id of a money command is accepted once, for ever. Plain
Python: none of them is on the path of an order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from fondaco.core.accounts import Accounts
from fondaco.core.constants import (
    ACCOUNT_MAX,
    HOUSE_HEAD,
    KEY_HEAD,
    MEMBER_MAX,
    SKIPPED_HEAD,
)
from fondaco.core.instrument import (
    ASSETS_MAX,
    Instrument,
    check_definition,
    conflicts,
    shares_name,
)
from fondaco.core.ledger import Ledger
from fondaco.core.limits import Limits
from fondaco.core.open_orders import OpenOrders
from fondaco.core.records import (
    ACCOUNT_FIRST,
    ACCOUNT_INVENTORY,
    ACCOUNT_WORLD,
    ASSET_TOTAL_MAX,
    DECIMALS_MAX,
    LAYOUTS,
    VERSION,
    AccountBody,
    AccountKind,
    AssetBody,
    Cause,
    Command,
    Event,
    InstrumentBody,
    Reason,
    Scope,
    pack_body,
    unpack,
    unpack_body,
)

Body = TypeVar("Body", bound=msgspec.Struct)

ASSET_CODE: Final = re.compile(r"[A-Z0-9]{1,16}", re.ASCII)
ACCOUNTS_MAX: Final = 1 << 24
KEYS_MAX: Final = 1 << 24
OPENING_MAX: Final = 256  # balances in one OPEN_ACCOUNT
SCOPES_ALL: Final = Scope.READ | Scope.TRADE | Scope.WITHDRAW


class Register:
    """What the house has defined, and the commands that define it."""

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        open_orders: OpenOrders,
        limits: Limits,
    ) -> None:
        """Make a register without assets, instruments or members."""
        self.events = limits.events
        self.ledger = ledger
        self.accounts = accounts
        self.open_orders = open_orders
        self.limits = limits
        self.outside = limits.outside
        self.orders = open_orders.orders
        self.assets: dict[int, AssetBody] = {}
        self.instruments = limits.instruments
        self._commands: dict[int, Callable[[bytes], int]] = {
            Command.DEPOSIT: self._deposit,
            Command.WITHDRAW: self._withdraw,
            Command.TRANSFER: self._transfer,
            Command.DEFINE_ASSET: self._define_asset,
            Command.DEFINE_INSTRUMENT: self._define_instrument,
            Command.OPEN_ACCOUNT: self._open_account,
            Command.GRANT_KEY: self._grant_key,
            Command.REVOKE_KEY: self._revoke_key,
            Command.CONFIGURE_ACCOUNT: self._configure_account,
            Command.CONFIGURE_HOUSE: self._configure_house,
            Command.TOMBSTONE: self._tombstone,
            **self.outside.commands,
            **limits.commands,
        }

    def carry_out(self, record: bytes) -> None:
        """Carry out one cold command whose head is sound."""
        kind = int.from_bytes(record[:2], "little")
        command = self._commands.get(kind)
        layout = LAYOUTS.get(kind)
        version = int.from_bytes(record[2:4], "little")
        if command is None or version != VERSION:
            self._refuse(kind, Reason.UNKNOWN_COMMAND)
            return
        if layout is not None and len(record) != 40 + 8 * len(layout):
            self._refuse(kind, Reason.UNKNOWN_COMMAND)
            return
        reason = self._check_key(kind) or command(record)
        if reason:
            self._refuse(kind, reason)

    def _refuse(self, kind: int, reason: int) -> None:
        self.events.refuse(kind, reason)

    def _check_key(self, kind: int) -> int:
        """A key may at most withdraw from its own account; all else is the house's."""
        if self.events.key == 0:
            return 0
        scope = int(Scope.WITHDRAW) if kind == Command.WITHDRAW else 0
        return self.accounts.allows(self.events.key, self.events.account, scope)

    def _body(self, record: bytes, kind: type[Body]) -> Body | None:
        """Return the body of a record, or None if it isn't one."""
        size = int.from_bytes(record[40:48], "little", signed=True)
        padded = -(-size // 8) * 8
        if size < 1 or len(record) != 48 + padded or any(record[48 + size :]):
            return None
        try:
            return msgspec.msgpack.decode(unpack_body(record), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _put_body(self, kind: Event, body: msgspec.Struct) -> None:
        events = self.events
        record = pack_body(
            kind,
            body,
            seq=events.seq,
            time_us=events.time_us,
            account=events.account,
            key=events.key,
        )
        events.put_record(record)

    # -- the house and tombstones

    def _configure_house(self, record: bytes) -> int:
        maintenance = unpack(record)["maintenance"]
        if maintenance not in {0, 1}:
            return Reason.INVALID_DEFINITION
        self.orders.checks.maintenance = maintenance
        self.events.put(HOUSE_HEAD, 0, [maintenance])
        return 0

    def _tombstone(self, record: bytes) -> int:
        self.events.put(SKIPPED_HEAD, 0, [unpack(record)["skipped_seq"]])
        return 0

    # -- money

    def _deposit(self, record: bytes) -> int:
        return self._move(record, Command.DEPOSIT)

    def _withdraw(self, record: bytes) -> int:
        return self._move(record, Command.WITHDRAW)

    def _transfer(self, record: bytes) -> int:
        return self._move(record, Command.TRANSFER)

    def _move(self, record: bytes, kind: Command) -> int:
        """Carry out a money command."""
        words = unpack(record)
        account, asset, amount = words["account"], words["asset"], words["amount"]
        entry = words["entry"]
        target = words.get("to_account", 0)
        reason = self._check_move(kind, account, target, asset, amount, entry)
        if reason:
            return reason
        retries = self.orders.retries
        digest = retries.fold([kind, account, target, asset, amount])
        used = retries.entry_seq(entry)
        if used:
            self.events.detail(used, 0, 0)
            same = retries.entry_digest(entry) == digest
            return Reason.DUPLICATE_ENTRY if same else Reason.ENTRY_CONFLICT
        if kind == Command.DEPOSIT:
            if not self.ledger.fits(asset, amount):
                return Reason.TOTAL_TOO_LARGE
            debit, credit, cause = ACCOUNT_WORLD, account, Cause.DEPOSIT
        else:
            free = self.ledger.free_of(account, asset)
            if free < amount:
                self.events.detail(asset, amount, free)
                return Reason.INSUFFICIENT_BALANCE
            debit, credit, cause = account, ACCOUNT_WORLD, Cause.WITHDRAWAL
            if kind == Command.TRANSFER:
                credit, cause = target, Cause.TRANSFER
        retries.enter(entry, self.events.seq, digest)
        self._post(debit, credit, asset, amount, cause, entry)
        return 0

    def _post(
        self, debit: int, credit: int, asset: int, amount: int, cause: int, entry: int
    ) -> None:
        """Move an amount that no trade moves."""
        self.ledger.post(debit, credit, asset, amount, cause, entry)
        self.limits.moved(debit, asset, -amount)
        self.limits.moved(credit, asset, amount)

    def _check_move(
        self, kind: Command, account: int, target: int, asset: int, amount: int, entry: int
    ) -> int:
        if not self._holds_money(account):
            return Reason.UNKNOWN_ACCOUNT
        if kind == Command.TRANSFER and (target == account or not self._holds_money(target)):
            return Reason.UNKNOWN_ACCOUNT
        if asset not in self.assets:
            return Reason.UNKNOWN_ASSET
        if not 1 <= amount <= ASSET_TOTAL_MAX:
            return Reason.INVALID_AMOUNT
        return 0 if entry > 0 else Reason.INVALID_ENTRY

    def _holds_money(self, account: int) -> bool:
        """Whether money may be moved to and from an account: all but the world's."""
        return ACCOUNT_WORLD < account <= ACCOUNT_INVENTORY or (
            ACCOUNT_FIRST <= account < ACCOUNT_MAX and self.accounts.find(account) != 0
        )

    # -- assets and instruments

    def _define_asset(self, record: bytes) -> int:
        body = self._body(record, AssetBody)
        if body is None:
            return Reason.INVALID_BODY
        sound = (
            1 <= body.number <= ASSETS_MAX
            and 0 <= body.decimals <= DECIMALS_MAX
            and ASSET_CODE.fullmatch(body.code) is not None
        )
        if not sound:
            return Reason.INVALID_DEFINITION
        known = self.assets.get(body.number)
        if known is not None and known != body:
            return Reason.DEFINITION_CONFLICT
        if known is None and any(other.code == body.code for other in self.assets.values()):
            return Reason.DEFINITION_CONFLICT
        self.assets[body.number] = body
        self._put_body(Event.ASSET, body)
        return 0

    def _define_instrument(self, record: bytes) -> int:
        body = self._body(record, InstrumentBody)
        if body is None:
            return Reason.INVALID_BODY
        reason = check_definition(body, {n: a.decimals for n, a in self.assets.items()})
        if reason:
            return reason
        known = self.instrument(body.number)
        others = (other.body for other in self.defined() if other.number != body.number)
        if any(shares_name(other, body) for other in others):
            return Reason.DEFINITION_CONFLICT
        if known is None:
            known = self.add_instrument(body.number)
            reference_before = 0
        elif conflicts(known.body, body):
            return Reason.DEFINITION_CONFLICT
        else:
            reference_before = known.body.reference_ticks
        known.define(body)
        self._put_body(Event.INSTRUMENT, body)
        self.open_orders.hold_anew(known)
        self.outside.define(known, reference_before)
        return 0

    def instrument(self, number: int) -> Instrument | None:
        """Return the instrument of this number, or None."""
        return self.instruments[number] if 0 <= number < len(self.instruments) else None

    def add_instrument(self, number: int) -> Instrument:
        """Make an instrument that has no definition yet."""
        while len(self.instruments) <= number:
            self.instruments.append(None)
        fresh = Instrument(number, self.orders.orders, self.orders.levels)
        self.instruments[number] = fresh
        return fresh

    def defined(self) -> list[Instrument]:
        """Return all instruments, by number."""
        return [instrument for instrument in self.instruments if instrument is not None]

    # -- accounts and keys

    def _open_account(self, record: bytes) -> int:
        body = self._body(record, AccountBody)
        if body is None:
            return Reason.INVALID_BODY
        number = self.events.account
        if not ACCOUNT_FIRST <= number < ACCOUNT_MAX:
            return Reason.UNKNOWN_ACCOUNT
        if self.accounts.find(number):
            return Reason.ACCOUNT_EXISTS
        reason = self._check_account(body)
        if reason:
            return reason
        self.accounts.freeze(self.accounts.open(number, body.member, body.kind), body.frozen)
        self._put_body(Event.ACCOUNT, body)
        if body.robot is not None:
            self.limits.open(number, body.robot)
        for asset, amount in body.opening:
            if amount:
                self._post(ACCOUNT_WORLD, number, asset, amount, Cause.OPENING, 0)
        return 0

    def _check_account(self, body: AccountBody) -> int:
        """See that an account may be opened so."""
        kinds = set(AccountKind) - {AccountKind.HOUSE}
        if not 0 <= body.member <= MEMBER_MAX or body.kind not in kinds:
            return Reason.INVALID_DEFINITION
        reason = self.limits.check_terms(body, self.assets)
        if reason:
            return reason
        if len({asset for asset, _ in body.opening}) != len(body.opening) or (
            len(body.opening) > OPENING_MAX
        ):
            return Reason.INVALID_BODY
        for asset, amount in body.opening:
            if asset not in self.assets:
                return Reason.UNKNOWN_ASSET
            if not 0 <= amount <= ASSET_TOTAL_MAX:
                return Reason.INVALID_AMOUNT
            if not self.ledger.fits(asset, amount):
                return Reason.TOTAL_TOO_LARGE
        return 0 if self.accounts.count() < ACCOUNTS_MAX else Reason.CAPACITY

    def _configure_account(self, record: bytes) -> int:
        body = self._body(record, AccountBody)
        if body is None or body.opening:
            return Reason.INVALID_BODY
        slot = self.accounts.find(self.events.account)
        if slot == 0:
            return Reason.UNKNOWN_ACCOUNT
        _, member, kind, _ = self.accounts.describe(slot)
        if (body.member, body.kind) != (member, kind):
            return Reason.DEFINITION_CONFLICT
        number = self.events.account
        reason = self.limits.check_change(number, body, self.assets)
        if reason:
            return reason
        self.accounts.freeze(slot, body.frozen)
        if body.robot is not None:
            self.limits.change(number, body.robot)
        terms = self.limits.terms_of(number)
        self._put_body(Event.ACCOUNT, msgspec.structs.replace(body, robot=terms))
        return 0

    def _grant_key(self, record: bytes) -> int:
        words = unpack(record)
        number, scopes, account = words["key_number"], words["scopes"], words["account"]
        if self.accounts.find(account) == 0:
            return Reason.UNKNOWN_ACCOUNT
        if number < 1 or not 1 <= scopes <= SCOPES_ALL:
            return Reason.INVALID_DEFINITION
        holder = self.accounts.granted_to(number)
        if holder not in {0, account}:
            return Reason.DEFINITION_CONFLICT
        if holder == 0 and self.accounts.keys() >= KEYS_MAX:
            return Reason.CAPACITY
        self.accounts.grant(number, account, scopes)
        self.events.put(KEY_HEAD, account, [number, scopes])
        return 0

    def _revoke_key(self, record: bytes) -> int:
        words = unpack(record)
        number = words["key_number"]
        holder = self.accounts.granted_to(number)
        if holder == 0 or words["account"] not in {0, holder}:
            return Reason.UNKNOWN_KEY
        self.accounts.revoke(number)
        self.events.put(KEY_HEAD, holder, [number, 0])
        return 0

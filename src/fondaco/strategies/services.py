"""Every write of accounts, strategies and tokens, and those that a house file declares.

Promises: names are unique per member, an account is the member's own; a token's text is returned
once and kept only as its SHA-256 with a prefix. Whatever gives or takes the right to report is an
entry of the security log in the same transaction, by which every edge knows of it at once
(strategies.reports). An existing account, strategy or token is never changed by a house file.
"""

from __future__ import annotations

import hashlib
import secrets
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from django.db import transaction
from django.utils import timezone

from fondaco.house.declared import House, MemberEntry, StrategyEntry
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note
from fondaco.identity.services import IdentityConflict
from fondaco.strategies import history
from fondaco.strategies.history import HistoryUnfit
from fondaco.strategies.models import (
    NAME_LENGTH_MAX,
    SYMBOL_LENGTH_MAX,
    BrokerageAccount,
    LedgerState,
    Strategy,
)
from fondaco.strategies.reports import store_history

__all__ = [
    "Imported",
    "StrategyRefused",
    "add_account",
    "add_robot",
    "add_strategy",
    "apply_house",
    "archive_account",
    "archive_strategy",
    "digest_of",
    "digest_of_bytes",
    "edit_account",
    "edit_strategy",
    "end_robot",
    "import_history",
    "make_token",
    "revoke_token",
]

PREFIX: Final = "fns_"
TOKEN_BYTES: Final = 32
PREFIX_CHARACTERS: Final = 10
ACCOUNTS_MAX: Final = 200  # of a member
STRATEGIES_MAX: Final = 1000  # of a member
EVERY_S_MIN: Final = 10
EVERY_S_MAX: Final = 30 * 86_400
ACCOUNT_BY_DEFAULT: Final = "main"  # of a declared strategy that names none


class Imported(NamedTuple):
    """What came of a file: how many reports it gives, how many are new, and from when to when."""

    reports: int
    stored: int
    first_us: int
    last_us: int


class StrategyRefused(Exception):
    """What was asked doesn't fit; `field` is what it is about, "" for none."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


def digest_of(token: str) -> str:
    """Return by what a token is known."""
    return digest_of_bytes(token.encode())


def digest_of_bytes(token: bytes) -> str:
    """Return by what a token is known, of its UTF-8."""
    return hashlib.sha256(token).hexdigest()


# ---- brokerage accounts


@transaction.atomic
def add_account(member: Member, name: str) -> BrokerageAccount:
    """Make a brokerage account; raises StrategyRefused."""
    _lock(member)
    if BrokerageAccount.objects.filter(member=member).count() >= ACCOUNTS_MAX:
        raise StrategyRefused(f"you have {ACCOUNTS_MAX} accounts; rename one instead")
    return BrokerageAccount.objects.create(member=member, name=_free_account_name(member, name))


@transaction.atomic
def edit_account(account: BrokerageAccount, name: str) -> None:
    """Rename a brokerage account; raises StrategyRefused."""
    _check_elsewhere(account)
    _lock(account.member)
    account.name = _free_account_name(account.member, name, account)
    account.save(update_fields=["name"])


@transaction.atomic
def archive_account(account: BrokerageAccount, *, archived: bool, address: str = "") -> None:
    """Put an account away, or take it back; while it is away nothing reports on it."""
    _check_elsewhere(account)
    if (account.archived_at is not None) == archived:
        return
    account.archived_at = timezone.now() if archived else None
    account.save(update_fields=["archived_at"])
    action = Action.BROKERAGE_ACCOUNT_ARCHIVED if archived else Action.BROKERAGE_ACCOUNT_RESTORED
    _note(action, account.member, address, account=account.name)


def _free_account_name(member: Member, name: str, but: BrokerageAccount | None = None) -> str:
    name = _fit(name, "name", NAME_LENGTH_MAX)
    rows = BrokerageAccount.objects.filter(member=member, name=name)
    if (rows if but is None else rows.exclude(pk=but.pk)).exists():
        raise StrategyRefused(f"you have an account {name}; choose another name", field="name")
    return name


# ---- strategies


@transaction.atomic
def add_strategy(
    account: BrokerageAccount,
    *,
    name: str,
    symbol: str = "",
    report_every_s: int | None = None,
    token: str = "",
    address: str = "",
) -> tuple[Strategy, str]:
    """Make a strategy with a token; return both. Raises StrategyRefused."""
    member = account.member
    _lock(member)
    if Strategy.objects.filter(member=member).count() >= STRATEGIES_MAX:
        raise StrategyRefused(f"you have {STRATEGIES_MAX} strategies; rename one instead")
    _check_account(account, member)
    row = Strategy.objects.create(
        member=member,
        account=account,
        name=_free_strategy_name(member, name),
        symbol=_fit(symbol, "symbol", SYMBOL_LENGTH_MAX, may_be_empty=True),
        report_every_s=_every(report_every_s or 0),
    )
    _note(Action.STRATEGY_ADDED, member, address, strategy=row.name)
    return row, make_token(row, text=token, address=address)


@transaction.atomic
def edit_strategy(
    row: Strategy,
    *,
    account: BrokerageAccount,
    name: str,
    symbol: str,
    report_every_s: int | None = None,
) -> None:
    """Change what a strategy is called, where it trades, and how often it is to report.

    Raises StrategyRefused.
    """
    _check_elsewhere(row.account)
    _lock(row.member)
    if account.pk != row.account_id:
        _check_account(account, row.member)
    row.account = account
    row.name = _free_strategy_name(row.member, name, row)
    row.symbol = _fit(symbol, "symbol", SYMBOL_LENGTH_MAX, may_be_empty=True)
    if report_every_s is not None:
        row.report_every_s = _every(report_every_s)
    row.save(update_fields=["account", "name", "symbol", "report_every_s"])


@transaction.atomic
def archive_strategy(row: Strategy, *, archived: bool, address: str = "") -> None:
    """Put a strategy away, or take it back; while it is away its token is none."""
    _check_elsewhere(row.account)
    if (row.archived_at is not None) == archived:
        return
    row.archived_at = timezone.now() if archived else None
    row.save(update_fields=["archived_at"])
    action = Action.STRATEGY_ARCHIVED if archived else Action.STRATEGY_RESTORED
    _note(action, row.member, address, strategy=row.name)


@transaction.atomic
def make_token(row: Strategy, *, text: str = "", address: str = "") -> str:
    """Give a strategy a new token and end the one before; return its text, to be shown once.

    Without `text` it is made by chance. Raises StrategyRefused if the text is in use.
    """
    _check_elsewhere(row.account)
    text = text or PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    digest = digest_of(text)
    if Strategy.objects.filter(token_digest=digest).exclude(pk=row.pk).exists():
        raise StrategyRefused(f"token {text[:6]}… is in use; choose another", field="token")
    row.token_digest = digest
    row.token_prefix = text[: min(PREFIX_CHARACTERS, len(text) // 3)]
    row.token_made_at = timezone.now()
    row.save(update_fields=["token_digest", "token_prefix", "token_made_at"])
    _note(
        Action.STRATEGY_TOKEN_MADE, row.member, address, strategy=row.name, prefix=row.token_prefix
    )
    return text


@transaction.atomic
def revoke_token(row: Strategy, *, address: str = "") -> None:
    """End a strategy's token; it has none until one is made."""
    if row.token_digest is None:
        return
    prefix = row.token_prefix
    row.token_digest, row.token_prefix = None, ""
    row.save(update_fields=["token_digest", "token_prefix"])
    _note(Action.STRATEGY_TOKEN_REVOKED, row.member, address, strategy=row.name, prefix=prefix)


def import_history(
    row: Strategy, text: str, *, kind: str, start: str = "", now_us: int, address: str = ""
) -> Imported:
    """Take a strategy's past from a file's text; raises HistoryUnfit, having stored nothing.

    A robot's is the ledger's own: StrategyRefused.

    `kind` is one of history.FORMATS, `start` the balance before the first trade, as text. What is
    there already stays as it is, so that the same file again stores nothing.
    """
    _check_elsewhere(row.account)
    balance = None
    if start.strip():
        try:
            balance = Decimal(start.strip())
        except InvalidOperation:
            balance = Decimal("NaN")
        if not balance.is_finite() or abs(balance.adjusted()) > history.MAGNITUDE_MAX:
            raise HistoryUnfit([f"the starting balance is {start[:40]!r}; it must be a number"])
    found = history.read(text, kind, start=balance, now_us=now_us)
    if not found:
        raise HistoryUnfit(["there is no report or trade in the file"])
    stored = store_history(row.pk, found)
    if stored:
        with transaction.atomic():
            _note(
                Action.STRATEGY_HISTORY_IMPORTED, row.member, address,
                strategy=row.name, format=kind, reports=str(stored),
            )  # fmt: skip
    return Imported(len(found), stored, found[0].created_us, found[-1].created_us)


def _free_strategy_name(member: Member, name: str, but: Strategy | None = None) -> str:
    name = _fit(name, "name", NAME_LENGTH_MAX)
    rows = Strategy.objects.filter(member=member, name=name)
    if (rows if but is None else rows.exclude(pk=but.pk)).exists():
        raise StrategyRefused(f"you have a strategy {name}; choose another name", field="name")
    return name


def _check_account(account: BrokerageAccount, member: Member) -> None:
    if account.member_id != member.pk or account.robot:
        raise StrategyRefused("you have no such account", field="account")
    if account.archived_at is not None:
        raise StrategyRefused(f"account {account} is archived; choose another", field="account")


def _fit(text: str, field: str, length_max: int, *, may_be_empty: bool = False) -> str:
    text = text.strip()
    if (not text and not may_be_empty) or len(text) > length_max or not text.isprintable():
        least = 0 if may_be_empty else 1
        raise StrategyRefused(
            f"{field} must have {least} to {length_max} printable characters", field=field
        )
    return text


def _every(seconds: int) -> int:
    if seconds and not EVERY_S_MIN <= seconds <= EVERY_S_MAX:
        raise StrategyRefused(
            f"give {EVERY_S_MIN} to {EVERY_S_MAX:,} seconds, or 0 for no alert",
            field="report_every_s",
        )
    return seconds


def _lock(member: Member) -> None:
    """Let changes of one member's names wait for each other."""
    Member.objects.select_for_update().get(pk=member.pk)


def _note(action: Action, member: Member, address: str, **details: str) -> None:
    note(action, actor=member, subject=member, address=address, **details)


# ---- robots of ours


@transaction.atomic
def add_robot(member: Member, robot: str, *, number: int) -> Strategy:
    """Let an account of the ledger be told among its member's strategies, without a token."""
    _lock(member)
    name = robot[:NAME_LENGTH_MAX]
    while (
        Strategy.objects.filter(member=member, name=name).exists()
        or BrokerageAccount.objects.filter(member=member, name=name).exists()
    ):  # the member's own is called so
        name = f"robot {name}"[:NAME_LENGTH_MAX] if "robot" not in name else f"{name[:-1]}*"
    account = BrokerageAccount.objects.create(member=member, name=name, robot=robot)
    LedgerState.objects.create(account=account, number=number)
    return Strategy.objects.create(member=member, account=account, name=name)


@transaction.atomic
def end_robot(robot: str) -> None:
    """Put the account of a closed robot away; its record stays."""
    rows = BrokerageAccount.objects.filter(robot=robot, archived_at__isnull=True)
    rows.update(archived_at=timezone.now())


def _check_elsewhere(account: BrokerageAccount) -> None:
    if account.robot:
        raise StrategyRefused(f"{account} is a robot of this house; change the robot instead")


# ---- the house file


def apply_house(house: House) -> None:
    """Make the accounts and strategies that the house file declares and are missing.

    Idempotent. Raises IdentityConflict for a token that is another strategy's.
    """
    for entry in house.members:
        if entry.brokerage_accounts or entry.strategies:
            with transaction.atomic():
                _apply_member(entry, Member.objects.get(username__iexact=entry.username))


def _apply_member(entry: MemberEntry, member: Member) -> None:
    names = [each.name for each in entry.brokerage_accounts]
    if any(not each.brokerage_account for each in entry.strategies):
        names.append(ACCOUNT_BY_DEFAULT)
    for name in names:
        if not BrokerageAccount.objects.filter(member=member, name=name.strip()).exists():
            add_account(member, name)
    for strategy in entry.strategies:
        if not Strategy.objects.filter(member=member, name=strategy.name.strip()).exists():
            _add_declared(strategy, member)


def _add_declared(entry: StrategyEntry, member: Member) -> None:
    name = (entry.brokerage_account or ACCOUNT_BY_DEFAULT).strip()
    account = BrokerageAccount.objects.get(member=member, name=name)
    try:
        row, _ = add_strategy(
            account, name=entry.name, symbol=entry.symbol, token=entry.access_token
        )
    except StrategyRefused as refusal:
        raise IdentityConflict(
            f"strategy {entry.name} of {member} in the house file: {refusal}"
        ) from refusal
    if not entry.access_token:
        revoke_token(row)  # nobody has seen it

"""What people and programs send about money, checked and turned into calls of the services.

Promises: pages and API use the same functions, so neither allows what the other doesn't; an
unknown field moves nothing, an account of another member is as unknown as one that isn't there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from fondaco.core.money import parse_units
from fondaco.identity.core_door import Core
from fondaco.identity.models import Account, Member
from fondaco.office.callers import is_proven
from fondaco.office.treasury import selectors, services
from fondaco.office.treasury.commands import FieldRefused, MoneyRefused
from fondaco.office.treasury.models import Deposit, Transfer, Withdrawal
from fondaco.projections.selectors import asset_codes

__all__ = ["NotYours", "deposit", "transfer", "withdraw"]

TEXT_MAX = 200


class NotYours(Exception):
    """No account of that number, or another member's."""


def withdraw(
    core: Core, fields: Mapping[str, Any], by: Member, *, request: HttpRequest, only: int = 0
) -> Withdrawal:
    """Ask for a withdrawal: account, asset, amount, destination, password.

    Only that account, if one is named in `only`, here as below. Wrong passwords are counted:
    raises TooManyTries.
    """
    password = _text(fields, "password")
    if not is_proven(request, by, lambda: by.check_password(password)):
        raise FieldRefused("password", "give your password again; this one isn't it")
    asset, amount = _amount(fields)
    destination = _text(fields, "destination")
    if not destination:
        raise FieldRefused("destination", "say where the money shall go")
    return services.ask_withdrawal(
        core,
        account=_own(fields, "account", by, only),
        asset=asset,
        amount=amount,
        destination=destination,
        by=by,
    )


def transfer(core: Core, fields: Mapping[str, Any], by: Member, *, only: int = 0) -> Transfer:
    """Move money between own accounts: account, to_account, asset, amount."""
    asset, amount = _amount(fields)
    return services.transfer(
        core,
        source=_own(fields, "account", by, only),
        target=_own(fields, "to_account", by, only),
        asset=asset,
        amount=amount,
        by=by,
    )


def deposit(core: Core, fields: Mapping[str, Any], by: Member) -> Deposit:
    """Record a deposit: username, account (their first one when absent), asset, amount, note."""
    member = Member.objects.filter(username__iexact=_text(fields, "username")).first()
    if member is None:
        raise FieldRefused("username", "no member has that name")
    asset, amount = _amount(fields)
    theirs = selectors.accounts(member)
    if not theirs:
        raise MoneyRefused(f"{member.username} has no account yet")
    account = _own(fields, "account", member) if fields.get("account") else theirs[0]
    return services.ask_deposit(
        core, account=account, asset=asset, amount=amount, note=_text(fields, "note"), by=by
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise FieldRefused(name, f"{name} must be text of at most {TEXT_MAX} characters")
    return value.strip() if name != "password" else value


def _amount(fields: Mapping[str, Any]) -> tuple[int, int]:
    """Return the asset's number and the amount in units."""
    wanted = _text(fields, "asset").upper()
    for number, (code, decimals) in asset_codes().items():
        if code == wanted:
            text = _text(fields, "amount")
            try:
                return number, parse_units(text, decimals)
            except ValueError as error:
                raise FieldRefused("amount", f"amount {text!r}: {error}") from error
    raise FieldRefused("asset", "the house has no such asset")


def _own(fields: Mapping[str, Any], name: str, member: Member, only: int = 0) -> Account:
    text = str(fields.get(name, ""))
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
    for account in selectors.accounts(member, only=only):
        if account.pk == number:
            return account
    raise NotYours(text)

"""The money pages: a member's own, and staff's.

Promises: views only translate; a refusal is told in words on the page that it came from, and
nothing has moved. Staff's page is 403 without the permission. None of it asks for a membership.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from fondaco.identity.models import Member
from fondaco.identity.permissions import Permission, may
from fondaco.identity.selectors import member_of
from fondaco.link.answers import LinkError
from fondaco.office import writer
from fondaco.office.callers import TooManyTries
from fondaco.office.treasury import asking, selectors, services
from fondaco.office.treasury.commands import MoneyRefused
from fondaco.office.treasury.models import Deposit, Withdrawal
from fondaco.projections.selectors import asset_codes

__all__ = [
    "approve_deposit",
    "approve_withdrawal",
    "cancel",
    "deposit",
    "money",
    "open_account",
    "staff_money",
    "transfer",
    "withdraw",
]

OWN = "/money/"
STAFF = "/staff/money/"
UNKNOWN = "The house didn't answer. Look here again in a moment: what you asked for isn't lost."


def _codes() -> list[str]:
    return sorted(code for code, _ in asset_codes().values())


def _then(
    request: HttpRequest, back: str, done: str, act: Callable[[], object]
) -> HttpResponseRedirect:
    """Act, tell what came of it, and lead back."""
    try:
        act()
    except (MoneyRefused, TooManyTries) as refusal:
        messages.error(request, f"Refused: {refusal}.")
    except LinkError:
        messages.error(request, UNKNOWN)
    except (asking.NotYours, Deposit.DoesNotExist, Withdrawal.DoesNotExist) as error:
        raise Http404 from error
    else:
        messages.success(request, done)
    return HttpResponseRedirect(back)


# ---- a member's own


@require_safe
@never_cache
@login_required
def money(request: HttpRequest) -> HttpResponse:
    """Show a member's accounts, deposits and withdrawals, with the forms that move money."""
    member = member_of(request.user)
    own = selectors.accounts(member)
    try:
        shown = [(account, selectors.balances(writer.core(), account)) for account in own]
    except LinkError:
        shown = [(account, []) for account in own]
        messages.error(request, "Balances can't be read just now.")
    context = {
        "accounts": shown,
        "assets": _codes(),
        "withdrawals": selectors.withdrawals(member),
        "deposits": selectors.deposits(member),
    }
    return render(request, "office/treasury/money.html", context)


@require_POST
@login_required
def withdraw(request: HttpRequest) -> HttpResponse:
    member = member_of(request.user)
    return _then(
        request,
        OWN,
        "The withdrawal is held and waits for approval.",
        lambda: asking.withdraw(writer.core(), request.POST.dict(), member, request=request),
    )


@require_POST
@login_required
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    member = member_of(request.user)
    _require_own(member, number)
    return _then(
        request,
        OWN,
        "The withdrawal is cancelled and its amount is free again.",
        lambda: services.cancel_withdrawal(writer.core(), number=number, by=member),
    )


def _require_own(member: Member, number: int) -> None:
    """404 for another member's withdrawal, as for none."""
    if not selectors.is_own_withdrawal(member, number):
        raise Http404


@require_POST
@login_required
def transfer(request: HttpRequest) -> HttpResponse:
    member = member_of(request.user)
    return _then(
        request,
        OWN,
        "The money is moved.",
        lambda: asking.transfer(writer.core(), request.POST.dict(), member),
    )


@require_POST
@login_required
def open_account(request: HttpRequest) -> HttpResponse:
    member = member_of(request.user)
    name = request.POST.get("name", "").strip()[:64]
    return _then(
        request,
        OWN,
        "The account is open.",
        lambda: services.open_sub_account(writer.core(), member=member, name=name),
    )


# ---- staff's


def _require(request: HttpRequest, *permissions: Permission) -> Member:
    member = member_of(request.user)
    if not any(may(member, permission) for permission in permissions):
        raise PermissionDenied
    return member


@require_safe
@never_cache
@login_required
def staff_money(request: HttpRequest) -> HttpResponse:
    """Show what waits for approval, and the form that records a deposit."""
    member = _require(request, Permission.MOVE_MONEY, Permission.APPROVE_MONEY)
    context = {
        "assets": _codes(),
        "withdrawals": selectors.waiting_withdrawals(),
        "deposits": selectors.waiting_deposits(),
        "may_move": may(member, Permission.MOVE_MONEY),
    }
    return render(request, "office/treasury/staff.html", context)


@require_POST
@login_required
def deposit(request: HttpRequest) -> HttpResponse:
    member = _require(request, Permission.MOVE_MONEY)
    return _then(
        request,
        STAFF,
        "The deposit is recorded.",
        lambda: asking.deposit(writer.core(), request.POST.dict(), member),
    )


@require_POST
@login_required
def approve_withdrawal(request: HttpRequest, number: int) -> HttpResponse:
    member = _require(request, Permission.APPROVE_MONEY)
    return _then(
        request,
        STAFF,
        "Your approval is recorded.",
        lambda: services.approve_withdrawal(writer.core(), number=number, by=member),
    )


@require_POST
@login_required
def approve_deposit(request: HttpRequest, number: int) -> HttpResponse:
    member = _require(request, Permission.APPROVE_MONEY)
    return _then(
        request,
        STAFF,
        "Your approval is recorded.",
        lambda: services.approve_deposit(writer.core(), number=number, by=member),
    )

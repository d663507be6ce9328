"""Money for programs: what the money pages do, under /api/v1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import member_of
from fondaco.link.answers import LinkError, Overloaded
from fondaco.office.treasury import asking, selectors, services
from fondaco.office.treasury.commands import MoneyRefused
from fondaco.office.treasury.models import Deposit, Withdrawal
from fondaco.office.writer import core

__all__ = [
    "Accounts",
    "ApproveDeposit",
    "ApproveWithdrawal",
    "CancelWithdrawal",
    "Deposits",
    "Transfers",
    "Withdrawals",
]


def _answer(act: Callable[[], dict[str, Any]], *, made: bool = False) -> Response:
    """Act and answer in the words of the native routes."""
    try:
        words = act()
    except MoneyRefused as refusal:
        return Response({"error": str(refusal)}, status=status.HTTP_409_CONFLICT)
    except Overloaded as error:
        return Response({"error": str(error)}, status=status.HTTP_503_SERVICE_UNAVAILABLE)
    except LinkError as error:
        return Response({"error": str(error)}, status=status.HTTP_504_GATEWAY_TIMEOUT)
    except (asking.NotYours, Deposit.DoesNotExist, Withdrawal.DoesNotExist) as error:
        raise Http404("There is none of that number.") from error
    return Response(words, status=status.HTTP_201_CREATED if made else status.HTTP_200_OK)


def _fields(request: Request) -> dict[str, Any]:
    return request.data if isinstance(request.data, dict) else {}


class MoneyView(APIView):
    """A token reads with the scope `reads` and changes something with `writes`."""

    reads = "read"
    writes = "withdraw"

    @property
    def scope(self) -> str:
        return self.reads if self.request.method in {"GET", "HEAD", "OPTIONS"} else self.writes


class Accounts(MoneyView):
    """GET a member's accounts with their balances; POST {"name"} opens a sub-account."""

    writes = "trade"

    def get(self, request: Request) -> Response:
        member = member_of(request.user)
        return _answer(
            lambda: {
                "accounts": [
                    {
                        "id": account.pk,
                        "name": account.name,
                        "balances": selectors.balances(core(), account),
                    }
                    for account in selectors.accounts(member)
                ]
            }
        )

    def post(self, request: Request) -> Response:
        member = member_of(request.user)
        name = str(_fields(request).get("name", "")).strip()[:64]

        def act() -> dict[str, Any]:
            account = services.open_sub_account(core(), member=member, name=name)
            return {"id": account.pk, "name": account.name, "balances": []}

        return _answer(act, made=True)


class Transfers(MoneyView):
    """POST {"account","to_account","asset","amount"} between a member's own accounts."""

    writes = "trade"

    def post(self, request: Request) -> Response:
        member = member_of(request.user)
        fields = _fields(request)
        return _answer(
            lambda: selectors.transfer_words(asking.transfer(core(), fields, member)), made=True
        )


class Withdrawals(MoneyView):
    """GET a member's withdrawals; POST {"account","asset","amount","destination","password"}."""

    def get(self, request: Request) -> Response:
        return Response({"withdrawals": selectors.withdrawals(member_of(request.user))})

    def post(self, request: Request) -> Response:
        member = member_of(request.user)
        fields = _fields(request)
        return _answer(
            lambda: selectors.withdrawal_words(asking.withdraw(core(), fields, member)), made=True
        )


class CancelWithdrawal(MoneyView):
    """POST gives an own held withdrawal back."""

    def post(self, request: Request, number: int) -> Response:
        member = member_of(request.user)
        if not Withdrawal.objects.filter(pk=number, account__member=member).exists():
            raise Http404("There is none of that number.")
        return _answer(
            lambda: selectors.withdrawal_words(
                services.cancel_withdrawal(core(), number=number, by=member)
            )
        )


class ApproveWithdrawal(MoneyView):
    """POST adds one person's yes."""

    permission = Permission.APPROVE_MONEY

    def post(self, request: Request, number: int) -> Response:
        member = member_of(request.user)
        return _answer(
            lambda: selectors.withdrawal_words(
                services.approve_withdrawal(core(), number=number, by=member)
            )
        )


class Deposits(MoneyView):
    """GET a member's deposits; POST {"username","account"?,"asset","amount","note"?} by staff."""

    writes = ""  # no token does what staff do

    def get(self, request: Request) -> Response:
        return Response({"deposits": selectors.deposits(member_of(request.user))})

    def post(self, request: Request) -> Response:
        member = member_of(request.user)
        fields = _fields(request)
        return _answer(
            lambda: selectors.deposit_words(asking.deposit(core(), fields, member)), made=True
        )


class ApproveDeposit(MoneyView):
    """POST lets a deposit above the limit in."""

    permission = Permission.APPROVE_MONEY

    def post(self, request: Request, number: int) -> Response:
        member = member_of(request.user)
        return _answer(
            lambda: selectors.deposit_words(
                services.approve_deposit(core(), number=number, by=member)
            )
        )

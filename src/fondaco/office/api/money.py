"""Money for programs: what the money pages do, under /api/v1."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.callers import bound_account
from fondaco.office.api.faults import writer_asked
from fondaco.office.api.scoped import ScopedView
from fondaco.office.treasury import asking, selectors, services
from fondaco.office.treasury.models import Deposit, Withdrawal

__all__ = [
    "Accounts",
    "ApproveDeposit",
    "ApproveWithdrawal",
    "CancelWithdrawal",
    "Deposits",
    "Transfers",
    "WaitingMoney",
    "Withdrawals",
]


# ---- shapes: asking.py reads these fields, for pages as for programs


class BalanceWords(serializers.Serializer):
    asset = serializers.CharField()
    free = serializers.CharField()
    held = serializers.CharField()


class AccountWords(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    balances = BalanceWords(many=True)


class AccountsWords(serializers.Serializer):
    accounts = AccountWords(many=True)


class AccountBody(serializers.Serializer):
    name = serializers.CharField(max_length=64)


class MovedWords(serializers.Serializer):
    """What a deposit, a withdrawal and a transfer tell alike; each adds its own."""

    id = serializers.IntegerField()
    account = serializers.IntegerField()
    account_name = serializers.CharField()
    member = serializers.CharField()
    asset = serializers.CharField()
    amount = serializers.CharField()
    created_at = serializers.DateTimeField()


class TransferWords(MovedWords):
    to_account = serializers.IntegerField()


class WithdrawalWords(MovedWords):
    state = serializers.CharField(help_text=", ".join(Withdrawal.State.values))
    destination = serializers.CharField()
    due_at = serializers.DateTimeField()
    approvals = serializers.IntegerField()
    approvals_needed = serializers.IntegerField()


class DepositWords(MovedWords):
    state = serializers.CharField(help_text=", ".join(Deposit.State.values))
    note = serializers.CharField()


class TransferBody(serializers.Serializer):
    account = serializers.IntegerField()
    to_account = serializers.IntegerField()
    asset = serializers.CharField()
    amount = serializers.CharField(help_text="decimal text, exact")


class WithdrawalBody(serializers.Serializer):
    account = serializers.IntegerField()
    asset = serializers.CharField()
    amount = serializers.CharField(help_text="decimal text, exact")
    destination = serializers.CharField(max_length=200)
    password = serializers.CharField(help_text="of the member, again")


class DepositBody(serializers.Serializer):
    username = serializers.CharField()
    account = serializers.IntegerField(required=False)
    asset = serializers.CharField()
    amount = serializers.CharField(help_text="decimal text, exact")
    note = serializers.CharField(max_length=200, required=False)


class WithdrawalsWords(serializers.Serializer):
    withdrawals = WithdrawalWords(many=True)


class DepositsWords(serializers.Serializer):
    deposits = DepositWords(many=True)


class WaitingWords(WithdrawalsWords, DepositsWords):
    pass


def _fields(request: Request) -> dict[str, Any]:
    return request.data if isinstance(request.data, dict) else {}


class MoneyView(ScopedView):
    def handle_exception(self, exc: Exception) -> Response:
        """Take what isn't there, or another's, for a 404."""
        if isinstance(exc, asking.NotYours | Deposit.DoesNotExist | Withdrawal.DoesNotExist):
            exc = Http404("There is none of that number.")
        return super().handle_exception(exc)


class Accounts(MoneyView):
    writes = "trade"

    @property
    def member_wide(self) -> bool:
        """A key of one account opens no other."""
        return str(self.request.method) == "POST"

    @extend_schema(responses=AccountsWords)
    def get(self, request: Request) -> Response:
        """List the member's accounts with their balances; a key sees its own."""
        found = selectors.accounts(member_of(request.user), only=bound_account(request))
        with writer_asked():
            rows = [
                {
                    "id": account.pk,
                    "name": account.name,
                    "balances": selectors.balances(writer.core(), account),
                }
                for account in found
            ]
        return Response({"accounts": rows})

    @extend_schema(request=AccountBody, responses={201: AccountWords})
    def post(self, request: Request) -> Response:
        """Open a sub-account."""
        member = member_of(request.user)
        name = str(_fields(request).get("name", "")).strip()[:64]
        with writer_asked():
            account = services.open_sub_account(writer.core(), member=member, name=name)
        words = {"id": account.pk, "name": account.name, "balances": []}
        return Response(words, status=status.HTTP_201_CREATED)


class Transfers(MoneyView):
    writes = "trade"

    @extend_schema(request=TransferBody, responses={201: TransferWords})
    def post(self, request: Request) -> Response:
        """Move money between two accounts of the member."""
        member, only = member_of(request.user), bound_account(request)
        with writer_asked():
            row = asking.transfer(writer.core(), _fields(request), member, only=only)
        return Response(selectors.transfer_words(row), status=status.HTTP_201_CREATED)


class Withdrawals(MoneyView):
    @extend_schema(responses=WithdrawalsWords)
    def get(self, request: Request) -> Response:
        """List the member's withdrawals, newest first."""
        member = member_of(request.user)
        return Response({"withdrawals": selectors.withdrawals(member, only=bound_account(request))})

    @extend_schema(request=WithdrawalBody, responses={201: WithdrawalWords})
    def post(self, request: Request) -> Response:
        """Ask for a withdrawal: its amount is held at once."""
        member, only = member_of(request.user), bound_account(request)
        asked = request._request  # noqa: SLF001 - django-allauth counts by Django's
        with writer_asked():
            row = asking.withdraw(writer.core(), _fields(request), member, request=asked, only=only)
        return Response(selectors.withdrawal_words(row), status=status.HTTP_201_CREATED)


class CancelWithdrawal(MoneyView):
    @extend_schema(request=None, responses=WithdrawalWords)
    def post(self, request: Request, number: int) -> Response:
        """Give an own held withdrawal back."""
        member = member_of(request.user)
        if not selectors.is_own_withdrawal(member, number, only=bound_account(request)):
            raise Http404("There is none of that number.")
        with writer_asked():
            row = services.cancel_withdrawal(writer.core(), number=number, by=member)
        return Response(selectors.withdrawal_words(row))


class ApproveWithdrawal(MoneyView):
    permission = Permission.APPROVE_MONEY

    @extend_schema(request=None, responses=WithdrawalWords)
    def post(self, request: Request, number: int) -> Response:
        """Add one person's yes; by staff."""
        member = member_of(request.user)
        with writer_asked():
            row = services.approve_withdrawal(writer.core(), number=number, by=member)
        return Response(selectors.withdrawal_words(row))


class Deposits(MoneyView):
    @property
    def permission(self) -> Permission | None:
        """A member reads their own; staff write."""
        return Permission.MOVE_MONEY if str(self.request.method) == "POST" else None

    @extend_schema(responses=DepositsWords)
    def get(self, request: Request) -> Response:
        """List the member's deposits, newest first."""
        member = member_of(request.user)
        return Response({"deposits": selectors.deposits(member, only=bound_account(request))})

    @extend_schema(request=DepositBody, responses={201: DepositWords})
    def post(self, request: Request) -> Response:
        """Record a deposit of a member; by staff."""
        member = member_of(request.user)
        with writer_asked():
            row = asking.deposit(writer.core(), _fields(request), member)
        return Response(selectors.deposit_words(row), status=status.HTTP_201_CREATED)


class ApproveDeposit(MoneyView):
    permission = Permission.APPROVE_MONEY

    @extend_schema(request=None, responses=DepositWords)
    def post(self, request: Request, number: int) -> Response:
        """Let a deposit above the limit in; by staff."""
        member = member_of(request.user)
        with writer_asked():
            row = services.approve_deposit(writer.core(), number=number, by=member)
        return Response(selectors.deposit_words(row))


class WaitingMoney(MoneyView):
    permission = Permission.APPROVE_MONEY

    @extend_schema(responses=WaitingWords)
    def get(self, _request: Request) -> Response:
        """List what waits for staff, oldest first."""
        return Response(
            {
                "withdrawals": selectors.waiting_withdrawals(),
                "deposits": selectors.waiting_deposits(),
            }
        )

"""The users' API, as its callers have always sent it: /api/users/.

Promises: bodies, statuses and texts of the older system; what it got wrong is refused: amounts at
or below zero, orders without funds or shares. A user is a member; a member sees and trades for
themselves, staff and an open door for all. Money in and out at once is for those alone, and so is
making and removing users; who changes their own name or password gives the present one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.core.money import parse_units
from fondaco.core.records import AccountKind, Command, Side
from fondaco.house.checks import is_username
from fondaco.identity.models import Account, ApiKey, Member
from fondaco.identity.permissions import Permission, may
from fondaco.office import writer
from fondaco.office.api.callers import holds_staff_scope
from fondaco.office.api.faults import Conflict, NotDone, writer_asked
from fondaco.office.api.numbers import PlainDecimal
from fondaco.office.api.open_door import OpenView, is_free, sees_all
from fondaco.office.api.stocks import DealWords
from fondaco.office.callers import address_of, is_proven
from fondaco.office.orders import services as orders
from fondaco.office.orders.selectors import HistoryBehind, caught_up, ticks_of
from fondaco.office.orders.services import Funds, OrderRefused, Terms
from fondaco.office.stocks import selectors, services
from fondaco.office.stocks.services import NoFunds, UserRefused
from fondaco.projections.selectors import InstrumentRow, asset_codes

__all__ = ["Buy", "DepositNow", "OneUser", "Sell", "Users", "WithdrawNow"]

LISTED_MAX: Final = 1000
DIGITS: Final = {"max_digits": 30, "decimal_places": 12}
COUNT_MAX: Final = 10**15
PLACED: Final = "your order is being placed"


class UserForm(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(
        max_length=128, trim_whitespace=False, style={"input_type": "password"}
    )
    balance = PlainDecimal(**DIGITS, min_value=0, required=False)


class ChangeForm(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(
        max_length=128, trim_whitespace=False, style={"input_type": "password"}
    )
    current_password = serializers.CharField(
        max_length=128,
        required=False,
        trim_whitespace=False,
        style={"input_type": "password"},
        help_text="of who changes themselves",
    )


class AmountForm(serializers.Serializer):
    amount = PlainDecimal(**DIGITS)


class OrderForm(serializers.Serializer):
    stock_id = serializers.CharField(max_length=64)
    total = serializers.IntegerField(min_value=1, max_value=COUNT_MAX)
    lower_bound = PlainDecimal(**DIGITS, min_value=0)
    upper_bound = PlainDecimal(**DIGITS, min_value=0)


class UserWords(serializers.Serializer):
    id = serializers.IntegerField()
    username = serializers.CharField()
    email = serializers.CharField()
    balance = serializers.FloatField()


class HoldingWords(serializers.Serializer):
    stock_id = serializers.CharField()
    name = serializers.CharField()
    total_count = serializers.FloatField()


class OwnDealWords(DealWords):
    stock = serializers.CharField()


class WholeUserWords(serializers.Serializer):
    username = serializers.CharField()
    email = serializers.CharField()
    balance = serializers.FloatField()
    stocks = HoldingWords(many=True)
    recent_transactions = OwnDealWords(many=True)


class PlacedWords(serializers.Serializer):
    message = serializers.CharField()


class UsersView(OpenView):
    staff_writes = True  # each view below says what staff may

    def handle_exception(self, exc: Exception) -> Response:
        """Say a refusal by the field at fault, or as a sentence."""
        if isinstance(exc, HistoryBehind):
            exc = NotDone(str(exc))
        if isinstance(exc, UserRefused):
            exc = ValidationError({exc.field or "error": [str(exc)] if exc.field else str(exc)})
        return super().handle_exception(exc)

    def check_moves_money(self, request: Request) -> Member | None:
        """Return the person of staff who asks, None at an open door; raise 403 for others."""
        if is_free(request):
            return None
        member = request.user
        is_staff = isinstance(member, Member) and may(member, Permission.MOVE_MONEY)
        if not is_staff or not (request.auth is None or holds_staff_scope(request)):
            raise PermissionDenied("Only staff may do this.")
        return member if isinstance(member, Member) else None


class Users(UsersView):
    form = UserForm

    @extend_schema(
        operation_id="api_users_list",
        parameters=[OpenApiParameter("after", int, description="only ids above this one")],
        responses=UserWords(many=True),
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """List the users by id, at most 1,000; a member sees themselves."""
        text = str(request.query_params.get("after", "0"))
        after = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
        rows = Account.objects.select_related("member").order_by("member_id")
        rows = rows.filter(
            opened_at__isnull=False, kind=AccountKind.SPOT.value, member__left_at__isnull=True
        ).filter(member_id__gt=after)
        if not sees_all(request):
            rows = rows.filter(member=request.user)
        if isinstance(request.auth, ApiKey):
            rows = rows.filter(pk=request.auth.account_id)
        with writer_asked():
            found = [selectors.user_words(writer.core(), each) for each in rows[:LISTED_MAX]]
        return Response(found)

    @extend_schema(request=UserForm, responses={201: UserWords}, tags=["users"])
    def post(self, request: Request) -> Response:
        """Make a user with an account, and a balance if one is given."""
        self.check_moves_money(request)
        form = UserForm(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        _check_username(asked["username"])
        asset, decimals = selectors.cash()
        amount = _units("balance", asked.get("balance", 0), decimals)
        with writer_asked():
            account = services.make_user(
                writer.core(),
                username=asked["username"],
                email=asked["email"],
                password=asked["password"],
                asset=asset,
                amount=amount,
            )
            words = selectors.user_words(writer.core(), account)
        return Response(words, status=status.HTTP_201_CREATED)


class OneUser(UsersView):
    form = ChangeForm

    @property
    def member_wide(self) -> bool:
        """A key of one account changes no member."""
        return str(self.request.method) not in {"GET", "HEAD", "OPTIONS"}

    @extend_schema(operation_id="api_users_retrieve", responses=WholeUserWords, tags=["users"])
    def get(self, _request: Request, number: str) -> Response:
        """Show a user's free balance and shares, and the 5 newest transactions."""
        account = self.theirs(int(number), "User")
        with writer_asked():
            caught_up(writer.core())
            return Response(selectors.user_words(writer.core(), account, whole=True))

    @extend_schema(request=ChangeForm, responses=UserWords, tags=["users"])
    def put(self, request: Request, number: str) -> Response:
        """Change name, address and password."""
        return self._change(request, number, partial=False)

    @extend_schema(request=ChangeForm, responses=UserWords, tags=["users"])
    def patch(self, request: Request, number: str) -> Response:
        """Change some of name, address and password."""
        return self._change(request, number, partial=True)

    @extend_schema(responses={204: None}, tags=["users"])
    def delete(self, request: Request, number: str) -> Response:
        """Remove a user whose accounts are empty; 409 for another."""
        account = self.theirs(int(number), "User")
        by = self.check_moves_money(request)
        with writer_asked():
            try:
                services.remove_user(
                    writer.core(), account.member, by=by, address=address_of(request)
                )
            except UserRefused as refusal:
                raise Conflict(str(refusal)) from refusal
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _change(self, request: Request, number: str, *, partial: bool) -> Response:
        account = self.theirs(int(number), "User")
        member = account.member
        by = self._changer(request, member)
        form = ChangeForm(data=request.data, partial=partial)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        if by == member:
            _prove(request, member, asked.get("current_password", ""))
        if "username" in asked and asked["username"] != member.username:
            _check_username(asked["username"])
        services.change_user(
            member,
            username=asked.get("username", member.username),
            email=asked.get("email", member.email),
            password=asked.get("password", ""),
            by=by,
            address=address_of(request),
        )
        with writer_asked():
            return Response(selectors.user_words(writer.core(), account))

    def _changer(self, request: Request, member: Member) -> Member | None:
        """Return who changes a member: themselves, or staff or an open door, but never staff."""
        if request.user == member and not is_free(request):
            return member
        by = self.check_moves_money(request)
        if member.is_staff:
            raise PermissionDenied("Staff change theirs on their own pages.")
        return by


class MoneyNow(UsersView):
    form = AmountForm
    command = Command.DEPOSIT

    @extend_schema(request=AmountForm, responses=UserWords, tags=["users"])
    def post(self, request: Request, number: str) -> Response:
        """Move an amount of the house's cash at once."""
        account = self.theirs(int(number), "User")
        by = self.check_moves_money(request)
        form = AmountForm(data=request.data)
        form.is_valid(raise_exception=True)
        asset, decimals = selectors.cash()
        amount = _units("amount", form.validated_data["amount"], decimals)
        if amount <= 0:
            raise ValidationError({"amount": ["Ensure this value is greater than 0."]})
        with writer_asked():
            try:
                services.move_money(
                    writer.core(),
                    self.command,
                    account=account,
                    asset=asset,
                    amount=amount,
                    by=by,
                    address=address_of(request),
                )
            except NoFunds as refusal:
                return Response({"error": str(refusal)}, status=status.HTTP_400_BAD_REQUEST)
            return Response(selectors.user_words(writer.core(), account))


class DepositNow(MoneyNow):
    """Money in."""


class WithdrawNow(MoneyNow):
    """Money out."""

    command = Command.WITHDRAW


class StockOrder(UsersView):
    form = OrderForm
    side = Side.BUY

    @extend_schema(request=OrderForm, responses=PlacedWords, tags=["users"])
    def post(self, request: Request, number: str) -> Response:
        """Place an order that fills while the stock's price lies within both bounds."""
        account = self.theirs(int(number), "User")
        if request.user != account.member:
            self.check_moves_money(request)
        form = OrderForm(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        row = selectors.dealer_market(asked["stock_id"])
        terms = _terms(self.side, row, asked)
        key = request.auth.pk if isinstance(request.auth, ApiKey) else 0
        with writer_asked():
            try:
                orders.place(writer.core(), account=account, key=key, market=row, terms=terms)
            except Funds:
                text = (
                    "you dont have the fund to buy"
                    if self.side == Side.BUY
                    else ("you dont have the stock to sell")
                )
                return Response({"error": text}, status=status.HTTP_400_BAD_REQUEST)
            except OrderRefused as refusal:
                name = "total" if refusal.field == "quantity" else refusal.field
                told: dict[str, Any] = {name: [f"{refusal}."]} if name else {"error": str(refusal)}
                return Response(told, status=status.HTTP_400_BAD_REQUEST)
        return Response({"message": PLACED})


class Buy(StockOrder):
    """Shares for cash."""


class Sell(StockOrder):
    """Cash for shares."""

    side = Side.SELL


def _prove(request: Request, member: Member, current: str) -> None:
    """Have a member give the present password; wrong ones are counted."""
    asked = request._request  # noqa: SLF001 - allauth wants Django's
    if not current:
        raise ValidationError({"current_password": ["This field is required."]})
    if not is_proven(asked, member, lambda: member.check_password(current)):
        raise ValidationError({"current_password": ["This is not your password."]})


def _check_username(text: str) -> None:
    if not is_username(text):
        raise ValidationError({"username": ["Use 1 to 150 letters, digits or . + - _."]})


def _units(field: str, value: object, decimals: int) -> int:
    """Return a decimal as whole units, below zero as it is. Raises ValidationError."""
    text = f"{value:f}"
    sign = -1 if text.startswith("-") else 1
    try:
        return sign * parse_units(text.lstrip("-"), decimals)
    except ValueError as error:
        raise ValidationError({field: [f"{error}."]}) from error


def _terms(side: Side, row: InstrumentRow, asked: dict[str, Any]) -> Terms:
    """Return an order in the core's numbers. Raises ValidationError."""
    ticks = {}
    for name in ("lower_bound", "upper_bound"):
        whole, _, fraction = f"{asked[name]:f}".partition(".")
        text = f"{whole}.{fraction.rstrip('0')}".rstrip(".")
        try:
            ticks[name] = ticks_of(row, text)
        except ValueError as error:
            raise ValidationError({name: [f"{error}."]}) from error
    if ticks["upper_bound"] < 1:
        raise ValidationError({"upper_bound": ["Ensure this value is greater than 0."]})
    if ticks["lower_bound"] > ticks["upper_bound"]:
        raise ValidationError({"lower_bound": ["It must not be above upper_bound."]})
    lots = asked["total"] * Fraction(10 ** asset_codes()[row.base][1], row.base_per_lot)
    if lots.denominator != 1 or lots > (1 << 62):
        raise ValidationError({"total": [f"The lot size is {row.lot_size}; write a multiple."]})
    return Terms(side, int(lots), ticks["upper_bound"], ticks["lower_bound"])

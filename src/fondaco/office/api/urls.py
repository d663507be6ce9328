"""Addresses of the native API; each with and without the slash at its end."""

from __future__ import annotations

from django.urls import URLPattern, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.views import APIView

from fondaco.office.api import (
    backtests,
    clients,
    credentials,
    customers,
    hooks,
    house,
    members,
    money,
    orders,
    papers,
    robots,
    schema,
    signals,
    stocks,
    users,
)

__all__ = ["urlpatterns"]

CLIENT = r"(?P<client>[A-Za-z0-9_.-]{1,64})"
ROBOT = r"(?P<robot>[A-Za-z0-9_.-]{1,64})"
NUMBER = r"(?P<number>[0-9]{1,18})"
MONTH = r"(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))"


def _route(path: str, view: type[APIView]) -> URLPattern:
    end = "" if path.endswith(".csv") else "/?"
    found: URLPattern = re_path(rf"^api/v1/{path}{end}\Z", view.as_view())
    return found


urlpatterns = [
    re_path(r"^api/users/?\Z", users.Users.as_view()),
    re_path(rf"^api/users/{NUMBER}/?\Z", users.OneUser.as_view()),
    re_path(rf"^api/users/{NUMBER}/deposit/?\Z", users.DepositNow.as_view()),
    re_path(rf"^api/users/{NUMBER}/withdraw/?\Z", users.WithdrawNow.as_view()),
    re_path(rf"^api/users/{NUMBER}/buy/?\Z", users.Buy.as_view()),
    re_path(rf"^api/users/{NUMBER}/sell/?\Z", users.Sell.as_view()),
    re_path(r"^api/stocks/?\Z", stocks.Stocks.as_view()),
    re_path(r"^api/stocks/(?P<stock_id>[A-Za-z0-9._:-]{1,64})/?\Z", stocks.OneStock.as_view()),
    re_path(r"^api/customer/?\Z", customers.Customers.as_view()),
    re_path(rf"^api/customer/{NUMBER}/?\Z", customers.OneCustomer.as_view()),
    re_path(r"^api/order/?\Z", customers.PlaceOrder.as_view()),
    _route("orders", orders.Orders),
    _route(f"orders/{NUMBER}", orders.OneOrder),
    _route(r"venues/(?P<venue>[\w.-]{1,64})/orders", orders.VenueOrders),
    _route(
        r"venues/(?P<venue>[\w.-]{1,64})/orders/(?P<name>[\w-]{1,64})/settle",
        orders.SettleVenueOrder,
    ),
    re_path(r"^api/schema/?\Z", SpectacularAPIView.as_view()),
    re_path(r"^api/docs/?\Z", schema.docs, name="api-docs"),
    _route("robots", robots.Robots),
    _route("robots/rule-schema", robots.RuleSchema),
    _route("robots/overview", robots.Overview),
    _route("robots/backtests", backtests.Backtests),
    _route(f"robots/backtests/{NUMBER}", backtests.OneBacktest),
    _route(rf"robots/{ROBOT}", robots.OneRobot),
    _route(rf"robots/{ROBOT}/kill", robots.RobotKill),
    _route("signals", signals.Signals),
    _route(f"signals/{NUMBER}", signals.OneSignal),
    _route(f"robots/clients/{CLIENT}", clients.OneClient),
    _route(f"robots/clients/{CLIENT}/decisions", clients.ClientDecisions),
    _route(f"robots/clients/{CLIENT}/lock", clients.LockClient),
    _route(f"robots/clients/{CLIENT}/unlock", clients.UnlockClient),
    _route(r"ratings/(?P<symbol>[A-Z0-9]{1,20})", signals.Ratings),
    _route("hooks", hooks.Hooks),
    _route(f"hooks/{NUMBER}", hooks.OneHook),
    _route(f"hooks/{NUMBER}/rotate", hooks.RotateHook),
    _route(f"hooks/{NUMBER}/alerts", hooks.HookAlerts),
    _route(f"hooks/{NUMBER}/alerts/(?P<alert>[0-9]{{1,18}})/replay", hooks.ReplayAlert),
    _route(r"hooks/in/(?P<token>[A-Za-z0-9_-]{40,64})", hooks.HookIn),
    _route("house/maintenance", house.Maintenance),
    _route("feeds", house.Feeds),
    _route("members/me", members.Oneself),
    _route("members/me/confirmation", members.Confirmation),
    _route("members/me/log", members.OwnLog),
    _route("invites", members.OwnInvite),
    _route("membership", members.Membership),
    _route("membership/checkout", members.Checkout),
    _route(f"members/{NUMBER}/roles", members.MemberRoles),
    _route(f"members/{NUMBER}/invites", members.InviteUses),
    _route(f"members/{NUMBER}/freeze", members.Freeze),
    _route(f"members/{NUMBER}/unfreeze", members.Unfreeze),
    _route(f"members/{NUMBER}/sign-in", members.SignIn),
    _route("keys", credentials.Keys),
    _route(f"keys/{NUMBER}", credentials.OneKey),
    _route("tokens", credentials.Tokens),
    _route(f"tokens/{NUMBER}", credentials.OneToken),
    _route("sessions", credentials.Sessions),
    _route(f"sessions/{NUMBER}", credentials.OneSession),
    _route("accounts", money.Accounts),
    _route("transfers", money.Transfers),
    _route("withdrawals", money.Withdrawals),
    _route(f"withdrawals/{NUMBER}/cancel", money.CancelWithdrawal),
    _route(f"withdrawals/{NUMBER}/approve", money.ApproveWithdrawal),
    _route("deposits", money.Deposits),
    _route(f"deposits/{NUMBER}/approve", money.ApproveDeposit),
    _route("staff/money", money.WaitingMoney),
    _route("statements", papers.Statements),
    _route(f"statements/{MONTH}", papers.MonthStatement),
    _route(rf"statements/{MONTH}\.csv", papers.MonthFile),
    _route(r"statements/fifo-tax-(?P<year>20[0-9]{2})\.csv", papers.TaxFile),
    _route("proofs", papers.Proofs),
    _route(r"proofs/(?P<seq>[0-9]{1,18})/branch", papers.Branch),
]

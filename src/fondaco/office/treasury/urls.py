"""The paths of money."""

from __future__ import annotations

from django.urls import path, re_path

from fondaco.office.api import money as api
from fondaco.office.treasury import views

__all__ = ["urlpatterns"]

NUMBER = r"(?P<number>[0-9]{1,18})"

urlpatterns = [
    path("money/", views.money, name="money"),
    path("money", views.money),
    path("money/withdraw", views.withdraw, name="withdraw"),
    re_path(rf"^money/withdrawals/{NUMBER}/cancel\Z", views.cancel, name="withdrawal-cancel"),
    path("money/transfer", views.transfer, name="transfer"),
    path("money/accounts", views.open_account, name="account-open"),
    path("staff/money/", views.staff_money, name="staff-money"),
    path("staff/money/deposit", views.deposit, name="staff-deposit"),
    re_path(rf"^staff/money/withdrawals/{NUMBER}/approve\Z", views.approve_withdrawal),
    re_path(rf"^staff/money/deposits/{NUMBER}/approve\Z", views.approve_deposit),
    re_path(r"^api/v1/accounts/?\Z", api.Accounts.as_view()),
    re_path(r"^api/v1/transfers/?\Z", api.Transfers.as_view()),
    re_path(r"^api/v1/withdrawals/?\Z", api.Withdrawals.as_view()),
    re_path(rf"^api/v1/withdrawals/{NUMBER}/cancel/?\Z", api.CancelWithdrawal.as_view()),
    re_path(rf"^api/v1/withdrawals/{NUMBER}/approve/?\Z", api.ApproveWithdrawal.as_view()),
    re_path(r"^api/v1/deposits/?\Z", api.Deposits.as_view()),
    re_path(rf"^api/v1/deposits/{NUMBER}/approve/?\Z", api.ApproveDeposit.as_view()),
]

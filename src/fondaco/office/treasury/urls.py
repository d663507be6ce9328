"""The paths of money."""

from __future__ import annotations

from django.urls import path, re_path

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
]

"""The paths of the dashboard, of accounts and of strategies."""

from __future__ import annotations

from django.urls import re_path

from fondaco.office.api import strategies as api
from fondaco.office.api import tracks
from fondaco.office.brokerage import history, views

__all__ = ["urlpatterns"]

NUMBER = r"(?P<number>[0-9]{1,18})"
ACCOUNT = rf"^dashboard/accounts/{NUMBER}"
STRATEGY = rf"^dashboard/strategies/{NUMBER}"

urlpatterns = [
    re_path(r"^dashboard/?\Z", views.dashboard, name="dashboard"),
    re_path(r"^dashboard/accounts/?\Z", views.accounts, name="brokerage-accounts"),
    re_path(r"^dashboard/accounts/new/?\Z", views.account_new, name="brokerage-account-new"),
    re_path(rf"{ACCOUNT}/edit/?\Z", views.account_edit, name="brokerage-account-edit"),
    re_path(rf"{ACCOUNT}/archive/?\Z", views.account_archive, name="brokerage-account-archive"),
    re_path(r"^dashboard/compare/?\Z", views.compare, name="compare"),
    re_path(r"^dashboard/strategies/?\Z", views.strategies, name="strategies"),
    re_path(r"^dashboard/strategies/new/?\Z", views.strategy_new, name="strategy-new"),
    re_path(rf"{STRATEGY}/?\Z", views.strategy, name="strategy"),
    re_path(rf"{STRATEGY}/edit/?\Z", views.strategy_edit, name="strategy-edit"),
    re_path(rf"{STRATEGY}/import/?\Z", history.strategy_import, name="strategy-import"),
    re_path(rf"{STRATEGY}/rotate/?\Z", views.strategy_rotate, name="strategy-rotate"),
    re_path(rf"{STRATEGY}/revoke/?\Z", views.strategy_revoke, name="strategy-revoke"),
    re_path(rf"{STRATEGY}/archive/?\Z", views.strategy_archive, name="strategy-archive"),
    re_path(r"^api/v1/dashboard/?\Z", api.DashboardNow.as_view()),
    re_path(r"^api/v1/brokerage-accounts/?\Z", api.BrokerageAccounts.as_view()),
    re_path(rf"^api/v1/brokerage-accounts/{NUMBER}/?\Z", api.OneBrokerageAccount.as_view()),
    re_path(r"^api/v1/track-records/?\Z", tracks.TrackRecords.as_view()),
    re_path(r"^api/v1/strategies/?\Z", api.Strategies.as_view()),
    re_path(rf"^api/v1/strategies/{NUMBER}/?\Z", api.OneStrategy.as_view()),
    re_path(rf"^api/v1/strategies/{NUMBER}/history/?\Z", api.StrategyHistory.as_view()),
    re_path(rf"^api/v1/strategies/{NUMBER}/token/?\Z", api.StrategyToken.as_view()),
]

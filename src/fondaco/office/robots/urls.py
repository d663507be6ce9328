"""The paths of the robots' pages."""

from __future__ import annotations

from django.urls import re_path

from fondaco.office.robots import views, views_backtests, views_signals

__all__ = ["urlpatterns"]

ROBOT = r"^robots/(?P<robot>[A-Za-z0-9_.-]{1,64})"

urlpatterns = [
    re_path(r"^robots/?\Z", views.robots, name="robots"),
    re_path(r"^robots/new/?\Z", views.builder, name="robot-new"),
    re_path(r"^robots/new/signals/?\Z", views_signals.new_signals, name="robot-new-signals"),
    re_path(r"^robots/backtests/?\Z", views_backtests.backtests, name="robot-backtests"),
    re_path(
        r"^robots/backtests/(?P<number>[0-9]{1,18})/?\Z",
        views_backtests.backtest,
        name="robot-backtest",
    ),
    re_path(rf"{ROBOT}/?\Z", views.robot, name="robot"),
    re_path(rf"{ROBOT}/rule/?\Z", views.rule, name="robot-rule"),
    re_path(r"^staff/robots/?\Z", views.staff, name="staff-robots"),
]

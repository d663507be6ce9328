"""The paths of statements."""

from __future__ import annotations

from django.urls import path, re_path

from fondaco.office.statements import views

__all__ = ["urlpatterns"]

MONTH = r"(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))"

urlpatterns = [
    path("statements/", views.statements, name="statements"),
    path("statements", views.statements),
    re_path(rf"^statements/{MONTH}/?\Z", views.statement, name="statement"),
    re_path(rf"^statements/{MONTH}\.csv\Z", views.statement_csv, name="statement-csv"),
    re_path(r"^statements/fifo-tax-(?P<year>20[0-9]{2})\.csv\Z", views.fifo_csv, name="fifo-tax"),
]

"""The office's pages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from fondaco.office import views
from fondaco.office.admin import put_rows_in_order
from fondaco.office.failing import not_found as handler404
from fondaco.office.failing import server_error as handler500

__all__ = ["handler404", "handler500", "urlpatterns"]

put_rows_in_order()  # all apps have registered theirs by now

urlpatterns = [
    path("", views.landing, name="landing"),
    path("login", views.SignIn.as_view(), name="account_login"),
    path("login/", views.SignIn.as_view()),
    path("logout", views.SignOut.as_view(), name="account_logout"),
    path("logout/", views.SignOut.as_view()),
    path("trade/", views.terminal, name="terminal"),
    path("trade", views.terminal),
    path("staff/house/", views.house_state, name="house-state"),
    path("", include("fondaco.office.members.urls")),
    path("", include("fondaco.office.api.urls")),
    path("", include("fondaco.office.billing.urls")),
    path("", include("fondaco.office.brokerage.urls")),
    path("", include("fondaco.office.robots.urls")),
    path("", include("fondaco.office.hooks.urls")),
    path("admin/login/", RedirectView.as_view(url="/login?next=/admin/")),  # one way in
    path("admin/logout/", views.SignOut.as_view()),  # and out
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("", include("fondaco.office.treasury.urls")),
    path("", include("fondaco.office.statements.urls")),
    path("", include("fondaco.office.proofs.urls")),
    path("", include("fondaco.office.notices.urls")),
    path("admin/", admin.site.urls),
]

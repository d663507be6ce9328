"""The paths of membership and of the sandbox."""

from __future__ import annotations

from django.urls import path

from fondaco.office.billing import sandbox_views, views

__all__ = ["urlpatterns"]

urlpatterns = [
    path("memberships/checkout", views.checkout, name="checkout"),
    path("memberships/checkout/", views.checkout),
    path("memberships/webhook", views.webhook, name="payment-webhook"),
    path("memberships/webhook/", views.webhook),
    path("sandbox/checkout/<str:session_id>", sandbox_views.page, name="sandbox-page"),
    path("sandbox/v1/checkout/sessions", sandbox_views.sessions, name="sandbox-sessions"),
    path(
        "sandbox/v1/checkout/sessions/<str:session_id>",
        sandbox_views.session,
        name="sandbox-session",
    ),
    path("sandbox/v1/refunds", sandbox_views.refunds, name="sandbox-refunds"),
]

"""The paths of proofs."""

from __future__ import annotations

from django.urls import path, re_path

from fondaco.office.proofs import views

__all__ = ["urlpatterns"]

urlpatterns = [
    path("proofs/", views.proofs, name="proofs"),
    path("proofs", views.proofs),
    path("proofs/publish", views.publish, name="proof-publish"),
    re_path(r"^proofs/(?P<seq>[0-9]{1,18})\.json\Z", views.branch, name="proof-branch"),
]

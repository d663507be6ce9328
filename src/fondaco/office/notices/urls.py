"""The paths of notices."""

from __future__ import annotations

from django.urls import re_path

from fondaco.office.api import notices as api
from fondaco.office.notices import views

__all__ = ["urlpatterns"]

NUMBER = r"(?P<number>[0-9]{1,18})"

urlpatterns = [
    re_path(r"^profile/notices/?\Z", views.notices, name="notices"),
    re_path(r"^api/v1/notices/choices/?\Z", api.Choices.as_view()),
    re_path(r"^api/v1/notices/webhooks/?\Z", api.Webhooks.as_view()),
    re_path(rf"^api/v1/notices/webhooks/{NUMBER}/?\Z", api.OneWebhook.as_view()),
    re_path(rf"^api/v1/notices/webhooks/{NUMBER}/test/?\Z", api.TestWebhook.as_view()),
    re_path(r"^api/v1/notices/deliveries/?\Z", api.Deliveries.as_view()),
    re_path(rf"^api/v1/notices/deliveries/{NUMBER}/replay/?\Z", api.ReplayDelivery.as_view()),
]

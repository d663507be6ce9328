"""Addresses of the members' pages; each with and without the slash at its end."""

from __future__ import annotations

from allauth.account import views as allauth
from django.urls import include, path, re_path

from fondaco.office.members import views, views_keys

__all__ = ["urlpatterns"]

urlpatterns = [
    re_path(r"^invite/(?P<code>[^/]{1,64})/?\Z", views.invitation, name="invitation"),
    re_path(r"^profile/invites/?\Z", views.own_invite, name="own-invite"),
    re_path(r"^profile/?\Z", views.profile, name="profile"),
    re_path(
        r"^profile/confirm/(?P<text>[\w:-]{1,1000})/?\Z",
        views.confirm_address,
        name="confirm-address",
    ),
    re_path(r"^profile/sessions/?\Z", views.sessions, name="sessions"),
    re_path(r"^profile/log/?\Z", views.security, name="security-log"),
    re_path(r"^profile/keys/?\Z", views_keys.keys, name="keys"),
    re_path(r"^profile/tokens/?\Z", views_keys.own_tokens, name="tokens"),
    path("account/reauthenticate/", allauth.reauthenticate, name="account_reauthenticate"),
    path("account/inactive/", allauth.account_inactive, name="account_inactive"),
    path("account/password/change/", allauth.password_change, name="account_change_password"),
    path("account/password/set/", allauth.password_set, name="account_set_password"),
    path("account/password/reset/", allauth.password_reset, name="account_reset_password"),
    path(
        "account/password/reset/done/",
        allauth.password_reset_done,
        name="account_reset_password_done",
    ),
    path(
        "account/password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^account/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/\Z",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("account/mfa/", include("allauth.mfa.urls")),
]

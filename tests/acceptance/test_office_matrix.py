"""The authorisation matrix of the office: every endpoint x everyone who may ask, every cell.

Endpoints come from Django's own resolver, the admin's included: one that is not listed here fails.
The words of a cell: `in` let in, `login` sent to sign in, `again` asked for the password again,
`pay` sent to the checkout, `401`, `403`, `404`. What `member` asks about is their own and really
there, so that `other member` asks about another's, and the member's tokens and keys about theirs.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from fondaco.identity.models import ApiKey
from tests.acceptance.office_people import (
    COLUMNS,
    PASSWORD,
    Endpoint,
    House,
    MoneyCore,
    answer_of,
    endpoints,
)

pytestmark = pytest.mark.django_db(databases=["default", "projections"])

# A word for each of the COLUMNS: stranger, unpaid, member, other member, moderator, admin,
# read token, trade token, read key, trade key -> the endpoints that answer so.
ROWS: Final[dict[str, tuple[str, ...]]] = {
    "401 404 in 404 404 404 403 in 403 in": (
        r"POST ^api/order/?\Z",
        r"POST ^api/v1/orders/?\Z",
        r"DELETE ^api/v1/orders/(?P<number>[0-9]{1,18})/?\Z",
    ),
    "401 404 in 404 in in in 403 in 403": (
        r"GET ^api/customer/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^api/v1/orders/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^api/users/(?P<number>[0-9]{1,18})/?\Z",
    ),
    "401 401 401 401 401 401 401 401 401 401": (
        "POST sandbox/v1/checkout/sessions",
        "GET sandbox/v1/checkout/sessions/<str:session_id>",
        "POST sandbox/v1/refunds",
    ),
    "401 403 403 403 403 in 403 403 403 403": (
        r"POST ^api/customer/?\Z",
        r"POST ^api/v1/deposits/?\Z",
        r"POST ^api/v1/house/maintenance/?\Z",
        r"POST ^api/v1/members/(?P<number>[0-9]{1,18})/roles/?\Z",
        r"POST ^api/v1/members/(?P<number>[0-9]{1,18})/sign-in/?\Z",
        r"POST ^api/v1/venues/(?P<venue>[\w.-]{1,64})/orders/(?P<name>[\w-]{1,64})/settle/?\Z",
        r"POST ^api/v1/proofs/?\Z",
        r"POST ^api/users/?\Z",
    ),
    "401 404 403 404 403 in 403 403 403 403": (
        r"DELETE ^api/users/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^api/users/(?P<number>[0-9]{1,18})/deposit/?\Z",
        r"POST ^api/users/(?P<number>[0-9]{1,18})/withdraw/?\Z",
    ),
    "401 404 in 404 403 in 403 in 403 403": (
        r"PATCH ^api/users/(?P<number>[0-9]{1,18})/?\Z",
        r"PUT ^api/users/(?P<number>[0-9]{1,18})/?\Z",
    ),
    "401 404 in 404 403 in 403 in 403 in": (
        r"POST ^api/users/(?P<number>[0-9]{1,18})/buy/?\Z",
        r"POST ^api/users/(?P<number>[0-9]{1,18})/sell/?\Z",
    ),
    "401 403 403 403 in in 403 403 403 403": (
        r"POST ^api/v1/robots/clients/(?P<client>[A-Za-z0-9_.-]{1,64})/lock/?\Z",
        r"POST ^api/v1/robots/clients/(?P<client>[A-Za-z0-9_.-]{1,64})/unlock/?\Z",
        r"GET ^api/v1/feeds/?\Z",
        r"GET ^api/v1/venues/(?P<venue>[\w.-]{1,64})/orders/?\Z",
        r"POST ^api/v1/deposits/(?P<number>[0-9]{1,18})/approve/?\Z",
        r"POST ^api/v1/members/(?P<number>[0-9]{1,18})/freeze/?\Z",
        r"POST ^api/v1/members/(?P<number>[0-9]{1,18})/invites/?\Z",
        r"POST ^api/v1/members/(?P<number>[0-9]{1,18})/unfreeze/?\Z",
        r"GET ^api/v1/staff/money/?\Z",
        r"POST ^api/v1/withdrawals/(?P<number>[0-9]{1,18})/approve/?\Z",
    ),
    "401 404 in 404 404 404 403 403 403 403": (
        r"DELETE ^api/v1/keys/(?P<number>[0-9]{1,18})/?\Z",
        r"DELETE ^api/v1/sessions/(?P<number>[0-9]{1,18})/?\Z",
        r"DELETE ^api/v1/tokens/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^api/v1/withdrawals/(?P<number>[0-9]{1,18})/cancel/?\Z",
        r"POST ^api/v1/withdrawals/?\Z",
    ),
    "401 404 404 404 in in 404 403 403 403": (r"GET ^api/v1/signals/(?P<number>[0-9]{1,18})/?\Z",),
    "401 404 in 404 404 404 in 403 403 403": (
        r"GET ^api/v1/hooks/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^api/v1/robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"GET ^api/v1/robots/backtests/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^api/v1/hooks/(?P<number>[0-9]{1,18})/alerts/?\Z",
    ),
    "401 404 in 404 in in in 403 403 403": (
        r"GET ^api/v1/robots/clients/(?P<client>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"GET ^api/v1/robots/clients/(?P<client>[A-Za-z0-9_.-]{1,64})/decisions/?\Z",
    ),
    "401 404 in 404 404 404 403 in 403 403": (
        r"PUT ^api/v1/robots/clients/(?P<client>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"PATCH ^api/v1/robots/clients/(?P<client>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"DELETE ^api/v1/robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"DELETE ^api/v1/robots/backtests/(?P<number>[0-9]{1,18})/?\Z",
        r"PATCH ^api/v1/robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"POST ^api/v1/robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/kill/?\Z",
        r"PATCH ^api/v1/hooks/(?P<number>[0-9]{1,18})/?\Z",
        r"DELETE ^api/v1/hooks/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^api/v1/hooks/(?P<number>[0-9]{1,18})/rotate/?\Z",
        r"POST ^api/v1/hooks/(?P<number>[0-9]{1,18})/alerts/?\Z",
        r"POST ^api/v1/hooks/(?P<number>[0-9]{1,18})/alerts/(?P<alert>[0-9]{1,18})/replay/?\Z",
        r"POST ^api/v1/notices/deliveries/(?P<number>[0-9]{1,18})/replay/?\Z",
        r"DELETE ^api/v1/notices/webhooks/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^api/v1/notices/webhooks/(?P<number>[0-9]{1,18})/test/?\Z",
    ),
    "401 404 in 404 404 404 403 in 403 404": (r"POST ^api/v1/transfers/?\Z",),
    "401 in in in in in 403 403 403 403": (
        r"POST ^api/v1/signals/?\Z",
        r"POST ^api/v1/keys/?\Z",
        r"POST ^api/v1/members/me/confirmation/?\Z",
        r"POST ^api/v1/membership/checkout/?\Z",
        r"POST ^api/v1/tokens/?\Z",
    ),
    "401 in in in in in 403 in 403 403": (
        r"POST ^api/v1/hooks/?\Z",
        r"POST ^api/v1/robots/?\Z",
        r"POST ^api/v1/robots/backtests/?\Z",
        r"POST ^api/v1/accounts/?\Z",
        r"PUT ^api/v1/notices/choices/?\Z",
        r"POST ^api/v1/notices/webhooks/?\Z",
    ),
    "401 in in in in in in 403 403 403": (
        r"GET ^api/v1/hooks/?\Z",
        r"GET ^api/v1/robots/?\Z",
        r"GET ^api/v1/robots/backtests/?\Z",
        r"GET ^api/v1/robots/rule-schema/?\Z",
        r"GET ^api/v1/robots/overview/?\Z",
        r"GET ^api/v1/keys/?\Z",
        r"GET ^api/v1/members/me/log/?\Z",
        r"GET ^api/v1/notices/choices/?\Z",
        r"GET ^api/v1/notices/deliveries/?\Z",
        r"GET ^api/v1/notices/webhooks/?\Z",
        r"GET ^api/v1/proofs/(?P<seq>[0-9]{1,18})/branch/?\Z",
        r"GET ^api/v1/sessions/?\Z",
        r"GET ^api/v1/tokens/?\Z",
    ),
    "401 in in in in in in 403 in 403": (
        r"GET ^api/v1/ratings/(?P<symbol>[A-Z0-9]{1,20})/?\Z",
        r"GET ^api/stocks/?\Z",
        r"GET ^api/stocks/(?P<stock_id>[A-Za-z0-9._:-]{1,64})/?\Z",
        r"GET ^api/users/?\Z",
        r"GET ^api/customer/?\Z",
        r"GET ^api/v1/orders/?\Z",
        r"GET ^api/v1/accounts/?\Z",
        r"GET ^api/v1/deposits/?\Z",
        r"GET ^api/v1/invites/?\Z",
        r"GET ^api/v1/members/me/?\Z",
        r"GET ^api/v1/membership/?\Z",
        r"GET ^api/v1/statements/(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))/?\Z",
        r"GET ^api/v1/statements/(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))\.csv\Z",
        r"GET ^api/v1/statements/?\Z",
        r"GET ^api/v1/statements/fifo-tax-(?P<year>20[0-9]{2})\.csv\Z",
        r"GET ^api/v1/withdrawals/?\Z",
    ),
    "404 404 404 404 404 404 404 404 404 404": (
        r"POST ^api/v1/hooks/in/(?P<token>[A-Za-z0-9_-]{40,64})/?\Z",
        r"GET ^invite/(?P<code>[^/]{1,64})/?\Z",
        r"POST ^invite/(?P<code>[^/]{1,64})/?\Z",
        "GET sandbox/checkout/<str:session_id>",
        "POST sandbox/checkout/<str:session_id>",
    ),
    "in in in in in in in in in in": (
        "GET ",
        r"GET ^account/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/\Z",
        r"POST ^account/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/\Z",
        r"GET ^api/docs/?\Z",
        r"GET ^api/schema/?\Z",
        r"GET ^api/v1/proofs/?\Z",
        r"GET ^profile/confirm/(?P<text>[\w:-]{1,1000})/?\Z",
        "GET account/inactive/",
        "GET account/mfa/authenticate/",
        "POST account/mfa/authenticate/",
        "GET account/mfa/webauthn/login/",
        "POST account/mfa/webauthn/login/",
        "GET account/password/reset/",
        "POST account/password/reset/",
        "GET account/password/reset/done/",
        "GET account/password/reset/key/done/",
        "GET admin/logout/",
        "POST admin/logout/",
        "GET admin/password_change/",
        "POST admin/password_change/",
        "GET login",
        "POST login",
        "GET login/",
        "POST login/",
        "GET logout",
        "POST logout",
        "GET logout/",
        "POST logout/",
        "POST memberships/webhook",
        "POST memberships/webhook/",
        "GET proofs",
        "GET proofs/",
    ),
    "login 403 403 403 403 in login login login login": (
        "POST proofs/publish",
        "GET staff/house/",
        "POST staff/house/",
        r"POST ^staff/robots/?\Z",
        "POST staff/money/deposit",
    ),
    "login 403 403 403 in in login login login login": (
        r"POST ^staff/money/deposits/(?P<number>[0-9]{1,18})/approve\Z",
        r"POST ^staff/money/withdrawals/(?P<number>[0-9]{1,18})/approve\Z",
        r"GET ^staff/robots/?\Z",
        "GET staff/money/",
    ),
    "login 404 404 404 404 404 login login login login": (
        "GET account/mfa/recovery-codes/",
        "GET account/mfa/recovery-codes/download/",
        "POST account/mfa/recovery-codes/download/",
        "GET account/mfa/totp/deactivate/",
        "POST account/mfa/totp/deactivate/",
    ),
    "login 404 in 404 404 404 login login login login": (
        r"POST ^money/withdrawals/(?P<number>[0-9]{1,18})/cancel\Z",
        r"GET ^robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"POST ^robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/?\Z",
        r"GET ^hooks/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^hooks/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/rule/?\Z",
        r"POST ^robots/(?P<robot>[A-Za-z0-9_.-]{1,64})/rule/?\Z",
        r"GET ^robots/backtests/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^robots/backtests/(?P<number>[0-9]{1,18})/?\Z",
        r"POST ^profile/keys/?\Z",
        r"POST ^profile/tokens/?\Z",
        "GET account/mfa/webauthn/keys/<int:pk>/edit/",
        "POST account/mfa/webauthn/keys/<int:pk>/edit/",
        "GET account/mfa/webauthn/keys/<int:pk>/remove/",
        "POST account/mfa/webauthn/keys/<int:pk>/remove/",
        "POST money/transfer",
        "POST money/withdraw",
    ),
    "login again again again again again login login login login": (
        "GET account/mfa/reauthenticate/",
        "POST account/mfa/reauthenticate/",
        "GET account/mfa/webauthn/reauthenticate/",
        "POST account/mfa/webauthn/reauthenticate/",
    ),
    "login in in in in in login login login login": (
        r"GET ^profile/?\Z",
        r"POST ^profile/?\Z",
        r"GET ^profile/invites/?\Z",
        r"GET ^profile/keys/?\Z",
        r"GET ^profile/log/?\Z",
        r"GET ^profile/notices/?\Z",
        r"POST ^profile/notices/?\Z",
        r"GET ^robots/?\Z",
        r"GET ^robots/backtests/?\Z",
        r"POST ^robots/backtests/?\Z",
        r"GET ^hooks/?\Z",
        r"POST ^hooks/?\Z",
        r"GET ^robots/new/?\Z",
        r"POST ^robots/new/?\Z",
        r"GET ^robots/new/signals/?\Z",
        r"POST ^robots/new/signals/?\Z",
        r"GET ^profile/sessions/?\Z",
        r"POST ^profile/sessions/?\Z",
        r"GET ^profile/tokens/?\Z",
        r"GET ^proofs/(?P<seq>[0-9]{1,18})\.json\Z",
        r"GET ^statements/(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))/?\Z",
        r"GET ^statements/(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))\.csv\Z",
        r"GET ^statements/fifo-tax-(?P<year>20[0-9]{2})\.csv\Z",
        "GET account/mfa/",
        "GET account/mfa/recovery-codes/generate/",
        "POST account/mfa/recovery-codes/generate/",
        "GET account/mfa/totp/activate/",
        "POST account/mfa/totp/activate/",
        "GET account/mfa/webauthn/",
        "GET account/mfa/webauthn/add/",
        "POST account/mfa/webauthn/add/",
        "GET account/password/change/",
        "POST account/password/change/",
        "GET account/password/set/",
        "POST account/password/set/",
        "GET account/reauthenticate/",
        "POST account/reauthenticate/",
        "GET memberships/checkout",
        "POST memberships/checkout",
        "GET memberships/checkout/",
        "POST memberships/checkout/",
        "GET money",
        "GET money/",
        "POST money/accounts",
        "GET statements",
        "GET statements/",
        "GET trade",
        "GET trade/",
    ),
    "login login login login 403 403 login login login login": ("GET admin/autocomplete/",),
    "login login login login 404 404 login login login login": (
        "GET admin/(?P<url>.*)$",
        "POST admin/(?P<url>.*)$",
        "GET admin/r/<path:content_type_id>/<path:object_id>/",
        "POST admin/r/<path:content_type_id>/<path:object_id>/",
    ),
    "login login login login in in login login login login": (
        "GET admin/",
        "POST admin/",
        "GET admin/^(?P<app_label>[a-z_]+)/$",
        "POST admin/^(?P<app_label>[a-z_]+)/$",
        "GET admin/jsi18n/",
        "GET admin/password_change/done/",
        "GET admin/search/",
        "POST admin/search/",
    ),
    "login login login login login login login login login login": (
        "GET admin/login/",
        "POST admin/login/",
    ),
    "login pay in in in in login login login login": (
        r"GET ^dashboard/?\Z",
        r"GET ^dashboard/accounts/?\Z",
        r"GET ^dashboard/accounts/new/?\Z",
        r"POST ^dashboard/accounts/new/?\Z",
        r"GET ^dashboard/compare/?\Z",
        r"GET ^dashboard/strategies/?\Z",
        r"GET ^dashboard/strategies/new/?\Z",
        r"POST ^dashboard/strategies/new/?\Z",
    ),
    "login pay in 404 404 404 login login login login": (
        r"GET ^dashboard/accounts/(?P<number>[0-9]{1,18})/edit/?\Z",
        r"POST ^dashboard/accounts/(?P<number>[0-9]{1,18})/edit/?\Z",
        r"POST ^dashboard/accounts/(?P<number>[0-9]{1,18})/archive/?\Z",
        r"GET ^dashboard/strategies/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^dashboard/strategies/(?P<number>[0-9]{1,18})/edit/?\Z",
        r"POST ^dashboard/strategies/(?P<number>[0-9]{1,18})/edit/?\Z",
        r"GET ^dashboard/strategies/(?P<number>[0-9]{1,18})/import/?\Z",
        r"POST ^dashboard/strategies/(?P<number>[0-9]{1,18})/import/?\Z",
        r"POST ^dashboard/strategies/(?P<number>[0-9]{1,18})/archive/?\Z",
        r"POST ^dashboard/strategies/(?P<number>[0-9]{1,18})/revoke/?\Z",
        r"POST ^dashboard/strategies/(?P<number>[0-9]{1,18})/rotate/?\Z",
    ),
    "401 403 in in in in in 403 403 403": (
        r"GET ^api/v1/dashboard/?\Z",
        r"GET ^api/v1/track-records/?\Z",
        r"GET ^api/v1/brokerage-accounts/?\Z",
        r"GET ^api/v1/strategies/?\Z",
    ),
    "401 403 in in in in 403 in 403 403": (
        r"POST ^api/v1/brokerage-accounts/?\Z",
        r"POST ^api/v1/strategies/?\Z",
    ),
    "401 403 in 404 404 404 in 403 403 403": (
        r"GET ^api/v1/brokerage-accounts/(?P<number>[0-9]{1,18})/?\Z",
        r"GET ^api/v1/strategies/(?P<number>[0-9]{1,18})/?\Z",
    ),
    "401 403 in 404 404 404 403 in 403 403": (
        r"PATCH ^api/v1/brokerage-accounts/(?P<number>[0-9]{1,18})/?\Z",
        r"PATCH ^api/v1/strategies/(?P<number>[0-9]{1,18})/?\Z",
        r"DELETE ^api/v1/strategies/(?P<number>[0-9]{1,18})/token/?\Z",
        r"POST ^api/v1/strategies/(?P<number>[0-9]{1,18})/history/?\Z",
        r"POST ^api/v1/strategies/(?P<number>[0-9]{1,18})/token/?\Z",
    ),
}
# The admin's pages of each model: who of (moderator, admin) sees them, and who changes rows.
ADMIN: Final[dict[str, tuple[str, str]]] = {
    "auditlog/logentry": ("403 in", "403 403"),
    "billing/ending": ("403 in", "403 403"),
    "billing/paymentevent": ("403 in", "403 403"),
    "billing/purchase": ("403 in", "403 403"),
    "identity/account": ("in in", "403 403"),
    "identity/apikey": ("in in", "403 403"),
    "identity/member": ("in in", "in in"),
    "identity/securityentry": ("403 in", "403 403"),
    "projections/importedfile": ("403 in", "403 403"),
    "projections/instrument": ("403 in", "403 403"),
    "projections/order": ("403 in", "403 403"),
    "projections/orderlist": ("403 in", "403 403"),
    "projections/posting": ("403 in", "403 403"),
    "projections/summary": ("403 in", "403 403"),
    "projections/trade": ("403 in", "403 403"),
    "projections/venueorder": ("403 in", "403 403"),
    "robots/decision": ("in in", "403 403"),
    "robots/feedstate": ("in in", "403 403"),
    "robots/hook": ("in in", "403 403"),
    "robots/hookalert": ("in in", "403 403"),
    "robots/operation": ("in in", "403 403"),
    "robots/setasidemessage": ("in in", "403 403"),
    "robots/signal": ("in in", "403 403"),
    "robots/venuedispute": ("in in", "403 403"),
}
LISTED: Final = {endpoint: row for row, found in ROWS.items() for endpoint in found}


def bodies(things: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is sent to the endpoints that name a thing in their body."""
    money = {"account": things["account"], "asset": "USDT", "amount": "0.00000001"}
    withdrawal = {**money, "destination": "bank", "password": PASSWORD}
    transfer = {**money, "to_account": things["sub"]}
    key = {"account": things["account"], "scopes": ["read"]}
    return {
        "POST money/withdraw": withdrawal,
        "POST money/transfer": transfer,
        "POST ^api/v1/withdrawals/?\\Z": withdrawal,
        "POST ^api/v1/transfers/?\\Z": transfer,
        "POST ^api/v1/accounts/?\\Z": {"name": "another"},
        "POST ^api/v1/keys/?\\Z": key,
        "POST ^api/order/?\\Z": {"crypto": "ABAN", "amount": 1, "customer_id": things["member"]},
        "POST ^api/v1/orders/?\\Z": {
            "symbol": "ABANUSD",
            "side": "BUY",
            "quantity": 1,
            "customer_id": things["member"],
        },
        "POST ^api/v1/tokens/?\\Z": {"scopes": ["read"]},
        "POST ^profile/keys/?\\Z": {"revoke": things["key"]},
        "POST ^profile/tokens/?\\Z": {"revoke": things["token"]},
        "POST ^profile/sessions/?\\Z": {"session": things["session"]},
    }


def row_of(endpoint: Endpoint) -> str | None:
    """Return the row of an endpoint, None if it has none."""
    listed = LISTED.get(str(endpoint))
    parts = endpoint.pattern.split("/")
    model = "/".join(parts[1:3])
    if listed is not None or parts[0] != "admin" or model not in ADMIN:
        return listed
    sees, changes = ADMIN[model]
    page = "/".join(parts[3:])
    if page.startswith("add/") or page.endswith("delete/"):
        sees = changes = "403 403"  # nobody, whatever it is
    elif page == "<path:object_id>/":
        sees = changes = "in in"  # leads to change/
    elif not page.endswith("change/"):
        changes = sees  # lists and histories change nothing
    staff = sees if endpoint.method == "GET" else changes
    return f"login login login login {staff} login login login login"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, settings: Any) -> House:
    """A house with everyone in it."""
    core = MoneyCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    settings.STAFF_MFA = False
    settings.CASH = "USDT"
    settings.ACCOUNT_RATE_LIMITS = False
    settings.MFA_RATE_LIMITS = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return House(core)


def breaches(house: House, column: str, only: str = "") -> list[str]:
    """Return each listed endpoint, or `only` one, that answers one of the COLUMNS otherwise."""
    sent = bodies(house.things)
    place = COLUMNS.index(column)
    found = []
    for endpoint in endpoints():
        row = None if only and str(endpoint) != only else row_of(endpoint)
        if row is not None:
            answer = answer_of(house.ask(column, endpoint, sent.get(str(endpoint))))
            if answer != row.split()[place]:
                found.append(f"{endpoint}: {column} {answer}, expected {row.split()[place]}")
    return found


def unlisted(house: House) -> list[str]:
    """Return each endpoint without a row. What an admin is told is 405 is no endpoint."""
    return [
        f"{endpoint} is not in ROWS"
        for endpoint in endpoints()
        if row_of(endpoint) is None and answer_of(house.ask("admin", endpoint)) != "405"
    ]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_endpoint_answers_as_listed(house: House, column: str) -> None:
    """Every cell of the matrix holds; S1-8: another member's ids are 404."""
    assert breaches(house, column) == []


def test_every_endpoint_is_listed_and_no_other(house: House) -> None:
    """A route without a row fails, and so does a row whose route is gone."""
    assert unlisted(house) == []
    there = {str(endpoint) for endpoint in endpoints()}
    assert set(LISTED) <= there
    models = {"/".join(each.pattern.split("/")[1:3]) for each in endpoints()}
    assert set(ADMIN) <= models


# ---- a house with `open_api`: the column of strangers on this machine, and behind a proxy

OPEN: Final = (
    "api/customer",
    "api/order",
    "api/v1/orders",
    "api/v1/signals",
    "api/v1/robots/clients/",
    "api/v1/ratings/",
    "api/v1/venues/",
    "api/users",
    "api/stocks",
)
STAFF_ALONE: Final = "/settle"  # moves members' money: no open door


def opened(house: House, settings: Any, **headers: str) -> list[str]:
    """Return each endpoint that answers a stranger otherwise than in a closed house."""
    settings.OPEN_API = True
    sent = bodies(house.things)
    found = []
    for endpoint in endpoints():
        row = row_of(endpoint)
        fields = sent.get(str(endpoint), {"name": "ann"})
        answer = answer_of(house.ask("stranger", endpoint, fields, **headers))
        if row is not None and answer != row.split()[0]:
            found.append(f"{answer} {endpoint}")
    return found


def test_the_open_door_opens_its_own_routes_and_no_other(house: House, settings: Any) -> None:
    """With `open_api` a stranger on loopback is let in to each of OPEN; all else is as it was."""
    listed = (each for each in LISTED if STAFF_ALONE not in each)
    open_routes = {str(each) for each in listed if each.partition("^")[2].startswith(OPEN)}
    assert set(opened(house, settings)) == {f"in {each}" for each in open_routes}
    assert len(open_routes) >= 9


def test_behind_a_proxy_an_open_house_is_a_closed_one(house: House, settings: Any) -> None:
    """The same stranger with X-Forwarded-For gets what strangers get."""
    assert opened(house, settings, HTTP_X_FORWARDED_FOR="127.0.0.1") == []


def open_page(_request: HttpRequest, **_words: str) -> HttpResponse:
    return HttpResponse("no question asked")


@pytest.mark.parametrize(
    "planted, column, said",
    [
        (path("money/", open_page), "stranger", "GET money/: stranger in, expected login"),
        (path("staff/money/", open_page), "member", "GET staff/money/: member in, expected 403"),
        (
            path("admin/identity/member/add/", open_page),
            "admin",
            "GET admin/identity/member/add/: admin in, expected 403",
        ),
    ],
)
def test_a_view_without_its_check_is_caught(
    house: House, settings: Any, planted: URLPattern, column: str, said: str
) -> None:
    """The planted bugs: a page without its sign-in, without its role, without its permission."""
    _plant(settings, planted)
    assert said in breaches(house, column, only=said.partition(":")[0])


def test_an_unlisted_route_is_caught(house: House, settings: Any) -> None:
    """The planted bug: a route that somebody added without its row."""
    _plant(settings, path("profile/everybody", open_page))
    assert "GET profile/everybody is not in ROWS" in unlisted(house)


@pytest.mark.parametrize(
    "check, endpoint",
    [
        (
            "fondaco.office.treasury.selectors.is_own_withdrawal",
            r"POST ^api/v1/withdrawals/(?P<number>[0-9]{1,18})/cancel/?\Z",
        ),
        ("fondaco.office.members.views_keys._own_key", r"POST ^profile/keys/?\Z"),
    ],
)
def test_a_view_without_its_owner_check_is_caught(
    house: House, monkeypatch: pytest.MonkeyPatch, check: str, endpoint: str
) -> None:
    """The planted bugs: whoever asks, the thing of another is taken for theirs."""

    def anybody(*_asked: Any, **_only: Any) -> Any:
        return ApiKey.objects.get(pk=house.things["key"])

    monkeypatch.setattr(check, anybody)
    said = f"{endpoint}: other member in, expected 404"
    assert breaches(house, "other member", only=endpoint) == [said]


def _plant(settings: Any, planted: URLPattern) -> None:
    """Put a route before all others."""
    from fondaco.office.urls import urlpatterns

    class Planted:
        pass

    bugged: Any = Planted
    bugged.urlpatterns = [planted, *urlpatterns]
    settings.ROOT_URLCONF = bugged

"""The authorisation matrix of the office: every route of its table x everyone who may ask.

The routes come from Django's own resolver: one that ROWS does not list fails. Each cell is what a
GET and an empty POST are answered with: `in` let in, `login` sent to sign in, `pay` sent to the
checkout, `401`, `403`, `404`, `405`; anything else is shown as it is and is a fault of the table.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path

from fondaco.core.records import Query
from fondaco.identity import services, tokens
from fondaco.identity.models import Member
from fondaco.link.answers import Answer
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db(databases=["default", "projections"])

COLUMNS: Final = ("stranger", "unpaid", "member", "moderator", "admin", "read token", "trade token")
SAMPLES: Final = {
    "code": "unknown",
    "text": "unfit",
    "number": "999",
    "session_id": "cs_unknown",
    "month": "2026-01",
    "year": "2026",
    "uidb36": "1",
    "key": "set-password",
    "pk": "999",
}
# GET/POST of each column, in the order of COLUMNS -> the routes that answer so.
ROWS: Final[dict[str, tuple[str, ...]]] = {
    "in/405 in/405 in/405 in/405 in/405 in/405 in/405": (
        "",
        r"^profile/confirm/(?P<text>[\w:-]{1,1000})/?\Z",
        "account/inactive/",
        "account/password/reset/done/",
        "account/password/reset/key/done/",
        "proofs",
        "proofs/",
    ),
    "in/in in/in in/in in/in in/in in/in in/in": (
        r"^account/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/\Z",
        "account/mfa/authenticate/",
        "account/mfa/webauthn/login/",
        "account/password/reset/",
        "admin/logout/",
        "admin/password_change/",
        "login",
        "login/",
        "logout",
        "logout/",
    ),
    "401/401 in/in in/in in/in in/in in/403 403/403": (
        r"^api/v1/deposits/?\Z",
        r"^api/v1/withdrawals/?\Z",
    ),
    "401/401 403/403 403/403 405/404 405/404 403/403 403/403": (
        r"^api/v1/deposits/(?P<number>[0-9]{1,18})/approve/?\Z",
        r"^api/v1/withdrawals/(?P<number>[0-9]{1,18})/approve/?\Z",
    ),
    "401/401 403/403 403/403 403/403 405/in 403/403 403/403": (
        r"^api/v1/members/(?P<number>[0-9]{1,18})/roles/?\Z",
    ),
    "401/401 in/405 in/405 in/405 in/405 in/405 403/403": (r"^api/v1/members/me/?\Z",),
    "401/401 405/in 405/in 405/in 405/in 405/403 403/in": (r"^api/v1/transfers/?\Z",),
    "401/401 in/in in/in in/in in/in in/403 403/in": (
        r"^api/v1/accounts/?\Z",
        r"^api/v1/notices/webhooks/?\Z",
    ),
    "401/401 in/405 in/405 in/405 in/405 in/403 403/405": (
        r"^api/v1/notices/choices/?\Z",
        r"^api/v1/notices/deliveries/?\Z",
    ),
    "401/401 405/405 405/405 405/405 405/405 405/403 403/405": (
        r"^api/v1/notices/webhooks/(?P<number>[0-9]{1,18})/?\Z",
    ),
    "401/401 405/404 405/404 405/404 405/404 405/403 403/404": (
        r"^api/v1/notices/webhooks/(?P<number>[0-9]{1,18})/test/?\Z",
        r"^api/v1/notices/deliveries/(?P<number>[0-9]{1,18})/replay/?\Z",
    ),
    "401/401 405/404 405/404 405/404 405/404 405/403 403/403": (
        r"^api/v1/withdrawals/(?P<number>[0-9]{1,18})/cancel/?\Z",
    ),
    "404/404 404/404 404/404 404/404 404/404 404/404 404/404": (
        r"^invite/(?P<code>[^/]{1,64})/?\Z",
        r"^proofs/(?P<seq>[0-9]{1,18})\.json\Z",
        "sandbox/checkout/<str:session_id>",
    ),
    "405/login 405/404 405/404 405/404 405/404 405/login 405/login": (
        r"^money/withdrawals/(?P<number>[0-9]{1,18})/cancel\Z",
    ),
    "login/login in/in in/in in/in in/in login/login login/login": (
        r"^profile/?\Z",
        r"^profile/notices/?\Z",
        r"^profile/keys/?\Z",
        r"^profile/sessions/?\Z",
        r"^profile/tokens/?\Z",
        "account/mfa/recovery-codes/generate/",
        "account/mfa/totp/activate/",
        "account/mfa/webauthn/add/",
        "account/password/change/",
        "account/password/set/",
        "memberships/checkout",
        "memberships/checkout/",
    ),
    "login/405 in/405 in/405 in/405 in/405 login/405 login/405": (
        r"^profile/invites/?\Z",
        r"^profile/log/?\Z",
        r"^statements/(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))/?\Z",
        r"^statements/(?P<month>20[0-9]{2}-(0[1-9]|1[0-2]))\.csv\Z",
        r"^statements/fifo-tax-(?P<year>20[0-9]{2})\.csv\Z",
        "money",
        "money/",
        "statements",
        "statements/",
        "trade",
        "trade/",
    ),
    "405/login 405/403 405/403 405/404 405/404 405/login 405/login": (
        r"^staff/money/deposits/(?P<number>[0-9]{1,18})/approve\Z",
        r"^staff/money/withdrawals/(?P<number>[0-9]{1,18})/approve\Z",
    ),
    "login/login in/405 in/405 in/405 in/405 login/login login/login": (
        "account/mfa/",
        "account/mfa/webauthn/",
    ),
    "login/login 403/403 403/403 403/403 403/403 login/login login/login": (
        "account/mfa/reauthenticate/",
        "account/mfa/webauthn/reauthenticate/",
        "account/reauthenticate/",
    ),
    "login/login 404/405 404/405 404/405 404/405 login/login login/login": (
        "account/mfa/recovery-codes/",
    ),
    "login/login 404/404 404/404 404/404 404/404 login/login login/login": (
        "account/mfa/recovery-codes/download/",
        "account/mfa/totp/deactivate/",
        "account/mfa/webauthn/keys/<int:pk>/edit/",
        "account/mfa/webauthn/keys/<int:pk>/remove/",
    ),
    "login/login login/login login/login login/login login/login login/login login/login": (
        "admin/login/",
    ),
    "login/405 pay/pay in/405 in/405 in/405 login/405 login/405": (
        "dashboard",
        "dashboard/",
    ),
    "405/in 405/in 405/in 405/in 405/in 405/in 405/in": (
        "memberships/webhook",
        "memberships/webhook/",
    ),
    "405/login 405/in 405/in 405/in 405/in 405/login 405/login": (
        "money/accounts",
        "money/transfer",
        "money/withdraw",
    ),
    "405/login 405/403 405/403 405/403 405/in 405/login 405/login": (
        "proofs/publish",
        "staff/money/deposit",
    ),
    "405/401 405/401 405/401 405/401 405/401 405/401 405/401": (
        "sandbox/v1/checkout/sessions",
        "sandbox/v1/refunds",
    ),
    "401/405 401/405 401/405 401/405 401/405 401/405 401/405": (
        "sandbox/v1/checkout/sessions/<str:session_id>",
    ),
    "login/405 403/405 403/405 in/405 in/405 login/405 login/405": ("staff/money/",),
}
Ask = Callable[[str, str], Any]


def routes() -> Iterator[str]:
    """Yield the pattern of every route but those inside the admin, which has its own test."""

    def walk(found: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
        for each in found:
            whole = before + str(each.pattern)
            if isinstance(each, URLPattern):
                yield whole
            elif each.app_name != "admin":
                yield from walk(each.url_patterns, whole)

    yield from walk(get_resolver().url_patterns, "")


def sample(pattern: str) -> str:
    """Return a path that the pattern matches."""
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: f"<{m[1]}>", pattern)
    text = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", text)
    for name, value in SAMPLES.items():
        text = text.replace(f"<{name}>", value)
    return "/" + text.replace("^", "").replace("\\Z", "").replace("/?", "").replace("\\.", ".")


def word(answer: Any) -> str:
    """Say an answer in the words of the table."""
    status = int(answer.status_code)
    place = answer.headers.get("Location", "")
    if status == 302 and place.startswith("/login?next="):
        return "login"
    if status == 302 and place.startswith("/memberships/checkout"):
        return "pay"
    faulty = status >= 500 and status != 503  # 503: let in, but this core knows no balances
    return str(status) if faulty or status in {401, 403, 404, 405} else "in"


def person(name: str, *roles: str, paid: bool = False) -> Member:
    return services.create_member(
        username=name,
        email=f"{name}@example.com",
        password="",
        roles=("member", *roles),
        membership_until=dt.date(2099, 12, 31) if paid else None,
    )


class EmptyHouse(StandInCore):
    """A core that knows nothing of balances or orders."""

    def query(self, record: bytes) -> Answer:
        if int.from_bytes(record[:2], "little") == Query.DEFINITIONS:
            return super().query(record)
        return Answer(self.seq, b"")


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, Ask]:
    """Everyone who may ask, as functions of method and path."""
    core = EmptyHouse()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    settings.STAFF_MFA = False
    settings.ACCOUNT_RATE_LIMITS = False

    def session(member: Member) -> Ask:
        def ask(method: str, path: str) -> Any:
            client = Client(raise_request_exception=False)
            client.force_login(member)
            return client.generic(method, path)

        return ask

    def token(member: Member, scope: str) -> Ask:
        _, text = tokens.make(member, scopes=[scope])
        return lambda method, path: Client(raise_request_exception=False).generic(
            method, path, HTTP_AUTHORIZATION=f"Bearer {text}"
        )

    paid = person("paid", paid=True)
    found: dict[str, Ask] = {
        "stranger": lambda method, path: Client(raise_request_exception=False).generic(
            method, path
        ),
        "unpaid": session(person("unpaid")),
        "member": session(paid),
        "moderator": session(person("moderator", "moderator")),
        "admin": session(person("admin", "admin")),
        "read token": token(paid, "read"),
        "trade token": token(paid, "trade"),
    }
    for member in Member.objects.all():
        services.open_account(core, member=member)
    return found


def answers(people: dict[str, Ask], path: str) -> list[str]:
    """Return a row: for each column GET/POST."""
    return [
        "/".join(word(people[name](method, path)) for method in ("GET", "POST")) for name in COLUMNS
    ]


def listed() -> dict[str, str]:
    """Return pattern -> row."""
    return {pattern: row for row, patterns in ROWS.items() for pattern in patterns}


def breaches(people: dict[str, Ask]) -> list[str]:
    """Return each route whose row isn't the listed one, and each that is not listed."""
    rows = listed()
    found = []
    for pattern in routes():
        if pattern not in rows:
            found.append(f"{pattern!r} is not in ROWS")
            continue
        row = " ".join(answers(people, sample(pattern)))
        if row != rows[pattern]:
            found.append(f"{pattern!r}: {row}, expected {rows[pattern]}")
    return found


def test_every_route_answers_each_caller_as_listed(people: dict[str, Ask]) -> None:
    """Every cell of the matrix holds, and no row is of a route that is gone."""
    assert breaches(people) == []
    assert set(listed()) == set(routes())


def open_page(_request: HttpRequest, **_words: str) -> HttpResponse:
    return HttpResponse("no question asked")


@pytest.mark.parametrize(
    "planted, said",
    [
        (path("profile/everybody", open_page), "'profile/everybody' is not in ROWS"),
        (path("money/", open_page), "'money/': in/in in/in"),
        (path("staff/money/", open_page), "'staff/money/': in/in in/in"),
    ],
)
def test_a_view_without_its_check_is_caught(
    people: dict[str, Ask], settings: Any, planted: URLPattern, said: str
) -> None:
    """The planted bugs: an unlisted route, a page without its sign-in, one without its role."""
    from fondaco.office.urls import urlpatterns

    urls: list[Any] = list(urlpatterns)

    class Planted:
        pass

    bugged: Any = Planted
    rest = [each for each in urls if str(each.pattern) not in {"", str(planted.pattern)}]
    bugged.urlpatterns = [planted, *rest[:1]]
    settings.ROOT_URLCONF = bugged
    assert any(breach.startswith(said) for breach in breaches(people))

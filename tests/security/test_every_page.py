"""What holds on every page and route of the office, asked of each by walking its table.

CSRF, the Content-Security-Policy, fields that nobody may set, and an admin without balances; each
with a planted bug that the walk must catch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from fondaco.identity.models import ApiKey, Invite, Member, RoleGrant
from tests.acceptance.office_people import House, MoneyCore, person, routes

pytestmark = pytest.mark.django_db(databases=["default", "projections"])

CHANGING: Final = ("POST", "PUT", "PATCH", "DELETE")
# Signed by their senders: a cookie opens nothing there.
SIGNED: Final = ("memberships/webhook", "sandbox/v1/", "api/v1/hooks/in/")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, settings: Any) -> House:
    """People, and one of each thing that a path may name."""
    core = MoneyCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    settings.STAFF_MFA = False
    settings.ACCOUNT_RATE_LIMITS = False
    return House(core)


def paths(house: House) -> Iterator[str]:
    yield from (house.path(pattern) for pattern in routes())


def client_of(member: Member | None, **words: Any) -> Client:
    client = Client(raise_request_exception=False, **words)
    if member is not None:
        client.force_login(member)
    return client


def planted(settings: Any, view: Any) -> None:
    """Add one route to the office's."""
    from fondaco.office.urls import urlpatterns

    class Planted:
        pass

    bugged: Any = Planted
    bugged.urlpatterns = [path("profile/planted", view), *urlpatterns]
    settings.ROOT_URLCONF = bugged


# ---- CSRF


def without_token(house: House) -> list[str]:
    """Return what a signed-in admin's browser changes without its token."""
    client = client_of(house.people["admin"], enforce_csrf_checks=True)
    found = []
    for each in paths(house):
        if each[1:].startswith(SIGNED):
            continue
        for method in CHANGING:
            status = client.generic(method, each).status_code
            if status not in {403, 405}:  # 405: the route has no such method
                found.append(f"{method} {each}: {status}")
    return found


def test_no_route_changes_anything_without_its_csrf_token(house: House) -> None:
    """Every changing method that a route has is 403 for a session without the token."""
    assert without_token(house) == []


def test_a_view_without_csrf_is_caught(house: House, settings: Any) -> None:
    """The planted bug: one exempt view."""
    planted(settings, csrf_exempt(lambda _request: HttpResponse("done")))
    assert "POST /profile/planted: 200" in without_token(house)


# ---- the Content-Security-Policy


class Inline(HTMLParser):
    """Collects what a policy without 'unsafe-inline' would stop: it must not be there at all."""

    def __init__(self, *, styles: bool) -> None:
        super().__init__()
        self.found: list[str] = []
        self._styles = styles

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = dict(attrs)
        if tag == "script" and "src" not in words and words.get("type") != "application/json":
            self.found.append("an inline script")
        if self._styles and (tag == "style" or "style" in words):
            self.found.append(f"an inline style at <{tag}>")
        for name, value in words.items():
            if re.fullmatch(r"on[a-z]+", name):
                self.found.append(f"{name} at <{tag}>")
            if value and value.strip().lower().startswith("javascript:"):
                self.found.append(f"{name}=javascript: at <{tag}>")


def inline_things(house: House) -> tuple[int, list[str]]:
    """Return how many pages were seen, and what is inline on them or wrong with their policy."""
    found: list[str] = []
    seen = 0
    people = [None, house.people["member"], house.people["admin"]]
    for member in people:
        client = client_of(member)
        for each in paths(house):
            answer = client.get(each)
            policy = answer.headers.get("Content-Security-Policy", "")
            if "default-src 'none'" not in policy or "unsafe" in policy:
                found.append(f"{each}: policy {policy!r}")
            if not answer.headers.get("Content-Type", "").startswith("text/html"):
                continue
            seen += 1
            # The admin's own styles at elements are unfold's; the policy stops them, harmlessly.
            parser = Inline(styles=not each.startswith("/admin/"))
            parser.feed(b"".join(answer).decode())
            found += [f"{each}: {thing}" for thing in parser.found]
    return seen, found


def test_every_page_has_the_policy_and_nothing_inline(house: House) -> None:
    """Pages of strangers, members and admins, the admin's lists and forms among them."""
    seen, found = inline_things(house)
    assert found == []
    assert seen > 100


def test_something_inline_is_caught(house: House, settings: Any) -> None:
    """The planted bugs: one of each kind on one page."""
    bugs = {
        "<script>1</script>": "an inline script",
        "<p style='color:red'>": "an inline style at <p>",
        "<style>p{}</style>": "an inline style at <style>",
        "<a onclick='x()'>": "onclick at <a>",
        "<a href=' JavaScript:x()'>": "href=javascript: at <a>",
    }
    planted(settings, lambda _request: HttpResponse("".join(bugs)))
    _, found = inline_things(house)
    for said in bugs.values():
        assert f"/profile/planted: {said}" in found


# ---- fields that nobody may set by sending them

FORBIDDEN: Final[dict[str, Any]] = {
    "is_staff": "1",
    "is_superuser": "1",
    "is_active": "1",
    "roles": ["admin"],
    "role": "admin",
    "role_grants": ["admin"],
    "membership_until": "2099-12-31",
    "email_confirmed_at": "2026-01-01T00:00:00Z",
    "frozen_at": "2026-01-01T00:00:00Z",
    "invited_by": "1",
    "uses_left": "1000",
    "invite": "1000",
    "member": "1",
    "member_id": "1",
    "state": "done",
    "approvals_needed": "0",
    "due_at": "2020-01-01T00:00:00Z",
    "paid_at": "2026-01-01T00:00:00Z",
    "order_limit_10s": "0",
    "revoked_at": "",
    "granted_at": "2026-01-01T00:00:00Z",
}


def privileges() -> list[Any]:
    """Return everything that a member must not give themselves."""
    names = ("username", "is_staff", "is_superuser", "is_active", "membership_until")
    return [
        list(Member.objects.order_by("pk").values_list(*names, "frozen_at", "email_confirmed_at")),
        list(Member.objects.order_by("pk").values_list("pk", "invited_by")),
        list(RoleGrant.objects.order_by("pk").values_list("member", "role")),
        list(Invite.objects.order_by("pk").values_list("member", "uses_left")),
        list(ApiKey.objects.order_by("pk").values_list("account__member", "order_limit_10s")),
    ]


def set_by_sending(house: House) -> list[str]:
    """Return the routes by which a member changed a privilege."""
    ann = house.people["member"]
    before = privileges()
    found = []
    for each in paths(house):
        if each in {"/logout", "/logout/"}:
            continue
        client = client_of(ann)
        for method in ("POST", "PUT", "PATCH"):
            client.generic(method, each, json_text(FORBIDDEN), content_type="application/json")
        client.post(each, FORBIDDEN)
        if privileges() != before:
            found.append(each)
            break
    return found


def json_text(words: dict[str, Any]) -> str:
    import json

    return json.dumps(words)


def test_no_form_or_serializer_sets_more_than_its_fields(house: House) -> None:
    """Sent to every route as a form and as JSON, a member's wished privileges change nothing."""
    assert set_by_sending(house) == []


def test_a_view_that_sets_what_it_is_sent_is_caught(house: House, settings: Any) -> None:
    """The planted bug: every field of the request is set on the member."""

    def careless(request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, Member)
        for name, value in request.POST.items():
            if name in {"is_staff", "membership_until"}:
                setattr(request.user, name, value)
        request.user.save()
        return HttpResponse("saved")

    planted(settings, careless)
    assert set_by_sending(house) == ["/profile/planted"]


def test_no_form_is_made_of_all_fields_of_a_model() -> None:
    """Forms and serializers name their fields: none is derived from a whole model."""
    from django.forms import ModelForm
    from rest_framework.serializers import ModelSerializer

    def below(kind: type) -> Iterator[type]:
        each: type
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    ours: list[type] = [
        each
        for kind in (ModelForm, ModelSerializer)
        for each in below(kind)
        if each.__module__.startswith("fondaco.")
    ]
    for each in ours:
        meta: Any = getattr(each, "Meta", None)
        assert getattr(meta, "fields", None) not in {None, "__all__"}, each
        assert not getattr(meta, "exclude", None), each


# ---- the admin and balances


def test_the_admin_changes_no_balance() -> None:
    """No row of money can be made, changed or deleted in the admin, by an admin either."""
    request = RequestFactory().get("/admin/")
    request.user = person("max", "admin")
    money = {"treasury", "projections", "billing", "proofs"}
    for model, pages in admin.site._registry.items():
        label, name = model._meta.app_label, model._meta.model_name
        if label in money or (label, name) == ("identity", "account"):
            assert not pages.has_add_permission(request), model
            assert not pages.has_change_permission(request), model
            assert not pages.has_delete_permission(request), model
        fields = {field.name for field in model._meta.get_fields()}
        assert not fields & {"balance", "free", "held"}, f"{model} keeps a balance outside the core"

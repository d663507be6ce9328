"""The open door: free on this machine where the house file says so, and the usual rules elsewhere.

The view is planted, so that the door is asked and nothing behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity import services, tokens
from fondaco.identity.models import Member
from fondaco.office import environment
from fondaco.office.api.open_door import OpenView, sees_all
from tests.identity.stand_in import StandInCore
from tests.security.test_every_page import Inline

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
ROUTE = "/api/planted/"
OUTSIDE = [
    {"Host": "house.example"},
    {"Host": "127.0.0.1.house.example"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "127.0.0.1"},
    {"X-Forwarded-Anything": "1"},
    {"Origin": "https://house.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
]


class Wish(serializers.Serializer):
    amount = serializers.CharField()


class Planted(OpenView):
    form = Wish

    def get(self, request: Request) -> Response:
        if "member" in request.query_params:
            self.theirs(int(request.query_params["member"]), "Customer")
        return Response({"all": sees_all(request)})

    def post(self, request: Request) -> Response:
        return Response({"account": self.theirs(int(request.data["member"]), "Customer").pk})


@pytest.fixture(autouse=True)
def _house(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    core = StandInCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    settings.STAFF_MFA = False
    settings.OPEN_API = True
    settings.ALLOWED_HOSTS = ["*"]  # the door itself must see to the host

    class Urls:
        from fondaco.office.urls import urlpatterns as those

        urlpatterns = (path(ROUTE[1:], Planted.as_view()), *those)

    settings.ROOT_URLCONF = Urls


def person(name: str, *roles: str) -> Member:
    member = services.create_member(
        username=name, email=f"{name}@example.com", password="", roles=("member", *roles)
    )
    services.open_account(StandInCore(), member=member)
    return member


def test_on_loopback_an_open_house_asks_for_nothing() -> None:
    """No credentials, every member's account, and whoever isn't there is a 404 that says so."""
    ann = person("ann")
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        client = Client(headers={"Host": host})
        assert client.get(ROUTE).json() == {"all": True}
        answer = client.post(ROUTE, {"member": ann.pk}, content_type="application/json")
        assert answer.json() == {"account": 16}
    missing = Client(headers={"Host": "localhost"}).post(ROUTE, {"member": 10**30})
    assert missing.status_code == 404
    assert missing.json() == {"detail": "No Customer matches the given query."}


@pytest.mark.parametrize(
    "headers", OUTSIDE, ids=lambda each: " ".join(map(": ".join, each.items()))
)
def test_whatever_comes_from_elsewhere_is_a_stranger(headers: dict[str, str]) -> None:
    """Another host, a proxy, another site's page: 401 to read and to write."""
    client = Client(headers={"Host": "127.0.0.1", **headers})
    assert client.get(ROUTE).status_code == 401
    assert client.post(ROUTE, {"member": 1}).status_code == 401


def test_a_wrong_token_is_refused_at_the_open_door_too() -> None:
    """Whoever shows a credential is answered by it alone."""
    client = Client(headers={"Host": "127.0.0.1", "Authorization": "Bearer nobody's"})
    assert client.get(ROUTE).status_code == 401


def test_a_closed_house_shows_each_member_their_own(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stranger 401, the member 200, others 404; staff see all, and write where the view says so."""
    settings.OPEN_API = False
    ann, bob, eve = person("ann"), person("bob"), person("eve", "admin")

    def asked(member: Member | None) -> tuple[int, int]:
        client = Client(headers={"Host": "127.0.0.1"})
        if member is not None:
            client.force_login(member)
        read = client.get(ROUTE, {"member": ann.pk}).status_code
        return read, client.post(ROUTE, {"member": ann.pk}).status_code

    people = (None, ann, bob, eve)
    assert [asked(each) for each in people] == [(401, 401), (200, 200), (404, 404), (200, 404)]
    monkeypatch.setattr(Planted, "staff_writes", True)
    assert [asked(each)[1] for each in people] == [401, 200, 404, 200]


def test_a_token_does_what_its_scopes_say(settings: Any) -> None:
    """One that reads doesn't write; an admin's sees all only with the scope `staff`."""
    settings.OPEN_API = False
    ann, eve = person("ann"), person("eve", "admin")

    def asked(member: Member, *scopes: str) -> tuple[int, bool]:
        _, text = tokens.make(member, scopes=scopes)
        client = Client(headers={"Host": "127.0.0.1", "Authorization": f"Bearer {text}"})
        posted = client.post(ROUTE, {"member": ann.pk}).status_code
        return posted, bool(client.get(ROUTE).json().get("all"))

    assert asked(ann, "read") == (403, False)
    assert asked(ann, "read", "trade") == (200, False)
    assert asked(eve, "read", "trade") == (404, False)
    assert asked(eve, "read", "trade", "staff") == (404, True)


def test_a_key_opens_its_own_account_alone(settings: Any) -> None:
    """A key of a sub-account isn't let through to the member's first."""
    settings.OPEN_API = False
    from tests.acceptance.office_people import Endpoint, House, MoneyCore

    house = House(MoneyCore())
    number = house.people["member"].pk
    endpoint = Endpoint("POST", "^api/planted/")
    assert house.ask("trade key", endpoint, {"member": number}).status_code == 200
    assert house.ask("trade key", endpoint, {"member": number + 1}).status_code == 404


def test_the_page_of_a_route_has_a_form_and_nothing_inline() -> None:
    """A browser gets a page with the fields, under the policy, and its scripts and styles."""
    answer = Client(headers={"Host": "127.0.0.1", "Accept": "text/html"}).get(ROUTE)
    text = answer.content.decode()
    assert 'name="amount"' in text
    assert 'method="POST"' in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    parser = Inline(styles=True)
    parser.feed(text)
    assert parser.found == []
    assert finders.find("rest_framework/js/default.js")


def test_the_environment_opens_no_house_that_others_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FONDACO_OPEN_API counts on loopback only, and not by itself."""
    read: Callable[[], bool] = environment.open_api
    monkeypatch.setenv("FONDACO_BASE_URL", "http://127.0.0.1:8000")
    assert not read()
    monkeypatch.setenv("FONDACO_OPEN_API", "1")
    assert read()
    monkeypatch.setenv("FONDACO_BASE_URL", "https://house.example")
    assert not read()
    monkeypatch.setenv("FONDACO_BASE_URL", "house.example")
    with pytest.raises(ImproperlyConfigured):
        read()

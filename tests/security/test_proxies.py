"""Forwarded headers are not believed: who asks is who holds the connection."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from fondaco.identity import security_log, tokens
from fondaco.identity.services import create_member
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PASSWORD = "a password that nobody has"
SPOOFED = {
    "X-Forwarded-For": "10.9.8.7",
    "X-Real-IP": "10.9.8.7",
    "Forwarded": "for=10.9.8.7;host=evil.example;proto=https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
}


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch) -> None:
    core = StandInCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    cache.clear()


def test_the_security_log_keeps_the_connections_own_address() -> None:
    """A sign-in with spoofed headers is told with the real address."""
    ann = create_member(username="ann", email="ann@example.com", password=PASSWORD)
    client = Client(headers=SPOOFED, REMOTE_ADDR="192.0.2.4")
    client.post("/login", {"username": "ann", "password": PASSWORD})
    entry = security_log.of_member(ann, 1)[0]
    assert (entry.action, entry.address) == ("signed in", "192.0.2.4")


def test_a_spoofed_address_opens_no_bound_token() -> None:
    """A token for 10.9.8.7 is none for who only says so."""
    ann = create_member(username="ann", email="ann@example.com", password="")
    _, text = tokens.make(ann, scopes=["read"], addresses="10.9.8.7")
    bearer = {"Authorization": f"Bearer {text}"}
    spoofing = Client(headers={**SPOOFED, **bearer}, REMOTE_ADDR="192.0.2.4")
    assert spoofing.get("/api/v1/members/me/").status_code == 401
    real = Client(headers=bearer, REMOTE_ADDR="10.9.8.7")
    assert real.get("/api/v1/members/me/").status_code == 200


def test_a_spoofed_address_does_not_escape_the_limit(settings: Any) -> None:
    """Another address in the headers at each try, and yet the tries of one connection add up."""
    settings.ACCOUNT_RATE_LIMITS = {}
    statuses = []
    for number in range(40):
        client = Client(headers={"X-Forwarded-For": f"10.0.0.{number}"}, REMOTE_ADDR="192.0.2.4")
        wrong = {"username": f"nobody-{number}", "password": "wrong"}
        statuses.append(client.post("/login", wrong).status_code)
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_a_spoofed_host_is_in_no_link() -> None:
    """The mail that resets a password leads to the house, or isn't sent."""
    create_member(username="ann", email="ann@example.com", password=PASSWORD)
    client = Client(headers=SPOOFED)
    client.post("/account/password/reset/", {"email": "ann@example.com"})
    assert len(mail.outbox) == 1
    assert "evil.example" not in mail.outbox[0].body
    evil = Client(headers={"Host": "evil.example"}, raise_request_exception=False)
    answer = evil.post("/account/password/reset/", {"email": "ann@example.com"})
    assert answer.status_code == 400
    assert len(mail.outbox) == 1

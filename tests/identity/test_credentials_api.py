"""Keys, tokens and sessions under /api/v1: made by the person, shown once, ended for good."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.cache import cache
from django.test import Client

from fondaco.identity import selectors, services, tokens
from fondaco.identity.models import AccessToken, ApiKey, Member
from tests.identity.stand_in import StandInCore
from tests.identity.test_keys_and_tokens import PASSWORD, person

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
JSON = "application/json"


@pytest.fixture
def ann(monkeypatch: pytest.MonkeyPatch, core: StandInCore) -> Member:
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    member = person()
    services.open_account(core, member=member)
    return member


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    return client


def make_key(client: Client, member: Member, **fields: Any) -> Any:
    (account,) = selectors.accounts_of(member.pk)
    body = {"account": account.number, "scopes": ["read", "trade"], **fields}
    return client.post("/api/v1/keys/", body, JSON)


def test_a_key_needs_the_person_and_is_shown_once(ann: Member) -> None:
    """Without the password 403, with a wrong one a field error, with it the secret, once."""
    client = signed_in(ann)
    assert make_key(client, ann).status_code == 403
    wrong = make_key(client, ann, password="wrong")
    assert (wrong.status_code, list(wrong.json())) == (400, ["password"])
    assert not ApiKey.objects.exists()
    made = make_key(client, ann, password=PASSWORD)
    assert (made.status_code, made.json()["scopes"]) == (201, ["read", "trade"])
    (grant,) = selectors.api_keys()
    assert (made.json()["key"], made.json()["secret"]) == (grant.key, grant.secret)
    listed = client.get("/api/v1/keys/")
    assert grant.secret not in listed.content.decode()
    assert grant.key not in listed.content.decode()
    path = f"/api/v1/keys/{grant.number}/"
    assert client.delete(path, {}, JSON).status_code == 403
    assert client.delete(path, {"password": PASSWORD}, JSON).status_code == 204
    assert selectors.api_keys() == []


def test_a_code_of_the_second_factor_will_do(ann: Member) -> None:
    """The code of an authenticator app stands in for the password, once."""
    secret = "JBSWY3DPEHPK3PXP"
    TOTP.activate(ann, secret)
    assert Authenticator.objects.filter(user=ann).exists()
    _, counter, following = yield_hotp_counters_from_time()
    code, other = (format_hotp_value(hotp_value(secret, each)) for each in (counter, following))
    client = signed_in(ann)
    assert make_key(client, ann, code=code).status_code == 201
    cache.clear()  # another edge, or half a minute later
    assert make_key(client, ann, code=code).status_code == 400
    visitor = Client()
    visitor.post("/login", {"username": ann.username, "password": PASSWORD})
    for given, expected in ((code, 200), (other, 302)):  # of the API's codes none signs in
        cache.clear()
        answer = visitor.post("/account/mfa/authenticate/", {"code": given})
        assert answer.status_code == expected
    cache.clear()
    assert make_key(client, ann, code=other).status_code == 400
    assert get_adapter().decrypt(Authenticator.objects.get(user=ann).data["secret"]) == secret


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["own"]}, "scopes"),
        ({"account": 1}, "account"),
        ({"public_key": "nonsense"}, "public_key"),
        ({"addresses": ["192.0.2.1/24"]}, "addresses"),
        ({"days": 0}, "days"),
    ],
)
def test_a_body_that_does_not_fit_names_its_field(
    ann: Member, fields: dict[str, Any], said: str
) -> None:
    """{"<field>": ["…"]}, and no key is made."""
    refused = make_key(signed_in(ann), ann, **{"password": PASSWORD, **fields})
    assert (refused.status_code, list(refused.json())) == (400, [said])
    assert not ApiKey.objects.exists()


def test_a_token_makes_nothing_that_may_more(ann: Member) -> None:
    """It needs the scope withdraw and the person, and gives no scope that it hasn't."""
    _, text = tokens.make(ann, scopes=["withdraw", "read"])
    client = Client(headers={"Authorization": f"Bearer {text}"})

    def make(*scopes: str, **fields: str) -> int:
        body = {"scopes": scopes, **fields}
        return int(client.post("/api/v1/tokens/", body, JSON).status_code)

    assert make("read") == 403
    assert make("trade", password=PASSWORD) == 403
    assert make("staff", password=PASSWORD) == 403
    assert make("read", password=PASSWORD) == 201
    assert AccessToken.objects.count() == 2


def test_wrong_tries_are_counted(ann: Member, settings: Any) -> None:
    """A stolen cookie doesn't guess the password: 429 after ten tries in a minute."""
    settings.ACCOUNT_RATE_LIMITS = {"reauthenticate": "10/m/user"}
    client = signed_in(ann)
    seen = [make_key(client, ann, password="wrong").status_code for _ in range(11)]
    assert seen == [400] * 10 + [429]
    assert make_key(client, ann, password=PASSWORD).status_code == 429

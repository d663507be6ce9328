"""API keys and tokens: shown once, kept sealed or hashed, one's own, revoked for good."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.utils import timezone

from fondaco.core.records import AccountKind, Command, Scope
from fondaco.house import file
from fondaco.identity import security_log, selectors, services, tokens
from fondaco.identity.models import AccessToken, ApiKey, Member
from fondaco.identity.services import IdentityConflict
from fondaco.link.answers import Unanswered
from tests.identity.stand_in import StandInCore
from tests.identity.test_house import HOUSE

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PASSWORD = "a password that nobody has"
ME = "/api/v1/members/me/"


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch, core: StandInCore) -> None:
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)


def person(name: str = "ann") -> Member:
    return services.create_member(username=name, email=f"{name}@example.com", password=PASSWORD)


def entered(name: str = "ann") -> Client:
    """A member's browser that has given the password twice, as the pages ask."""
    client = Client()
    client.post("/login", {"username": name, "password": PASSWORD})
    for path in ("/profile/keys", "/profile/tokens"):
        asked = client.get(path)
        if asked.status_code == 302:
            assert asked["Location"].startswith("/account/reauthenticate/")
            client.post(asked["Location"], {"password": PASSWORD})
    return client


def bearer(text: str, path: str = ME, **extra: Any) -> Any:
    return Client().get(path, HTTP_AUTHORIZATION=f"Bearer {text}", **extra)


def shown(page: Any, name: str) -> str:
    found = re.search(rf"<code {name}>([^<]+)</code>", page.content.decode())
    assert found, page.content.decode()
    return found[1]


def make_key(client: Client, **fields: Any) -> Any:
    account, *_ = selectors.accounts_of(Member.objects.get(username="ann").pk)
    form = {"account": account.number, "label": "bot", "scopes": [1, 2], **fields}
    return client.post("/profile/keys", form)


def test_the_pages_ask_for_the_password_again() -> None:
    """A browser left open makes no key."""
    person()
    client = Client()
    client.post("/login", {"username": "ann", "password": PASSWORD})
    for path in ("/profile/keys", "/profile/tokens"):
        assert client.get(path)["Location"].startswith("/account/reauthenticate/")
        assert client.post(path, {"scopes": ["read"]}).status_code == 302
    assert not AccessToken.objects.exists()


def test_a_key_is_made_shown_once_and_revoked(core: StandInCore) -> None:
    """Key and secret on the page that makes it; afterwards neither; revoked in the core, too."""
    member = person()
    client = entered()
    page = make_key(client)
    assert page.status_code == 200
    key, secret = shown(page, "data-key"), shown(page, "data-secret")
    (grant,) = selectors.api_keys()
    assert (grant.key, grant.secret, grant.scopes) == (key, secret, Scope.READ | Scope.TRADE)
    again = client.get("/profile/keys").content.decode()
    assert secret not in again
    assert key not in again
    assert client.post("/profile/keys", {"revoke": grant.number}).status_code == 302
    assert selectors.api_keys() == []
    assert core.keys[grant.number] == (grant.account, 0)
    told = [entry.action for entry in security_log.of_member(member, 2)]
    assert told == ["API key revoked", "API key granted"]


def test_an_ed25519_key_has_no_secret() -> None:
    """The member keeps the private key; another kind of key is refused."""
    person()
    client = entered()
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    page = make_key(client, public_key=pem)
    assert b"data-secret" not in page.content
    (grant,) = selectors.api_keys()
    assert (grant.secret, grant.public_key) == ("", pem.strip())
    assert make_key(client, public_key="nonsense").status_code == 400
    assert ApiKey.objects.count() == 1


def test_a_key_has_an_account_addresses_and_an_end(core: StandInCore) -> None:
    """All three are asked on the page and shown on it; past its end the core revokes it, too."""
    member = person()
    client = entered()
    kind = AccountKind.SUB
    second = services.open_account(core, member=member, name="second", kind=kind)
    bounds = {"addresses": "192.0.2.7\n10.0.0.0/8", "days": "3"}
    assert make_key(client, account=second.number, **bounds).status_code == 200
    row = ApiKey.objects.get()
    assert (row.account_id, row.addresses) == (second.number, "192.0.2.7/32\n10.0.0.0/8")
    assert row.expires_at is not None
    assert dt.timedelta(days=2, hours=23) < row.expires_at - timezone.now() < dt.timedelta(days=3)
    page = client.get("/profile/keys").content.decode()
    assert "192.0.2.7/32" in page
    assert "read trade" in page
    services.revoke_ended(core)
    assert core.keys[row.number][1] == Scope.READ | Scope.TRADE
    ApiKey.objects.update(expires_at=timezone.now())
    assert ">ended<" in client.get("/profile/keys").content.decode()
    services.revoke_ended(core)
    assert core.keys[row.number][1] == 0
    assert selectors.api_keys() == []


def test_who_may_not_sign_in_has_no_keys(core: StandInCore) -> None:
    """Barring revokes their keys by commands, a lost answer included; allowing gives none back."""
    barred, other = person(), person("bob")
    keys = [
        services.grant_key(
            core, account=services.open_account(core, member=member), scopes=Scope.TRADE
        )[0].number
        for member in (barred, barred, other)
    ]
    services.allow_sign_in(barred, allowed=False)
    core.lose = {Command.REVOKE_KEY}
    with pytest.raises(Unanswered):
        services.revoke_ended(core)
    services.revoke_ended(core)
    assert [core.keys[number][1] for number in keys] == [0, 0, Scope.TRADE]
    services.allow_sign_in(barred, allowed=True)
    services.revoke_ended(core)
    assert [grant.number for grant in selectors.api_keys()] == keys[2:]


@pytest.mark.parametrize(
    "fields, said",
    [({"addresses": "192.0.2.1/24"}, "has host bits set"), ({"days": "0"}, "greater than")],
)
def test_a_key_form_that_does_not_fit_says_why(fields: dict[str, Any], said: str) -> None:
    """400, and no key is made."""
    person()
    page = make_key(entered(), **fields)
    assert page.status_code == 400
    assert said in page.content.decode()
    assert not ApiKey.objects.exists()


def test_a_key_is_for_ones_own_account_and_revoked_by_oneself() -> None:
    """Another's account is no choice, another's key 404."""
    person()
    person("bob")
    ann, bob = entered(), entered("bob")
    make_key(ann)
    (grant,) = selectors.api_keys()
    assert bob.post("/profile/keys", {"account": grant.account, "scopes": [1]}).status_code == 400
    for number in (grant.number, "999", "x", "-1", "9" * 30):
        assert bob.post("/profile/keys", {"revoke": number}).status_code == 404
    assert len(selectors.api_keys()) == 1


def test_a_token_is_shown_once_and_kept_as_its_digest() -> None:
    """The text opens the API; the database has its SHA-256 and ten characters."""
    member = person()
    client = entered()
    page = client.post("/profile/tokens", {"scopes": ["read"], "label": "script"})
    text = shown(page, "data-token")
    row = AccessToken.objects.get()
    assert row.digest == hashlib.sha256(text.encode()).hexdigest()
    assert (row.prefix, row.member) == (text[:10], member)
    assert text not in client.get("/profile/tokens").content.decode()
    answer = bearer(text)
    assert answer.status_code == 200
    assert answer.json()["username"] == "ann"
    assert client.get(ME).json() == answer.json()
    assert bearer(text, ME.rstrip("/")).status_code == 200
    client.post("/profile/tokens", {"revoke": row.pk})
    assert bearer(text).status_code == 401
    told = [entry.action for entry in security_log.of_member(member, 2)]
    assert told == ["token revoked", "token made"]


def test_a_token_that_is_none_is_401() -> None:
    """Unknown, too old, from elsewhere, or of a member who may not sign in; with the way to ask."""
    member = person()
    old = timezone.now() - dt.timedelta(seconds=1)
    _, ended = tokens.make(member, scopes=["read"], expires_at=old)
    _, bound = tokens.make(member, scopes=["read"], addresses="192.0.2.0/24\n2001:db8::7")
    _, live = tokens.make(member, scopes=["read"])
    for text in ("", "unknown", ended, bound, live[:-1], live + "x"):
        answer = bearer(text)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="fondaco"')
    assert Client().get(ME).status_code == 401
    for address in ("192.0.2.200", "2001:db8::7"):
        assert bearer(bound, REMOTE_ADDR=address).status_code == 200
    forwarded = bearer(bound, HTTP_X_FORWARDED_FOR="192.0.2.200")
    assert forwarded.status_code == 401
    assert bearer(live).status_code == 200
    services.allow_sign_in(member, allowed=False)
    assert bearer(live).status_code == 401


def test_a_token_does_only_what_its_scopes_say() -> None:
    """Without read it reads nothing; what staff may do no scope does but `staff`."""
    admin = services.create_admin(username="root", email="r@example.com", password=PASSWORD)
    _, trades = tokens.make(admin, scopes=["trade"])
    refused = bearer(trades)
    assert refused.status_code == 403
    assert refused.json() == {"error": "this needs the scope read; what was sent has trade"}
    _, everything = tokens.make(admin, scopes=set(tokens.SCOPES) - {tokens.STAFF_SCOPE})
    refused = Client().post(
        f"/api/v1/members/{admin.pk}/roles/",
        '{"roles": ["member", "admin"]}',
        "application/json",
        HTTP_AUTHORIZATION=f"Bearer {everything}",
    )
    assert refused.status_code == 403
    assert "the scope staff" in refused.json()["error"]


def test_another_members_token_is_404() -> None:
    """Nobody revokes it but its owner."""
    member = person()
    person("bob")
    row, text = tokens.make(member, scopes=["read"])
    assert entered("bob").post("/profile/tokens", {"revoke": row.pk}).status_code == 404
    assert bearer(text).status_code == 200


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"scopes": []}, "required"),
        ({"scopes": ["own"]}, "not one of the available choices"),
        ({"addresses": "192.0.2.999"}, "192.0.2.999"),
        ({"addresses": "192.0.2.1/24"}, "has host bits set"),
        ({"days": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_token_form_that_does_not_fit_says_why(fields: dict[str, Any], said: str) -> None:
    """400, and no token is made."""
    person()
    page = entered().post("/profile/tokens", {"scopes": ["read"], **fields})
    assert page.status_code == 400
    assert said in page.content.decode()
    assert not AccessToken.objects.exists()


def test_a_house_file_makes_tokens_once(core: StandInCore) -> None:
    """Applied again nothing is added; it can't move a token to another member."""
    line = 'tokens = [{ token = "the token of ann", scopes = ["read", "trade"] }]\n'
    text = HOUSE.replace("[[members.api_keys]]", line + "[[members.api_keys]]")
    for _ in range(2):
        services.apply_house(file.loads(text), core)
    assert AccessToken.objects.get().scopes == "read trade"
    assert bearer("the token of ann").json()["username"] == "ann"
    moved = HOUSE.replace('username = "bob"', f'username = "bob"\n{line}')
    with pytest.raises(IdentityConflict, match="belongs to ann"):
        services.apply_house(file.loads(moved), core)

"""The signed style on the office's routes: an API key, a timestamp, a signature over what came."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import time
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.utils import timezone

from fondaco.core.records import AccountKind, Scope
from fondaco.identity import security_log, services, tokens
from fondaco.identity.models import Account, ApiKey, Member
from fondaco.identity.services import IdentityConflict
from fondaco.projections.models import Asset
from tests.identity.stand_in import StandInCore
from tests.identity.test_keys_and_tokens import PASSWORD, person

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
ME = "/api/v1/members/me/"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch, core: StandInCore) -> None:
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    Asset.objects.create(number=1, code="USDT", decimals=8)


def grant(core: StandInCore, scopes: int, **more: Any) -> tuple[Account, str, str]:
    """A member with an account and a key: (account, key, secret)."""
    member = Member.objects.filter(username="ann").first() or person()
    account = services.open_account(core, member=member)
    row, secret = services.grant_key(core, account=account, scopes=scopes, **more)
    return account, row.key, secret


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def sign(secret: str, payload: bytes) -> str:
    return hmac.digest(secret.encode(), payload, "sha256").hex()


def ask(method: str, path: str, key: str, query: str, body: bytes = b"", kind: str = JSON) -> Any:
    client = Client(raise_request_exception=False, headers={"X-MBX-APIKEY": key})
    return client.generic(method, f"{path}?{query}" if query else path, body, kind)


def signed(
    key: str, secret: str, method: str, path: str, body: bytes = b"", **parameters: object
) -> Any:
    query = urlencode({"timestamp": now_ms(), **parameters})
    signature = sign(secret, query.encode() + body)
    return ask(method, path, key, f"{query}&signature={signature}", body)


def test_a_key_tells_who_asks_and_reaches_its_own_account_only(core: StandInCore) -> None:
    """Accounts, withdrawals and transfers of another account of the same member are not there."""
    account, key, secret = grant(core, sum(Scope))
    other = services.open_account(core, member=account.member, name="sub", kind=AccountKind.SUB)
    me = signed(key, secret, "GET", ME)
    assert (me.status_code, me.json()["username"]) == (200, "ann")
    assert [row["number"] for row in me.json()["accounts"]] == [account.number]
    opened = signed(key, secret, "POST", "/api/v1/accounts/", b'{"name":"another"}')
    assert (opened.status_code, Account.objects.count()) == (403, 2)
    asked = {"asset": "USDT", "amount": "1", "destination": "x", "password": PASSWORD}
    for path, fields in (
        ("/api/v1/withdrawals/", {"account": other.number, **asked}),
        ("/api/v1/transfers/", {"account": account.number, "to_account": other.number, **asked}),
        ("/api/v1/transfers/", {"account": other.number, "to_account": account.number, **asked}),
    ):
        refused = signed(key, secret, "POST", path, json.dumps(fields).encode())
        assert refused.status_code == 404, (path, refused.content)


def test_each_changed_byte_is_401(core: StandInCore) -> None:
    """Query, body, signature and key: whichever byte is changed, the request is nobody's."""
    _, key, secret = grant(core, Scope.READ | Scope.TRADE)
    body = b'{"account": 1, "to_account": 2, "asset": "USDT", "amount": "1"}'
    query = f"recvWindow=5000&timestamp={now_ms()}"
    query = f"{query}&signature={sign(secret, query.encode() + body)}"
    path = "/api/v1/transfers/"
    assert ask("POST", path, key, query, body).status_code not in {400, 401, 403}
    for place in range(len(query)):
        changed = query[:place] + chr(ord(query[place]) ^ 1) + query[place + 1 :]
        assert ask("POST", path, key, changed.replace("#", "x"), body).status_code == 401, changed
    for place in range(len(body)):
        other = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert ask("POST", path, key, query, other).status_code == 401, other
    for place in range(len(key)):
        other_key = key[:place] + chr(ord(key[place]) ^ 1) + key[place + 1 :]
        assert ask("POST", path, other_key, query, body).status_code == 401, other_key
    assert ask("POST", path, key, "", body).status_code == 401
    assert ask("POST", path, "", query, body).status_code == 401


@pytest.mark.parametrize(
    "more, status",
    [
        ({"timestamp": now_ms() - 3_600_000}, 400),
        ({"timestamp": now_ms() + 3_600_000}, 400),
        ({"timestamp": "soon"}, 400),
        ({"recvWindow": "60001"}, 400),
        ({"recvWindow": "x"}, 400),
        ({"recvWindow": "60000"}, 200),
    ],
)
def test_the_window_holds(core: StandInCore, more: dict[str, Any], status: int) -> None:
    """A request is good for its receive window, one minute at the most."""
    _, key, secret = grant(core, Scope.READ)
    answer = signed(key, secret, "GET", ME, **more)
    assert answer.status_code == status
    assert status == 200 or "error" in answer.json()


def test_two_timestamps_are_no_timestamp(core: StandInCore) -> None:
    """Which of two would count is never a question."""
    _, key, secret = grant(core, Scope.READ)
    query = f"timestamp={now_ms()}&timestamp=1"
    assert (
        ask("GET", ME, key, f"{query}&signature={sign(secret, query.encode())}").status_code == 400
    )


def test_a_form_may_hold_parameters_and_signature(core: StandInCore) -> None:
    """As clients of the trading API send them: timestamp and signature in the body."""
    _, key, secret = grant(core, Scope.TRADE)
    body = f"account=999&to_account=998&asset=USDT&amount=1&timestamp={now_ms()}".encode()
    body += b"&signature=" + sign(secret, body).encode()
    answer = ask("POST", "/api/v1/transfers/", key, "", body, FORM)
    assert answer.status_code not in {400, 401, 403}, answer.content


def test_ed25519_signs_too(core: StandInCore) -> None:
    """The house holds the public half; base64 of the signature, percent-encoded."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    _, key, _ = grant(core, Scope.READ, public_key=pem)
    query = f"timestamp={now_ms()}"
    signature = quote(base64.b64encode(private.sign(query.encode())).decode(), safe="")
    assert ask("GET", ME, key, f"{query}&signature={signature}").status_code == 200
    assert ask("GET", ME, key, f"{query}1&signature={signature}").status_code == 401


def test_scopes_bind_and_revoked_is_revoked(core: StandInCore) -> None:
    """Read doesn't move, trade doesn't withdraw; revoked, or its member barred, a key is nobody."""
    account, key, secret = grant(core, Scope.READ)
    assert signed(key, secret, "POST", "/api/v1/transfers/").status_code == 403
    _, trader, trader_secret = grant(core, Scope.TRADE)
    assert signed(trader, trader_secret, "POST", "/api/v1/withdrawals/").status_code == 403
    assert signed(trader, trader_secret, "GET", ME).status_code == 403
    member = account.member
    services.allow_sign_in(member, allowed=False)
    assert signed(key, secret, "GET", ME).status_code == 401
    services.allow_sign_in(member, allowed=True)
    number = account.api_keys.get(key=key).number
    services.revoke_key(core, key_number=number)
    assert signed(key, secret, "GET", ME).status_code == 401
    assert signed("nobody", secret, "GET", ME).status_code == 401


def test_addresses_and_time_bound_a_key(core: StandInCore) -> None:
    """From elsewhere, and past its time, a key is nobody's."""
    _, here, secret = grant(core, Scope.READ, addresses=["127.0.0.0/8"])
    assert signed(here, secret, "GET", ME).status_code == 200
    _, there, secret = grant(core, Scope.READ, addresses=["192.0.2.0/24"])
    assert signed(there, secret, "GET", ME).status_code == 401
    later = timezone.now() + dt.timedelta(hours=1)
    _, good, secret = grant(core, Scope.READ, expires_at=later)
    assert signed(good, secret, "GET", ME).status_code == 200
    ApiKey.objects.filter(key=good).update(expires_at=timezone.now())
    assert signed(good, secret, "GET", ME).status_code == 401


def test_a_session_does_not_help_a_bad_signature(core: StandInCore) -> None:
    """Whoever sends a key is answered by it alone."""
    _, key, _ = grant(core, Scope.READ)
    client = Client(headers={"X-MBX-APIKEY": key})
    client.force_login(Member.objects.get(username="ann"))
    assert client.get(ME).status_code == 401


def test_staff_tokens_do_what_staff_may(settings: Any) -> None:
    """The scope `staff` alone lets a token act as staff, with a second factor on the account."""
    admin = services.create_member(
        username="max", email="max@example.com", password=PASSWORD, roles=("member", "admin")
    )
    settings.STAFF_MFA = True
    with pytest.raises(IdentityConflict):
        tokens.make(person(), scopes=["staff"])
    _, text = tokens.make(admin, scopes=["staff"])
    path = f"/api/v1/members/{admin.pk}/roles/"
    by_token = {"Authorization": f"Bearer {text}"}

    def set_roles() -> int:
        body = {"roles": ["member", "admin", "moderator"]}
        return int(Client().post(path, body, JSON, headers=by_token).status_code)

    assert set_roles() == 403
    settings.STAFF_MFA = False
    assert set_roles() == 200
    assert security_log.of_member(admin, 1)[0].actor == admin
    _, trader = tokens.make(admin, scopes=["read", "trade", "withdraw", "signals"])
    by_token["Authorization"] = f"Bearer {trader}"
    assert set_roles() == 403

"""How the client library asks: proofs, tries, errors; the same on both clients."""

from __future__ import annotations

import hashlib
import hmac
import inspect
from decimal import Decimal
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

import fondaco_client
from fondaco.identity.signatures import proof_of, split_signature
from fondaco_client import (
    ApiKey,
    AsyncClient,
    Client,
    DuplicateOrder,
    Ed25519Key,
    InsufficientBalance,
    NotExecuted,
    NotFound,
    OutcomeUnknown,
    Report,
    Retrying,
    Token,
    TooManyRequests,
    Unauthorised,
    Unfit,
    Unreadable,
)
from fondaco_client.flow import House
from tests.client.scripted import BOTH, NOW_MS, TIME, Script, either

ORDER = {
    "symbol": "BTCUSDT",
    "orderId": 7,
    "clientOrderId": "mine",
    "price": "50000.00",
    "origQty": "0.00100000",
    "executedQty": "0.00000000",
    "cummulativeQuoteQty": "0.00000000",
    "status": "NEW",
    "timeInForce": "GTC",
    "type": "LIMIT",
    "side": "BUY",
}
DUPLICATE = (400, {"code": -2010, "msg": "Duplicate order sent."})
LOST = httpx.ReadTimeout
REPORT = Report.of(symbol="XBTUSD", last_price="1", margin_balance=2, wallet_balance="3.30")


def place(client: Any) -> Any:
    return client.orders.place(
        "BTCUSDT", "BUY", quantity="0.001", price=Decimal("5E+4"), client_order_id="mine"
    )


# ---- what is sent


@pytest.mark.parametrize("kind", BOTH)
def test_a_signature_is_over_the_bytes_as_sent(kind: str) -> None:
    """The house's own check finds the signature genuine, with the house's time in it."""
    script = Script(TIME, (200, ORDER))
    either(kind, script, place)
    query = script.sent[1].url.query
    split = split_signature(query, script.sent[1].content)
    assert split is not None
    assert proof_of(secret="the-secret", public_key="")(*split)
    stamp = int(dict(script.sent[1].url.params)["timestamp"])
    assert abs(stamp - NOW_MS) < 60_000  # this machine's clock is years away from it
    assert dict(script.sent[1].url.params)["price"] == "50000"


def test_a_json_body_is_signed_behind_the_query() -> None:
    """A native write carries its signature in the query, over query and body."""
    script = Script(TIME, (201, {"id": 5, "name": "two", "balances": []}))
    either("waiting", script, lambda client: client.money.open_account("two"))
    sent = script.sent[1]
    payload = sent.url.query.rpartition(b"&signature=")[0] + sent.content
    expected = hmac.new(b"the-secret", payload, hashlib.sha256).hexdigest()
    assert dict(sent.url.params)["signature"] == expected
    assert sent.content == b'{"name":"two"}'


def test_an_ed25519_signature_is_genuine_to_the_house() -> None:
    """The house's check by the public key takes what the private one signed."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    script = Script(TIME, (200, []))
    either(
        "waiting",
        script,
        lambda client: client.orders.open(),
        credentials=Ed25519Key("the-key", pem),
    )
    split = split_signature(script.sent[1].url.query, b"")
    assert split is not None
    assert proof_of(secret="", public_key=public.decode())(*split)


def test_a_token_travels_in_its_header_alone() -> None:
    """A bearer token signs nothing and asks for no time."""
    script = Script((200, {"months": [], "years": []}))
    either("waiting", script, lambda client: client.statements.months(), credentials=Token("fnt"))
    [sent] = script.sent
    assert sent.headers["Authorization"] == "Bearer fnt"
    assert sent.url.query == b""


@pytest.mark.parametrize(
    "value, error", [(0.1, TypeError), (True, TypeError), ("x", ValueError), ("NaN", ValueError)]
)
def test_a_number_that_is_not_exact_is_refused(value: Any, error: type[Exception]) -> None:
    """Floats, booleans, words and NaN raise before anything is sent."""
    script = Script()
    with pytest.raises(error, match="quantity"):
        either("waiting", script, lambda client: client.orders.place("X", "BUY", quantity=value))
    assert script.sent == []


def test_credentials_do_not_travel_unencrypted() -> None:
    """Plain http to another machine is refused with credentials, unless it is asked for."""
    key = ApiKey("k", "s")
    with pytest.raises(ValueError, match="unencrypted"):
        Client("http://house.example", key)
    Client("http://house.example", key, plain_http=True).close()
    Client("http://127.0.0.1:8000", key).close()


def test_secrets_are_in_no_repr() -> None:
    """Neither the clients nor the credentials show a secret or a token."""
    client = Client("https://house.example", ApiKey("k" * 20, "hidden"), strategy_token="hidden")
    shown = (
        repr(client) + repr(client.house) + repr(client.house.credentials) + repr(Token("hidden"))
    )
    assert "hidden" not in shown
    client.close()


# ---- what is sent again


@pytest.mark.parametrize("kind", BOTH)
def test_a_read_is_asked_again_until_it_is_answered(kind: str) -> None:
    """A lost answer, a broken proxy and an overloaded house cost a read three more tries."""
    script = Script(LOST, httpx.Response(502, text="bad gateway"), (503, {"error": "wait"}), TIME)
    found = either(kind, script, lambda client: client.markets.server_time_ms())
    assert found == NOW_MS
    assert len(script.sent) == 4


@pytest.mark.parametrize("kind", BOTH)
def test_money_is_never_sent_twice(kind: str) -> None:
    """A transfer whose answer was lost is OutcomeUnknown after one sending."""
    script = Script(TIME, *[LOST] * 5)
    with pytest.raises(OutcomeUnknown):
        either(
            kind,
            script,
            lambda client: client.money.transfer(account=1, to_account=2, asset="USDT", amount=1),
        )
    assert script.paths.count("POST /api/v1/transfers/") == 1


@pytest.mark.parametrize("again", [httpx.ConnectError, (503, {"code": -1008, "msg": "busy"})])
def test_what_was_surely_not_done_is_sent_again(again: Any) -> None:
    """No connection, and an overload that says so, are no reason to give a transfer up."""
    moved = {
        "id": 1,
        "account": 1,
        "account_name": "spot",
        "member": "ann",
        "asset": "USDT",
        "amount": "1",
        "created_at": "2026-05-01T00:00:00Z",
        "to_account": 2,
    }
    script = Script(TIME, again, (201, moved))
    found = either(
        "waiting",
        script,
        lambda client: client.money.transfer(account=1, to_account=2, asset="USDT", amount=1),
    )
    assert found.amount == 1
    assert len(script.sent) == 3


@pytest.mark.parametrize("kind", BOTH)
def test_an_order_whose_answer_was_lost_is_found_by_its_name(kind: str) -> None:
    """The second try is refused as a duplicate, and the first one's order is the answer."""
    script = Script(TIME, LOST, DUPLICATE, (200, ORDER))
    found = either(kind, script, place)
    assert found.order_id == 7
    assert script.paths[1:] == ["POST /api/v3/order"] * 2 + ["GET /api/v3/order"]
    names = {dict(each.url.params).get("newClientOrderId") for each in script.sent[1:3]}
    assert names == {"mine"}


def test_a_duplicate_at_the_first_try_is_an_error() -> None:
    """A name that the caller used before is theirs to know of."""
    script = Script(TIME, DUPLICATE)
    with pytest.raises(DuplicateOrder):
        either("waiting", script, place)


def test_a_refusal_after_a_lost_try_leaves_the_outcome_unknown() -> None:
    """A second try that is refused for another reason says nothing of the first."""
    script = Script(TIME, LOST, (429, {"code": -1003, "msg": "slow down"}))
    with pytest.raises(OutcomeUnknown, match="earlier try"):
        either("waiting", script, place, retrying=Retrying(tries_max=2, first_pause_s=0.0))


def test_a_clock_that_runs_wrong_is_asked_anew_once() -> None:
    """A timestamp outside of the window makes the client ask for the time and sign again."""
    outside = (400, {"code": -1021, "msg": "Timestamp for this request is outside."})
    script = Script(TIME, outside, TIME, (200, []))
    assert either("waiting", script, lambda client: client.orders.open()) == ()
    assert script.paths[2] == "GET /api/v3/time"


def test_retry_after_beyond_ones_patience_ends_the_tries() -> None:
    """A house that asks for an hour is not waited for."""
    script = Script(httpx.Response(429, json={"error": "slow"}, headers={"Retry-After": "3600"}))
    with pytest.raises(TooManyRequests) as found:
        either("waiting", script, lambda client: client.markets.all())
    assert found.value.retry_after_s == 3600
    assert len(script.sent) == 1


# ---- what comes back


@pytest.mark.parametrize(
    "status, words, kind",
    [
        (400, {"amount": ["This field is required."]}, Unfit),
        (401, {"error": "no"}, Unauthorised),
        (404, {"detail": "none"}, NotFound),
        (404, {"status": False, "error": "unknown token"}, NotFound),
        (503, {"error": "closed"}, NotExecuted),
        (
            400,
            {"code": -2010, "msg": "Account has insufficient balance for requested action."},
            InsufficientBalance,
        ),
        (504, {"code": -1007, "msg": "unknown"}, OutcomeUnknown),
    ],
)
def test_errors_are_named(status: int, words: dict[str, Any], kind: type[Exception]) -> None:
    """Each refusal is an exception of its own kind."""
    script = Script((status, words))
    with pytest.raises(kind):
        either(
            "waiting",
            script,
            lambda client: client.money.accounts(),
            credentials=Token("t"),
            retrying=Retrying(tries_max=1),
        )


def test_field_errors_keep_their_fields() -> None:
    """What is wrong is told by field, and in the sentence."""
    script = Script((400, {"amount": ["Too fine.", "Too small."]}))
    with pytest.raises(Unfit, match=r"amount: Too fine\. Too small\.") as found:
        either("waiting", script, lambda client: client.money.accounts(), credentials=Token("t"))
    assert found.value.fields == {"amount": ("Too fine.", "Too small.")}
    assert found.value.status == 400


def test_an_answer_of_another_shape_is_unreadable() -> None:
    """Words that aren't understood are never taken for others."""
    script = Script((200, [{"symbol": 5}]))
    with pytest.raises(Unreadable):
        either("waiting", script, lambda client: client.markets.all())


def test_a_report_is_sent_as_exact_text() -> None:
    """Every value leaves as the text that it was given as; the time has its zone."""
    script = Script((201, {"status": True}))
    either("waiting", script, lambda client: client.strategies.report(REPORT))
    body = script.sent[0].read()
    assert b'"wallet_balance":"3.30"' in body
    assert b'"strategy_access_token":"token"' in body
    assert REPORT.words()["created_at"].endswith("Z")


# ---- the library as such


def test_both_clients_have_the_same_routes() -> None:
    """Every route of one is a route of the other, told in words."""
    waiting, waits_not = Client("http://127.0.0.1"), AsyncClient("http://127.0.0.1")
    count = 0
    for name, group in vars(waiting).items():
        if not isinstance(group, fondaco_client.calls.Group):
            continue
        other = getattr(waits_not, name)
        assert type(other) is type(group)
        for method, _ in inspect.getmembers(
            type(group), lambda each: isinstance(each, fondaco_client.calls.route)
        ):
            count += 1
            assert inspect.getdoc(getattr(group, method)), f"{name}.{method} has no docstring"
    waiting.close()
    assert count > 25


def test_a_careless_client_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a client that repeats every lost request sends money twice."""
    monkeypatch.setattr("fondaco_client.flow._may_repeat", lambda _call, _fault: True)
    with pytest.raises(AssertionError):
        test_money_is_never_sent_twice("waiting")


def test_an_address_that_is_none_is_refused() -> None:
    """The house's address must have a scheme and a host."""
    for address in ("house.example", "ftp://house.example", "https://"):
        with pytest.raises(ValueError, match="address"):
            House(address)

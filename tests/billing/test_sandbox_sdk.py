"""Stripe's own SDK against the sandbox of a real house, over HTTP."""

from __future__ import annotations

import json
import re
import sqlite3
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
import stripe

from tests.house_fixture import HOUSE_FILE, RunningHouse, open_house

SECRET = "whsec_for_this_test_alone"
PRICE: Any = {"currency": "usd", "unit_amount": 49_900, "product_data": {"name": "x"}}
FILE = HOUSE_FILE.replace('membership_until = "2099-12-31"\n', "")


@pytest.fixture(scope="module")
def unpaid_house() -> Iterator[RunningHouse]:
    """A house whose members haven't paid yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FONDACO_SANDBOX_SECRET", SECRET)
        with open_house(file_text=FILE) as running:
            yield running


@pytest.fixture(scope="module")
def client(unpaid_house: RunningHouse) -> stripe.StripeClient:
    base: Any = {"api": f"{unpaid_house.url}/sandbox"}
    return stripe.StripeClient(SECRET, base_addresses=base)


def create(client: stripe.StripeClient, key: str, amount: int = 49_900) -> Any:
    asked: Any = {
        "mode": "payment",
        "line_items": [{"price_data": {**PRICE, "unit_amount": amount}, "quantity": 1}],
        "success_url": "http://127.0.0.1/ok",
        "cancel_url": "http://127.0.0.1/no",
        "client_reference_id": "7",
    }
    return client.v1.checkout.sessions.create(asked, {"idempotency_key": key})


def test_the_sdk_creates_replays_and_retrieves(client: stripe.StripeClient) -> None:
    """Create gives an open session, the same key gives it again, retrieve gives the same object."""
    session = create(client, "one")
    assert (session.object, session.mode, session.status) == ("checkout.session", "payment", "open")
    assert (session.amount_total, session.currency, session.payment_status) == (
        49_900,
        "usd",
        "unpaid",
    )
    replayed = create(client, "one")
    assert replayed.id == session.id
    assert replayed.last_response.headers["Idempotent-Replayed"] == "true"
    assert client.v1.checkout.sessions.retrieve(session.id).to_dict() == session.to_dict()


def test_the_sdk_maps_the_errors(unpaid_house: RunningHouse, client: stripe.StripeClient) -> None:
    """Each refusal of the sandbox is the SDK's own exception for it."""
    create(client, "two")
    with pytest.raises(stripe.IdempotencyError):
        create(client, "two", amount=1)
    with pytest.raises(stripe.InvalidRequestError, match="No such checkout"):
        client.v1.checkout.sessions.retrieve("cs_test_none")
    with pytest.raises(stripe.InvalidRequestError, match="mode"):
        client.v1.checkout.sessions.create({"mode": "setup"})
    with pytest.raises(stripe.InvalidRequestError, match="payment_intent"):
        client.v1.refunds.create({"payment_intent": "pi_none"})
    base: Any = {"api": f"{unpaid_house.url}/sandbox"}
    with pytest.raises(stripe.AuthenticationError):
        create(stripe.StripeClient("sk_test_wrong", base_addresses=base), "three")


def signed_in(house: RunningHouse, name: str) -> OpenerDirector:
    """Return a browser of a member."""
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    post(opener, house.url + "/login", username=name, password=f"{name}-s long password")
    return opener


def post(opener: OpenerDirector, url: str, **fields: str) -> Any:
    """Post a page's form with its token; return the answer, redirects followed."""
    with opener.open(url, timeout=20) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token is not None
    sent = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
    return opener.open(url, sent, timeout=20)


def test_a_member_pays_and_the_sdk_refunds(
    unpaid_house: RunningHouse, client: stripe.StripeClient
) -> None:
    """Checkout, sandbox page, dashboard; 8 duplicates at once; a refund closes the dashboard."""
    opener = signed_in(unpaid_house, "bob")
    with opener.open(unpaid_house.url + "/dashboard/") as answer:
        assert answer.url.endswith("/memberships/checkout")
    with post(opener, unpaid_house.url + "/memberships/checkout") as answer:
        page = answer.url
    assert "/sandbox/checkout/cs_test_" in page
    session = client.v1.checkout.sessions.retrieve(page.rpartition("/")[2])
    with post(opener, page, pay="1", outcome="success") as answer:
        assert answer.url.endswith("/dashboard/")
        assert b"Dashboard" in answer.read()
    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.status, paid.payment_status) == ("complete", "paid")
    body = json.dumps(
        {
            "id": "evt_again",
            "object": "event",
            "type": "checkout.session.completed",
            "data": {"object": paid.to_dict()},
        }
    )
    header = stripe.WebhookSignature.generate_signature_header(body, SECRET)

    def again(_: int) -> int:
        return unpaid_house.request(
            "POST",
            "/memberships/webhook",
            body=body.encode(),
            headers={"Stripe-Signature": header, "Content-Type": "application/json"},
        ).status

    before = membership(unpaid_house, "bob")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(again, range(8))) == {200}
    assert membership(unpaid_house, "bob") == before != None  # noqa: E711 - both at once
    client.v1.refunds.create({"payment_intent": str(paid.payment_intent)})
    with opener.open(unpaid_house.url + "/dashboard/") as answer:
        assert answer.url.endswith("/memberships/checkout")
    # the gate never stops trading
    account = unpaid_house.signed(unpaid_house.bob, "GET", "/api/v3/account")
    assert account.status == 200
    order = unpaid_house.signed(
        unpaid_house.bob,
        "POST",
        "/api/v3/order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.01",
        price="1000",
    )
    assert order.status == 200


def membership(house: RunningHouse, name: str) -> object:
    with sqlite3.connect(house.data / "office.sqlite3") as database:
        return database.execute(
            "SELECT membership_until FROM identity_member WHERE username = ?", (name,)
        ).fetchone()[0]


def test_the_house_files_provider_reaches_the_pages(unpaid_house: RunningHouse) -> None:
    """A forged webhook over HTTP is 400, and no session of the house is needed for a good one."""
    answer = unpaid_house.request(
        "POST", "/memberships/webhook", body=b"{}", headers={"Stripe-Signature": "t=1,v1=00"}
    )
    assert answer.status == 400

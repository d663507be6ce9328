"""Signatures of the trading API: every bit counts, and comparing tells nothing by its time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from urllib.parse import urlencode

import pytest

from fondaco.gateway import auth
from tests.gateway.stand_ins import GRANTS, small_house
from tests.gateway.test_key_bounds import PRIVATE, ed25519_house

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "20000",
}


async def test_each_flipped_bit_of_an_ed25519_request_is_401() -> None:
    """A changed bit of the parameters or of the signature's text is refused, in query and body."""
    house = await ed25519_house()
    payload = urlencode({**ORDER, "timestamp": time.time_ns() // 1_000_000})
    signature = base64.b64encode(PRIVATE.sign(payload.encode())).decode()
    whole = f"{payload}&signature={signature}".encode()
    key = {"X-MBX-APIKEY": "annKey"}
    for place in range(len(whole)):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128):
            changed = bytearray(whole)
            changed[place] ^= flip
            for query, body in ((bytes(changed), b""), (b"", bytes(changed))):
                reply = await house.http(
                    "POST", "/api/v3/order", query=query, body=body, headers=key
                )
                assert reply.status == 401, (place, flip, bytes(changed), reply)
    fine = await house.http("POST", "/api/v3/order", query=whole, headers=key)
    assert fine.status == 200


async def test_a_parameter_moved_between_query_and_body_is_401() -> None:
    """Both are signed in their order: what was signed in one is nothing in the other."""
    house = await small_house()
    stamp = f"timestamp={time.time_ns() // 1_000_000}"
    order = urlencode(ORDER)
    signed = hmac.new(b"ann-secret", f"{order}&{stamp}".encode(), hashlib.sha256).hexdigest()
    proof = f"signature={signed}"
    for query, body, status in (
        (f"{order}&{stamp}&{proof}", "", 200),
        (f"{stamp}&{order}&{proof}", "", 401),
        (stamp, f"{order}&{proof}", 401),
        (f"{order}&{stamp}&{proof}", "quantity=2", 401),
    ):
        reply = await house.http(
            "POST",
            "/api/v3/order",
            query=query.encode(),
            body=body.encode(),
            headers={"X-MBX-APIKEY": "annKey"},
        )
        assert reply.status == status, (query, body, reply)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole expected digest meets the whole given text in hmac.compare_digest."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return first == second

    monkeypatch.setattr(hmac, "compare_digest", compare)
    proof = auth.caller_of(GRANTS[0]).proof
    assert proof is not None
    secret = GRANTS[0].secret.encode()
    expected = hmac.new(secret, b"a=1", hashlib.sha256).hexdigest().encode()
    assert not proof(b"a=1", b"0" * 64)
    assert proof(b"a=1", expected)
    assert compared == [(expected, b"0" * 64), (expected, expected)]

"""Who may come in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fondaco.gateway.auth import caller_of, check_window, split_signature
from fondaco.gateway.faults import Fault
from fondaco.gateway.ws_api import signed_payloads
from fondaco.identity.selectors import KeyGrant
from tests.gateway.stand_ins import GRANTS, small_house

NOW_US = 1_790_000_000_000_000
NOW_MS = NOW_US // 1000


@pytest.mark.parametrize(
    "query,body,payload",
    [
        (b"a=1&b=2&signature=s", b"", b"a=1&b=2"),
        (b"signature=s&a=1", b"", b"a=1"),
        (b"a=1&signature=s&b=2", b"", b"a=1&b=2"),
        (b"", b"a=1&signature=s", b"a=1"),
        (b"a=1", b"b=2&signature=s", b"a=1b=2"),
        (b"a=1&signature=s", b"b=2", b"a=1b=2"),
        (b"signature=s", b"", b""),
    ],
)
def test_the_signed_bytes_are_query_and_body(query: bytes, body: bytes, payload: bytes) -> None:
    """Query and body are joined without `&`, as sent, minus the signature wherever it stands."""
    assert split_signature(query, body) == (payload, b"s")


async def test_each_flipped_bit_is_401() -> None:
    """A request with any bit of its parameters, signature or key changed is refused as 401."""
    house = await small_house()
    stamp = time.time_ns() // 1_000_000
    payload = urlencode(
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "1",
            "price": "20000",
            "timestamp": stamp,
        }
    )
    signature = hmac.new(b"ann-secret", payload.encode(), hashlib.sha256).hexdigest()
    whole = f"{payload}&signature={signature}".encode()
    for in_body in (False, True):
        for place in range(len(whole)):
            for flip in (1, 2, 4, 8, 16, 32, 64, 128):
                changed = bytearray(whole)
                changed[place] ^= flip
                query, body = (b"", bytes(changed)) if in_body else (bytes(changed), b"")
                reply = await house.http(
                    "POST",
                    "/api/v3/order",
                    query=query,
                    body=body,
                    headers={"X-MBX-APIKEY": "annKey"},
                )
                assert reply.status == 401, (place, flip, bytes(changed), reply)
    for place in range(len("annKey")):
        key = "annKey"[:place] + chr(ord("annKey"[place]) ^ 1) + "annKey"[place + 1 :]
        reply = await house.http("POST", "/api/v3/order", body=whole, headers={"X-MBX-APIKEY": key})
        assert (reply.status, reply.json["code"]) in {(401, -2015), (401, -2014)}
    assert house.writer.exchange.seq == house.writer.seq
    fine = await house.http("POST", "/api/v3/order", body=whole, headers={"X-MBX-APIKEY": "annKey"})
    assert fine.status == 200


@pytest.mark.parametrize(
    "timestamp,window,code",
    [
        (str(NOW_MS), None, 0),
        (str(NOW_US), None, 0),
        (str(NOW_MS - 5000), None, 0),
        (str(NOW_MS - 5001), None, -1021),
        (str(NOW_MS - 59_000), "60000", 0),
        (str(NOW_MS - 10), "5000.346", 0),
        (str(NOW_MS + 999), None, 0),
        (str(NOW_MS + 1000), None, -1021),
        (str(NOW_MS), "60001", -1131),
        (str(NOW_MS), "60000.001", -1131),
        (str(NOW_MS), "1e3", -1100),
        (str(NOW_MS), "-1", -1100),
        (str(NOW_MS), "5000.", -1100),
        ("yesterday", None, -1100),
        ("", None, -1102),
        (None, None, -1102),
    ],
)
def test_the_receive_window(timestamp: str | None, window: str | None, code: int) -> None:
    """Milliseconds or microseconds, 5 s by default, at most 60 s, at most 1 s ahead."""
    if code == 0:
        check_window(timestamp, window, NOW_US)
        return
    with pytest.raises(Fault) as refused:
        check_window(timestamp, window, NOW_US)
    assert refused.value.code == code


def test_ed25519_keys_prove_themselves() -> None:
    """A signature by the private key, base64 and percent-encoded or not, is genuine; no other."""
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    grant = KeyGrant(
        number=9,
        key="k",
        secret="",
        public_key=pem.decode(),
        account=16,
        member=16,
        scopes=3,
        order_limit_10s=0,
        order_limit_1d=0,
        weight_limit_1m=0,
    )
    proof = caller_of(grant).proof
    assert proof is not None
    signature = base64.b64encode(private.sign(b"symbol=BTCUSDT"))
    assert proof(b"symbol=BTCUSDT", signature)
    assert proof(b"symbol=BTCUSDT", quote(signature, safe="").encode())
    assert not proof(b"symbol=ETHUSDT", signature)
    assert not proof(b"symbol=BTCUSDT", b"*")


def test_websocket_payloads_are_sorted_raw_and_encoded() -> None:
    """The WebSocket API's signature may be over raw or percent-encoded parameters."""
    assert signed_payloads({"b": "x y", "a": "1", "signature": "s"}) == [
        b"a=1&b=x y",
        b"a=1&b=x%20y",
    ]
    assert signed_payloads({"b": "2", "a": "true"}) == [b"a=true&b=2"]


async def test_a_revoked_key_stops_at_its_event() -> None:
    """After KEY with scopes 0 in the event stream the key is unknown, also if SQL still has it."""
    from fondaco.core.records import Command, pack

    house = await small_house()
    assert (await house.signed("ann", "GET", "/api/v3/account")).status == 200
    house.writer.commit(pack(Command.REVOKE_KEY, account=16, key_number=GRANTS[0].number))
    reply = await house.signed("ann", "GET", "/api/v3/account")
    assert (reply.status, reply.json["code"]) == (401, -2015)


@pytest.mark.parametrize(
    "key,code",
    [
        ("nobodys", -2015),
        ("nobody-s_1", -2015),
        ("no body", -2014),
        ("", -2014),
        ("x" * 129, -2014),
    ],
)
async def test_an_unknown_key_is_told_from_a_malformed_one(key: str, code: int) -> None:
    """Letters, digits, hyphen and underscore make a key; nothing else, and not without end."""
    house = await small_house()
    reply = await house.http("GET", "/api/v3/account", headers={"X-MBX-APIKEY": key})
    assert (reply.status, reply.json["code"]) == (401, code)

"""API keys with an address list or an end, frozen members, and sessions of the WebSocket API."""

from __future__ import annotations

import base64
import time
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fondaco.core.records import AccountBody, Command, pack, pack_body
from fondaco.identity.networks import networks_of, read_networks
from tests.gateway.stand_ins import ANN, GRANTS, SmallHouse, Socket, small_house, ws_signed

ACCOUNT = "/api/v3/account"
STREAM = "/api/v3/userDataStream"
REFUSED = (401, -2015)
SUBSCRIBE = "userDataStream.subscribe.signature"
PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def bounded_house(*, addresses: str = "", expires_us: int = 0, **changed: Any) -> SmallHouse:
    """A small house whose key of ann has these bounds."""
    networks = read_networks("\n".join(networks_of(addresses)))
    ann = msgspec.structs.replace(GRANTS[0], addresses=networks, expires_us=expires_us, **changed)
    return await small_house(grants=[ann, *GRANTS[1:]])


async def on_the_socket(house: SmallHouse, client: str = "127.0.0.1") -> tuple[int, int]:
    async with Socket(house, "/ws-api/v3", client=client) as socket:
        answer = await socket.ask(id=1, method="account.status", params=ws_signed("ann"))
        started = await socket.ask(id=2, method="userDataStream.start", params={"apiKey": "annKey"})
        assert started["status"] == answer["status"]
        return answer["status"], answer.get("error", {}).get("code", 0)


@pytest.mark.parametrize(
    "listed,client,comes_in",
    [
        ("", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        ("10.0.0.0/8\n203.0.113.0/24", "203.0.113.10", True),
        ("203.0.113.0/24", "::ffff:203.0.113.10", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "203.0.113.10", False),
        ("203.0.113.9", "", False),
    ],
)
async def test_a_key_is_good_from_its_addresses_only(
    listed: str, client: str, comes_in: bool
) -> None:
    """REST with and without signature and the WebSocket API refuse it from elsewhere as -2015."""
    house = await bounded_house(addresses=listed)
    wanted = (200, 0) if comes_in else REFUSED
    reply = await house.signed("ann", "GET", ACCOUNT, client=client)
    assert (reply.status, reply.json.get("code", 0)) == wanted
    headers = {"X-MBX-APIKEY": "annKey"}
    reply = await house.http("POST", STREAM, headers=headers, client=client)
    assert (reply.status, reply.json.get("code", 0)) == wanted
    assert await on_the_socket(house, client) == wanted
    assert (await house.signed("bob", "GET", ACCOUNT, client=client)).status == 200


async def test_a_key_is_good_until_its_end() -> None:
    """By the house's clock: at that microsecond it is refused everywhere, before it nowhere."""
    now_us = time.time_ns() // 1000
    house = await bounded_house(expires_us=now_us + 3600 * 10**6)
    assert (await house.signed("ann", "GET", ACCOUNT)).status == 200
    assert await on_the_socket(house) == (200, 0)
    house.gateway.edge.now_us = lambda: now_us + 3600 * 10**6  # type: ignore[method-assign]
    reply = await house.signed("ann", "GET", ACCOUNT)
    assert (reply.status, reply.json["code"]) == REFUSED
    assert await on_the_socket(house) == REFUSED


async def open_streams(house: SmallHouse, api: Socket, key: str = "annKey") -> str:
    """Subscribe to ann's events on a socket of the WebSocket API; return a listen key of hers."""
    assert (await api.ask(id=1, method=SUBSCRIBE, params=ws_signed("ann")))["status"] == 200
    reply = await house.http("POST", STREAM, headers={"X-MBX-APIKEY": key})
    return str(reply.json["listenKey"])


async def test_the_end_of_a_key_ends_its_streams() -> None:
    """Both kinds of user stream hear eventStreamTerminated; the listen key opens nothing more."""
    now_us = time.time_ns() // 1000
    house = await bounded_house(expires_us=now_us + 3600 * 10**6)
    async with Socket(house, "/ws-api/v3") as api:
        listen_key = await open_streams(house, api)
        async with Socket(house, f"/ws/{listen_key}") as stream:
            house.gateway.edge.now_us = lambda: now_us + 3600 * 10**6  # type: ignore[method-assign]
            told = await api.until(lambda text: "event" in text)
            assert told["event"]["e"] == "eventStreamTerminated"
            assert (await stream.next())["e"] == "eventStreamTerminated"
            house.writer.commit(pack(Command.CANCEL_ALL, account=ANN))
    assert await house.gateway.listen_keys.admit(listen_key) is None


def freeze(house: SmallHouse, *, frozen: bool) -> None:
    body = AccountBody(member=ANN, frozen=frozen)
    house.writer.commit(pack_body(Command.CONFIGURE_ACCOUNT, body, account=ANN))


async def test_freezing_ends_the_streams_after_the_cancellations() -> None:
    """The last that both streams tell is the cancelled order; no new one opens until unfrozen."""
    house = await small_house()
    placed = await house.place("ann", "BUY", "0.1", "10000")
    async with Socket(house, "/ws-api/v3") as api:
        listen_key = await open_streams(house, api)
        async with Socket(house, f"/ws/{listen_key}") as stream:
            freeze(house, frozen=True)
            house.writer.commit(pack(Command.CANCEL_ALL, account=ANN))
            for socket in (api, stream):
                events: list[Any] = []
                while not events or events[-1]["e"] != "eventStreamTerminated":
                    text = await socket.next()
                    events.append(text.get("event", text))
                assert (events[0]["i"], events[0]["X"]) == (placed["orderId"], "CANCELED")
            again = await api.ask(id=2, method=SUBSCRIBE, params=ws_signed("ann"))
            assert (again["status"], again["error"]["code"]) == REFUSED
        reply = await house.http("POST", STREAM, headers={"X-MBX-APIKEY": "annKey"})
        assert (reply.status, reply.json["code"]) == REFUSED
        assert (await house.signed("ann", "GET", ACCOUNT)).status == 200
        freeze(house, frozen=False)
        await open_streams(house, api)


# ---- session.logon


def ed25519_house() -> Any:
    return bounded_house(secret="", public_key=PEM)


def signed(**parameters: Any) -> dict[str, Any]:
    parameters |= {"apiKey": "annKey", "timestamp": time.time_ns() // 1_000_000}
    payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    signature = PRIVATE.sign(payload.encode())
    return {**parameters, "signature": base64.b64encode(signature).decode()}


async def test_a_logged_on_session_needs_no_more_signatures() -> None:
    """session.logon with an Ed25519 key, then orders and user data without; session.logout ends."""
    house = await ed25519_house()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    async with Socket(house, "/ws-api/v3") as socket:
        stamp = {"timestamp": time.time_ns() // 1_000_000}
        refused = await socket.ask(id=1, method="order.test", params={**order, **stamp})
        assert refused["error"]["code"] == -1102
        refused = await socket.ask(id=2, method="userDataStream.subscribe")
        assert refused["status"] == 401
        told = await socket.ask(id=3, method="session.logon", params=signed())
        assert (told["status"], told["result"]["apiKey"]) == (200, "annKey")
        placed = await socket.ask(id=4, method="order.test", params={**order, **stamp})
        assert placed["status"] == 200
        stale = await socket.ask(id=5, method="order.test", params={**order, "timestamp": 1})
        assert stale["error"]["code"] == -1021
        assert (await socket.ask(id=6, method="userDataStream.subscribe"))["status"] == 200
        assert (await socket.ask(id=7, method="session.status"))["result"]["authorizedSince"]
        ended = await socket.ask(id=8, method="session.logout")
        assert ended["result"]["authorizedSince"] is None
        refused = await socket.ask(id=9, method="order.test", params={**order, **stamp})
        assert refused["error"]["code"] == -1102


async def test_a_session_ends_with_its_key() -> None:
    """A revoked key is refused at the next request of a session that it opened."""
    house = await ed25519_house()
    async with Socket(house, "/ws-api/v3") as socket:
        assert (await socket.ask(id=1, method="session.logon", params=signed()))["status"] == 200
        house.writer.commit(pack(Command.REVOKE_KEY, account=ANN, key_number=1))
        stamp = {"timestamp": time.time_ns() // 1_000_000}
        told = await socket.ask(id=2, method="account.status", params=stamp)
        assert (told["status"], told["error"]["code"]) == REFUSED


async def test_hmac_keys_do_not_log_on() -> None:
    """session.logon is for Ed25519 keys, as clients know it."""
    house = await small_house()
    async with Socket(house, "/ws-api/v3") as socket:
        told = await socket.ask(id=1, method="session.logon", params=ws_signed("ann"))
        assert (told["status"], told["error"]["code"]) == (400, -4056)


async def test_ed25519_keys_sign_rest_and_websocket_requests() -> None:
    """An order by either way is proven by the private key, and refused with a byte changed."""
    house = await ed25519_house()
    payload = urlencode({"timestamp": time.time_ns() // 1_000_000})
    made = base64.b64encode(PRIVATE.sign(payload.encode())).decode()
    other = base64.b64encode(PRIVATE.sign(f"{payload}0".encode())).decode()
    for proof, status in ((made, 200), (other, 401)):
        query = f"{payload}&{urlencode({'signature': proof})}".encode()
        reply = await house.http("GET", ACCOUNT, query=query, headers={"X-MBX-APIKEY": "annKey"})
        assert reply.status == status
    async with Socket(house, "/ws-api/v3") as socket:
        told = await socket.ask(id=1, method="account.status", params=signed())
        assert told["status"] == 200
        bad = {**signed(), "recvWindow": 4000}
        told = await socket.ask(id=2, method="account.status", params=bad)
        assert (told["status"], told["error"]["code"]) == (401, -1022)

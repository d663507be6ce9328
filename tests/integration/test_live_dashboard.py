"""The dashboard's socket in a real house: who may open it, and that it follows each report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from tests.house_fixture import HOUSE_FILE, RunningHouse, open_house
from tests.treasury.people import Person

TOKEN = "a-token-of-bobs-strategy"
FILE = (
    HOUSE_FILE
    + f"""
[[members.brokerage_accounts]]
name = "main"
[[members.strategies]]
name = "momentum"
brokerage_account = "main"
symbol = "XBTUSD"
access_token = "{TOKEN}"

[[members]]
username = "una"
email = "una@example.com"
password = "una-s long password"
tokens = [{{{{ token = "token-of-una-who-reads" }}}}]

[[members]]
username = "tom"
email = "tom@example.com"
password = "tom-s long password"
membership_until = "2099-12-31"
tokens = [
    {{{{ token = "token-of-tom-who-reads" }}}},
    {{{{ token = "token-of-tom-who-trades", scopes = ["trade"] }}}},
]
[[members.brokerage_accounts]]
name = "main"
[[members.strategies]]
name = "carry"
brokerage_account = "main"
access_token = "a-token-of-toms-strategy"
"""
)
WAIT_S = 60


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_house(file_text=FILE, settings="rate_limits = false\nedges = 2") as running:
        yield running


def connect(house: RunningHouse, person: Person, origin: str = "") -> ClientConnection:
    cookies = "; ".join(f"{each.name}={each.value}" for each in person.jar)
    return websockets.sync.client.connect(
        f"{house.ws_url}/ws/dashboard",
        additional_headers={"Cookie": cookies},
        origin=Origin(origin or house.url),
        open_timeout=WAIT_S,
    )


def send_report(house: RunningHouse, wallet: str, token: str = TOKEN) -> None:
    words = {
        "strategy_access_token": token,
        "last_price": 1,
        "margin_balance": wallet,
        "wallet_balance": wallet,
        "realised_pnl": 0,
        "positions": 0,
        "symbol": "XBTUSD",
        "average_entry_price": 0,
    }
    body = json.dumps({"data": words}).encode()
    answer = house.request("POST", "/api/v1/strategy/", body=body)
    assert answer.status == 201, answer


def test_s1_7_the_socket_tells_each_report_whichever_edge_took_it(house: RunningHouse) -> None:
    """S1-7: the dashboard comes at once, and again after each report, over two edges."""
    bob = Person(house, "bob")
    with connect(house, bob) as first, connect(house, bob) as second:
        for socket in (first, second):
            assert json.loads(socket.recv(WAIT_S))["strategies"][0]["name"] == "momentum"
        for wallet in ("1000.5", "1001", "999.25"):
            send_report(house, wallet)
            for socket in (first, second):
                told = json.loads(socket.recv(WAIT_S))
                while told["equity"] != wallet:  # the last one again: a new hour has begun
                    told = json.loads(socket.recv(WAIT_S))
                assert told["hourly"][-1]["equity"] == wallet
                assert told["strategies"][0]["last"]["margin_balance"] == wallet
    asked = bob.ask("GET", "/dashboard/").words
    assert asked["equity"] == "999.25"
    assert asked["pnl_24h"] == "-1.25"


@pytest.mark.parametrize(
    "name, origin, status",
    [("", "", 401), ("una", "", 403), ("bob", "http://elsewhere.example", 403)],
)
def test_the_socket_is_for_members_on_the_houses_pages(
    house: RunningHouse, name: str, origin: str, status: int
) -> None:
    """A stranger is 401, a member without a membership and another site's page are 403."""
    person = Person(house, name)
    with pytest.raises(InvalidStatus) as refused, connect(house, person, origin):
        pass
    assert refused.value.response.status_code == status


def by_token(house: RunningHouse, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    address = f"{house.ws_url}/ws/dashboard"
    return websockets.sync.client.connect(address, additional_headers=headers, open_timeout=WAIT_S)


def test_a_program_follows_by_a_token_until_it_ends(house: RunningHouse) -> None:
    """A token that reads is told each report; once it is revoked the next one closes the socket."""
    tom = Person(house, "tom")
    with by_token(house, "token-of-tom-who-reads") as socket:
        assert json.loads(socket.recv(WAIT_S))["strategies"][0]["name"] == "carry"
        send_report(house, "7", "a-token-of-toms-strategy")
        assert json.loads(socket.recv(WAIT_S))["equity"] == "7"
        rows: Any = tom.ask("GET", "/tokens/").words
        [row] = [each for each in rows if each["scopes"] == ["read"]]
        again = {"password": "tom-s long password"}
        assert tom.ask("DELETE", f"/tokens/{row['id']}/", **again).status == 204
        send_report(house, "8", "a-token-of-toms-strategy")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(
    "token, status",
    [("nobody's", 401), ("token-of-tom-who-trades", 403), ("token-of-una-who-reads", 403)],
)
def test_a_token_that_may_not_is_refused(house: RunningHouse, token: str, status: int) -> None:
    """An unknown token is 401; one that doesn't read, or without a membership, 403."""
    with pytest.raises(InvalidStatus) as refused, by_token(house, token):
        pass
    assert refused.value.response.status_code == status


def test_who_signs_out_is_told_no_more(house: RunningHouse) -> None:
    """After signing out the next report closes the socket instead of being told."""
    bob = Person(house, "bob")
    with connect(house, bob) as socket:
        socket.recv(WAIT_S)
        bob.post_form("/logout", {})
        send_report(house, "5")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401

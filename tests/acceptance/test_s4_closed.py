"""The users' and stocks' routes in a house whose door is closed: who may do what to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.house_fixture import Reply, RunningHouse, open_house

CHIEF = "chief-token-0123456789abcdefghijklmnopqrstuv"
BOB = "bobs-token-0123456789abcdefghijklmnopqrstuvwx"
DAN = "dans-token-0123456789abcdefghijklmnopqrstuvwx"
PASSWORD = "bob-s long password"
MORE = f"""
[[members.tokens]]
token = "{BOB}"
scopes = ["read", "trade"]

[[assets]]
code = "USD"
second_approver_above = "5000"

[[instruments]]
symbol = "CIBUSD"
base = "CIB"
quote = "USD"
market = "dealer"
stock_id = "cib"
tick_size = "0.01"
lot_size = "1"

[[members]]
username = "dan"
email = "dan@example.com"
balances = {{ USD = "100" }}
tokens = [{{ token = "{DAN}", scopes = ["read", "trade"] }}]

[[members]]
username = "chief"
email = "chief@example.com"
roles = ["member", "admin"]
balances = {{ USD = "100" }}
tokens = [{{ token = "{CHIEF}", scopes = ["read", "trade", "staff"] }}]
"""
BOB_ID, DAN_ID, CHIEF_ID = 2, 3, 4


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_house(settings="rate_limits = false\nstaff_mfa = false", more=MORE) as running:
        yield running


def ask(house: RunningHouse, token: str, method: str, path: str, body: object = None) -> Reply:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    raw = None if body is None else json.dumps(body).encode()
    return house.request(method, path, body=raw, headers=headers)


def test_a_stranger_is_401_everywhere(house: RunningHouse) -> None:
    """Without a credential no route tells or does anything, on loopback neither."""
    for path in ("/api/users/", "/api/users/2/", "/api/stocks/", "/api/stocks/cib/"):
        assert ask(house, "", "GET", path).status == 401
    for path in ("/api/users/", "/api/users/2/deposit", "/api/users/2/buy/"):
        assert ask(house, "", "POST", path, {}).status == 401


def test_a_member_reaches_themselves_and_no_other(house: RunningHouse) -> None:
    """Bob sees and trades for bob; dan's number is 404 to him, whatever he asks of it."""
    assert [each["username"] for each in ask(house, BOB, "GET", "/api/users/").json] == ["bob"]
    assert ask(house, BOB, "GET", f"/api/users/{BOB_ID}/").json["username"] == "bob"
    order = {"stock_id": "cib", "total": 1, "lower_bound": 1, "upper_bound": 2}
    refused = ask(house, BOB, "POST", f"/api/users/{BOB_ID}/buy/", order)
    assert refused.json == {"error": "you dont have the fund to buy"}
    assert ask(house, DAN, "POST", f"/api/users/{DAN_ID}/buy/", order).status == 200
    for method, path in (
        ("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", ""),
        ("POST", "buy"), ("POST", "sell"), ("POST", "deposit"), ("POST", "withdraw"),
    ):  # fmt: skip
        found = ask(house, BOB, method, f"/api/users/{DAN_ID}/{path}", order)
        assert (found.status, found.json) == (404, {"detail": "No User matches the given query."})
    assert ask(house, BOB, "GET", "/api/stocks/cib/").status == 200


def test_money_at_once_is_for_staff_and_never_their_own(house: RunningHouse) -> None:
    """Members are 403 on their own account, and so is who made it; the limit holds for staff."""
    for verb in ("deposit", "withdraw"):
        own = f"/api/users/{BOB_ID}/{verb}/"
        assert ask(house, BOB, "POST", own, {"amount": 1}).status == 403
        theirs = ask(house, CHIEF, "POST", f"/api/users/{CHIEF_ID}/{verb}/", {"amount": 1})
        assert theirs.status == 400
        assert "Somebody else" in theirs.json["error"]
        much = ask(house, CHIEF, "POST", own, {"amount": 5001})
        assert (much.status, list(much.json)) == (400, ["amount"])
    paid = ask(house, CHIEF, "POST", f"/api/users/{BOB_ID}/deposit/", {"amount": 40})
    assert paid.json["balance"] == 40.0
    paid = ask(house, CHIEF, "POST", f"/api/users/{BOB_ID}/withdraw/", {"amount": 40})
    assert paid.json["balance"] == 0.0
    made = {"username": "eve", "email": "eve@example.com", "password": "x"}
    assert ask(house, BOB, "POST", "/api/users/", made).status == 403
    assert ask(house, CHIEF, "POST", "/api/users/", made).status == 201


def test_who_changes_themselves_gives_the_present_password(house: RunningHouse) -> None:
    """A token alone changes no name and no password; the present password does, staff's none."""
    own = f"/api/users/{BOB_ID}/"
    new = {"password": "another long password"}
    assert ask(house, BOB, "PATCH", own, new).json == {
        "current_password": ["This field is required."]
    }
    wrong = ask(house, BOB, "PATCH", own, new | {"current_password": "guess"})
    assert wrong.json == {"current_password": ["This is not your password."]}
    right = ask(house, BOB, "PATCH", own, {"username": "bobby", "current_password": PASSWORD})
    assert (right.status, right.json["username"]) == (200, "bobby")
    staff = ask(house, CHIEF, "PATCH", "/api/users/1/", new)
    assert (staff.status, list(staff.json)) == (403, ["error"])
    taken = ask(house, CHIEF, "PATCH", own, {"username": "DAN"})
    assert taken.json == {"username": ["A user with that username already exists."]}
    assert ask(house, CHIEF, "DELETE", own).status == 409, "bob holds coins"

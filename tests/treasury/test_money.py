"""Deposits, withdrawals, sub-accounts and transfers of a real house, through its own doors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.house_fixture import RunningHouse, open_house
from tests.treasury.people import FILE, Person

SETTINGS = "rate_limits = false\nstaff_mfa = false\nwithdrawal_delay_s = 0\n"


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house without a delay, and a limit of 50,000 USDT."""
    with open_house(settings=SETTINGS, file_text=FILE) as running:
        yield running


@pytest.fixture(scope="module")
def people(house: RunningHouse) -> dict[str, Person]:
    return {name: Person(house, name) for name in ("ann", "bob", "mia", "max")}


def usdt(person: Person, account: str = "spot") -> Decimal:
    return Decimal(person.accounts()[account].get("USDT", ("0", "0"))[0])


def totals(house: RunningHouse) -> dict[str, Any]:
    found: dict[str, Any] = house.get("/api/v1/ledger/totals/").json["USDT"]
    return found


def state_of(person: Person, number: int) -> str:
    rows = person.ask("GET", "/withdrawals/").words["withdrawals"]
    return str(next(row["state"] for row in rows if row["id"] == number))


def test_a_withdrawal_is_held_approved_and_settled(
    house: RunningHouse, people: dict[str, Person]
) -> None:
    """Held at once, so no longer free; still the members'; out of the house after one approval."""
    bob, mia = people["bob"], people["mia"]
    before, members = usdt(bob), Decimal(totals(house)["members"])
    asked = bob.withdraw("1000.00000001")
    assert (asked.status, asked.words["state"]) == (201, "held")
    assert usdt(bob) == before - Decimal("1000.00000001")
    assert Decimal(totals(house)["members"]) == members
    approved = mia.ask("POST", f"/withdrawals/{asked.words['id']}/approve/")
    assert (approved.status, approved.words["state"]) == (200, "settled")
    assert Decimal(totals(house)["members"]) == members - Decimal("1000.00000001")
    assert totals(house)["sum"] == "0"
    again = mia.ask("POST", f"/withdrawals/{asked.words['id']}/approve/")
    assert again.status == 409


def test_above_the_limit_a_second_person_must_approve(people: dict[str, Person]) -> None:
    """Two different people, neither the owner; the same one twice doesn't count."""
    ann, bob, mia, top = (people[name] for name in ("ann", "bob", "mia", "max"))
    asked = bob.withdraw("50000.00000001")
    path = f"/withdrawals/{asked.words['id']}/approve/"
    assert asked.words["approvals_needed"] == 2
    assert mia.ask("POST", path).words["state"] == "held"
    assert mia.ask("POST", path).status == 409
    assert bob.ask("POST", path).status == 403
    assert top.ask("POST", path).words["state"] == "settled"
    own = ann.withdraw("1")  # ann is an admin
    assert ann.ask("POST", f"/withdrawals/{own.words['id']}/approve/").status == 409
    assert ann.ask("POST", f"/withdrawals/{own.words['id']}/cancel/").status == 200


def test_a_cancelled_withdrawal_is_free_again(people: dict[str, Person]) -> None:
    """Cancelling gives all back, once; another member's withdrawal is 404."""
    bob, ann = people["bob"], people["ann"]
    before = usdt(bob)
    number = bob.withdraw("7").words["id"]
    assert ann.ask("POST", f"/withdrawals/{number}/cancel/").status == 404
    assert bob.ask("POST", f"/withdrawals/{number}/cancel/").words["state"] == "cancelled"
    assert bob.ask("POST", f"/withdrawals/{number}/cancel/").status == 409
    assert usdt(bob) == before


@pytest.mark.parametrize(
    "change, status",
    [
        ({"amount": "0"}, 409),
        ({"amount": "-1"}, 400),
        ({"amount": "0.000000001"}, 400),
        ({"amount": "1e3"}, 400),
        ({"amount": "99999999999"}, 400),
        ({"amount": 5}, 400),
        ({"asset": "NONE"}, 400),
        ({"password": "wrong"}, 400),
        ({"destination": ""}, 400),
        ({"account": 16}, 404),  # ann's
        ({"account": "x"}, 404),
    ],
)
def test_what_can_not_be_withdrawn(
    people: dict[str, Person], change: dict[str, Any], status: int
) -> None:
    """A bad amount, asset, password, destination or account moves nothing."""
    bob = people["bob"]
    before = usdt(bob)
    fields = {"amount": "1", **change}
    assert (
        bob.withdraw(fields.pop("amount"), fields.pop("asset", "USDT"), **fields).status == status
    )
    assert usdt(bob) == before


def test_50_withdrawals_at_once_never_overdraw(
    house: RunningHouse, people: dict[str, Person]
) -> None:
    """50 at once of a thirtieth each: 30 are held, 20 refused, and nothing is left or missing."""
    bob = people["bob"]
    sub = bob.ask("POST", "/accounts/", name="fifty").words["id"]
    spot = bob.accounts()["spot"]["id"]
    moved = bob.ask(
        "POST", "/transfers/", account=spot, to_account=sub, asset="USDT", amount="3000"
    )
    assert moved.status == 201
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: bob.withdraw("100", account=sub), range(50)))
    assert sorted(each.status for each in said) == [201] * 30 + [409] * 20
    assert usdt(bob, "fifty") == 0
    held = [each.words["id"] for each in said if each.status == 201]
    for number in held[:15]:
        assert people["mia"].ask("POST", f"/withdrawals/{number}/approve/").status == 200
    for number in held[15:]:
        assert bob.ask("POST", f"/withdrawals/{number}/cancel/").status == 200
    assert usdt(bob, "fifty") == 1500
    assert totals(house)["sum"] == "0"


def test_an_account_opened_many_times_at_once_is_one(people: dict[str, Person]) -> None:
    """Of sixteen calls, in two spellings, those that are taken name one account; later ones 409."""
    bob = people["bob"]
    spelled = ["Rainy Day", "rainy day"] * 8
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda name: bob.ask("POST", "/accounts/", name=name), spelled))
    assert {each.status for each in said} <= {201, 409}, said
    opened = {each.words["id"] for each in said if each.status == 201}
    there = [each for name, each in bob.accounts().items() if name.lower() == "rainy day"]
    assert [each["id"] for each in there] == list(opened)
    again = bob.ask("POST", "/accounts/", name="RAINY DAY")
    assert (again.status, again.words["error"].split(";")[1]) == (409, " give another name")


def test_approving_and_cancelling_at_once_ends_one_way(people: dict[str, Person]) -> None:
    """Of a race between them one wins; the balance says the same as the state."""
    bob, mia = people["bob"], people["mia"]
    for _ in range(6):
        before = usdt(bob)
        number = bob.withdraw("10").words["id"]
        with ThreadPoolExecutor(2) as pool:
            pool.submit(mia.ask, "POST", f"/withdrawals/{number}/approve/")
            pool.submit(bob.ask, "POST", f"/withdrawals/{number}/cancel/")
        ended = state_of(bob, number)
        assert ended in {"settled", "cancelled"}
        assert before - usdt(bob) == (10 if ended == "settled" else 0)


def test_held_money_can_not_be_reached(people: dict[str, Person]) -> None:
    """The account that holds is in no list, and can't be named as source, target or new account."""
    bob = people["bob"]
    number = bob.withdraw("5").words["id"]
    names = bob.accounts()
    assert all("held" not in name for name in names)
    top = max(each["id"] for each in names.values())
    for holding in range(16, top + 3):
        if holding in {each["id"] for each in names.values()}:
            continue
        assert bob.withdraw("1", account=holding).status == 404
        moved = bob.ask(
            "POST",
            "/transfers/",
            account=holding,
            to_account=names["spot"]["id"],
            asset="USDT",
            amount="1",
        )
        assert moved.status == 404
    assert bob.ask("POST", "/accounts/", name="Held for withdrawals").status == 409
    bob.ask("POST", f"/withdrawals/{number}/cancel/")


def test_staff_deposit_and_above_the_limit_another_approves(people: dict[str, Person]) -> None:
    """An admin's deposit is there at once up to the limit; above it after another's approval."""
    bob, ann, mia = people["bob"], people["ann"], people["mia"]
    before = usdt(bob)
    small = ann.ask("POST", "/deposits/", username="bob", asset="USDT", amount="50000")
    assert (small.status, small.words["state"]) == (201, "done")
    assert usdt(bob) == before + 50_000
    large = ann.ask("POST", "/deposits/", username="bob", asset="USDT", amount="50001")
    assert large.words["state"] == "asked"
    assert usdt(bob) == before + 50_000
    path = f"/deposits/{large.words['id']}/approve/"
    assert ann.ask("POST", path).status == 409
    assert bob.ask("POST", path).status == 403
    assert mia.ask("POST", path).words["state"] == "done"
    assert usdt(bob) == before + 100_001
    assert mia.ask("POST", path).status == 409
    for who in (bob, mia):
        asked = who.ask("POST", "/deposits/", username="bob", asset="USDT", amount="1")
        assert asked.status == 403
    assert usdt(bob) == before + 100_001


def test_transfers_stay_between_own_accounts(people: dict[str, Person]) -> None:
    """A member moves between own accounts only, no more than is free, and the sum stays."""
    bob, ann = people["bob"], people["ann"]
    opened = bob.ask("POST", "/accounts/", name="savings")
    assert opened.status == 201
    assert bob.ask("POST", "/accounts/", name="savings").status == 409
    spot, savings = bob.accounts()["spot"]["id"], opened.words["id"]
    before = usdt(bob)
    good = {"account": spot, "to_account": savings, "asset": "USDT", "amount": "12.5"}
    assert bob.ask("POST", "/transfers/", **good).status == 201
    assert (usdt(bob), usdt(bob, "savings")) == (before - Decimal("12.5"), Decimal("12.5"))
    for change, status in (
        ({"to_account": ann.accounts()["spot"]["id"]}, 404),
        ({"account": ann.accounts()["spot"]["id"]}, 404),
        ({"to_account": 1}, 404),
        ({"to_account": spot}, 409),
        ({"amount": "99999999"}, 409),
    ):
        assert bob.ask("POST", "/transfers/", **{**good, **change}).status == status
    assert (usdt(bob), usdt(bob, "savings")) == (before - Decimal("12.5"), Decimal("12.5"))


def test_strangers_and_forged_requests_move_nothing(
    house: RunningHouse, people: dict[str, Person]
) -> None:
    """Without a session 401 or the sign-in page; without the CSRF token 403."""
    stranger = Person(house)
    for path in ("/accounts/", "/withdrawals/", "/deposits/"):
        assert stranger.ask("GET", path).status == 401
        assert stranger.ask("POST", path).status == 401
    for path in ("/money/", "/staff/money/"):
        assert 'name="password"' in stranger.get(path)[1]
    bob = people["bob"]
    cookies = "; ".join(f"{each.name}={each.value}" for each in bob.jar)
    answer = house.request(
        "POST",
        "/api/v1/withdrawals/",
        body=b"{}",
        headers={"Cookie": cookies, "Content-Type": "application/json"},
    )
    assert answer.status == 403


READS, TRADES = "reads-only-token-0000000000", "trades-only-token-000000000"
WITHDRAWS = "withdraws-token-00000000000"


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/accounts/", {READS, TRADES}),
        ("GET", "/withdrawals/", {READS, TRADES}),
        ("GET", "/deposits/", {READS, TRADES}),
        ("POST", "/accounts/", {TRADES}),
        ("POST", "/transfers/", {TRADES}),
        ("POST", "/withdrawals/", {WITHDRAWS}),
        ("POST", "/withdrawals/999999/cancel/", {WITHDRAWS}),
        ("POST", "/withdrawals/999999/approve/", set()),
        ("POST", "/deposits/", set()),
        ("POST", "/deposits/999999/approve/", set()),
    ],
)
def test_a_token_does_what_its_scopes_say(
    house: RunningHouse, method: str, path: str, allowed: set[str]
) -> None:
    """Without the scope 403; with it the request is heard; no token does what staff do."""
    for token in (READS, TRADES, WITHDRAWS):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = b"{}" if method == "POST" else None
        answer = house.request(method, f"/api/v1{path}", body=body, headers=headers)
        assert (answer.status != 403) == (token in allowed), (token, answer)
        assert answer.status < 500


def test_the_pages_do_what_the_api_does(people: dict[str, Person]) -> None:
    """Withdraw, cancel, transfer and deposit by form; a refusal is told on the page."""
    bob, ann = people["bob"], people["ann"]
    spot = str(bob.accounts()["spot"]["id"])
    before = usdt(bob)
    form = {"account": spot, "asset": "USDT", "amount": "3", "destination": "bank"}
    _, text = bob.post_form("/money/withdraw", {**form, "password": "no"}, page="/money/")
    assert "Refused: give your password again" in text
    secret = "bob-s long password"
    _, text = bob.post_form("/money/withdraw", {**form, "password": secret}, page="/money/")
    assert "The withdrawal is held" in text
    assert usdt(bob) == before - 3
    number = bob.ask("GET", "/withdrawals/").words["withdrawals"][0]["id"]
    assert ann.post_form(f"/money/withdrawals/{number}/cancel", {}, page="/money/")[0] == 404
    _, text = bob.post_form(f"/money/withdrawals/{number}/cancel", {}, page="/money/")
    assert "cancelled" in text
    sent = {"username": "bob", "asset": "USDT", "amount": "4", "note": "cheque"}
    _, text = ann.post_form("/staff/money/deposit", sent, page="/staff/money/")
    assert "The deposit is recorded" in text
    assert usdt(bob) == before + 4
    assert bob.get("/staff/money/")[0] == 403
    assert bob.post_form("/staff/money/deposit", sent, page="/money/")[0] == 403


def test_wrong_passwords_are_counted_on_the_page_and_the_api() -> None:
    """After five wrong ones in a row the right one is refused, too, by both; nothing is held."""
    settings = SETTINGS.replace("rate_limits = false", "rate_limits = true")
    with open_house(settings=settings, file_text=FILE) as house:
        bob, mia = Person(house, "bob"), Person(house, "mia")
        before = usdt(bob)
        assert [bob.withdraw("1").status for _ in range(6)] == [201] * 6
        form = {"account": str(bob.accounts()["spot"]["id"]), "asset": "USDT", "amount": "1"}
        form |= {"destination": "bank", "password": "no"}
        seen = [bob.withdraw("1", password="no").status for _ in range(3)]
        for _ in range(2):
            _, text = bob.post_form("/money/withdraw", form, page="/money/")
            assert "Refused: give your password again" in text
        refused = bob.withdraw("1")
        assert [*seen, refused.status] == [400, 400, 400, 429]
        assert "too many wrong passwords" in refused.words["error"]
        right = {**form, "password": "bob-s long password"}
        _, text = bob.post_form("/money/withdraw", right, page="/money/")
        assert "Refused: too many wrong passwords" in text
        assert usdt(bob) == before - 6
        assert mia.ask("GET", "/withdrawals/").status == 200


def test_a_withdrawal_waits_its_delay() -> None:
    """Approved before its time it stays held; the house settles it by itself when time has come."""
    settings = SETTINGS.replace("delay_s = 0", "delay_s = 10")
    with open_house(settings=settings, file_text=FILE) as house:
        bob, mia = Person(house, "bob"), Person(house, "mia")
        number = bob.withdraw("1").words["id"]
        assert mia.ask("POST", f"/withdrawals/{number}/approve/").words["state"] == "held"
        deadline = time.monotonic() + 60
        while state_of(bob, number) != "settled":
            assert time.monotonic() < deadline, state_of(bob, number)
            time.sleep(0.1)

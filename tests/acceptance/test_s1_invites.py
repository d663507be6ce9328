"""S1-1: no public sign-up; an invite registers and counts down, also when all come at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.visitor import Visitor
from tests.house_fixture import HOUSE_FILE, RunningHouse, open_house
from tests.projections.test_postgresql import postgresql

__all__ = ["postgresql"]  # the fixture

CODE = "annInvitesYou"
PASSWORD = "a password that nobody has"
FILE = HOUSE_FILE.replace('username = "ann"', f'username = "ann"\ninvite_code = "{CODE}"')
CROWD = 20


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house in which ann has an invite that the tests know."""
    with open_house(file_text=FILE) as running:
        yield running


def join(house: RunningHouse, name: str, code: str = CODE) -> tuple[int, Visitor]:
    visitor = Visitor(house)
    visitor.get(f"/invite/{code}")
    answer = visitor.post(
        f"/invite/{code}", username=name, email=f"{name}@example.com", password=PASSWORD
    )
    return answer.status, visitor


def test_s1_1_an_invite_registers_counts_down_and_is_refused_at_0(house: RunningHouse) -> None:
    """S1-1: five may join, each can trade at once, and at 0 both GET and POST answer 410."""
    late = Visitor(house)
    assert b"<form method" in late.get(f"/invite/{CODE}").body
    for place in range(5):
        status, visitor = join(house, f"guest{place}")
        assert status == 302
        assert visitor.get("/trade/").status == 200
        assert visitor.get("/api/v3/account").status == 200
    for answer in (
        late.get(f"/invite/{CODE}"),
        late.get(f"/invite/{CODE}/"),
        late.post(f"/invite/{CODE}", username="x", email="x@example.com", password=PASSWORD),
    ):
        assert answer.status == 410
        assert b"<input" not in answer.body
    assert Visitor(house).sign_in("x", PASSWORD).status == 200


def test_s1_1_there_is_no_other_way_in(house: RunningHouse) -> None:
    """S1-1: an unknown code is 404 on GET and POST, and no page signs strangers up."""
    stranger = Visitor(house)
    stranger.get("/login")
    form = {"username": "eve", "email": "eve@example.com", "password": PASSWORD}
    assert stranger.get("/invite/unknown").status == 404
    assert stranger.post("/invite/unknown", **form).status == 404
    for path in ("/signup", "/register", "/account/signup/", "/accounts/signup/"):
        assert stranger.get(path).status == 404
        assert stranger.post(path, **form).status == 404
    assert stranger.sign_in("eve", PASSWORD).status == 200


def crowd_joins(house: RunningHouse) -> None:
    """Leave one use, let CROWD people post at the same moment, and count who is in."""
    for place in range(4):
        assert join(house, f"early{place}")[0] == 302
    at_once = threading.Barrier(CROWD)

    def one(place: int) -> int:
        visitor = Visitor(house)
        assert visitor.get(f"/invite/{CODE}").status == 200
        at_once.wait(60)
        return visitor.post(
            f"/invite/{CODE}",
            username=f"crowd{place}",
            email=f"crowd{place}@example.com",
            password=PASSWORD,
        ).status

    with ThreadPoolExecutor(CROWD) as pool:
        answers = Counter(pool.map(one, range(CROWD)))
    assert answers == {302: 1, 410: CROWD - 1}
    inside = [
        place
        for place in range(CROWD)
        if Visitor(house).sign_in(f"crowd{place}", PASSWORD).status == 302
    ]
    assert len(inside) == 1


@pytest.mark.slow
def test_s1_1_of_20_parallel_posts_on_one_use_one_joins() -> None:
    """S1-1: on SQLite exactly one account is made, and the other 19 are told 410."""
    with open_house(file_text=FILE) as running:
        crowd_joins(running)


@pytest.mark.slow
@pytest.mark.needs("postgresql")
def test_s1_1_of_20_parallel_posts_on_one_use_one_joins_on_postgresql(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1-1: the same on PostgreSQL, where writers don't take turns by themselves."""
    monkeypatch.setenv("FONDACO_DATABASE_URL", postgresql)
    with open_house(file_text=FILE) as running:
        crowd_joins(running)

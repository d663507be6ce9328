"""S1-2 at a running house: the first admin, the last admin, two admins at once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.visitor import Visitor
from tests.house_fixture import HOUSE_FILE, SECRET_KEY, Reply, RunningHouse, open_house
from tests.projections.test_postgresql import postgresql

__all__ = ["postgresql"]  # the fixture

TWO_ADMINS = HOUSE_FILE.replace(
    'password = "bob-s long password"\n',
    'password = "bob-s long password"\nroles = ["member", "admin"]\n',
)
SETTINGS = "rate_limits = false\nstaff_mfa = false"  # roles are the matter here
ROUNDS = 8


def signed_in(house: RunningHouse, username: str, password: str = "") -> Visitor:
    visitor = Visitor(house)
    assert visitor.sign_in(username, password or f"{username}-s long password").status == 302
    return visitor


def set_roles(visitor: Visitor, number: int, *roles: str) -> Reply:
    body = json.dumps({"roles": ["member", *roles]}).encode()
    return visitor.ask(
        "POST", f"/api/v1/members/{number}/roles/", body, Content_Type="application/json"
    )


def test_s1_2_createadmin_makes_an_admin_who_grants_and_is_not_the_last() -> None:
    """S1-2: `fondaco createadmin`, then roles over HTTP, then 409 for whoever is left."""
    with open_house(settings=SETTINGS) as house:
        made = subprocess.run(
            [
                *(sys.executable, "-m", "fondaco", "createadmin", "--data", str(house.data)),
                *("--username", "root", "--email", "root@example.com", "--password-stdin"),
            ],
            input="the password of root\n",
            env={"FONDACO_SECRET_KEY": SECRET_KEY, "PATH": ""},
            text=True,
            timeout=60,
            check=False,
        )
        assert made.returncode == 0
        root = signed_in(house, "root", "the password of root")
        ann, bob = 1, 2
        assert set_roles(root, bob, "moderator").json["roles"] == ["member", "moderator"]
        assert set_roles(root, ann).json["roles"] == ["member"]
        assert set_roles(root, 3).status == 409
        assert set_roles(signed_in(house, "bob"), bob, "admin").status == 403
        assert set_roles(Visitor(house), bob, "admin").status == 401


def admins_remove_each_other(house: RunningHouse) -> None:
    visitors = {1: signed_in(house, "ann"), 2: signed_in(house, "bob")}
    for _ in range(ROUNDS):
        start = threading.Barrier(2)

        def remove(number: int, start: threading.Barrier = start) -> int:
            start.wait(30)
            return set_roles(visitors[3 - number], number).status

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(remove, (1, 2)))
        # The later of the two has lost the right to ask, or is the last: never both removed.
        assert sorted(answers) in ([200, 403], [200, 409]), answers
        left = 2 if answers[0] == 200 else 1
        assert set_roles(visitors[left], 3 - left, "admin").status == 200


def test_s1_2_two_admins_cannot_remove_each_other_at_once() -> None:
    """S1-2: on SQLite one stays, every time."""
    with open_house(file_text=TWO_ADMINS, settings=SETTINGS) as house:
        admins_remove_each_other(house)


@pytest.mark.needs("postgresql")
def test_s1_2_two_admins_cannot_remove_each_other_at_once_on_postgresql(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1-2: on PostgreSQL one stays, every time."""
    monkeypatch.setenv("FONDACO_DATABASE_URL", postgresql)
    with open_house(file_text=TWO_ADMINS, settings=SETTINGS) as house:
        admins_remove_each_other(house)

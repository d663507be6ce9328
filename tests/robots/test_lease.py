"""A lease has one holder, whatever takes it at once, and a late holder can do nothing with it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from fondaco.robots import lease
from tests.postgresql_fixture import environment, postgresql
from tests.robots.racing import ROUNDS

__all__ = ["postgresql"]

TTL = 10


def _race(folder: Path, url: str, *words: str) -> list[list[tuple[int, int]]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.robots.racing", *words],
        env=environment(folder, url),
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[tuple[int, int]]] = ast.literal_eval(done.stdout)
    return found


def _check(rounds: list[list[tuple[int, int]]]) -> None:
    assert len(rounds) == ROUNDS
    for number, won in enumerate(rounds, 1):
        assert len(won) == 1, f"{len(won)} holders in round {number}"
        assert won[0][1] == number, f"fence {won[0][1]} in round {number}"


def test_of_many_takers_one_holds_on_sqlite(tmp_path: Path) -> None:
    """Eight threads take at the same moment, twelve times over: one gets it, fences rise by one."""
    _check(_race(tmp_path, ""))


@pytest.mark.needs("postgresql")
def test_of_many_takers_one_holds_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    """The same on a server that lets transactions run beside each other."""
    _check(_race(tmp_path, postgresql))


def test_the_race_catches_a_taker_who_does_not_look(tmp_path: Path) -> None:
    """Planted: taking without checking the holder gives one lease to several, and is caught."""
    with pytest.raises(AssertionError, match="holders in round"):
        _check(_race(tmp_path, "", "careless"))


@pytest.mark.django_db
def test_a_held_lease_is_refused_until_its_time_is_over() -> None:
    """The second taker gets nothing before the end and a higher fence at it."""
    assert lease.take("x", "one", ttl_us=TTL, now_us=100) == 1
    assert lease.take("x", "two", ttl_us=TTL, now_us=109) is None
    assert lease.take("x", "one", ttl_us=TTL, now_us=109) is None
    assert lease.take("x", "two", ttl_us=TTL, now_us=110) == 2
    assert lease.take("y", "one", ttl_us=TTL, now_us=110) == 1


@pytest.mark.django_db
def test_only_the_last_holder_renews_and_releases() -> None:
    """Who lost the lease can neither hold it for longer nor give another's away."""
    first = lease.take("x", "one", ttl_us=TTL, now_us=100)
    assert first is not None
    assert lease.renew("x", "one", fence=first, ttl_us=TTL, now_us=105)
    assert lease.take("x", "two", ttl_us=TTL, now_us=114) is None
    assert not lease.renew("x", "one", fence=first, ttl_us=TTL, now_us=115)
    second = lease.take("x", "two", ttl_us=TTL, now_us=115)
    assert second == 2
    assert not lease.renew("x", "one", fence=first, ttl_us=TTL, now_us=116)
    assert not lease.renew("x", "two", fence=first, ttl_us=TTL, now_us=116)
    lease.release("x", "one", fence=first)
    assert lease.take("x", "three", ttl_us=TTL, now_us=117) is None
    lease.release("x", "two", fence=second)
    assert lease.take("x", "three", ttl_us=TTL, now_us=117) == 3


def test_each_process_has_a_name_of_its_own() -> None:
    """Two owners made by one process differ: a restart is another owner."""
    assert lease.new_owner() != lease.new_owner()


@pytest.mark.django_db
def test_a_killed_process_is_not_waited_for() -> None:
    """The lease of a process of this system that is no more is free; a living one's is not."""
    living = lease.new_owner()
    assert lease.take("x", living, ttl_us=TTL, now_us=100) == 1
    assert not lease.free_if_gone("x")
    code = "from fondaco.robots.lease import new_owner; print(new_owner())"
    program = f"import django; django.setup(); {code}"
    gone = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert lease.take("y", gone, ttl_us=TTL, now_us=100) == 1
    assert lease.free_if_gone("y")
    assert lease.take("y", living, ttl_us=TTL, now_us=101) == 2
    elsewhere = gone.replace(gone.split()[0], "another-system")
    assert lease.take("z", elsewhere, ttl_us=TTL, now_us=100) == 1
    assert not lease.free_if_gone("z")

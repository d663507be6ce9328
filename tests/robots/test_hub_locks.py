"""S0-8: client locks and their fences, in the core alone and in a real Redis."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fondaco.core import records
from fondaco.core.records import Command
from fondaco.link.answers import Unanswered
from fondaco.robots.hub.locks import KEY, Keys, Locks, NoKeys, RedisKeys, key_of, make_keys
from tests.house_fixture import free_port
from tests.redis_fixture import redis_url
from tests.robots.real_core import RealCore

__all__ = ["redis_url"]

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = {20: "robot-1", 21: "robot-2"}


@pytest.fixture(params=["core", pytest.param("redis", marks=pytest.mark.needs("redis"))])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Field:
    """A core with two robots, and workers that lock them."""

    def __init__(self, url: str) -> None:
        self.core = RealCore()
        self._url = url
        for number, code in ((1, "USDT"), (2, "BTC")):
            body = records.AssetBody(number=number, code=code, decimals=8)
            self.core.submit(records.pack_body(records.Command.DEFINE_ASSET, body))
        book = records.InstrumentBody(
            number=1,
            symbol="BTCUSDT",
            base=2,
            quote=1,
            tick_size="0.01",
            lot_size="0.00001",
            base_per_lot=1000,
            quote_per_lot_tick=10,
        )
        self.core.submit(records.pack_body(records.Command.DEFINE_INSTRUMENT, book))
        for account in ACCOUNTS:
            opened = records.AccountBody(
                member=1, kind=records.AccountKind.ROBOT, robot=records.RobotTerms(cash=1)
            )
            self.core.submit(
                records.pack_body(records.Command.OPEN_ACCOUNT, opened, account=account)
            )

    def worker(self, ttl_us: int = 60_000_000) -> Locks:
        keys: Keys = RedisKeys(self._url, ttl_us=ttl_us) if self._url else NoKeys()
        return Locks(self.core, keys, ttl_us=ttl_us)

    def act(self, account: int, fence: int) -> list[str]:
        """Return why an order under a fence is refused: there is no money, so it always is."""
        order = records.pack(
            records.Command.ROBOT_ORDER,
            account=account,
            instrument=1,
            side=records.Side.BUY,
            order_type=records.OrderType.LIMIT,
            time_in_force=records.TimeInForce.GTC,
            price_ticks=1,
            quantity_lots=1,
            fence=fence,
        )
        return self.core.reasons(self.core.submit(order))


@pytest.fixture
def field(kind: str, request: pytest.FixtureRequest) -> Field:
    url = request.getfixturevalue("redis_url") if kind == "redis" else ""
    if url:
        import redis

        with redis.Redis.from_url(url) as client:
            client.flushall()
    return Field(url)


def test_one_of_many_gets_a_lock(field: Field) -> None:
    """S0-8: of all that take it one has it, and after it the next, with a larger fence.

    At the same moment, and in processes of their own, they do in tests/acceptance/test_s0_robots.
    """
    found = [held for _ in range(20) for held in field.worker().take({20: "robot-1"}).values()]
    assert len(found) == 1
    field.worker().release(found)
    (after,) = field.worker().take({20: "robot-1"}).values()
    assert after.fence > found[0].fence


def test_locks_of_many_are_taken_in_one_piece(field: Field) -> None:
    """What is free is ours, what is busy is not, in one call."""
    (first,) = field.worker().take({21: "robot-2"}).values()
    held = field.worker().take(ACCOUNTS)
    assert set(held) == {20}
    field.worker().release([first])
    assert set(field.worker().take({21: "robot-2"})) == {21}


def test_a_killed_holder_frees_the_lock_by_its_time(field: Field, kind: str) -> None:
    """Nobody releases it; after the time to live it is another's, with a larger fence."""
    (lost,) = field.worker(ttl_us=200_000).take({20: "robot-1"}).values()
    assert not field.worker().take({20: "robot-1"})
    field.core.time_us += 200_000
    deadline = time.monotonic() + 10
    while True:  # Redis counts by the clock on the wall
        held = field.worker().take({20: "robot-1"})
        if held or kind == "core":
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert held[20].fence > lost.fence


def test_a_late_holder_can_neither_unlock_nor_act(field: Field, kind: str) -> None:
    """Its release leaves the new holder's lock, its order is refused by the fence."""
    late = field.worker(ttl_us=100_000)
    (lost,) = late.take({20: "robot-1"}).values()
    field.core.time_us += 100_000
    deadline = time.monotonic() + 10
    while not (held := field.worker().take({20: "robot-1"})):
        assert kind == "redis"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    late.release([lost])
    assert not field.worker().take({20: "robot-1"})
    assert field.act(20, lost.fence) == ["STALE_FENCE"]
    assert field.act(20, held[20].fence) == ["INSUFFICIENT_BALANCE"]


@pytest.mark.needs("redis")
def test_a_lock_whose_answer_is_late_is_given_back(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis took it and we did not hear: it is nobody's, and the next to ask has it at once."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    pipeline = redis.client.Pipeline
    execute: Callable[..., Any] = pipeline.execute

    def too_late(pipe: Any) -> Any:
        monkeypatch.setattr(pipeline, "execute", execute)
        execute(pipe)
        raise redis.TimeoutError("the answer did not come in time")

    field = Field(redis_url)
    worker = field.worker()
    monkeypatch.setattr(pipeline, "execute", too_late)
    assert worker.take(ACCOUNTS) == {}
    assert sorted(each.robot for each in worker.take(ACCOUNTS).values()) == ["robot-1", "robot-2"]


@pytest.mark.needs("redis")
def test_the_key_is_the_one_that_older_programs_know(redis_url: str) -> None:
    """The seed's key, the client id at the beginning of its value, 60 s to live."""
    import redis

    field = Field(redis_url)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushall()
        held = field.worker().take({20: "robot-1"})
        assert (
            key_of("robot-1")
            == f"{KEY}robot-1"
            == ("CRYPTO_ROBOT_OPERATION_HUB_CLIENT_LOCK_robot-1")
        )
        assert str(client.get(key_of("robot-1"))).startswith("robot-1")
        assert 30_000 < int(client.pttl(key_of("robot-1"))) <= 60_000
        field.worker().release(list(held.values()))
        assert client.get(key_of("robot-1")) is None
        client.set(key_of("robot-1"), "robot-1", px=60_000)  # as an older program locks
        assert not field.worker().take({20: "robot-1"})


@pytest.mark.needs("redis")
def test_the_lock_of_a_process_that_is_gone_is_nobody_s(redis_url: str) -> None:
    """Its successor takes it at once; a living holder's, and an older program's, it leaves."""
    import redis

    field = Field(redis_url)
    script = (
        "import sys; from tests.projections.django_ready import set_up; set_up();"
        "from fondaco.robots.hub.locks import RedisKeys; from fondaco.robots import lease;"
        "RedisKeys(sys.argv[1]).take({'robot-1': f'robot-1{lease.new_owner()} token'})"
    )
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushall()
        subprocess.run([sys.executable, "-c", script, redis_url], check=True, cwd=ROOT)
        assert str(client.get(key_of("robot-1"))).endswith(" token")
        held = field.worker().take({20: "robot-1"})
        assert set(held) == {20}
        assert not field.worker().take({20: "robot-1"})
        field.worker().release(list(held.values()))
        for value in ("robot-1", "robot-1 1 2 3 4", "robot-1a-token-of-its-own"):
            client.set(key_of("robot-1"), value, px=60_000)
            assert not field.worker().take({20: "robot-1"})


@pytest.mark.needs("redis")
def test_staff_takes_the_key_of_anybody_away(redis_url: str) -> None:
    """Voided it is free; a Redis that does not answer is told, since the lock may stand there."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.set(key_of("robot-1"), "robot-1", px=60_000)
        make_keys(redis_url).void("robot-1")
        assert not client.exists(key_of("robot-1"))
    with pytest.raises(Unanswered, match="robot-1 may be locked there"):
        make_keys(f"redis://127.0.0.1:{free_port()}/0").void("robot-1")


def test_a_redis_that_is_away_locks_everybody_out() -> None:
    """Nobody acts unlocked: without an answer no lock is anybody's."""
    pytest.importorskip("redis")
    field = Field(f"redis://127.0.0.1:{free_port()}/0")
    assert field.worker().take(ACCOUNTS) == {}


def test_a_lock_that_lets_two_in_is_still_one_who_acts() -> None:
    """Planted: a store of keys that refuses nobody. The core's fence leaves one holder to act."""

    class Planted(NoKeys):
        force = 1

    field = Field("")
    first = Locks(field.core, Planted()).take({20: "robot-1"})
    second = Locks(field.core, Planted()).take({20: "robot-1"})
    assert first
    assert second  # two holders, as nothing but the core was asked to supersede
    assert field.act(20, first[20].fence) == ["STALE_FENCE"]  # and yet only one can act


@pytest.mark.parametrize("kind", [Command.LOCK_ROBOT, Command.UNLOCK_ROBOT])
def test_a_lock_whose_answer_was_lost_is_taken_again_at_once(
    monkeypatch: pytest.MonkeyPatch, kind: Command
) -> None:
    """In the core alone: it may stand under a token of ours that nobody knows, or be still ours."""
    field = Field("")
    worker = Locks(field.core, NoKeys(), succeeds=True)
    clients = {20: "robot-1"}
    (held,) = worker.take(clients).values()
    if kind == Command.LOCK_ROBOT:  # it was done
        worker.release([held])
        field.core.lose = kind
        assert worker.take(clients) == {}
    else:  # it never came
        with monkeypatch.context() as losing:
            losing.setattr(
                field.core, "submit_many", lambda sent: [Unanswered("gone") for _ in sent]
            )
            worker.release([held])
    assert worker.take(clients)[20].fence > held.fence

"""Client locks: who acts for a client now, with a fence that makes a late holder harmless.

Promises: of any number who take a client's lock at once one gets it; it is free again after TTL_US,
whatever became of the holder, and only its holder releases it before. Each taking has a fence
larger than all before: the core refuses an order under an older one (STALE_FENCE), so that who
stood still past the end of a lock neither unlocks nor acts for the new holder.

With a Redis URL the lock is there, under the key and with the time to live that older programs
know, and the core is told who won (its fences come from one place, its own); without one it is in
the core alone. A Redis that can't be asked locks everybody out: nobody acts unlocked.

A lock of a process that is no more is nobody's: in Redis its value names the process, and a
worker of the same system takes it at once. In the core alone nobody but the worker of a client's
share takes its lock: who follows another supersedes what is left of it, once for each client.
"""

from __future__ import annotations

import secrets
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from fondaco.core.records import Command, Event
from fondaco.link.answers import LinkError, Unanswered
from fondaco.robots import lease
from fondaco.robots.hub.words import command, place_of

__all__ = [
    "KEY",
    "REDIS_URL",
    "TTL_US",
    "Held",
    "Keys",
    "Locks",
    "Many",
    "NoKeys",
    "RedisKeys",
    "key_of",
    "make_keys",
]

REDIS_URL: Final = "FONDACO_REDIS_URL"
KEY: Final = "CRYPTO_ROBOT_OPERATION_HUB_CLIENT_LOCK_"
TTL_US: Final = 60_000_000
TOKEN: Final = struct.Struct("<2q")
_FENCE_AT: Final = place_of(Event.ROBOT, "fence")
RELEASE: Final = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)


def key_of(robot: str) -> str:
    """Return where Redis has the lock of a client."""
    return KEY + robot


class Many(Protocol):
    """The part of link.blocking.BlockingClient that is used here."""

    def submit_many(self, records: Sequence[bytes]) -> list[bytes | LinkError]: ...


class Keys(Protocol):
    """Where locks are beside the core: nowhere, or in Redis."""

    force: int

    def take(self, values: Mapping[str, str]) -> set[str]:
        """Return which of the clients are ours now: (client id -> value)."""
        ...

    def release(self, values: Mapping[str, str]) -> None: ...

    def void(self, robot: str) -> None:
        """Take a client's lock away, whoever has it. Raises Unanswered."""
        ...


class NoKeys:
    """The core's lock alone."""

    force = 0

    def take(self, values: Mapping[str, str]) -> set[str]:
        return set(values)

    def release(self, values: Mapping[str, str]) -> None:
        pass

    def void(self, robot: str) -> None:
        pass


class RedisKeys:
    """One key a client, taken by SET NX PX and given back only by its own value."""

    force = 1  # who won here has it in the core, too

    def __init__(self, url: str, *, ttl_us: int = TTL_US) -> None:
        import redis

        self._redis = redis.Redis.from_url(
            url, socket_timeout=2.0, socket_connect_timeout=2.0, decode_responses=True
        )
        self._error = redis.RedisError
        self._late = redis.TimeoutError
        self._ttl_ms = ttl_us // 1000

    def take(self, values: Mapping[str, str]) -> set[str]:
        pipe = self._redis.pipeline(transaction=False)
        for robot, value in values.items():
            pipe.set(key_of(robot), value, nx=True, px=self._ttl_ms)
        try:
            found = pipe.execute()
        except self._error as error:
            print(f"fondaco: Redis: {error}", file=sys.stderr)  # noqa: T201
            if isinstance(error, self._late):
                self.release(values)  # it may have taken them, with nobody to hear of it
            return set()
        ours = {robot for robot, taken in zip(values, found, strict=True) if taken}
        left = {robot: value for robot, value in values.items() if robot not in ours}
        if left and self._free_of_the_gone(list(left)):
            ours |= self.take(left)
        return ours

    def _free_of_the_gone(self, robots: list[str]) -> bool:
        """Give back the locks whose holders are no more; tell whether there was one."""
        freed = False
        try:
            found = self._redis.mget([key_of(robot) for robot in robots])
            for robot, value in zip(robots, found, strict=True):
                owner = str(value or "").removeprefix(robot).rpartition(" ")[0]
                if lease.is_gone(owner):
                    self._redis.eval(RELEASE, 1, key_of(robot), str(value))
                    freed = True
        except self._error as error:
            print(f"fondaco: Redis: {error}", file=sys.stderr)  # noqa: T201
        return freed

    def release(self, values: Mapping[str, str]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for robot, value in values.items():
            pipe.eval(RELEASE, 1, key_of(robot), value)
        try:
            pipe.execute()
        except self._error as error:  # then they run out by themselves
            print(f"fondaco: Redis: {error}", file=sys.stderr)  # noqa: T201

    def void(self, robot: str) -> None:
        try:
            self._redis.delete(key_of(robot))
        except self._error as error:
            raise Unanswered(f"Redis did not answer, so {robot} may be locked there") from error


def make_keys(redis_url: str) -> Keys:
    """Return where the locks are: in Redis by its URL, in the core alone without one."""
    return RedisKeys(redis_url) if redis_url else NoKeys()


class Held(NamedTuple):
    """A lock that is ours."""

    account: int
    robot: str
    fence: int
    value: str


class Locks:
    """The locks that one worker takes."""

    def __init__(
        self, core: Many, keys: Keys, *, ttl_us: int = TTL_US, succeeds: bool = False
    ) -> None:
        """Prepare; `succeeds`: whoever had these clients before us is gone, or has lost them."""
        self._core = core
        self._keys = keys
        self._ttl_us = ttl_us
        self._owner = lease.new_owner()
        self._succeeds = succeeds
        self._ours: set[int] = set()  # accounts whose last lock was surely ours

    def begin_anew(self) -> None:
        """Count on locks that others have left: clients of theirs are ours now."""
        self._ours.clear()

    def take(self, clients: Mapping[int, str]) -> dict[int, Held]:
        """Return the locks that were free and are ours now, by account; (account -> client id)."""
        tokens = {robot: secrets.token_hex(16) for robot in clients.values()}
        values = {robot: f"{robot}{self._owner} {token}" for robot, token in tokens.items()}
        ours = self._keys.take(values)
        asked = [(account, robot) for account, robot in clients.items() if robot in ours]
        answers = self._core.submit_many(
            [self._command(account, tokens[robot]) for account, robot in asked]
        )
        found = {}
        for (account, robot), answer in zip(asked, answers, strict=True):
            fence = 0 if isinstance(answer, LinkError) else _fence(answer)
            if fence:
                found[account] = Held(account, robot, fence, values[robot])
                self._ours.add(account)
            else:
                self._keys.release({robot: values[robot]})
                if isinstance(answer, LinkError):  # it may be ours, under a token we don't have
                    self._ours.discard(account)
        return found

    def release(self, held: Sequence[Held]) -> None:
        """Give locks back; one that is another's by now stays theirs."""
        answers = self._core.submit_many(
            [command(Command.UNLOCK_ROBOT, each.account, {"fence": each.fence}) for each in held]
        )
        for each, answer in zip(held, answers, strict=True):
            if isinstance(answer, LinkError):  # it may stand: the next taking supersedes it
                self._ours.discard(each.account)
        if held:
            self._keys.release({each.robot: each.value for each in held})

    def _command(self, account: int, token: str) -> bytes:
        owner = TOKEN.unpack(bytes.fromhex(token))
        supersedes = self._succeeds and account not in self._ours
        force = self._keys.force | int(supersedes)
        words = {"owner_0": owner[0], "owner_1": owner[1], "ttl_us": self._ttl_us, "force": force}
        return command(Command.LOCK_ROBOT, account, words)


def _fence(events: bytes) -> int:
    """Return the fence that a lock was given, 0 if it is another's."""
    told = memoryview(events).cast("q")
    at, end = 0, len(told)
    while at < end:
        if told[at] & 0xFFFF == Event.ROBOT:
            return told[at + _FENCE_AT]
        at += told[at] >> 35
    return 0

"""Processes that take one client's lock at the same moment, through the writer of a running house.

Run as a program with the writer's socket, the URL of Redis or "", the client's account and id, how
many takers and how many rounds. It prints three lines: how many had the lock in each round; the
same with a planted bug (Redis is asked first and told after, or the core gives the lock to whoever
asks); and how a process ended that took it as one of another system would, and was killed with it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

END = b"."


def race(locks: Any, account: int, robot: str, takers: int, rounds: int) -> list[int]:
    """Return how many of the takers had the lock in each round; `locks` makes one its own."""
    gates = [os.pipe() for _ in range(2 * rounds)]
    told_to, told_by = os.pipe()
    pids = []
    for _ in range(takers):
        pid = os.fork()
        if pid == 0:
            for _, opened in gates:
                os.close(opened)  # a gate opens as the last writer goes
            _take(locks, {account: robot}, [closed for closed, _ in gates], told_by)
        pids.append(pid)
    os.close(told_by)
    won = []
    for place in range(rounds):
        _hear(told_to, takers)
        os.close(gates[2 * place][1])
        won.append(_hear(told_to, takers).count(b"1"))
        os.close(gates[2 * place + 1][1])
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    assert not any(statuses), statuses
    return won


def _hear(told_to: int, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = os.read(told_to, count - len(found))
        assert part, "a taker ended before its time"
        found += part
    return found


def _take(make: Any, client: Mapping[int, str], gates: list[int], told_by: int) -> NoReturn:
    """Take the lock as each gate opens; it is given back only when all have tried."""
    status = 1
    try:
        locks = make()
        while gates:
            os.write(told_by, END)
            os.read(gates.pop(0), 1)
            held = locks.take(client)
            os.write(told_by, b"1" if held else b"0")
            os.read(gates.pop(0), 1)
            locks.release(list(held.values()))
        status = 0
    finally:
        os._exit(status)


def killed(locks: Any, account: int, robot: str) -> int:
    """Have a process take the lock and be killed while it holds it; return its status."""
    from fondaco.robots import lease

    pid = os.fork()
    if pid == 0:
        try:
            lease._system = lambda: "another system"
            if locks().take({account: robot}):
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(writer: str, url: str, account: int, robot: str, takers: int, rounds: int) -> None:
    import django

    django.setup()
    from fondaco.link.blocking import BlockingClient
    from fondaco.robots.hub.locks import TTL_US, Keys, Locks, NoKeys, RedisKeys, key_of, make_keys

    class Forced(NoKeys):
        force = 1

    class Careless(RedisKeys):
        def take(self, values: Mapping[str, str]) -> set[str]:
            free = {robot for robot in values if self._redis.get(key_of(robot)) is None}
            for each in free:
                self._redis.set(key_of(each), values[each], px=TTL_US // 1000)
            return free

    def locks(keys: Keys | None = None) -> Locks:
        keys = keys or make_keys(url)
        if isinstance(keys, RedisKeys):
            keys._redis.ping()
        client = BlockingClient(writer, role="taker")
        client.wait_until_connected(10.0)
        return Locks(client, keys)

    def careless() -> Locks:
        return locks(Careless(url) if url else Forced())

    if url:
        importlib.import_module("redis")  # now, and not in each of the takers
    print(*race(locks, account, robot, takers, rounds))
    print(*race(careless, account, robot, takers, rounds))
    print(killed(locks, account, robot))


if __name__ == "__main__":
    WRITER, URL, ACCOUNT, ROBOT, TAKERS, ROUNDS = sys.argv[1:]
    main(WRITER, URL, int(ACCOUNT), ROBOT, int(TAKERS), int(ROUNDS))

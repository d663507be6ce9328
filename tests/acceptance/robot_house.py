"""A running house with robots, for S0: its market, its clients, and a way to wait for decisions.

Promises: prices are set by ann and bob on the public API; every client is a member's robot with an
allotment; the clock is the test clock, so that days pass without waiting. What is asked for is
polled for, never slept for.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fondaco.link.address import writer_socket
from fondaco.link.blocking import BlockingClient
from tests.house_fixture import Reply, RunningHouse, open_house

__all__ = ["ALL", "SETTINGS", "RobotHouse", "robot", "robot_house"]

WAIT_S: Final = 60.0
JSON: Final = {"Content-Type": "application/json"}
# A slow machine makes no signal too late: what is late is tested in tests/robots.
SETTINGS: Final = (
    'rate_limits = false\nopen_api = true\ncash = "USDT"\nclock = "test"\nsignal_age_s_max = 0'
)
CONFIG: Final[dict[str, Any]] = {"buy_on": "STRONG_BUY", "sell_on": "SELL", "symbols": ["BTC"]}
ALL: Final = {"USDT": "1000"}


def robot(name: str, allotment: dict[str, str] | None = None, **fields: Any) -> str:
    """Return the lines of the house file for one robot; its config beside the switches."""
    words = ("active", "locked", "locked_until", "mode")
    own = {key: fields.pop(key) for key in words if key in fields}
    config = {**CONFIG, **fields}
    lines = [f"id = {json.dumps(name)}"]
    lines += [
        f"{key} = {value if key == 'locked_until' else json.dumps(value)}"
        for key, value in own.items()
    ]
    for key, value in (("config", config), ("allotment", allotment or ALL)):
        pairs = ", ".join(f"{word} = {json.dumps(each)}" for word, each in value.items())
        lines.append(f"{key} = {{ {pairs} }}")
    return "\n[[members.robots]]\n" + "\n".join(lines) + "\n"


class RobotHouse:
    """The house with what S0's tests do to it."""

    def __init__(self, house: RunningHouse) -> None:
        self.house = house
        self._signals = 0

    # ---- the market

    def quote(self, bid: str, ask: str, quantity: str = "5") -> None:
        """Leave one bid and one ask of ann's, and nothing else."""
        house = self.house
        house.signed(house.ann, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
        for side, price in (("BUY", bid), ("SELL", ask)):
            self.order(side, price, quantity)

    def order(self, side: str, price: str, quantity: str, who: Any = None) -> None:
        reply = self.house.signed(
            who or self.house.ann,
            "POST",
            "/api/v3/order",
            symbol="BTCUSDT",
            side=side,
            type="LIMIT",
            timeInForce="GTC",
            quantity=quantity,
            price=price,
        )
        assert reply.status == 200, reply.body

    def trade(self, price: str) -> None:
        """Have the last trade be at a price."""
        house = self.house
        house.signed(house.ann, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
        self.order("SELL", price, "0.001")
        self.order("BUY", price, "0.001", who=house.bob)

    def advance(self, seconds: float) -> None:
        body = json.dumps({"advance_s": seconds}).encode()
        reply = self.house.request("POST", "/api/v1/test/clock", body=body, headers=JSON)
        assert reply.status == 200, reply.body

    def now_us(self) -> int:
        with self.writer() as writer:
            return int(writer.status()["time_us"])

    def advance_to(self, moment_us: int) -> None:
        self.advance((moment_us - self.now_us()) / 1_000_000)
        assert self.now_us() == moment_us

    def writer(self) -> BlockingClient:
        """Return a connection of a test's own to the writer."""
        return BlockingClient(writer_socket(self.house.data), role="test")

    @contextlib.contextmanager
    def stopped_worker(self) -> Iterator[int]:
        """Have the worker stand still, not in the middle of a write that others would wait for."""
        worker: int = self.until(lambda: self.house.child("worker"))

        def stands_aside() -> bool:
            os.kill(worker, signal.SIGSTOP)
            self.until(lambda: _state(worker) == "T")
            if self._can_write():
                return True
            os.kill(worker, signal.SIGCONT)
            return False

        try:
            self.until(stands_aside)
            yield worker
        finally:
            os.kill(worker, signal.SIGCONT)

    def _can_write(self) -> bool:
        """Tell whether nobody is writing into the office's file; PostgreSQL has many writers."""
        path = self.house.data / "office.sqlite3"
        if not path.exists():
            return True
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as office:
            try:
                office.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            office.execute("ROLLBACK")
        return True

    # ---- signals

    def send(self, summary: str, **fields: Any) -> int:
        """Send a signal of its own; return its id."""
        self._signals += 1
        minutes, seconds = divmod(self._signals, 60)
        body = {
            "summary": summary,
            "timestamp": f"20-07-2022 {minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}",
            **fields,
        }
        reply = self.post("/api/v1/signals/", body)
        assert reply.status == 202, reply.body
        number: int = reply.json["id"]
        return number

    def signal(self, summary: str, *clients: str, **fields: Any) -> dict[str, dict[str, Any]]:
        """Send a signal and return what was decided for each of the clients."""
        number = self.send(summary, **fields)
        return {client: self.decision(client, number) for client in clients}

    def decision(self, client: str, signal: int) -> dict[str, Any]:
        """Wait for what was decided for a client at a signal."""

        def look() -> dict[str, Any] | None:
            found = self.get(f"/api/v1/robots/clients/{client}/decisions/")
            return next((row for row in found if row["signal_id"] == signal), None)

        found: dict[str, Any] = self.until(look)
        return found

    def triggers(self, signal: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/v1/signals/{signal}/")["triggers"]
        return found

    # ---- clients

    def document(self, client: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/v1/robots/clients/{client}/")
        return found

    def operation(self, client: str, status: str | None) -> dict[str, Any]:
        """Wait until a client has one operation of that status, or none at all."""

        def look() -> dict[str, Any] | None:
            found = self.document(client)["active_operations"]
            if status is None:
                return None if found else {"done": True}
            return next((each for each in found if each["status"] == status), None)

        found: dict[str, Any] = self.until(look)
        return found

    # ---- asking

    def until(self, look: Any) -> Any:
        deadline = time.monotonic() + WAIT_S
        while True:
            found = look()
            if found:
                return found
            assert time.monotonic() < deadline, f"not in {WAIT_S} s\n{self.house.read_log()}"
            time.sleep(0.02)

    def get(self, path: str) -> Any:
        reply = self.house.get(path)
        assert reply.status == 200, (path, reply.body)
        return reply.json

    def post(self, path: str, body: object = None, method: str = "POST") -> Reply:
        raw = b"" if body is None else json.dumps(body).encode()
        return self.house.request(method, path, body=raw, headers=JSON)


def _state(pid: int) -> str:
    """Return a process's state as the system tells it: "T" stands still."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]


@contextlib.contextmanager
def robot_house(*robots: str, settings: str = SETTINGS) -> Iterator[RobotHouse]:
    """Run a house whose member bob has these robots."""
    with open_house(settings=settings, more="".join(robots)) as house:
        yield RobotHouse(house)

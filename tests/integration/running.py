"""A house in processes of its own, for tests: start it, wait for it, ask it, end it.

Every wait is on a condition with a deadline. What is left over is killed by its process group.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "tests-only-0f3b9d1c7a52e8460f3b9d1c7a52e846"
READY_S = 60.0
HOUSE = """
[house]
name = "Test"
cash = "USDT"
rate_limits = false

[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.00001"
max_open_orders = 0

[[members]]
username = "ann"
email = "ann@example.com"
password = "a-long-enough-password"
balances = { USDT = "1000000", BTC = "100" }

[[members.api_keys]]
key = "key-of-ann"
secret = "secret-of-ann"
order_limit_10s = 0
order_limit_1d = 0
weight_limit_1m = 0
"""


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Wait until the condition holds and return what it gave."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {within_s} s")


def environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FONDACO_", "DJANGO_"))}
    pure = {"FONDACO_PURE": os.environ["FONDACO_PURE"]} if "FONDACO_PURE" in os.environ else {}
    path = {"PYTHONPATH": str(ROOT / "src")}
    return {**kept, **pure, **path, "FONDACO_SECRET_KEY": SECRET, **changes}


def fondaco(*arguments: str, stdin: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "fondaco", *arguments],
        capture_output=True,
        input=stdin,
        text=True,
        timeout=READY_S,
        check=False,
        env=environment(**changes),
    )


def last_line(text: str) -> str:
    return text.rstrip().splitlines()[-1] if text.strip() else ""


class Running:
    """A started `fondaco` process and the port that it serves."""

    def __init__(
        self, folder: Path, *arguments: str, house: str = HOUSE, port: int = 0, **changes: str
    ) -> None:
        self.data = folder / "house"
        self.house_path = folder / "house.toml"
        self.house_path.write_text(house)
        self.port = port or free_port()
        self.errors = folder / "stderr.txt"
        self.output = folder / "stdout.txt"
        given = arguments or ("serve", "--house", str(self.house_path))
        with self.errors.open("ab") as errors, self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "fondaco", *given),
                    *("--data", str(self.data), "--port", str(self.port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment(**changes),
                start_new_session=True,
            )

    # ---- processes

    def children(self) -> dict[str, int]:
        """Return the pid of each role; of several edges the last."""
        return {role: pid for pid, role in self.roles().items()}

    def roles(self) -> dict[int, str]:
        """Return the role of each child by its pid."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if not entry.name.isdigit():
                    continue
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if str(self.data).encode() in words and b"--role" in words:
                    role = words[words.index(b"--role") + 1].decode()
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    if state != "Z":
                        found[int(entry.name)] = role
        return found

    def kill(self, role: str) -> int:
        """kill -9 a role, and return its pid once another one has taken its place."""
        pid = self.children()[role]
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.children().get(role, pid) != pid, READY_S, f"another {role}")
        return pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the parent and return its status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def end(self) -> None:
        """Leave nothing running."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=15)
        until(lambda: not self.children(), READY_S, "no child left")

    def said(self) -> str:
        return self.errors.read_text(errors="replace")

    # ---- HTTP

    def get(self, path: str) -> tuple[int, Any]:
        return self.request("GET", path)

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str = ""
    ) -> tuple[int, Any]:
        """Return status and body (JSON if it is); status 0 if there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content

    def signed(
        self,
        method: str,
        path: str,
        credentials: tuple[str, str] = ("key-of-ann", "secret-of-ann"),
        **parameters: Any,
    ) -> tuple[int, Any]:
        """Ask as ann, or with another key and its secret."""
        key, secret = credentials
        now_ms = time.time_ns() // 1_000_000
        query = urlencode({**parameters, "timestamp": now_ms, "recvWindow": 60000})
        mark = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": key}
        return self.request(method, f"{path}?{query}&signature={mark}", headers)

    def place(self, client_order_id: str, price: str = "100.00") -> tuple[int, Any]:
        """Place a small resting order."""
        return self.signed(
            "POST",
            "/api/v3/order",
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.001",
            price=price,
            newClientOrderId=client_order_id,
        )

    def until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.said()
            return self.get("/health/ready")[0] == 200

        until(ready, READY_S, "ready")


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **options: Any) -> Iterator[Running]:
    """A house that is ended whatever happens."""
    house = Running(folder, *arguments, **options)
    try:
        yield house
    finally:
        house.end()

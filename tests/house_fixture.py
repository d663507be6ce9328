"""A real house in processes of its own, for tests that go through its doors.

    with open_house() as house:
        house.get("/api/v3/time")

Promises: a fresh data directory and a free port each time, a house file that names its members'
keys, ready before it is handed over, all its processes ended after. The fixture `house` is one
house for a module's tests. Not a simulation: sockets, processes and syncs are real.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from fondaco.link.address import writer_socket
from fondaco.link.blocking import BlockingClient

__all__ = ["HOUSE_FILE", "Credentials", "RunningHouse", "free_port", "house", "open_house"]

ROOT: Final = Path(__file__).resolve().parent.parent
READY_S: Final = 60.0
END_S: Final = 15.0
SECRET_KEY: Final = "a key for the houses of tests, longer than 32 bytes"

HOUSE_FILE: Final = """
[house]
name = "Test house"
base_url = "http://127.0.0.1:{port}"
{settings}
[[assets]]
code = "USDT"
decimals = 8

[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.00001"
min_notional = "5"
maker_fee = "0.001"
taker_fee = "0.001"

[[instruments]]
symbol = "ETHUSDT"
base = "ETH"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.0001"
min_notional = "5"
maker_fee = "0.001"
taker_fee = "0.001"

[[members]]
username = "ann"
email = "ann@example.com"
password = "ann-s long password"
roles = ["member", "admin"]
membership_until = "2099-12-31"
balances = {{ USDT = "1000000", BTC = "100", ETH = "1000" }}
[[members.api_keys]]
key = "{ann}"
secret = "ann-secret"
order_limit_10s = 0
[[members.api_keys]]
key = "{ann_reader}"
secret = "ann-reader-secret"
scopes = ["read"]

[[members]]
username = "bob"
email = "bob@example.com"
password = "bob-s long password"
membership_until = "2099-12-31"
balances = {{ USDT = "1000000", BTC = "100", ETH = "1000" }}
[[members.api_keys]]
key = "{bob}"
secret = "bob-secret"
order_limit_10s = 0
"""


class Credentials(NamedTuple):
    key: str
    secret: str


ANN: Final = Credentials("annKey" + "0" * 58, "ann-secret")
ANN_READER: Final = Credentials("annReader" + "0" * 55, "ann-reader-secret")
BOB: Final = Credentials("bobKey" + "0" * 58, "bob-secret")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RunningHouse:
    """One house. `ann` and `bob` trade, `ann_reader` only reads."""

    ann = ANN
    ann_reader = ANN_READER
    bob = BOB

    def __init__(self, folder: Path, file_text: str, port: int) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = port
        self.house_file = folder / "house.toml"
        self.house_file.write_text(file_text, encoding="utf-8")
        self.log = folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    # ---- its life

    def start(self, *, ready: bool = True) -> None:
        """Start `fondaco serve`, and wait until it is ready."""
        environment = {**os.environ, "FONDACO_SECRET_KEY": SECRET_KEY}
        environment.pop("FONDACO_DATA", None)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fondaco", "serve", "--house", str(self.house_file)),
                    *("--data", str(self.data), "--port", str(self.port)),
                ],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        assert self.process is not None
        deadline = time.monotonic() + timeout_s
        last = "no answer"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(
                    f"the house ended with {self.process.returncode}:\n{self.read_log()}"
                )
            with contextlib.suppress(OSError):
                reply = self.get("/health/ready")
                if reply.status == 200:
                    return
                last = reply.body.decode("utf-8", "replace")
            time.sleep(0.05)
        raise AssertionError(f"not ready after {timeout_s} s: {last}\n{self.read_log()}")

    def stop(self) -> int:
        """End it as an operator does; return its status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_S)

    def kill(self) -> None:
        """Kill every process of it at once, without a word."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(END_S)

    def child(self, role: str) -> int:
        """Return the process id of its first child of a role, or 0."""
        assert self.process is not None
        listed = subprocess.run(
            ["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for line in listed.splitlines():
            number, _, arguments = line.strip().partition(" ")
            if f"--role {role}" in arguments and "<defunct>" not in arguments:
                return int(number)
        return 0

    @contextlib.contextmanager
    def another_worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a second worker beside the house's own, at the writer before it is handed over."""
        before = self.peers().count("worker")
        with self.log.open("ab") as log:
            second = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fondaco", "serve", "--role", "worker"),
                    *("--house", str(self.house_file), "--data", str(self.data)),
                ],
                cwd=ROOT,
                env={**os.environ, "FONDACO_SECRET_KEY": SECRET_KEY},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + READY_S
            while self.peers().count("worker") <= before:
                assert second.poll() is None, self.read_log()
                assert time.monotonic() < deadline, self.read_log()
                time.sleep(0.05)
            yield second
        finally:
            if second.poll() != -signal.SIGKILL:  # a test may have killed it
                second.terminate()
                assert second.wait(2 * END_S) == 0

    def peers(self) -> list[str]:
        """Return the roles of those who are connected to the writer."""
        with BlockingClient(writer_socket(self.data), role="test") as client:
            return list(client.status()["roles"])

    def read_log(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    # ---- asking

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        asked = urllib.request.Request(
            self.url + path, data=body, headers=headers or {}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def get(self, path: str, **parameters: object) -> Reply:
        """Ask something public."""
        query = urllib.parse.urlencode(parameters)
        return self.request("GET", f"{path}?{query}" if query else path)

    def signed(
        self,
        who: Credentials,
        method: str,
        path: str,
        *,
        in_body: bool = False,
        **parameters: object,
    ) -> Reply:
        """Ask with a key and a signature."""
        parameters.setdefault("timestamp", time.time_ns() // 1_000_000)
        payload = urllib.parse.urlencode(parameters)
        signature = hmac.new(who.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        payload = f"{payload}&signature={signature}"
        headers = {"X-MBX-APIKEY": who.key}
        if in_body:
            return self.request(method, path, body=payload.encode(), headers=headers)
        return self.request(method, f"{path}?{payload}", headers=headers)


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


PREPARE: Final = """
import django
django.setup()
from fondaco.office import services
services.prepare_databases()
"""


@functools.cache
def _empty_tables() -> Path:
    """Make, once a run, a data directory with empty tables: a third of what a first start costs.

    Tests of the start itself begin with a RunningHouse of their own and no directory.
    """
    folder = Path(tempfile.mkdtemp(prefix="fondaco-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(
        [
            sys.executable,
            "-c",
            PREPARE,
        ],
        check=True,
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "fondaco.office.settings",
            "FONDACO_DATA": str(folder),
            "FONDACO_SECRET_KEY": SECRET_KEY,
        },
    )
    return folder


@contextlib.contextmanager
def open_house(
    *, settings: str = "rate_limits = false", more: str = "", file_text: str = HOUSE_FILE
) -> Iterator[RunningHouse]:
    """Run a house while the `with` lasts.

    `settings` are lines of [house], `more` is put after the file; `file_text` replaces it (with
    {port}, {settings} and the keys' names to be filled in).
    """
    folder = Path(tempfile.mkdtemp(prefix="fondaco-house-"))
    port = free_port()
    text = file_text.format(
        port=port, settings=settings, ann=ANN.key, ann_reader=ANN_READER.key, bob=BOB.key
    )
    running = RunningHouse(folder, text + more, port)
    try:
        if "FONDACO_DATABASE_URL" not in os.environ:
            shutil.copytree(_empty_tables(), running.data)
        running.start()
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            try:
                running.stop()
            except subprocess.TimeoutExpired:
                running.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """One house for the tests of a module."""
    with open_house() as running:
        yield running

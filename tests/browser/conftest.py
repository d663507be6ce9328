"""A running demo house and a browser in front of it, for the tests of the page.

Promises: one house for the tests of a file, on a free port, in a folder of its own, ended after
them; a fresh browser context for every test, signed in as the practice member; what the page
wrote to the console and asked of other hosts is kept, and fails the test that caused it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute

import fondaco

DEMO_HOUSE = Path(fondaco.__file__).parent / "cli" / "demo.toml"
READY_S_MAX = 120.0
STOP_S_MAX = 15.0


@dataclass(frozen=True)
class House:
    """A running house, and what one needs to enter it."""

    base_url: str
    pid: int
    username: str
    password: str

    def children(self, role: str) -> list[int]:
        """Return the process ids of this house's children that serve a role."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError):  # it ended while we looked
                continue
            if parent == self.pid and role.encode() in words:
                found.append(int(folder.name))
        return found


@dataclass
class Visit:
    """A page of one test, with all it complained about."""

    page: Page
    house: House
    complaints: list[str] = field(default_factory=list)

    def state(self) -> str | None:
        """Return what the connection badge says: live, reconnecting, ..."""
        return self.page.get_by_test_id("connection").get_attribute("data-state")

    def wait_live(self, seconds: float = 30) -> None:
        """Wait until the page itself says that it is live."""
        self.page.wait_for_selector(
            '[data-testid="connection"][data-state="live"]', timeout=seconds * 1000
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_ready(base_url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the house ended:\n{log.read_text()[-4000:]}"
        try:
            with urllib.request.urlopen(f"{base_url}/health/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    pytest.fail(f"the house was not ready in {READY_S_MAX} s:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve the demo house until the tests of this file are over: its market never rests."""
    folder = tmp_path_factory.mktemp("house")
    log = folder / "house.log"
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "fondaco", "demo", "--data", str(folder / "data")]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"FONDACO_DATA", "FONDACO_SECRET_KEY", "DJANGO_SETTINGS_MODULE"}
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=output, stderr=output, env=environment
        )
    try:
        wait_ready(base_url, process, log)
        member = tomllib.loads(DEMO_HOUSE.read_text())["members"][0]
        yield House(base_url, process.pid, member["username"], member["password"])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@pytest.fixture(scope="module")
def signed_in(house: House, browser: Browser) -> dict[str, object]:
    """Sign in once by the form and keep the cookies for every test."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{house.base_url}/login?next=/trade/")
    page.fill('input[name="username"]', house.username)
    page.fill('input[name="password"]', house.password)
    page.press('input[name="password"]', "Enter")
    page.wait_for_url("**/trade/")
    kept = dict(context.storage_state())
    context.close()
    return kept


@pytest.fixture
def visit(
    house: House, browser: Browser, signed_in: dict[str, object]
) -> Iterator[Callable[..., Visit]]:
    """Open the terminal at a width; at the end nobody may have complained."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def opened(
        width: int = 1440,
        height: int = 900,
        scheme: str = "dark",
        between: Callable[[WebSocketRoute], None] | None = None,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="light" if scheme == "light" else "dark",
            storage_state=signed_in,  # type: ignore[arg-type] # what Playwright itself gave
        )
        contexts.append(context)
        made = Visit(context.new_page(), house)
        visits.append(made)
        watch(made)
        if between is not None:
            made.page.route_web_socket("**/stream", between)
        made.page.goto(f"{house.base_url}/trade/?symbol=BTCUSDT")
        made.wait_live()
        return made

    yield opened
    complaints = [complaint for each in visits for complaint in each.complaints]
    for context in contexts:
        context.close()
    assert complaints == []


def watch(visit: Visit) -> None:
    """Keep what a page logs as an error, throws, or asks of any other host."""
    visit.page.on(
        "console",
        lambda said: visit.complaints.append(said.text) if said.type == "error" else None,
    )
    visit.page.on("pageerror", lambda fault: visit.complaints.append(str(fault)))
    visit.page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((visit.house.base_url, "data:", "blob:"))
            else visit.complaints.append(f"asked another host: {asked.url}")
        ),
    )

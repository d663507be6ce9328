"""The README's examples, taken out of it and run against a demo house as it says."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROBOTS = (ROOT / "docs" / "robots.md").read_text(encoding="utf-8")
START_S_MAX = 120  # on a busy machine
EXAMPLE_S_MAX = 120


def example(language: str, mark: str, page: str = README) -> str:
    """Return the code block of a language that holds the mark."""
    blocks = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    [found] = [block for block in blocks if mark in block]
    return str(found)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def has_a_market(base: str) -> bool:
    """Return whether the house answers and its first book has both sides."""
    try:
        with urllib.request.urlopen(f"{base}/api/v3/depth?symbol=BTCUSDT", timeout=2) as answer:
            depth = json.load(answer)
    except OSError:
        return False
    return len(depth["bids"]) > 10 and len(depth["asks"]) > 10


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running demo house; its address."""
    port = free_port()
    folder = tmp_path_factory.mktemp("demo")
    said = (folder / "said.txt").open("w")
    house = subprocess.Popen(
        [
            sys.executable, "-m", "fondaco", "demo",
            "--port", str(port), "--data", str(folder / "data"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        cwd=ROOT,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + START_S_MAX
        while not has_a_market(f"http://127.0.0.1:{port}"):
            assert house.poll() is None, Path(said.name).read_text(encoding="utf-8")
            assert time.monotonic() < deadline, Path(said.name).read_text(encoding="utf-8")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        house.terminate()
        status = house.wait(timeout=20)
        said.close()
    assert status == 0


def shell(mark: str, base: str, page: str = README, first: str = "") -> str:
    """Run the shell example that holds the mark against this house; return what it printed."""
    script = first + example("sh", mark, page).replace("http://127.0.0.1:8000", base)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=EXAMPLE_S_MAX,
    )
    return done.stdout


@pytest.mark.needs("curl", "openssl")
def test_the_curl_example_buys(base: str) -> None:
    """The curl example's market order is filled for about 100 USDT."""
    said = shell("openssl", base)
    order = json.loads(said)
    assert order["status"] == "FILLED", order
    assert 95 < float(order["cummulativeQuoteQty"]) <= 100


@pytest.mark.needs("curl")
def test_the_token_example_shows_the_robots(base: str) -> None:
    """The token of the README reads both robots of the demo."""
    said = shell("Bearer", base)
    robots = {each["id"] for each in json.loads(said)["robots"]}
    assert robots == {"follows-the-ratings", "trades-the-bands"}


@pytest.mark.needs("curl")
def test_the_robots_example_opens_changes_and_ends_one(base: str) -> None:
    """docs/robots.md: a signal robot on paper, by the README's token; nothing of it is left."""
    token = example("sh", "Bearer").splitlines()[0] + "\n"
    opened, changed, shown = (
        json.loads(line) for line in shell("follower", base, ROBOTS, token).split("\n") if line
    )
    assert (opened["mode"], opened["allotment"]) == ("paper", {"USD": "5000"})
    assert (changed["config"]["day_stop_loss"], changed["config"]["orders_day_max"]) == ("100", 20)
    assert shown["config"] == changed["config"]
    assert "follower" not in shell("Bearer", base)


@pytest.mark.needs("curl")
def test_the_backtest_example_runs(base: str) -> None:
    """docs/robots.md: a signal robot on the demo's own past, rated as the demo rates it."""
    before = [*example("sh", "Bearer").splitlines()[:1]]
    before += example("sh", "follower", ROBOTS).splitlines()[:2]
    first = "\n".join([*before, ""]).replace("http://127.0.0.1:8000", base)
    said = shell("$HOUSE/backtests/", base, ROBOTS, first)
    asked, shown = (json.loads(line) for line in said.split("\n") if line)
    assert (asked["number"], asked["kind"], shown["number"]) == (1, "signal", 1)
    again = f"{first}ask $HOUSE/backtests/1/"
    deadline = time.monotonic() + EXAMPLE_S_MAX
    while shown["state"] in {"waiting", "running"}:
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
        done = subprocess.run(["bash", "-c", again], capture_output=True, check=True)
        shown = json.loads(done.stdout)
    assert (shown["fault"], shown["state"]) == ("", "done")
    assert shown["result"]["decisions"]


@pytest.mark.needs("curl")
def test_the_purchase_example_buys_outside(base: str) -> None:
    """S3: the older system's own bodies are taken by the demo, and the venue fills the order."""
    said = shell("api/customer", base)
    customer, end = json.JSONDecoder().raw_decode(said)
    assert customer == {"id": 5, "name": "farbod", "balance": "100.00"}  # as the README says
    order, _ = json.JSONDecoder().raw_decode(said[end:])
    assert order == {"message": "Purchase order registered successfully."}
    deadline = time.monotonic() + EXAMPLE_S_MAX
    status = ""
    while status != "CONFIRMED":
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
        with urllib.request.urlopen(f"{base}/api/v1/venues/outside/orders/") as answer:
            status = next((each["status"] for each in json.load(answer)), "none")


def test_the_ccxt_example_places_and_cancels(base: str) -> None:
    """The ccxt example rests an order, shows it, cancels it, and shows the balance."""
    script = example("python", "import ccxt").replace("http://127.0.0.1:8000", base)
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=EXAMPLE_S_MAX,
    )
    assert done.returncode == 0, done.stderr
    orders, balance = done.stdout.strip().splitlines()
    assert "'price': 50000.0" in orders
    assert "'used': 0.0" in balance

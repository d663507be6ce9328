"""The older system's own curl and JSON examples, run against the demo as they are written."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.house_fixture import ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.needs("curl")]

START_S = 120
STOCK = "c5165fef-bb13-4913-b92a-0eef45b3d53e"
EXAMPLES = {
    "user": "curl -X GET http://localhost:8000/api/users/1/",
    "stock": f"curl -X GET http://localhost:8080/api/stocks/{STOCK}/",
}
RANGE = (
    f"http://localhost:8000/api/stocks/{STOCK}?from_date=2022-12-05 00:00:00"
    "&to_date=2022-12-06 00:00:00"
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A demo whose stream has told of every stock."""
    number = free_port()
    folder = tmp_path_factory.mktemp("demo")
    with (folder / "said").open("w") as said:
        demo = subprocess.Popen(
            [
                *(sys.executable, "-m", "fondaco", "demo"),
                *("--port", str(number), "--data", str(folder / "data")),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            deadline = time.monotonic() + START_S
            while not _is_quoted(number):
                assert demo.poll() is None, Path(said.name).read_text(encoding="utf-8")
                assert time.monotonic() < deadline, Path(said.name).read_text(encoding="utf-8")
                time.sleep(0.1)
            yield number
        finally:
            demo.terminate()
            assert demo.wait(timeout=20) == 0


def _is_quoted(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/stocks/", timeout=5) as answer:
            found = json.load(answer)
    except OSError:
        return False
    return any(each["stock_id"] == STOCK and each["highest_price"] for each in found)


def curl(command: str, port: int) -> Any:
    """Run a curl line; only the port is another than written."""
    for written in ("localhost:8000", "localhost:8080"):
        command = command.replace(written, f"localhost:{port}")
    done = subprocess.run(
        [*shlex.split(command), "--silent", "--show-error", "--fail-with-body"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    return json.loads(done.stdout)


def post(path: str, body: dict[str, Any], port: int) -> Any:
    line = f"curl -X POST http://localhost:8000{path} -H 'Content-Type: application/json'"
    return curl(f"{line} -d {shlex.quote(json.dumps(body))}", port)


def test_the_curl_examples_answer_with_their_fields(port: int) -> None:
    """Each line gives the fields of the sample reply below it, of the same kinds."""
    user = curl(EXAMPLES["user"], port)
    assert set(user) == {"username", "email", "balance", "stocks", "recent_transactions"}
    assert isinstance(user["balance"], float)
    stock = curl(EXAMPLES["stock"], port)
    assert set(stock) == {
        *("stock_id", "name", "highest_price", "lowest_price", "average_price"),
        *("recent_data", "transactions"),
    }
    assert (stock["stock_id"], stock["name"]) == (STOCK, "CIB")
    assert stock["lowest_price"] <= stock["average_price"] <= stock["highest_price"]
    assert set(stock["recent_data"][0]) == {"price", "availability", "timestamp"}
    assert stock["recent_data"][0]["timestamp"].endswith("Z")


def test_the_range_example_answers(port: int) -> None:
    """The address with spaces in its dates, as a browser sends it, gives nulls of an empty day."""
    found = curl(f"curl '{RANGE.replace(' ', '%20')}'", port)
    assert found["highest_price"] is found["average_price"] is None
    assert found["recent_data"] == found["transactions"] == []


def test_a_user_buys_what_the_demos_stream_moves(port: int) -> None:
    """The older system's way from nothing to shares: a user, a deposit, an order, a fill."""
    made = post(
        "/api/users/",
        {"username": "eslam", "email": "es@gmail.com", "password": "pass", "balance": 1000},
        port,
    )
    one = f"/api/users/{made['id']}"
    assert post(f"{one}/deposit/", {"amount": 100}, port)["balance"] == 1100.0
    asked = {"stock_id": STOCK, "total": 3, "lower_bound": 1, "upper_bound": 300}
    placed = post(f"{one}/buy/", asked, port)
    assert placed == {"message": "your order is being placed"}
    deadline = time.monotonic() + START_S
    while not (user := curl(f"curl http://localhost:8000{one}/", port))["stocks"]:
        assert time.monotonic() < deadline, user
        time.sleep(0.1)
    assert user["recent_transactions"][0]["type"] == "Buy"
    shown = curl(EXAMPLES["stock"], port)["transactions"]
    assert "eslam" in {each["user"] for each in shown}


def test_a_person_can_send_the_form_of_a_route(port: int) -> None:
    """In a browser a route is a page with its form, without anything inline."""
    asked = urllib.request.Request(
        f"http://localhost:{port}/api/users/1/deposit/", headers={"Accept": "text/html"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            page = answer.read().decode()
    except urllib.error.HTTPError as error:
        page = error.read().decode()
    assert 'name="amount"' in page
    assert "<form" in page
    assert " style=" not in page

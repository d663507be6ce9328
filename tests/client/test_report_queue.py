"""The report queue: nothing acknowledged is lost, nothing is sent twice for good."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817 - a letter for a table
from pathlib import Path
from typing import Any

import httpx
import pytest

from fondaco_client import (
    AsyncReportQueue,
    Client,
    Report,
    ReportQueue,
    ReportsUndelivered,
    Retrying,
)
from fondaco_client.frames import candles_frame, reports_frame, trades_frame
from fondaco_client.shapes import Candle, Trade

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
WAIT_S = 60


def report(minute: int, wallet: str = "100.5") -> Report:
    return Report.of(
        symbol="XBTUSD",
        last_price="64231.5",
        margin_balance="101",
        wallet_balance=wallet,
        created_at=NOON + dt.timedelta(minutes=minute),
    )


class House:
    """The ingest route as the house answers it; `stored` is what got a 201, by time."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, str]] = {}
        self.requests = 0
        self.refuses: set[str] = set()
        self.faults: list[int | type[Exception]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert self.gate.wait(WAIT_S)
        self.requests += 1
        words = json.loads(request.content)["data"]
        if words.pop("strategy_access_token") != "good":
            return httpx.Response(404, json={"status": False, "error": "unknown or revoked"})
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, int):
            return httpx.Response(fault, json={"status": False, "error": "send it again"})
        if words["created_at"] in self.refuses:
            return httpx.Response(422, json={"status": False, "error": "symbol is too long"})
        self.stored.setdefault(words["created_at"], words)
        if fault is not None:
            raise httpx.ReadError("planted: stored, and the answer was lost", request=request)
        return httpx.Response(201, json={"status": True})


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with Client(
        strategy_token="good",
        retrying=Retrying(tries_max=2, first_pause_s=0),
        transport=httpx.MockTransport(house),
    ) as client:
        yield client


def stamps(house: House) -> list[str]:
    return list(house.stored)


def test_all_that_was_put_is_stored_once_in_order(house: House, client: Client) -> None:
    """Through overload, lost answers and broken connections each report is there once."""
    house.faults = [503, httpx.ReadError, 500, httpx.ReadError, httpx.ReadError, 429, 503, 503]
    with ReportQueue(client, pause_s=0) as queue:
        for minute in range(20):
            queue.put(report(minute))
        queue.flush(WAIT_S)
        assert queue.waiting == 0
    assert stamps(house) == [report(minute).words()["created_at"] for minute in range(20)]
    assert house.requests > 20
    assert house.faults == []


def test_a_full_queue_makes_its_filler_wait(house: House, client: Client) -> None:
    """put() holds back while as many wait as may, and goes on when there is room."""
    house.gate.clear()
    with ReportQueue(client, waiting_max=2) as queue:
        queue.put(report(1), report(2))
        with pytest.raises(TimeoutError, match="full"):
            queue.put(report(3), timeout_s=0)
        house.gate.set()
        queue.put(report(3), timeout_s=WAIT_S)
    assert len(house.stored) == 3


def test_a_file_outlives_the_program(house: House, client: Client, tmp_path: Path) -> None:
    """What a first queue couldn't deliver, a second one on the same file does."""
    path = tmp_path / "reports.db"
    house.faults = [503] * 1_000_000
    first = ReportQueue(client, path, pause_s=0)
    first.put(report(1), report(2))
    with pytest.raises(ReportsUndelivered) as left:
        first.close(timeout_s=0.05)
    assert left.value.count == 2
    assert b"good" not in path.read_bytes()
    house.faults = []
    with ReportQueue(client, path) as second:
        second.flush(WAIT_S)
    assert len(house.stored) == 2


def test_a_dead_token_stops_the_queue_and_loses_nothing(
    house: House, client: Client, tmp_path: Path
) -> None:
    """A revoked token is told at the next step; with a new one all is delivered."""
    path = tmp_path / "reports.db"
    queue = ReportQueue(client, path, token="revoked")
    queue.put(report(1))
    with pytest.raises(ReportsUndelivered, match="revoked"):
        queue.close(WAIT_S)
    with ReportQueue(client, path) as second:
        second.flush(WAIT_S)
    assert len(house.stored) == 1


def test_what_can_not_be_kept_stands_aside(house: House, client: Client) -> None:
    """A report that the house refuses for good holds up no other, and is told with its reason."""
    house.refuses = {report(2).words()["created_at"]}
    with ReportQueue(client) as queue:
        queue.put(report(1), report(2), report(3))
        queue.flush(WAIT_S)
        [(words, reason)] = queue.refused
    assert len(house.stored) == 2
    assert (words, reason) == (report(2).words(), "symbol is too long")


def test_two_reports_of_one_time_are_refused_at_once(client: Client, house: House) -> None:
    """The house would keep the first of them only, so put() takes none."""
    house.gate.clear()
    with ReportQueue(client) as queue:
        with pytest.raises(ValueError, match="one time"):
            queue.put(report(1), report(1, wallet="5"))
        assert queue.waiting == 0
        house.gate.set()


async def test_the_asyncio_queue_is_the_same(house: House, client: Client) -> None:
    """The asyncio queue delivers through faults as well."""
    house.faults = [503, httpx.ReadError]
    async with AsyncReportQueue(client, pause_s=0) as queue:
        await queue.put(report(1), report(2))
        await queue.flush(WAIT_S)
        assert queue.waiting == 0
    assert len(house.stored) == 2


def test_a_queue_that_forgets_would_be_caught(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a queue that takes a server's fault for done loses a report."""

    def careless(self: Client, call: Any) -> None:
        with contextlib.suppress(httpx.TransportError):
            self._http.request("POST", "http://house.example/", content=call.request.body)

    monkeypatch.setattr(Client, "ask", careless)
    with pytest.raises(AssertionError):
        test_all_that_was_put_is_stored_once_in_order(house, client)


# ---- frames


def test_frames_hold_the_same_numbers() -> None:
    """Candles, trades and reports become rows by time; exact ones stay Decimal."""
    price, size = report(0).last_price, report(0).wallet_balance
    candle = Candle(0, D(1), D(2), D(3), D(4), price, 59_999, price, 3, price, price)
    frame = candles_frame([candle])
    assert list(frame.loc["1970-01-01 00:00:00+00:00", ["open", "close", "trades"]]) == [1, 4, 3]
    trades = [
        Trade(
            id=n,
            price=price,
            quantity=size,
            quote_quantity=size,
            time_ms=time_ms,
            buyer_is_maker=time_ms == 5,
        )
        for n, time_ms in [(2, 7), (1, 5)]
    ]
    assert list(trades_frame(trades)["buyer_is_maker"]) == [True, False]
    exact = reports_frame([report(1), report(0, wallet="0.1")], exact=True)
    assert [str(each) for each in exact["wallet_balance"]] == ["0.1", "100.5"]
    assert len(candles_frame([])) == 0

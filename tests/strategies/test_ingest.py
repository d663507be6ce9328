"""`POST /api/v1/strategy/` as its senders know it, with a storage that remembers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from fondaco.gateway.ingest import TOKEN_LIMIT_1M, Ingest
from fondaco.gateway.limits import Limits, Windows
from fondaco.gateway.native import Counters
from fondaco.gateway.report_writer import ReportWriter
from fondaco.strategies.reports import Incoming
from fondaco.strategies.services import digest_of

NOW_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
TOKEN = "OsoDiJtKUMqSZkq5GfjpssYLwkPtm+wejqkO+Dq4IL"
ENDLESS_S = 10**12  # a window that doesn't turn while a test runs
KNOWN = {digest_of(TOKEN)}


class Remembering:
    """A storage that knows one token."""

    def __init__(self) -> None:
        self.stored: list[Incoming] = []
        self.fails: Exception | None = None
        self.is_stuck = False
        self.placed = 0

    def put_in_place(self) -> None:
        if self.is_stuck:
            raise OperationalError("no place")
        self.placed = len(self.stored)

    def take(self, batch: Sequence[Incoming]) -> list[int]:
        if self.fails is not None:
            raise self.fails
        self.stored += [each for each in batch if each.digest in KNOWN]
        return [1 if each.digest in KNOWN else 0 for each in batch]


def sample(change: Callable[[Decimal], object], **more: object) -> dict[str, Any]:
    """The seed's own example, word for word, its Decimals turned to something."""
    balance = {"marginBalance": 120_012_345, "walletBalance": 119_987_654}
    ticker = {"last": 64_231.5}
    position: dict[str, Any] = {
        "realisedPnl": -12_345,
        "currentQty": 1500,
        "symbol": "XBTUSD",
        "avgEntryPrice": 63_999.5,
    }
    margin_usd = round(Decimal(balance["marginBalance"] / 100000000 * ticker["last"]), 2)
    wallet_usd = round(Decimal(balance["walletBalance"] / 100000000 * ticker["last"]), 2)
    realised_pnl_usd = round(Decimal(position["realisedPnl"] / 100000000 * ticker["last"]), 2)
    obj = {
        "data": {
            "strategy_access_token": "OsoDiJtKUMqSZkq5GfjpssYLwkPtm+wejqkO+Dq4IL",
            "last_price": Decimal(str(ticker["last"])),
            "margin_balance": margin_usd,
            "wallet_balance": wallet_usd,
            "realised_pnl": realised_pnl_usd,
            "positions": position["currentQty"],
            "symbol": position["symbol"],
            "average_entry_price": Decimal(str(position["avgEntryPrice"])),
        }
    }
    words = {
        name: change(value) if isinstance(value, Decimal) else value
        for name, value in obj["data"].items()
    }
    return {"data": {**words, **more}}


class Door:
    """The route, asked in process."""

    def __init__(self, storage: Remembering, *, enforced: bool = False) -> None:
        self.storage = storage
        self.writer = ReportWriter(lambda: storage)
        limits = Limits(enforced=enforced, address_limit_1m=0)
        self.ingest = Ingest(self.writer, limits, Counters(), lambda: NOW_US)

    async def ask(self, body: object, method: str = "POST") -> tuple[int, Any, dict[bytes, bytes]]:
        sent: list[dict[str, Any]] = []
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"method": method, "client": ("127.0.0.1", 1), "headers": []}
        await self.ingest(scope, receive, send)
        text = sent[1]["body"]
        return sent[0]["status"], json.loads(text) if text else None, dict(sent[0]["headers"])


async def answers(*bodies: object) -> tuple[list[tuple[int, Any]], list[Incoming]]:
    storage = Remembering()
    door = Door(storage)
    found = [(await door.ask(body))[:2] for body in bodies]
    await door.writer.stop()
    return found, storage.stored


@pytest.mark.parametrize("change", [float, str])
async def test_s1_6_the_seeds_sample_is_taken(change: Callable[[Decimal], object]) -> None:
    """S1-6: the sample body with numbers and with strings gives 201 {"status": true}."""
    found, stored = await answers(sample(change))
    assert found == [(201, {"status": True})]
    assert stored[0].values == (
        *(6_423_150_000_000, 7_708_573_000_000, 7_706_987_000_000),
        *(-793_000_000, 150_000_000_000, 6_399_950_000_000),
    )
    assert (stored[0].created_us, stored[0].is_stamped) == (NOW_US, True)


async def test_numbers_never_go_through_a_float() -> None:
    """Twenty digits of a JSON number are kept to the last, as are those of a text."""
    raw = json.dumps(sample(str, wallet_balance="WALLET")).replace(
        '"WALLET"', "12345678901.12345678"
    )
    _, stored = await answers(
        raw.encode(), sample(str, wallet_balance="12345678901.12345679", margin_balance="1e-8")
    )
    kept = [1_234_567_890_112_345_678, 1_234_567_890_112_345_679]
    assert [each.values[2] for each in stored] == kept
    assert stored[1].values[1] == 1


BAD: list[tuple[object, int, str]] = [
    (b"{", 400, "the body is not JSON"),
    (b"\xff", 400, "the body is not JSON"),
    (b'{"data":{"x":' + b"[" * 60_000, 400, "the body is not JSON"),
    ([], 400, "the body must be a JSON object"),
    ({}, 400, "data is missing"),
    ({"data": 5}, 400, "data must be an object"),
    ({"data": {}}, 422, "strategy_access_token is missing in data"),
    (sample(str, strategy_access_token="nobody's"), 404, "unknown or was revoked"),
    (sample(str, strategy_access_token=""), 422, "strategy_access_token must have"),
    (sample(str, strategy_access_token=7), 422, "strategy_access_token: expected"),
    (sample(str, wallet_balance="NaN"), 422, "wallet_balance is NaN"),
    (sample(str, margin_balance="-Infinity"), 422, "margin_balance is -Infinity"),
    (sample(str, positions=float("nan")), 422, "positions must be a finite number"),
    (sample(str, positions=float("inf")), 422, "positions must be a finite number"),
    (sample(str, positions=True), 422, "positions: expected"),
    (sample(str, positions=None), 422, "positions: expected"),
    (sample(str, last_price="much"), 422, "last_price: invalid decimal"),
    (sample(str, last_price="1e99999"), 422, "last_price is beyond"),
    (sample(str, symbol="X" * 65), 422, "symbol must have at most 64"),
    (sample(str, symbol=None), 422, "symbol: expected"),
    (sample(str, created_at="yesterday"), 422, "created_at is 'yesterday'"),
    (sample(str, created_at=5), 422, "created_at: expected"),
    (sample(str, created_at="1969-12-31T23:59:59Z"), 422, "after 1970"),
    (sample(str, created_at="2026-01-01T12:05:00.000001"), 422, "more than 5 minutes ahead"),
    (b" " * 70_000, 413, "more than 65536 bytes"),
]


@pytest.mark.parametrize("body, status, said", BAD)
async def test_bad_input_is_named_and_stores_nothing(body: object, status: int, said: str) -> None:
    """Each has its status and a sentence that names the field; nothing has moved."""
    [(found, words)], stored = await answers(body)
    assert (found, words["status"]) == (status, False)
    assert said in words["error"]
    assert stored == []


@pytest.mark.parametrize(
    "text, created_us",
    [
        ("2026-01-01T12:05:00", NOW_US + 300_000_000),
        ("2026-01-01 11:59:59.000001", NOW_US - 999_999),
        ("2026-01-01T11:00:00-01:00", NOW_US),
        ("2016-01-01", 1_451_606_400_000_000),
    ],
)
async def test_a_time_without_a_zone_is_utc(text: str, created_us: int) -> None:
    """ISO 8601 in its usual shapes, up to five minutes ahead, to the microsecond."""
    _, stored = await answers(sample(str, created_at=text))
    assert [(each.created_us, each.is_stamped) for each in stored] == [(created_us, False)]


async def test_zeros_are_values() -> None:
    """What a broker doesn't tell is reported as 0."""
    zeros = dict.fromkeys(
        ("last_price", "margin_balance", "wallet_balance", "realised_pnl", "positions"), 0
    )
    found, stored = await answers(sample(str, average_entry_price="0", **zeros))
    assert found == [(201, {"status": True})]
    assert stored[0].values == (0,) * 6


async def test_any_origin_may_ask() -> None:
    """A browser's question before the post is answered, and every answer may be read."""
    door = Door(Remembering())
    status, _, headers = await door.ask(b"", "OPTIONS")
    assert status == 204
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"POST" in headers[b"access-control-allow-methods"]
    assert b"content-type" in headers[b"access-control-allow-headers"]
    for body in (sample(str), {}):
        assert (await door.ask(body))[2][b"access-control-allow-origin"] == b"*"
    assert (await door.ask(b"", "GET"))[0] == 405
    await door.writer.stop()


async def test_a_token_has_its_limit() -> None:
    """Past so many reports in a minute a token is told how long to wait; others are not."""
    door = Door(Remembering(), enforced=True)
    door.ingest._by_token = Windows(ENDLESS_S)
    token = {"strategy_access_token": "another"}
    found = await asyncio.gather(*(door.ask(sample(str)) for _ in range(TOKEN_LIMIT_1M + 1)))
    assert [status for status, *_ in found].count(201) == TOKEN_LIMIT_1M
    refused = next(each for each in found if each[0] == 429)
    assert int(refused[2][b"retry-after"]) > 0
    assert (await door.ask(sample(str, **token)))[0] == 404
    await door.writer.stop()


async def test_a_report_that_was_not_committed_is_not_acknowledged() -> None:
    """A database that fails is a 503 that may be sent again; the next report is taken."""
    storage = Remembering()
    door = Door(storage)
    storage.fails = OperationalError("database or disk is full")
    status, words, headers = await door.ask(sample(str))
    assert (status, words["status"], headers[b"retry-after"]) == (503, False, b"1")
    assert "disk is full" in words["error"]
    storage.fails = None
    assert (await door.ask(sample(str)))[0] == 201
    await door.writer.stop()


async def test_while_nothing_can_be_put_in_place_nothing_is_taken() -> None:
    """What is acknowledged may not pile up: a 503 until the tables take it; then all goes on."""
    storage = Remembering()
    storage.is_stuck = True
    door = Door(storage)
    status, words, _ = await door.ask(sample(str))
    assert (status, storage.stored) == (503, [])
    assert "no place" in words["error"]
    storage.is_stuck = False
    assert (await door.ask(sample(str)))[0] == 201
    await door.writer.stop()
    assert storage.placed == len(storage.stored) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_fault_of_ours_ends_the_writing_and_says_so() -> None:
    """After a fault that is no database's nothing is taken any more, and readiness is told why."""
    storage = Remembering()
    door = Door(storage)
    storage.fails = AssertionError("a bug")
    assert (await door.ask(sample(str)))[0] == 503
    assert "a bug" in door.writer.failure
    assert (await door.ask(sample(str)))[0] == 503
    await door.writer.stop()

"""The short way of a report: it reads what the slow reader reads, and answers as the long way."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from fondaco.gateway.ingest import Ingest, Unfit
from fondaco.gateway.limits import Limits, Windows
from fondaco.gateway.native import Counters
from fondaco.gateway.report_writer import ReportWriter
from fondaco.gateway.swift_report import Reading
from fondaco.strategies.services import digest_of
from tests.gateway.stand_ins import small_house
from tests.gateway.test_lane import Answer, Front, Line
from tests.strategies.test_ingest import ENDLESS_S, NOW_US, TOKEN, Remembering, sample

ROUNDS = 4000
SEED = 20_261_129
NUMBERS = (
    *("0", "-0", "1", "-1", "0.1", "10.50", "64231.5", "9999999999", "-9999999999.99999999"),
    *("99999999999", "90000000001", "1e3", "1E-7", "0.123456789", "00", "01", "-", ".5", "5."),
    *('"0"', '"1.25"', '" 1"', '"1 "', '"1e2"', '"NaN"', '""', "NaN", "null", "true", "[1]"),
    *('"1_0"', "+1"),
)
TEXTS = (
    *('"XBTUSD"', '"a/b c"', '""', r'"\u0041"', '"\u00e9"', '"x\ty"', "5", "null"),
    f'"{"s" * 65}"',
)
TIMES = (
    *('"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00.5"', '"2026-01-01"', '""', '"soon"'),
    "null",
)
SPACES = ("", "", "", " ", "\n\t", "\r ")
NAMES = (
    *("last_price", "margin_balance", "wallet_balance", "realised_pnl", "positions"),
    "average_entry_price",
)


def written(chance: random.Random, usual: tuple[str, ...]) -> bytes:
    """Write a report in some spelling, sometimes an unusual or a broken one."""
    often = chance.random() < 0.7
    parts = [(name, chance.choice(usual if often else NUMBERS)) for name in NAMES]
    parts.append(("strategy_access_token", '"token"' if often else chance.choice(TEXTS)))
    parts.append(("symbol", '"XBTUSD"' if often else chance.choice(TEXTS)))
    if chance.random() < 0.5:
        parts.append(("created_at", chance.choice(TIMES[:2] if often else TIMES)))
    chance.shuffle(parts)
    if chance.random() < 0.1:
        parts.append(chance.choice([("more", "1"), parts[0], ("symbol", '"twice"')]))
    if chance.random() < 0.05:
        parts.pop()

    def space() -> str:
        return chance.choice(SPACES)

    inner = ",".join(f'{space()}"{name}"{space()}:{space()}{text}{space()}' for name, text in parts)
    whole = f'{space()}{{{space()}"data"{space()}:{space()}{{{inner}}}{space()}}}{space()}'
    raw = bytearray(whole.encode())
    if chance.random() < 0.2:
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    if chance.random() < 0.05:
        del raw[chance.randrange(len(raw)) :]
    return bytes(raw)


def slow(ingest: Ingest, raw: bytes) -> tuple[Any, ...] | None:
    """Return what the slow reader makes of a body."""
    try:
        return tuple(ingest.incoming(raw))
    except Unfit:
        return None


def compared(
    read: Callable[[bytes], tuple[Any, ...] | None],
    ingest: Ingest,
    usual: tuple[str, ...] = NUMBERS[:7],
) -> int:
    """Compare a quick reader with the slow one; return how many bodies both of them took.

    Times are compared as text: both ways read them by the same function.
    """
    chance = random.Random(SEED)
    both = 0
    for _ in range(ROUNDS):
        raw = written(chance, usual)
        quick = read(raw)
        if quick is None:
            continue
        token, values, symbol, created_at = quick
        try:
            words = ingest._read(raw).data
            report = slow(ingest, raw)
        except ValueError as error:
            raise AssertionError(raw) from error
        assert (token, symbol) == (words.strategy_access_token, words.symbol), raw
        assert (created_at or None) == words.created_at, raw
        if report is not None:
            assert (report[0], report[3], report[4]) == (digest_of(token), values, symbol), raw
            both += 1
        else:
            assert created_at, raw  # a time that the common function refuses
    return both


def swift(raw: bytes) -> tuple[Any, ...] | None:
    reading = Reading()
    if not reading.read(raw):
        return None
    return (
        reading.token.decode(),
        tuple(reading.units),
        reading.symbol.decode(),
        reading.created_at.decode(),
    )


def careless(raw: bytes) -> tuple[Any, ...] | None:
    """A planted bug: a fraction's digits beyond the fourth are lost."""
    found = swift(raw)
    return found and (found[0], tuple(each // 10**4 * 10**4 for each in found[1]), *found[2:])


async def ingest_of(storage: Remembering, *, enforced: bool = False) -> tuple[Ingest, ReportWriter]:
    writer = ReportWriter(lambda: storage)
    limits = Limits(enforced=enforced, address_limit_1m=0)
    return Ingest(writer, limits, Counters(), lambda: NOW_US), writer


async def test_what_is_read_quickly_is_what_the_slow_reader_reads() -> None:
    """In every spelling, broken ones too, the quick reader agrees or gives the body back."""
    ingest, writer = await ingest_of(Remembering())
    assert compared(swift, ingest) > ROUNDS // 3
    await writer.stop()


async def test_a_reader_that_loses_digits_is_caught() -> None:
    """The comparison above fails for a reader with a planted bug."""
    ingest, writer = await ingest_of(Remembering())
    with pytest.raises(AssertionError):
        compared(careless, ingest, ("0.00012345", "1"))
    await writer.stop()


@pytest.mark.parametrize("change", [float, str])
def test_s1_6_the_seeds_sample_takes_the_short_way(change: Callable[[Decimal], object]) -> None:
    """S1-6: the sample body, with numbers and with strings, is read by the quick reader."""
    found = swift(json.dumps(sample(change)).encode())
    assert found is not None
    assert found[1] == (
        *(6_423_150_000_000, 7_708_573_000_000, 7_706_987_000_000),
        *(-793_000_000, 150_000_000_000, 6_399_950_000_000),
    )


def asked(body: object, path: str = "/api/v1/strategy/", method: str = "POST") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


async def way(storage: Remembering, *, short: bool, enforced: bool = False) -> tuple[Line, Ingest]:
    """A connection to a house whose reports go to this storage, by the short way or the long."""
    front = Front(await small_house())
    ingest, _ = await ingest_of(storage, enforced=enforced)
    front._gateway.ingest = ingest
    front.ingest = ingest if short else None
    return Line(front), ingest


CASES: dict[str, Any] = {
    "sample": sample(str),
    "sample in floats": sample(float),
    "a time": sample(str, created_at="2026-01-01T11:00:00Z"),
    "ahead": sample(str, created_at="2026-01-01T13:00:00Z"),
    "no time": sample(str, created_at="soon"),
    "unknown": sample(str, strategy_access_token="nobody's"),
    "NaN": sample(str, last_price="NaN"),
    "no data": {},
    "no JSON": b"{",
    "long symbol": sample(str, symbol="x" * 100),
}


@pytest.mark.parametrize("case", CASES)
async def test_both_ways_answer_alike(case: str) -> None:
    """Status, headers, body and what is stored are the same by the short way and by the long."""
    seen: list[tuple[Answer, list[Any]]] = []
    for short in (True, False):
        storage = Remembering()
        line, _ = await way(storage, short=short)
        seen.append((await line.ask(asked(CASES[case])), storage.stored))
        if not short:
            assert line.front.long == ["POST"]
    assert seen[0] == seen[1]


async def test_a_report_is_answered_in_one_write_without_asgi() -> None:
    """Either path is served by plain calls; other methods and odd bodies go the long way."""
    line, _ = await way(Remembering(), short=True)
    for path in ("/api/v1/strategy/", "/api/v1/strategy"):
        before = line.wire.writes
        answer = await line.ask(asked(sample(str), path))
        assert (answer.status, answer.body, line.wire.writes - before) == (201, {"status": True}, 1)
        assert answer.headers["access-control-allow-origin"] == "*"
    assert line.front.long == []
    assert (await line.ask(asked(b"", method="PUT"))).status == 405
    assert line.front.long == ["PUT"]


async def test_reports_on_one_connection_are_answered_in_order() -> None:
    """Reports sent in one piece, good and bad in turn, come back in their order."""
    line, _ = await way(Remembering(), short=True)
    unknown = asked(sample(str, strategy_access_token="nobody's"))
    line.protocol.data_received(asked(sample(str)) + unknown + asked(sample(str)) + unknown)
    assert [each.status for each in await line.answers(4)] == [201, 404, 201, 404]


async def test_a_failed_commit_is_told_and_a_full_minute_refused() -> None:
    """A failed commit is 503 with Retry-After, a token's limit is 429; nothing is stored."""
    storage = Remembering()
    line, ingest = await way(storage, short=True, enforced=True)
    storage.fails = OperationalError("disk full")
    answer = await line.ask(asked(sample(str)))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    storage.fails = None
    ingest._by_token = Windows(ENDLESS_S)
    ingest._by_token.add(digest_of(TOKEN), 600, Limits.now_s())
    answer = await line.ask(asked(sample(str)))
    assert (answer.status, storage.stored) == (429, [])


async def test_a_sender_that_went_is_not_written_to() -> None:
    """A connection lost before the commit: the report stands, nothing is written or raised."""
    storage = Remembering()
    line, ingest = await way(storage, short=True)
    line.protocol.data_received(asked(sample(str)))
    line.protocol.connection_lost(None)
    await ingest._writer.stop()
    await asyncio.sleep(0)
    assert (len(storage.stored), line.wire.written) == (1, b"")

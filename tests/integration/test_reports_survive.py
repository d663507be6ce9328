"""Reports of strategies in a real house: kept through kill -9, taken by any edge, ended at once."""

from __future__ import annotations

import functools
import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.integration.running import HOUSE, READY_S, Running, running, until
from tests.postgresql_fixture import postgresql

__all__ = ["postgresql"]

TOKENS: Final = ("token-of-the-first-strategy", "token-of-the-second-strategy")
FILE: Final = (
    HOUSE
    + f"""
[[members.brokerage_accounts]]
name = "main"
[[members.strategies]]
name = "s1"
brokerage_account = "main"
symbol = "XBTUSD"
access_token = "{TOKENS[0]}"
[[members.strategies]]
name = "s2"
access_token = "{TOKENS[1]}"
"""
)
KILLS: Final = 4
KILLS_MAX: Final = 40
SENDERS: Final = 6
NOON: Final = "2026-01-01T12:"
LEFT: Final = "SELECT 1 FROM strategies_arrival LIMIT 1"  # a batch that is not in place yet


def body(token: str, created_at: str | None = None, wallet: object = "100.5") -> str:
    words = {
        "strategy_access_token": token,
        "last_price": 64231.5,
        "margin_balance": "101.25",
        "wallet_balance": wallet,
        "realised_pnl": 0,
        "positions": -3,
        "symbol": "XBTUSD",
        "average_entry_price": 0,
    }
    if created_at:
        words["created_at"] = created_at
    return json.dumps({"data": words})


def rows(house: Running) -> list[tuple[int, int, int]]:
    """Return (strategy, time, wallet) of every report, in order, once all are in their place."""
    with sqlite3.connect(house.data / "office.sqlite3") as connection:
        until(lambda: not connection.execute(LEFT).fetchall(), READY_S, "every report in its place")
        return connection.execute(
            "SELECT strategy_id, created_us, wallet_balance FROM strategies_report ORDER BY 1, 2"
        ).fetchall()


class Sender(threading.Thread):
    """Sends numbered reports until told to stop; keeps those that were acknowledged.

    One without an answer is sent again, as a careful algorithm does.
    """

    def __init__(self, house: Running, number: int, stop: threading.Event) -> None:
        super().__init__()
        self.house, self.number, self.stop = house, number, stop
        self.acknowledged: list[int] = []
        self.repeated = 0

    def run(self) -> None:
        place = 0
        while not self.stop.is_set():
            micros = place * SENDERS + self.number
            moment = f"{NOON}{micros // 60_000_000:02}:{micros // 1_000_000 % 60:02}"
            text = body(TOKENS[0], f"{moment}.{micros % 1_000_000:06}Z", wallet=micros)
            status, _ = self.house.request("POST", "/api/v1/strategy/", body=text)
            if status == 201:
                self.acknowledged.append(micros)
                place += 1
            else:
                assert status in {0, 503}, status
                self.repeated += 1
                self.stop.wait(0.02)


def _have_more(senders: list[Sender], than: int) -> bool:
    return sum(len(each.acknowledged) for each in senders) > than


Ask = Callable[[str], list[tuple[int, ...]]]


def survive(house: Running, ask: Ask, again: Callable[[], Running]) -> None:
    """Kill edges while reports come in, then all; what was acknowledged is there once.

    It is all in its place as soon as the house has started again, asked for or not.
    """
    house.until_ready()
    stop = threading.Event()
    senders = [Sender(house, number, stop) for number in range(SENDERS)]
    for each in senders:
        each.start()
    kills = 0
    try:
        # A kill that met no request in flight shows nothing: on, until one was sent again.
        while kills < KILLS or not any(each.repeated for each in senders):
            assert kills < KILLS_MAX, "no kill met a report in flight"
            kills += 1
            before = sum(len(each.acknowledged) for each in senders)
            until(functools.partial(_have_more, senders, before + 100), READY_S, "100 more reports")
            house.kill("edge")
    finally:
        stop.set()
        for each in senders:
            each.join(READY_S)
    os.killpg(house.process.pid, signal.SIGKILL)
    house.process.wait(READY_S)
    acknowledged = sorted(micros for each in senders for micros in each.acknowledged)
    assert len(acknowledged) > 100 * KILLS
    restarted = again()
    try:
        until(lambda: not ask(LEFT), READY_S, "every report in its place")
    finally:
        restarted.end()
    found = [wallet // 10**8 for (wallet,) in ask("SELECT wallet_balance FROM strategies_report")]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    [hour] = ask("SELECT wallet_min, wallet_max FROM strategies_period WHERE length_s = 3600")
    assert hour == (min(found) * 10**8, max(found) * 10**8)
    [standing] = ask("SELECT wallet_balance FROM strategies_standing")
    assert standing == (max(found) * 10**8,)


@pytest.mark.parametrize("edges", [1, 3])
def test_s1_6_every_report_that_was_acknowledged_is_there_once(tmp_path: Path, edges: int) -> None:
    """S1-6 under kill -9 of edges and of the whole house: none lost, none doubled."""
    text = FILE.replace("rate_limits = false", f"rate_limits = false\nedges = {edges}")
    with running(tmp_path, house=text) as house:

        def ask(sql: str) -> list[tuple[int, ...]]:
            with sqlite3.connect(house.data / "office.sqlite3") as connection:
                return connection.execute(sql).fetchall()

        survive(house, ask, lambda: Running(tmp_path, house=text))


@pytest.mark.needs("postgresql")
def test_s1_6_the_same_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    """S1-6 with two edges that write at once: none lost, none doubled."""
    text = FILE.replace("rate_limits = false", "rate_limits = false\nedges = 2")
    with running(tmp_path, house=text, FONDACO_DATABASE_URL=postgresql) as house:

        def ask(sql: str) -> list[tuple[int, ...]]:
            with psycopg.connect(postgresql) as connection:
                return connection.execute(sql.encode()).fetchall()

        survive(house, ask, lambda: Running(tmp_path, house=text, FONDACO_DATABASE_URL=postgresql))


def test_s1_6_a_repetition_is_one_row_whichever_edge_takes_it(tmp_path: Path) -> None:
    """Two edges: a report sent ten times is one row and ten times 201; without a time it is ten."""
    two = FILE.replace("rate_limits = false", "rate_limits = false\nedges = 2\nstaff_mfa = false")
    with running(tmp_path, house=two) as house:
        house.until_ready()
        text = body(TOKENS[0], f"{NOON}00:00Z")
        answers = {house.request("POST", "/api/v1/strategy", body=text)[0] for _ in range(10)}
        assert answers == {201}
        assert len(rows(house)) == 1
        without_time = body(TOKENS[1])
        for _ in range(10):
            assert house.request("POST", "/api/v1/strategy/", body=without_time)[0] == 201
        assert len(rows(house)) == 11
        status, said = house.request("POST", "/api/v1/strategy/", body=body("none of theirs"))
        assert (status, said["status"]) == (404, False)
        with sqlite3.connect(house.data / "office.sqlite3") as connection:
            newest = connection.execute(
                "SELECT created_us FROM strategies_standing ORDER BY strategy_id"
            ).fetchall()
        assert newest[0][0] == 1_767_268_800_000_000
        assert abs(newest[1][0] / 1e6 - time.time()) < READY_S

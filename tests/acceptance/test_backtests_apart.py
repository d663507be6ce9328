"""Backtests of members beside live bots in a running house: nothing that they do stops a bot."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from typing import Any

from fondaco.robots.backtest.apart import NICENESS
from tests.acceptance.rule_house import open_rules, order, post_seed, robot, trade, until
from tests.house_fixture import RunningHouse
from tests.treasury.people import Person

# It would run for minutes: 16 figures, each over 1,500 candles, at each of 20,000.
FIGURES = [
    {
        "$comparison": {
            "itemA": {
                "$indicator": {
                    "name": "LINEARREG", "ticker": "STOCKA", "interval": "1m",
                    "parameters": {"timeperiod": 500 + number},
                }
            },
            "itemB": 0, "type": "lt",
        }
    }
    for number in range(16)
]  # fmt: skip
LONG = json.dumps(
    {
        "$when": {"$and": FIGURES},
        "$do": {"$order": {"kind": "MARKET", "intent": "BUY", "shares": 1}},
    }
)
CANDLES = "ts_ms,open,high,low,close,volume\n" + "".join(
    f"{1_700_000_000_000 + minute * 60_000},20,21,19,20.5,100\n" for minute in range(20_000)
)


def ask_long(ann: Person) -> str:
    """Ask for a backtest on a file that runs for minutes; return the path of its page."""
    _, page = ann.get("/robots/backtests/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    fields = {
        "csrfmiddlewaretoken": token[1], "rule": LONG, "source": "candles", "walk": "close",
        "cash": "1000", "coins": "0", "latency_ms": "0",
    }  # fmt: skip
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    head = 'Content-Disposition: form-data; name="file"; filename="long.csv"'
    body = f"{''.join(parts)}--x\r\n{head}\r\nContent-Type: text/csv\r\n\r\n{CANDLES}\r\n--x--\r\n"
    asked = urllib.request.Request(
        f"{ann.house.url}/robots/backtests/", body.encode(), method="POST",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )  # fmt: skip
    with ann.opener.open(asked, timeout=60) as answer:
        path: str = answer.url.removeprefix(ann.house.url)
    return path


def process_of(house: RunningHouse) -> int:
    """Return the process id of the backtest that runs, or 0."""
    found = subprocess.run(
        ["ps", "--ppid", str(house.child("worker")), "-o", "pid=,args="],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    pids = [line.split()[0] for line in found.splitlines() if "backtest.apart" in line]
    return int(pids[0]) if pids else 0


def orders(house: RunningHouse, price: str, count: int) -> list[Any]:
    """Have the bot's price come, and wait until it has ordered so often; newest first."""
    trade(house, price)

    def look() -> Any:
        found = robot(house)["orders"]
        return found if len(found) == count else None

    found: list[Any] = until(look, f"{count} orders")
    return found


def test_a_live_bot_goes_on_whatever_a_backtest_does() -> None:
    """It decides while one runs and after it was killed, which is told; that one runs again.

    Repeated it runs, given up it ends, and the worker is the same all the while.
    """
    with open_rules() as house:
        assert post_seed(house).status == 201
        until(lambda: robot(house)["decisions"], "a first look")
        ann, worker = Person(house, "ann"), house.child("worker")
        page = ask_long(ann)
        pid = until(lambda: process_of(house), "a process")
        until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == NICENESS, "its low priority")
        order(house, "SELL", "20.58", 100)
        assert orders(house, "20.56", 1)[0]["side"] == "BUY"
        assert 'data-backtest="running"' in ann.get(page)[1]

        os.kill(pid, signal.SIGKILL)
        failed = until(lambda: "failed" in (text := ann.get(page)[1]) and text, "a failure")
        assert "its process was killed (SIGKILL) before it was through; run it again" in failed
        order(house, "BUY", "20.95", 200)
        assert orders(house, "21.00", 2)[0]["side"] == "SELL"

        assert 'data-backtest="running"' in ann.post_form(page, {"do": "again"})[1]
        pid = until(lambda: process_of(house), "another process")
        assert "You canceled it." in ann.post_form(page, {"do": "cancel"})[1]
        until(lambda: process_of(house) != pid, "its end")
        assert house.child("worker") == worker

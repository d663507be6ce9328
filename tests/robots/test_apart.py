"""A backtest in a process of its own: the same bytes, bounds that end it, and no orphans."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fondaco.robots.backtest.apart import (
    Ended,
    Fault,
    Fed,
    Job,
    SignalRobot,
    run_apart,
    run_here,
)
from fondaco.robots.backtest.signal_file import Signal
from fondaco.robots.backtest.tape import Upload
from tests.acceptance.test_backtests_apart import CANDLES, LONG
from tests.robots.test_rules import SEED

TRADES = b"ts_ms,price,qty,buyer_is_maker\n" + b"".join(
    b"%d,20.%02d,5000,false\n" % (second * 1000, 50 + second % 50) for second in range(300)
)
SHORT = Job(
    rule=SEED, ticker="STOCKA", cash="USD", settings={"latency_ms": "0"}, source="trades",
    file_name="a.csv", file=TRADES,
)  # fmt: skip
SIGNALLED = msgspec.structs.replace(
    SHORT,
    rule="",
    robot=SignalRobot(
        config={"buy_on": "BUY", "sell_on": "SELL", "symbols": ["STOCKA"]},
        fed=Fed(stored=(Signal(10_500_000, "STOCKA", 1), Signal(99_500_000, "STOCKA", -1))),
    ),
)
ENDLESS = msgspec.structs.replace(SHORT, rule=LONG, source="candles", file=CANDLES.encode())
WAITER = """
import sys, msgspec
from fondaco.robots.backtest.apart import Job, run_apart
run_apart(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job))
"""


@pytest.mark.parametrize("job", [SHORT, SIGNALLED], ids=["rule", "signals"])
def test_apart_is_what_it_is_here(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes; and the process knows nothing secret of the house."""
    started: list[Any] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *given: Any, **more: Any) -> None:
            started.append(more["env"])
            super().__init__(*given, **more)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setenv("FONDACO_SECRET_KEY", "canary")
    found = run_apart(job)
    assert found == run_here(job)
    assert json.loads(found)["fills"]
    assert [name for name in started[0] if name.startswith("FONDACO_")] == []
    assert started[0]["PATH"] == os.environ["PATH"]


def test_time_is_the_houses() -> None:
    """$time of the page's and the API's backtests is by the house's clocks, of 1970 here."""
    when = """{"$comparison": {"itemA": {"$time": "minute_of_day"}, "itemB": 332, "type": "eq"}}"""
    buys = f"""{{"$when": {when}, "$do": {{"$order": {{"kind": "MARKET", "intent": "BUY",
        "ticker": "STOCKA", "shares": 1}}}}}}"""
    job = msgspec.structs.replace(SHORT, rule=buys)
    assert json.loads(run_here(job))["fills"] == []
    [fill] = json.loads(run_here(msgspec.structs.replace(job, time_zone="Asia/Kathmandu")))["fills"]
    assert fill["time_us"] == 120_000_000


def test_a_fault_is_told_as_here() -> None:
    """What is wrong with the tape comes through in the same words."""
    wrong = msgspec.structs.replace(SHORT, file=TRADES + b"1,x,1,false\n")
    for run in (run_here, run_apart):
        with pytest.raises(Fault, match=r"a\.csv, line 302: found 'x'; write a number"):
            run(wrong)


@pytest.mark.parametrize(
    ("name", "amount", "said"),
    [
        ("cash", "1000000000000", "USD 1000000000000: it is at most"),
        ("depth", "99999999999999999999", "depth is 99999999999999999999; on this tape it is"),
        ("queue", "99999999999999999999", "queue is 99999999999999999999; on this tape it is"),
    ],
)
def test_an_amount_beyond_the_core_s_numbers_is_told(name: str, amount: str, said: str) -> None:
    """What no account can have and no crowd can offer is a fault of the settings."""
    with pytest.raises(Fault) as fault:
        run_here(msgspec.structs.replace(SHORT, settings={name: amount}))
    assert said in str(fault.value)


FED = Fed(stored=(Signal(1, "STOCKA", 1),))
PACKED = Upload("s.csv.gz", gzip.compress(b"timestamp,summary\n" + bytes(17 << 20)))


@pytest.mark.parametrize(
    ("config", "fed", "said"),
    [
        ({}, Fed(), "this house has no signal of STOCKA for this robot; send it signals, give a"),
        ({}, Fed(file=Upload("s.csv", b"time\n")), "s.csv, line 1: a file of signals is JSON, or"),
        ({}, Fed(file=Upload("s.xz", b"time\n")), "s.xz: it can't be read as packed by its name"),
        ({}, Fed(file=PACKED), "s.csv.gz: it has more than 16 MiB, unpacked"),
        ({}, Fed(file=Upload("s.json", b"[" * 10_000)), "s.json: its brackets nest too deep"),
        ({"day_stop_loss": "0.0000000001"}, FED, "day_stop_loss has more than 8 decimals"),
    ],
    ids=["none", "header", "packing", "bomb", "depth", "decimals"],
)
def test_what_is_wrong_with_signals_is_one_sentence(
    config: dict[str, Any], fed: Fed, said: str
) -> None:
    """None stored, a file that can't be read or is too large, a config finer than the cash."""
    robot = SignalRobot(config=config, fed=fed)
    with pytest.raises(Fault) as fault:
        run_here(msgspec.structs.replace(SIGNALLED, robot=robot))
    assert said in str(fault.value)


def test_time_and_memory_are_bounded() -> None:
    """Past either bound it ends with what to do; so it does when it is told to."""
    with pytest.raises(Ended, match="it ran for 0 minutes, which is the most; give it a shorter"):
        run_apart(ENDLESS, run_s_max=0)
    with pytest.raises(Ended, match="it took more than 64 MiB of memory, which is the most"):
        run_apart(msgspec.structs.replace(SHORT, file=bytes(96 << 20)), memory_bytes_max=64 << 20)
    with pytest.raises(Ended, match="enough"):
        run_apart(ENDLESS, is_over=lambda: "enough")


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False
    ).stdout
    return [int(word) for word in listed.split()]


def test_it_ends_with_whoever_started_it() -> None:
    """However that one ended: a killed worker leaves no backtest behind."""
    with subprocess.Popen([sys.executable, "-c", WAITER], stdin=subprocess.PIPE) as waiter:
        assert waiter.stdin is not None
        waiter.stdin.write(msgspec.msgpack.encode(ENDLESS))
        waiter.stdin.close()
        deadline = time.monotonic() + 60
        while not (found := children(waiter.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        waiter.kill()
    while Path(f"/proc/{found[0]}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)

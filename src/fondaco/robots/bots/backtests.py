"""Runs the backtests that members ask for, on the house's own past or a file, one at a time.

Promises: each runs in a process of its own that gives way to the live bots, is bounded, and stops
nobody however it ends; of several workers one runs them (a lease). Members take turns. A row has
its result, its fault, or is run again; one whose process was ended keeps its file, so that its
member can start it again.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from django.db import DatabaseError, close_old_connections, connections

from fondaco.house.declared import House
from fondaco.robots.backtest.apart import (
    Ended,
    Fault,
    Fed,
    Job,
    SignalRobot,
    run_apart,
    run_here,
)
from fondaco.robots.backtest.tape import Upload
from fondaco.robots.bots import backtest_rows as rows
from fondaco.robots.holding import Held, while_held
from fondaco.robots.models import Backtest

__all__ = ["next_row", "run_one", "start"]

POLL_S: Final = 0.5
LOOK_S: Final = 0.5  # how soon a cancel is seen
CANCELED: Final = "canceled"

Run = Callable[[Job], bytes]


def start(house: House, data_dir: Path, stop: threading.Event) -> threading.Thread:
    """Start the thread; it ends soon after `stop`."""
    cash, time_zone = house.house.cash, house.house.time_zone

    def work(held: Held) -> None:
        served: dict[int, float] = {}
        rows.forget_begun()
        while not held.wait(POLL_S):
            close_old_connections()
            try:
                row = next_row(served)
                if row is not None:
                    served[row.member_id] = time.monotonic()
                    _run_row(row, cash, time_zone, data_dir, held)
            except DatabaseError as error:
                print(f"fondaco: backtests: {error}", file=sys.stderr, flush=True)  # noqa: T201
                connections.close_all()

    def run() -> None:
        try:
            while_held("backtests", stop, work)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="backtests", daemon=True)
    thread.start()
    return thread


def next_row(served: dict[int, float]) -> Backtest | None:
    """Return the oldest that waits of the member whose turn it is; `served` says when each was."""
    waiting = Backtest.objects.filter(result="", fault="").values_list("member_id", "pk")
    found = min(waiting, key=lambda row: (served.get(row[0], 0.0), row[1]), default=None)
    return None if found is None else Backtest.objects.filter(pk=found[1]).first()


def _run_row(row: Backtest, cash: str, time_zone: str, data_dir: Path, held: Held) -> None:
    """Run one in a process of its own, until it is through, canceled, or we must end."""
    rows.begin_backtest(row.pk)
    looked = time.monotonic()

    def is_over() -> str:
        nonlocal looked
        if held.is_set():
            return CANCELED
        if time.monotonic() - looked < LOOK_S:
            return ""
        looked = time.monotonic()
        waits = Backtest.objects.filter(pk=row.pk, result="", fault="").exists()
        return "" if waits else CANCELED

    def run(job: Job) -> bytes:
        return run_apart(job, is_over=is_over)

    run_one(row, cash, data_dir, time_zone=time_zone, run=run)


def run_one(
    row: Backtest, cash: str, data_dir: Path, *, time_zone: str = "UTC", run: Run = run_here
) -> None:
    """Run one and keep what came of it; one that was canceled is left as it is."""
    job = Job(
        rule=row.rule,
        limits={} if row.signals else row.config,
        robot=_signal_robot(row) if row.signals else None,
        time_zone=time_zone,
        ticker=row.ticker,
        cash=cash,
        settings=row.settings,
        source=row.source,
        data_dir=str(data_dir),
        file_name=row.file_name,
        file=bytes(row.file),
    )
    try:
        result = run(job).decode()
    except Fault as fault:
        rows.keep_backtest(row.pk, fault=str(fault))
    except Ended as ended:
        if str(ended) != CANCELED:
            rows.keep_backtest(row.pk, fault=str(ended), is_final=False)
    except OSError as error:  # no room for its files, or no process to be had
        rows.keep_backtest(row.pk, fault=f"{error}; run it again", is_final=False)
    else:
        rows.keep_backtest(row.pk, result=result)


def _signal_robot(row: Backtest) -> SignalRobot:
    """Return what a process needs of a signal robot, which knows no database."""
    fed = Fed(
        stored=rows.stored_signals(row) if row.signals == "stored" else (),
        file=Upload(row.signals_name, bytes(row.signals_file)) if row.signals == "file" else None,
        ratings=row.ratings,
        interval=row.interval,
    )
    return SignalRobot(config=row.config, fed=fed)

"""Runs the backtests that members ask for, on the house's own past or a file, one at a time.

Promises: of several workers one runs them (a lease); what can't be run is told at its row in one
sentence and stops no other. A row has its result or its fault, or it is run again.
"""

from __future__ import annotations

import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.db import DatabaseError, close_old_connections, connections

from fondaco.journal.faults import JournalDamaged
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.result import Result, Settings, encode
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.backtest.survey import open_file, open_journal
from fondaco.robots.backtest.tape import TapeFault, Upload, Walk
from fondaco.robots.bots import services
from fondaco.robots.holding import Held, while_held
from fondaco.robots.models import RuleBacktest
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import RuleError, read_rule

__all__ = ["run_one", "start"]

POLL_S: Final = 0.5
FEE: Final = Decimal("0.001")  # of a market that the file doesn't tell
FAULTS: Final = (RuleError, BacktestFault, TapeFault, FiguresMissing, JournalDamaged, OSError)


def start(cash: str, data_dir: Path, stop: threading.Event) -> threading.Thread:
    """Start the thread; it ends soon after `stop`."""

    def work(held: Held) -> None:
        while not held.wait(POLL_S):
            close_old_connections()
            try:
                for row in RuleBacktest.objects.filter(result="", fault="").order_by("pk"):
                    run_one(row, cash, data_dir)
                    if held.is_set():
                        break
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


def run_one(row: RuleBacktest, cash: str, data_dir: Path) -> None:
    """Run one and keep what came of it."""
    try:
        result = encode(_backtest(row, cash, data_dir)).decode()
    except FAULTS as error:
        services.keep_backtest(row.pk, fault=str(error))
    else:
        services.keep_backtest(row.pk, result=result)


def _backtest(row: RuleBacktest, cash: str, data_dir: Path) -> Result:
    plan = plan_rule(read_rule(row.rule))
    asked = dict(row.settings)
    way = Walk(asked.pop("walk", Walk.SHAPE))
    figures = {name: Decimal(text) for name, text in asked.items()}
    if row.source == "journal":
        tape = open_journal(data_dir, base=row.ticker, quote=cash)
    else:
        tape = open_file(Upload(row.file_name, bytes(row.file)), row.source, way)
    lot = tape.survey.lot
    depth = max(lot, figures.get("depth", tape.survey.depth) // lot * lot)
    fees = (FEE, FEE) if tape.past is None else tape.past.fees
    settings = Settings(
        source=tape.source,
        walk=tape.walk,
        interval_s=tape.survey.interval_us // 1_000_000 or None,
        base=row.ticker,
        quote=cash,
        tick=tape.survey.tick,
        lot=lot,
        maker_fee=figures.get("maker_fee", fees[0]),
        taker_fee=figures.get("taker_fee", fees[1]),
        latency_ms=int(figures.get("latency_ms", Decimal(100))),
        depth=depth,
        queue=figures.get("queue", depth) // lot * lot,
        cash=figures.get("cash", Decimal(10_000)),
        coins=figures.get("coins", Decimal(0)),
        decimals=tape.decimals,
        fee_in_quote=tape.fee_in_quote,
    )
    return Backtest(plan, settings).run(tape.ticks)

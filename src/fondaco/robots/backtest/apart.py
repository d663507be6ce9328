"""Runs a backtest in a process of its own, so that whatever becomes of it stops nothing else.

    python -P -m fondaco.robots.backtest.apart WATCH < job > result

Promises: the process gives way to everybody else (nice), is bounded in time, memory and what it
writes, knows none of the house's secrets, and ends with whoever started it. However it ends, the
one who waits gets a result, a Fault that running again won't mend, or Ended: a sentence that says
why there is no result, after which the same job may be run again.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import msgspec

from fondaco.house.robots import LIMITS, ConfigFault, RobotConfig, read_config
from fondaco.journal.faults import JournalDamaged
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.result import Settings, encode
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.backtest.seen import watched
from fondaco.robots.backtest.signal_file import Signal, read_signals
from fondaco.robots.backtest.signal_result import SignalResult
from fondaco.robots.backtest.signal_run import SignalBacktest
from fondaco.robots.backtest.signal_tape import Rater
from fondaco.robots.backtest.survey import OpenTape, open_file, open_journal
from fondaco.robots.backtest.tape import Beside, TapeFault, Upload, Walk
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import RuleError, read_rule

__all__ = ["Ended", "Fault", "Fed", "Job", "SignalRobot", "run_apart", "run_here"]

RUN_S_MAX: Final = 900.0  # a year of minutes takes a small part of it
MEMORY_BYTES_MAX: Final = 2 << 30
RESULT_BYTES_MAX: Final = 64 << 20
NICENESS: Final = 10  # a tenth of what a live bot gets where both want all
POLL_S: Final = 0.05
FEE: Final = Decimal("0.001")  # of a market that the file doesn't tell
FAULTS: Final = (RuleError, BacktestFault, TapeFault, FiguresMissing, JournalDamaged, OSError)
RESULT, FAULT, ENDED = 0, 10, 11
SECRET: Final = ("FONDACO_", "STRIPE_")  # what such variables hold concerns no backtest


class Fault(Exception):
    """What is wrong with the robot, the settings or a file: one sentence."""


class Ended(Exception):
    """Why there is no result, though nothing was found wrong: one sentence."""


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a signal robot's signals come from: one of these."""

    stored: tuple[Signal, ...] = ()  # that a house has, oldest first
    file: Upload | None = None
    ratings: str = ""  # of the tape, by one of hub.messages.KINDS
    interval: str = ""


class SignalRobot(msgspec.Struct, frozen=True, kw_only=True):
    """A signal robot: a house.robots.RobotConfig as JSON has it, and what it hears."""

    config: dict[str, Any]
    fed: Fed


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One backtest: a rule or a signal robot, how the market is imitated, what it runs on."""

    rule: str = ""
    limits: dict[str, Any] = {}  # of a rule's robot, as its config has them
    robot: SignalRobot | None = None  # instead of a rule
    time_zone: str = "UTC"  # of the house: limits are of its days
    ticker: str
    cash: str  # what the house calls it
    settings: dict[str, str]
    source: str  # trades, candles or journal
    data_dir: str = ""  # of the house whose journal it is
    file_name: str = ""
    file: bytes = b""


def run_here(job: Job) -> bytes:
    """Run it in this process and return the result as JSON; raises Fault."""
    try:
        return _run(job)
    except FAULTS as error:
        raise Fault(str(error)) from error


def _run(job: Job) -> bytes:
    if job.robot is not None:
        return encode(_run_signals(job, job.robot))
    plan = plan_rule(read_rule(job.rule))
    tape, settings = _opened(job)
    limits = _config(job.limits, settings, known=LIMITS)
    others = [name for name in watched(plan) if name != job.ticker]
    beside: dict[str, Beside] = {}
    if job.source == "journal":  # which has all markets
        data = Path(job.data_dir)
        beside = {name: open_journal(data, base=name, quote=job.cash).beside for name in others}
    run = Backtest(plan, settings, limits=limits, time_zone=job.time_zone, beside=beside)
    return encode(run.run(tape.ticks))


def _config(
    told: dict[str, Any],
    settings: Settings,
    known: tuple[str, ...] = RobotConfig.__struct_fields__,
) -> RobotConfig:
    """Return a config in the cash of a tape; raises BacktestFault."""
    assert settings.decimals is not None, "a tape says what coin and cash are counted in"
    try:
        return read_config(told, decimals=settings.decimals[1], known=known)
    except ConfigFault as error:
        raise BacktestFault(f"{error.field} {error}") from error


def _run_signals(job: Job, robot: SignalRobot) -> SignalResult:
    fed: Sequence[Signal] | Rater
    if robot.fed.ratings:
        fed = Rater(robot.fed.ratings, robot.fed.interval, job.ticker)
    elif robot.fed.file is not None:
        fed = read_signals(robot.fed.file)
    else:
        fed = robot.fed.stored
        if not fed:
            raise TapeFault(
                f"this house has no signal of {job.ticker} for this robot; send it signals,"
                " give a file of them, or choose ratings"
            )
    tape, settings = _opened(job)
    config = _config(robot.config, settings)
    return SignalBacktest(config, settings, time_zone=job.time_zone).run(tape.ticks, fed)


def _opened(job: Job) -> tuple[OpenTape, Settings]:
    """Read the tape once; return it to be read again, and how the market is imitated."""
    asked = dict(job.settings)
    way = Walk(asked.pop("walk", Walk.SHAPE))
    figures = {name: Decimal(text) for name, text in asked.items()}
    if job.source == "journal":
        tape = open_journal(Path(job.data_dir), base=job.ticker, quote=job.cash)
    else:
        tape = open_file(Upload(job.file_name, job.file), job.source, way)
    for name in ("depth", "queue"):
        tape.check_offered(name, figures.get(name, Decimal(0)))
    lot = tape.survey.lot
    depth = max(lot, figures.get("depth", tape.survey.depth) // lot * lot)
    fees = (FEE, FEE) if tape.past is None else tape.past.fees
    return tape, Settings(
        source=tape.source,
        walk=tape.walk,
        interval_s=tape.survey.interval_us // 1_000_000 or None,
        base=job.ticker,
        quote=job.cash,
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


# -- whoever waits


def run_apart(
    job: Job,
    *,
    is_over: Callable[[], str] = lambda: "",
    run_s_max: float = RUN_S_MAX,
    memory_bytes_max: int = MEMORY_BYTES_MAX,
) -> bytes:
    """Run it in a process of its own and return the result as JSON; raises Fault or Ended.

    `is_over` is asked all the while: what it says, if anything, ends the process and is told.
    """
    watch, held = os.pipe()
    with TemporaryFile() as asked, TemporaryFile() as found:
        try:
            asked.write(msgspec.msgpack.encode(job))
            asked.seek(0)
            process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-P", "-m", __name__, str(watch), str(memory_bytes_max)],
                stdin=asked,
                stdout=found,
                pass_fds=(watch,),
                env={name: text for name, text in os.environ.items() if not _is_secret(name)},
            )
            try:
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
                why = _wait(process, is_over, run_s_max)
            finally:
                process.kill()
                status = process.wait()
        finally:
            os.close(watch)
            os.close(held)
        found.seek(0)
        said = found.read(RESULT_BYTES_MAX + 1)
    if why:
        raise Ended(why)
    if status == RESULT:
        return said
    if status == FAULT:
        raise Fault(said.decode(errors="replace"))
    if status == ENDED:
        raise Ended(said.decode(errors="replace"))
    how = f"was killed ({signal.Signals(-status).name})" if status < 0 else f"ended with {status}"
    raise Ended(f"its process {how} before it was through; run it again")


def _wait(process: subprocess.Popen[bytes], is_over: Callable[[], str], run_s_max: float) -> str:
    """Wait for its end; return why it must end before."""
    deadline = time.monotonic() + run_s_max
    while True:
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            why = is_over()
            if why:
                return why
            if time.monotonic() >= deadline:
                return (
                    f"it ran for {run_s_max / 60:g} minutes, which is the most;"
                    " give it a shorter tape, or let the robot do less"
                )
        else:
            return ""


def _is_secret(name: str) -> bool:
    return name.startswith(SECRET)


# -- the process


def main(watch: int, memory_bytes_max: int) -> int:
    """Do the job of stdin; return RESULT, FAULT or ENDED with what is said on stdout."""
    threading.Thread(target=_end_with_parent, args=(watch,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes_max, memory_bytes_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status, said = RESULT, b""
    try:
        said = run_here(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job))
    except Fault as fault:
        status, said = FAULT, str(fault).encode()
    except MemoryError:
        status = ENDED
        said = (
            f"it took more than {memory_bytes_max >> 20:,} MiB of memory, which is the most;"
            " give it a shorter tape, or let the robot do less"
        ).encode()
    if len(said) > RESULT_BYTES_MAX:
        status = ENDED
        said = (
            f"its result has {len(said) >> 20:,} MiB, and {RESULT_BYTES_MAX >> 20} are the most;"
            " give it a shorter tape, or let the robot do less"
        ).encode()
    sys.stdout.buffer.write(said)
    sys.stdout.buffer.flush()
    return status


def _end_with_parent(watch: int) -> None:
    while os.read(watch, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))

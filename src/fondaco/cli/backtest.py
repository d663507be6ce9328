"""`fondaco backtest`: runs a rule bot on recorded trades or candles and says what came of it.

Promises: nothing outside is asked or written; two runs of the same files and options print the same
bytes with --json. What can't be run is said in one sentence, with the place in the rule or the line
of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from fondaco.cli.ending import stop
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.result import Result, Settings, encode
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.backtest.survey import Survey, survey_candles, survey_trades
from fondaco.robots.backtest.tape import (
    TapeFault,
    Tick,
    Walk,
    read_candles,
    read_trades,
    walk,
)
from fondaco.robots.rules.evaluator import PREFIX
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.validation import RuleError, read_rule

__all__ = ["register"]

CASH: Final = "10000"
ROBOT_BYTES_MAX: Final = 1 << 20


class RobotFile(msgspec.Struct, frozen=True, kw_only=True):
    """A robot as the API takes it; what concerns a running house only is passed over."""

    rule: msgspec.Raw
    id: str = "backtest"
    allotment: dict[str, Decimal] = {}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="backtest")(backtest)


def backtest(
    robot: Annotated[Path, typer.Argument(help="The rule, or a robot with it: JSON.")],
    trades: Annotated[
        Path | None, typer.Option(help="Recorded trades: CSV, or CSV in .gz or .xz.")
    ] = None,
    candles: Annotated[Path | None, typer.Option(help="Candles: CSV as above.")] = None,
    *,
    walk_by: Annotated[
        Walk,
        typer.Option("--walk", help="How a candle is walked; shape: the low first if it rose."),
    ] = Walk.SHAPE,
    quote: Annotated[str, typer.Option(help="The name of the cash.")] = "USD",
    cash: Annotated[
        str | None, typer.Option(help=f"Cash at the start.  [default: the allotment's, or {CASH}]")
    ] = None,
    coins: Annotated[
        str | None, typer.Option(help="Coins at the start.  [default: the allotment's, or 0]")
    ] = None,
    maker_fee: Annotated[str, typer.Option(help="A rate: 0.001 is 0.1 %.")] = "0.001",
    taker_fee: Annotated[str, typer.Option(help="A rate: 0.001 is 0.1 %.")] = "0.001",
    latency_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="From robot to market, and back.")
    ] = 100,
    depth: Annotated[
        str | None,
        typer.Option(help="What stands at each price.  [default: ten mean trades]"),
    ] = None,
    queue: Annotated[
        str | None, typer.Option(help="What stands before a resting order.  [default: the depth]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on the last line.")
    ] = False,
) -> None:
    """Run a rule bot on recorded trades or candles, with fees, latency and queue position."""
    if (trades is None) == (candles is None):
        stop(2, "give one tape: --trades FILE or --candles FILE")
    try:
        plan, file = _read_robot(robot)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            source = trades or candles
            assert source is not None, "one of them was given"
            task = progress.add_task(f"reading {source.name}", total=None)
            survey = (survey_trades if trades else survey_candles)(
                source, lambda rows: progress.update(task, completed=rows)
            )
            options = {
                "cash": cash, "coins": coins, "depth": depth, "queue": queue,
                "maker_fee": maker_fee, "taker_fee": taker_fee,
            }  # fmt: skip
            way = walk_by if candles else None
            settings = _settings(
                plan, file, survey, options, way, quote=quote, latency_ms=latency_ms
            )
            per_row = 4 if way not in {None, Walk.CLOSE} else 1
            progress.reset(task, total=survey.rows * per_row, description=f"running {robot.name}")
            result = Backtest(plan, settings, prefix=file.id).run(
                _tape(source, survey, way), lambda ticks: progress.update(task, completed=ticks)
            )
    except (TapeFault, OSError) as error:
        stop(2, str(error))
    except (RuleError, BacktestFault, FiguresMissing) as error:
        stop(2, f"{robot}: {error}")
    if as_json:
        typer.echo(encode(result).decode())
        return
    _print(result)


def _read_robot(path: Path) -> tuple[Plan, RobotFile]:
    """Return the plan of a robot's file; raises RuleError, BacktestFault or OSError."""
    text = path.read_bytes()
    if len(text) > ROBOT_BYTES_MAX:
        raise BacktestFault(f"the file has {len(text)} bytes; a robot has at most a million")
    try:
        keys = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        if "rule" not in keys:
            return plan_rule(read_rule(text)), RobotFile(rule=msgspec.Raw(text))
        file = msgspec.json.decode(text, type=RobotFile)
    except msgspec.DecodeError as error:
        raise BacktestFault(f"not a robot: {error}") from error
    except RecursionError as error:
        raise BacktestFault("not a robot: its brackets nest too deep") from error
    if not PREFIX.fullmatch(file.id):
        raise BacktestFault(f"its id is {file.id!r}; it is 1 to 24 letters, digits, _ or -")
    rule = bytes(file.rule)
    if rule.startswith(b'"'):  # as in a house file: text in text
        rule = msgspec.json.decode(rule, type=str).encode()
    return plan_rule(read_rule(rule)), file


def _settings(
    plan: Plan,
    file: RobotFile,
    survey: Survey,
    options: dict[str, str | None],
    way: Walk | None,
    *,
    quote: str,
    latency_ms: int,
) -> Settings:
    """Put the options, the robot's allotment and the tape's own steps together."""
    if not plan.tickers:
        raise BacktestFault("the rule names no ticker; it would trade nothing")
    base = plan.tickers[0]
    if quote == base:
        raise BacktestFault(f"the cash is called {quote} as the coin; give --quote another name")
    given = {name: _number(name, text) for name, text in options.items() if text is not None}
    allotted = sum((n for code, n in file.allotment.items() if code != base), Decimal(0))
    cash = given.get("cash", allotted or Decimal(CASH))
    depth = given.get("depth", survey.depth)
    for name in ("maker_fee", "taker_fee"):
        if given[name] >= 1 or given[name] != round(given[name], 6):
            raise BacktestFault(f"{name} is {given[name]}; it is below 1 with at most 6 decimals")
    return Settings(
        source="candles" if way else "trades",
        walk=str(way) if way else None,
        interval_s=survey.interval_us // 1_000_000 if way else None,
        base=base,
        quote=quote,
        tick=survey.tick,
        lot=survey.lot,
        maker_fee=given["maker_fee"],
        taker_fee=given["taker_fee"],
        latency_ms=latency_ms,
        depth=max(survey.lot, depth // survey.lot * survey.lot),
        queue=given.get("queue", depth) // survey.lot * survey.lot,
        cash=cash,
        coins=given.get("coins", file.allotment.get(base, Decimal(0))),
    )


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise BacktestFault(f"{name} is {text!r}; write a number like 0.5") from error
    if not number.is_finite() or not 0 <= number <= 10**15:
        raise BacktestFault(f"{name} is {text}; it is from 0 to 10^15")
    return number


def _tape(source: Path, survey: Survey, way: Walk | None) -> Iterator[Tick]:
    if way is None:
        yield from read_trades(source)
        return
    for bar in read_candles(source):
        yield from walk(bar, survey.interval_us, way, survey.lot)


def _print(result: Result) -> None:
    """Print what a person wants to know first."""
    one = result.settings
    walked = f", walked by {one.walk}" if one.walk else ""
    lines = {
        "market": f"{one.base} in {one.quote}, {result.ticks} ticks of {one.source}{walked}",
        "costs": f"fees {one.maker_fee} and {one.taker_fee}, latency {one.latency_ms} ms,"
        f" depth {one.depth}, queue {one.queue}",
        "rule": f"{result.state}, at step {result.step}",
        "orders": f"{len(result.orders)}, fills {len(result.fills)}",
        "equity": f"{result.equity_first} -> {result.equity} {one.quote}",
        "profit": f"{result.profit} {one.quote} ({result.profit_percent} %;"
        f" holding {result.hold_percent} %)",
        "drawdown": f"{result.drawdown} {one.quote} ({result.drawdown_percent} %)",
    }
    for name, text in lines.items():
        typer.echo(f"{name:>10}  {text}")
    for order in result.orders:
        amount = f"{order.quantity}" if order.quantity is not None else f"for {order.spend}"
        at = f" at {order.price}" if order.price is not None else ""
        reason = f" ({order.reason})" if order.reason else ""
        typer.echo(
            f"{'order':>10}  {order.client_order_id}  {order.side} {amount}{at} {order.kind}:"
            f" {order.status}, {order.filled} filled{reason}"
        )

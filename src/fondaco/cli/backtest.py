"""`fondaco backtest`: runs a rule bot on recorded trades, candles or a house's own past.

Promises: nothing outside is asked or written; two runs of the same files and options print the same
bytes with --json. What can't be run is said in one sentence, with the place in the rule or the line
of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from fondaco.cli.backtest_signals import (
    SignalRobot,
    print_judged,
    read_signal_robot,
    signals_of,
)
from fondaco.cli.ending import stop
from fondaco.house.robots import LIMITS, ConfigFault, RobotConfig, read_config
from fondaco.journal.calendar import Calendar
from fondaco.journal.faults import JournalDamaged
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.replay import Replay, replay
from fondaco.robots.backtest.result import OrderLine, Result, Settings, encode
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.backtest.seen import watched
from fondaco.robots.backtest.signal_result import Judged, SignalResult
from fondaco.robots.backtest.signal_run import SignalBacktest
from fondaco.robots.backtest.survey import OpenTape, open_file, open_journal
from fondaco.robots.backtest.tape import Beside, TapeFault, Tick, Walk
from fondaco.robots.rules.evaluator import PREFIX
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Decision
from fondaco.robots.rules.validation import RuleError, read_rule
from fondaco.robots.rules.view import plain

__all__ = ["register"]

CASH: Final = "10000"
ROBOT_BYTES_MAX: Final = 1 << 20
DECISIONS_SHOWN: Final = 40  # to a person; --json has all that are kept


Trades = Annotated[
    Path | None,
    typer.Option(
        help="Recorded trades: CSV with ts_ms, price, qty, buyer_is_maker; also .gz or .xz."
    ),
]
Candles = Annotated[
    Path | None,
    typer.Option(help="Candles: CSV with ts_ms, open, high, low, close, volume; packed alike."),
]
Journal = Annotated[
    Path | None, typer.Option(help="The data directory of a house: its own trades.")
]
WalkBy = Annotated[
    Walk,
    typer.Option(
        "--walk",
        help="Which way a candle goes; shape: open, low, high, close if it rose, else the high"
        " first.",
    ),
]
Rate = Annotated[str, typer.Option(help="A rate: 0.001 is 0.1 %.")]
Depth = Annotated[
    str | None,
    typer.Option(help="What an order that takes finds at each price.  [default: ten mean trades]"),
]
Queue = Annotated[
    str | None,
    typer.Option(help="What stands before an order that joins a price.  [default: the depth]"),
]
Zone = Annotated[
    str,
    typer.Option(help="The house's, for a rule that reads $time, and for days of limits."),
]
Signals = Annotated[
    Path | None,
    typer.Option(help="Recorded signals for a signal robot: JSON as the API takes them, or CSV."),
]
Ratings = Annotated[
    str | None,
    typer.Option(
        help="Or what the house's own analysis says of the tape: technical_ratings,"
        " technical_ratings_v1 or robot."
    ),
]
Interval = Annotated[str, typer.Option(help="Of the candles that are rated.")]
Round = Annotated[
    int | None,
    typer.Option(
        "--round", min=0, max=8, help="Decimals that a file's prices are rounded to, half to even."
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        "--beside",
        help="Of another coin that a rule reads: ETH=FILE, of the tape's kind; a journal has all.",
    ),
]
Symbol = Annotated[
    str | None,
    typer.Option(help="The coin of the tape.  [default: the one that the signal robot has chosen]"),
]


class OptionFault(ValueError):
    """An option that can't be used: its name, what was given and what it takes."""


class Began(msgspec.Struct, frozen=True):
    """Where in the journal a robot began."""

    seq: int
    time_us: int = 0


class RobotFile(msgspec.Struct, frozen=True, kw_only=True):
    """A robot as the API takes it; what concerns a running house only is passed over."""

    rule: msgspec.Raw
    id: str = "backtest"
    allotment: dict[str, Decimal] = {}
    limits: dict[str, Any] = {}
    account: int = 0  # of a robot that has lived, with where it began and its order ids' prefix
    began: Began | None = None
    prefix: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    robot: Path
    source: Path
    kind: str  # trades, candles or journal
    walk_by: Walk
    quote: str
    options: dict[str, str | None]
    latency_ms: int
    zone: ZoneInfo
    signals: Path | None
    ratings: str | None
    interval: str
    symbol: str | None
    round_to: int | None
    beside: dict[str, Path]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="backtest")(backtest)


def backtest(
    robot: Annotated[Path, typer.Argument(help="The rule, or a robot with it: JSON.")],
    trades: Trades = None,
    candles: Candles = None,
    journal: Journal = None,
    *,
    walk_by: WalkBy = Walk.SHAPE,
    quote: Annotated[str, typer.Option(help="What the cash is called.")] = "USD",
    cash: Annotated[
        str | None, typer.Option(help=f"Cash at the start.  [default: the allotment's, or {CASH}]")
    ] = None,
    coins: Annotated[
        str | None, typer.Option(help="Coins at the start.  [default: the allotment's, or 0]")
    ] = None,
    maker_fee: Rate = "0.001",
    taker_fee: Rate = "0.001",
    latency_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="From robot to market, and as long back.")
    ] = 100,
    depth: Depth = None,
    queue: Queue = None,
    time_zone: Zone = "UTC",
    signals: Signals = None,
    ratings: Ratings = None,
    interval: Interval = "1h",
    symbol: Symbol = None,
    beside: Also = None,
    round_to: Round = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on the last line.")
    ] = False,
) -> None:
    """Run a robot on trades of the past, with fees, latency and queue position."""
    source, kind = _one_of(trades=trades, candles=candles, journal=journal)
    options = {
        "cash": cash, "coins": coins, "depth": depth, "queue": queue,
        "maker_fee": maker_fee, "taker_fee": taker_fee,
    }  # fmt: skip
    asked = Asked(
        robot=robot, source=source, kind=kind, walk_by=walk_by, quote=quote, options=options,
        latency_ms=latency_ms, zone=_zone(time_zone), signals=signals, ratings=ratings,
        interval=interval, symbol=symbol, round_to=round_to, beside=_named_files(beside or []),
    )  # fmt: skip
    try:
        plan, found = _run(asked)
    except JournalDamaged as error:
        stop(error.status, f"journal damaged: {error}")
    except OSError as error:
        stop(2, f"{error.filename or source}: {error.strerror or error}; name a file that is there")
    except (TapeFault, OptionFault) as error:
        stop(2, str(error))
    except (RuleError, BacktestFault, FiguresMissing) as error:
        stop(2, f"{robot}: {error}")
    if isinstance(found, Replay):
        assert plan is not None, "a rule's"
        _print_replay(found, plan, as_json=as_json)
    elif as_json:
        typer.echo(encode(found).decode())
    else:
        _print(plan, found)


def _run(asked: Asked) -> tuple[Plan | None, Result | Replay]:
    """Run what was asked for; return the rule, if it is one, and what came of it."""
    signal_robot = read_signal_robot(asked.robot, asked.symbol, asked.quote)
    if signal_robot is not None:
        _check_beside(asked, [])
        return None, _run_signals(asked, signal_robot)
    plan, file = _read_robot(asked.robot)
    if asked.signals is not None or asked.ratings is not None:
        raise OptionFault("--signals and --ratings are for a signal robot; this is a rule")
    if asked.kind == "journal" and file.account and file.began is not None:
        _check_beside(asked, [])
        return plan, _replay(asked.source, plan, file, asked.quote, asked.zone)
    base = _base_of(plan, asked.quote)
    held = ", ".join(sorted(set(file.allotment) & (set(plan.tickers) - {base})))
    if held:
        raise BacktestFault(f"the allotment has {held}; a backtest begins with cash and {base}")
    others = [name for name in watched(plan) if name != base]
    _check_beside(asked, others)
    beside = {name: _beside(asked, name) for name in others}
    with _opened(asked, base, file.allotment) as (settings, ticks, on_ticks):
        limits = _limits(file.limits, settings)
        zone = asked.zone.key
        run = Backtest(plan, settings, prefix=file.id, limits=limits, time_zone=zone, beside=beside)
        return plan, run.run(ticks, on_ticks)


def _check_beside(asked: Asked, others: list[str]) -> None:
    """Raise OptionFault for a file that nothing reads."""
    unread = [name for name in asked.beside if asked.kind == "journal" or name not in others]
    if unread:
        why = "a journal has all" if asked.kind == "journal" else "the rule doesn't read it"
        raise OptionFault(f"--beside {unread[0]} is for nothing: {why}")


def _beside(asked: Asked, name: str) -> Beside:
    """Open the tape of another coin that a rule reads; raises OptionFault and what a tape does."""
    if asked.kind == "journal":
        return open_journal(asked.source, base=name, quote=asked.quote).beside
    if name not in asked.beside:
        raise OptionFault(f"the rule reads {name}, too: give --beside {name}=FILE")
    path = asked.beside[name]
    return open_file(path, asked.kind, asked.walk_by, places=asked.round_to).beside


def _named_files(given: list[str]) -> dict[str, Path]:
    """Return the files of other coins by their names; ends the command at one without a name."""
    found: dict[str, Path] = {}
    for text in given:
        name, _, path = text.partition("=")
        if not name or not path:
            stop(2, f"--beside is {text!r}; write the coin and its file, as ETH=trades.csv")
        if name in found:
            stop(2, f"--beside names {name} twice; give one file of it")
        found[name] = Path(path)
    return found


def _limits(told: Mapping[str, Any], settings: Settings) -> RobotConfig:
    """Return the limits of a robot's file; raises BacktestFault."""
    assert settings.decimals is not None, "every tape says so"
    try:
        return read_config(told, decimals=settings.decimals[1], known=LIMITS)
    except ConfigFault as error:
        raise BacktestFault(f"limits.{error.field} {error}") from error


def _run_signals(asked: Asked, robot: SignalRobot) -> Result:
    fed = signals_of(robot, asked.signals, asked.ratings, asked.interval)
    with _opened(asked, robot.symbol, robot.allotment) as (settings, ticks, on_ticks):
        config = robot.config(settings)
        run = SignalBacktest(config, settings, time_zone=asked.zone.key)
        return run.run(ticks, fed, on_ticks)


@contextmanager
def _opened(
    asked: Asked, base: str, allotment: Mapping[str, Decimal]
) -> Iterator[tuple[Settings, Iterator[Tick], Callable[[int], None]]]:
    """Read the tape once; give how the market is imitated, and the ticks with who counts them."""
    console = Console(stderr=True)
    console.quiet = not console.is_interactive  # else it ends with an empty line
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"reading {asked.source.name}", total=None)

        def count(rows: int) -> None:
            progress.update(task, completed=rows)

        if asked.kind == "journal":
            tape = open_journal(asked.source, base=base, quote=asked.quote, on_rows=count)
        else:
            tape = open_file(asked.source, asked.kind, asked.walk_by, count, places=asked.round_to)
        settings = _settings(
            base, allotment, tape, asked.options, quote=asked.quote, latency_ms=asked.latency_ms
        )
        progress.reset(task, total=tape.length, description=f"running {asked.robot.name}")
        yield settings, tape.ticks, count


def _replay(data: Path, plan: Plan, file: RobotFile, cash: str, zone: ZoneInfo) -> Replay:
    """Run again what a robot of the house did; raises BacktestFault and what replay() raises."""
    assert file.began is not None, "asked for by whoever calls"
    return replay(
        data,
        plan,
        account=file.account,
        began_seq=file.began.seq,
        prefix=file.prefix or file.id,
        cash=cash,
        offset_s=Calendar(zone.key).offset_s,
    )


def _zone(name: str) -> ZoneInfo:
    """Return a time zone; ends the command if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        stop(2, f"--time-zone is {name!r}, which is none; name one like UTC or Europe/Berlin")


def _print_replay(found: Replay, plan: Plan, *, as_json: bool) -> None:
    if as_json:
        typer.echo(encode(found).decode())
        return
    typer.echo(f"{'rule':>10}  {found.state}, at step {found.step + 1}, by seq {found.last_seq}")
    for order in found.orders:
        _print_order(order)
    for decision in found.decisions[-DECISIONS_SHOWN:]:
        _print_decision(plan, decision)


def _one_of(**tapes: Path | None) -> tuple[Path, str]:
    """Return the one tape that was given, and its kind; ends the command otherwise."""
    given = [(path, kind) for kind, path in tapes.items() if path is not None]
    if len(given) != 1:
        stop(2, "give one tape: --trades FILE, --candles FILE or --journal DIR")
    return given[0]


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
    base: str,
    allotment: Mapping[str, Decimal],
    tape: OpenTape,
    options: dict[str, str | None],
    *,
    quote: str,
    latency_ms: int,
) -> Settings:
    """Put the options, the robot's allotment and the tape's own steps together."""
    survey = tape.survey
    given = {name: _number(name, text) for name, text in options.items() if text is not None}
    allotted = sum((n for code, n in allotment.items() if code != base), Decimal(0))
    cash = given.get("cash", allotted or Decimal(CASH))
    depth = given.get("depth", survey.depth)
    if depth < survey.lot:
        raise OptionFault(
            f"--depth is {depth:f}; an order that takes finds at least one lot of this tape,"
            f" {survey.lot:f}"
        )
    for name in ("depth", "queue"):
        tape.check_offered(_option(name), given.get(name, Decimal(0)))
    for name in ("maker_fee", "taker_fee"):
        if given[name] >= 1 or given[name] != round(given[name], 6):
            text = f"{_option(name)} is {given[name]}; it is below 1 with at most 6 decimals"
            raise OptionFault(text)
    for name, places in zip(("coins", "cash"), tape.decimals, strict=True):
        if name in given and given[name] != round(given[name], places):
            text = f"{_option(name)} is {given[name]}; it has at most {places} decimals"
            raise OptionFault(text)
    return Settings(
        source=tape.source,
        walk=tape.walk,
        interval_s=survey.interval_us // 1_000_000 or None,
        base=base,
        quote=quote,
        tick=survey.tick,
        lot=survey.lot,
        maker_fee=given["maker_fee"],
        taker_fee=given["taker_fee"],
        latency_ms=latency_ms,
        depth=depth // survey.lot * survey.lot,
        queue=given.get("queue", depth) // survey.lot * survey.lot,
        cash=cash,
        coins=given.get("coins", allotment.get(base, Decimal(0))),
        decimals=tape.decimals,
        fee_in_quote=tape.fee_in_quote,
    )


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise OptionFault(f"{_option(name)} is {text!r}; write a number like 0.5") from error
    if not number.is_finite() or not 0 <= number <= 10**15:
        raise OptionFault(f"{_option(name)} is {text}; it is from 0 to 10^15")
    return number


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _base_of(plan: Plan, quote: str) -> str:
    """Return the one coin that a rule trades; raises BacktestFault if there is none, or several."""
    if not plan.tickers:
        raise BacktestFault("the rule names no ticker; it would trade nothing")
    if quote in plan.tickers:
        raise BacktestFault(f"the cash is called {quote} as the coin; give --quote another name")
    if not plan.paper_ticker:
        raise BacktestFault(f"the rule trades {', '.join(plan.traded)}; a backtest trades one")
    return plan.paper_ticker


def _print(plan: Plan | None, result: Result) -> None:
    """Print what a person wants to know first."""
    one = result.settings
    walked = f", walked by {one.walk}" if one.walk else ""
    lines = {
        "market": f"{one.base} in {one.quote}, {result.ticks} ticks of {one.source}{walked}",
        "costs": f"fees {_shown(one.maker_fee)} and {_shown(one.taker_fee)}, latency"
        f" {one.latency_ms} ms, depth {_shown(one.depth)}, queue {_shown(one.queue)}",
        "rule": f"{result.state}, at step {result.step + 1}",
        "orders": f"{len(result.orders)}, fills {len(result.fills)}",
        "equity": f"{_shown(result.equity_first)} -> {_shown(result.equity)} {one.quote}",
        "profit": f"{_shown(result.profit)} {one.quote} ({_shown(result.profit_percent)} %;"
        f" holding {_shown(result.hold_percent)} %)",
        "drawdown": f"{_shown(result.drawdown)} {one.quote} ({_shown(result.drawdown_percent)} %)",
    }
    if isinstance(result, SignalResult):
        del lines["rule"]
        lines["signals"] = f"{result.signals} judged, operations {len(result.operations)}"
    if one.beside:
        lines["beside"] = ", ".join(one.beside)
    if one.limits:
        lines["limits"] = ", ".join(f"{name} {text}" for name, text in one.limits.items())
    for name, text in lines.items():
        typer.echo(f"{name:>10}  {text}")
    for order in result.orders:
        _print_order(order)
    for decision in result.decisions[:DECISIONS_SHOWN]:
        if isinstance(decision, Judged):
            print_judged(decision)
        elif plan is not None:
            _print_decision(plan, decision)
    more = len(result.decisions) + result.decisions_left_out - DECISIONS_SHOWN
    if more > 0:
        typer.echo(f"{'':>10}  and {more} more: --json has them")


def _shown(number: Decimal) -> str:
    """Return an amount without the zeros at its end."""
    return f"{plain(number):f}"


def _print_order(order: OrderLine) -> None:
    amount = f"for {order.spend:f}" if order.spend is not None else ""
    if order.quantity is not None:
        amount = _shown(order.quantity)
    at = f" at {order.price:f}" if order.price is not None else ""
    at += f" from {order.stop:f}" if order.stop is not None else ""
    reason = f" ({order.reason})" if order.reason else ""
    typer.echo(
        f"{'order':>10}  {order.client_order_id}  {order.side} {amount}{at} {order.kind}:"
        f" {order.status}, {_shown(order.filled)} filled{reason}"
    )


def _print_decision(plan: Plan, decision: Decision) -> None:
    moment = datetime.fromtimestamp(decision.time_us / 1_000_000, UTC)
    typer.echo(f"{'decision':>10}  {moment:%Y-%m-%d %H:%M:%S}  {tell(plan, decision)}")

"""Signal robots in a backtest: the hub's own verdicts and steps, in an exchange of their own."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from fondaco.core import client_ids, records
from fondaco.core.records import Command, Event, OrderType, Side, TimeInForce
from fondaco.house.robots import RobotConfig
from fondaco.robots.backtest import signal_run
from fondaco.robots.backtest.result import Settings
from fondaco.robots.backtest.signal_file import Signal
from fondaco.robots.backtest.signal_run import SignalBacktest
from fondaco.robots.backtest.signal_tape import Rater
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.hub import services
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.models import Decision, Operation, Robot
from tests.robots.hub_field import START_US, HubField

D = Decimal
DAY_US: Final = 86_400_000_000
DEPTH_LOTS: Final = 50_000
LEVELS: Final = 3
CONFIG: Final = RobotConfig(
    buy_on="BUY",
    sell_on="SELL",
    operation_stop_loss="1.5",
    day_stop_loss="4",
    month_sell_cap="1500",
    operation_amount="100",
    symbols=("BTC",),
)
ROBOT: Final = """
[[members.robots]]
id = "r1"
config = { buy_on = 1, sell_on = 1, operation_stop_loss = 1.5, day_stop_loss = 4, \
month_sell_cap = 1500, operation_amount = 100, symbols = ["BTC"] }
allotment = { USDT = "1000" }
"""
ORDERS: Final = (Event.ORDER, Event.FILL, Event.CANCEL)
TOLD: Final = (
    *("time_us", "side", "order_type", "status", "filled_lots", "filled_quote"),
    *("quantity_lots", "quote_quantity", "stop_price_ticks", "working_us"),
)
KEPT: Final = tuple(
    name for name in signal_run.Operation.__struct_fields__ if name not in {"account", "instrument"}
)


def tape(seed: int) -> tuple[list[Tick], list[Signal]]:
    """Two days of ticks with both takers, and signals between them."""
    chance, cents = Random(seed), 10_000
    ticks, signals = [], []
    for number in range(240):
        cents = min(max(cents + chance.randint(-90, 90), 9_000), 11_000)
        at = START_US + number * 2 * DAY_US // 240 + 1_000
        ticks.append(Tick(at, D(cents) / 100, D(chance.randint(1, 90)) / 100, number % 3 > 0))
        if number % 4 == 3:
            strength = chance.choice((2, 1, 1, 0, -1, -2))
            signals.append(Signal(at + chance.choice((0, 7_000_000)), "BTC", strength))
    ticks.append(ticks[-1]._replace(time_us=ticks[-1].time_us + 60_000_000))
    return ticks, signals


class TapeField(HubField):
    """A house with one robot, whose crowd stands where the model of a backtest has it."""

    best = (0, 0)

    def start(self) -> Any:
        hub = super().start()
        submit = self.core.submit

        def submit_with_depth(record: bytes) -> bytes:
            if int.from_bytes(record[:2], "little") != Command.ROBOT_ORDER:
                return submit(record)
            if not records.unpack(record)["stop_price_ticks"]:
                self.stand(submit)
            told = submit(record)
            submit(self.cancel_all())
            return told

        self.core.submit = submit_with_depth  # type: ignore[method-assign]
        return hub

    def stand(self, submit: Any) -> None:
        for side, best, step in ((Side.BUY, self.best[0], -1), (Side.SELL, self.best[1], 1)):
            for place in range(LEVELS):
                submit(self.limit(self.ann, side, best + step * place, DEPTH_LOTS))

    def limit(self, account: int, side: int, price: int, lots: int) -> bytes:
        in_force = TimeInForce.GTC if account == self.ann else TimeInForce.IOC
        return records.pack(
            Command.NEW_ORDER, account=account, instrument=1, side=side,
            order_type=OrderType.LIMIT, time_in_force=in_force, price_ticks=price,
            quantity_lots=lots,
        )  # fmt: skip

    def tick(self, tick: Tick) -> None:
        """Have the crowd print a trade at the price of the tape."""
        price = int(tick.price * 100)
        bid, ask = self.best
        if tick.buys:
            self.best = (min(bid or price - 1, price - 1), price)
        else:
            self.best = (price, max(ask, price + 1))
        self.core.time_us = tick.time_us
        taker, maker = (Side.BUY, Side.SELL) if tick.buys else (Side.SELL, Side.BUY)
        self.core.submit(self.limit(self.ann, maker, price, 1))  # beside the depth
        self.stand(self.core.submit)
        self.core.submit(self.limit(self.bob, taker, price, 1))
        self.core.submit(self.cancel_all())
        self.turn(2)

    def hear(self, one: Signal) -> int:
        self.core.time_us = max(self.core.time_us, one.time_us)
        incoming = Incoming(symbol=one.symbol, strength=one.strength, timestamp_us=one.time_us)
        row, _ = services.take_signal(incoming, source="test")
        self.turn(2)
        return row.pk

    def roll(self, time_us: int) -> None:
        day = dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC).date()
        number = (day - dt.date(1970, 1, 1)).days
        month = (day.year - 1970) * 12 + day.month - 1
        self.core.time_us = time_us
        self.core.submit(records.pack(Command.ROLL, day=number, month=month))


def live(
    patch: pytest.MonkeyPatch, ticks: list[Tick], signals: list[Signal]
) -> tuple[int, int, bytes]:
    """Let a robot of a house hear signals between trades; return its account and first signal."""
    field = TapeField(patch, ROBOT)
    account = Robot.objects.get(pk="r1").account_id
    waiting, first, day = list(signals), 0, -1
    for tick, then in zip(ticks, [*ticks[1:], None], strict=True):
        if tick.time_us // DAY_US != day:
            day = tick.time_us // DAY_US
            field.roll(tick.time_us)
        field.tick(tick)
        while waiting and (then is None or waiting[0].time_us < then.time_us):
            pk = field.hear(waiting.pop(0))
            first = first or pk
    decisions = Decision.objects.filter(account=account).order_by("pk").values_list(
        "signal", "time_us", "side", "reason", "had", "needed", "price_ticks"
    )  # fmt: skip
    operations = Operation.objects.filter(account=account).order_by("started_us", "pk")
    events = [each for each in field.history.events(*ORDERS) if each["account"] == account]
    return account, first, _written(list(decisions), list(operations), events)


def _written(decisions: list[Any], operations: list[Any], events: list[dict[str, int]]) -> bytes:
    """Return all that a robot did, as bytes."""
    orders: dict[str, list[int]] = {}
    for words in events:
        told = tuple(words[f"client_order_id_{place}"] for place in range(4))
        name = client_ids.decode(told)  # type: ignore[arg-type]
        orders[name] = [words[each] for each in TOLD]
    kept = sorted(
        (str(op.id), [int(v) if isinstance(v, bool | int) else v for v in _fields(op)])
        for op in operations
    )
    found = {"decisions": [list(one) for one in decisions], "operations": kept, "orders": orders}
    return msgspec.json.encode(found)


def _fields(op: Any) -> list[Any]:
    return [getattr(op, name) for name in KEPT]


def settings(**changed: Any) -> Settings:
    given: dict[str, Any] = {
        "source": "trades", "walk": None, "interval_s": None, "base": "BTC", "quote": "USDT",
        "tick": D("0.01"), "lot": D("0.00001"), "maker_fee": D("0.001"), "taker_fee": D("0.002"),
        "latency_ms": 0, "depth": D("0.5"), "queue": D(0), "cash": D(1000), "coins": D(0),
        "decimals": (8, 8),
    }  # fmt: skip
    return Settings(**{**given, **changed})


def backtest(
    ticks: list[Tick], signals: list[Signal], *, account: int, first: int
) -> tuple[SignalBacktest, bytes]:
    """Run the same in a backtest, its signals numbered as the house's."""
    run = SignalBacktest(CONFIG, settings(), account=account, first_signal=first)
    events: list[dict[str, int]] = []
    note = run._note_news

    def noted(kind: int, record: bytes) -> None:
        events.append(records.unpack(record))
        note(kind, record)

    run._note_news = noted  # type: ignore[method-assign]
    run.run(ticks, signals)
    decisions = [
        (look.signal, look.now_us, look.side, *verdict, price) for look, verdict, price in run.kept
    ]
    return run, _written(decisions, run.operations, events)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_live_and_backtest_are_equal(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same signals and trades give the same decisions, operations and orders, to the byte."""
    ticks, signals = tape(seed)
    account, first, lived = live(monkeypatch, ticks, signals)
    run, tested = backtest(ticks, signals, account=account, first=first)
    assert tested == lived
    reasons = {one[1][0] for one in run.kept}
    notes = {op.note for op in run.operations}
    assert {0, 1, 9, 11} <= reasons  # triggered, neutral, an operation open, too little coin
    assert {"SIGNAL", "STOP_LOSS"} <= notes


@pytest.mark.django_db
def test_another_verdict_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a backtest that forgets that an operation is open differs from the house."""
    ticks, signals = tape(1)
    account, first, lived = live(monkeypatch, ticks, signals)
    true_begin = SignalBacktest._begin

    def forgetful(self: SignalBacktest, *given: Any) -> Any:
        begun = true_begin(self, *given)
        self.client.open.clear()
        return begun

    monkeypatch.setattr(SignalBacktest, "_begin", forgetful)
    assert backtest(ticks, signals, account=account, first=first)[1] != lived


# -- the command

ROWS: Final = """ts_ms,price,qty,buyer_is_maker
1700000000000,100.00,1.5,false
1700000001000,100.50,2.0,false
1700000002000,101.00,2.0,true
1700000003000,102.00,2.0,false
1700000010000,102.50,1.0,true
"""
SIGNALS: Final = [
    {"summary": "NEUTRAL", "timestamp": "14-11-2023 22:13:20"},
    {"summary": "STRONG_BUY", "timestamp": "14-11-2023 22:13:21"},
    {"summary": "STRONG_BUY", "timestamp": "14-11-2023 22:13:21"},
    {"summary": "SELL", "timestamp": "14-11-2023 22:13:23"},
    {"summary": "SELL", "timestamp": "14-11-2023 22:15:23"},
]


def call(tmp_path: Path, *given: str, **changed: Any) -> Any:
    robot = {
        "id": "r1", "kind": "signal", "allotment": {"USD": "1000"},
        "config": {"buy_on": 2, "sell_on": 1, "symbols": ["BTC"], "operation_amount": 500},
    }  # fmt: skip
    paths = {name: tmp_path / name for name in ("robot.json", "trades.csv", "signals.json")}
    paths["robot.json"].write_text(json.dumps({**robot, **changed}), encoding="utf-8")
    paths["trades.csv"].write_text(ROWS, encoding="utf-8")
    if not paths["signals.json"].exists():
        paths["signals.json"].write_text(json.dumps(SIGNALS), encoding="utf-8")
    words = ["backtest", str(paths["robot.json"]), "--trades", str(paths["trades.csv"])]
    return CliRunner().invoke(build_app("backtest"), [*words, *given])


def test_the_command_runs_a_signal_robot(tmp_path: Path) -> None:
    """Recorded signals, each once: bought, sold, each decision with its numbers; twice alike."""
    given = ("--signals", str(tmp_path / "signals.json"))
    done = call(tmp_path, *given, "--json")
    assert done.exit_code == 0, done.output
    assert call(tmp_path, *given, "--json").stdout == done.stdout
    found = json.loads(done.stdout.splitlines()[-1])
    assert [one["reason"] for one in found["decisions"]] == ["NEUTRAL", "TRIGGERED", "TRIGGERED"]
    assert (found["signals"], found["signals_after"]) == (3, 1)
    bought = found["decisions"][1]
    spent = {"bought": "4.89510000", "spent": "492.45000000"}
    assert bought["numbers"] == {"cash": "500.00000000", "price": "100.5"} | spent
    assert bought["text"] == "bought 4.8951 BTC for 492.45"
    assert [one["side"] for one in found["fills"]] == ["BUY", "SELL"]
    assert [one["status"] for one in found["operations"]] == ["CLOSED"]
    assert found["days"]
    assert found["curve"]
    told = call(tmp_path, *given)
    assert "3 judged, operations 1" in told.stdout
    assert "did nothing: the signal is neutral" in told.stdout


def test_signals_as_csv_are_the_same(tmp_path: Path) -> None:
    """The same signals as CSV and as lines of JSON give the same bytes."""
    outputs = set()
    rows = [f"{one['timestamp']},{one['summary']}" for one in SIGNALS]
    for text in (
        json.dumps(SIGNALS),
        "timestamp,summary\n" + "\n".join(rows),
        "\n".join(json.dumps(one) for one in SIGNALS),
    ):
        (tmp_path / "signals.json").write_text(text, encoding="utf-8")
        outputs.add(call(tmp_path, "--signals", str(tmp_path / "signals.json"), "--json").stdout)
    assert len(outputs) == 1


def test_a_client_document_is_a_robot(tmp_path: Path) -> None:
    """What `GET /api/v1/robots/clients/<id>/` answers can be run: its cash and coin are its own."""
    document = {"allotment": None, "cash": 700.0, "crypto": [{"symbol": "BTC", "amount": 2.0}]}
    done = call(tmp_path, "--signals", str(tmp_path / "signals.json"), "--json", **document)
    assert done.exit_code == 0, done.output
    one = json.loads(done.stdout.splitlines()[-1])["settings"]
    assert (one["cash"], one["coins"]) == ("700.0", "2.0")


@pytest.mark.parametrize(
    ("given", "changed", "said"),
    [
        ((), {}, "is a signal robot; give it --signals FILE, or --ratings KIND"),
        (("--ratings", "moon"), {}, "--ratings is 'moon'; it is one of technical_ratings"),
        (("--ratings", "robot", "--interval", "7m"), {}, "--interval is '7m'; it is one of 1m"),
        (("--ratings", "robot"), {"config": {"symbols": []}}, "its symbols are none; name the"),
        (("--ratings", "robot"), {"config": {"symbols": ["BTC"], "day": 1}}, "config.day is unkno"),
        (
            (),
            {"config": None, "buy_on": 1, "symbols": ["BTC"]},
            "its config is null; write an obje",
        ),
        (("--ratings", "robot"), {"allotment": {"USD": "x"}}, "it has 'x' USD; write a number"),
    ],
)
def test_what_cannot_be_run_is_said(
    given: tuple[str, ...], changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """One sentence and status 2."""
    done = call(tmp_path, *given, **changed)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_config_at_the_top_is_told_where_it_belongs(tmp_path: Path) -> None:
    """What was found, and how it is written; a rule with limits in its config is still a rule."""
    path, trades = tmp_path / "flat.json", tmp_path / "trades.csv"
    trades.write_text(ROWS, encoding="utf-8")
    words = ["backtest", str(path), "--trades", str(trades)]
    for told, said in (
        ({"id": "r1", "symbols": ["BTC"], "buy_on": 1, "day_stop_loss": 4},
         'day_stop_loss, symbols at the top; of a signal robot they stand under config: {"config"'),
        ({"rule": "{}", "config": {"day_stop_loss": "4"}}, "flat.json: $"),
    ):  # fmt: skip
        path.write_text(json.dumps(told), encoding="utf-8")
        done = CliRunner().invoke(build_app("backtest"), words)
        assert done.exit_code == 2
        assert said in done.stderr


@pytest.mark.parametrize(
    ("limits", "core", "text"),
    [
        (
            {"order_notional_max": 100},
            "NOTIONAL_TOO_LARGE",
            "did not buy: its order is worth 397.80, at most 100.00",
        ),
        (
            {"orders_day_max": 2},
            "TOO_MANY_ORDERS_TODAY",
            "did not buy: it has sent 2 orders today, its limit",
        ),
    ],
)
def test_the_core_keeps_every_limit(
    limits: dict[str, Any], core: str, text: str, tmp_path: Path
) -> None:
    """What one order may be worth, and how many a day has: refused as in a house, in its words."""
    again = {"summary": "STRONG_BUY", "timestamp": "14-11-2023 22:13:26"}
    (tmp_path / "signals.json").write_text(json.dumps([*SIGNALS, again]), encoding="utf-8")
    config = {"buy_on": 2, "sell_on": 1, "symbols": ["BTC"], "operation_amount": 400}
    given = ("--signals", str(tmp_path / "signals.json"), "--json")
    found = json.loads(call(tmp_path, *given, config={**config, **limits}).stdout)
    refused = found["decisions"][-1]
    assert (refused["reason"], refused["numbers"].get("core"), refused["text"]) == (
        "LOCKED", core, text,
    )  # fmt: skip


def test_signals_from_before_the_tape_are_passed_over(tmp_path: Path) -> None:
    """They are counted, and nothing is judged by a price that nobody knew."""
    early = {"summary": "STRONG_BUY", "timestamp": "14-11-2023 22:13:19"}
    (tmp_path / "signals.json").write_text(json.dumps([*SIGNALS, early]), encoding="utf-8")
    done = call(tmp_path, "--signals", str(tmp_path / "signals.json"), "--json")
    found = json.loads(done.stdout)
    counts = [found[name] for name in ("signals_before", "signals", "signals_after")]
    assert counts == [1, 3, 1]
    assert [one["reason"] for one in found["decisions"]] == ["NEUTRAL", "TRIGGERED", "TRIGGERED"]


def test_a_file_of_signals_is_told_by_its_place(tmp_path: Path) -> None:
    """What is no signal is named with its place in the file."""
    (tmp_path / "signals.json").write_text('[{"summary": "HOLD"}]', encoding="utf-8")
    done = call(tmp_path, "--signals", str(tmp_path / "signals.json"))
    assert done.exit_code == 2
    assert "signals.json, signal 1: summary must be one of BUY" in done.stderr


def test_ratings_are_the_houses_own() -> None:
    """A tape of recorded closes gives the crossing averages' strength a moment after each close."""
    ticks = [
        Tick(START_US + place * 60_000_000, D(10_000 + place * 7 % 90) / 100, D(1), buys=True)
        for place in range(214)
    ]
    rater = Rater("robot", "1m", "BTC")
    found = [one for tick in ticks for one in rater.take(tick)]
    assert [one.time_us for one in found] == [
        tick.time_us // 60_000_000 * 60_000_000 + 1_500_000 for tick in ticks[-3:]
    ]
    assert {one.symbol for one in found} == {"BTC"}

"""Backtests on a house's own past: the same as on a file of the same trades."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    InstrumentBody,
    OrderType,
    Side,
    TimeInForce,
    pack,
    pack_body,
)
from fondaco.journal.clock import TestClock
from fondaco.journal.recovery import open_sequencer
from fondaco.robots.backtest.journal_tape import open_past, read_past
from tests.journal.houses import flip
from tests.robots.test_rules import SEED

START_US = 1_700_000_000_000_000
RULE = SEED.replace("STOCKA", "BTC")


def definitions() -> list[bytes]:
    rich = [(1, 10**15), (2, 10**15)]
    body = InstrumentBody(
        number=1, symbol="BTCUSD", base=1, quote=2, tick_size="0.01", lot_size="0.1",
        base_per_lot=10_000_000, quote_per_lot_tick=100_000,
    )  # fmt: skip
    return [
        pack_body(Command.DEFINE_ASSET, AssetBody(number=1, code="BTC", decimals=8)),
        pack_body(Command.DEFINE_ASSET, AssetBody(number=2, code="USD", decimals=8)),
        pack_body(Command.DEFINE_INSTRUMENT, body),
        pack_body(Command.OPEN_ACCOUNT, AccountBody(member=1, opening=rich), account=16),
        pack_body(Command.OPEN_ACCOUNT, AccountBody(member=2, opening=rich), account=17),
    ]


def order(account: int, side: Side, price: int, lots: int) -> bytes:
    return pack(
        Command.NEW_ORDER, account=account, instrument=1, side=side, order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC, price_ticks=price, quantity_lots=lots,
    )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> tuple[Path, str]:
    """A stopped house whose trades walk from 20.40 to 21.20 and back; and the same as CSV."""
    data = tmp_path / "data"
    clock = TestClock(START_US)
    sequencer = open_sequencer(data, clock, preallocate_bytes=4096)
    sequencer.commit(definitions())
    rows = ["ts_ms,price,qty,buyer_is_maker"]
    path = [*range(2040, 2121, 2), *range(2120, 2039, -2)]
    for place, price in enumerate(path):
        clock.advance(1_000_000)
        buys = place % 2 == 0
        sides = (Side.SELL, Side.BUY) if buys else (Side.BUY, Side.SELL)
        lots = 500 + place
        sequencer.commit([order(16, sides[0], price, lots), order(17, sides[1], price, lots)])
        time_ms = START_US // 1000 + (place + 1) * 1000
        rows.append(f"{time_ms},{price / 100:.2f},{lots / 10:.1f},{str(not buys).lower()}")
    sequencer.close()
    return data, "\n".join(rows) + "\n"


def call(*arguments: str) -> Any:
    return CliRunner().invoke(build_app("backtest"), ["backtest", *arguments])


def test_a_houses_past_is_its_trades(house: tuple[Path, str], tmp_path: Path) -> None:
    """The rule does on the journal what it does on a file of the same trades."""
    data, rows = house
    robot, trades = tmp_path / "robot.json", tmp_path / "trades.csv"
    robot.write_text(RULE, encoding="utf-8")
    trades.write_text(rows, encoding="utf-8")
    results = []
    for tape in (("--trades", str(trades)), ("--journal", str(data))):
        done = call(str(robot), *tape, "--json")
        assert done.exit_code == 0, done.output
        results.append(json.loads(done.stdout.splitlines()[-1]))
    assert results[0]["fills"]
    assert results[0]["state"] == "DONE"
    assert [one["settings"].pop("source") for one in results] == ["trades", "journal"]
    assert results[0] == results[1]


def test_another_instrument_and_no_house_are_named(house: tuple[Path, str], tmp_path: Path) -> None:
    """What the house hasn't, and a folder that is none, end in one sentence and status 2."""
    robot = tmp_path / "robot.json"
    robot.write_text(RULE.replace("BTC", "ETH"), encoding="utf-8")
    missing = call(str(robot), "--journal", str(house[0]))
    assert missing.exit_code == 2
    assert "no instrument ETH/USD in its events; there are BTC/USD" in missing.stderr
    nowhere = call(str(robot), "--journal", str(tmp_path / "nowhere"))
    assert nowhere.exit_code == 2
    assert "no events/ here" in nowhere.stderr


def test_damaged_events_are_damage(house: tuple[Path, str], tmp_path: Path) -> None:
    """A flipped bit in the events ends with status 3, and says where."""
    data, _ = house
    robot = tmp_path / "robot.json"
    robot.write_text(RULE, encoding="utf-8")
    [segment] = sorted((data / "events").glob("*.segment"))
    flip(segment, 6_000)
    done = call(str(robot), "--journal", str(data))
    assert done.exit_code == 3, done.output
    assert segment.name in done.stderr


def test_the_tape_is_exact(house: tuple[Path, str]) -> None:
    """Prices and quantities of the tape are the core's ticks and lots, as decimals."""
    past = open_past(house[0], base="BTC", quote="USD")
    ticks = list(read_past(house[0], past))
    assert (past.tick, past.lot) == (Decimal("0.01"), Decimal("0.1"))
    assert ticks[0][:3] == (START_US + 1_000_000, Decimal("20.40"), Decimal("50.0"))
    assert len(ticks) == house[1].count("\n") - 1

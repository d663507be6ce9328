"""A live run in a house with imported trades, replayed from its files: byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from fondaco.core.records import Command, InstrumentBody, Side, pack, unpack_body
from fondaco.projections.bars import INTERVALS
from fondaco.projections.imports import keep_trades
from fondaco.projections.services import Writer
from fondaco.robots.backtest import replay as replays
from fondaco.robots.backtest.journal_tape import open_past, read_past
from fondaco.robots.backtest.tape import Bar
from fondaco.robots.bots import history
from fondaco.robots.rules.desk import Bot
from fondaco.robots.rules.sight import Standing
from tests.robots.rule_house import CROWD, QUEUE, ROBOT, START_US, RuleHouse, definitions, order

UNTRADED = 1  # seconds since the house opened, when a bot comes before its first trade
FIGURE = '{"$indicator": {"name": "%s", "ticker": "BTC", "interval": "%s", "parameters": %s}}'
FIELD = '{"$ticker": {"symbol": "BTC", "field": "%s"}}'
SEEN = {  # each true, whatever it is: so all are looked at, and a decision tells them
    FIELD % "volume": "0",
    FIELD % "change": "-99",
    FIGURE % ("RSI", "5m", '{"timeperiod": 14}'): "1",
    FIGURE % ("EMA", "1m", '{"timeperiod": 200}'): "1",
    FIGURE % ("SMA", "1d", '{"timeperiod": 2}'): "1",
}
LOOKS = ", ".join(
    f'{{"$comparison": {{"itemA": {one}, "itemB": {least}, "type": "gt"}}}}'
    for one, least in SEEN.items()
)
RULE = f"""{{"$when": {{"$and": [{LOOKS}]}}, "$do": {{"$order": {{"kind": "MARKET",
    "intent": "BUY", "ticker": "BTC", "shares": 1}}}}, "$repeat": {{"times": 5, "pause_s": 30}}}}"""


class ImportedHouse(RuleHouse):
    """A house whose bots begin with the projections' candles, as they do in a worker."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, coins=20)
        self.writer = Writer()
        self.writer.apply_events(self.first.events, self.sequencer.seq)

    def commit_only(self, *records: bytes) -> bytes:
        events = super().commit_only(*records)
        self.writer.apply_events(events, self.sequencer.seq)
        return events

    def standing(self) -> Standing:
        market = self.desk.sight.tickers["BTC"]
        past = history.past_minutes(market, seq=self.sequencer.seq, time_us=self.clock.now_us())
        return msgspec.structs.replace(super().standing(), minutes=past)

    def candles(self, interval: str) -> list[Bar]:
        return history.past_candles(
            self.desk.sight.tickers["BTC"],
            INTERVALS[interval],
            seq=self.sequencer.seq,
            time_us=self.clock.now_us(),
        )


def import_days(data: Path, seed: int) -> None:
    """Import three days of trades with pauses, up to the minute in which the house opens."""
    chance = Random(seed)
    cents, time_us = 2050, START_US - 3 * 86_400_000_000
    rows = []
    while time_us < START_US:
        cents = min(max(cents + chance.randint(-6, 6), 1900), 2200)
        maker = chance.choice(("true", "false"))
        lots = chance.randint(1, 50)
        rows.append(f"{time_us // 1000},{cents / 100:.2f},{lots / 10:.1f},{maker}\n")
        time_us += chance.choice((5_000_000, 40_000_000, 40_000_000, 400_000_000, 3_000_000_000))
    rows.append(f"{START_US // 1000},20.60,1.5,true\n")
    [body] = [
        msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
        for record in definitions()
        if b"BTCUSD" in record
    ]
    for number, part in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
        source = data.parent / f"trades-{number}.csv"
        source.write_text("".join(part), encoding="ascii")
        keep_trades(source, data_dir=data, instrument=body)


def trades(house: ImportedHouse, chance: Random, count: int) -> None:
    for _ in range(count):
        price, lots = 2060 + chance.randint(-9, 9), chance.randint(1, 30)
        buys = chance.random() < 0.5
        sides = (Side.SELL, Side.BUY) if buys else (Side.BUY, Side.SELL)
        house.clock.advance(chance.choice((1, 7, 61)) * 1_000_000)
        house.commit(order(QUEUE, sides[0], price, lots), order(CROWD, sides[1], price, lots))


def live(data: Path, *, pause_s: int) -> tuple[Bot, int]:
    """Let a bot live between the crowd's trades; it begins `pause_s` after the newest."""
    import_days(data, seed=7)
    house, chance = ImportedHouse(data), Random(pause_s)
    house.commit(order(QUEUE, Side.SELL, 2100, 10_000))
    trades(house, chance, 30 if pause_s != UNTRADED else 0)
    house.clock.advance(pause_s * 1_000_000)
    # The entry of the journal that a worker makes for it.
    house.commit_only(pack(Command.REDUCE_ORDER, account=ROBOT, instrument=1, order_id=1 << 62))
    seq = house.sequencer.seq
    bot = house.start(RULE)
    trades(house, chance, 40)
    house.close()
    return bot, seq


def again(data: Path, seq: int) -> dict[str, msgspec.Raw]:
    robot = data.parent / "robot.json"
    words = {"id": "bot", "account": ROBOT, "began": {"seq": seq, "time_us": 0}}
    robot.write_text(json.dumps({**words, "rule": RULE}), encoding="utf-8")
    given = ["backtest", str(robot), "--journal", str(data), "--json"]
    done = CliRunner().invoke(build_app("backtest"), given)
    assert done.exit_code == 0, done.output
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, msgspec.Raw])


@pytest.mark.parametrize("pause_s", [UNTRADED, 200, 100_000])
def test_a_run_in_a_house_with_imports_is_replayed(
    pause_s: int, tmp_path: Path, tables: Callable[[], None], settings: Any
) -> None:
    """Volume, change and figures over imported trades: the same decisions and orders."""
    settings.DATA = tmp_path / "data"
    bot, seq = live(tmp_path / "data", pause_s=pause_s)
    found = again(tmp_path / "data", seq)
    assert bytes(found["decisions"]) == msgspec.json.encode(bot.changed.decisions)
    assert bytes(found["orders"]) == msgspec.json.encode(list(bot.changed.orders.values()))
    assert len(bot.changed.orders) == 5
    assert len(bot.changed.decisions[0].looks) == len(SEEN)


def test_a_replay_without_the_imports_is_found(
    tmp_path: Path, tables: Callable[[], None], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a replay that reads the events alone decides otherwise."""
    settings.DATA = tmp_path / "data"
    bot, seq = live(tmp_path / "data", pause_s=0)
    lived = msgspec.json.encode(bot.changed.decisions)
    assert bytes(again(tmp_path / "data", seq)["decisions"]) == lived
    monkeypatch.setattr(replays, "kept_files", lambda *_: [])
    assert bytes(again(tmp_path / "data", seq)["decisions"]) != lived


def test_a_houses_past_begins_with_what_was_imported(tmp_path: Path) -> None:
    """The tape of a house has its imported trades, then its own, oldest first."""
    data = tmp_path / "data"
    import_days(data, seed=7)
    house = RuleHouse(data)
    house.trade(2055, 3)
    house.close()
    ticks = list(read_past(data, open_past(data, base="BTC", quote="USD")))
    files = [path.name.split("-") for path in (data / "imports").iterdir()]
    assert len(ticks) == 1 + sum(int(parts[2]) for parts in files)
    assert [tick.time_us for tick in ticks] == sorted(tick.time_us for tick in ticks)
    assert (str(ticks[-2].price), str(ticks[-1].price)) == ("20.60", "20.55")

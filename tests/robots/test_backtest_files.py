"""Files that other programs have made: what is read, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path

from tests.robots.test_backtest import TRADES, call
from tests.robots.test_rules import SEED


def test_the_noise_of_binary_fractions_can_be_rounded(tmp_path: Path) -> None:
    """--round makes 20.550000000000001 a price of two decimals; nothing is written by powers."""
    (tmp_path / "robot.json").write_text(SEED, encoding="utf-8")
    outputs = []
    for name, price in (("noise.csv", "20.550000000000001"), ("plain.csv", "20.55")):
        rows = f"{TRADES}1600000900000,{price},0.00000001,true\n"
        (tmp_path / name).write_text(rows, encoding="utf-8")
        given = ["--trades", str(tmp_path / name), "--round", "2", "--json"]
        done = call(str(tmp_path / "robot.json"), *given)
        assert done.exit_code == 0, done.output
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["settings"]["tick"] == "0.01"
    assert "E-" not in outputs[0]


def test_a_zip_and_no_depth_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """Another library's archive is not guessed at, and an order finds at least a lot."""
    robot, trades = tmp_path / "robot.json", tmp_path / "trades.csv"
    robot.write_text(SEED, encoding="utf-8")
    (tmp_path / "trades.zip").write_bytes(b"PK")
    trades.write_text(TRADES, encoding="utf-8")
    for given, said in (
        ((str(tmp_path / "trades.zip"),), "a .zip isn't read; unpack it"),
        ((str(trades), "--depth", "0"), "--depth is 0; an order that takes finds at least"),
        ((str(trades), "--depth", "999999999999999"), "on this tape it is at most"),
        ((str(trades), "--queue", "999999999999999"), "on this tape it is at most"),
        ((str(trades), "--cash", "999999999999999"), "it is at most"),
    ):
        done = call(str(robot), "--trades", *given)
        assert done.exit_code == 2
        assert said in done.stderr

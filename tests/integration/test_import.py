"""`fondaco import`: recorded trades are kept whole, or not at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from fondaco.cli import imports
from fondaco.journal.lock import lock_data
from fondaco.projections.imports import kept_files, rows_of

HOUSE = """
[house]
name = "Import"
[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.00001"
"""
ROWS = "ts_ms,price,qty,buyer_is_maker\n1000,64000.01,0.5,true\n2000,64000.02,0.00001,false\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    path = tmp_path / "house.toml"
    path.write_text(HOUSE)
    return path


def run_import(house: Path, trades: Path, symbol: str = "BTCUSDT") -> tuple[int, str, str]:
    """Run `fondaco import` in this process; returns status, stdout and stderr."""
    app = Typer()
    app.callback()(lambda: None)
    imports.register(app)
    data = str(house.parent / "data")
    arguments = ["--house", str(house), "--data", data, "--symbol", symbol, str(trades), "--json"]
    result = CliRunner().invoke(app, ["import", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_trades_are_kept_exactly(house: Path) -> None:
    """Two rows become two trades in ticks and lots, and the result says so."""
    trades = house.parent / "trades.csv.gz"
    trades.write_bytes(gzip.compress(ROWS.encode()))
    status, out, err = run_import(house, trades)
    assert status == 0, err
    found = json.loads(out.splitlines()[-1])
    assert found == {"symbol": "BTCUSDT", "rows": 2, "first_ms": 1000, "last_ms": 2000}
    [kept] = kept_files(house.parent / "data")
    assert [row[:3] for row in rows_of(kept)] == [
        (1_000_000, 6_400_001, 50_000),
        (2_000_000, 6_400_002, 1),
    ]


@pytest.mark.parametrize(
    "rows, symbol, status, names",
    [
        ("1000,64000.001,0.5,true\n", "BTCUSDT", 2, "line 1"),
        ("2000,1,1,true\n1000,1,1,true\n", "BTCUSDT", 2, "line 2"),
        ("", "BTCUSDT", 2, "no trades"),
        (ROWS, "NONE", 2, "BTCUSDT"),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_kept(
    house: Path, rows: str, symbol: str, status: int, names: str
) -> None:
    """A bad row or symbol: its status, one sentence, and no file in imports/."""
    trades = house.parent / "trades.csv"
    trades.write_text(rows)
    found, _, err = run_import(house, trades, symbol)
    assert found == status
    assert names in err.strip().splitlines()[-1]
    assert kept_files(house.parent / "data") == []


def test_a_data_directory_that_is_none_is_named(house: Path) -> None:
    """A file where a folder is meant: its name and what to do, without an error's number."""
    (house.parent / "data").write_text("")
    trades = house.parent / "trades.csv"
    trades.write_text(ROWS)
    found, _, err = run_import(house, trades)
    assert found == 1
    assert err == f"fondaco: {house.parent / 'data'}: File exists; --data names a folder\n"


def test_a_running_house_is_not_imported_into(house: Path) -> None:
    """While another process holds the data directory the status is 4."""
    trades = house.parent / "trades.csv"
    trades.write_text(ROWS)
    with lock_data(house.parent / "data"):
        status, _, err = run_import(house, trades)
    assert status == 4
    assert "in use" in err

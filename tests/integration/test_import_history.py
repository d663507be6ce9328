"""`fondaco import-history`: a strategy's past from a file, whole or not at all."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.running import HOUSE, Running, fondaco, last_line, running

FILE = (
    HOUSE
    + """
[[members.strategies]]
name = "old hand"
"""
)
PAST = "created_at,wallet_balance\n2026-01-01T00:00:00Z,900\n2026-01-02T00:00:00Z,950.5\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running house with a strategy of ann's."""
    with running(tmp_path_factory.mktemp("history"), house=FILE) as house:
        house.until_ready()
        yield house


def told(house: Running, file: Path, *more: str) -> tuple[int, str, str]:
    """Run the command for a file; return its status, stdout and stderr."""
    where = ("--data", str(house.data), "--member", "ann", "--strategy", "old hand")
    done = fondaco("import-history", str(file), *where, *more)
    return done.returncode, done.stdout, done.stderr


def wallets(house: Running) -> list[int]:
    with sqlite3.connect(house.data / "office.sqlite3") as connection:
        rows = connection.execute(
            "SELECT wallet_balance FROM strategies_report ORDER BY created_us"
        )
        return [wallet // 10**6 for (wallet,) in rows]


def test_a_past_is_taken_whole_or_not_at_all(house: Running, tmp_path: Path) -> None:
    """Beside a running house: a fault has its line and stores nothing; the same file again, too."""
    file = tmp_path / "past.csv.gz"
    file.write_bytes(gzip.compress(f"{PAST}soon,1\n".encode()))
    status, _, errors = told(house, file)
    assert status == 2
    assert "nothing of" in last_line(errors)
    assert "line 4: created_at" in last_line(errors)
    assert wallets(house) == []
    file.write_bytes(gzip.compress(PAST.encode()))
    status, out, errors = told(house, file, "--json")
    assert status == 0, errors
    found = json.loads(last_line(out))
    assert (found["reports"], found["stored"]) == (2, 2)
    assert wallets(house) == [90_000, 95_050]
    status, out, _ = told(house, file)
    assert (status, last_line(out)) == (
        *(0, "0 reports of old hand are imported; 2 were there already"),
    )


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        (("--strategy", "nobody's"), 2, "ann has no strategy nobody's; there are old hand"),
        (
            ("--format", "excel"),
            2,
            "no format excel; there are csv, freqtrade, hummingbot",
        ),
        (("--format", "freqtrade"), 2, "balance before the first trade"),
        (("--data", "/nowhere"), 2, "there is no house in /nowhere"),
    ],
)
def test_what_does_not_fit_is_said(
    house: Running, tmp_path: Path, more: tuple[str, ...], status: int, says: str
) -> None:
    """A strategy, format, balance or house that isn't there ends the command with what to do."""
    file = tmp_path / "trades.json"
    trade = {"pair": "BTC/USD", "open_rate": 1, "close_rate": 2, "profit_abs": 1, "is_open": False}
    times = {"open_timestamp": 1_767_268_800_000, "close_timestamp": 1_767_272_400_000}
    file.write_text(json.dumps([{**trade, **times}]))
    found, _, errors = told(house, file, *more)
    assert found == status, errors
    assert says in last_line(errors)


def test_a_file_that_is_not_there_is_said(house: Running, tmp_path: Path) -> None:
    """A missing file is named."""
    status, _, errors = told(house, tmp_path / "none.csv")
    assert status == 2
    assert "none.csv can't be read" in last_line(errors)

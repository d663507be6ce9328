"""`fondaco bench core`: the same flow for a seed, and the keys that scripts count on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from fondaco import core
from fondaco.cli import bench
from fondaco.cli.bench import flow, measure
from fondaco.cli.tape import read_rows

KEYS = {
    "commands",
    "fills",
    "seconds",
    "commands_per_s",
    "p50_ns",
    "p99_ns",
    "p999_ns",
    "compiled",
    "ledger",
}


def run_bench(*arguments: str) -> tuple[int, str, str]:
    """Run `fondaco bench core` in this process; returns status, stdout and stderr."""
    app = Typer()
    app.callback()(lambda: None)
    bench.register(app)
    result = CliRunner().invoke(app, ["bench", "core", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("book_only", [False, True])
def test_the_result_has_its_keys(book_only: bool) -> None:
    """One JSON object on the last line, with and without the ledger."""
    options = ["--book-only"] if book_only else []
    status, out, err = run_bench("--commands", "3000", "--seed", "5", "--json", *options)
    assert status == 0, err
    result = json.loads(out.splitlines()[-1])
    assert set(result) == KEYS
    assert result["commands"] == 3000
    assert result["fills"] > 100
    assert result["compiled"] is core.COMPILED
    assert result["ledger"] is not book_only
    assert result["p50_ns"] <= result["p99_ns"] <= result["p999_ns"]


def test_one_seed_is_one_flow() -> None:
    """The same seed gives the same commands, another seed others."""
    assert list(flow(500, 1)) == list(flow(500, 1))
    assert list(flow(500, 1)) != list(flow(500, 2))


def test_the_book_alone_fills_what_the_exchange_fills(shared_data: Path) -> None:
    """On the seeded flow and on the golden tape both forms count the same fills."""
    for rows in (
        list(flow(5000, 1)),
        list(read_rows(shared_data / "l3/cme_esh4_part1.tape.csv.xz")),
    ):
        assert measure(rows).fills == measure(rows, ledger=False).fills


def test_a_missing_tape_is_status_2(tmp_path: Path) -> None:
    """The last line of stderr names the file."""
    status, _, err = run_bench("--tape", str(tmp_path / "none.csv"))
    assert status == 2
    assert "none.csv" in err.strip().splitlines()[-1]

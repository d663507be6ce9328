"""`fondaco replay`: recorded order flow gives the recorded fills, on both builds."""

from __future__ import annotations

import csv
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from typer import Typer
from typer.testing import CliRunner

from fondaco import core
from fondaco.cli import replay as replay_module
from fondaco.cli.replay import Fill, Replayed, TapeRefused, replay
from fondaco.cli.tape import TapeError, open_text, read_rows

GOLDEN = "l3/cme_esh4_part1.tape.csv.xz"
GOLDEN_FILLS = "l3/cme_esh4_part1.fills.csv.xz"
KEYS = {
    "commands",
    "fills",
    "volume",
    "live_orders",
    "best_bid",
    "best_ask",
    "ignored",
    "seconds",
    "commands_per_s",
    "state_hash",
    "compiled",
}


def run_tape(tmp_path: Path, *rows: str) -> tuple[Replayed, list[tuple[int, ...]]]:
    """Replay rows without their number; returns the result and the fills as tuples."""
    tape = tmp_path / "tape.csv"
    numbered = [f"{n},{row}" for n, row in enumerate(rows)]
    tape.write_text("\n".join(["n,cmd,id,side,price,qty", *numbered]) + "\n")
    fills: list[Fill] = []
    result = replay(tape, fills.append)
    return result, [(f.n, f.k, f.maker_id, f.price, f.qty) for f in fills]


def command_line(*arguments: str) -> tuple[int, str, str]:
    """Run `fondaco replay` in this process; returns status, stdout and stderr."""
    app = Typer()
    app.callback()(lambda: None)
    replay_module.register(app)
    result = CliRunner().invoke(app, ["replay", *arguments])
    return result.exit_code, result.stdout, result.stderr


def recorded_fills(path: Path) -> list[tuple[int, ...]]:
    with lzma.open(path, "rt") as lines:
        rows = csv.reader(lines)
        next(rows)
        return [tuple(map(int, row)) for row in rows]


def test_the_golden_tape_gives_exactly_the_recorded_fills(
    shared_data: Path, tmp_path: Path
) -> None:
    """42,456 commands of a CME session give 3,408 fills in order, and the recorded book."""
    fills = tmp_path / "fills.csv"
    status, out, err = command_line(str(shared_data / GOLDEN), "--fills", str(fills), "--json")
    assert status == 0, err
    result = json.loads(out.splitlines()[-1])
    assert set(result) == KEYS
    assert result["commands"] == 42_456
    assert result["fills"] == 3_408
    assert result["volume"] == 5_134
    assert result["live_orders"] == 10_877
    assert (result["best_bid"], result["best_ask"]) == (19_241, 19_242)
    assert result["ignored"] == 0
    assert result["compiled"] is core.COMPILED
    with fills.open(newline="") as file:
        rows = csv.reader(file)
        assert next(rows) == ["n", "k", "maker_id", "price", "qty"]
        assert [tuple(map(int, row)) for row in rows] == recorded_fills(shared_data / GOLDEN_FILLS)


def test_both_builds_end_in_the_same_state(shared_data: Path) -> None:
    """The golden tape has one state hash, compiled, pure, and in batches of another size."""
    script = (
        "import sys, pathlib; from fondaco.cli.replay import replay;"
        "r = replay(pathlib.Path(sys.argv[1]), batch=int(sys.argv[2]));"
        "print(r.state_hash, r.fills, r.compiled)"
    )
    seen = set()
    for pure, seed, batch in (("", "0", "1024"), ("1", "1", "1024"), ("", "2", "7")):
        environment = {**os.environ, "FONDACO_PURE": pure, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script, str(shared_data / GOLDEN), batch],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        state_hash, fills, compiled = done.stdout.split()
        assert compiled == str(not pure)
        seen.add((state_hash, fills))
    assert len(seen) == 1


class Message(NamedTuple):
    """A line of a LOBSTER message file; side is the resting order's, 1 buys."""

    time: str
    kind: int
    identity: int
    size: int
    price: int
    side: int


def lobster_tape(shared_data: Path) -> tuple[list[str], dict[int, list[tuple[int, int, int]]]]:
    """Return the rows of the LOBSTER sample and what each aggressive row must fill.

    A resting order that the sample names but never adds was there before: it is rested first, in
    the order of the exchange's numbers, with the size that the sample accounts for. Executions of
    one moment against one side are one aggressive order at their worst price; a hidden execution
    (type 5) can't be reproduced, and what follows it counts as an order of its own.
    """
    path = shared_data / "l3" / "lobster_AAPL_2012-06-21_message_10.csv"
    with path.open(newline="") as file:
        messages = [Message(row[0], *map(int, row[1:])) for row in csv.reader(file)]
    added = {identity for _, kind, identity, *_ in messages if kind == 1}
    before: dict[int, tuple[int, int, int]] = {}
    for _, kind, identity, size, price, side in messages:
        if kind in {2, 3, 4} and identity not in added:
            known = before.get(identity, (side, price, 0))
            before[identity] = (side, price, known[2] + size)
    rows = [f"L,{i},{s},{p},{q}" for i, (s, p, q) in sorted(before.items())]
    remaining = {identity: size for identity, (_, _, size) in before.items()}
    expected: dict[int, list[tuple[int, int, int]]] = {}
    last = ("", 0)
    for time, kind, identity, size, price, side in messages:
        if kind == 5:
            last = ("", 0)
            continue
        if kind == 1:
            rows.append(f"L,{identity},{side},{price},{size}")
            remaining[identity] = size
            continue
        remaining[identity] -= size
        if kind == 4:
            if last != (time, side):
                rows.append("")
                expected[len(rows) - 1] = []
            fills = expected[len(rows) - 1]
            fills.append((identity, price, size))
            prices = [fill[1] for fill in fills]
            worst = max(prices) if side < 0 else min(prices)
            rows[-1] = f"T,0,{-side},{worst},{sum(fill[2] for fill in fills)}"
            last = (time, side)
            continue
        rows.append(f"D,{identity},0,0,{remaining[identity]}")
        last = ("", 0)
    return rows, expected


def test_the_lobster_sample_is_reproduced(shared_data: Path, tmp_path: Path) -> None:
    """66 of 66 aggressive orders of a NASDAQ sample fill as recorded: maker, price and size."""
    rows, expected = lobster_tape(shared_data)
    result, fills = run_tape(tmp_path, *rows)
    found: dict[int, list[tuple[int, int, int]]] = {}
    for n, _, maker, price, size in fills:
        found.setdefault(n, []).append((maker, price, size))
    assert len(expected) == 66
    assert sum(map(len, expected.values())) == 98
    assert found == expected
    assert result.ignored == 0


def test_orders_match_by_price_then_time(tmp_path: Path) -> None:
    """The better price first, then the older order; the rest of a G order stays in the book."""
    result, fills = run_tape(
        tmp_path, "L,1,-1,102,5", "L,2,-1,101,5", "L,3,-1,101,5", "G,4,1,101,12", "T,0,-1,100,1"
    )
    assert fills == [(3, 0, 2, 101, 5), (3, 1, 3, 101, 5), (4, 0, 4, 101, 1)]
    assert (result.fills, result.volume, result.live_orders) == (3, 11, 2)
    assert (result.best_bid, result.best_ask) == (101, 102)


def test_reducing_keeps_priority_and_reducing_to_nothing_cancels(tmp_path: Path) -> None:
    """D leaves the order where it stands in its level; D to 0 is X."""
    _, fills = run_tape(
        tmp_path,
        "L,1,1,100,9",
        "L,2,1,100,9",
        "L,3,1,100,9",
        "D,1,0,0,2",
        "D,2,0,0,0",
        "T,0,-1,100,4",
    )
    assert fills == [(5, 0, 1, 100, 2), (5, 1, 3, 100, 2)]


@pytest.mark.parametrize(
    "row",
    ["X,7,0,0,0", "D,7,0,0,1", "D,1,0,0,5", "D,1,0,0,6", "X,2,0,0,0", "D,2,0,0,1", "D,7,0,0,0"],
)
def test_what_names_no_live_order_changes_nothing(tmp_path: Path, row: str) -> None:
    """X or D of an unknown or gone id, and a D that isn't a reduction, count as ignored."""
    before, _ = run_tape(tmp_path, "L,1,1,100,5", "L,2,1,100,1", "X,2,0,0,0")
    result, fills = run_tape(tmp_path, "L,1,1,100,5", "L,2,1,100,1", "X,2,0,0,0", row)
    assert result.ignored == 1
    assert result.live_orders == before.live_orders == 1
    assert fills == []


def test_an_order_that_rests_nothing_is_not_live(tmp_path: Path) -> None:
    """The remainder of a T order expires: cancelling it is ignored."""
    result, _ = run_tape(tmp_path, "L,1,-1,100,1", "T,2,1,100,5", "X,2,0,0,0")
    assert (result.ignored, result.live_orders, result.volume) == (1, 0, 1)
    assert (result.best_bid, result.best_ask) == (None, None)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("0,Z,1,1,100,5", "'Z'"),
        ("0,L,1,1,100", "5 fields"),
        ("0,L,1,1,x,5", "'x'"),
        ("0,L,1,2,100,5", "side 2"),
        (f"0,L,{1 << 63},1,100,5", "int64"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, line: str, names: str) -> None:
    """A bad row ends the reading with its place and what was found."""
    tape = tmp_path / "tape.csv"
    tape.write_text(f"n,cmd,id,side,price,qty\n{line}\n")
    with pytest.raises(TapeError, match=names):
        list(read_rows(tape))


def test_an_order_that_no_book_takes_is_a_failure(tmp_path: Path) -> None:
    """A quantity of 0 is refused by the core, and the row is named."""
    with pytest.raises(TapeRefused, match=r"row 0 .*INVALID_QUANTITY"):
        run_tape(tmp_path, "L,1,1,100,0")


def test_the_command_line_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    """A missing tape is status 2, and the last line of stderr names it."""
    status, _, err = command_line(str(tmp_path / "none.csv"), "--json")
    assert status == 2
    assert "none.csv" in err.strip().splitlines()[-1]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.xz"])
def test_fills_are_compressed_by_their_name(tmp_path: Path, suffix: str) -> None:
    """--fills OUT writes plain CSV, or the compression that the name asks for."""
    tape, out = tmp_path / "tape.csv", tmp_path / f"fills{suffix}"
    tape.write_text("n,cmd,id,side,price,qty\n0,L,1,1,100,5\n1,T,0,-1,100,2\n")
    status, _, err = command_line(str(tape), "--fills", str(out), "--json")
    assert status == 0, err
    magic = {".csv": b"n,k,", ".csv.gz": b"\x1f\x8b", ".csv.xz": b"\xfd7zXZ"}[suffix]
    assert out.read_bytes().startswith(magic)
    with open_text(out, "r") as file:
        assert file.read() == "n,k,maker_id,price,qty\n1,0,1,100,2\n"

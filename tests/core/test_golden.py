"""The recorded tape of CME: exactly its fills."""

from __future__ import annotations

import csv
import lzma
import os
import struct
from pathlib import Path

import pytest

from fondaco.core.bare_book import BareBook

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED = Path(os.environ.get("FONDACO_SHARED_DATA") or ROOT.parent / "shared" / "data")
TAPE = SHARED / "l3" / "cme_esh4_part1.tape.csv.xz"
FILLS = SHARED / "l3" / "cme_esh4_part1.fills.csv.xz"
KINDS = {"L": 1, "G": 1, "T": 4, "X": 2, "D": 3}


@pytest.mark.skipif(not TAPE.is_file(), reason=f"no recorded tape at {TAPE}")
def test_the_golden_tape_gives_exactly_the_recorded_fills() -> None:
    """42,456 commands, 3,408 fills in order, 5,134 contracts, 10,877 live, 19241/19242."""
    pack = struct.Struct("<6q").pack
    book = BareBook(1)
    numbers: dict[str, int] = {}
    found: list[tuple[int, int, int, int, int]] = []
    with lzma.open(TAPE, "rt") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        kind = KINDS[row["cmd"]]
        if kind == 1:
            numbers[row["id"]] = len(numbers) + 1
        side = 1 if row["side"] == "1" else 2
        named = 0 if kind == 4 else numbers[row["id"]]
        fills = book.step(pack(kind, 0, named, side, int(row["price"] or 0), int(row["qty"] or 0)))
        for k, (_, maker, price, lots) in enumerate(struct.iter_unpack("<4q", fills)):
            found.append((int(row["n"]), k, maker, price, lots))
    with lzma.open(FILLS, "rt") as lines:
        wanted = [
            (int(r["n"]), int(r["k"]), numbers[r["maker_id"]], int(r["price"]), int(r["qty"]))
            for r in csv.DictReader(lines)
        ]
    assert len(rows) == 42_456
    assert len(wanted) == 3_408
    assert found == wanted
    assert sum(lots for *_, lots in found) == 5_134
    assert (book.open_orders(), book.ignored) == (10_877, 0)
    assert (book.best(0, 1), book.best(0, 2)) == (19_241, 19_242)

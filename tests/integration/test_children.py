"""When a child of the parent is started again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from fondaco.cli import children, faults, serve
from fondaco.cli.children import BACKOFF_S, FAILURES_MAX, STEADY_S, Child
from tests.integration.running import environment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that time.monotonic() says."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def died(child: Child, clock: list[float], *, lived_s: float, status: int) -> tuple[bool, float]:
    """Let it live and die; return whether it may return and after how long."""
    child._started_s = clock[0]
    clock[0] += lived_s
    may_return = child.bury(status)
    return may_return, child.due_s - clock[0]


def test_a_killed_child_returns_for_ever_and_ever_later(clock: list[float]) -> None:
    """Back-off grows to its longest and stays there; a steady life forgets it."""
    child = Child("worker", [])
    waits = []
    for _ in range(20):
        may_return, wait_s = died(child, clock, lived_s=0.1, status=-signal.SIGKILL)
        assert may_return
        waits.append(wait_s)
    assert waits == pytest.approx([*BACKOFF_S, *[BACKOFF_S[-1]] * (20 - len(BACKOFF_S))])
    assert died(child, clock, lived_s=STEADY_S + 1, status=-signal.SIGKILL)[1] == BACKOFF_S[0]


def test_a_child_that_fails_by_itself_ends_the_house(clock: list[float]) -> None:
    """FAILURES_MAX exits of its own within a minute are enough; spread out they are not."""
    child = Child("edge", [])
    said = [died(child, clock, lived_s=1, status=1)[0] for _ in range(FAILURES_MAX)]
    assert said == [True] * (FAILURES_MAX - 1) + [False]
    child = Child("edge", [])
    lived_s = children.FAILURES_WITHIN_S / (FAILURES_MAX - 1) + 1
    assert all(died(child, clock, lived_s=lived_s, status=1)[0] for _ in range(20))


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_ctrl_c_while_the_program_is_read_is_one_sentence(tmp_path: Path, command: str) -> None:
    """SIGINT at the import of the command's room: status 1, the sentence, no traceback, no data."""
    early = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'fondaco.cli.serve':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # as in a terminal
        "from fondaco.__main__ import run\n"
        "run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", early, command, "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert done.returncode == 1
    assert done.stderr == "fondaco: interrupted before anything had begun\n"
    assert not (tmp_path / "data").exists()


def test_a_full_disk_is_one_sentence_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too little room for a start: status 1, how much there is and how much it takes."""
    short = shutil.disk_usage(tmp_path)._replace(free=3 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: short)
    with pytest.raises(typer.Exit) as ended, faults.one_sentence():
        serve.check_space(tmp_path)
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert said == (
        f"fondaco: the disk of {tmp_path} has 3072 kB left and a house needs 16384 kB to start; "
        "free some space or give another --data\n"
    )


def test_a_database_that_can_grow_no_more_says_what_to_do() -> None:
    """SQLite's own words name no way out; the house's do."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE filled (bytes BLOB)")
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError) as full:
            database.execute("INSERT INTO filled VALUES (zeroblob(100000))")
    assert faults.first_line(full.value) == (
        "the disk of the data directory is full; free some space and start again"
    )

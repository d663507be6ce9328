"""When a child of the parent is started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fondaco.cli import children
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

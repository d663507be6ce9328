"""The lock on a data directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fondaco.journal.faults import DataInUse
from fondaco.journal.lock import is_locked, lock_data


def test_one_process_holds_a_data_directory(tmp_path: Path) -> None:
    """A second one is told so, status 4; when the first lets go it may."""
    data = tmp_path / "data"
    held = lock_data(data)
    assert is_locked(data)
    with pytest.raises(DataInUse, match="is in use by a running house") as caught:
        lock_data(data)
    assert caught.value.status == 4
    held.release()
    assert not is_locked(data)
    lock_data(data).release()


def test_the_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    """However it ends: the kernel lets go."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        lock_data(tmp_path)
        os.write(writer, b"x")
        os.read(os.pipe()[0], 1)
        os._exit(0)
    assert os.read(reader, 1) == b"x"
    assert is_locked(tmp_path)
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert not is_locked(tmp_path)
    os.close(reader)
    os.close(writer)


def test_an_orphaned_lock_is_told_from_a_held_one(tmp_path: Path) -> None:
    """A living process holds the lock for good; once it is gone its child's hold is left over."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        lock_data(tmp_path)
        if os.fork() == 0:
            os.write(writer, f"{os.getpid()}\n".encode())
            os.read(os.pipe()[0], 1)
        os.read(os.pipe()[0], 1)
    child = int(os.read(reader, 16))
    with pytest.raises(DataInUse, match=f"process {parent}") as caught:
        lock_data(tmp_path)
    assert not caught.value.is_orphaned
    os.kill(parent, 9)
    os.waitid(os.P_PID, parent, os.WEXITED | os.WNOWAIT)  # ended, and not buried yet
    with pytest.raises(DataInUse) as caught:
        lock_data(tmp_path)
    assert caught.value.is_orphaned
    os.kill(child, 9)
    os.waitpid(parent, 0)
    os.close(reader)
    os.close(writer)


def test_asking_whether_it_is_locked_makes_nothing(tmp_path: Path) -> None:
    """Verify asks, and writes nothing."""
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []

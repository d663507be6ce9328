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


def test_asking_whether_it_is_locked_makes_nothing(tmp_path: Path) -> None:
    """Verify asks, and writes nothing."""
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []

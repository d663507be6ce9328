"""The forgetful file system, mounted for a test and unmounted after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.power.forgetful import CONTROL

READY_S: Final = 20.0


class Mount:
    """A mounted forgetful file system; raises if it isn't really there."""

    def __init__(self, point: Path) -> None:
        """Name an empty directory."""
        self.point = point
        self._control = str(point) + CONTROL
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.point.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.power.forgetful", str(self.point)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + READY_S
        while not os.path.ismount(self.point):
            if self._process.poll() is not None:
                assert self._process.stderr is not None
                raise RuntimeError(f"not mounted: {self._process.stderr.read().decode()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"not mounted after {READY_S} s")
            time.sleep(0.01)
        self.assert_live()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        for program in ("fusermount3", "fusermount", "umount"):
            try:
                done = subprocess.run([program, "-u", str(self.point)], check=False)
            except FileNotFoundError:
                continue
            if done.returncode == 0:
                break
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def counts(self) -> dict[str, int]:
        """Return what really happened inside."""
        handle = os.open(self._control, os.O_RDONLY)
        try:
            found: dict[str, int] = json.loads(os.read(handle, 4096))
        finally:
            os.close(handle)
        return found

    def assert_live(self) -> None:
        """Raise unless the path is a mount point that our own process answers."""
        assert self._process is not None
        assert os.path.ismount(self.point), f"{self.point} is not a mount point"
        assert self.counts()["pid"] == self._process.pid, "another process answers at the mount"

    def cut(self, seed: int) -> None:
        """Cut the power: everything fails until on()."""
        self._write(f"cut {seed}")

    def on(self) -> None:
        """Power on: what was durable is there."""
        self._write("on")

    def clear(self) -> None:
        """Forget all files, for a new house."""
        self._write("clear")

    def _write(self, text: str) -> None:
        handle = os.open(self._control, os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

"""Has a house's worker be killed at a chosen point: this folder is on its PYTHONPATH.

FONDACO_TEST_DEATHS names a folder. A file "locked" there, with a client's id in it, kills the
worker with SIGKILL as soon as it holds the client's lock, "ordered" when the client's purchase is
done and nothing of it is written yet. The file goes first, so that the successor lives.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

WORKER = "fondaco.robots.hub.worker"


class Finder:
    """Finds the hub's worker as anybody does, and puts the points into it once it is loaded."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        if name != WORKER:
            return None
        sys.meta_path.remove(self)
        found: Any = importlib.util.find_spec(name)
        load = found.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            put_points(module.Hub, module.Operations)

        found.loader.exec_module = exec_module
        return found


def die(at: str, clients: list[str]) -> None:
    point = Path(os.environ["FONDACO_TEST_DEATHS"]) / at
    if point.exists() and point.read_text(encoding="utf-8") in clients:
        point.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def put_points(hub: Any, operations: Any) -> None:
    lock, write = hub._lock, operations._write

    def locked(self: Any, triggered: Any) -> Any:
        held = lock(self, triggered)
        die("locked", [each.robot for each in held.values()])
        return held

    def wrote(self: Any, steps: Any) -> None:
        die("ordered", [step.op.robot for step in steps if step.op.bought])
        write(self, steps)

    hub._lock, operations._write = locked, wrote


if "FONDACO_TEST_DEATHS" in os.environ:
    sys.meta_path.insert(0, Finder())

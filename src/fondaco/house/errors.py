"""The two faults of a house file: with a path (inside), with a line (for people)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["HouseFault", "HouseFileError"]


class HouseFault(ValueError):
    """A value that can't stand: `path` says where in the file, `what` what was found and to do."""

    def __init__(self, path: Sequence[str | int], what: str) -> None:
        super().__init__(what)
        self.path = tuple(path)
        self.what = what


class HouseFileError(ValueError):
    """The house file can't be applied: one sentence with the file, its line and what to do."""

    def __init__(self, name: str, line: int, what: str) -> None:
        place = f"{name} line {line}" if line else name
        super().__init__(f"house file {place}: {what}")
        self.name = name
        self.line = line
        self.what = what

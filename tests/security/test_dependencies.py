"""Dependencies are what was locked: each pinned to one release, by the hashes of its files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def unlocked(text: str) -> list[str]:
    """Return the requirements of a lock that are not pinned and hashed."""
    whole = text.replace("\\\n", " ").splitlines()
    lines = [line for line in whole if line.strip() and not line.lstrip().startswith("#")]
    pinned = re.compile(r"[\w.\[\],-]+==\S+.*--hash=sha256:[0-9a-f]{64}")
    return [line[:60] for line in lines if not pinned.match(line)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_by_hash(lock: Path) -> None:
    """No line of a lock is without its release and hashes, and none names a host."""
    text = lock.read_text(encoding="utf-8")
    assert unlocked(text) == []
    assert "://" not in re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


def test_a_requirement_without_a_hash_is_caught() -> None:
    """The planted bugs: a range, and a release without a hash."""
    assert unlocked("django>=5\nstripe==15.0.0\n") == ["django>=5", "stripe==15.0.0"]
    assert LOCKS

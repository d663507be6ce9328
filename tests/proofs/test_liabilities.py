"""The tree of liabilities: every branch leads up, and nothing else does."""

from __future__ import annotations

import contextlib
import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fondaco.journal import liabilities
from fondaco.journal.liabilities import AssetTree, BranchBroken, Leaf, branch_file, verify

WHEN = "2026-11-20T21:00:00+00:00"


def leaves(count: int, seed: int = 1) -> list[Leaf]:
    chance = random.Random(seed)
    return [Leaf(chance.randrange(1, 10**15), chance.randbytes(32)) for _ in range(count)]


def file_of(place: int, count: int = 11) -> bytes:
    trees = [AssetTree("USDT", 8, leaves(count)), AssetTree("BTC", 8, leaves(3, seed=2))]
    return branch_file(house="House", seq=7, made_at=WHEN, trees=trees, places={"USDT": place})


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 100])
def test_every_branch_leads_to_the_root(count: int) -> None:
    """Every leaf of a tree of any size verifies, with its own amount and the sum of all."""
    tree = AssetTree("USDT", 8, leaves(count))
    assert tree.root[1] == sum(leaf.amount for leaf in tree.leaves)
    for place, leaf in enumerate(tree.leaves):
        raw = branch_file(house="House", seq=7, made_at=WHEN, trees=[tree], places={"USDT": place})
        found = verify(raw)
        assert found.amounts == [("USDT", 8, leaf.amount, tree.root[1])]
        assert verify(raw, root=found.root) == found


def changed(raw: bytes, place: int) -> Iterator[bytes]:
    """Yield the file with one byte changed, dropped or doubled."""
    for mask in (1, 0x20, 0x80):
        yield raw[:place] + bytes([raw[place] ^ mask]) + raw[place + 1 :]
    yield raw[:place] + raw[place + 1 :]
    yield raw[:place] + raw[place : place + 1] + raw[place:]


def passes(raw: bytes) -> list[int]:
    """Return the places at which a change goes unnoticed."""
    found = []
    for place in range(len(raw)):
        for other in changed(raw, place):
            with contextlib.suppress(BranchBroken):
                verify(other)
                found.append(place)
    return found


def test_every_changed_byte_breaks_it() -> None:
    """A file with any one byte changed, dropped or doubled proves nothing."""
    verify(file_of(4))
    assert passes(file_of(4)) == []


def test_the_bytes_catch_a_climb_that_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug, the branch isn't compared with the root, lets changed bytes pass."""
    planted = lambda code, yours, root: liabilities._amount(yours.amount)
    monkeypatch.setattr(liabilities, "_climb", planted)
    assert passes(file_of(4)) != []


def test_another_root_is_not_ours() -> None:
    """A whole file under another root than the published one is refused."""
    with pytest.raises(BranchBroken, match="published"):
        verify(file_of(4), root="00" * 32)


def test_leaf_and_node_can_not_stand_for_each_other() -> None:
    """A node's digest differs from a leaf's over the same bytes, and a place from another."""
    first, second = leaves(2)
    assert AssetTree("A", 0, [first, second]).root != AssetTree("A", 0, [second, first]).root
    assert AssetTree("A", 0, [first]).root != AssetTree("B", 0, [first]).root
    digest = AssetTree("A", 0, [first]).root[0]
    assert digest != hashlib.blake2b(first.nonce, digest_size=32).digest()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"\xff", b"[" * 10_000, b'{"format":1}', b" " * (2 << 20)]
)
def test_what_is_no_file_is_refused(raw: bytes) -> None:
    """Garbage gets the one exception."""
    with pytest.raises(BranchBroken):
        verify(raw)


def test_the_command_says_what_it_found(tmp_path: Path) -> None:
    """0 and the amounts for a whole file, 1 for a broken one, 2 for none."""
    path = tmp_path / "balance-7.json"
    command = [sys.executable, "-m", "fondaco", "verify-balance", str(path)]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run().returncode == 2
    path.write_bytes(file_of(4))
    good = run()
    assert good.returncode == 0, good.stderr
    assert " USDT of " in good.stdout
    path.write_bytes(file_of(4).replace(b"House", b"Horse"))
    bad = run()
    assert bad.returncode == 1
    assert "proves nothing" in bad.stderr

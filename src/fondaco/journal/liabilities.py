"""Proof of balance: a Merkle sum tree of what the house owes, per asset, at a journal position.

Promises: a leaf binds one member's amount, its place and a nonce that only the member learns; a
node binds both children's digests and sums, and its sum is theirs; the root of all binds house,
position and every asset's root and total. verify() accepts exactly the bytes that branch_file()
wrote: a file in which any byte was changed raises BranchBroken. Digests are BLAKE2b-256, amounts
are whole units, never negative. It proves that an amount is part of the published total, not that
the house has the assets.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec

__all__ = [
    "AssetTree",
    "BranchBroken",
    "Leaf",
    "Verified",
    "branch_file",
    "root_of",
    "verify",
]

FORMAT: Final = "fondaco proof of balance 1"
DIGEST_BYTES: Final = 32
AMOUNT_MAX: Final = (1 << 63) - 1
DEPTH_MAX: Final = 64
FILE_BYTES_MAX: Final = 1 << 20  # a branch is some 40 steps of 150 bytes for each asset

Node = tuple[bytes, int]  # digest, sum


class BranchBroken(Exception):
    """The file is not a branch of the tree that it names; the text says where."""


class Leaf(msgspec.Struct, frozen=True):
    """What the house owes one member of one asset. The nonce is 32 bytes of chance."""

    amount: int
    nonce: bytes


class AssetTree:
    """The tree of one asset; leaves keep their order."""

    def __init__(self, code: str, decimals: int, leaves: Sequence[Leaf]) -> None:
        self.code = code
        self.decimals = decimals
        self.leaves = list(leaves)
        level = [_leaf_node(code, place, leaf) for place, leaf in enumerate(self.leaves)]
        self._levels = [level]
        while len(level) > 1:
            level = [
                _join(level[at], level[at + 1]) if at + 1 < len(level) else level[at]
                for at in range(0, len(level), 2)
            ]
            self._levels.append(level)

    @property
    def root(self) -> Node:
        """Digest and total; of nothing, a digest of zeros and 0."""
        top = self._levels[-1]
        return top[0] if top else (bytes(DIGEST_BYTES), 0)

    def branch(self, place: int) -> list[list[str]]:
        """Return the steps from a leaf to the root: side, digest and sum of each sibling."""
        steps = []
        for level in self._levels[:-1]:
            sibling = place ^ 1
            if sibling < len(level):
                digest, total = level[sibling]
                steps.append(["right" if sibling > place else "left", digest.hex(), str(total)])
            place >>= 1
        return steps


def _leaf_node(code: str, place: int, leaf: Leaf) -> Node:
    assert 0 <= leaf.amount <= AMOUNT_MAX, f"{code}: a liability of {leaf.amount}"
    body = b"leaf" + struct.pack("<qq", place, leaf.amount) + leaf.nonce + code.encode()
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest(), leaf.amount


def _join(left: Node, right: Node) -> Node:
    total = left[1] + right[1]
    assert total <= AMOUNT_MAX, f"liabilities of {total} can't be counted"
    body = b"node" + left[0] + struct.pack("<q", left[1]) + right[0] + struct.pack("<q", right[1])
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest(), total


def root_of(house: str, seq: int, made_at: str, roots: Sequence[tuple[str, int, Node]]) -> str:
    """Return the root of all: over (code, decimals, (digest, total)) in the order of codes."""
    words = [
        [code, decimals, digest.hex(), str(total)] for code, decimals, (digest, total) in roots
    ]
    body = b"root" + _canonical([FORMAT, house, seq, made_at, words])
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).hexdigest()


def branch_file(
    *,
    house: str,
    seq: int,
    made_at: str,
    trees: Sequence[AssetTree],
    places: dict[str, int],
) -> bytes:
    """Return a member's file: `places` says which leaf is theirs, by asset code."""
    trees = sorted(trees, key=lambda tree: tree.code)
    assets = []
    for tree in trees:
        digest, total = tree.root
        words: dict[str, Any] = {
            "asset": tree.code,
            "decimals": tree.decimals,
            "root": digest.hex(),
            "total": str(total),
        }
        place = places.get(tree.code)
        if place is not None:
            leaf = tree.leaves[place]
            words["yours"] = {
                "amount": str(leaf.amount),
                "nonce": leaf.nonce.hex(),
                "place": place,
                "branch": tree.branch(place),
            }
        assets.append(words)
    roots = [(tree.code, tree.decimals, tree.root) for tree in trees]
    return _canonical(
        {
            "format": FORMAT,
            "house": house,
            "seq": seq,
            "made_at": made_at,
            "root": root_of(house, seq, made_at, roots),
            "assets": assets,
        }
    )


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a file proves: these amounts, in units, are part of the total under this root."""

    house: str
    seq: int
    made_at: str
    root: str
    amounts: list[tuple[str, int, int, int]]  # asset, decimals, amount, total


def verify(raw: bytes, *, root: str = "") -> Verified:
    """Check a file, offline; with `root` also that it is the published one. Raises BranchBroken."""
    if len(raw) > FILE_BYTES_MAX:
        raise BranchBroken(f"the file has {len(raw)} bytes; a branch has at most {FILE_BYTES_MAX}")
    try:
        found = msgspec.json.decode(raw, type=_File, strict=True)
        again = _canonical(json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise BranchBroken("the file is not a proof of balance") from error
    if found.format != FORMAT or again != raw:
        raise BranchBroken("the file is not a proof of balance as the house wrote it")
    amounts = []
    roots = []
    for asset in found.assets:
        node = (_digest(asset.root), _amount(asset.total))
        roots.append((asset.asset, asset.decimals, node))
        if asset.yours is not None:
            amount = _climb(asset.asset, asset.yours, node)
            amounts.append((asset.asset, asset.decimals, amount, node[1]))
    codes = [code for code, _, _ in roots]
    if codes != sorted(set(codes)):
        raise BranchBroken("the assets are not in order, each once")
    if root_of(found.house, found.seq, found.made_at, roots) != found.root:
        raise BranchBroken("the root of all is not that of what stands in the file")
    if root and root != found.root:
        raise BranchBroken(f"the file's root is {found.root}, and the published one is another")
    return Verified(
        house=found.house,
        seq=found.seq,
        made_at=found.made_at,
        root=found.root,
        amounts=amounts,
    )


class _Yours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: str
    nonce: str
    place: int
    branch: list[tuple[str, str, str]]


class _Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asset: str
    decimals: int
    root: str
    total: str
    yours: _Yours | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    house: str
    seq: int
    made_at: str
    root: str
    assets: list[_Asset]


def _climb(code: str, yours: _Yours, root: Node) -> int:
    """Return the amount of a leaf that leads to the root."""
    amount = _amount(yours.amount)
    if not 0 <= yours.place < 1 << 40 or len(yours.branch) > DEPTH_MAX:
        raise BranchBroken(f"{code}: no leaf can stand there")
    node = _leaf_node(code, yours.place, Leaf(amount, _digest(yours.nonce)))
    for side, digest, total in yours.branch:
        sibling = (_digest(digest), _amount(total))
        if node[1] + sibling[1] > AMOUNT_MAX or side not in {"left", "right"}:
            raise BranchBroken(f"{code}: a step of the branch is no step")
        node = _join(sibling, node) if side == "left" else _join(node, sibling)
    if node != root:
        raise BranchBroken(f"{code}: the branch doesn't lead to the root")
    return amount


def _digest(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise BranchBroken("a digest is not hexadecimal") from error
    if len(found) != DIGEST_BYTES or found.hex() != text:
        raise BranchBroken("a digest is not of 32 bytes")
    return found


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or str(int(text[:20])) != text:
        raise BranchBroken(f"{text[:40]!r} is not a whole amount of units")
    amount = int(text)
    if amount > AMOUNT_MAX:
        raise BranchBroken(f"{text} is more than can be counted")
    return amount


def _canonical(words: object) -> bytes:
    return json.dumps(words, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()

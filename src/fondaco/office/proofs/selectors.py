"""Published proofs, and a member's branch of one."""

from __future__ import annotations

from typing import Any

from fondaco.core.money import format_units
from fondaco.identity.models import Member
from fondaco.journal.liabilities import AssetTree, Leaf, branch_file
from fondaco.office.proofs.models import Proof

__all__ = ["branch", "published"]

SHOWN_MAX = 100


def published() -> list[dict[str, Any]]:
    """Return the proofs, newest first, with the totals that they claim."""
    rows = Proof.objects.prefetch_related("assets").order_by("-seq")[:SHOWN_MAX]
    return [
        {
            "seq": proof.seq,
            "made_at": proof.made_at,
            "root": proof.root,
            "totals": [
                {"asset": row.code, "total": format_units(row.total, row.decimals)}
                for row in sorted(proof.assets.all(), key=lambda row: row.code)
            ],
        }
        for proof in rows
    ]


def branch(member: Member, seq: int) -> bytes | None:
    """Return a member's file of one proof, or None if there is no such proof."""
    proof = Proof.objects.filter(pk=seq).first()
    if proof is None:
        return None
    trees, places = [], {}
    for row in proof.assets.order_by("code"):
        leaves = list(row.leaves.order_by("place"))
        trees.append(
            AssetTree(
                row.code,
                row.decimals,
                [Leaf(leaf.amount, bytes(leaf.nonce)) for leaf in leaves],
            )
        )
        for leaf in leaves:
            if leaf.member_id == member.pk:
                places[row.code] = leaf.place
    return branch_file(
        house=proof.house, seq=proof.seq, made_at=proof.made_at, trees=trees, places=places
    )

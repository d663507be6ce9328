"""Publishing a proof of balance.

Promises: the leaves are the sums of all postings up to one journal position, and their total is
the core's own at that position, or nothing is published; members stand in an order of chance, so
that a place tells nothing.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from fondaco.core import records
from fondaco.identity.core_door import Core
from fondaco.identity.models import Account, Member
from fondaco.journal.liabilities import AssetTree, Leaf, root_of
from fondaco.office.proofs.models import Proof, ProofAsset, ProofLeaf
from fondaco.projections.models import POSTING_BITS, Posting
from fondaco.projections.selectors import asset_codes, cursor

__all__ = ["ProofRefused", "publish"]

NONCE_BYTES: Final = 32
CATCH_UP_S: Final = 10.0  # how long history may be behind the core
POLL_S: Final = 0.05


class ProofRefused(Exception):
    """Nothing was published; one sentence says why."""


def publish(core: Core, *, by: Member) -> Proof:
    """Publish what the house owes now; raises ProofRefused."""
    seq, totals = _totals(core)
    if Proof.objects.filter(pk=seq).exists():
        return Proof.objects.get(pk=seq)
    _await_history(seq)
    owed = liabilities(seq)
    for asset, total in totals.items():
        found = sum(owed.get(asset, {}).values())
        if found != total:
            raise ProofRefused(
                f"history owes {found} units of asset {asset} and the core {total}: "
                "run `fondaco verify`, then delete the projections to have them rebuilt"
            )
    return _write(seq, owed, by)


def _totals(core: Core) -> tuple[int, dict[int, int]]:
    """Return a journal position and what the core owes its members there."""
    answer = core.query(records.pack(records.Query.TOTALS))
    found = {}
    for record in records.split(bytes(answer.records)):
        words = records.unpack(record)
        found[words["asset"]] = words["members"]
    return answer.seq, found


def _await_history(seq: int) -> None:
    deadline = time.monotonic() + CATCH_UP_S
    while cursor().seq < seq:
        if time.monotonic() > deadline:
            raise ProofRefused("history is behind the core; try again in a moment")
        time.sleep(POLL_S)


def liabilities(seq: int) -> dict[int, dict[int, int]]:
    """Return what is owed after a command: asset -> member -> units, over all their accounts."""
    owners = dict(Account.objects.values_list("number", "member_id"))
    owed: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for field, sign in (("credit_account", 1), ("debit_account", -1)):
        rows = Posting.objects.filter(
            id__lt=(seq + 1) << POSTING_BITS, **{f"{field}__gte": records.ACCOUNT_FIRST}
        )
        for account, asset, amount in rows.values_list(field, "asset").annotate(Sum("amount")):
            owed[asset][owners[account]] += sign * int(amount)
    return owed


@transaction.atomic
def _write(seq: int, owed: dict[int, dict[int, int]], by: Member) -> Proof:
    made_at = timezone.now().isoformat(timespec="seconds")
    codes = asset_codes()
    trees = []
    for asset in sorted(owed, key=lambda number: codes[number][0]):
        members = [(member, amount) for member, amount in owed[asset].items() if amount]
        secrets.SystemRandom().shuffle(members)
        leaves = [Leaf(amount, secrets.token_bytes(NONCE_BYTES)) for _, amount in members]
        code, decimals = codes[asset]
        trees.append((AssetTree(code, decimals, leaves), members))
    roots = [(tree.code, tree.decimals, tree.root) for tree, _ in trees]
    proof = Proof.objects.create(
        seq=seq,
        made_at=made_at,
        house=settings.HOUSE_NAME,
        root=root_of(settings.HOUSE_NAME, seq, made_at, roots),
        made_by=by,
    )
    for tree, members in trees:
        digest, total = tree.root
        row = ProofAsset.objects.create(
            proof=proof, code=tree.code, decimals=tree.decimals, root=digest.hex(), total=total
        )
        ProofLeaf.objects.bulk_create(
            ProofLeaf(asset=row, place=place, member_id=member, amount=amount, nonce=leaf.nonce)
            for place, ((member, amount), leaf) in enumerate(zip(members, tree.leaves, strict=True))
        )
    return proof

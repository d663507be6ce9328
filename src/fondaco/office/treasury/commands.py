"""Sending a money command to the core, once, however often it is tried.

Promises: carry_out() may be called again after any failure and by several processes at once: the
row's id is the core's entry, so one of them moves the money and the others learn that it moved.
"""

from __future__ import annotations

from typing import Final

from fondaco.core import records
from fondaco.identity import core_door
from fondaco.identity.core_door import CommandRefused, Core
from fondaco.office.treasury.models import MoneyCommand

__all__ = ["REASONS", "FieldRefused", "MoneyRefused", "carry_out", "record"]

REASONS: Final = {
    records.Reason.INSUFFICIENT_BALANCE: "the account has less than that free",
    records.Reason.TOTAL_TOO_LARGE: "the house can't count that much of the asset",
    records.Reason.INVALID_AMOUNT: "the amount is out of range",
    records.Reason.UNKNOWN_ASSET: "the house has no such asset",
    records.Reason.UNKNOWN_ACCOUNT: "the account isn't open",
}


class MoneyRefused(Exception):
    """What was asked can't be done: one sentence that says why. Nothing has moved."""


class FieldRefused(MoneyRefused):
    """A field of what was asked can't be read, or names nothing that there is."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def record(
    kind: records.Command, *, account: int, asset: int, amount: int, to_account: int = 0
) -> MoneyCommand:
    """Write the row of a command; it is sent later, by carry_out()."""
    if not 0 < amount <= records.ASSET_TOTAL_MAX:
        raise MoneyRefused("the amount must be above zero and within what the house can count")
    return MoneyCommand.objects.create(
        kind=kind.value, account=account, to_account=to_account, asset=asset, amount=amount
    )


def carry_out(core: Core, row: MoneyCommand) -> bool:
    """Have the core carry the command out; return whether it did, False if it refused.

    Raises what the client raises; then the outcome is unknown until it is tried again.
    """
    if row.seq or row.reason:
        return not row.reason
    words = {"to_account": row.to_account} if row.kind == records.Command.TRANSFER else {}
    command = records.pack(
        row.kind, account=row.account, asset=row.asset, amount=row.amount, entry=row.pk, **words
    )
    try:
        events = core_door.submit(core, command)
    except CommandRefused as refusal:
        if refusal.reason is records.Reason.DUPLICATE_ENTRY:  # done before, the answer was lost
            row.seq = refusal.detail[0]
        else:
            row.reason = refusal.reason.value
    else:
        row.seq = records.HEAD.unpack_from(events[0])[1]
    row.save(update_fields=["seq", "reason"])
    return not row.reason


def why(row: MoneyCommand) -> str:
    """Return why the core refused, in words."""
    reason = records.Reason(row.reason)
    return REASONS.get(reason, f"the core refused it ({reason.name})")

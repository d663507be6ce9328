"""Freezing a member: no trading, open orders cancelled; money may still be withdrawn.

Promises: each of the member's accounts is frozen in the core before its orders are cancelled, so
that none comes in between; the row is marked and the log written when all is acknowledged. Calling
again goes on where it stopped. Accounts that are opened later are born frozen.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from fondaco.core import records
from fondaco.identity import core_door
from fondaco.identity.core_door import Core
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note

__all__ = ["set_frozen"]

ALL_INSTRUMENTS = 0


def set_frozen(
    core: Core, member: Member, *, frozen: bool, actor: Member | None = None, address: str = ""
) -> None:
    """Freeze or unfreeze a member; raises CommandRefused and what the client raises."""
    if (member.frozen_at is not None) == frozen:
        return
    for account in member.accounts.filter(opened_at__isnull=False).order_by("number"):
        body = records.AccountBody(member=member.pk, kind=account.kind, frozen=frozen)
        command = records.Command.CONFIGURE_ACCOUNT
        core_door.submit(core, records.pack_body(command, body, account=account.number))
        if frozen:
            everything = records.pack(
                records.Command.CANCEL_ALL, account=account.number, instrument=ALL_INSTRUMENTS
            )
            core_door.submit(core, everything)
    with transaction.atomic():
        member.frozen_at = timezone.now() if frozen else None
        member.save(update_fields=["frozen_at"])
        action = Action.FROZEN if frozen else Action.UNFROZEN
        note(action, actor=actor, subject=member, address=address)

"""Maintenance of the house: members may cancel and withdraw, and nothing trades.

Promises: the core has it by a journaled command before the row is marked and the log written; the
command goes out whatever the row says, so that a lost answer is made good by asking again.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from fondaco.core import records
from fondaco.identity import core_door
from fondaco.identity.core_door import Core
from fondaco.identity.models import HouseState, Member
from fondaco.identity.security_log import Action, note

__all__ = ["began_at", "set_maintenance"]


def set_maintenance(core: Core, *, maintenance: bool, actor: Member, address: str = "") -> None:
    """Put the house in maintenance or take it out; raises CommandRefused, and as the client."""
    command = records.pack(records.Command.CONFIGURE_HOUSE, maintenance=int(maintenance))
    core_door.submit(core, command)
    with transaction.atomic():
        state, _ = HouseState.objects.select_for_update().get_or_create(pk=1)
        if maintenance == (state.maintenance_at is not None):
            return
        state.maintenance_at = timezone.now() if maintenance else None
        state.save(update_fields=["maintenance_at"])
        action = Action.MAINTENANCE_BEGUN if maintenance else Action.MAINTENANCE_ENDED
        note(action, actor=actor, subject=None, address=address)


def began_at() -> dt.datetime | None:
    """Return since when the house is in maintenance; None: it is not."""
    return HouseState.objects.values_list("maintenance_at", flat=True).first()

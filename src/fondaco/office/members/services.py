"""What the members' pages do beyond identity: the account in the core that a member trades on.

Promises: calling again goes on where it stopped. A writer that doesn't answer keeps nobody out of
the house: the account is opened at the next sign-in.
"""

from __future__ import annotations

import logging

from fondaco.identity import selectors
from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.link.answers import LinkError
from fondaco.office import writer

__all__ = ["open_first_account"]

_log = logging.getLogger(__name__)


def open_first_account(member: Member) -> None:
    """Open the account that a member begins with, unless they have one."""
    if selectors.accounts_of(member.pk):
        return
    try:
        identity.open_account(writer.core(), member=member)
    except LinkError as error:
        _log.warning("the account of member %s waits for the next sign-in: %s", member.pk, error)

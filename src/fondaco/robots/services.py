"""Every write of the robots but leases: how feeds stand, and what they set aside.

Promises: what is kept of a feed has a bound, however much of its stream can't be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from django.db import transaction

from fondaco.robots.models import FeedState, SetAsideMessage

__all__ = ["SET_ASIDE_MAX", "Aside", "set_aside", "tell_feed"]

SET_ASIDE_MAX: Final = 1_000  # of a feed; older ones go
PAYLOAD_LETTERS_MAX: Final = 2_048
REASON_LETTERS_MAX: Final = 300


class Aside(msgspec.Struct, frozen=True):
    """One message that could not be taken."""

    fault: str
    reason: str
    payload: bytes


@transaction.atomic
def set_aside(feed: str, messages: Sequence[Aside], *, now_us: int) -> None:
    """Keep messages with their reasons, and of all of the feed's the newest."""
    SetAsideMessage.objects.bulk_create(
        SetAsideMessage(
            feed=feed,
            received_us=now_us,
            fault=each.fault,
            reason=each.reason[:REASON_LETTERS_MAX].replace("\0", "\\x00"),
            payload=_shown(each.payload),
        )
        for each in messages[-SET_ASIDE_MAX:]
    )
    kept = SetAsideMessage.objects.filter(feed=feed).order_by("-id")
    last = kept.values_list("id", flat=True)[SET_ASIDE_MAX : SET_ASIDE_MAX + 1].first()
    if last is not None:
        SetAsideMessage.objects.filter(feed=feed, id__lte=last).delete()


def tell_feed(state: FeedState) -> None:
    """Write how a feed stands."""
    state.save()


def _shown(payload: bytes) -> str:
    text = payload[:PAYLOAD_LETTERS_MAX].decode("utf-8", "backslashreplace")
    return text.replace("\0", "\\x00")

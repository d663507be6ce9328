"""Mails that tell members of the coming end of their membership.

Promises: one mail for each of DAYS_BEFORE and each end, whatever the number of processes that
send; a mail that could not be handed over is tried again. Who joined late in a span gets the
nearest mail only. Staff, who pass the gate without one, get none.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.office.billing.models import Reminder
from fondaco.office.notices.kinds import Kind
from fondaco.office.notices.services import tell

__all__ = ["DAYS_BEFORE", "send_reminders", "tell_ended"]

DAYS_BEFORE: Final = (0, 3, 14)
AT_ONCE_MAX: Final = 20  # a turn; mail is slow
ENDED: Final = -1  # days before, of the row that a membership's end was told
ENDED_DAYS: Final = 7  # ago; an end before that is no news


def send_reminders() -> int:
    """Send what is due; return how many."""
    today = timezone.localdate()
    count = 0
    for place, days in enumerate(DAYS_BEFORE):
        nearer = today + dt.timedelta(days=DAYS_BEFORE[place - 1]) if place else None
        ends = today + dt.timedelta(days=days)
        due = Member.objects.filter(
            is_active=True, is_staff=False, membership_until__gte=today, membership_until__lte=ends
        )
        if nearer is not None:
            due = due.filter(membership_until__gt=nearer)
        sent = Reminder.objects.filter(days_before=days, until__gte=today)
        for member in due.exclude(pk__in=sent.values("member")).order_by("pk")[:AT_ONCE_MAX]:
            count += _remind(member, days)
    return count


@transaction.atomic
def _remind(member: Member, days: int) -> int:
    """Send one mail unless it was sent; a failure takes the row along."""
    until = member.membership_until
    assert until is not None, f"{member} was found by the end of a membership"
    _, is_new = Reminder.objects.get_or_create(member=member, until=until, days_before=days)
    if not is_new:
        return 0
    details = {"until": until.isoformat()}
    reference = f"{until.isoformat()}-{days}"
    tell(member, Kind.MEMBERSHIP_ENDING, reference=reference, details=details)
    send_mail(
        f"Your membership of {settings.HOUSE_NAME} ends on {until:%d %B %Y}",
        f"Hello {member.username},\n\nyour membership ends on {until:%d %B %Y}. It does not renew "
        f"by itself; to extend it by a year:\n\n{settings.BASE_URL}/memberships/checkout\n\n"
        "Trading, cancelling and withdrawing stay open without it.\n",
        None,
        [member.email],
    )
    return 1


def tell_ended() -> int:
    """Tell members that their membership has ended, once for each end; return how many."""
    today = timezone.localdate()
    ended = Member.objects.filter(
        is_active=True,
        is_staff=False,
        membership_until__lt=today,
        membership_until__gte=today - dt.timedelta(days=ENDED_DAYS),
    )
    told = Reminder.objects.filter(days_before=ENDED, until=OuterRef("membership_until"))
    count = 0
    for member in ended.exclude(Exists(told.filter(member=OuterRef("pk"))))[:AT_ONCE_MAX]:
        until = member.membership_until
        assert until is not None, f"{member} was found by the end of a membership"
        with transaction.atomic():
            _, is_new = Reminder.objects.get_or_create(
                member=member, until=until, days_before=ENDED
            )
            if is_new:
                details = {"until": until.isoformat()}
                reference = until.isoformat()
                tell(member, Kind.MEMBERSHIP_ENDED, reference=reference, details=details)
                count += 1
    return count

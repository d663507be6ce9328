"""Reminders of a membership's end: one mail a span, none twice, none lost."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.identity.services import create_member
from fondaco.office.billing import reminders
from fondaco.office.billing.models import Reminder
from fondaco.office.billing.reminders import send_reminders

pytestmark = pytest.mark.django_db


def member(name: str, days: int | None, roles: tuple[str, ...] = ("member",)) -> Member:
    until = None if days is None else timezone.localdate() + dt.timedelta(days=days)
    return create_member(
        username=name,
        email=f"{name}@example.com",
        password="a long one here",
        roles=roles,
        membership_until=until,
    )


@pytest.mark.parametrize(
    "days, span", [(0, 0), (1, 3), (3, 3), (4, 14), (14, 14), (15, None), (-1, None), (None, None)]
)
def test_each_span_sends_one_mail(days: int | None, span: int | None) -> None:
    """So many days before the end the mail of the nearest span goes out, once."""
    member("ann", days)
    assert send_reminders() == (0 if span is None else 1)
    assert send_reminders() == 0
    assert [row.days_before for row in Reminder.objects.all()] == ([] if span is None else [span])
    assert len(mail.outbox) == (0 if span is None else 1)
    if span is not None:
        assert mail.outbox[0].to == ["ann@example.com"]
        assert "/memberships/checkout" in mail.outbox[0].body


def test_staff_and_shut_out_members_get_none() -> None:
    """Who passes the gate anyway, or may not sign in, isn't told to pay."""
    member("ann", 1, ("member", "admin"))
    bob = member("bob", 1)
    bob.is_active = False
    bob.save()
    assert send_reminders() == 0


def test_a_renewal_is_reminded_anew() -> None:
    """A later end has reminders of its own."""
    ann = member("ann", 2)
    assert send_reminders() == 1
    ann.membership_until = timezone.localdate() + dt.timedelta(days=365)
    ann.save()
    assert send_reminders() == 0
    Reminder.objects.update(until=timezone.localdate() - dt.timedelta(days=363))
    ann.membership_until = timezone.localdate() + dt.timedelta(days=3)
    ann.save()
    assert send_reminders() == 1


def test_a_mail_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused hand-over leaves no row, so the next turn sends it."""
    member("ann", 1)

    def refuse(*_: object) -> None:
        raise OSError("no mail server")

    with monkeypatch.context() as patch:
        patch.setattr(reminders, "send_mail", refuse)
        with pytest.raises(OSError, match="no mail server"):
            send_reminders()
    assert not Reminder.objects.exists()
    assert send_reminders() == 1

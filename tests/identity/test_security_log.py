"""The security log: whatever is changed, taken out, put in or cut off is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from fondaco.identity import invites, security_log, services
from fondaco.identity.models import Member, SecurityEntry, SecurityHead
from fondaco.identity.security_log import Action, Broken

pytestmark = pytest.mark.django_db


def written() -> list[SecurityEntry]:
    ann = services.create_member(username="ann", email="ann@example.com", password="")
    services.create_member(username="bob", email="bob@example.com", password="")
    for place in range(4):
        security_log.note(
            Action.SIGNED_IN, actor=ann, subject=ann, address="192.0.2.7", place=place
        )
    return list(SecurityEntry.objects.order_by("number"))


def test_an_untouched_log_verifies() -> None:
    """Entries are numbered from 1 without a hole; an empty log verifies, too."""
    assert security_log.verify().entries == 0
    entries = written()
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5, 6]
    verified = security_log.verify()
    assert (verified.entries, verified.digest) == (6, entries[-1].digest)


def change(**fields: object) -> Callable[[], object]:
    return lambda: SecurityEntry.objects.filter(number=3).update(**fields)


def swap_members() -> object:
    bob = Member.objects.get(username="bob")
    return SecurityEntry.objects.filter(number=3).update(actor=bob)


def forge_the_end() -> object:
    SecurityEntry.objects.filter(number=6).delete()
    return SecurityHead.objects.update(number=5)


TAMPERING: dict[str, Callable[[], object]] = {
    "action": change(action="frozen"),
    "address": change(address="192.0.2.8"),
    "details": change(details='{"place":1}'),
    "digest": change(digest="0" * 64),
    "actor": swap_members,
    "subject": change(subject=None),
    "moment": change(at="2020-01-01T00:00:00Z"),
    "taken out": lambda: SecurityEntry.objects.filter(number=3).delete(),
    "first taken out": lambda: SecurityEntry.objects.filter(number=1).delete(),
    "cut off": lambda: SecurityEntry.objects.filter(number=6).delete(),
    "cut off with the head": forge_the_end,
    "all taken out": lambda: SecurityEntry.objects.all().delete(),
    "head taken out": lambda: SecurityHead.objects.all().delete(),
    "put in": lambda: SecurityEntry.objects.create(
        number=7, at="2026-01-01T00:00:00Z", action="frozen", details="{}", digest="0" * 64
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_noticed(what: str) -> None:
    """Every column of an entry counts, and so does every entry."""
    written()
    TAMPERING[what]()
    with pytest.raises(Broken):
        security_log.verify()


def test_an_entry_stands_or_falls_with_what_it_tells() -> None:
    """A change that is taken back leaves no entry and no hole."""
    ann = services.create_member(username="ann", email="ann@example.com", password="")
    with transaction.atomic():
        services.set_roles(ann, ["member", "moderator"], actor=ann)
        transaction.set_rollback(True)
    services.set_roles(ann, ["member", "moderator"], actor=ann)
    assert security_log.verify().entries == 2


def test_joining_and_uses_are_told() -> None:
    """Who joined by whom, and who added uses."""
    ann = services.create_member(username="ann", email="ann@example.com", password="")
    guest = invites.join(
        code=ann.invite.code,
        username="guest",
        email="guest@example.com",
        password="a password that nobody has",
        address="192.0.2.9",
    )
    invites.add_uses(ann.invite, 2, actor=ann)
    actions = [entry.action for entry in security_log.of_member(guest, 10)]
    assert actions == ["joined", "roles set"]
    assert security_log.of_member(guest, 1)[0].address == "192.0.2.9"
    assert security_log.of_member(ann, 1)[0].action == "invite uses added"
    security_log.verify()

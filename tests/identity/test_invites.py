"""Invites: uses, who invited whom, and names that are taken."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from fondaco.house import file
from fondaco.identity import invites, selectors, services
from fondaco.identity.models import Invite, Member
from fondaco.identity.services import IdentityConflict
from tests.identity.stand_in import StandInCore
from tests.identity.test_house import HOUSE

pytestmark = pytest.mark.django_db
PASSWORD = "a password that nobody has"


def ann() -> Member:
    return services.create_member(username="ann", email="ann@example.com", password=PASSWORD)


def guest(code: str, name: str = "guest") -> Member:
    return invites.join(code=code, username=name, email=f"{name}@example.com", password=PASSWORD)


def test_every_member_begins_with_an_invite_of_five_uses() -> None:
    """Codes are made by chance, and a member who joined may invite in turn."""
    host = ann()
    assert host.invite.uses_left == 5
    assert len(host.invite.code) >= 22
    joined = guest(host.invite.code)
    assert joined.invite.uses_left == 5
    assert joined.invite.code != host.invite.code
    assert Invite.objects.get(member=host).uses_left == 4


def test_the_house_keeps_who_invited_whom() -> None:
    """Both ways: the guest's host, and the host's guests, newest first."""
    host = ann()
    first, second = guest(host.invite.code, "first"), guest(host.invite.code, "second")
    assert (first.invited_by, second.invited_by) == (host, host)
    assert selectors.joined_by(host) == [second, first]


@pytest.mark.parametrize("name, email", [("ANN", "b@example.com"), ("b", "Ann@example.com")])
def test_a_name_that_is_taken_uses_nothing_up(name: str, email: str) -> None:
    """The guest chooses another and the use is still there."""
    host = ann()
    with pytest.raises(IdentityConflict, match="taken"):
        invites.join(code=host.invite.code, username=name, email=email, password=PASSWORD)
    assert Invite.objects.get(member=host).uses_left == 5
    assert Member.objects.count() == 1


def test_an_invite_of_a_member_who_may_not_sign_in_is_used_up() -> None:
    """Whoever is excluded invites nobody."""
    host = ann()
    host.is_active = False
    host.save()
    with pytest.raises(invites.InviteUsedUp):
        guest(host.invite.code)


def test_a_use_that_is_gone_since_the_look_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count decides, not the look before it; nobody is made."""
    host = ann()
    seen = invites.open_invite(host.invite.code)
    Invite.objects.update(uses_left=0)
    monkeypatch.setattr(invites, "open_invite", lambda code: seen)
    with pytest.raises(invites.InviteUsedUp):
        guest(host.invite.code)
    assert Member.objects.count() == 1


def test_the_count_never_goes_below_0_in_the_database() -> None:
    """Even a wrong program can't write it."""
    host = ann()
    with pytest.raises(IntegrityError), transaction.atomic():
        Invite.objects.filter(member=host).update(uses_left=-1)


def test_uses_are_added_within_bounds() -> None:
    """An invite that is used up works again after an admin adds uses."""
    host = ann()
    Invite.objects.update(uses_left=0)
    invites.add_uses(host.invite, 2)
    assert guest(host.invite.code).invited_by == host
    for number in (0, -1, 100_000):
        with pytest.raises(IdentityConflict):
            invites.add_uses(host.invite, number)
    assert Invite.objects.get(member=host).uses_left == 1


def test_a_house_file_names_an_invite_code_at_creation_only(core: StandInCore) -> None:
    """Tests and demos know it; a later change of the file changes nothing."""
    known = HOUSE.replace('email = "ann@', 'invite_code = "known"\nemail = "ann@')
    services.apply_house(file.loads(known), core)
    assert invites.open_invite("known").member.username == "ann"
    services.apply_house(file.loads(known.replace('"known"', '"other"')), core)
    with pytest.raises(invites.InviteUnknown):
        invites.open_invite("other")
    with pytest.raises(IdentityConflict, match="invite code known is in use"):
        services.issue_invite(ann_again(), code="known")


def ann_again() -> Member:
    return Member.objects.create(username="another", email="another@example.com")


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"password": "short"}, "too short"),
        ({"password": "password"}, "too common"),
        ({"username": "a@b"}, "Use letters"),
        ({"username": ""}, "required"),
        ({"email": "nonsense"}, "valid email"),
        ({"username": "ANN"}, "is taken"),
    ],
)
def test_a_form_that_does_not_fit_says_why(
    client: Client, fields: dict[str, str], said: str
) -> None:
    """400 with the reason beside the field; nobody is made and nothing is used up."""
    host = ann()
    form = {"username": "guest", "email": "guest@example.com", "password": PASSWORD, **fields}
    answer = client.post(f"/invite/{host.invite.code}", form)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert Member.objects.count() == 1
    assert Invite.objects.get(member=host).uses_left == 5


def test_a_join_sets_no_more_than_its_fields(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields that the form doesn't have, such as roles, are ignored."""
    core = StandInCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    host = ann()
    form = {"username": "guest", "email": "guest@example.com", "password": PASSWORD}
    more = {
        "roles": "admin",
        "is_staff": "1",
        "is_superuser": "1",
        "membership_until": "2099-01-01",
    }
    answer = client.post(f"/invite/{host.invite.code}", {**form, **more})
    assert (answer.status_code, answer["Location"]) == (302, "/trade/")
    guest = Member.objects.get(username="guest")
    assert selectors.roles_of(guest.pk) == {"member"}
    assert (guest.is_staff, guest.is_superuser, guest.membership_until) == (False, False, None)
    assert core.accounts[16].member == guest.pk
    page = client.get("/profile/invites").content.decode()
    assert guest.invite.code in page
    assert client.get("/profile/invites/").status_code == 200
    client.logout()
    assert client.get("/profile/invites").status_code == 302

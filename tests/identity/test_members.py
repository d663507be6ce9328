"""Members, roles, keys at rest, sessions."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.contrib.auth import authenticate
from django.test import Client

from fondaco.core.records import Scope
from fondaco.identity import seal, selectors, services
from fondaco.identity.models import ApiKey, Member
from fondaco.identity.seal import SealBroken
from fondaco.identity.services import IdentityConflict
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db
PASSWORD = "a password that nobody has"


def ann(**changes: Any) -> Member:
    known = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
    return services.create_member(**{**known, **changes})


@pytest.mark.parametrize("name", ["ann", "ANN", "ann@example.com", "Ann@Example.com"])
def test_members_sign_in_by_name_or_address_in_any_case(name: str) -> None:
    """Both names lead to the one member; a wrong password to nobody."""
    member = ann()
    assert authenticate(username=name, password=PASSWORD) == member
    assert authenticate(username=name, password="wrong") is None


def test_passwords_are_kept_by_argon2id() -> None:
    """No other hasher is configured."""
    assert ann().password.startswith("argon2$argon2id$")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"username": "ANN"}, "user name ANN is taken"),
        ({"username": "b", "email": "ANN@example.com"}, "ANN@example.com is taken"),
        ({"username": "b@c", "email": "b@example.com"}, "holds an @"),
        ({"username": "", "email": "b@example.com"}, "is empty"),
    ],
)
def test_a_name_or_address_belongs_to_one_member(changes: dict[str, str], said: str) -> None:
    """Taken in another letter case is taken; a name can't look like an address."""
    ann()
    with pytest.raises(IdentityConflict, match=said):
        ann(**changes)
    assert Member.objects.count() == 1


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"password": ""}, "needs a password"),
        ({"password": "short"}, "too short"),
        ({"password": "password123"}, "too common"),
        ({"email": "nobody"}, "valid email address"),
        ({"username": "ro ot"}, "letters, digits"),
        ({"username": "root<script>"}, "letters, digits"),
    ],
)
def test_an_admin_is_not_made_carelessly(changes: dict[str, str], said: str) -> None:
    """A guessable password or no address is refused where a person types it."""
    known = {"username": "root", "email": "root@example.com", "password": PASSWORD}
    with pytest.raises(IdentityConflict, match=said):
        services.create_admin(**{**known, **changes})
    assert Member.objects.count() == 0


def test_a_member_without_a_password_cannot_sign_in() -> None:
    """An empty password in a house file lets nobody in."""
    ann(password="")
    assert authenticate(username="ann", password="") is None


def test_the_last_admin_stays_one() -> None:
    """Roles can be taken from an admin only while there is another."""
    first = services.create_admin(username="root", email="root@example.com", password=PASSWORD)
    assert first.is_superuser
    assert first.is_staff
    with pytest.raises(IdentityConflict, match="last admin"):
        services.set_roles(first, ["member"])
    services.create_admin(username="other", email="other@example.com", password=PASSWORD)
    services.set_roles(first, ["member", "moderator"])
    demoted = Member.objects.get(pk=first.pk)
    assert (demoted.is_superuser, demoted.is_staff) == (False, True)
    assert selectors.roles_of(first.pk) == {"member", "moderator"}


def test_a_granted_key_works_until_it_is_revoked(core: StandInCore) -> None:
    """The secret is given once, kept sealed, and the key is gone from the edge when revoked."""
    account = services.open_account(core, member=ann())
    row, secret = services.grant_key(core, account=account, scopes=Scope.READ | Scope.TRADE)
    assert len(secret) >= 43
    assert secret.encode() not in bytes(ApiKey.objects.get().secret)
    grant = selectors.api_key(row.number)
    assert grant is not None
    assert (grant.secret, grant.key, grant.member) == (secret, row.key, account.member_id)
    services.revoke_key(core, key_number=row.number)
    assert core.keys[row.number] == (account.number, 0)
    assert selectors.api_key(row.number) is None
    assert selectors.api_keys() == []
    sent = list(core.commands)
    services.revoke_key(core, key_number=row.number)
    assert core.commands == sent


def test_key_and_account_numbers_are_never_used_twice(core: StandInCore) -> None:
    """Numbers go on after a row is deleted."""
    account = services.open_account(core, member=ann())
    first, _ = services.grant_key(core, account=account, scopes=1)
    first.delete()
    second, _ = services.grant_key(core, account=account, scopes=1)
    assert second.number > 1
    other = services.open_account(core, member=ann(username="b", email="b@example.com"))
    assert other.number == account.number + 1


@pytest.mark.parametrize("place", range(40))
def test_a_changed_byte_of_a_sealed_secret_is_noticed(place: int) -> None:
    """Each byte of what is stored matters, and so does the key that it belongs to."""
    sealed = bytearray(seal.seal_secret("a secret", bound_to="key"))
    assert seal.open_secret(bytes(sealed), bound_to="key") == "a secret"
    with pytest.raises(SealBroken, match="FONDACO_SECRET_KEY"):
        seal.open_secret(bytes(sealed), bound_to="another")
    sealed[place % len(sealed)] ^= 1
    with pytest.raises((SealBroken, AssertionError)):
        seal.open_secret(bytes(sealed), bound_to="key")


def test_another_secret_key_opens_nothing(settings: Any) -> None:
    """The sealing key comes from FONDACO_SECRET_KEY and from nothing else."""
    sealed = seal.seal_secret("a secret", bound_to="key")
    settings.SECRET_KEY = "another key that is long enough to be one"
    with pytest.raises(SealBroken) as caught:
        seal.open_secret(sealed, bound_to="key")
    assert isinstance(caught.value.__cause__, InvalidTag)


def signed_in(client: Client, member: Member) -> str:
    client.force_login(member)
    key = client.session.session_key
    assert key is not None
    return key


def test_a_session_tells_who_is_signed_in(client: Client, core: StandInCore) -> None:
    """Member, roles and the account that the terminal trades on."""
    member = ann(membership_until=dt.date(2027, 12, 31))
    key = signed_in(client, member)
    before = selectors.session_member(key)
    assert before is not None
    assert before.account == 0
    account = services.open_account(core, member=member)
    found = selectors.session_member(key)
    assert found is not None
    assert (found.member, found.username, found.account) == (member.pk, "ann", account.number)
    assert found.roles == {"member"}
    assert found.membership_until == dt.date(2027, 12, 31)


def test_a_session_ends_with_sign_out_password_change_or_exclusion(client: Client) -> None:
    """None of these leaves a cookie that still trades; nor does a made-up one."""
    member = ann()
    assert selectors.session_member("made-up") is None
    assert selectors.session_member("") is None
    key = signed_in(client, member)
    member.set_password("another password")
    member.save()
    assert selectors.session_member(key) is None
    key = signed_in(client, member)
    client.logout()
    assert selectors.session_member(key) is None
    key = signed_in(client, member)
    member.is_active = False
    member.save()
    assert selectors.session_member(key) is None

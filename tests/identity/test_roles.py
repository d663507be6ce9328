"""S1-2: roles are granted and revoked in the admin and by the API; the last admin stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from fondaco.identity import selectors, services
from fondaco.identity.models import Invite, Member, Role, SecurityEntry
from fondaco.identity.permissions import TABLE, Permission, may
from fondaco.identity.services import IdentityConflict

pytestmark = pytest.mark.django_db
PASSWORD = "a password that nobody has"
MODERATES = {
    Permission.SEE_MEMBERS,
    Permission.FREEZE,
    Permission.ADD_INVITE_USES,
    Permission.SKIP_MEMBERSHIP,
    Permission.APPROVE_MONEY,
}


def person(name: str, *roles: str) -> Member:
    return services.create_member(
        username=name, email=f"{name}@example.com", password="", roles=("member", *roles)
    )


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    return client


def post_roles(client: Client, member: Member, body: Any, slash: str = "/") -> Any:
    path = f"/api/v1/members/{member.pk}/roles{slash}"
    return client.post(path, json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_each_role_gives_its_row_of_the_table(role: Role, permission: Permission) -> None:
    """A member may nothing of the staff's, a moderator the named, an admin all."""
    expected = {
        Role.MEMBER: False,
        Role.MODERATOR: permission in MODERATES,
        Role.ADMIN: True,
    }[role]
    assert (permission in TABLE[role]) is expected
    assert may(person("someone", role), permission) is expected


def test_a_stranger_and_an_excluded_admin_may_nothing() -> None:
    """Roles count only while the member may sign in."""
    member = person("root", "admin")
    assert may(member, Permission.SET_ROLES)
    member.is_active = False
    assert not may(member, Permission.SET_ROLES)
    assert not may(None, Permission.SET_ROLES)


def test_s1_2_roles_are_granted_and_revoked_by_the_api() -> None:
    """S1-2: all at once or one by one, with the roles that result in the answer."""
    admin, bob = person("root", "admin"), person("bob")
    client = signed_in(admin)
    for slash in ("", "/"):
        answer = post_roles(client, bob, {"roles": ["member", "moderator"]}, slash)
        assert answer.status_code == 200
        assert answer.json() == {
            "id": bob.pk,
            "username": "bob",
            "roles": ["member", "moderator"],
        }
    assert post_roles(client, bob, {"grant": ["admin"]}).json()["roles"] == [
        "admin",
        "member",
        "moderator",
    ]
    answer = post_roles(client, bob, {"revoke": ["admin", "moderator"]})
    assert answer.json()["roles"] == ["member"]
    assert selectors.roles_of(bob.pk) == {"member"}
    assert not Member.objects.get(pk=bob.pk).is_staff


def test_s1_2_the_last_admin_is_409() -> None:
    """S1-2: neither the API nor the service takes the last admin's role or sign-in."""
    admin = person("root", "admin")
    excluded = person("gone", "admin")
    services.allow_sign_in(excluded, allowed=False, actor=admin)
    client = signed_in(admin)
    answer = post_roles(client, admin, {"roles": ["member"]})
    assert answer.status_code == 409
    assert "last admin" in answer.json()["error"]
    assert selectors.roles_of(admin.pk) == {"member", "admin"}
    with pytest.raises(IdentityConflict, match="last admin"):
        services.allow_sign_in(admin, allowed=False)
    services.allow_sign_in(excluded, allowed=True)
    assert post_roles(client, admin, {"revoke": ["admin"]}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"roles": ["owner"]}, {"roles": "admin"}, {"roles": ["admin"], "grant": ["admin"]}, []],
)
def test_a_body_that_does_not_fit_is_400_and_changes_nothing(body: Any) -> None:
    """The field is named."""
    admin = person("root", "admin")
    answer = post_roles(signed_in(admin), admin, body)
    assert answer.status_code == 400
    assert selectors.roles_of(admin.pk) == {"member", "admin"}


def test_roles_are_for_admins_only() -> None:
    """A stranger gets 401; member and moderator 403, for themselves too; nobody's number 404."""
    admin, bob, moderator = person("root", "admin"), person("bob"), person("mod", "moderator")
    body = {"roles": ["member", "admin"]}
    assert post_roles(Client(), bob, body).status_code == 401
    for member in (bob, moderator):
        assert post_roles(signed_in(member), member, body).status_code == 403
        assert "admin" not in selectors.roles_of(member.pk)
    gone = Member(pk=10**9)
    assert post_roles(signed_in(admin), gone, body).status_code == 404


def test_a_change_by_a_session_needs_its_csrf_token() -> None:
    """No foreign page can make its reader an accomplice."""
    admin = person("root", "admin")
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    assert post_roles(client, admin, {"roles": ["member", "admin"]}).status_code == 403


def admin_form(client: Client, member: Member, **fields: Any) -> Any:
    return client.post(f"/admin/identity/member/{member.pk}/change/", fields)


def test_s1_2_roles_are_granted_and_revoked_in_the_admin() -> None:
    """S1-2: ticks and all; the last admin is refused with a sentence and keeps everything."""
    admin, bob = person("root", "admin"), person("bob")
    client = signed_in(admin)
    shown = client.get(f"/admin/identity/member/{bob.pk}/change/")
    assert shown.status_code == 200
    answer = admin_form(client, bob, roles=["member", "moderator"], is_active="on")
    assert answer.status_code == 302, answer.content
    assert selectors.roles_of(bob.pk) == {"member", "moderator"}
    admin_form(client, bob, roles=["member"], is_active="on")
    assert selectors.roles_of(bob.pk) == {"member"}
    for fields in ({"roles": ["member"], "is_active": "on"}, {"roles": ["member", "admin"]}):
        refused = admin_form(client, admin, **fields)
        assert refused.status_code == 200
        assert "is the last admin" in refused.content.decode()
    assert selectors.roles_of(admin.pk) == {"member", "admin"}
    entry = SecurityEntry.objects.filter(action="roles set", subject=bob).latest("number")
    assert (entry.actor, entry.address) == (admin, "127.0.0.1")
    assert json.loads(entry.details) == {"before": "member moderator", "after": "member"}


def test_an_admin_and_a_moderator_raise_the_count_of_an_invite() -> None:
    """Five and three are eight; the moderator's form offers nothing else."""
    admin, moderator, bob = person("root", "admin"), person("mod", "moderator"), person("bob")
    admin_form(signed_in(admin), bob, roles=["member"], is_active="on", add_invite_uses="3")
    assert Invite.objects.get(member=bob).uses_left == 8
    client = signed_in(moderator)
    page = client.get(f"/admin/identity/member/{bob.pk}/change/").content.decode()
    assert 'name="add_invite_uses"' in page
    assert 'name="roles"' not in page
    assert 'name="is_active"' not in page
    answer = admin_form(client, bob, roles=["admin"], add_invite_uses="1")
    assert answer.status_code == 302
    assert Invite.objects.get(member=bob).uses_left == 9
    bob.refresh_from_db()
    assert bob.is_active
    assert selectors.roles_of(bob.pk) == {"member"}


def test_a_member_is_kept_out_of_the_admin_and_a_moderator_out_of_the_log() -> None:
    """Each list asks the table."""
    moderator, bob = person("mod", "moderator"), person("bob")
    assert signed_in(bob).get("/admin/").status_code == 302
    client = signed_in(moderator)
    for path in ("member", "account", "apikey"):
        assert client.get(f"/admin/identity/{path}/").status_code == 200
    assert client.get("/admin/identity/securityentry/").status_code == 403

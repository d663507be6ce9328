"""What each role may do: one table, asked by pages, API and admin alike.

Promises: what isn't in the table is not allowed; a member who may not sign in may do nothing. A
role gives exactly its row: an admin holds all permissions because the row says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from fondaco.identity.models import Member, Role

__all__ = ["TABLE", "Permission", "may"]


class Permission(StrEnum):
    SEE_MEMBERS = "see members, their accounts, orders and postings"
    FREEZE = "freeze and unfreeze a member"
    ADD_INVITE_USES = "add uses to an invite"
    SEE_SECURITY_LOG = "see the security log"
    SKIP_MEMBERSHIP = "use the members' pages without a paid membership"
    MOVE_MONEY = "ask for deposits and withdrawals of members"
    APPROVE_MONEY = "approve what another has asked for"
    SET_ROLES = "grant and revoke roles"
    FORBID_SIGN_IN = "forbid a member to sign in"
    MAINTENANCE = "put the house in maintenance"


TABLE: Final[dict[Role, frozenset[Permission]]] = {
    Role.MEMBER: frozenset(),
    Role.MODERATOR: frozenset(
        {
            Permission.SEE_MEMBERS,
            Permission.FREEZE,
            Permission.ADD_INVITE_USES,
            Permission.SKIP_MEMBERSHIP,
            Permission.APPROVE_MONEY,
        }
    ),
    Role.ADMIN: frozenset(Permission),
}


def may(member: object, permission: Permission) -> bool:
    """Return whether a member (or a stranger) has a permission by any of their roles."""
    if not isinstance(member, Member) or not member.is_active:
        return False
    roles = member.role_grants.values_list("role", flat=True)
    return any(permission in TABLE[Role(role)] for role in roles)

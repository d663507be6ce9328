"""What others ask of identity: keys with their secrets, sessions, accounts.

Promises: frozen answers that hold no Django objects, safe to keep and to hand between threads;
each call is one to four small queries. A key that was revoked is not given out; whether one was
granted yet is the core's to say, which refuses the commands of a key that it doesn't know.
"""

from __future__ import annotations

import datetime as dt
from importlib import import_module
from typing import Final

import msgspec
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from fondaco.core import records
from fondaco.identity import seal, signatures
from fondaco.identity.models import HOLDING_NAME, Account, ApiKey, Member, Role
from fondaco.identity.networks import Network, contains, read_networks

__all__ = [
    "AccountRow",
    "KeyGrant",
    "MemberSession",
    "accounts_of",
    "api_key",
    "api_keys",
    "granted_roles",
    "is_paid_up",
    "joined_by",
    "member_by_name",
    "member_of",
    "passes_gate",
    "roles_of",
    "session_member",
    "signing_key",
]

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND: Final = dt.timedelta(microseconds=1)


class KeyGrant(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as the edge needs it. Limits of 0 mean none."""

    number: int
    key: str
    secret: str  # "" for Ed25519
    public_key: str  # PEM; "" for HMAC
    account: int
    member: int
    scopes: int  # bits of records.Scope
    order_limit_10s: int
    order_limit_1d: int
    weight_limit_1m: int
    addresses: tuple[Network, ...] = ()  # none = from anywhere
    expires_us: int = 0  # 0 = never


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    kind: records.AccountKind
    name: str


class MemberSession(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in member. `account` is the one that the terminal trades on; 0 = has none."""

    member: int
    username: str
    roles: frozenset[str]
    account: int
    membership_until: dt.date | None
    expires_at: dt.datetime


def api_keys() -> list[KeyGrant]:
    """Return every live key with its secret opened; raises seal.SealBroken."""
    rows = _live_keys().order_by("number")
    return [_grant(row) for row in rows]


def api_key(number: int) -> KeyGrant | None:
    """Return one live key by its number, or None; raises seal.SealBroken."""
    row = _live_keys().filter(pk=number).first()
    return None if row is None else _grant(row)


def signing_key(text: str, *, address: str) -> tuple[ApiKey, signatures.Proof] | None:
    """Return the granted, live key of that text and what tells its signatures, or None.

    None also past its time, from an address outside its list, and for the key of a member who may
    not sign in. Raises seal.SealBroken.
    """
    if not 0 < len(text) <= signatures.KEY_BYTES_MAX:
        return None
    granted = _live_keys().filter(granted_at__isnull=False, account__member__is_active=True)
    row = granted.select_related("account__member").filter(key=text).first()
    if row is None or (row.expires_at is not None and row.expires_at <= timezone.now()):
        return None
    grant = _grant(row)
    if grant.addresses and not contains(grant.addresses, address):
        return None
    return row, signatures.proof_of(secret=grant.secret, public_key=grant.public_key)


def accounts_of(member_id: int) -> list[AccountRow]:
    """Return the open accounts of a member, oldest first; not the one that holds withdrawals."""
    rows = Account.objects.filter(member_id=member_id, opened_at__isnull=False).order_by("number")
    rows = rows.exclude(name=HOLDING_NAME)
    return [
        AccountRow(number=row.number, kind=records.AccountKind(row.kind), name=row.name)
        for row in rows
    ]


def roles_of(member_id: int) -> frozenset[str]:
    """Return the names of a member's roles."""
    member = Member.objects.filter(pk=member_id, is_active=True).first()
    if member is None:
        return frozenset()
    return frozenset(Role(grant.role).value for grant in member.role_grants.all())


def granted_roles(member: Member) -> frozenset[str]:
    """Return the names of the roles that a member was granted, whether they may sign in or not."""
    return frozenset(member.role_grants.values_list("role", flat=True))


def member_by_name(username: str) -> Member | None:
    """Return the member of that user name, in any letter case."""
    return Member.objects.filter(username__iexact=username).first()


def member_of(user: AbstractBaseUser | AnonymousUser) -> Member:
    """Return who is signed in; asked only behind a check that somebody is."""
    assert isinstance(user, Member), "a page for members was reached by a stranger"
    return user


def is_paid_up(member: Member) -> bool:
    """Return whether the membership lasts today."""
    until = member.membership_until
    return until is not None and timezone.localdate() <= until


def passes_gate(member: Member) -> bool:
    """Return whether the members' pages are open to this member: staff always pass."""
    return member.is_staff or is_paid_up(member)


def joined_by(member: Member) -> list[Member]:
    """Return who joined by a member's invite, newest first."""
    return list(member.invited.order_by("-pk"))


def session_member(session_key: str) -> MemberSession | None:
    """Return who is signed in under a session cookie, or None.

    None for an unknown or expired session, for a member that was made inactive, and when the
    password was changed since.
    """
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    entries = store.load()
    if entries.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    member = Member.objects.filter(pk=entries.get(SESSION_KEY, 0), is_active=True).first()
    if member is None:
        return None
    expected = member.get_session_auth_hash()
    if not constant_time_compare(entries.get(HASH_SESSION_KEY, ""), expected):
        return None
    accounts = [row for row in accounts_of(member.pk) if row.kind == records.AccountKind.SPOT]
    return MemberSession(
        member=member.pk,
        username=member.username,
        roles=roles_of(member.pk),
        account=accounts[0].number if accounts else 0,
        membership_until=member.membership_until,
        expires_at=timezone.now() + dt.timedelta(seconds=store.get_expiry_age()),
    )


def _live_keys() -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(revoked_at__isnull=True).select_related("account")


def _grant(row: ApiKey) -> KeyGrant:
    secret = seal.open_secret(bytes(row.secret), bound_to=row.key) if row.secret else ""
    return KeyGrant(
        number=row.pk,
        key=row.key,
        secret=secret,
        public_key=row.public_key,
        account=row.account_id,
        member=row.account.member_id,
        scopes=row.scopes,
        order_limit_10s=row.order_limit_10s,
        order_limit_1d=row.order_limit_1d,
        weight_limit_1m=row.weight_limit_1m,
        addresses=read_networks(row.addresses),
        expires_us=0 if row.expires_at is None else (row.expires_at - EPOCH) // MICROSECOND,
    )

"""Every write of identity: members, accounts, API keys, and the members of a house file.

Promises: a row is durable before the core hears of its number, and marked when the core has
acknowledged it, so that a crash between the two is finished by calling again. Opening balances
are part of the command that opens the account: they can't be given twice. An existing password,
balance or key is never changed by a house file.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from fondaco.core import records
from fondaco.core.money import parse_units
from fondaco.house import checks
from fondaco.house import commands as house_commands
from fondaco.house.declared import ApiKeyEntry, House, MemberEntry, TokenEntry
from fondaco.identity import core_door, seal
from fondaco.identity.core_door import CommandRefused, Core
from fondaco.identity.models import HOLDING_NAME, Account, ApiKey, Invite, Member, Role, RoleGrant
from fondaco.identity.networks import networks_of
from fondaco.identity.security_log import Action, note

__all__ = [
    "IdentityConflict",
    "KeyLimits",
    "account_row",
    "allow_sign_in",
    "apply_house",
    "check_an_admin_stays",
    "create_admin",
    "create_member",
    "grant_key",
    "in_utc",
    "issue_invite",
    "open_account",
    "revoke_ended",
    "revoke_key",
    "set_roles",
]

SPOT_NAME: Final = "spot"  # the account that every member with funds begins with
INVITE_BYTES: Final = 16  # of chance in an invite's code
KEY_BYTES: Final = 32  # of chance in a key's text and in its secret
NUMBER_TRIES_MAX: Final = 50  # more people than that don't join in the same millisecond
STAFF: Final = frozenset({Role.MODERATOR, Role.ADMIN})


class IdentityConflict(Exception):
    """What was asked doesn't fit what is there: one sentence that says what to do."""


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that a key may make; 0 = no limit."""

    order_limit_10s: int = 100
    order_limit_1d: int = 200_000
    weight_limit_1m: int = 6000


# ---- members


@transaction.atomic
def create_member(
    *,
    username: str,
    email: str,
    password: str,
    roles: Iterable[str] = (Role.MEMBER,),
    membership_until: dt.date | None = None,
    invite_code: str = "",
    invited_by: Member | None = None,
    customer_name: str = "",
) -> Member:
    """Create a member with an invite; an empty password means that none lets them in.

    Without `invite_code` its text is made by chance. Who is made by the customers' API has a name
    that others may have, too.

    Raises IdentityConflict if the name or address is taken or unfit. Whether the password is a
    good one is asked where a person types it, not here.
    """
    if not username or "@" in username:
        raise IdentityConflict(f"user name {username!r} is empty or holds an @; choose another")
    if Member.objects.filter(username__iexact=username).exists():
        raise IdentityConflict(f"user name {username} is taken; choose another")
    if Member.objects.filter(email__iexact=email).exists():
        raise IdentityConflict(f"e-mail address {email} is taken; choose another")
    member = Member(
        username=username,
        email=email,
        membership_until=membership_until,
        invited_by=invited_by,
        customer_name=customer_name,
    )
    member.set_password(password or None)
    member.save()
    set_roles(member, roles)
    issue_invite(member, code=invite_code)
    return member


def issue_invite(member: Member, *, code: str = "") -> Invite:
    """Give a member the invite that they begin with; raises IdentityConflict for a code in use."""
    text = code or secrets.token_urlsafe(INVITE_BYTES)
    if Invite.objects.filter(code=text).exists():
        raise IdentityConflict(f"invite code {text} is in use; write another")
    return Invite.objects.create(member=member, code=text)


def create_admin(*, username: str, email: str, password: str) -> Member:
    """Create a member who is an admin, as a person types them; raises IdentityConflict."""
    if not password:
        raise IdentityConflict("an admin needs a password; give one")
    if not checks.is_username(username):
        raise IdentityConflict(f"user name {username!r} may hold letters, digits and _ . + - only")
    try:
        validate_email(email)
        validate_password(password)
    except ValidationError as error:
        raise IdentityConflict(f"{' '.join(error.messages)} Choose another.") from error
    return create_member(
        username=username, email=email, password=password, roles=(Role.MEMBER, Role.ADMIN)
    )


@transaction.atomic
def set_roles(
    member: Member, roles: Iterable[str], *, actor: Member | None = None, address: str = ""
) -> None:
    """Give a member these roles and no others; raises IdentityConflict for the last admin."""
    wanted = {Role(role) for role in roles}
    had = {Role(grant.role) for grant in member.role_grants.all()}
    if Role.ADMIN not in wanted:
        _keep_an_admin(member)
    member.role_grants.exclude(role__in=wanted).delete()
    for role in sorted(wanted):
        RoleGrant.objects.get_or_create(member=member, role=role)
    member.is_staff = bool(wanted & STAFF)
    member.is_superuser = Role.ADMIN in wanted
    member.save(update_fields=["is_staff", "is_superuser"])
    if wanted != had:
        note(
            Action.ROLES_SET,
            actor=actor,
            subject=member,
            address=address,
            before=" ".join(sorted(had)),
            after=" ".join(sorted(wanted)),
        )


@transaction.atomic
def allow_sign_in(
    member: Member, *, allowed: bool, actor: Member | None = None, address: str = ""
) -> None:
    """Let a member sign in, or no longer; raises IdentityConflict for the last admin.

    Who may not sign in has no sessions and no tokens from here on, and their API keys are revoked
    by revoke_ended(). Open orders and the ledger stay: freezing is apart.
    """
    if member.is_active == allowed:
        return
    if not allowed:
        _keep_an_admin(member)
    member.is_active = allowed
    member.save(update_fields=["is_active"])
    action = Action.SIGN_IN_ALLOWED if allowed else Action.SIGN_IN_FORBIDDEN
    note(action, actor=actor, subject=member, address=address)


def check_an_admin_stays(member: Member, *, roles: Iterable[str], may_sign_in: bool) -> None:
    """Raise IdentityConflict if these changes would leave the house without an admin."""
    if Role.ADMIN in set(roles) and may_sign_in:
        return
    with transaction.atomic():
        _keep_an_admin(member)


def _keep_an_admin(member: Member) -> None:
    """Raise IdentityConflict if there is no admin who can sign in beside this member.

    The rows stay locked to the end of the transaction: two admins can't remove each other at once.
    """
    admins = RoleGrant.objects.select_for_update().filter(role=Role.ADMIN).order_by("pk")
    holders = [grant.member_id for grant in admins]
    others = Member.objects.filter(pk__in=holders, is_active=True).exclude(pk=member.pk)
    if member.pk in holders and not others.exists():
        raise IdentityConflict(f"{member} is the last admin; make another one first")


# ---- accounts


def open_account(
    core: Core,
    *,
    member: Member,
    name: str = SPOT_NAME,
    kind: records.AccountKind = records.AccountKind.SPOT,
    opening: Sequence[tuple[int, int]] = (),
    terms: records.RobotTerms | None = None,
) -> Account:
    """Open the member's account of that name in the core, unless it is open.

    `opening` holds (asset number, amount in units), posted from the world in the same command;
    `terms` are a robot's.
    Raises CommandRefused and what the client raises; calling again goes on where it stopped.
    """
    account = account_row(member, name, kind)
    if account.opened_at is None:
        body = records.AccountBody(
            member=member.pk,
            kind=account.kind,
            frozen=member.frozen_at is not None,
            opening=list(opening),
            robot=terms,
        )
        command = records.pack_body(records.Command.OPEN_ACCOUNT, body, account=account.number)
        try:
            core_door.submit(core, command)
        except CommandRefused as refusal:
            # Opened by an earlier call whose answer was lost: apply_house checks whose it is.
            if refusal.reason is not records.Reason.ACCOUNT_EXISTS:
                raise
        account.opened_at = timezone.now()
        account.save(update_fields=["opened_at"])
    return account


def account_row(member: Member, name: str, kind: records.AccountKind) -> Account:
    """Return the row of the account, made under the next free number if it is missing."""
    for place in range(NUMBER_TRIES_MAX):
        try:
            with transaction.atomic():
                account = Account.objects.filter(member=member, name=name).first()
                if account is None:
                    last = Account.objects.aggregate(last=Max("number"))["last"]
                    account = Account.objects.create(
                        number=records.ACCOUNT_FIRST if last is None else last + 1,
                        member=member,
                        kind=kind,
                        name=name,
                    )
        except IntegrityError:  # somebody took the number; PostgreSQL lets two look at once
            if place + 1 == NUMBER_TRIES_MAX:
                raise
        else:
            return account
    raise AssertionError("unreachable: the last try returns or raises")


# ---- keys


def grant_key(
    core: Core,
    *,
    account: Account,
    scopes: int,
    key: str = "",
    secret: str = "",
    public_key: str = "",
    label: str = "",
    addresses: Iterable[str] = (),
    expires_at: dt.datetime | None = None,
    limits: KeyLimits | None = None,
) -> tuple[ApiKey, str]:
    """Grant an API key by a journaled command; return it and its secret, to be shown once.

    Without `key` its text is made by chance; without `public_key` an HMAC secret is, too. It is
    good from `addresses` (none = from anywhere) until `expires_at`. Raises IdentityConflict if the
    text is in use, ValueError for an address that is none, CommandRefused, and what the client
    raises.
    """
    networks = networks_of("\n".join(addresses))
    if account.name == HOLDING_NAME:
        raise IdentityConflict(f"account {account.number} only holds withdrawals; choose another")
    limits = limits or KeyLimits()
    text = key or secrets.token_urlsafe(KEY_BYTES)
    if not secret and not public_key:
        secret = secrets.token_urlsafe(KEY_BYTES)
    with transaction.atomic():
        if ApiKey.objects.filter(key=text).exists():
            raise IdentityConflict(f"API key {text[:8]}… is in use; choose another")
        row = ApiKey.objects.create(
            account=account,
            key=text,
            secret=seal.seal_secret(secret, bound_to=text) if secret else b"",
            public_key=public_key,
            label=label,
            scopes=scopes,
            addresses="\n".join(networks),
            expires_at=expires_at,
            order_limit_10s=limits.order_limit_10s,
            order_limit_1d=limits.order_limit_1d,
            weight_limit_1m=limits.weight_limit_1m,
        )
    _acknowledge_key(core, row)
    return row, secret


def revoke_key(core: Core, *, key_number: int) -> None:
    """Revoke a key by a journaled command: no command of it comes after. Revoked stays revoked."""
    row = ApiKey.objects.get(pk=key_number)
    if row.revoked_at is not None:
        return
    command = records.pack(
        records.Command.REVOKE_KEY, account=row.account_id, key_number=row.number
    )
    try:
        core_door.submit(core, command)
    except CommandRefused as refusal:
        if refusal.reason is not records.Reason.UNKNOWN_KEY:  # revoked, the answer was lost
            raise
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])


def revoke_ended(core: Core) -> None:
    """Revoke the keys whose time is over, and those of members who may not sign in.

    By commands, so that the core and every edge refuse them. Revoked stays revoked: whoever may
    sign in again makes new ones.
    """
    is_over = Q(expires_at__lte=timezone.now()) | Q(account__member__is_active=False)
    due = ApiKey.objects.filter(is_over, revoked_at__isnull=True)
    for number in list(due.values_list("number", flat=True)):
        revoke_key(core, key_number=number)


def _acknowledge_key(core: Core, row: ApiKey) -> None:
    command = records.pack(
        records.Command.GRANT_KEY,
        account=row.account_id,
        key_number=row.number,
        scopes=row.scopes,
    )
    core_door.submit(core, command)
    row.granted_at = timezone.now()
    row.save(update_fields=["granted_at"])


# ---- the house file


def apply_house(house: House, core: Core) -> None:
    """Make what the house file declares and is missing: definitions, members, accounts, keys.

    Idempotent: a second call sends no command. Raises HouseFault (an existing definition would
    change), IdentityConflict, CommandRefused, and what the client raises.
    """
    answer = core.query(records.pack(records.Query.DEFINITIONS))
    for command in house_commands.commands(house, bytes(answer.records)):
        core_door.submit(core, command)
    known = _check_against_core(core)
    for entry in house.members:
        _apply_member(entry, core, known)


def _check_against_core(core: Core) -> dict[str, tuple[int, int]]:
    """Return the core's assets, code -> (number, decimals), and refuse a foreign database."""
    assets: dict[str, tuple[int, int]] = {}
    members = dict(Account.objects.values_list("number", "member_id"))
    keys = set(ApiKey.objects.values_list("number", flat=True))
    for kind, record in core_door.definitions(core):
        if kind == records.Event.ASSET:
            asset = msgspec.msgpack.decode(records.unpack_body(record), type=records.AssetBody)
            assets[asset.code] = (asset.number, asset.decimals)
        elif kind == records.Event.ACCOUNT:
            number = records.HEAD.unpack_from(record)[3]
            body = msgspec.msgpack.decode(records.unpack_body(record), type=records.AccountBody)
            if number >= records.ACCOUNT_FIRST and members.get(number) != body.member:
                raise IdentityConflict(
                    f"account {number} belongs to member {body.member} in the journal and to "
                    f"{members.get(number, 'nobody')} in the office's database: put back the "
                    "database that belongs to this data directory"
                )
        elif kind == records.Event.KEY:
            number = records.unpack(record)["key_number"]
            if number not in keys:
                raise IdentityConflict(
                    f"API key {number} of the journal is missing in the office's database: put "
                    "back the database that belongs to this data directory"
                )
    return assets


def _apply_member(entry: MemberEntry, core: Core, assets: Mapping[str, tuple[int, int]]) -> None:
    member = Member.objects.filter(username__iexact=entry.username).first()
    if member is None:
        member = create_member(
            username=entry.username,
            email=entry.email,
            password=entry.password,
            roles=entry.roles,
            membership_until=entry.membership_until,
            invite_code=entry.invite_code,
        )
    opening = []
    for code, amount in entry.balances.items():
        number, decimals = assets[code]
        opening.append((number, parse_units(amount, decimals)))
    account = open_account(core, member=member, opening=[pair for pair in opening if pair[1]])
    for key_entry in entry.api_keys:
        _apply_key(key_entry, _account_of_key(key_entry, account, core), core)
    for token_entry in entry.tokens:
        _apply_token(token_entry, member)


def _apply_token(entry: TokenEntry, member: Member) -> None:
    from fondaco.identity import tokens  # it raises our IdentityConflict

    owner = tokens.owner_of(entry.token)
    if owner is None:
        row, _ = tokens.make(member, scopes=entry.scopes, text=entry.token, label="house file")
        row.is_declared = True
        row.save(update_fields=["is_declared"])
    elif owner != member:
        raise IdentityConflict(
            f"token {entry.token[:6]}… belongs to {owner} and the house file gives it to "
            f"{member}; write another token"
        )


def _account_of_key(entry: ApiKeyEntry, spot: Account, core: Core) -> Account:
    """Return the account that a key acts for: the member's first, or a sub-account by its name."""
    if entry.account == spot.name:
        return spot
    kind = records.AccountKind.SUB
    return open_account(core, member=spot.member, name=entry.account, kind=kind)


def in_utc(moment: dt.datetime | None) -> dt.datetime | None:
    """Return a moment of the house file; without a zone it is in UTC."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=dt.UTC)


def _apply_key(entry: ApiKeyEntry, account: Account, core: Core) -> None:
    row = ApiKey.objects.filter(key=entry.key).first()
    if row is None:
        grant_key(
            core,
            account=account,
            scopes=sum(records.Scope[name.upper()] for name in set(entry.scopes)),
            key=entry.key,
            secret=entry.secret,
            public_key=entry.public_key.strip(),
            addresses=entry.addresses,
            expires_at=in_utc(entry.expires_at),
            limits=KeyLimits(
                order_limit_10s=entry.order_limit_10s,
                order_limit_1d=entry.order_limit_1d,
                weight_limit_1m=entry.weight_limit_1m,
            ),
        )
    elif row.account_id != account.number:
        raise IdentityConflict(
            f"API key {entry.key[:8]}… belongs to account {row.account_id} and the house file "
            f"gives it to account {account.number}; write another key"
        )
    elif row.granted_at is None:
        _acknowledge_key(core, row)

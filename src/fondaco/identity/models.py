"""Who is who: a member, the accounts that hold their funds, the keys that act for an account.

Promises: a row of Account or ApiKey is written before the core hears of its number, so that an
account or key that the core knows and these tables don't means a lost database, never a race.
Numbers are never used twice. Balances are not here: they are the core's.
"""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower

from fondaco.core import records

__all__ = [
    "HOLDING_NAME",
    "INVITE_USES",
    "AccessToken",
    "Account",
    "ApiKey",
    "HouseState",
    "Invite",
    "ListenKeyTerm",
    "Member",
    "Role",
    "RoleGrant",
    "SecurityEntry",
    "SecurityHead",
]

INVITE_USES: Final = 5  # that every member begins with; an admin may add more


class Role(models.TextChoices):
    MEMBER = "member"
    MODERATOR = "moderator"
    ADMIN = "admin"


class Member(AbstractUser):
    """A person of the house. The primary key is the member's number in the core."""

    first_name = None  # type: ignore[assignment]  # a house needs no civil names
    last_name = None  # type: ignore[assignment]
    email = models.EmailField()
    customer_name = models.CharField(max_length=20, default="", editable=False)  # may repeat
    email_confirmed_at = models.DateTimeField(null=True, editable=False)
    membership_until = models.DateField(null=True, blank=True)
    frozen_at = models.DateTimeField(null=True, editable=False)  # may not trade since
    left_at = models.DateTimeField(null=True, editable=False)  # removed, with empty accounts
    invited_by = models.ForeignKey(
        "self", null=True, editable=False, on_delete=models.PROTECT, related_name="invited"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("username"), name="member_username_once"),
            models.UniqueConstraint(Lower("email"), name="member_email_once"),
        ]

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.username

    def get_short_name(self) -> str:
        return self.username


class RoleGrant(models.Model):
    """One role that a member has."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="role_grants")
    role = models.CharField(max_length=16, choices=Role)
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint("member", "role", name="role_once")]

    def __str__(self) -> str:
        return f"{self.member}: {self.role}"


class Invite(models.Model):
    """The one invite of a member: whoever follows its link may join while uses are left."""

    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="invite")
    code = models.CharField(max_length=64, unique=True)
    uses_left = models.PositiveIntegerField(default=INVITE_USES)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(uses_left__gte=0), name="invite_not_below_0"),
        ]

    def __str__(self) -> str:
        return f"{self.member}: {self.uses_left} left"


HOLDING_NAME: Final = "held for withdrawals"  # an account of a member's that nothing trades on


class Account(models.Model):
    """An account of the core's ledger; the primary key is its number there."""

    number = models.BigIntegerField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="accounts")
    kind = models.SmallIntegerField(
        choices=[(kind.value, kind.name.lower()) for kind in records.AccountKind],
        default=records.AccountKind.SPOT.value,
    )
    name = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, editable=False)  # the core has acknowledged it

    class Meta:
        constraints = [
            models.UniqueConstraint("member", "name", name="account_name_once"),
            models.CheckConstraint(
                condition=models.Q(number__gte=records.ACCOUNT_FIRST), name="account_not_the_house"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.name})"


class ApiKey(models.Model):
    """A key that acts for an account; the primary key is its number in the core.

    Either `secret` (HMAC-SHA256; sealed by identity.seal) or `public_key` (Ed25519, PEM) is set.
    Limits of 0 mean none.
    """

    number = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="api_keys")
    key = models.CharField(max_length=128, unique=True)
    secret = models.BinaryField(default=b"", blank=True, editable=False)
    public_key = models.TextField(default="", blank=True)
    label = models.CharField(max_length=64, default="", blank=True)
    scopes = models.SmallIntegerField()  # bits of records.Scope
    addresses = models.TextField(default="", blank=True)  # networks, one a line; none = any
    expires_at = models.DateTimeField(null=True, blank=True)
    order_limit_10s = models.PositiveIntegerField(default=100)
    order_limit_1d = models.PositiveIntegerField(default=200_000)
    weight_limit_1m = models.PositiveIntegerField(default=6000)
    created_at = models.DateTimeField(auto_now_add=True)
    granted_at = models.DateTimeField(null=True, editable=False)  # the core has acknowledged it
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(secret=b"") ^ models.Q(public_key=""), name="api_key_one_proof"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.key[:8]}…)"

    @property
    def scope_names(self) -> list[str]:
        """What it may, in words."""
        return [str(scope.name).lower() for scope in records.Scope if self.scopes & scope]


class HouseState(models.Model):
    """What staff have set for the whole house: one row; identity.maintenance writes it."""

    maintenance_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return "open" if self.maintenance_at is None else "in maintenance"


class SecurityEntry(models.Model):
    """One entry of the security log; identity.security_log writes and verifies it."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    action = models.CharField(max_length=64)
    actor = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="security_actions"
    )
    subject = models.ForeignKey(
        Member, null=True, on_delete=models.PROTECT, related_name="security_entries"
    )
    address = models.CharField(max_length=64, default="", blank=True)
    details = models.TextField()  # JSON
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = "security log entry"
        verbose_name_plural = "security log"

    def __str__(self) -> str:
        return f"{self.number}: {self.action}"


class SecurityHead(models.Model):
    """The end of the security log: one row, locked by whoever appends."""

    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.number} {self.digest}"


class AccessToken(models.Model):
    """A bearer token of the native API; identity.tokens makes and finds it. Its text isn't kept."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="tokens")
    label = models.CharField(max_length=64, default="", blank=True)
    prefix = models.CharField(max_length=12)  # of the text, to tell tokens apart
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the text, hexadecimal
    scopes = models.CharField(max_length=64)  # names with spaces between
    is_declared = models.BooleanField(default=False, editable=False)  # by the house file
    addresses = models.TextField(default="", blank=True)  # networks, one a line; none = any
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.member}"


class ListenKeyTerm(models.Model):
    """Until when a listen key lives; identity.listen_keys reads and writes it."""

    digest = models.CharField(max_length=64, primary_key=True)  # SHA-256 of the key
    until_s = models.BigIntegerField()  # Unix; 0 = ended
    changed_s = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"{self.digest[:8]}… until {self.until_s}"

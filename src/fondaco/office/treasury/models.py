"""Money commands, each with its row, and what asks for them: deposits, withdrawals, transfers.

Promises: a row of MoneyCommand is durable before the core hears of it, and its primary key is the
entry under which the core keeps it for good, so that sending it again moves nothing. Balances are
not here: they are the core's.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from fondaco.core import records
from fondaco.identity.models import Account

__all__ = ["Approval", "Deposit", "MoneyCommand", "Transfer", "Withdrawal"]


class MoneyCommand(models.Model):
    """One command that moves money; the id is its entry in the core. Never changed, never reused.

    `seq` is where the journal has it, `reason` why the core refused it; both 0: not answered yet.
    """

    kind = models.SmallIntegerField(
        choices=[
            (kind.value, kind.name.lower())
            for kind in (
                records.Command.DEPOSIT,
                records.Command.WITHDRAW,
                records.Command.TRANSFER,
            )
        ]
    )
    account = models.BigIntegerField()
    to_account = models.BigIntegerField(default=0)
    asset = models.IntegerField()
    amount = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    seq = models.BigIntegerField(default=0)
    reason = models.SmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="money_above_0"),
        ]

    def __str__(self) -> str:
        return f"entry {self.pk}"


class Asked(models.Model):
    """What a deposit, a withdrawal and a transfer have alike."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    asset = models.IntegerField()
    amount = models.BigIntegerField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Deposit(Asked):
    """Money that came in, as staff record it."""

    class State(models.TextChoices):
        ASKED = "asked"  # above the limit: waits for another's approval
        MOVING = "moving"
        DONE = "done"
        REFUSED = "refused"

    state = models.CharField(max_length=16, choices=State, default=State.ASKED)
    note = models.CharField(max_length=200, default="", blank=True)
    command = models.OneToOneField(
        MoneyCommand, null=True, on_delete=models.PROTECT, related_name="deposit"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return f"deposit {self.pk}"


class Withdrawal(Asked):
    """Money that shall go out. It is held from the first moment, then settled or given back."""

    class State(models.TextChoices):
        ASKED = "asked"  # the hold isn't answered yet
        HELD = "held"
        REFUSED = "refused"
        SETTLING = "settling"
        SETTLED = "settled"
        CANCELLING = "cancelling"
        CANCELLED = "cancelled"

    state = models.CharField(max_length=16, choices=State, default=State.ASKED)
    destination = models.CharField(max_length=200)
    holding = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    hold = models.OneToOneField(MoneyCommand, on_delete=models.PROTECT, related_name="held")
    end = models.OneToOneField(
        MoneyCommand, null=True, on_delete=models.PROTECT, related_name="ended"
    )
    due_at = models.DateTimeField()
    approvals_needed = models.SmallIntegerField()

    class Meta:
        indexes = [models.Index("state", "due_at", name="withdrawal_due")]

    def __str__(self) -> str:
        return f"withdrawal {self.pk}"


class Approval(models.Model):
    """One person's yes to a withdrawal."""

    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.CASCADE, related_name="approvals")
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint("withdrawal", "member", name="approval_once")]

    def __str__(self) -> str:
        return f"{self.member_id} for withdrawal {self.withdrawal_id}"


class Transfer(Asked):
    """Money between two accounts of one member."""

    to_account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    command = models.OneToOneField(MoneyCommand, on_delete=models.PROTECT, related_name="transfer")

    def __str__(self) -> str:
        return f"transfer {self.pk}"

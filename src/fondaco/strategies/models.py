"""Brokerage accounts, the strategies that trade on them, and what these report.

Promises: a report exists once for its strategy and time; its numbers are int64 in units of 10^-8
(strategies.amounts), times in microseconds since the epoch. What has just been taken in is an
Arrival first (strategies.arrivals). Periods and Standing are written in the transaction of the
reports that they sum up, so that no page ever goes through reports to draw a curve. A token is kept
as its digest only.

Report is made by SQL of its own in migration 0001: rows of one strategy lie together (SQLite: no
rowid), and on PostgreSQL it is partitioned by month (strategies.partitions).
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import models

__all__ = [
    "LENGTHS_S",
    "VALUES",
    "Arrival",
    "BrokerageAccount",
    "Flow",
    "LedgerState",
    "Period",
    "Report",
    "Standing",
    "Strategy",
]

NAME_LENGTH_MAX: Final = 64
SYMBOL_LENGTH_MAX: Final = 64
HOUR_S: Final = 3600
DAY_S: Final = 86_400
LENGTHS_S: Final = (HOUR_S, DAY_S)  # of the periods that are kept
# What a report says, in the order of the columns.
VALUES: Final = (
    *("last_price", "margin_balance", "wallet_balance", "realised_pnl", "positions"),
    "average_entry_price",
)


class BrokerageAccount(models.Model):
    """Where a member's strategies trade; its wallet counts once, however many they are."""

    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="brokerage_accounts"
    )
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    # The robot of ours whose account in the ledger this is; "" = one of a broker elsewhere.
    robot = models.CharField(max_length=64, default="", blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("member", "name", name="brokerage_account_once"),
            models.UniqueConstraint(
                fields=["robot"], condition=~models.Q(robot=""), name="brokerage_robot_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Strategy(models.Model):
    """An algorithm that runs elsewhere. Its token reports in its name; empty = it has none."""

    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="strategies"
    )
    account = models.ForeignKey(
        BrokerageAccount, on_delete=models.PROTECT, related_name="strategies"
    )
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    symbol = models.CharField(max_length=SYMBOL_LENGTH_MAX, default="", blank=True)
    token_prefix = models.CharField(max_length=12, default="", editable=False)
    token_digest = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001 - SHA-256; unique, so that none is null
    token_made_at = models.DateTimeField(null=True, editable=False)
    report_every_s = models.BigIntegerField(default=0)  # as its member expects; 0 = no matter
    late_since_us = models.BigIntegerField(default=0, editable=False)  # its last report, told late
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "strategies"
        constraints = [models.UniqueConstraint("member", "name", name="strategy_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def source(self) -> str:
        """Who says what it has: itself, or the ledger of this house."""
        return "verified by the ledger" if self.account.robot else "self-reported"

    @property
    def late_after_us(self) -> int:
        """How old its last report may be: one that is missed is no alarm; 0 = as old as it is."""
        return 2 * self.report_every_s * 1_000_000

    def is_late(self, now_us: int) -> bool:
        standing = getattr(self, "standing", None)
        return bool(
            standing and self.report_every_s and now_us - standing.created_us > self.late_after_us
        )


class Values(models.Model):
    """What a report says."""

    last_price = models.BigIntegerField()
    margin_balance = models.BigIntegerField()
    wallet_balance = models.BigIntegerField()
    realised_pnl = models.BigIntegerField()
    positions = models.BigIntegerField()
    average_entry_price = models.BigIntegerField()

    class Meta:
        abstract = True


class Arrival(models.Model):
    """A batch of reports as it was acknowledged, until it is in its place."""

    batch = models.BinaryField()

    def __str__(self) -> str:
        return f"batch {self.pk}"


class Report(Values):
    """One report as it came."""

    pk = models.CompositePrimaryKey("strategy_id", "created_us")
    strategy = models.ForeignKey(
        Strategy, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    created_us = models.BigIntegerField()

    def __str__(self) -> str:
        return f"strategy {self.strategy_id} at {self.created_us}"


class Period(Values):
    """An hour or a day of a strategy; the values are those of its last report.

    A period exists only where there was a report. `first` is of the report at first_us. Rows are in
    the order of their making: what all strategies change in an hour lies on few pages.
    """

    strategy = models.ForeignKey(
        Strategy, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    length_s = models.IntegerField()
    start_us = models.BigIntegerField()
    first_us = models.BigIntegerField()
    last_us = models.BigIntegerField()
    wallet_first = models.BigIntegerField()
    wallet_min = models.BigIntegerField()
    wallet_max = models.BigIntegerField()
    margin_first = models.BigIntegerField()
    margin_min = models.BigIntegerField()
    margin_max = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint("strategy", "length_s", "start_us", name="period_once")
        ]

    def __str__(self) -> str:
        return f"strategy {self.strategy_id}: {self.length_s} s from {self.start_us}"


class Standing(Values):
    """The newest report of a strategy, by its own time."""

    strategy = models.OneToOneField(
        Strategy, on_delete=models.CASCADE, primary_key=True, related_name="standing"
    )
    created_us = models.BigIntegerField()
    symbol = models.CharField(max_length=SYMBOL_LENGTH_MAX)

    def __str__(self) -> str:
        return f"strategy {self.strategy_id} at {self.created_us}"


class Flow(models.Model):
    """What was brought into a robot's account before a minute's end, less what was taken out."""

    strategy = models.ForeignKey(Strategy, on_delete=models.CASCADE, related_name="flows")
    time_us = models.BigIntegerField()
    amount = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint("strategy", "time_us", name="flow_once")]

    def __str__(self) -> str:
        return f"strategy {self.strategy_id} at {self.time_us}: {self.amount}"


class LedgerState(models.Model):
    """How far a robot's account is told (strategies.ledger), and what it holds by then."""

    account = models.OneToOneField(
        BrokerageAccount, on_delete=models.CASCADE, primary_key=True, related_name="ledger"
    )
    number = models.BigIntegerField()  # of the account in the ledger
    posting = models.BigIntegerField(default=0)  # the last one that is in `words`
    minute_us = models.BigIntegerField(default=0, db_index=True)  # its end; 0 = not begun
    words = models.JSONField(default=dict)  # strategies.holdings.Book

    def __str__(self) -> str:
        return f"account {self.number} to {self.minute_us}"

"""Brokerage accounts, the strategies that trade on them, and what these report.

Promises: a report exists once for its strategy and time; its numbers are int64 in units of 10^-8
(strategies.amounts), times in microseconds since the epoch. Periods and Standing are written in the
transaction of the reports that they sum up, so that no page ever goes through reports to draw a
curve. A token is kept as its digest only.

Report is made by SQL of its own in migration 0001: rows of one strategy lie together (SQLite: no
rowid), and on PostgreSQL it is partitioned by month (strategies.partitions).
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import models

__all__ = ["LENGTHS_S", "VALUES", "BrokerageAccount", "Period", "Report", "Standing", "Strategy"]

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
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint("member", "name", name="brokerage_account_once")]

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
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "strategies"
        constraints = [models.UniqueConstraint("member", "name", name="strategy_once")]

    def __str__(self) -> str:
        return self.name


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

"""What pages, routes and sockets show of strategies: lists, how they stand, their curves.

Promises: a member's own rows alone; every figure is one of strategies.amounts. A curve is drawn
from periods, and of reports only the newest and the last before a moment are looked for, so that
nothing here costs more when history grows. Archived accounts and strategies take no part. What was
acknowledged is seen: whoever is about to read has it put in place first (strategies.arrivals), but
for mark(), which is asked again and again while the edges do so by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Count, Q, QuerySet, Sum

from fondaco.identity.models import Member
from fondaco.strategies import tables
from fondaco.strategies.arrivals import put_in_place
from fondaco.strategies.models import HOUR_S, BrokerageAccount, Period, Report, Standing, Strategy

__all__ = [
    "DAY_US",
    "HOUR_US",
    "Dashboard",
    "Point",
    "accounts",
    "curve",
    "dashboard",
    "mark",
    "reports",
    "robots",
    "strategies",
    "strategy",
]

HOUR_US: Final = HOUR_S * 1_000_000
DAY_US: Final = 24 * HOUR_US
HOURS_SHOWN: Final = 30 * 24
REPORTS_SHOWN: Final = 50


class Point(NamedTuple):
    """One hour of a curve: when it begins, and the value at its end."""

    start_us: int
    value: int


class Dashboard(NamedTuple):
    """How a member's accounts stand together; `reference` is what counts as 24 hours ago."""

    equity: int
    reference: int
    hourly: list[Point]
    strategies: list[Strategy]
    robots: list[Strategy]  # of this house: beside, not in the equity of accounts elsewhere

    @property
    def pnl(self) -> int:
        return self.equity - self.reference


class Wallet(NamedTuple):
    """What an account held, and when it said so."""

    time_us: int
    balance: int


# ---- lists


def accounts(member: Member, *, archived: bool = False) -> list[BrokerageAccount]:
    """Return a member's accounts elsewhere by name."""
    rows = BrokerageAccount.objects.filter(
        member=member, robot="", archived_at__isnull=not archived
    )
    live = Count("strategies", filter=Q(strategies__archived_at__isnull=True))
    return list(rows.annotate(strategy_count=live).order_by("name"))


def strategy(member: Member, number: int) -> Strategy | None:
    """Return a strategy of a member, with its account and standing."""
    put_in_place()
    rows = Strategy.objects.select_related("account", "standing")
    return rows.filter(pk=number, member=member).first()


def strategies(member: Member, *, archived: bool = False) -> list[Strategy]:
    """Return a member's strategies by name, with their accounts and standings."""
    put_in_place()
    rows = _rows(member, archived=archived).filter(account__robot="")
    return list(rows.order_by("name"))


def robots(member: Member) -> list[Strategy]:
    """Return how the accounts of a member's robots stand, by name."""
    rows = _rows(member, archived=False).exclude(account__robot="")
    return list(rows.order_by("name"))


def _rows(member: Member, *, archived: bool) -> QuerySet[Strategy]:
    is_away = Q(archived_at__isnull=False) | Q(account__archived_at__isnull=False)
    rows = Strategy.objects.filter(is_away if archived else ~is_away, member=member)
    return rows.select_related("account", "standing")


def reports(strategy: Strategy) -> list[Report]:
    """Return a strategy's newest reports, newest first."""
    put_in_place()
    return list(Report.objects.filter(strategy=strategy).order_by("-created_us")[:REPORTS_SHOWN])


def mark(member: int) -> tuple[int, ...]:
    """Return numbers that differ as soon as a strategy of a member stands otherwise."""
    live = Standing.objects.filter(
        strategy__member=member,
        strategy__archived_at__isnull=True,
        strategy__account__archived_at__isnull=True,
    )
    found = live.aggregate(
        count=Count("pk"), times=Sum("created_us"), accounts=Sum("strategy__account")
    )
    return tuple(int(each or 0) for each in found.values())


# ---- curves


def curve(strategy: Strategy, *, now_us: int) -> list[Period]:
    """Return a strategy's hours of the last 30 days, oldest first."""
    put_in_place()
    start = now_us // HOUR_US * HOUR_US - (HOURS_SHOWN - 1) * HOUR_US
    rows = Period.objects.filter(strategy=strategy, length_s=HOUR_S, start_us__gte=start)
    return list(rows.order_by("start_us"))


def dashboard(member: Member, *, now_us: int, hours: int = HOURS_SHOWN) -> Dashboard:
    """Return how a member's accounts stand, were 24 hours ago, and stood in each of so many hours.

    An account that began since counts from its first report on: money that was brought is no
    profit.
    """
    rows = strategies(member)
    live = [each for each in rows if hasattr(each, "standing")]
    account_of = {each.pk: each.account_id for each in live}
    now = newest(
        (account_of[each.pk], Wallet(each.standing.created_us, each.standing.wallet_balance))
        for each in live
    )
    before = {
        **_first_wallets(account_of),
        **_wallets_at(account_of, now_us - DAY_US),
    }
    return Dashboard(
        equity=sum(wallet.balance for wallet in now.values()),
        reference=sum(wallet.balance for wallet in before.values()),
        hourly=_hourly(account_of, now_us, hours) if hours else [],
        strategies=rows,
        robots=robots(member),
    )


def newest(wallets: Iterable[tuple[int, Wallet]]) -> dict[int, Wallet]:
    """Return what each account said last; of one moment, the larger number."""
    found: dict[int, Wallet] = {}
    for account, wallet in wallets:
        found[account] = max(found.get(account, wallet), wallet)
    return found


def _hourly(account_of: dict[int, int], now_us: int, hours: int) -> list[Point]:
    """Return the accounts' sum at the end of each hour, carried forward through silence."""
    last = now_us // HOUR_US * HOUR_US
    start = last - (hours - 1) * HOUR_US
    held: dict[int, tuple[int, int]] = {**_wallets_at(account_of, start - 1)}
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        rows = tables.hours_from(cursor, list(account_of), start)
    points = []
    total = sum(balance for _, balance in held.values())
    at = start
    for strategy, start_us, last_us, balance in rows:
        while at < start_us:
            if held:
                points.append(Point(at, total))
            at += HOUR_US
        account = account_of[strategy]
        had = held.get(account)
        wallet = (last_us, balance)
        if had is None or wallet > had:
            total += balance - (had[1] if had else 0)
            held[account] = wallet
    if held:
        points += [Point(each, total) for each in range(at, max(at, last) + HOUR_US, HOUR_US)]
    return points


def _wallets_at(account_of: dict[int, int], time_us: int) -> dict[int, Wallet]:
    """Return what each account had said last at a moment."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        rows = tables.wallets_at(cursor, list(account_of), time_us)
    return newest((account_of[strategy], Wallet(at, balance)) for strategy, at, balance in rows)


def _first_wallets(account_of: dict[int, int]) -> dict[int, Wallet]:
    """Return what each account said first."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        rows = tables.first_wallets(cursor, list(account_of))
    found: dict[int, Wallet] = {}
    for strategy, at, balance in rows:
        wallet = Wallet(at, balance)
        account = account_of[strategy]
        found[account] = min(found.get(account, wallet), wallet)
    return found

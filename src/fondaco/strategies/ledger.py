"""The accounts of our own robots as strategies: told by the ledger, not by a program.

Promises: what a robot had at the end of a minute is the sum of its postings before it, each asset
at the last price of its market before it; computed from the projections alone, so that anybody
who has them finds the same. A minute is told once the projections have passed it, and only if
something changed. What came from or went to its member is kept beside (Flow), so that it is no
profit. Everything of a turn is one transaction with the state that it leads to. What has no price
in the house's cash counts as what it cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from fondaco.projections import candles
from fondaco.projections import selectors as history
from fondaco.projections.models import Posting
from fondaco.projections.reading import together
from fondaco.strategies import tables
from fondaco.strategies.holdings import Book, Prices, Terms
from fondaco.strategies.models import Flow, LedgerState, Strategy
from fondaco.strategies.partitions import Months
from fondaco.strategies.periods import sum_up

__all__ = ["House", "follow", "house_of"]

MINUTE_US: Final = 60_000_000
MINUTES_MAX: Final = 1440  # of one account, a turn
POSTINGS_MAX: Final = 5_000  # of one account, a turn; all of its first minute, if those are more


class House(NamedTuple):
    """What a turn knows of the house; `end_us` is of the last minute that the projections have."""

    terms: Terms
    end_us: int


def house_of(cash_code: str) -> House | None:
    """Return the house as of now; None before it has its cash."""
    codes = history.asset_codes()
    cash = next((number for number, (code, _) in codes.items() if code == cash_code), None)
    if cash is None:
        return None
    terms = Terms(
        cash=cash,
        decimals={number: places for number, (_, places) in codes.items()},
        markets={row.base: row for row in history.instruments() if row.quote == cash},
    )
    return House(terms, history.cursor().time_us // MINUTE_US * MINUTE_US)


def follow(state: LedgerState, house: House) -> int:
    """Tell the next minutes of an account; return how many reports that made."""
    strategy = Strategy.objects.get(account=state.account)
    before = (state.posting, state.minute_us)
    book = Book(house.terms, state.words)
    rows, end_us = _next(state, house, is_flat=not book.is_moved_by_prices)
    if state.minute_us == 0:
        state.minute_us = rows[0].time_us // MINUTE_US * MINUTE_US if rows else end_us
    minutes = range(state.minute_us + MINUTE_US, end_us + MINUTE_US, MINUTE_US)
    prices = _prices(house.terms, book.assets | {row.asset for row in rows}, minutes)
    reports: list[tuple[int, ...]] = []
    flows: list[Flow] = []
    taken = 0
    for minute_us in minutes:
        first = taken
        while taken < len(rows) and rows[taken].time_us < minute_us:
            taken += 1
        flow = book.take(rows[first:taken], prices[minute_us], account=state.number)
        if flow:
            flows.append(Flow(strategy=strategy, time_us=minute_us, amount=flow))
        told = book.told(prices[minute_us])
        if told is not None:
            reports.append((strategy.pk, minute_us, *told))
    if taken:
        state.posting = rows[taken - 1].pk
    state.minute_us = max(end_us, state.minute_us)
    state.words = book.words
    return len(reports) if _store(state, before, reports, flows, book.symbol) else 0


def _next(state: LedgerState, house: House, *, is_flat: bool) -> tuple[list[Posting], int]:
    """Return the postings of a turn, oldest first, and the end of its last minute."""
    limit = POSTINGS_MAX
    while True:
        rows = _postings(state, list(house.terms.decimals), limit)
        start_us = state.minute_us or (rows[0].time_us // MINUTE_US * MINUTE_US if rows else 0)
        end_us = min(house.end_us, start_us + MINUTES_MAX * MINUTE_US)
        if not rows or (is_flat and rows[0].time_us >= end_us):  # nothing moves until then
            until = rows[0].time_us // MINUTE_US * MINUTE_US if rows else house.end_us
            if is_flat:
                return [], min(until, house.end_us)
        if len(rows) < limit:
            return rows, end_us
        end_us = min(end_us, rows[-1].time_us // MINUTE_US * MINUTE_US)
        if end_us > start_us:
            return rows, end_us
        limit *= 4


def _postings(state: LedgerState, assets: list[int], limit: int) -> list[Posting]:
    found: dict[int, Posting] = {}
    with together():
        for side in ("debit_account", "credit_account"):
            rows = Posting.objects.filter(
                **{side: state.number}, asset__in=assets, id__gt=state.posting
            )
            found.update((row.pk, row) for row in rows.order_by("id")[:limit])
    return [found[key] for key in sorted(found)][:limit]


def _prices(terms: Terms, assets: Iterable[int], minutes: Sequence[int]) -> dict[int, Prices]:
    """Return the last price of each asset before each minute's end, in ticks; 0 before any."""
    prices: dict[int, Prices] = {minute: {} for minute in minutes}
    for asset in assets:
        market = terms.markets.get(asset)
        if market is None or not minutes:
            continue
        found = candles.closes(
            market.number, list(minutes), of_quotes=market.market == candles.DEALER
        )
        for minute, ticks in found.items():
            prices[minute][asset] = ticks
    return prices


@transaction.atomic
def _store(
    state: LedgerState,
    before: tuple[int, int],
    reports: list[tuple[int, ...]],
    flows: list[Flow],
    symbol: str,
) -> bool:
    """Store a turn, unless another process did."""
    mine = LedgerState.objects.filter(pk=state.pk, posting=before[0], minute_us=before[1])
    if not mine.update(posting=state.posting, minute_us=state.minute_us, words=state.words):
        return False
    Flow.objects.bulk_create(flows)
    if reports:
        months = Months()
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            months.make(cursor, (row[1] for row in reports))
            fresh = tables.insert_reports(cursor, reports)
            if fresh:
                sum_up(cursor, fresh, {(row[0], row[1]): symbol for row in fresh})
    return True

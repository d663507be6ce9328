"""Statements held against the core that made the postings, and profit against tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from fractions import Fraction

import pytest

from fondaco.core import records
from fondaco.core.exchange import Exchange
from fondaco.office.statements import selectors
from fondaco.office.statements.profit import Fill, Realised, average_cost, fifo
from fondaco.projections.services import Writer
from tests.projections import market
from tests.projections.conftest import tables
from tests.projections.test_exchange import core_balances

__all__ = ["tables"]

Renew = Callable[[], None]
NOV = dt.date(2026, 11, 1)
DEC = dt.date(2026, 12, 1)
JAN = dt.date(2027, 1, 1)


def history(exchange: Exchange, count: int, *, seed: int) -> None:
    """Apply commands over three months, and project their events."""
    commands = market.opening() + list(market.flow(count, seed=seed))
    start = selectors.micros(dt.date(2026, 11, 2))
    step = (selectors.micros(dt.date(2027, 1, 30)) - start) // len(commands)
    writer = Writer()
    for place, command in enumerate(commands):
        run = bytearray(command)
        exchange.stamp(run, place + 1, start + place * step)
        writer.apply_events(exchange.apply(bytes(run)), place + 1)


def test_statements_equal_the_ledger_to_the_last_unit(tables: Renew) -> None:
    """Each month opens where the last closed, lines add up, and the last closes at the core's."""
    exchange = Exchange()
    history(exchange, 1500, seed=3)
    paid = 0
    for account in market.ACCOUNTS:
        closing: dict[int, int] = {}
        for month in (NOV, DEC, JAN):
            found = selectors.statement([account], month)
            for line in found.assets:
                assert line.opening == closing.get(line.asset, 0)
                assert line.opening + line.credits - line.debits == line.closing
                last = [each for each in found.lines if each.code == line.code]
                assert not last or last[-1].balance == line.text("closing")
                paid += line.fees
            closing = {line.asset: line.closing for line in found.assets}
            assert len(found.lines) > 50
        assert closing == {a: n for a, n in core_balances(exchange, account).items() if a}
    fees = core_balances(exchange, records.ACCOUNT_FEES)
    assert paid == sum(fees.values()) > 0


def test_the_sum_of_all_statements_is_the_members_total(tables: Renew) -> None:
    """Over all members, in any grouping of accounts, closings add up to the ledger's totals."""
    exchange = Exchange()
    history(exchange, 600, seed=4)
    totals = {}
    answer = exchange.query(records.pack(records.Query.TOTALS))
    for record in records.split(answer):
        words = records.unpack(record)
        totals[words["asset"]] = words["members"]
    together = selectors.statement(list(market.ACCOUNTS), JAN)
    assert {line.asset: line.closing for line in together.assets} == totals
    apart: dict[int, int] = {}
    for account in market.ACCOUNTS:
        for line in selectors.statement([account], JAN).assets:
            apart[line.asset] = apart.get(line.asset, 0) + line.closing
    assert apart == totals


def test_a_lost_posting_would_be_seen(tables: Renew) -> None:
    """A planted fault: with one posting gone the statement no longer equals the core."""
    from fondaco.projections.models import Posting

    exchange = Exchange()
    history(exchange, 300, seed=5)
    account = market.ACCOUNTS[0]
    row = Posting.objects.filter(credit_account=account).order_by("-id").first()
    assert row is not None
    row.delete()
    found = selectors.statement([account], JAN)
    theirs = core_balances(exchange, account)
    assert {line.asset: line.closing for line in found.assets} != theirs


def buy(base: int, quote: int, time_us: int = 0) -> Fill:
    return Fill(time_us=time_us, instrument=1, is_buy=True, base=base, quote=quote)


def sell(base: int, quote: int, time_us: int = 0) -> Fill:
    return Fill(time_us=time_us, instrument=1, is_buy=False, base=base, quote=quote)


@pytest.mark.parametrize(
    "fills, gains, uncovered",
    [
        ([buy(10, 100), sell(10, 130)], [30], 0),
        ([buy(10, 100), buy(10, 200), sell(10, 150)], [0], 0),
        ([buy(10, 100), buy(10, 200), sell(10, 150), sell(10, 150)], [0, 0], 0),
        ([buy(3, 10), sell(1, 5), sell(1, 5), sell(1, 5)], [2, 2, 1], 0),
        ([sell(5, 50)], [0], 5),
        ([buy(5, 50), sell(10, 200)], [50], 5),
        ([buy(10, 100), sell(5, 40), buy(5, 60), sell(10, 120)], [-10, 10], 0),
    ],
)
def test_profit_by_average_cost(fills: list[Fill], gains: list[int], uncovered: int) -> None:
    """Purchases, partial sales, a loss, and what was never bought here."""
    found = average_cost(fills)
    assert [sale.gain for sale in found] == gains
    assert sum(sale.uncovered for sale in found) == uncovered


def test_fifo_uses_the_oldest_lot_first() -> None:
    """A sale over two lots is two rows, each with its own day and cost."""
    found = fifo([buy(10, 100, 1), buy(10, 200, 2), sell(15, 300, 3), sell(10, 100, 4)])
    rows = [(each.acquired_us, each.quantity, each.proceeds, each.cost) for each in found]
    assert rows == [(1, 10, 200, 100), (2, 5, 100, 100), (2, 5, 50, 100), (0, 0, 0, 0)]
    assert found[-1].uncovered == 5


def test_both_ways_lose_no_unit(tables: Renew) -> None:
    """On a real flow, quantities sold and costs add up alike, and nothing is made by rounding."""
    history(Exchange(), 1500, seed=6)
    own = set(market.ACCOUNTS[:2])
    every = selectors.fills(own, selectors.micros(dt.date(2028, 1, 1)))
    assert len(every) > 100

    def sold(found: list[Realised]) -> int:
        return sum(sale.quantity + sale.uncovered for sale in found)

    assert sold(fifo(every)) == sold(average_cost(every))
    assert sold(fifo(every)) == sum(fill.base for fill in every if not fill.is_buy)
    bought = sum(fill.quote for fill in every if fill.is_buy)
    assert sum(sale.cost for sale in fifo(every)) <= bought
    for sale in average_cost(every):
        assert Fraction(sale.cost) >= 0

"""What the users' and stocks' routes show, in the shapes of their older callers.

Promises: balances are what is free now, by the core; statistics, quotes and transactions are of one
moment of history, once that has reached what the core had done. Amounts are exact inside and become
JSON numbers last of all: whole ones as such, others as the nearest double.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from django.conf import settings
from django.http import Http404

from fondaco.core import records
from fondaco.core.records import Side
from fondaco.identity.core_door import Core, kind_of
from fondaco.identity.models import Account
from fondaco.projections import quotes
from fondaco.projections import selectors as history
from fondaco.projections.quotes import Statistics
from fondaco.projections.selectors import FillRow, InstrumentRow, TradeRow

__all__ = [
    "cash",
    "dealer_market",
    "number_of",
    "shares_free",
    "stock_words",
    "stocks",
    "user_words",
]

DEALER: Final = 2
SHOWN: Final = 5  # newest quotes and transactions
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Number = int | float


def number_of(value: Fraction) -> Number:
    """Return an exact value as a JSON number: a whole one as an integer."""
    return int(value) if value.denominator == 1 else float(value)


def money_of(units: int, decimals: int) -> float:
    """Return an amount of money as these replies show it."""
    return float(Fraction(units, 10**decimals))


def cash() -> tuple[int, int]:
    """Return number and decimals of the house's cash. Raises Http404 before it is defined."""
    for number, (code, decimals) in history.asset_codes().items():
        if code == settings.CASH:
            return number, decimals
    raise Http404(f"The house has no {settings.CASH} yet.")


def stock_id_of(row: InstrumentRow) -> str:
    """Return how a stock is named here; a declared one that no feed knows has its symbol."""
    return row.stock_id or row.symbol


def dealer_markets() -> list[InstrumentRow]:
    """Return the dealer instruments by number."""
    return [row for row in history.instruments() if row.market == DEALER]


def dealer_market(stock_id: str) -> InstrumentRow:
    """Return the instrument of a stock. Raises Http404."""
    for row in dealer_markets():
        if stock_id_of(row) == stock_id:
            return row
    raise Http404("No Stock matches the given query.")


# ---- users


def balances(core: Core, account: int) -> dict[int, tuple[int, int]]:
    """Return free and held units now, by asset number."""
    answer = core.query(records.pack(records.Query.BALANCES, account=account))
    found = {}
    for record in records.split(bytes(answer.records)):
        if kind_of(record) == records.Event.BALANCE:
            words = records.unpack(record)
            found[words["asset"]] = (words["free"], words["held"])
    return found


def shares_free(core: Core, account: int, row: InstrumentRow) -> int:
    """Return the lots of a stock that are free on an account."""
    return balances(core, account).get(row.base, (0, 0))[0] // row.base_per_lot


def user_words(core: Core, account: Account, *, whole: bool = False) -> dict[str, Any]:
    """Return a user with their balance; `whole`: with stocks and newest transactions."""
    number, decimals = cash()
    held = balances(core, account.pk)
    told: dict[str, Any] = {
        "id": account.member_id,
        "username": account.member.username,
        "email": account.member.email,
        "balance": money_of(held.get(number, (0, 0))[0], decimals),
    }
    if not whole:
        return told
    del told["id"]
    codes = history.asset_codes()
    rows = dealer_markets()
    told["stocks"] = [
        {
            "stock_id": stock_id_of(row),
            "name": row.name or row.symbol,
            "total_count": number_of(Fraction(held[row.base][0], 10 ** codes[row.base][1])),
        }
        for row in rows
        if any(held.get(row.base, ()))
    ]
    traded = set(history.traded_by(account.pk))
    fills = [
        (fill, row) for row in rows if row.number in traded for fill in _fills(account.pk, row)
    ]
    fills.sort(key=lambda each: (each[0].seq, each[0].trade_id), reverse=True)
    told["recent_transactions"] = [
        {
            "stock": row.name or row.symbol,
            **_deal(fill.side, fill.price_ticks, fill.quantity_lots, fill.quote_amount, row),
        }
        for fill, row in fills[:SHOWN]
    ]
    return told


def _fills(account: int, row: InstrumentRow) -> list[FillRow]:
    return history.my_trades(account, row.number, limit=SHOWN)


def _deal(side: int, price: int, lots: int, quote: int, row: InstrumentRow) -> dict[str, Any]:
    codes = history.asset_codes()
    base, cash_decimals = codes[row.base][1], codes[row.quote][1]
    return {
        "type": "Buy" if side == Side.BUY else "Sell",
        "stock_price": float(price * Fraction(row.tick_size)),
        "total_price": money_of(quote, cash_decimals),
        "total_count": number_of(Fraction(lots * row.base_per_lot, 10**base)),
    }


# ---- stocks


def stocks() -> list[dict[str, Any]]:
    """Return every stock with the statistics of all its messages."""
    found = quotes.statistics_of_all()
    return [_statistics_words(row, found.get(row.number)) for row in dealer_markets()]


def stock_words(
    row: InstrumentRow, span: tuple[int, int] | None, *, names_of: Sequence[int] | None
) -> dict[str, Any]:
    """Return a stock with what is newest; all of a range in microseconds, if one is given.

    `names_of`: only these members' names are told; None: everybody's.
    """
    start_us, end_us = span or (0, quotes.END_US)
    told = _statistics_words(row, quotes.statistics(row.number, start_us=start_us, end_us=end_us))
    recent = quotes.recent(row.number, limit=SHOWN, start_us=start_us, end_us=end_us)
    codes = history.asset_codes()
    told["recent_data"] = [
        {
            "price": float(each.price_ticks * Fraction(row.tick_size)),
            "availability": number_of(
                Fraction(each.availability_lots * row.base_per_lot, 10 ** codes[row.base][1])
            ),
            "timestamp": _time_words(each.message_us),
        }
        for each in recent
    ]
    trades = quotes.trades_of(row.number, limit=SHOWN, start_us=start_us, end_us=end_us)
    names = _names({_account_of(trade) for trade in trades}, names_of)
    told["transactions"] = [
        {
            "user": names.get(_account_of(trade)),
            **_deal(
                _side_of(trade), trade.price_ticks, trade.quantity_lots, trade.quote_amount, row
            ),
        }
        for trade in trades
    ]
    return told


def _statistics_words(row: InstrumentRow, found: Statistics | None) -> dict[str, Any]:
    tick = Fraction(row.tick_size)
    told: dict[str, Any] = {"stock_id": stock_id_of(row), "name": row.name or row.symbol}
    told["highest_price"] = told["lowest_price"] = told["average_price"] = None
    if found is not None:
        told["highest_price"] = float(found.high_ticks * tick)
        told["lowest_price"] = float(found.low_ticks * tick)
        told["average_price"] = float(found.average_ticks * tick)
    return told


def _side_of(trade: TradeRow) -> int:
    """Return the member's side: the other one is the house's."""
    return Side.BUY if trade.buyer_account >= records.ACCOUNT_FIRST else Side.SELL


def _account_of(trade: TradeRow) -> int:
    return trade.buyer_account if _side_of(trade) == Side.BUY else trade.seller_account


def _names(accounts: Iterable[int], names_of: Sequence[int] | None) -> dict[int, str]:
    rows = Account.objects.filter(pk__in=list(accounts))
    if names_of is not None:
        rows = rows.filter(member_id__in=names_of)
    return dict(rows.values_list("number", "member__username"))


def _time_words(time_us: int) -> str:
    moment = EPOCH + dt.timedelta(microseconds=time_us)
    return moment.isoformat().replace("+00:00", "Z")

"""History as the edges ask for it: orders, trades, postings, and how far they reach.

Promises: frozen rows of ints that may be kept and handed between threads; every call reads by an
index, at most `limit` rows, and may be made from any thread. Rows reach up to cursor().seq: what
is newer is the edge's to add from memory (Order.updated_seq and trade ids tell what it has).
Candles are in projections.candles. Times are microseconds; ranges are [start_us, end_us).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from fondaco.core.records import Period, Side
from fondaco.projections.decoding import trade_key
from fondaco.projections.models import (
    POSTING_BITS,
    Asset,
    Cursor,
    Instrument,
    Order,
    Posting,
    Summary,
    Trade,
)
from fondaco.projections.reading import fetch
from fondaco.projections.tables import LISTS, columns_of, table_of

__all__ = [
    "AggregateTrade",
    "CursorRow",
    "FillRow",
    "InstrumentRow",
    "ListRow",
    "OrderRow",
    "PostingRow",
    "SummaryRow",
    "TradeRow",
    "agg_trades",
    "aggregate",
    "asset_codes",
    "balances",
    "cursor",
    "instruments",
    "list_by_client_id",
    "lists",
    "my_trades",
    "order",
    "order_by_client_id",
    "orders",
    "postings",
    "summaries",
    "traded_by",
    "trades",
    "trades_between",
]

LIMIT_MAX: Final = 1000  # rows of one answer, as on the wire
AGGREGATED_MAX: Final = 20_000  # trades read for one answer of aggregates
ID_MAX: Final = (1 << 63) - 1


class CursorRow(msgspec.Struct, frozen=True):
    seq: int
    time_us: int


class InstrumentRow(msgspec.Struct, frozen=True):
    number: int
    symbol: str
    base: int
    quote: int
    market: int
    tick_size: str
    lot_size: str
    base_per_lot: int
    quote_per_lot_tick: int
    status: int
    venue: str = ""
    name: str = ""
    stock_id: str = ""


class OrderRow(msgspec.Struct, frozen=True):
    """The newest state of an order, in the words of records.Event.ORDER."""

    order_id: int
    updated_seq: int
    updated_us: int
    account: int
    instrument: int
    status: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    stop_price_ticks: int
    quantity_lots: int
    filled_lots: int
    filled_quote: int
    quote_quantity: int
    created_us: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    working_us: int  # 0: a stop that was not triggered
    list_id: int = 0  # 0: in no list


class ListRow(msgspec.Struct, frozen=True):
    """The newest state of a list, in the words of records.Event.LIST."""

    updated_seq: int
    updated_us: int
    account: int
    instrument: int
    list_id: int
    status: int
    stop_order_id: int
    profit_order_id: int
    created_us: int
    list_client_id_0: int
    list_client_id_1: int
    list_client_id_2: int
    list_client_id_3: int
    stop_client_id_0: int
    stop_client_id_1: int
    stop_client_id_2: int
    stop_client_id_3: int
    profit_client_id_0: int
    profit_client_id_1: int
    profit_client_id_2: int
    profit_client_id_3: int


class TradeRow(msgspec.Struct, frozen=True):
    """A match, in the words of records.Event.TRADE. Imported: seq, orders, accounts 0; id < 0."""

    seq: int
    time_us: int
    instrument: int
    trade_id: int
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    taker_side: int
    buy_order_id: int
    sell_order_id: int
    buyer_account: int
    seller_account: int
    buyer_fee: int
    seller_fee: int
    buyer_fee_asset: int
    seller_fee_asset: int


class FillRow(msgspec.Struct, frozen=True):
    """One account's side of a trade. Fills of different instruments are in the order of seq."""

    seq: int
    time_us: int
    instrument: int
    trade_id: int
    order_id: int
    side: int
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    fee: int
    fee_asset: int
    is_maker: bool
    list_id: int = 0  # of the order's list


class AggregateTrade(msgspec.Struct, frozen=True):
    """Trades of one taker order at one price and moment. Its id is its first trade's."""

    first_trade_id: int
    last_trade_id: int
    time_us: int
    price_ticks: int
    quantity_lots: int
    taker_side: int


class PostingRow(msgspec.Struct, frozen=True):
    seq: int
    index: int
    time_us: int
    debit_account: int
    credit_account: int
    asset: int
    amount: int
    cause: int
    entry: int


class SummaryRow(msgspec.Struct, frozen=True):
    updated_seq: int
    updated_us: int
    account: int
    instrument: int
    period: int
    number: int
    is_closed: int
    bought_lots: int
    bought_quote: int
    sold_lots: int
    sold_quote: int
    profit: int
    position: int
    cost: int


_ORDERS: Final = table_of(Order)
_TRADES: Final = table_of(Trade)
_POSTINGS: Final = table_of(Posting)
_ORDER_COLUMNS: Final = ", ".join(columns_of(Order)[:-1])
_TRADE_COLUMNS: Final = ", ".join(columns_of(Trade)[1:])
_POSTING_COLUMNS: Final = ", ".join(columns_of(Posting))
# ruff's S608 is about values in SQL text: here only names of our own tables are.
_SELECT_LISTS: Final = f"SELECT {', '.join(LISTS.columns)} FROM {LISTS.name}"  # noqa: S608
_SELECT_ORDERS: Final = f"SELECT {_ORDER_COLUMNS} FROM {_ORDERS} "  # noqa: S608
_SELECT_TRADES: Final = f"SELECT {_TRADE_COLUMNS} FROM {_TRADES} "  # noqa: S608
_SELECT_POSTINGS: Final = f"SELECT {_POSTING_COLUMNS} FROM {_POSTINGS} "  # noqa: S608


def cursor() -> CursorRow:
    """Return how far the tables reach; seq 0 before the first event."""
    rows = fetch(f"SELECT seq, time_us FROM {table_of(Cursor)}")  # noqa: S608
    return CursorRow(*rows[0]) if rows else CursorRow(0, 0)


def instruments() -> list[InstrumentRow]:
    """Return the instruments by number."""
    columns = ", ".join(columns_of(Instrument))
    table = table_of(Instrument)
    return [InstrumentRow(*row) for row in fetch(f"SELECT {columns} FROM {table} ORDER BY number")]  # noqa: S608


def traded_by(account: int) -> list[int]:
    """Return the instruments on which an account ever had an order; one step of an index each."""
    table = table_of(Order)
    least = f"SELECT MIN(instrument) FROM {table} WHERE account = %s"  # noqa: S608
    after = f"{least} AND instrument > found.number"
    sql = (
        f"WITH RECURSIVE found(number) AS ({least} UNION ALL SELECT ({after}) FROM found "  # noqa: S608
        "WHERE found.number IS NOT NULL) SELECT number FROM found WHERE number IS NOT NULL"
    )
    rows = fetch(sql, (account, account))
    return [row[0] for row in rows]


def asset_codes() -> dict[int, tuple[str, int]]:
    """Return the code and the decimals of each asset number."""
    rows = fetch(f"SELECT number, code, decimals FROM {table_of(Asset)}")  # noqa: S608
    return {number: (code, decimals) for number, code, decimals in rows}


# ---- orders


def order(order_id: int) -> OrderRow | None:
    """Return one order by its id."""
    rows = fetch(_SELECT_ORDERS + "WHERE id = %s", (order_id,))
    return OrderRow(*rows[0]) if rows else None


def order_by_client_id(account: int, words: Sequence[int]) -> OrderRow | None:
    """Return the newest order of an account with that client order id (core.client_ids)."""
    first, second, third, fourth = words
    rows = fetch(
        _SELECT_ORDERS + "WHERE client_fold = %s AND account = %s AND client_order_id_0 = %s "
        "AND client_order_id_1 = %s AND client_order_id_2 = %s AND client_order_id_3 = %s "
        "ORDER BY id DESC LIMIT 1",
        (first ^ second ^ third ^ fourth, account, *words),
    )
    return OrderRow(*rows[0]) if rows else None


def orders(
    account: int,
    instrument: int,
    *,
    from_order_id: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int = 500,
) -> list[OrderRow]:
    """Return an account's orders on an instrument, oldest first, by the time of their creation.

    Without from_order_id and start_us they are the newest.
    """
    low = 0 if from_order_id is None else from_order_id
    if start_us is not None:
        low = max(low, _first_order_at(start_us))
    high = ID_MAX if end_us is None else _first_order_at(end_us)
    newest = from_order_id is None and start_us is None
    rows = fetch(
        _SELECT_ORDERS + "WHERE account = %s AND instrument = %s AND id >= %s AND id < %s "
        f"ORDER BY id {'DESC' if newest else 'ASC'} LIMIT %s",
        (account, instrument, low, high, _bounded(limit)),
    )
    found = [OrderRow(*row) for row in rows]
    return found[::-1] if newest else found


def _first_order_at(time_us: int) -> int:
    """Return the id of the first order created at that time or later."""

    def created(order_id: int) -> int | None:
        rows = fetch(
            f"SELECT created_us FROM {_ORDERS} WHERE id >= %s ORDER BY id LIMIT 1",  # noqa: S608
            (order_id,),
        )
        return rows[0][0] if rows else None

    last = fetch(f"SELECT id FROM {_ORDERS} ORDER BY id DESC LIMIT 1")  # noqa: S608
    return _search(0, last[0][0] + 1 if last else 0, time_us, created)


# ---- lists


def lists(
    account: int,
    *,
    from_id: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int = 500,
) -> list[ListRow]:
    """Return an account's lists, oldest first: the newest, or those from an id or a time on."""
    conditions, parameters = ["account = %s"], [account]
    for condition, value in (
        ("id >= %s", from_id),
        ("created_us >= %s", start_us),
        ("created_us < %s", end_us),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    newest = from_id is None and start_us is None
    rows = fetch(
        f"{_SELECT_LISTS} WHERE {' AND '.join(conditions)} "
        f"ORDER BY id {'DESC' if newest else 'ASC'} LIMIT %s",
        (*parameters, _bounded(limit)),
    )
    found = [ListRow(*row) for row in rows]
    return found[::-1] if newest else found


def list_by_client_id(account: int, words: Sequence[int]) -> ListRow | None:
    """Return the newest list of an account with that client id."""
    named = " AND ".join(f"list_client_id_{place} = %s" for place in range(4))
    rows = fetch(
        f"{_SELECT_LISTS} WHERE account = %s AND {named} ORDER BY id DESC LIMIT 1",
        (account, *words),
    )
    return ListRow(*rows[0]) if rows else None


# ---- trades


def trades(instrument: int, *, from_id: int | None = None, limit: int = 500) -> list[TradeRow]:
    """Return trades of an instrument, oldest first: the newest ones, or those from an id on."""
    low, high = _keys(instrument)
    if from_id is not None:
        low = trade_key(instrument, max(from_id, 0))
    return _trades_in(low, high, newest=from_id is None, limit=_bounded(limit))


def trades_between(
    instrument: int, *, start_us: int, end_us: int, limit: int = 500
) -> list[TradeRow]:
    """Return trades of an instrument in a range of time, oldest first."""
    low, high = _first_trade_at(instrument, start_us), _first_trade_at(instrument, end_us)
    return _trades_in(low, high, newest=False, limit=_bounded(limit))


def my_trades(
    account: int,
    instrument: int,
    *,
    from_id: int | None = None,
    order_id: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int = 500,
) -> list[FillRow]:
    """Return an account's fills on an instrument, oldest first.

    Without from_id and start_us they are the newest. A trade with oneself gives two.
    """
    low, high = _keys(instrument)
    if from_id is not None:
        low = max(low, trade_key(instrument, max(from_id, 0)))
    if start_us is not None:
        low = max(low, _first_trade_at(instrument, start_us))
    if end_us is not None:
        high = _first_trade_at(instrument, end_us)
    newest = from_id is None and start_us is None and order_id is None
    direction = "DESC" if newest else "ASC"
    fills: list[FillRow] = []
    for side, mine in ((Side.BUY.value, "buy"), (Side.SELL.value, "sell")):
        party = "buyer" if mine == "buy" else "seller"
        condition = f"{party}_account = %s AND {party}_account > 0 AND id >= %s AND id < %s"
        parameters = [account, low, high]
        if order_id is not None:
            condition += f" AND {mine}_order_id = %s"
            parameters.append(order_id)
        rows = fetch(
            f"SELECT seq, time_us, instrument, trade_id, {mine}_order_id, {side}, price_ticks, "  # noqa: S608
            f"quantity_lots, quote_amount, {party}_fee, {party}_fee_asset, taker_side <> {side}, "
            f"COALESCE((SELECT list_id FROM {_ORDERS} AS o WHERE o.id = {mine}_order_id), 0) "
            f"FROM {_TRADES} WHERE {condition} ORDER BY id {direction} LIMIT %s",
            (*parameters, _bounded(limit)),
        )
        fills.extend(FillRow(*(*row[:11], bool(row[11]), row[12])) for row in rows)
    fills.sort(key=lambda fill: (fill.trade_id, fill.side))
    return fills[-limit:] if newest else fills[:limit]


def agg_trades(
    instrument: int,
    *,
    from_id: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int = 500,
) -> list[AggregateTrade]:
    """Return aggregate trades, oldest first: the newest, from an id on, or of a range of time.

    An aggregate that began before from_id or start_us is left out, so that pages don't overlap.
    """
    low, high = _keys(instrument)
    if from_id is not None:
        low = trade_key(instrument, max(from_id, 0))
    elif start_us is not None:
        low = _first_trade_at(instrument, start_us)
    if end_us is not None:
        high = _first_trade_at(instrument, end_us)
    limit = _bounded(limit)
    rows: list[TradeRow] = []
    if from_id is None and start_us is None:
        while len(aggregate(rows)) <= limit and len(rows) < AGGREGATED_MAX:
            part = _trades_in(low, high, newest=True)
            if not part:
                break
            rows = part + rows
            high = trade_key(instrument, part[0].trade_id)
        return aggregate(rows)[-limit:]
    before = _trades_in(_keys(instrument)[0], low, newest=True, limit=1)
    while len(aggregate(rows)) <= limit and len(rows) < AGGREGATED_MAX:
        part = _trades_in(low, high, newest=False)
        if not part:
            break
        rows += part
        low = trade_key(instrument, part[-1].trade_id) + 1
    found = aggregate(before + rows)
    return found[len(before) :][:limit]


def aggregate(rows: Sequence[TradeRow]) -> list[AggregateTrade]:
    """Return the aggregates of trades that come in id order."""
    found: list[AggregateTrade] = []
    previous = -1
    for row in rows:
        taker = row.buy_order_id if row.taker_side == Side.BUY else row.sell_order_id
        last = found[-1] if found else None
        if last and taker and taker == previous and last.price_ticks == row.price_ticks:
            found[-1] = msgspec.structs.replace(
                last,
                last_trade_id=row.trade_id,
                quantity_lots=last.quantity_lots + row.quantity_lots,
            )
        else:
            found.append(
                AggregateTrade(
                    row.trade_id,
                    row.trade_id,
                    row.time_us,
                    row.price_ticks,
                    row.quantity_lots,
                    row.taker_side,
                )
            )
        previous = taker
    return found


def _trades_in(low: int, high: int, *, newest: bool, limit: int = LIMIT_MAX) -> list[TradeRow]:
    """Return trades by their keys, oldest first: the last or the first `limit` of a range."""
    direction = "DESC" if newest else "ASC"
    rows = fetch(
        _SELECT_TRADES + f"WHERE id >= %s AND id < %s ORDER BY id {direction} LIMIT %s",
        (low, high, limit),
    )
    return [TradeRow(*row) for row in (reversed(rows) if newest else rows)]


def _first_trade_at(instrument: int, time_us: int) -> int:
    """Return the key of the first trade of an instrument at that time or later."""
    first, end = _keys(instrument)
    ends = [_trades_in(first, end, newest=newest, limit=1) for newest in (False, True)]
    if not ends[0]:
        return end

    def traded(key: int) -> int | None:
        found = _trades_in(key, end, newest=False, limit=1)
        return found[0].time_us if found else None

    low = trade_key(instrument, ends[0][0].trade_id)
    return _search(low, trade_key(instrument, ends[1][0].trade_id) + 1, time_us, traded)


# ---- robots


def summaries(
    account: int, period: Period, *, number: int | None = None, limit: int = 500
) -> list[SummaryRow]:
    """Return a robot's days or months, newest first, by instrument; or one of them alone."""
    clause, parameters = ("AND number = %s ", [number]) if number is not None else ("", [])
    rows = fetch(
        f"SELECT {', '.join(columns_of(Summary)[1:])} FROM {table_of(Summary)} "  # noqa: S608
        f"WHERE account = %s AND period = %s {clause}"
        "ORDER BY number DESC, instrument LIMIT %s",
        [account, period, *parameters, _bounded(limit)],
    )
    return [SummaryRow(*row) for row in rows]


# ---- postings


def postings(account: int, *, after_seq: int = 0, limit: int = 500) -> list[PostingRow]:
    """Return the movements of an account by commands after a seq, oldest first."""
    limit = _bounded(limit)
    low = (after_seq + 1) << POSTING_BITS
    rows: list[tuple[int, ...]] = []
    for side in ("debit", "credit"):
        rows += fetch(
            _SELECT_POSTINGS + f"WHERE {side}_account = %s AND id >= %s ORDER BY id LIMIT %s",
            (account, low, limit),
        )
    found = {row[0]: row for row in rows}
    mask = (1 << POSTING_BITS) - 1
    return [
        PostingRow(key >> POSTING_BITS, key & mask, *found[key][1:])
        for key in sorted(found)[:limit]
    ]


def balances(account: int) -> dict[int, int]:
    """Return the sum of an account's postings by asset: what it was credited less its debits."""
    sums: dict[int, int] = {}
    for side, sign in (("credit", 1), ("debit", -1)):
        rows = fetch(
            f"SELECT asset, SUM(amount) FROM {_POSTINGS} WHERE {side}_account = %s GROUP BY asset",  # noqa: S608
            (account,),
        )
        for asset, amount in rows:
            sums[asset] = sums.get(asset, 0) + sign * int(amount)
    return sums


# ---- shared


def _keys(instrument: int) -> tuple[int, int]:
    """Return the first key of an instrument's trades and the one after its last."""
    return trade_key(instrument, 0), trade_key(instrument + 1, 0)


def _bounded(limit: int) -> int:
    return max(1, min(limit, LIMIT_MAX))


def _search(low: int, high: int, time_us: int, time_at: Callable[[int], int | None]) -> int:
    """Return the least key in [low, high] from which on no time is before time_us.

    time_at(key) is the time of the first row at that key or after it; times rise with keys.
    """
    while low < high:
        middle = (low + high) // 2
        found = time_at(middle)
        if found is None or found >= time_us:
            high = middle
        else:
            low = middle + 1
    return low

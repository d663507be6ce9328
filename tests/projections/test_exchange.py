"""The real exchange's events: what the tables say is what the core says."""

from __future__ import annotations

from collections.abc import Callable

from fondaco.core import client_ids, records
from fondaco.core.exchange import Exchange
from fondaco.projections import selectors
from fondaco.projections.models import Order, Trade
from fondaco.projections.services import Writer
from tests.projections import market, packed
from tests.projections.conftest import dump

Renew = Callable[[], None]
Runs = list[tuple[int, bytes]]


def traded(exchange: Exchange, commands: list[bytes], *, batch: int, first_seq: int = 1) -> Runs:
    """Apply commands in batches; return the last seq and the events of each."""
    runs = []
    for start in range(0, len(commands), batch):
        part = commands[start : start + batch]
        run = bytearray(b"".join(part))
        exchange.stamp(run, first_seq + start, packed.NOON_US + (first_seq + start) * 1_000_000)
        runs.append((first_seq + start + len(part) - 1, exchange.apply(bytes(run))))
    return runs


def core_balances(exchange: Exchange, account: int) -> dict[int, int]:
    answer = exchange.query(records.pack(records.Query.BALANCES, account=account))
    rows = [records.unpack(record) for record in records.split(answer)]
    return {row["asset"]: row["free"] + row["held"] for row in rows}


def test_postings_add_up_to_the_balances_of_the_core(tables: Renew) -> None:
    """For every account and asset, the house's own included, after thousands of commands."""
    exchange = Exchange()
    commands = market.opening() + list(market.flow(3000, seed=1))
    writer = Writer()
    for last_seq, events in traded(exchange, commands, batch=37):
        writer.apply_events(events, last_seq)
    assert Trade.objects.count() > 500
    for account in (*market.ACCOUNTS, records.ACCOUNT_WORLD, records.ACCOUNT_FEES):
        ours = {asset: amount for asset, amount in selectors.balances(account).items() if amount}
        theirs = {
            asset: amount for asset, amount in core_balances(exchange, account).items() if amount
        }
        assert ours == theirs, f"account {account}"
    assert sum(selectors.balances(records.ACCOUNT_FEES).values()) > 0


def test_open_orders_of_the_core_are_the_live_rows(tables: Renew) -> None:
    """What the tables call NEW or PARTIALLY_FILLED is exactly what rests in the books."""
    exchange = Exchange()
    commands = market.opening() + list(market.flow(2000, seed=2))
    writer = Writer()
    for last_seq, events in traded(exchange, commands, batch=500):
        writer.apply_events(events, last_seq)
    live = (records.OrderStatus.NEW.value, records.OrderStatus.PARTIALLY_FILLED.value)
    ours = {row.id: row.filled_lots for row in Order.objects.filter(status__in=live)}
    theirs = {}
    for account in market.ACCOUNTS:
        answer = exchange.query(records.pack(records.Query.OPEN_ORDERS, account=account))
        for record in records.split(answer):
            row = records.unpack(record)
            theirs[row["order_id"]] = row["filled_lots"]
    assert ours == theirs != {}
    found = selectors.order_by_client_id(
        Order.objects.get(pk=max(ours)).account, client_ids.encode(_name(max(ours)))
    )
    assert found is not None
    assert found.order_id == max(ours)


def _name(order_id: int) -> str:
    row = Order.objects.get(pk=order_id)
    return client_ids.decode(
        (
            row.client_order_id_0,
            row.client_order_id_1,
            row.client_order_id_2,
            row.client_order_id_3,
        )
    )


def test_my_trades_are_the_fill_events(tables: Renew) -> None:
    """Every FILL event, of taker and maker alike, is a row of its account with its fee."""
    exchange = Exchange()
    commands = market.opening() + list(market.flow(900, seed=3))
    runs = traded(exchange, commands, batch=50)
    writer = Writer()
    fills: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
        for record in records.split(events):
            if int.from_bytes(record[:2], "little") != records.Event.FILL:
                continue
            row = records.unpack(record)
            fills.setdefault((row["account"], row["instrument"]), []).append(
                (
                    row["trade_id"],
                    row["side"],
                    row["order_id"],
                    row["last_price_ticks"],
                    row["last_lots"],
                    row["last_quote"],
                    row["fee"],
                    row["fee_asset"],
                    row["is_maker"],
                )
            )
    assert sum(map(len, fills.values())) > 200
    for (account, instrument), expected in fills.items():
        found = selectors.my_trades(account, instrument, limit=1000)
        ours = [
            (
                row.trade_id,
                row.side,
                row.order_id,
                row.price_ticks,
                row.quantity_lots,
                row.quote_amount,
                row.fee,
                row.fee_asset,
                int(row.is_maker),
            )
            for row in found
        ]
        assert ours == sorted(expected)


def test_a_rebuild_from_the_events_of_the_exchange_equals_itself(tables: Renew) -> None:
    """Deleted and rebuilt from other batches of the same events, every table is the same."""
    exchange = Exchange()
    runs = traded(exchange, market.opening() + list(market.flow(1500, seed=4)), batch=20)
    writer = Writer()
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
    before = dump()
    tables()
    Writer().apply_events(b"".join(events for _, events in runs), runs[-1][0])
    assert dump() == before

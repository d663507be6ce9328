"""The dealer and agency markets in SQL: what the tables say is what the core says."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fondaco.core import records
from fondaco.core.exchange import Exchange
from fondaco.projections import selectors
from fondaco.projections.models import Order, Trade, VenueOrder, VenuePart
from fondaco.projections.services import Writer
from tests.projections.conftest import dump
from tests.projections.test_exchange import Runs, core_balances
from tests.property.flows import ACCOUNTS, START_US, OpenOrder
from tests.property.outside_flows import OutsideFlow
from tests.simulation.outside import venue_orders_of

Renew = Callable[[], None]
BATCHES = 700
HOUSE = (records.ACCOUNT_WORLD, records.ACCOUNT_FEES, 3, records.ACCOUNT_INVENTORY)


def open_orders(exchange: Exchange) -> list[OpenOrder]:
    """Return what the core says is open."""
    found = []
    for account in ACCOUNTS:
        answer = exchange.query(records.pack(records.Query.OPEN_ORDERS, account=account))
        for words in map(records.unpack, records.split(answer)):
            ids = tuple(words[f"client_order_id_{place}"] for place in range(4))
            lots = words["quantity_lots"] - words["filled_lots"]
            found.append(OpenOrder(words["order_id"], account, words["instrument"], lots, ids))  # type: ignore[arg-type]
    return found


def lived(exchange: Exchange, seed: int) -> Runs:
    """Let a flow with outside markets trade; return the last seq and the events of each batch."""
    flow = OutsideFlow(
        Random(seed), lambda: open_orders(exchange), lambda: venue_orders_of(exchange)
    )
    runs, now_us, commands = [], START_US, flow.opening()
    for _ in range(BATCHES):
        run = bytearray(b"".join(commands))
        exchange.stamp(run, exchange.seq + 1, now_us)
        events = exchange.apply(bytes(run))
        runs.append((exchange.seq, events))
        elapsed_us, commands = flow.batch(now_us)
        now_us += elapsed_us
    return runs


def test_the_tables_of_the_outside_markets_are_the_core_s(tables: Renew) -> None:
    """Postings add up to balances, inventory and rounding too; live rows are the open orders."""
    exchange = Exchange()
    runs = lived(exchange, seed=1)
    writer = Writer()
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
    for account in (*ACCOUNTS, *HOUSE):
        ours = {asset: amount for asset, amount in selectors.balances(account).items() if amount}
        theirs = {asset: n for asset, n in core_balances(exchange, account).items() if n}
        assert ours == theirs, f"account {account}"
    assert {4, 5, 6} <= set(Trade.objects.values_list("instrument", flat=True))
    assert Trade.objects.filter(seller_account=records.ACCOUNT_INVENTORY).exists()
    live = (records.OrderStatus.NEW.value, records.OrderStatus.PARTIALLY_FILLED.value)
    rows = Order.objects.filter(status__in=live)
    assert {(row.id, row.quantity_lots - row.filled_lots) for row in rows} == {
        (order.order_id, order.remaining) for order in open_orders(exchange)
    }
    kinds = set(Order.objects.values_list("order_type", flat=True))
    assert {records.OrderType.BOUNDED, records.OrderType.POOLED} <= kinds
    fills = 0
    for record in (record for _, events in runs for record in records.split(events)):
        if int.from_bytes(record[:2], "little") == records.Event.FILL:
            words = records.unpack(record)
            if words["instrument"] >= 4:
                fills += 1
                (row, *_) = selectors.my_trades(
                    words["account"], words["instrument"], limit=1, from_id=words["trade_id"]
                )
                assert (row.order_id, row.quote_amount) == (words["order_id"], words["last_quote"])
                assert (row.fee, row.fee_asset) == (words["fee"], words["fee_asset"])
    assert fills > 100


def test_the_tables_of_outside_orders_are_the_core_s(tables: Renew) -> None:
    """Each venue order as last told, what isn't done as the core answers, each part once."""
    exchange = Exchange()
    writer = Writer()
    told: dict[int, dict[str, int]] = {}
    parts = {}
    for last_seq, events in lived(exchange, seed=3):
        writer.apply_events(events, last_seq)
        for record in records.split(events):
            kind = int.from_bytes(record[:2], "little")
            if kind == records.Event.VENUE_ORDER:
                told[records.unpack(record)["venue_order"]] = records.unpack(record)
            elif kind == records.Event.VENUE_PART:
                words = records.unpack(record)
                assert words["order_id"] not in parts
                parts[words["order_id"]] = (words["venue_order"], words["quantity_lots"])
    names = ("status", "filled_base", "filled_quote", "attempts", "quantity_lots", "notional")
    found_rows: list[Any] = list(VenueOrder.objects.values())
    rows = {row["id"]: row for row in found_rows}
    assert len(rows) > 30
    for number, words in told.items():
        assert [rows[number][name] for name in names] == [words[name] for name in names]
    done = records.VenueStatus.CONFIRMED.value
    assert {number for number, row in rows.items() if row["status"] != done} == {
        words["venue_order"] for words in venue_orders_of(exchange)
    }
    found = VenuePart.objects.values_list("id", "venue_order", "quantity_lots")
    assert {each[0]: each[1:] for each in found} == parts


def test_a_rebuild_of_the_outside_markets_equals_itself(tables: Renew) -> None:
    """Deleted and rebuilt from the same events, every table is the same."""
    runs = lived(Exchange(), seed=2)
    writer = Writer()
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
    before = dump()
    tables()
    Writer().apply_events(b"".join(events for _, events in runs), runs[-1][0])
    assert dump() == before

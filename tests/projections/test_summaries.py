"""Robots' days and months in SQL: the sums of their trades, also of those that are over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from fondaco.core import records
from fondaco.core.exchange import Exchange
from fondaco.core.records import Period
from fondaco.link.server import ends_of
from fondaco.projections import selectors
from fondaco.projections.models import Summary
from fondaco.projections.services import Writer
from tests.projections.conftest import dump
from tests.projections.test_exchange import Runs
from tests.property.flows import ACCOUNTS, START_US, OpenOrder
from tests.property.robot_flows import ROBOTS, RobotFlow

Renew = Callable[[], None]
BATCHES = 600
BASE, QUOTE = {1: 1, 2: 3, 3: 1}, {1: 2, 2: 2, 3: 3}


def open_orders(exchange: Exchange) -> list[OpenOrder]:
    """Return what the core says is open."""
    found = []
    for account in (*ACCOUNTS, *ROBOTS):
        answer = exchange.query(records.pack(records.Query.OPEN_ORDERS, account=account))
        for words in map(records.unpack, records.split(answer)):
            ids = tuple(words[f"client_order_id_{place}"] for place in range(4))
            lots = words["quantity_lots"] - words["filled_lots"]
            found.append(OpenOrder(words["order_id"], account, words["instrument"], lots, ids))  # type: ignore[arg-type]
    return found


def lived(exchange: Exchange, seed: int) -> Runs:
    """Let robots trade; return the last seq and the events of each batch."""
    flow = RobotFlow(Random(seed), lambda: open_orders(exchange))
    runs, now_us, commands = [], START_US, flow.opening()
    for _ in range(BATCHES):
        run = bytearray(b"".join(commands))
        exchange.stamp(run, exchange.seq + 1, now_us)
        events = exchange.apply(bytes(run))
        start = 0
        for command, end in zip(commands, ends_of(commands, exchange.boundaries()), strict=True):
            flow.note(command, records.split(events[start:end]))
            start = end
        runs.append((exchange.seq, events))
        elapsed_us, commands = flow.batch(now_us)
        now_us += elapsed_us
    return runs


def recomputed(runs: Runs) -> dict[tuple[int, ...], Counter[str]]:
    """Add up the trades of each robot, instrument and day or month, from the events alone."""
    found: dict[tuple[int, ...], Counter[str]] = {}
    now: dict[int, dict[Period, int]] = {account: dict.fromkeys(Period, 0) for account in ROBOTS}
    for record in (record for _, events in runs for record in records.split(events)):
        kind = int.from_bytes(record[:2], "little")
        if kind == records.Event.ROBOT:
            words = records.unpack(record)
            now[words["account"]] = {Period.DAY: words["day"], Period.MONTH: words["month"]}
        elif kind == records.Event.TRADE:
            words = records.unpack(record)
            for account, did in (
                (words["buyer_account"], "bought"),
                (words["seller_account"], "sold"),
            ):
                for period, number in now.get(account, {}).items():
                    sums = found.setdefault(
                        (account, period, number, words["instrument"]), Counter()
                    )
                    sums[f"{did}_lots"] += words["quantity_lots"]
                    sums[f"{did}_quote"] += words["quote_amount"]
    return found


def test_the_summaries_are_the_sums_of_the_trades(tables: Renew) -> None:
    """Every day and month of every robot, past ones too; all but the newest are closed."""
    exchange = Exchange()
    runs = lived(exchange, seed=5)
    writer = Writer()
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
    wanted = recomputed(runs)
    assert len(wanted) > 20
    found = {}
    for row in Summary.objects.all():
        words = (row.bought_lots, row.bought_quote, row.sold_lots, row.sold_quote)
        found[row.account, row.period, row.number, row.instrument] = words
        if not any(words):
            continue
        newest = max(n for a, p, n, _ in wanted if (a, p) == (row.account, row.period))
        assert row.is_closed or row.number >= newest, row
    names = ("bought_lots", "bought_quote", "sold_lots", "sold_quote")
    traded = {key: words for key, words in found.items() if any(words)}
    assert traded == {key: tuple(sums[n] for n in names) for key, sums in wanted.items()}
    for account in ROBOTS:
        mine = selectors.summaries(account, Period.DAY, limit=1000)
        assert [row.number for row in mine] == sorted((r.number for r in mine), reverse=True)
        (one, *_) = mine
        assert one in selectors.summaries(account, Period.DAY, number=one.number)


def test_one_run_of_all_events_gives_the_same_rows(tables: Renew) -> None:
    """A rebuild in one piece is equal to what was written as it came."""
    runs = lived(Exchange(), seed=5)
    writer = Writer()
    for last_seq, events in runs:
        writer.apply_events(events, last_seq)
    wanted = dump()
    tables()
    Writer().apply_events(b"".join(events for _, events in runs), runs[-1][0])
    assert dump() == wanted

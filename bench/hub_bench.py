"""One signal judged for 100,000 clients: how much is that beside storing the decisions alone?

    python -m bench.hub_bench [--clients 100000] [--triggered 1000] [--rounds 7] [--json]

What is measured, in wall time, on the office's own database (SQLite in WAL with synchronous=FULL,
in a folder of its own): the hub's whole way for one signal, from its look at every client to the
commit of all decisions with the marks of the shares, and for those that trigger the lock, the
operation, the buying and the stop, with what is written of each. The core is the exchange itself
in this process: its commands are applied, but travel over no socket and are not synced. The peer
runs in the same rounds: an executemany of the very rows that the hub has just written, into tables
of the same shape and indexes, and one commit. One in a hundred triggers, spread over all;
the others are of every kind that doesn't. The reasons of a round are counted.

The peer's rows are all that a round leaves behind: each decision, each operation as it ended, each
share's mark. What the hub writes on the way there (an operation before its first order, and once
more with what it bought; a mark after each piece) is in its own time alone. In rounds of their own,
after these, another thread of the process wakes and writes all the time: how long does it wait?

The bar is three times the peer: where the median ratio is above, that is said and the status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

CLIENTS: Final = 100_000
TRIGGERED: Final = 1_000
ROUNDS: Final = 7
BAR: Final = 3.0
SELLER: Final = 16
FIRST_ACCOUNT: Final = 17
CASH: Final = 10**8
TABLES: Final = ("robots_decision", "robots_operation", "robots_hubcursor")
Rows = dict[str, list[tuple[Any, ...]]]


class BareCore:
    """The exchange behind the calls of the writer's client, with nothing between."""

    def __init__(self) -> None:
        from fondaco.core.exchange import Exchange

        self._exchange = Exchange()

    def status(self) -> dict[str, Any]:
        return {"seq": self._exchange.seq, "time_us": time.time_ns() // 1000}

    def submit(self, record: bytes) -> bytes:
        batch = bytearray(record)
        self._exchange.stamp(batch, self._exchange.seq + 1, time.time_ns() // 1000)
        return bytes(self._exchange.apply(bytes(batch)))

    def submit_many(self, commands: Sequence[bytes]) -> list[bytes]:
        return [self.submit(each) for each in commands]

    def open_house(self, robots: Sequence[int]) -> Any:
        """Define a book with somebody to buy from, and open robots; return the book."""
        from fondaco.core import records as r

        for number, code in ((1, "USDT"), (2, "BTC")):
            body = r.AssetBody(number=number, code=code, decimals=8)
            self.submit(r.pack_body(r.Command.DEFINE_ASSET, body))
        book = r.InstrumentBody(
            number=1,
            symbol="BTCUSDT",
            base=2,
            quote=1,
            tick_size="0.01",
            lot_size="0.00001",
            base_per_lot=1000,
            quote_per_lot_tick=10,
        )
        self.submit(r.pack_body(r.Command.DEFINE_INSTRUMENT, book))
        seller = r.AccountBody(member=1, kind=r.AccountKind.SPOT)
        self.submit(r.pack_body(r.Command.OPEN_ACCOUNT, seller, account=SELLER))
        for entry, (account, asset, amount) in enumerate(
            [(SELLER, 2, 10**6 * CASH), *((each, 1, 1000 * CASH) for each in robots)], 1
        ):
            if account != SELLER:
                terms = r.AccountBody(
                    member=2, kind=r.AccountKind.ROBOT, robot=r.RobotTerms(cash=1)
                )
                self.submit(r.pack_body(r.Command.OPEN_ACCOUNT, terms, account=account))
            gift = {"account": account, "asset": asset, "amount": amount, "entry": entry}
            self.submit(r.pack(r.Command.DEPOSIT, **gift))
        order = {"account": SELLER, "instrument": 1, "side": r.Side.SELL, "price_ticks": 2_000_000}
        words = {"order_type": r.OrderType.LIMIT, "time_in_force": r.TimeInForce.GTC}
        self.submit(r.pack(r.Command.NEW_ORDER, **order, **words, quantity_lots=10**10))
        return book


def make_client(place: int) -> Any:
    """Return a client of one of the kinds that don't trigger, in turn."""
    from fondaco.robots.hub.judging import Client

    client = Client(FIRST_ACCOUNT + place, f"robot-{place}", place)
    client.symbols = frozenset({"BTC"})
    client.cash = 1000 * CASH
    kind = place % 8
    if kind == 0:
        client.is_active = False
    elif kind == 1:
        client.is_locked = True
    elif kind == 2:
        client.locked_until_us = 1 << 62
    elif kind == 3:
        client.symbols = frozenset({"ETH"})
    elif kind == 4:
        client.cash = place % 19 * CASH
    elif kind == 5:
        client.day_stop, client.day_loss = 10 * CASH, 11 * CASH
        client.locked_until_us = 1 << 62
    elif kind == 6:
        client.open = {"BTC"}
    else:
        client.cash = CASH
    return client


def make_buyer(place: int) -> Any:
    """Return a client that triggers, with a stop-loss."""
    from fondaco.robots.hub.judging import Client

    client = Client(FIRST_ACCOUNT + place, f"robot-{place}", place)
    client.symbols = frozenset({"BTC"})
    client.cash, client.operation_amount, client.stop_loss = 1000 * CASH, 50 * CASH, 5 * CASH
    return client


class Bench:
    """A hub that knows the clients and holds every share."""

    def __init__(self, count: int, triggered: int) -> None:
        from fondaco.house.file import loads
        from fondaco.robots.hub.locks import NoKeys
        from fondaco.robots.hub.roster import Market, Roster
        from fondaco.robots.hub.worker import Hub

        step = count // triggered if triggered else count + 1
        self.buyers = [make_buyer(place) for place in range(step - 1, count, step)][:triggered]
        buying = {client.account: client for client in self.buyers}
        core: Any = BareCore()
        body = core.open_house(list(buying))
        house = loads('[house]\nname = "Bench"\ncash = "USDT"\n')
        self.hub = Hub(house, Path("nowhere"), threading.Event(), NoKeys(), core=core)
        self.roster = Roster(house, core)
        self.roster.markets["BTC"] = Market("BTC", body, 8, 2_000_000)
        everybody = (make_client(place) for place in range(count))
        self.roster.clients = {each.account: buying.get(each.account, each) for each in everybody}
        self.hub.shares.turn()

    def begin_round(self) -> None:
        """Have no operation be open, and the leases be new."""
        from fondaco.robots.models import Operation

        Operation.objects.all().delete()
        for client in self.buyers:
            client.open = set()
        self.hub.follow(self.roster)
        self.hub.shares.turn()


class Beside(threading.Thread):
    """Another work of the same process: it wakes every 5 ms and writes one row."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.late_s = 0.0  # at most, in waking
        self.write_s = 0.0  # at most, of one write

    def run(self) -> None:
        from django.db import connections

        from fondaco.robots.models import Lease

        Lease.objects.create(pk="beside")
        while not self.stop.is_set():
            begun = time.perf_counter()
            time.sleep(0.005)
            woken = time.perf_counter()
            Lease.objects.filter(pk="beside").update(until_us=time.time_ns() // 1000)
            self.late_s = max(self.late_s, woken - begun - 0.005)
            self.write_s = max(self.write_s, time.perf_counter() - woken)
        Lease.objects.filter(pk="beside").delete()
        connections.close_all()


def measure_beside(bench: Bench, rounds: int) -> dict[str, float]:
    """Return how long other work of the process waits while signals are judged."""
    from fondaco.robots.hub import services
    from fondaco.robots.hub.messages import Incoming

    late: list[float] = []
    writes: list[float] = []
    for number in range(rounds):
        incoming = Incoming(symbol="BTC", strength=2, timestamp_us=10**9 + number)
        signal, _ = services.take_signal(incoming, source="bench")
        bench.begin_round()
        beside = Beside()
        beside.start()
        bench.hub.judge_signal(signal, list(bench.hub.shares.held))
        beside.stop.set()
        beside.join()
        late.append(beside.late_s)
        writes.append(beside.write_s)
    return {"beside_late_s": statistics.median(late), "beside_write_s": statistics.median(writes)}


def copy_tables(cursor: Any) -> None:
    """Make a table of each one's shape with the same indexes."""
    for table in TABLES:
        cursor.execute(
            "SELECT type, sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL", [table]
        )
        for kind, sql in cursor.fetchall():
            text = sql.replace(table, f"copy_of_{table}")
            if kind == "index":
                text = text.replace('INDEX "', 'INDEX "copy_of_')
            cursor.execute(text)


def rows_of(cursor: Any, signal: int) -> Rows:
    """Return what the tables have of a signal."""
    names = {
        "robots_decision": f"signal = {signal}",
        "robots_operation": f"id LIKE '{signal}-%%'",
        "robots_hubcursor": f"signal = {signal}",
    }
    found: Rows = {}
    for table, which in names.items():
        what = ", ".join(_fields()) if table == "robots_decision" else "*"
        cursor.execute(f"SELECT {what} FROM {table} WHERE {which} ORDER BY rowid")
        found[table] = cursor.fetchall()
    return found


def store_again(cursor: Any, rows: Rows) -> None:
    """Write rows into the copies, by the hub's own statement or one like it."""
    from fondaco.robots.hub.worker import INSERT

    for table, some in rows.items():
        places = ", ".join(["%s"] * len(some[0])) if some else ""
        sql = INSERT if table == "robots_decision" else f"INSERT INTO {table} VALUES ({places})"
        if some:
            cursor.executemany(sql.replace(table, f"copy_of_{table}"), some)


def measure(count: int, rounds: int, triggered: int = TRIGGERED) -> dict[str, Any]:
    from django.db import connection, transaction

    from fondaco.robots.hub import services
    from fondaco.robots.hub.messages import Incoming
    from fondaco.robots.models import Operation

    bench = Bench(count, triggered)
    hub = bench.hub
    ours: list[float] = []
    peers: list[float] = []
    reasons: dict[int, int] = {}
    with connection.cursor() as cursor:
        copy_tables(cursor)
        for number in range(rounds):
            incoming = Incoming(symbol="BTC", strength=2, timestamp_us=number)
            signal, _ = services.take_signal(incoming, source="bench")
            bench.begin_round()
            begun = time.perf_counter()
            hub.judge_signal(signal, list(hub.shares.held))
            ours.append(time.perf_counter() - begun)
            rows = rows_of(cursor, signal.pk)
            told = len(rows["robots_decision"])
            assert told == count, f"{told} decisions for {count} clients"
            held = Operation.objects.filter(status=Operation.Status.AWAITING_SELL).count()
            assert held == triggered, f"{held} operations for {triggered} triggers"
            assert len(rows["robots_operation"]) == triggered, "an operation is not the signal's"
            for row in rows["robots_decision"]:
                reasons[row[4]] = reasons.get(row[4], 0) + 1
            cursor.execute("DELETE FROM copy_of_robots_hubcursor")
            cursor.execute("DELETE FROM copy_of_robots_operation")
            begun = time.perf_counter()
            with transaction.atomic():
                store_again(cursor, rows)
            peers.append(time.perf_counter() - begun)
    ratios = [mine / peer for mine, peer in zip(ours, peers, strict=True)]
    return {
        "clients": count,
        "triggered": triggered,
        "rounds": rounds,
        "hub_s": statistics.median(ours),
        "hub_spread_s": [min(ours), max(ours)],
        "executemany_s": statistics.median(peers),
        "executemany_spread_s": [min(peers), max(peers)],
        "ratio": statistics.median(ratios),
        "ratio_spread": [min(ratios), max(ratios)],
        "reasons": len(reasons),
        **measure_beside(bench, rounds),
    }


def _fields() -> tuple[str, ...]:
    return ("signal", "account", "time_us", "side", "reason", "had", "needed", "price_ticks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--triggered", type=int, default=TRIGGERED)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        os.environ["FONDACO_DATA"] = folder
        os.environ.setdefault("FONDACO_SECRET_KEY", "a key for a bench that guards nothing at all")
        os.environ["DJANGO_SETTINGS_MODULE"] = "fondaco.office.settings"
        import django

        django.setup()
        from fondaco.office.services import prepare_databases

        prepare_databases()
        found = measure(asked.clients, asked.rounds, asked.triggered)
    print(json.dumps(found) if asked.json else told(found))
    if found["ratio"] > BAR:
        raise SystemExit(f"over the bar: {found['ratio']:.2f} times the peer, at most {BAR:.0f}")


def told(found: dict[str, Any]) -> str:
    """Return what was measured, as tables."""
    lines = [
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, SQLite\n",
        "| what | s, median | least to most |",
        "|---|---|---|",
    ]
    for name, key in (("judged and stored", "hub"), ("executemany alone", "executemany")):
        low, high = found[f"{key}_spread_s"]
        lines.append(f"| {name} | {found[f'{key}_s']:.3f} | {low:.3f} to {high:.3f} |")
    low, high = found["ratio_spread"]
    lines.append(f"| ratio | {found['ratio']:.2f} | {low:.2f} to {high:.2f} |")
    lines.append(
        f"\n{found['clients']:,} clients of whom {found['triggered']:,} trigger, "
        f"{found['rounds']} rounds, {found['reasons']} reasons. Another thread of the process woke "
        f"at most {found['beside_late_s'] * 1000:.0f} ms late while a signal was judged, and a "
        f"write of one row took it at most {found['beside_write_s'] * 1000:.0f} ms (medians). "
        f"Bar: {BAR:.0f} times."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

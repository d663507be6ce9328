"""One signal judged for 100,000 clients: how much is that beside storing the decisions alone?

    python -m bench.hub_bench [--clients 100000] [--rounds 7] [--json]

What is measured, in wall time, on the office's own database (SQLite in WAL with synchronous=FULL,
in a folder of its own): the hub's whole way for one signal, from its look at every client to the
commit of all decisions with the marks of the shares. The peer runs in the same rounds: one
executemany of the very rows that the hub has just written, into a table of the same shape and
indexes, and its commit. Clients are of every kind that is not triggered (a trigger's cost is the
core's commands, and is no part of this); the reasons of a round are counted.
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
ROUNDS: Final = 7
FIRST_ACCOUNT: Final = 16
CASH: Final = 10**8
COPY: Final = "robots_decision_copy"


class QuietCore:
    """A writer that has nothing new and locks nobody: no client here is triggered."""

    def status(self) -> dict[str, Any]:
        return {"seq": 0, "time_us": time.time_ns() // 1000}

    def submit_many(self, records: Sequence[bytes]) -> list[bytes]:
        assert not records, "a client was triggered"
        return []


def make_clients(count: int) -> list[Any]:
    """Return clients of every kind but the eligible, in turn."""
    from fondaco.robots.hub.judging import Client

    found = []
    for place in range(count):
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
        found.append(client)
    return found


def make_hub(count: int) -> Any:
    """Return a hub that knows the clients and holds every share."""
    from fondaco.core.records import InstrumentBody
    from fondaco.house.file import loads
    from fondaco.robots.hub.locks import NoKeys
    from fondaco.robots.hub.roster import Market, Roster
    from fondaco.robots.hub.worker import Hub

    core: Any = QuietCore()
    house = loads('[house]\nname = "Bench"\ncash = "USDT"\n')
    hub = Hub(house, Path("nowhere"), threading.Event(), NoKeys(), core=core)
    roster = Roster(house, core)
    body = InstrumentBody(
        number=1,
        symbol="BTCUSDT",
        base=2,
        quote=1,
        tick_size="0.01",
        lot_size="0.00001",
        base_per_lot=1000,
        quote_per_lot_tick=10,
    )
    roster.markets["BTC"] = Market("BTC", body, 8, 2_000_000)
    roster.clients = {client.account: client for client in make_clients(count)}
    hub.follow(roster)
    hub.shares.turn()
    return hub


def copy_of_the_table(cursor: Any) -> None:
    """Make a table of the decisions' shape with the same indexes."""
    cursor.execute(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = 'robots_decision' AND sql IS NOT NULL"
    )
    for kind, sql in cursor.fetchall():
        text = sql.replace("robots_decision", COPY)
        if kind == "index":
            text = text.replace('INDEX "', 'INDEX "copy_of_')
        cursor.execute(text)


def measure(count: int, rounds: int) -> dict[str, Any]:
    from django.db import connection, transaction

    from fondaco.robots.hub import services
    from fondaco.robots.hub.messages import Incoming
    from fondaco.robots.hub.worker import INSERT
    from fondaco.robots.models import Decision

    hub = make_hub(count)
    ours: list[float] = []
    peers: list[float] = []
    reasons: dict[int, int] = {}
    with connection.cursor() as cursor:
        copy_of_the_table(cursor)
        for number in range(rounds):
            incoming = Incoming(symbol="BTC", strength=2, timestamp_us=number)
            signal, _ = services.take_signal(incoming, source="bench")
            hub.shares.turn()  # renews the leases, as the hub does between two signals
            begun = time.perf_counter()
            hub.judge_signal(signal, list(hub.shares.held))
            ours.append(time.perf_counter() - begun)
            stored = Decision.objects.filter(signal=signal.pk)
            rows = list(stored.order_by("pk").values_list(*_fields()))
            assert len(rows) == count, f"{len(rows)} decisions for {count} clients"
            for row in rows:
                reasons[row[4]] = reasons.get(row[4], 0) + 1
            begun = time.perf_counter()
            with transaction.atomic():
                cursor.executemany(INSERT.replace("robots_decision", COPY), rows)
            peers.append(time.perf_counter() - begun)
    ratios = [mine / peer for mine, peer in zip(ours, peers, strict=True)]
    return {
        "clients": count,
        "rounds": rounds,
        "hub_s": statistics.median(ours),
        "hub_spread_s": [min(ours), max(ours)],
        "executemany_s": statistics.median(peers),
        "executemany_spread_s": [min(peers), max(peers)],
        "ratio": statistics.median(ratios),
        "ratio_spread": [min(ratios), max(ratios)],
        "reasons": len(reasons),
    }


def _fields() -> tuple[str, ...]:
    return ("signal", "account", "time_us", "side", "reason", "had", "needed", "price_ticks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
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
        found = measure(asked.clients, asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    print(f"{platform.system()} {platform.release()}, Python {platform.python_version()}, SQLite\n")
    print("| what | s, median | least to most |\n|---|---|---|")
    for name, key in (("judged and stored", "hub"), ("executemany alone", "executemany")):
        low, high = found[f"{key}_spread_s"]
        print(f"| {name} | {found[f'{key}_s']:.3f} | {low:.3f} to {high:.3f} |")
    low, high = found["ratio_spread"]
    print(f"| ratio | {found['ratio']:.2f} | {low:.2f} to {high:.2f} |")
    print(f"\n{found['clients']:,} clients, {found['rounds']} rounds, {found['reasons']} reasons.")


if __name__ == "__main__":
    main()

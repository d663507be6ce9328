"""How fast the journal is: commits, recovery, events by seq, beside a bare write and sync.

    python bench/journal_bench.py [--commits 2000] [--replay 1000000] [--data DIR] [--json]

The peer of a commit is the least that any durable log must do: pwrite of the same bytes into a
preallocated file and one fdatasync, in the same run, interleaved. Replay is a start after kill -9
with so many commands after the last snapshot, through the core that is installed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from fondaco.core import COMPILED
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    InstrumentBody,
    OrderType,
    Side,
    TimeInForce,
    pack,
    pack_body,
)
from fondaco.journal.clock import SystemClock
from fondaco.journal.disk import OsDisk
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.sequencer import Sequencer

ROUNDS = 5
BATCHES = (1, 16, 128, 1024)


class Unsynced(OsDisk):
    """For filling a journal quickly: its records are the same."""

    def fdatasync(self, handle: int) -> None:
        """Do nothing."""


def definitions() -> list[bytes]:
    """Return a house with one instrument and two traders."""
    rich = [(1, 10**15), (2, 10**15)]
    found = [
        pack_body(Command.DEFINE_ASSET, AssetBody(number=1, code="BTC", decimals=8)),
        pack_body(Command.DEFINE_ASSET, AssetBody(number=2, code="USDT", decimals=8)),
        pack_body(
            Command.DEFINE_INSTRUMENT,
            InstrumentBody(
                number=1,
                symbol="BTCUSDT",
                base=1,
                quote=2,
                tick_size="0.01",
                lot_size="0.00001",
                base_per_lot=1000,
                quote_per_lot_tick=10,
                max_open_orders=0,
            ),
        ),
    ]
    for account in (16, 17):
        body = AccountBody(member=account, opening=rich)
        found.append(pack_body(Command.OPEN_ACCOUNT, body, account=account))
    return found


def orders(count: int) -> list[bytes]:
    """Return a mix: 60 % resting, 30 % cancels of what doesn't rest any more, 10 % filling."""
    found = []
    for number in range(count):
        draw = number * 7919 % 10
        if draw in {1, 4, 7}:
            found.append(pack(Command.CANCEL_ORDER, account=16, instrument=1, order_id=number))
            continue
        buys = draw == 9
        found.append(
            pack(
                Command.NEW_ORDER,
                account=17 if buys else 16,
                instrument=1,
                side=Side.BUY if buys else Side.SELL,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.IOC if buys else TimeInForce.GTC,
                price_ticks=2000 if buys else 1000 + number % 100,
                quantity_lots=6 if buys else 1,
            )
        )
    return found


def a_house(data: Path, *, disk: OsDisk | None = None, snapshot_every: int = 10**12) -> Sequencer:
    house = open_sequencer(data, SystemClock(), disk=disk, snapshot_every=snapshot_every)
    if house.seq == 0:
        house.commit(definitions())
    return house


def bench_commits(scratch: Path, commits: int) -> dict[str, Any]:
    """Commits of several batch sizes, each beside the bare write and sync of the same bytes."""
    house = a_house(scratch / "commits")
    peer = os.open(scratch / "peer", os.O_RDWR | os.O_CREAT)
    os.pwrite(peer, bytes(64 << 20), 0)
    os.fdatasync(peer)
    offset = 0
    found: dict[str, Any] = {}
    for size in BATCHES:
        number = max(20, commits // size // ROUNDS) if size > 1 else commits // ROUNDS
        rates, bare, latencies = [], [], []
        for _ in range(ROUNDS):
            batch = orders(size)
            payload = b"".join(batch)
            begun = time.perf_counter()
            for _ in range(number):
                started = time.perf_counter_ns()
                house.commit(batch)
                latencies.append(time.perf_counter_ns() - started)
            rates.append(number * size / (time.perf_counter() - begun))
            begun = time.perf_counter()
            for _ in range(number):
                os.pwrite(peer, payload, offset % (48 << 20))
                os.fdatasync(peer)
                offset += len(payload)
            bare.append(number * size / (time.perf_counter() - begun))
        latencies.sort()
        found[str(size)] = {
            "commands_per_s": round(statistics.median(rates)),
            "commands_per_s_min_max": [round(min(rates)), round(max(rates))],
            "bare_commands_per_s": round(statistics.median(bare)),
            "ratio_to_bare": round(statistics.median(rates) / statistics.median(bare), 3),
            "p50_us": round(latencies[len(latencies) // 2] / 1000),
            "p99_us": round(latencies[len(latencies) * 99 // 100] / 1000),
        }
    house.close()
    os.close(peer)
    return found


def bench_replay(scratch: Path, commands: int) -> dict[str, Any]:
    """A start with so many commands after the last snapshot, in batches of 1 and of 64."""
    found: dict[str, Any] = {}
    for size in (1, 64):
        data = scratch / f"replay-{size}"
        house = a_house(data, disk=Unsynced())
        house.snapshot(wait=True)
        flow = orders(commands)
        for start in range(0, commands, size):
            house.commit(flow[start : start + size])
        state = house.exchange.state_hash()
        house.events.close()  # as a killed process leaves it: no snapshot, no farewell
        house.log.close()
        seconds = []
        for _ in range(1 if commands > 300_000 else 3):
            gc.collect()
            begun = time.perf_counter()
            house = open_sequencer(data, SystemClock(), snapshot_every=10**12)
            seconds.append(time.perf_counter() - begun)
            assert house.exchange.state_hash() == state
            house.close(snapshot=False)
        took = statistics.median(seconds)
        found[f"batches_of_{size}"] = {
            "commands": commands,
            "seconds": round(took, 3),
            "commands_per_s": round(commands / took),
            "journal_bytes": sum(path.stat().st_size for path in (data / "journal").iterdir()),
        }
        shutil.rmtree(data)
    return found


def bench_events(scratch: Path) -> dict[str, Any]:
    """The time to the first batch from a random seq of a log of 200,000."""
    house = a_house(scratch / "events", disk=Unsynced())
    flow = orders(200_000)
    for start in range(0, len(flow), 8):
        house.commit(flow[start : start + 8])
    times = []
    for number in range(200):
        seq = number * 7919 * 131 % 200_000 + 1
        begun = time.perf_counter_ns()
        batch = next(iter(house.events.read_from(seq)))
        times.append(time.perf_counter_ns() - begun)
        assert batch.first_seq <= seq <= batch.last_seq
    house.close(snapshot=False)
    times.sort()
    return {"p50_us": round(times[100] / 1000), "p99_us": round(times[197] / 1000)}


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=2000)
    parser.add_argument("--replay", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, default=None, help="where to write; it matters")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fondaco-journal-", dir=asked.data) as scratch:
        found = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python "
            f"{platform.python_version()}, core {'compiled' if COMPILED else 'pure'}",
            "commits": bench_commits(Path(scratch), asked.commits),
            "replay": bench_replay(Path(scratch), asked.replay),
            "events_by_seq": bench_events(Path(scratch)),
        }
    if asked.json:
        print(json.dumps(found))
    else:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

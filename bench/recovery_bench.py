"""How long is a house away after kill -9 with a million commands after its last snapshot?

    python -m bench.recovery_bench [--commands 1000000] [--rounds 3]

What is measured: a real house takes `commands` orders and cancels (over the link, 64 at a time, as
a busy edge sends them) while a client trades over REST; all its processes are killed, every
snapshot is removed, so that the start replays the whole journal, and it is started again. Printed:
the seconds from the start of the command to the first 200 of /health/ready, and how many of the
acknowledged REST orders were found again, each once. One that is missing is an error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.http_bench import bench_file, settle  # noqa: E402
from fondaco.core.records import Command, Event, OrderType, Side, TimeInForce, pack  # noqa: E402
from fondaco.link.address import writer_socket  # noqa: E402
from fondaco.link.answers import Overloaded  # noqa: E402
from fondaco.link.client import WriterClient  # noqa: E402
from tests.house_fixture import ANN, BOB, RunningHouse, open_house  # noqa: E402

BATCH: Final = 64
KEPT: Final = 2_000  # orders that rest at once


async def fill(data: Path, account: int, count: int) -> None:
    """Send so many commands: orders that rest, each cancelled KEPT commands later."""
    client = WriterClient()
    await client.connect(writer_socket(data), role="bench")
    resting: list[int] = []
    sent = 0
    while sent < count:
        batch = []
        for place in range(BATCH):
            if len(resting) > KEPT and place % 2:
                order_id = resting.pop(0)
                batch.append(
                    pack(Command.CANCEL_ORDER, account=account, instrument=1, order_id=order_id)
                )
                continue
            side = Side.BUY if (sent + place) & 2 else Side.SELL
            ticks = 100_000 + (sent + place) % 900 if side == Side.BUY else 9_000_000 + sent % 900
            batch.append(
                pack(
                    Command.NEW_ORDER, account=account, instrument=1, side=side,
                    order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, self_trade=1,
                    price_ticks=ticks, quantity_lots=1000,
                )
            )  # fmt: skip
        answers = await asyncio.gather(*map(client.submit, batch), return_exceptions=True)
        refused = [each for each in answers if isinstance(each, BaseException)]
        if any(not isinstance(each, Overloaded) for each in refused):
            raise SystemExit(f"the writer said {refused[0]!r}")
        made = [each for each in answers if isinstance(each, bytes) and is_order(each)]
        resting += [int.from_bytes(events[48:56], "little") for events in made]
        sent += BATCH - len(refused)
        if refused:
            await asyncio.sleep(0.2)  # the projections are behind: as any client would wait
    await client.close()


def is_order(events: bytes) -> bool:
    return int.from_bytes(events[:2], "little") == Event.ORDER


def trade(house: RunningHouse, acknowledged: list[str], stop: threading.Event) -> None:
    """Place orders over REST until the house is gone; note those that were acknowledged."""
    while not stop.is_set():
        name = f"kill-{len(acknowledged)}"
        try:
            reply = house.signed(
                BOB, "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="LIMIT",
                timeInForce="GTC", quantity="0.01", price="12000", newClientOrderId=name,
            )  # fmt: skip
        except OSError:
            return
        if reply.status != 200:
            return
        acknowledged.append(name)


def run_round(commands: int) -> tuple[float, int]:
    """Return (seconds to ready, acknowledged REST orders, all of which were found once)."""
    settings = "rate_limits = false\naddress_limit_1m = 0"
    with open_house(settings=settings, file_text=bench_file()) as house:
        (own, *_) = house.signed(ANN, "GET", "/api/v1/accounts/").json["accounts"]
        account = int(own["id"])
        asyncio.run(fill(house.data, account, commands))
        settle(house)
        acknowledged: list[str] = []
        stop = threading.Event()
        trader = threading.Thread(target=trade, args=(house, acknowledged, stop))
        trader.start()
        time.sleep(1.0)
        house.kill()
        stop.set()
        trader.join()
        for snapshot in (house.data / "snapshots").iterdir():
            snapshot.unlink()
        begun = time.monotonic()
        house.start(ready=False)
        while True:
            try:
                if house.get("/health/ready").status == 200:
                    break
            except OSError:
                pass
            if time.monotonic() - begun > 120:
                raise SystemExit(f"not ready in two minutes: {house.read_log()[-500:]}")
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        rows = house.signed(BOB, "GET", "/api/v3/openOrders", symbol="BTCUSDT").json
        found = [row["clientOrderId"] for row in rows]
        # The last one may be durable without having been answered.
        if [name for name in acknowledged if found.count(name) != 1] or len(set(found)) != len(
            found
        ):
            raise SystemExit("an acknowledged order is lost or doubled")
    return seconds, len(acknowledged)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found = [run_round(arguments.commands) for _ in range(arguments.rounds)]
    times = [seconds for seconds, _ in found]
    print("| commands replayed | ready again, median | least to most | acknowledged, all found |")
    print("|---|---|---|---|")
    print(
        f"| {arguments.commands:,} | {statistics.median(times):.2f} s | {min(times):.2f} to "
        f"{max(times):.2f} s | {sum(count for _, count in found)} |"
    )
    print(f"\n{platform.machine()}, {os.cpu_count()} cores; batches of {BATCH}.")


if __name__ == "__main__":
    main()

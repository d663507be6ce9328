"""How long does a chart wait for the answer to its alert when hundreds come at once?

    python -m bench.hook_bench [--robots 200] [--rounds 3]

What is measured: `POST /api/v1/hooks/in/<token>/`, each over a connection of its own, from before
it is opened to the last byte of the answer, at a house of its own with one edge and as many robots
as asked for, of which each judges every alert. So many are let go at one moment by threads of this
process, whose own time is in the figures. Once more with the worker stopped (SIGSTOP): the answer
then leaves while nobody reads the queue, which is checked. The bar is what hooks promise, 3 s:
where any alert waited longer, it says that it is over the bar, and the status is 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.acceptance.robot_house import RobotHouse, robot, robot_house  # noqa: E402

PARALLEL: Final = (50, 400)
PERCENTILES: Final = (95, 99)
BAR_S: Final = 3.0
TOKEN: Final = "the-token-of-bob-with-at-least-32-characters"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Hook:
    """One hook of bob's, and the alerts that were sent to it."""

    def __init__(self, market: RobotHouse, name: str) -> None:
        self._house = market.house
        made = self._ask("POST", "/api/v1/hooks/", {"name": name})
        self._address = made["url"].removeprefix(self._house.url)
        self._alerts = f"/api/v1/hooks/{made['id']}/alerts/"
        self._sent = 0

    def burst(self, count: int) -> list[float]:
        """Send so many at one moment; return how many seconds each waited, the longest last."""
        begin = threading.Barrier(count)
        first, self._sent = self._sent, self._sent + count

        def send(number: int) -> float:
            body = json.dumps({"action": "buy", "ticker": "BTC", "key": f"k{number}"}).encode()
            begin.wait()
            before_s = time.perf_counter()
            reply = self._house.request("POST", self._address, body=body, headers=BEARER)
            waited_s = time.perf_counter() - before_s
            if reply.status != 202:
                raise SystemExit(f"an alert was answered {reply.status}: {reply.body!r}")
            return waited_s

        with ThreadPoolExecutor(count) as senders:
            return sorted(senders.map(send, range(first, first + count)))

    def waiting(self) -> int:
        """Return how many of the newest alerts nobody has read."""
        rows = self._ask("GET", self._alerts)["alerts"]
        return sum(row["state"] == "waiting" for row in rows)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        reply = self._house.request(method, path, body=raw, headers=BEARER)
        if reply.status not in {200, 201}:
            raise SystemExit(f"{path} was answered {reply.status}: {reply.body!r}")
        return reply.json


def row(what: str, rounds: list[list[float]]) -> str:
    """Return the line of some bursts: the medians of their figures, and the worst of all."""
    medians = [statistics.median(each) for each in rounds]
    ends = [[each[-(-len(each) * part // 100) - 1] for each in rounds] for part in PERCENTILES]
    figures = (*map(statistics.median, (medians, *ends)), max(each[-1] for each in rounds))
    cells = " | ".join(f"{figure:.3f} s" for figure in figures)
    return f"| {len(rounds[0])} | {what} | {cells} |"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robots", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    token = f'[[members.tokens]]\ntoken = "{TOKEN}"\nscopes = ["read", "trade"]\n'
    robots = [robot(f"r{number}", {"USDT": "10"}) for number in range(asked.robots)]
    print("| alerts at once | worker | median | 95th percentile | 99th percentile | worst |")
    print("|---|---|---|---|---|---|")
    worst_s = 0.0
    with robot_house(token, *robots) as market:
        market.trade("20000")
        hook = Hook(market, "bench")
        hook.burst(1)  # the first of a house, which imports what it needs
        for count in PARALLEL:
            rounds = [hook.burst(count) for _ in range(asked.rounds)]
            worst_s = max(worst_s, *(each[-1] for each in rounds))
            print(row("runs", rounds))
        market.until(lambda: not hook.waiting())
        with market.stopped_worker():
            stopped = [hook.burst(count) for count in PARALLEL]
            if not hook.waiting():
                raise SystemExit("somebody read the queue of a worker that is stopped")
        worst_s = max(worst_s, *(each[-1] for each in stopped))
        for each in stopped:
            print(row("is stopped", [each]))
    said = f"{asked.robots} robots; the worst of all waited {worst_s:.3f} s. Bar: {BAR_S:.0f} s"
    print(f"\n{said}.")
    if worst_s > BAR_S:
        raise SystemExit(f"over the bar: {said}")


if __name__ == "__main__":
    main()

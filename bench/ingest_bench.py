"""Reports of strategies beside a bare echo: how much of the server's own speed does ingest keep?

    python bench/ingest_bench.py --strategies 1 20 100 --connections 32 128 --seconds 8 --rounds 5

What is measured: `POST /api/v1/strategy/` through a real house with one edge, loaded by wrk; each
answer after the commit that holds its report (SQLite in WAL with synchronous=FULL, hourly and
daily periods kept in the same transaction). Reports come from so many strategies in turn, each
with a time of its own, so that none is a repetition. The peer runs in the same rounds: an ASGI
callable on the same server that reads the body and answers as many bytes; it gets the very same
requests. Printed: medians and spread of both, their ratio, CPU microseconds a report by process.
After each round as many rows must be there as were acknowledged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.http_bench import (  # noqa: E402
    Round,
    children_of,
    run_round,
    start_echo,
    summary,
    write_requests,
)
from tests.house_fixture import HOUSE_FILE, RunningHouse, open_house  # noqa: E402

REPORTS_A_SECOND_MAX: Final = 70_000  # so many are prepared for each second of a round
REPLY_BYTES: Final = len('{"status":true}')
EPOCH_S: Final = 1_700_000_000


def bench_file(strategies: int) -> str:
    """Return a house file in which bob has so many strategies on ten accounts."""
    lines = [f'\n[[members.brokerage_accounts]]\nname = "account-{each}"' for each in range(10)]
    lines += [
        f'\n[[members.strategies]]\nname = "s{each}"\nbrokerage_account = "account-{each % 10}"\n'
        f'symbol = "XBTUSD"\naccess_token = "{token(each)}"'
        for each in range(strategies)
    ]
    return HOUSE_FILE + "".join(lines) + "\n"


def token(number: int) -> str:
    return f"bench-token-{number:04}-OsoDiJtKUMqSZkq5GfjpssYLwkPtm"


def flow(count: int, start: int, strategies: int) -> Iterator[bytes]:
    """Yield requests, each another minute of one of the strategies."""
    for place in range(count):
        number, minute = place % strategies, start + place // strategies
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH_S + minute * 60))
        body = (
            f'{{"data":{{"strategy_access_token":"{token(number)}",'
            f'"last_price":{60000 + place % 977}.5,'
            f'"margin_balance":{12000 + place % 501}.25,"wallet_balance":{12000 + place % 499}.75,'
            f'"realised_pnl":{place % 97}.01,"positions":{place % 1000},"symbol":"XBTUSD",'
            f'"average_entry_price":59999.5,"created_at":"{moment}"}}}}'
        )
        yield (
            "POST /api/v1/strategy/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def rows_in(house: RunningHouse) -> int:
    """Return how many reports are in their place, once nothing waits for one."""
    deadline = time.monotonic() + 20
    with sqlite3.connect(house.data / "office.sqlite3") as connection:
        while connection.execute("SELECT count(*) FROM strategies_arrival").fetchone()[0]:
            if time.monotonic() > deadline:
                raise SystemExit("reports were not put in place in 20 s")
            time.sleep(0.02)
        found: int = connection.execute("SELECT count(*) FROM strategies_report").fetchone()[0]
    return found


def measure(arguments: argparse.Namespace, strategies: int, folder: Path) -> dict[str, Any]:
    """Return what was measured by the number of connections, in a house of its own."""
    results: dict[str, Any] = {}
    settings = "rate_limits = false\naddress_limit_1m = 0"
    with open_house(settings=settings, file_text=bench_file(strategies)) as house:
        assert house.process is not None
        echo, echo_port = start_echo(folder, REPLY_BYTES)
        start = 0
        try:
            pids = children_of(house.process.pid)
            for connections in arguments.connections:
                rounds: dict[str, list[Round]] = {"reports": [], "echo": []}
                for number in range(arguments.rounds + 1):
                    seconds = arguments.seconds if number else 2.0  # the first one warms up
                    path = folder / "requests"
                    count = int(seconds * REPORTS_A_SECOND_MAX)
                    write_requests(path, flow(count, start, strategies))
                    start += count // strategies + 1
                    before = rows_in(house)
                    made = run_round(house.port, pids, path, connections, seconds, folder)
                    peer = run_round(
                        echo_port, {echo.pid: "echo"}, path, connections, seconds / 2, folder
                    )
                    stored = rows_in(house) - before
                    answered = round(made.requests_per_s * seconds)
                    if answered > count:
                        raise SystemExit(f"{answered} reports: more than were prepared")
                    if made.refused or stored < answered * 0.98:
                        raise SystemExit(f"{made.refused} refused, {stored} rows of {answered}")
                    if number:
                        rounds["reports"].append(made)
                        rounds["echo"].append(peer)
                results[str(connections)] = summary(rounds, of="reports")
        finally:
            echo.send_signal(signal.SIGTERM)
            echo.wait(10)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--strategies", type=int, nargs="+", default=[1, 20, 100])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[int, dict[str, Any]] = {}
    for strategies in arguments.strategies:
        with tempfile.TemporaryDirectory(prefix="fondaco-bench-") as folder:
            results[strategies] = measure(arguments, strategies, Path(folder))
    if arguments.json:
        print(json.dumps(results))
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{arguments.rounds} rounds of {arguments.seconds:g} s; spread in brackets\n"
    )
    print("| strategies | connections | reports/s | echo/s | ratio | p99 ms | edge CPU us |")
    print("|---|---|---|---|---|---|---|")
    for strategies, by_connections in results.items():
        for connections, found in by_connections.items():
            told, peer = found["reports"], found["echo"]
            print(
                f"| {strategies} | {connections} | {told['per_s']} ({told['spread'][0]} to "
                f"{told['spread'][1]}) | {peer['per_s']} ({peer['spread'][0]} to "
                f"{peer['spread'][1]}) | {found['ratio']} | {told['p99_us'] / 1000:.1f} | "
                f"{told['cpu_us'].get('edge', 0)} |"
            )


if __name__ == "__main__":
    main()

"""HTTP order entry beside a bare echo: how much of the server's own speed do orders keep?

    python bench/http_bench.py --connections 32 128 --seconds 8 --rounds 5 [--json]

What is measured: signed orders through a real house (writer, edge, worker with its projector, all
on this machine, fdatasync before each answer), loaded by wrk with requests signed beforehand; 60 %
rest, 30 % cancel, 10 % fill. The peer runs in the same rounds: an ASGI callable on the same server
with the same settings that reads the body and answers as many bytes with as many headers; it gets
the very same requests. Printed: medians and spread of both, their ratio, CPU microseconds an order
by process. A round with an answer other than 2xx is not counted and is an error.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.house_fixture import ANN, BOB, Credentials, RunningHouse, free_port, open_house  # noqa: E402

ORDERS_A_SECOND_MAX: Final = 56_000  # so many requests are signed for each second of a round
CANCEL_BEHIND: Final = 1_500  # a cancel follows its order by so many requests
NEAR: Final = 50  # prices a side on which fills happen
LUA: Final = """
local requests, position, count = {}, 0, 0
function init(args)
  local file = assert(io.open(args[1], "rb"))
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    count = count + 1
    requests[count] = file:read(length)
  end
end
function request()
  position = position + 1
  if position > count then position = 1 end
  return requests[position]
end
function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout, latency:percentile(99)))
end
"""


class Round(NamedTuple):
    requests_per_s: float
    p99_us: int
    refused: int
    cpu_us: dict[str, float]  # by process, an order


def signed(who: Credentials, method: str, **parameters: object) -> bytes:
    """Return one whole HTTP request: POST with a form body, DELETE with a query, as ccxt does."""
    payload = "&".join(f"{name}={value}" for name, value in parameters.items())
    signature = hmac.digest(who.secret.encode(), payload.encode(), hashlib.sha256).hex()
    payload = f"{payload}&signature={signature}"
    host = f"Host: 127.0.0.1\r\nX-MBX-APIKEY: {who.key}\r\n"
    if method == "DELETE":
        return f"DELETE /api/v3/order?{payload} HTTP/1.1\r\n{host}\r\n".encode()
    kind = "Content-Type: application/x-www-form-urlencoded\r\n"
    return (
        f"{method} /api/v3/order HTTP/1.1\r\n{host}{kind}"
        f"Content-Length: {len(payload)}\r\n\r\n{payload}"
    ).encode()


def order(who: Credentials, stamp: int, side: str, quantity: str, **more: object) -> bytes:
    return signed(
        who, "POST", symbol="BTCUSDT", side=side, quantity=quantity, recvWindow=60000,
        timestamp=stamp, **more,
    )  # fmt: skip


def flow(count: int, mark: str) -> Iterator[bytes]:
    """Yield requests in tens: three far orders, three near ones, three cancels, one that fills.

    Far orders are never reached and are cancelled later; what is near is eaten two orders a fill.
    """
    stamp = time.time_ns() // 1_000_000
    far: list[str] = []
    cancelled = 0
    for place in range(count // 10):
        side, other = ("BUY", "SELL") if place % 2 else ("SELL", "BUY")
        sign = -1 if side == "BUY" else 1
        for part in range(3):
            name = f"{mark}f{place}-{part}"
            price = 20_000 + sign * (5_000 + (place * 7 + part) % 900)
            yield order(
                ANN, stamp, side, "0.01", type="LIMIT", timeInForce="GTC",
                price=f"{price}.00", newClientOrderId=name,
            )  # fmt: skip
            far.append(name)
            near = 20_000 + sign * (1 + (place * 3 + part) % NEAR)
            yield order(
                ANN, stamp, side, "0.01", type="LIMIT", timeInForce="GTC",
                price=f"{near}.00", newClientOrderId=f"{mark}n{place}-{part}",
            )  # fmt: skip
        for _ in range(3):
            if len(far) - cancelled > CANCEL_BEHIND:
                name = far[cancelled]
                cancelled += 1
                yield signed(
                    ANN, "DELETE", symbol="BTCUSDT", origClientOrderId=name,
                    recvWindow=60000, timestamp=stamp,
                )  # fmt: skip
        yield order(BOB, stamp, other, "0.02", type="MARKET", newClientOrderId=f"{mark}t{place}")


def seed(house: RunningHouse) -> None:
    """Give the book some depth, so that no fill finds it empty."""
    for side, sign in (("BUY", -1), ("SELL", 1)):
        for step in range(1, 4):
            reply = house.signed(
                ANN, "POST", "/api/v3/order", symbol="BTCUSDT", side=side, type="LIMIT",
                timeInForce="GTC", quantity="50", price=20_000 + sign * (100 + step),
            )  # fmt: skip
            assert reply.status == 200, reply


def children_of(pid: int) -> dict[int, str]:
    """Return the processes below one, with their role."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text()
            line = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        parent = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
        if parent and int(parent.group(1)) == pid:
            role = line[line.index(b"--role") + 1].decode() if b"--role" in line else "other"
            found[int(entry.name)] = role
    return found


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def load(port: int, requests: Path, connections: int, seconds: float, folder: Path) -> list[int]:
    """Run wrk; return requests, microseconds, refusals, errors, p99 in microseconds."""
    script = folder / "load.lua"
    script.write_text(LUA)
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"),
            *("-s", str(script), f"http://127.0.0.1:{port}/", "--", str(requests)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    return [int(each) for each in found.groups()]


def write_requests(path: Path, requests: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        # wrk asks for one request before it begins and throws it away.
        for each in (b"GET /api/v3/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", *requests):
            file.write(b"%d\n" % len(each) + each)


def run_round(
    port: int, pids: dict[int, str], requests: Path, connections: int, seconds: float, folder: Path
) -> Round:
    before = {pid: cpu_s(pid) for pid in pids}
    count, micros, refused, errors, p99 = load(port, requests, connections, seconds, folder)
    if errors:
        raise SystemExit(f"{errors} socket errors")
    if "echo" not in pids.values() and count >= int(seconds * ORDERS_A_SECOND_MAX):
        raise SystemExit(f"{count} orders: more than were signed; raise ORDERS_A_SECOND_MAX")
    spent = {role: (cpu_s(pid) - before[pid]) / count * 1e6 for pid, role in pids.items()}
    return Round(count / micros * 1e6, p99, refused, spent)


def start_echo(folder: Path, reply_bytes: int) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("echo_server.py")),
            str(port),
            str(reply_bytes),
        ],
        cwd=folder,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        probe = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/"], check=False
        )
        if probe.returncode == 0:
            return process, port
        time.sleep(0.05)
    raise SystemExit("the echo did not start")


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = {}
    settings = "rate_limits = false\naddress_limit_1m = 0"
    with open_house(settings=settings, file_text=bench_file()) as house:
        assert house.process is not None
        seed(house)
        reply = house.signed(
            ANN, "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="LIMIT",
            timeInForce="GTC", quantity="0.01", price="15000", newClientOrderId="size-of-a-reply",
        )  # fmt: skip
        echo, echo_port = start_echo(folder, len(reply.body))
        try:
            pids = children_of(house.process.pid)
            for connections in arguments.connections:
                rounds: dict[str, list[Round]] = {"orders": [], "echo": []}
                for number in range(arguments.rounds + 1):
                    seconds = arguments.seconds if number else 2.0  # the first one warms up
                    path = folder / "requests"
                    count = int(seconds * ORDERS_A_SECOND_MAX)
                    write_requests(path, flow(count, f"c{connections}r{number}"))
                    made = run_round(house.port, pids, path, connections, seconds, folder)
                    peer = run_round(
                        echo_port, {echo.pid: "echo"}, path, connections, seconds / 2, folder
                    )
                    settle(house)
                    if number:
                        rounds["orders"].append(made)
                        rounds["echo"].append(peer)
                results[str(connections)] = summary(rounds)
        finally:
            echo.send_signal(signal.SIGTERM)
            echo.wait(10)
    return results


def settle(house: RunningHouse) -> None:
    """Wait until the projector has caught up, so that rounds don't pay for each other."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = house.get("/metrics").body.decode()
        held = re.search(r"^fondaco_edge_overlay_bytes (\S+)", text, re.MULTILINE)
        if held and float(held.group(1)) < 1_000_000:
            return
        time.sleep(0.1)
    raise SystemExit("the projector did not catch up in a minute")


def bench_file() -> str:
    from tests.house_fixture import HOUSE_FILE

    return HOUSE_FILE.replace(
        'min_notional = "5"', 'min_notional = "5"\nmax_open_orders = 0'
    ).replace('USDT = "1000000", BTC = "100"', 'USDT = "9000000000", BTC = "1000000"')


def summary(rounds: dict[str, list[Round]], *, of: str = "orders") -> dict[str, Any]:
    """Return medians and spreads, and the ratio of what is measured to its echo."""
    found: dict[str, Any] = {}
    for name, each in rounds.items():
        rates = [one.requests_per_s for one in each]
        found[name] = {
            "per_s": round(statistics.median(rates)),
            "spread": [round(min(rates)), round(max(rates))],
            "p99_us": round(statistics.median(one.p99_us for one in each)),
            "refused": sum(one.refused for one in each),
            "cpu_us": {
                role: round(statistics.median(one.cpu_us[role] for one in each), 1)
                for role in each[0].cpu_us
            },
        }
    found["ratio"] = round(found[of]["per_s"] / found["echo"]["per_s"], 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fondaco-bench-") as folder:
        results = measure(arguments, Path(folder))
    if arguments.json:
        print(json.dumps(results))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for connections, found in results.items():
        for name in ("orders", "echo"):
            one = found[name]
            print(
                f"{connections:>4} connections  {name:<6} {one['per_s']:>7}/s "
                f"({one['spread'][0]} to {one['spread'][1]}), p99 {one['p99_us'] / 1000:.1f} ms, "
                f"{one['refused']} refused, CPU us each: {one['cpu_us']}"
            )
        print(f"{connections:>4} connections  ratio  {found['ratio']}")


if __name__ == "__main__":
    main()

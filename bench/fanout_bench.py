"""Stream fan-out: how many frames a second does one edge tell to many clients?

    python bench/fanout_bench.py --clients 100 500 --seconds 5 --rounds 3 [--json]

What is measured: a real house, N WebSocket clients on one trade stream and one book stream, and
one trader who makes trades over the WebSocket API as fast as they are answered. The clients read
raw sockets and count frame heads, so that they take little of the machine. Printed: frames a
second over all clients, CPU microseconds of the edge a frame, the time from a trade's stamp to its
arrival (median and 99th percentile over all clients), clients dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final, cast

import uvloop

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.http_bench import bench_file, children_of, cpu_s, seed  # noqa: E402
from tests.house_fixture import ANN, BOB, Credentials, RunningHouse, open_house  # noqa: E402

STREAMS: Final = "btcusdt@trade/btcusdt@bookTicker"
IN_FLIGHT: Final = 16
SAMPLE_EVERY: Final = 10  # frames of a client between two that are looked into


class Reader(asyncio.Protocol):
    """One client: counts frames, and times some of the trades."""

    def __init__(self) -> None:
        self._rest = b""
        self._open = False
        self.frames = 0
        self.delays_ms: list[float] = []
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            (
                f"GET /stream?streams={STREAMS} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Upgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost = True

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            assert data.startswith(b"HTTP/1.1 101"), data[:200]
            self._open = True
            self.ready.set_result(None)
            at = end + 4
        size = len(data)
        while at + 2 <= size:
            length = data[at + 1] & 127
            start = at + 2
            if length == 126:
                if at + 4 > size:
                    break
                length = int.from_bytes(data[at + 2 : at + 4], "big")
                start = at + 4
            if start + length > size:
                break
            self.frames += 1
            if not self.frames % SAMPLE_EVERY:
                self._time(data[start : start + length])
            at = start + length
        self._rest = data[at:]

    def _time(self, text: bytes) -> None:
        found = text.find(b'"T":')
        if found > 0:
            stamp_ms = int(text[found + 4 : found + 17])
            self.delays_ms.append(time.time() * 1000 - stamp_ms)


def signed(who: Credentials, **parameters: Any) -> dict[str, Any]:
    parameters |= {"apiKey": who.key, "timestamp": time.time_ns() // 1_000_000}
    payload = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    secret = who.secret.encode()
    parameters["signature"] = hmac.digest(secret, payload.encode(), hashlib.sha256).hex()
    return parameters


async def trade(house: RunningHouse, until: float) -> int:
    """Make trades until a moment; return how many orders were answered."""
    import websockets

    answered = 0
    async with websockets.connect(f"{house.ws_url}/ws-api/v3", compression=None) as socket:

        async def place(number: int) -> None:
            who, side = ((ANN, "SELL"), (BOB, "BUY"))[number % 2]
            order = signed(
                who, symbol="BTCUSDT", side=side, type="LIMIT", timeInForce="GTC",
                quantity="0.001", price="20000", returnRateLimits="false",
            )  # fmt: skip
            text = {"id": number, "method": "order.place", "params": order}
            await socket.send(json.dumps(text))

        for number in range(IN_FLIGHT):
            await place(number)
        number = IN_FLIGHT
        while time.monotonic() < until:
            answer = json.loads(await socket.recv())
            assert answer["status"] == 200, answer
            answered += 1
            await place(number)
            number += 1
    return answered


async def run_round(
    house: RunningHouse, clients: int, seconds: float, edge: int
) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    readers = []
    for _ in range(clients):
        _, reader = await loop.create_connection(Reader, "127.0.0.1", house.port)
        readers.append(reader)
    await asyncio.gather(*(reader.ready for reader in readers))
    before, begun = cpu_s(edge), time.monotonic()
    orders = await trade(house, begun + seconds)
    took = time.monotonic() - begun
    spent = cpu_s(edge) - before
    frames = sum(reader.frames for reader in readers)
    delays = sorted(delay for reader in readers for delay in reader.delays_ms)
    dropped = sum(reader.lost for reader in readers)
    for reader in readers:
        reader.transport.abort()
    return {
        "frames_per_s": frames / took,
        "orders_per_s": orders / took,
        "edge_us_per_frame": spent / max(frames, 1) * 1e6,
        "delay_ms_p50": delays[len(delays) // 2] if delays else 0,
        "delay_ms_p99": delays[len(delays) * 99 // 100] if delays else 0,
        "dropped": dropped,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    settings = "rate_limits = false\naddress_limit_1m = 0"
    with open_house(settings=settings, file_text=bench_file()) as house:
        assert house.process is not None
        seed(house)
        roles = children_of(house.process.pid)
        edge = next(pid for pid, role in roles.items() if role == "edge")
        for clients in arguments.clients:
            rounds = [
                uvloop.run(run_round(house, clients, arguments.seconds, edge))
                for _ in range(arguments.rounds)
            ]
            results[str(clients)] = {
                name: round(statistics.median(each[name] for each in rounds), 2)
                for name in rounds[0]
            }
    if arguments.json:
        print(json.dumps(results))
        return
    for clients_text, found in results.items():
        print(f"{clients_text:>5} clients  {found}")


if __name__ == "__main__":
    main()

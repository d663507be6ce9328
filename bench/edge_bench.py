"""What an order costs the edge, in process: parse, prove, submit, spread, answer.

    python -m bench.edge_bench [--orders N] [--connections N] [--rounds N]

The server's own protocol class is fed the bytes of signed requests, `connections` of them in one
turn of the loop; the writer's client speaks its frames to the real core in this process, whose own
time is taken off. No sockets, no disk, no other process, so that a figure can be compared with
the one of a minute ago. The peer is the bare echo of bench/echo_server.py on the same protocol.
Printed: microseconds an order, medians and spread of interleaved rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

import django
import msgspec
import uvicorn
import uvloop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tools.mypy_settings")
django.setup()

from bench.http_bench import flow  # noqa: E402 - the office's settings come first
from fondaco.asgi import Application  # noqa: E402
from fondaco.gateway.app import Gateway  # noqa: E402
from fondaco.gateway.auth import caller_of  # noqa: E402
from fondaco.gateway.protocol import HouseProtocol  # noqa: E402
from fondaco.house.declared import House, HouseSettings  # noqa: E402
from fondaco.link.client import WriterClient  # noqa: E402
from fondaco.link.frames import PLACE, Frame, FrameReader, encode  # noqa: E402
from tests.gateway.stand_ins import GRANTS, History, LoopWriter, define  # noqa: E402
from tests.house_fixture import ANN, BOB  # noqa: E402

REPLY_BYTES: Final = 560
ADDRESS: Final = ("127.0.0.1", 8000)


class Socket(asyncio.Transport):
    """A transport that swallows what is written and counts the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0
        self.refused = 0
        self.last = b""

    def write(self, data: Any) -> None:
        if data[:9] == b"HTTP/1.1 ":
            self.answers += 1
            if data[9:12] != b"200":
                self.refused += 1
                self.last = bytes(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": ADDRESS, "peername": ("127.0.0.1", 5000)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass


class CoreBehindFrames:
    """The other end of the link: takes frames, commits once a turn, answers in frames."""

    def __init__(self, client: WriterClient, writer: LoopWriter) -> None:
        self.client = client
        self.writer = writer
        self.seconds = 0.0  # spent here, none of the edge's
        self.commits = 0
        self._reader = FrameReader(1 << 20)
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        begun = time.perf_counter()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        self._waiting.append(data)
        self.seconds += time.perf_counter() - begun

    def _commit(self) -> None:
        begun = time.perf_counter()
        frames = [
            frame
            for piece in self._waiting
            for frame in self._reader.feed(piece)
            if frame[0] == Frame.COMMAND  # questions of a market that comes up stay open
        ]
        self._waiting.clear()
        if not frames:
            return
        core = self.writer.exchange
        batch = bytearray(b"".join(payload for _, _, payload in frames))
        self.writer.time_us = time.time_ns() // 1000
        core.stamp(batch, self.writer.seq + 1, self.writer.time_us)
        self.writer.seq += len(frames)
        events = core.apply(bytes(batch))
        out = [encode(Frame.EVENTS, self.writer.seq, events)]
        places = []
        start = 0
        for (_, correlation, _), end in zip(frames, core.boundaries(), strict=True):
            places.append(PLACE.pack(correlation, start, end))
            start = end
        out.append(encode(Frame.REPLIES, 0, b"".join(places)))
        told = FrameReader(1 << 28).feed(b"".join(out))
        self.commits += 1
        self.seconds += time.perf_counter() - begun
        self.client._on_frames(told)


async def edge() -> tuple[Application, CoreBehindFrames, Gateway]:
    writer = LoopWriter()
    client = WriterClient()
    client._loop = asyncio.get_running_loop()
    behind = CoreBehindFrames(client, writer)
    house = House(house=HouseSettings(name="bench", rate_limits=False, address_limit_1m=0))
    gateway = Gateway(client, house, base_url="http://127.0.0.1:8000")
    define(writer)
    history = History()
    gateway.edge.read = history.read  # type: ignore[method-assign]
    for grant, who in zip(GRANTS, (ANN, BOB), strict=False):
        gateway._keys._put(grant)
        own = caller_of(msgspec.structs.replace(grant, secret=who.secret))
        gateway._keys._by_text[who.key.encode()] = own
    writer.connected = True
    for record in (events for _, events in writer.commits):
        gateway.feed.take(writer.seq, record)
    for market in gateway.edge.markets.values():
        market.depth.loaded = True
        market.tape.load([], [])
    client._transport = behind  # type: ignore[assignment]
    client._on_events = gateway.feed.take
    gateway._up = gateway.lane.is_open = True
    application = Application(
        address=Path(os.devnull), house=house, base_url="http://127.0.0.1:8000"
    )
    application._gateway = gateway
    application.lane = gateway.lane
    application.ingest = gateway.ingest
    application._office = object()  # type: ignore[assignment]
    return application, behind, gateway


class Server:
    """Connections of one application, and how they are driven."""

    def __init__(self, application: Any, connections: int) -> None:
        config = uvicorn.Config(
            application, loop="uvloop", http=HouseProtocol, lifespan="off", log_config=None,
            access_log=False, proxy_headers=False, server_header=False, ws="none",
        )  # fmt: skip
        config.load()
        state = uvicorn.server.ServerState()
        self.sockets = [Socket() for _ in range(connections)]
        self.protocols = [
            HouseProtocol(config=config, server_state=state, app_state={}) for _ in self.sockets
        ]
        for protocol, socket in zip(self.protocols, self.sockets, strict=True):
            protocol.connection_made(socket)

    async def serve(self, requests: list[bytes]) -> float:
        """Serve the requests, as many at once as there are connections; return the seconds."""
        count = len(self.protocols)
        loop = asyncio.get_running_loop()
        begun = time.perf_counter()
        done = sum(socket.answers for socket in self.sockets)
        for at in range(0, len(requests), count):
            part = requests[at : at + count]
            for protocol, request in zip(self.protocols, part, strict=False):
                loop.call_soon(protocol.data_received, request)
            done += len(part)
            while sum(socket.answers for socket in self.sockets) < done:  # noqa: ASYNC110
                await asyncio.sleep(0)
        return time.perf_counter() - begun


async def measure(arguments: argparse.Namespace) -> dict[str, list[float]]:
    from bench.echo_server import bare_echo

    application, behind, gateway = await edge()
    house = Server(application, arguments.connections)
    peer = Server(bare_echo(REPLY_BYTES), arguments.connections)
    found: dict[str, list[float]] = {"order": [], "echo": []}
    for number in range(arguments.rounds + 1):
        requests = list(flow(arguments.orders, f"r{number}"))
        gc.collect()
        spent = behind.seconds
        seconds = await house.serve(requests) - (behind.seconds - spent)
        gc.collect()
        echoed = await peer.serve(requests)
        gateway.edge.overlay.advance(behind.writer.seq)
        if number:
            found["order"].append(seconds / len(requests) * 1e6)
            found["echo"].append(echoed / len(requests) * 1e6)
    refused = [socket for socket in house.sockets if socket.refused]
    if refused:
        sys.exit(f"{sum(s.refused for s in refused)} refused: {refused[0].last[-200:]!r}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    if arguments.profile:
        import cProfile
        import pstats

        profile = cProfile.Profile()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            profile.runcall(runner.run, measure(arguments))
        pstats.Stats(profile).sort_stats("tottime").print_stats(60)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(arguments))
    for name, each in found.items():
        print(f"{name:<6} {statistics.median(each):6.2f} us ({min(each):.2f} to {max(each):.2f})")
    print(json.dumps(vars(arguments)))


if __name__ == "__main__":
    main()

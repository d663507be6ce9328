"""The roles of a house as processes: writer, edge, office, worker, feeds; the demo's own two.

Promises: each imports its own room only, ends with 0 at SIGTERM, and raises its faults for the
command line to say. Standing alone, a writer locks the data directory and an edge binds its own
port; under a parent both are inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fondaco.cli import guard
from fondaco.link.address import writer_socket

if TYPE_CHECKING:
    from fondaco.cli.serve import Start

__all__ = ["run"]

WRITER_WAIT_S: Final = 3600.0  # a long recovery is no fault of the worker's
POLL_S: Final = 0.05
DEMO_SEED: Final = 1
LEASE_WAIT_S: Final = 10.0
SWITCH_S: Final = 0.0005  # how long the projector's thread may keep a feed's from going on
FEEDS_APART: Final = "FONDACO_FEEDS_APART"  # set: a process of their own follows the feeds


def run(role: str, asked: Start) -> None:
    """Run one role until SIGTERM."""
    os.environ.update(asked.environment())
    table: dict[str, Callable[[Start], None]] = {
        "writer": run_writer_role,
        "edge": run_edge_role,
        "office": run_edge_role,
        "worker": run_worker_role,
        "feeds": run_feeds_role,
        "traders": run_traders_role,
        "stocks": run_stocks_role,
    }
    table[role](asked)


def run_writer_role(asked: Start) -> None:
    from fondaco.cli.serve import lock_soon
    from fondaco.link.writer import WriterOptions, run_writer

    port = 0 if guard.is_guarded() else asked.port
    options = WriterOptions(
        data_dir=asked.data_dir,
        test_clock=asked.house.house.clock == "test",
        time_zone=asked.house.house.time_zone,
        host=asked.host,
        port=port,
    )
    with ExitStack() as stack:
        if not guard.is_guarded():
            stack.enter_context(lock_soon(asked.data_dir))
        run_writer(options)


def run_edge_role(asked: Start) -> None:
    import django

    django.setup()
    from fondaco import asgi
    from fondaco.cli.serve import bind_soon

    inherited = os.environ.pop("FONDACO_LISTENER", "")
    if guard.is_guarded() and inherited:
        listener = socket.socket(fileno=int(inherited))
    else:
        listener = bind_soon(asked.host, asked.port)
    prepared = os.environ.get("FONDACO_PREPARED", "")
    has_others = inherited and asked.house.house.edges > 1
    asgi.serve(
        listener,
        address=writer_socket(asked.data_dir),
        house=asked.house,
        base_url=asked.base_url,
        prepared=Path(prepared) if prepared else None,
        turn=asgi.Turn(asked.data_dir / "run" / "edges") if has_others else None,
    )


def run_worker_role(asked: Start) -> None:
    """Bring both databases up to date, apply the house file, then work until told to stop.

    Of several workers one projects, one follows each feed and one carries each venue's orders; the
    others stand by. Under a parent the feeds have a process of their own.
    """
    stop = _asked_to_stop()

    import django

    django.setup()
    from fondaco.house.errors import HouseFault
    from fondaco.house.file import located
    from fondaco.identity import services as identity
    from fondaco.link.blocking import BlockingClient, Halted, Overloaded, Unanswered
    from fondaco.office.services import prepare_databases
    from fondaco.projections import projector
    from fondaco.projections.services import SecondProjector
    from fondaco.robots import services as robots
    from fondaco.strategies import services as strategies

    prepare_databases()
    if asked.is_demo:
        from fondaco.robots import simulated

        simulated.write_history(asked.data_dir, asked.house, DEMO_SEED)
    client = BlockingClient(writer_socket(asked.data_dir), role="worker")
    with client:
        while not stop.is_set():
            try:
                client.wait_until_connected(POLL_S)
                identity.apply_house(asked.house, client)
                strategies.apply_house(asked.house)
                robots.apply_house(asked.house, client)
            except HouseFault as fault:
                raise located(asked.house_path, fault) from fault
            except (Overloaded, Unanswered, Halted):
                continue  # the writer is recovering; what was done is not done again
            break
        prepared = os.environ.get("FONDACO_PREPARED", "")
        if stop.is_set():
            return
        from fondaco.office import chores
        from fondaco.robots.bots import worker as rules
        from fondaco.robots.feeds import running
        from fondaco.robots.holding import Held, while_held
        from fondaco.robots.hub import locks, ratings
        from fondaco.robots.hub import worker as hub
        from fondaco.robots.venues import worker as venues

        threading.Thread(target=chores.run, args=(stop,), name="chores", daemon=True).start()
        is_apart = os.environ.get(FEEDS_APART) == "1"
        if not is_apart and running.start(asked.house, client.address, stop):
            sys.setswitchinterval(SWITCH_S)  # a feed's thread waits for the network all the time
        venues.start_all(asked.house, asked.data_dir, stop)
        redis_url = os.environ.get(locks.REDIS_URL, "")
        hub.start(asked.house, asked.data_dir, stop, redis_url=redis_url)
        ratings.start(asked.house.house, asked.data_dir, stop)
        rules.start(asked.house, asked.data_dir, stop)

        def project(held: Held) -> None:
            try:
                projector.run(
                    client, held, on_imported=Path(prepared).touch if prepared else lambda: None
                )
            except SecondProjector:  # it took our lease while we stood still
                if not held.lost.wait(LEASE_WAIT_S):
                    raise

        while_held("projector", stop, project)


def run_feeds_role(asked: Start) -> None:
    """Follow the price feeds, once a worker has applied the house file, until told to stop."""
    stop = _asked_to_stop()

    import django

    django.setup()
    from fondaco.core import records
    from fondaco.house import commands
    from fondaco.house.errors import HouseFault
    from fondaco.house.file import located
    from fondaco.link.blocking import BlockingClient, Halted, Overloaded, Unanswered
    from fondaco.office.services import prepare_databases
    from fondaco.robots.feeds import running

    prepare_databases()
    with BlockingClient(writer_socket(asked.data_dir), role="feeds") as client:
        while not stop.is_set():
            try:
                answer = client.query(records.pack(records.Query.DEFINITIONS))
                if not list(commands.commands(asked.house, bytes(answer.records))):
                    break
            except HouseFault as fault:
                raise located(asked.house_path, fault) from fault
            except (Overloaded, Unanswered, Halted):
                pass  # the writer is recovering
            stop.wait(POLL_S)
    running.start(asked.house, client.address, stop)
    stop.wait()


def _asked_to_stop() -> threading.Event:
    """Return what SIGTERM sets, and SIGINT, unless it is left to the parent."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: stop.set())
    return stop


def run_traders_role(asked: Start) -> None:
    """Trade as the demo's simulated members, over the public API, until told to stop."""
    from fondaco.cli.welcome import is_ready
    from fondaco.robots import simulated
    from fondaco.robots.house_client import ApiKey

    keys = {}
    for role in simulated.ROLES:
        member = next(each for each in asked.house.members if each.username == role)
        keys[role] = ApiKey(member.api_keys[0].key, member.api_keys[0].secret)

    async def trade() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        while not stop.is_set() and not await asyncio.to_thread(is_ready, asked.host, asked.port):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)
        if stop.is_set():
            return
        await simulated.run(f"http://{asked.host}:{asked.port}", keys, int(time.time()), stop)

    asyncio.run(trade())


def run_stocks_role(_asked: Start) -> None:
    """Keep the demo's stocks moving, by a broker on loopback, until told to stop."""
    from fondaco.cli.serve import bind_broker
    from fondaco.robots import simulated_stocks

    inherited = os.environ.pop("FONDACO_BROKER", "")
    if guard.is_guarded() and inherited:
        listener = socket.socket(fileno=int(inherited))
    else:
        listener = bind_broker()

    async def move() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await simulated_stocks.run(listener, int(time.time()), stop)

    asyncio.run(move())

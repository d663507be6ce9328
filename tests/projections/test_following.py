"""The projector at a real writer: it follows, catches up, comes back, and says how far it is."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from django.db import connections

from fondaco.core import records
from fondaco.link.blocking import BlockingClient
from fondaco.projections import imports, projector, selectors
from fondaco.projections.router import ALIAS
from fondaco.projections.services import EventsMissing
from tests.projections import market
from tests.projections.conftest import dump
from tests.projections.real_writer import RealWriter

Renew = Callable[[], None]
DEADLINE_S = 30.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait on a condition; fail with `what` after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:.0f} s: {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def projecting(client: BlockingClient, *, linger_s: float = 0.01) -> Iterator[None]:
    """A projector in a thread; what it raises is raised on leaving."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            projector.run(client, stop, linger_s=linger_s)
        except BaseException as error:  # noqa: BLE001 - raised again on leaving
            raised.append(error)
        finally:
            connections[ALIAS].close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    if raised:
        raise raised[0]


def submit(client: BlockingClient, commands: list[bytes]) -> int:
    """Submit one by one; return the seq of the last event."""
    seq = 0
    for command in commands:
        events = client.submit(command)
        if events:
            seq = records.HEAD.unpack_from(events)[1]
    return seq


def reaches(seq: int) -> None:
    wait_until(lambda: selectors.cursor().seq >= seq, f"the cursor is at {seq}")


def test_a_projector_follows_catches_up_and_rebuilds(tables: Renew, tmp_path: Path) -> None:
    """Live, after a pause of hundreds of commands, and from nothing: the same tables."""
    with RealWriter(tmp_path) as writer, writer.client() as client:
        with projecting(client):
            seq = submit(client, market.opening() + list(market.flow(150, seed=1)))
            reaches(seq)
        paused_at = selectors.cursor().seq
        seq = submit(client, list(market.flow(600, seed=2, entry=10_000)))
        assert selectors.cursor().seq == paused_at
        with projecting(client):
            reaches(seq)
        before = dump()
        assert len(before["trade"]) > 50
        tables()
        with projecting(client):
            reaches(seq)
        after = dump()
    assert after == before


def test_a_projector_comes_back_after_the_writer_was_killed(tables: Renew, tmp_path: Path) -> None:
    """Kill -9 of the writer under it: it subscribes again and misses nothing."""
    commands = market.opening() + list(market.flow(300, seed=3))
    with contextlib.ExitStack() as stack:
        with RealWriter(tmp_path) as writer:
            client = stack.enter_context(writer.client())
            stack.enter_context(projecting(client))
            reaches(submit(client, commands[:150]))
        with RealWriter(tmp_path):
            reaches(submit(client, commands[150:]))
            trades = {
                instrument: selectors.trades(instrument, limit=1000)
                for instrument in (market.BTCUSDT, market.ETHBTC)
            }
    kept = records.IMPORTED_TRADES_MAX
    for rows in trades.values():
        assert [row.trade_id - kept for row in rows] == list(range(1, len(rows) + 1))
        assert rows


def test_the_cursor_is_told_to_other_subscribers(tables: Renew, tmp_path: Path) -> None:
    """An edge that subscribes hears how far the projections are."""
    with (
        RealWriter(tmp_path) as writer,
        writer.client() as client,
        client.subscribe(-1) as edge,
        projecting(client),
    ):
        seq = submit(client, market.opening())

        def heard() -> bool:
            edge.next(0.05)
            return edge.cursor >= seq

        wait_until(heard, f"the edge heard of {seq}")
        assert selectors.cursor().seq >= edge.cursor


def test_projections_of_another_house_are_refused(tables: Renew, tmp_path: Path) -> None:
    """Tables that reach beyond the journal's end say so and change nothing."""
    with RealWriter(tmp_path) as writer, writer.client() as client, projecting(client):
        reaches(submit(client, market.opening() + list(market.flow(50, seed=4))))
    for name in ("journal", "events", "snapshots"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    before = dump()
    with (
        RealWriter(tmp_path) as writer,
        writer.client() as client,
        pytest.raises(EventsMissing, match="belong to another house"),
    ):
        projector.run(client, threading.Event())
    assert dump() == before


def test_imports_are_told_when_they_are_in_the_tables(tables: Renew, tmp_path: Path) -> None:
    """Who waits for the word finds every imported trade; a house without imports hears it too."""
    found: list[int] = []
    stop = threading.Event()

    def on_imported() -> None:
        found.append(len(selectors.trades(market.BTCUSDT)))
        stop.set()

    source = tmp_path / "trades.csv"
    source.write_text("1600000000000,100.00,0.5,true\n1600000000001,101.00,0.5,false\n")
    opening = market.opening()
    [body] = [
        msgspec.msgpack.decode(records.unpack_body(command), type=records.InstrumentBody)
        for command in opening
        if b"BTCUSDT" in command
    ]
    with RealWriter(tmp_path) as writer, writer.client() as client:
        submit(client, opening)
        projector.run(client, stop, on_imported=on_imported)
        assert found == [0]
        tables()
        stop.clear()
        imports.keep_trades(source, data_dir=tmp_path, instrument=body)
        projector.run(client, stop, on_imported=on_imported)
    assert found == [0, 2]

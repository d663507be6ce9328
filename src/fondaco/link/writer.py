"""The writer process: recover, listen, commit, and stop in order.

Promises: it listens only when the core has replayed to the end; SIGTERM commits what waits, takes
a snapshot and ends with 0; any halt ends the process with the journal's own sentence (WriterEnded),
because only a new start, which recovers, may go on. Imports no Django.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from fondaco.journal.calendar import Calendar
from fondaco.journal.clock import SystemClock, TestClock
from fondaco.journal.faults import Halted
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.sequencer import Sequencer
from fondaco.link.address import writer_socket
from fondaco.link.health import serve_health
from fondaco.link.server import Limits, WriterServer

__all__ = ["ORDERS_AT_HAND", "WriterOptions", "run_writer"]

CLOSE_TIMEOUT_S: Final = 5.0
# A mean of 12 orders a second, in about 120 MB; a busier house finds memory for more as they come.
ORDERS_AT_HAND: Final = 1 << 20


class WriterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a writer is run; `port` 0 = no health port."""

    data_dir: Path
    test_clock: bool = False
    time_zone: str = "UTC"
    limits: Limits = Limits()
    host: str = "127.0.0.1"
    port: int = 0


def run_writer(options: WriterOptions, *, on_ready: Callable[[int], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. `on_ready(seq)` hears when it listens.

    Raises what recovery raises (JournalDamaged and its kin), Halted, and OSError of the socket.
    """
    clock = TestClock(time.time_ns() // 1000) if options.test_clock else SystemClock()
    sequencer = open_sequencer(
        options.data_dir,
        clock,
        calendar=Calendar(options.time_zone),
        orders_at_hand=ORDERS_AT_HAND,
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(options, sequencer, clock, on_ready))
    finally:
        sequencer.close()


async def _serve(
    options: WriterOptions,
    sequencer: Sequencer,
    clock: SystemClock | TestClock,
    on_ready: Callable[[int], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def fail(error: BaseException) -> None:
        if not ended.done():
            ended.set_exception(error)

    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    def on_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        fail(error if error is not None else RuntimeError(context["message"]))

    loop.set_exception_handler(on_loop_error)
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # a child leaves SIGINT to its parent
            loop.add_signal_handler(number, stop)
    timer = Timer(sequencer, fail)
    server = WriterServer(
        sequencer,
        sequencer.events,
        limits=options.limits,
        on_commit=lambda _: timer.wake(),
        advance_clock=timer.advancing(clock) if isinstance(clock, TestClock) else None,
        on_failure=fail,
    )
    timer.server = server
    await server.listen(writer_socket(options.data_dir))
    async with contextlib.AsyncExitStack() as stack:
        if options.port:
            await stack.enter_async_context(serve_health(options.host, options.port, server.status))
        timer.wake()
        if on_ready is not None:
            on_ready(sequencer.seq)
        try:
            await ended
        finally:
            timer.stop()
            with contextlib.suppress(Halted, TimeoutError):
                await asyncio.wait_for(server.close(), CLOSE_TIMEOUT_S)


class Timer:
    """Calls tick() when it is due, and hands what it gave to the subscribers."""

    def __init__(self, sequencer: Sequencer, fail: Callable[[BaseException], None]) -> None:
        self.server: WriterServer | None = None
        self._sequencer = sequencer
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._due_s = float("inf")
        self._stopped = False

    def wake(self) -> None:
        """See when the next tick is due; called after each commit."""
        due_s = self._loop.time() + self._sequencer.wait_s()
        if self._handle is not None:
            if self._due_s <= due_s:
                return
            self._handle.cancel()
        self._due_s = due_s
        self._handle = self._loop.call_at(due_s, self._run)

    def _run(self) -> None:
        self._handle = None
        if self._stopped:
            return
        try:
            self.tick()
        except Halted as error:
            self._fail(error)
            return
        self.wake()

    def tick(self) -> None:
        committed = self._sequencer.tick()
        if committed is not None and self.server is not None:
            self.server.publish(self._sequencer.seq, committed.events)

    def advancing(self, clock: TestClock) -> Callable[[int], None]:
        """Return what moves a test clock and does at once what is due then."""

        def advance(by_us: int) -> None:
            clock.advance(by_us)
            self.tick()
            while 0 < self._sequencer.exchange.deadline() <= clock.now_us():
                self.tick()

        return advance

    def stop(self) -> None:
        self._stopped = True
        if self._handle is not None:
            self._handle.cancel()

"""The writer's door and its two clients, against a sequencer that echoes."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fondaco.core.records import Command, Query, pack
from fondaco.link.answers import Halted, Invalid, LinkError, Overloaded, Unanswered
from fondaco.link.blocking import BlockingClient, Commit, ConnectionLost, Pipeline
from fondaco.link.client import WriterClient
from fondaco.link.frames import VERSION, Frame, FrameReader, Hello, Subscribe, encode
from fondaco.link.server import Limits, WriterServer
from tests.link.fakes import FakeSequencer, deposit, event

DEADLINE_S = 60.0


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition, or fail."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


class House:
    """A door before a fake sequencer, in this loop."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self.sequencer = FakeSequencer()
        self.failures: list[BaseException] = []
        self.server: WriterServer

    async def open(self, **limits: int) -> WriterServer:
        self.server = WriterServer(
            self.sequencer,
            self.sequencer,
            limits=Limits(**limits),
            on_failure=self.failures.append,
        )
        await self.server.listen(self.address)
        return self.server


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path / "run" / "writer.sock")
    yield made
    await made.server.close()


@contextlib.asynccontextmanager
async def connected(house: House, role: str = "edge") -> AsyncIterator[WriterClient]:
    client = WriterClient()
    await client.connect(house.address, role=role)
    try:
        yield client
    finally:
        await client.close()


async def raw(house: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A greeted connection whose frames the test writes itself."""
    reader, writer = await asyncio.open_unix_connection(str(house.address))
    hello = msgspec.msgpack.encode(Hello(version=VERSION, role="test"))
    writer.write(encode(Frame.HELLO, 0, hello))
    return reader, writer


async def test_each_command_gets_its_own_events(house: House) -> None:
    """Commands of two clients that wait together are one commit, and each gets its own events."""
    await house.open()
    async with connected(house) as ann, connected(house) as bob:
        asked = [ann.submit(deposit(100 + n)) for n in range(50)]
        asked += [bob.submit(deposit(200 + n)) for n in range(50)]
        replies = [event(reply) for reply in await asyncio.gather(*asked)]
    assert [account for _, account in replies] == [*range(100, 150), *range(200, 250)]
    assert sorted(seq for seq, _ in replies) == list(range(1, 101))
    assert max(house.sequencer.sizes) >= 50


async def test_a_list_takes_two_numbers_and_gets_one_answer(house: House) -> None:
    """Among other commands a list's events are its own, and subscribers hear of its last seq."""
    await house.open()
    last: list[int] = []
    a_list = pack(Command.NEW_LIST, account=7, instrument=1)
    async with connected(house) as ann, connected(house) as bob:
        bob.subscribe(0, lambda seq, _: last.append(seq))
        for client in (ann, bob):
            run = [deposit(1), a_list, deposit(2), a_list, deposit(3)]
            replies = await asyncio.gather(*[client.submit(each) for each in run])
            assert [event(reply)[1] for reply in replies] == [1, 7, 2, 7, 3]
        await until(lambda: last[-1:] == [14])
    assert house.sequencer.seq == 14


async def test_what_a_midnight_told_is_in_nobody_s_reply(house: House) -> None:
    """Events of a ROLL before the first command go to subscribers alone, by place or by bytes."""
    house.sequencer.before = bytes(48)
    await house.open()
    runs: list[bytes] = []
    async with connected(house) as ann, connected(house) as bob:
        bob.subscribe(0, lambda _, events: runs.append(events))
        for client in (ann, bob):
            replies = [event(await client.submit(deposit(300 + n))) for n in range(3)]
            assert [account for _, account in replies] == [300, 301, 302]
        await until(lambda: len(runs) == 6)
    assert all(run[:48] == bytes(48) and len(run) == 64 for run in runs)


async def test_a_question_comes_after_the_commands_before_it(house: House) -> None:
    """A question sent behind a command knows of it, in the answer and in its seq."""
    await house.open()
    async with connected(house) as client:
        command = client.submit(deposit(17))
        answer = await client.query(pack(Query.TOTALS))
        assert command.done()
        assert answer.seq == 1
        assert struct.unpack_from("<q", answer.records) == (1,)


async def test_events_come_before_the_reply_of_their_commit(house: House) -> None:
    """When a reply resolves, the subscriber on that connection has had the events of it."""
    await house.open()
    seen: list[int] = []
    async with connected(house) as client:
        client.subscribe(-1, lambda seq, _: seen.append(seq))
        for n in range(1, 200):
            seq, _ = event(await client.submit(deposit(n)))
            assert seen[-1] == seq == n


async def test_a_subscriber_catches_up_without_gap_or_repeat(house: House) -> None:
    """From an old seq on, while commits go on, every event comes once and in order."""
    await house.open()
    seen: list[int] = []

    def on_events(last_seq: int, events: bytes) -> None:
        seen.extend(seq for seq, _ in struct.iter_unpack("<qq", events))
        assert seen[-1] == last_seq

    async with connected(house) as client, connected(house) as late:
        for n in range(0, 60_000, 600):
            await asyncio.gather(*(client.submit(deposit(n)) for _ in range(600)))
        late.subscribe(301, on_events)
        for n in range(400):
            await client.submit(deposit(n))
        await until(lambda: seen and seen[-1] == 60_400)
    assert seen[0] <= 301  # whole commits only
    assert seen == list(range(seen[0], 60_401))


async def test_a_lost_connection_comes_back_and_the_events_go_on(house: House) -> None:
    """After the writer dropped it, a client is connected again and has missed nothing."""
    server = await house.open()
    seen: list[int] = []
    async with connected(house) as client, connected(house, "other") as other:
        client.subscribe(1, lambda seq, _: seen.append(seq))
        await client.submit(deposit(1))
        for peer in list(server.peers):
            if peer.role == "edge":
                assert peer._transport is not None
                peer._transport.abort()
        await until(lambda: not client.connected)
        await other.submit(deposit(2))
        await until(lambda: seen == [1, 2])
        assert client.connections == 2
        assert event(await client.submit(deposit(3))) == (3, 3)


async def test_what_was_sent_and_not_answered_is_unanswered(house: House) -> None:
    """A connection lost under a command leaves its outcome unknown; the next one is refused."""
    server = await house.open()
    async with connected(house) as client:
        doomed: list[asyncio.Future[bytes]] = []

        def cut() -> None:
            for peer in list(server.peers):
                assert peer._transport is not None
                peer._transport.abort()

        house.sequencer.on_commit = cut
        doomed.append(client.submit(deposit(1)))
        with pytest.raises(Unanswered):
            await doomed[0]
        assert house.sequencer.seq == 1
        house.sequencer.on_commit = lambda: None
        with pytest.raises(Overloaded, match="nothing was executed"):
            await client.submit(deposit(2))
        assert house.sequencer.seq == 1


async def test_a_peer_that_goes_costs_nobody_else_an_answer(house: House) -> None:
    """Replies of a batch reach the others though one asker has gone before they were written."""
    server = await house.open()
    reader, writer = await raw(house)
    await reader.readexactly(16)
    async with connected(house) as client:
        gone = [peer for peer in server.peers if peer.role == "test"]

        def drop() -> None:
            while gone:
                transport = gone.pop()._transport
                assert transport is not None
                transport.abort()

        house.sequencer.on_commit = drop
        writer.write(b"".join(encode(Frame.COMMAND, n, deposit(n)) for n in range(1, 20)))
        replies = await asyncio.gather(*(client.submit(deposit(n)) for n in range(100)))
        assert [event(reply)[1] for reply in replies] == list(range(100))
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_full_queue_is_overloaded_and_not_executed(house: House) -> None:
    """Commands beyond the bound are refused, the others are executed, none is lost."""
    await house.open(queue=10)
    async with connected(house) as client:
        answers = await asyncio.gather(
            *(client.submit(deposit(n)) for n in range(30)), return_exceptions=True
        )
    refused = [each for each in answers if isinstance(each, Overloaded)]
    assert len(refused) == 20
    assert house.sequencer.seq == 10
    assert house.server.counters["overloaded"] == 20


async def test_projections_too_far_behind_slow_the_door(house: House) -> None:
    """Past the bound of lag commands are refused, and accepted again once the cursor has moved."""
    await house.open(lag=5)
    cursors: list[int] = []
    async with connected(house) as client, connected(house, "projector") as projector:
        client.subscribe(-1, lambda *_: None, cursors.append)
        for n in range(6):
            await client.submit(deposit(n))
        with pytest.raises(Overloaded, match="projections are 6 commands behind"):
            await client.submit(deposit(7))
        assert projector._transport is not None
        projector._transport.write(encode(Frame.CURSOR, 0, struct.pack("<q", 6)))
        await until(lambda: cursors == [6])
        assert event(await client.submit(deposit(8))) == (7, 8)


async def test_who_subscribes_late_hears_where_the_projections_are(house: House) -> None:
    """The cursor that was told before a peer subscribed is told to it, though nothing follows."""
    server = await house.open()
    cursors: list[int] = []
    async with connected(house) as client, connected(house, "projector") as projector:
        await client.submit(deposit(1))
        assert projector._transport is not None
        projector._transport.write(encode(Frame.CURSOR, 0, struct.pack("<q", 1)))
        await until(lambda: server.cursor == 1)
        client.subscribe(1, lambda *_: None, cursors.append)
        await until(lambda: cursors == [1])


async def test_a_halt_answers_nothing_that_was_in_hand(house: House) -> None:
    """When the disk fails, what was given to it stays unanswered and what waited is HALTED."""
    await house.open(batch=5)

    def fail() -> None:
        raise OSError(5, "planted")

    house.sequencer.on_commit = fail
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    client = WriterClient()
    await client.connect(house.address, role="edge")
    asked = [client.submit(deposit(n)) for n in range(8)]
    waited = await asyncio.gather(*asked[5:], return_exceptions=True)
    assert [type(each) for each in waited] == [Halted] * 3
    assert not any(each.done() for each in asked[:5])
    assert [str(each) for each in house.failures] == ["[Errno 5] planted"]
    await client.close()
    lost = await asyncio.gather(*asked[:5], return_exceptions=True)
    assert [type(each) for each in lost] == [Unanswered] * 5


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"short",
        deposit(1) + b"12345678",
        deposit(1)[:-8],
        pack(Command.ADVANCE),
        pack(Command.TOMBSTONE),
        pack(Query.TOTALS),
        (9999 | 1 << 16 | 40 << 32).to_bytes(8, "little") + bytes(32),
        (1 | 2 << 16 | 40 << 32).to_bytes(8, "little") + bytes(32),
    ],
)
async def test_what_is_no_command_is_refused_alone(house: House, record: bytes) -> None:
    """A record that is none gets INVALID; its neighbours in the batch are executed."""
    await house.open()
    async with connected(house) as client:
        before, bad, after = (
            client.submit(deposit(1)),
            client.submit(record),
            client.submit(deposit(2)),
        )
        with pytest.raises(Invalid):
            await bad
        assert event(await before) == (1, 1)
        assert event(await after) == (2, 2)


@pytest.mark.parametrize(
    "piece",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        encode(Frame.COMMAND, 1, deposit(1)),
        encode(Frame.HELLO, 0, msgspec.msgpack.encode({"version": VERSION + 1})),
        encode(Frame.HELLO, 0, b"\xff\xff"),
        b"\xff" * 64,
    ],
)
async def test_a_stranger_is_told_and_dropped(house: House, piece: bytes) -> None:
    """What doesn't begin with HELLO of this version gets one FAULT and no connection."""
    await house.open()
    reader, writer = await asyncio.open_unix_connection(str(house.address))
    writer.write(piece)
    frames = FrameReader(1 << 20).feed(await asyncio.wait_for(reader.read(), DEADLINE_S))
    assert [frame for frame, _, _ in frames] == [Frame.FAULT]
    assert house.sequencer.seq == 0
    writer.close()


async def test_a_slow_subscriber_is_dropped(house: House) -> None:
    """One that doesn't read is let go once more than the bound waits for it; others go on."""
    server = await house.open(peer_bytes=200_000)
    _, writer = await raw(house)
    subscribe = msgspec.msgpack.encode(Subscribe(from_seq=-1))
    writer.write(encode(Frame.SUBSCRIBE, 0, subscribe))
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with connected(house) as client:
        await until(lambda: any(peer.feed is not None for peer in server.peers))
        for n in range(2000):
            await asyncio.gather(*(client.submit(deposit(n)) for _ in range(50)))
            if server.counters["dropped"]:
                break
        assert server.counters["dropped"] == 1
        assert event(await client.submit(deposit(5)))[1] == 5
    writer.close()


async def test_status_names_the_counters(house: House) -> None:
    """STATUS gives seq, lag, queue and what has been done, for health and metrics."""
    await house.open()
    async with connected(house) as client:
        await client.submit(deposit(1))
        status = await client.status()
    assert (status["seq"], status["cursor"], status["lag"], status["commands"]) == (1, 0, 1, 1)
    assert status["roles"] == ["edge"]


async def test_a_system_clock_is_not_moved(house: House) -> None:
    """CLOCK on a house without a test clock is INVALID."""
    await house.open()
    async with connected(house) as client:
        with pytest.raises(Invalid, match="clock"):
            await client.advance_clock(1_000_000)


async def test_the_socket_is_for_this_user_only(house: House) -> None:
    """The writer's socket has mode 0600."""
    await house.open()
    assert house.address.stat().st_mode & 0o777 == 0o600


async def test_a_long_data_directory_is_no_hindrance(tmp_path: Path) -> None:
    """A socket path longer than the kernel's 107 bytes works for both ends."""
    house = House(tmp_path / ("long-" * 20) / ("longer-" * 10) / "run" / "writer.sock")
    await house.open()
    async with connected(house) as client:
        assert event(await client.submit(deposit(1))) == (1, 1)
    blocking = BlockingClient(house.address, role="test")
    assert event(await asyncio.to_thread(blocking.submit, deposit(2))) == (2, 2)
    blocking.close()
    await house.server.close()


async def test_the_blocking_client_asks_and_subscribes(house: House) -> None:
    """submit, query, status and a subscription that sends its cursor work from threads."""
    server = await house.open()

    def work() -> tuple[list[tuple[int, int]], list[Commit]]:
        with BlockingClient(house.address, role="worker") as client:
            replies = [event(client.submit(deposit(n))) for n in range(3)]
            assert client.query(pack(Query.TOTALS)).seq == 3
            assert client.status()["seq"] == 3
            with pytest.raises(Invalid):
                client.submit(b"")
            with client.subscribe(2) as subscription:
                commits = subscription.waiting(10, DEADLINE_S)
                assert subscription.next(0.01) is None
                subscription.send_cursor(3)
                return replies, commits

    replies, commits = await asyncio.to_thread(work)
    assert replies == [(1, 0), (2, 1), (3, 2)]
    assert [commit.last_seq for commit in commits] == [2, 3]
    await until(lambda: server.cursor == 3)


async def test_the_blocking_client_comes_back(house: House) -> None:
    """After the writer has let go, the next call makes a connection; a subscription says so."""
    server = await house.open()
    client = BlockingClient(house.address, role="worker")
    subscription = await asyncio.to_thread(client.subscribe, -1)
    assert event(await asyncio.to_thread(client.submit, deposit(1))) == (1, 1)
    await asyncio.to_thread(subscription.next, DEADLINE_S)
    for peer in list(server.peers):
        peer.close()
    await until(lambda: not server.peers)
    with pytest.raises(ConnectionLost):
        await asyncio.to_thread(subscription.next, DEADLINE_S)
    assert event(await asyncio.to_thread(client.submit, deposit(2))) == (2, 2)
    client.close()


def received(pipeline: Pipeline, count: int) -> dict[int, bytes | LinkError]:
    """Wait for so many answers, by the commands' numbers."""
    found: dict[int, bytes | LinkError] = {}
    while len(found) < count:
        found |= dict(pipeline.receive(DEADLINE_S))
    return found


async def test_many_commands_go_in_one_piece_and_each_has_its_own_answer(house: House) -> None:
    """Commands sent together are one commit; what is none is told alone."""
    await house.open()

    def work() -> dict[int, bytes | LinkError]:
        with contextlib.closing(Pipeline(house.address, role="feed")) as pipeline:
            first = pipeline.send([deposit(1), deposit(2), b"", deposit(3)])
            assert first == 1
            return received(pipeline, 4)

    found = await asyncio.to_thread(work)
    answers = [found[number] for number in sorted(found)]
    assert [event(each) for each in answers if isinstance(each, bytes)] == [(1, 1), (2, 2), (3, 3)]
    assert isinstance(answers[2], Invalid)
    assert house.sequencer.sizes == [3]


async def test_of_many_commands_each_has_its_own_answer_in_their_order(house: House) -> None:
    """A client's commands sent as one piece: events, or its own error, for each."""
    await house.open()

    def work() -> list[bytes | LinkError]:
        with BlockingClient(house.address, role="hub") as client:
            return client.submit_many([deposit(1), b"", deposit(2)])

    found = await asyncio.to_thread(work)
    assert [event(each) for each in found if isinstance(each, bytes)] == [(1, 1), (2, 2)]
    assert isinstance(found[1], Invalid)


async def test_of_many_commands_the_overloaded_are_the_last(house: House) -> None:
    """A full queue takes the first ones, in order, and names those that were not executed."""
    await house.open(queue=4)

    def work() -> list[bytes | LinkError]:
        with BlockingClient(house.address, role="hub") as client:
            return client.submit_many([deposit(n) for n in range(7)])

    found = await asyncio.to_thread(work)
    assert [event(each) for each in found if isinstance(each, bytes)] == [
        (n + 1, n) for n in range(4)
    ]
    assert all(isinstance(each, Overloaded) for each in found[4:])
    assert house.sequencer.seq == 4


async def test_many_commands_without_an_answer_are_unanswered(house: House) -> None:
    """A writer that goes while it commits leaves each of them unknown; later calls work again."""
    server = await house.open()

    def go() -> None:
        for peer in list(server.peers):
            assert peer._transport is not None
            peer._transport.abort()
        house.sequencer.on_commit = lambda: None

    house.sequencer.on_commit = go

    def work() -> tuple[list[bytes | LinkError], list[bytes | LinkError]]:
        with BlockingClient(house.address, role="hub") as client:
            return (
                client.submit_many([deposit(1), deposit(2)]),
                client.submit_many([deposit(3)]),
            )

    lost, found = await asyncio.to_thread(work)
    assert [type(each) for each in lost] == [Unanswered, Unanswered]
    assert isinstance(found[0], bytes)
    assert event(found[0]) == (3, 3)


async def test_what_was_refused_is_not_overtaken(house: House) -> None:
    """After an overloaded command a pipeline's later ones are, too; a new one begins anew.

    To another client, which asked for no order, a command is refused for its own sake alone.
    """
    await house.open(queue=4)

    def sent(*pieces: list[bytes]) -> list[int]:
        """The numbers of those of one pipeline's commands that were refused."""
        with contextlib.closing(Pipeline(house.address, role="feed")) as pipeline:
            found: dict[int, bytes | LinkError] = {}
            for piece in pieces:
                pipeline.send(piece)
                found |= received(pipeline, len(piece))
            return [
                number for number, each in sorted(found.items()) if isinstance(each, Overloaded)
            ]

    many = [deposit(n) for n in range(7)]
    assert await asyncio.to_thread(sent, many, [deposit(7)]) == [5, 6, 7, 8]
    assert await asyncio.to_thread(sent, many[:4]) == []
    assert house.sequencer.seq == 8
    async with connected(house) as client:
        asked = [client.submit(record) for record in many]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, Overloaded) for each in found) == 3
        assert event(await client.submit(deposit(9))) == (13, 9)


async def test_a_pipeline_that_breaks_says_that_nobody_knows(house: House) -> None:
    """A writer that goes while it commits leaves its commands unknown."""
    server = await house.open()

    def go() -> None:
        for peer in list(server.peers):
            assert peer._transport is not None
            peer._transport.abort()
        house.sequencer.on_commit = lambda: None

    house.sequencer.on_commit = go

    def work() -> None:
        with contextlib.closing(Pipeline(house.address, role="feed")) as pipeline:
            pipeline.send([deposit(1), deposit(2)])
            received(pipeline, 2)

    with pytest.raises(Unanswered):
        await asyncio.to_thread(work)
    assert house.sequencer.seq == 2


async def test_threads_share_a_blocking_client(house: House) -> None:
    """Calls from many threads take turns and each gets its own answer."""
    await house.open()
    client = BlockingClient(house.address, role="office")
    wrong: list[int] = []

    def work(account: int) -> None:
        for _ in range(50):
            wrong.extend({event(client.submit(deposit(account)))[1]} - {account})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert wrong == []
    assert house.sequencer.seq == 200
    client.close()


def test_no_writer_is_said_and_nothing_was_executed(tmp_path: Path) -> None:
    """A client without a writer raises Overloaded, not Unanswered."""
    client = BlockingClient(tmp_path / "absent.sock", role="test")
    with pytest.raises(Overloaded, match="no writer"):
        client.wait_until_connected(0.1)


@pytest.mark.parametrize("size", [1, 7, 16, 17, 1000])
def test_frames_are_the_same_whatever_the_pieces(size: int) -> None:
    """A stream cut into pieces of any size gives the frames that were written."""
    wanted = [(int(Frame.COMMAND), n, bytes([n % 251]) * (n * 7 % 300)) for n in range(100)]
    stream = b"".join(encode(*frame) for frame in wanted)
    reader = FrameReader(1 << 16)
    found = [
        frame for at in range(0, len(stream), size) for frame in reader.feed(stream[at : at + size])
    ]
    assert found == wanted

"""Messages in bulk from a broker's socket: whole, in order, however they are cut."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client

from fondaco.robots.feeds.wire import Malformed, Wire, WireClient

TOPIC = b"prices"
LIMIT = 1_000
SUBACK = b"\x90\x03\x00\x01\x01"
PING_RESPONSE = b"\xd0\x00"


def publish(number: int, payload: bytes, *, flags: int = 0) -> bytes:
    """One PUBLISH packet; number 0: of QoS 0."""
    body = len(TOPIC).to_bytes(2, "big") + TOPIC
    body += number.to_bytes(2, "big") if number else b""
    body += payload
    size, length = len(body), b""
    while True:
        size, part = divmod(size, 128)
        length += bytes([part | (0x80 if size else 0)])
        if not size:
            break
    return bytes([0x30 | (2 if number else 0) | flags]) + length + body


class Pieces:
    """A socket that gives what it was given, a piece at a time, and takes `room` bytes."""

    def __init__(self, pieces: list[bytes], *, room: int = 1 << 30) -> None:
        self.pieces = pieces
        self.room = room
        self.sent = b""
        self.writes = 0

    def recv(self, buffer_size: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        piece = self.pieces.pop(0)
        assert len(piece) <= buffer_size
        return piece

    def send(self, buffer: bytes | bytearray) -> int:
        taken = min(self.room, len(buffer))
        if not taken:
            raise BlockingIOError
        self.room -= taken
        self.sent += buffer[:taken]
        self.writes += 1
        return taken

    def close(self) -> None:
        pass

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None:
        pass


def cut(text: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % len(text) for place in places} - {0})
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def drained(wire: Wire) -> Iterator[tuple[int, bytes] | bytes]:
    """Everything that comes, in order: messages, and the packets that are paho's."""
    while wire.read():
        yield from wire.messages(LIMIT)
        while wire.offers():
            packet = b""
            while True:
                try:
                    packet += wire.recv(3)
                except BlockingIOError:
                    break
            yield packet
            yield from wire.messages(LIMIT)


PACKETS = st.lists(
    st.one_of(
        st.sampled_from([SUBACK, PING_RESPONSE]),
        st.tuples(st.integers(0, 65_535), st.binary(max_size=300)),
    ),
    min_size=1,
    max_size=20,
)


@given(PACKETS, st.lists(st.integers(0, 10_000), max_size=30))
def test_what_comes_is_whole_and_in_order(
    packets: list[bytes | tuple[int, bytes]], places: list[int]
) -> None:
    """Messages and paho's own packets come out as they went in, wherever the stream is cut."""
    text = b"".join(each if isinstance(each, bytes) else publish(*each) for each in packets)
    assert list(drained(Wire(Pieces(cut(text, places))))) == packets


def test_flags_and_long_messages_are_read() -> None:
    """A repeat (DUP) and a retained message are messages; lengths of one to four bytes are read."""
    large = b"x" * 2_200_000
    text = publish(7, b"again", flags=8) + publish(8, b"kept", flags=1) + publish(9, large)
    pieces = [text[at : at + 65_536] for at in range(0, len(text), 65_536)]
    assert list(drained(Wire(Pieces(pieces)))) == [(7, b"again"), (8, b"kept"), (9, large)]


def test_more_than_there_is_room_for_waits_inside() -> None:
    """messages() gives at most so many, and says that there are more: poll() doesn't know."""
    wire = Wire(Pieces([publish(1, b"a") + publish(2, b"b") + publish(3, b"c")]))
    wire.read()
    assert wire.messages(2) == [(1, b"a"), (2, b"b")]
    assert wire.has_read_ahead
    assert wire.messages(2) == [(3, b"c")]
    assert not wire.has_read_ahead


@pytest.mark.parametrize(
    "packet",
    [
        b"\x32\x00",  # no topic
        b"\x32\x01\x00",
        b"\x32\x04\x00\x09ab",  # a topic longer than the packet
        b"\x32\x03\x00\x00\x01",  # half a number
        b"\x32\x04\x00\x00\x00\x00",  # number 0
        b"\x34\x05\x00\x01t\x00\x01",  # QoS 2, which nobody asked for
        b"\x36\x05\x00\x01t\x00\x01",  # QoS 3, which isn't
        b"\x32\xff\xff\xff\xff\x01",  # a length that doesn't end
    ],
)
def test_what_is_no_packet_ends_the_connection(packet: bytes) -> None:
    """A broken PUBLISH is told as such, and nothing is taken of it."""
    wire = Wire(Pieces([publish(1, b"a") + packet]))
    wire.read()
    with pytest.raises(Malformed):
        wire.messages(LIMIT)


def test_acknowledgements_leave_in_one_piece_and_whole() -> None:
    """A batch is one write; what the socket has no room for leaves later, and before the rest."""
    inside = Pieces([], room=6)
    wire = Wire(inside)
    wire.acknowledge([1, 258])
    assert (inside.sent, inside.writes, wire.wants_write) == (b"\x40\x02\x00\x01\x40\x02", 1, True)
    assert wire.send(PING_RESPONSE) == 2
    inside.room = 100
    wire.flush()
    assert inside.sent == b"\x40\x02\x00\x01\x40\x02\x01\x02" + PING_RESPONSE
    assert not wire.wants_write


def test_the_end_of_a_connection_is_an_error() -> None:
    """A broker that goes is no silence."""
    ours, theirs = socket.socketpair()
    with ours:
        wire = Wire(ours)
        wire.setblocking(False)
        assert not wire.read()
        theirs.close()
        with pytest.raises(ConnectionResetError):
            wire.read()


def test_paho_makes_its_socket_where_we_wrap_it() -> None:
    """The one name of paho's that is not its public one is still there."""
    assert WireClient._create_socket is not Client._create_socket
    assert callable(Client._create_socket)

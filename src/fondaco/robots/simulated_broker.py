"""The demo's MQTT broker: so much of version 3.1.1 as a feed and a publisher on this machine need.

Promises: QoS 0 and 1, durable sessions in memory with at most QUEUE_MAX messages each, one
connection a client id, filters with + and #. It listens on loopback only and knows no passwords,
and it forgets everything when it ends: a house of one's own has a broker of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from enum import IntEnum
from typing import Any, Final, Self

__all__ = ["Broker"]

PACKET_BYTES_MAX: Final = 1 << 16
QUEUE_MAX: Final = 10_000  # messages that wait for one session; the oldest go first
IN_FLIGHT_MAX: Final = 100  # sent to one client and not acknowledged
SESSIONS_MAX: Final = 100
FIRST_PACKET_S: Final = 10.0


class Packet(IntEnum):
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Unspoken(Exception):
    """The peer sent what this broker doesn't speak; the connection ends."""


class Session:
    """What the broker keeps of one client id."""

    def __init__(self) -> None:
        self.is_durable = False
        self.filters: dict[str, int] = {}  # filter -> QoS
        self.waiting: deque[tuple[str, bytes, int]] = deque(maxlen=QUEUE_MAX)
        self.in_flight: dict[int, tuple[str, bytes, int]] = {}
        self.last_id = 0
        self.writer: asyncio.StreamWriter | None = None

    def offer(self, topic: str, payload: bytes) -> None:
        """Take a message if a filter wants it, and send it if there is room."""
        wanted = [qos for pattern, qos in self.filters.items() if _matches(pattern, topic)]
        if wanted and (self.writer is not None or self.is_durable):
            self.waiting.append((topic, payload, max(wanted)))
            self.send()

    def send(self) -> None:
        """Send what waits, as far as the client acknowledges."""
        while self.writer is not None and self.waiting and len(self.in_flight) < IN_FLIGHT_MAX:
            message = self.waiting.popleft()
            number = 0
            if message[2]:
                number = self.last_id = self.last_id % 0xFFFF + 1
                self.in_flight[number] = message
            self.write(message, number, again=False)

    def write(self, message: tuple[str, bytes, int], number: int, *, again: bool) -> None:
        topic, payload, qos = message
        body = _text(topic) + (struct.pack(">H", number) if qos else b"") + payload
        if self.writer is not None:
            self.writer.write(_packet(Packet.PUBLISH, body, qos << 1 | (8 if again else 0)))


class Broker:
    """Listens while the `async with` lasts."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        """Prepare to listen on a bound socket, or without one on a port that is free."""
        self.port = 0
        self._listener = listener
        self._sessions: dict[str, Session] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        where: dict[str, Any] = {"sock": self._listener}
        if self._listener is None:
            where = {"host": "127.0.0.1", "port": 0}
        self._server = await asyncio.start_server(self._serve, limit=PACKET_BYTES_MAX, **where)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for session in self._sessions.values():
            if session.writer is not None:
                session.writer.close()

    def publish(self, topic: str, payload: bytes) -> None:
        """Give a message to every session that wants it."""
        for session in list(self._sessions.values()):
            session.offer(topic, payload)

    # ---- one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session: Session | None = None
        client_id = ""
        try:
            first = await asyncio.wait_for(_read(reader), FIRST_PACKET_S)
            client_id, session = self._connect(first, writer)
            while True:
                kind, flags, body = await _read(reader)
                if kind == Packet.DISCONNECT:
                    break
                self._take(session, writer, kind, flags, body)
                await writer.drain()
        except (Unspoken, OSError, EOFError, TimeoutError, struct.error, ValueError):
            pass  # whoever speaks otherwise, or goes, is let go
        except asyncio.CancelledError:
            pass  # the demo ends; asyncio's streams would print a task that was cancelled
        finally:
            if session is not None and session.writer is writer:
                session.writer = None
                if not session.is_durable:
                    self._sessions.pop(client_id, None)
            with contextlib.suppress(OSError):
                writer.close()

    def _connect(
        self, first: tuple[int, int, bytes], writer: asyncio.StreamWriter
    ) -> tuple[str, Session]:
        kind, _, body = first
        if kind != Packet.CONNECT:
            raise Unspoken("the first packet is CONNECT")
        protocol, rest = _cut(body)
        level, flags = rest[0], rest[1]
        if protocol != "MQTT" or level != 4:
            writer.write(_packet(Packet.CONNACK, b"\x00\x01"))
            raise Unspoken("version 3.1.1 is spoken here")
        client_id, _ = _cut(rest[4:])
        client_id = client_id or f"nameless-{id(writer)}"
        is_clean = bool(flags & 2)
        if is_clean or client_id not in self._sessions:
            if len(self._sessions) >= SESSIONS_MAX:
                writer.write(_packet(Packet.CONNACK, b"\x00\x03"))
                raise Unspoken("too many sessions")
            old = self._sessions.pop(client_id, None)
            if old is not None and old.writer is not None:
                old.writer.close()
            self._sessions[client_id] = Session()
            is_known = False
        else:
            is_known = True
        session = self._sessions[client_id]
        if session.writer is not None:
            session.writer.close()
        session.writer, session.is_durable = writer, not is_clean
        writer.write(_packet(Packet.CONNACK, bytes((is_known, 0))))
        for number, message in session.in_flight.items():
            session.write(message, number, again=True)
        session.send()
        return client_id, session

    def _take(
        self, session: Session, writer: asyncio.StreamWriter, kind: int, flags: int, body: bytes
    ) -> None:
        if kind == Packet.PUBLISH:
            topic, rest = _cut(body)
            if flags >> 1 & 3 == 1:
                writer.write(_packet(Packet.PUBACK, rest[:2]))
                rest = rest[2:]
            elif flags >> 1 & 3:
                raise Unspoken("QoS 0 and 1 are spoken here")
            self.publish(topic, rest)
        elif kind == Packet.PUBACK:
            session.in_flight.pop(struct.unpack(">H", body[:2])[0], None)
            session.send()
        elif kind == Packet.SUBSCRIBE:
            writer.write(_packet(Packet.SUBACK, body[:2] + self._subscribe(session, body[2:])))
        elif kind == Packet.UNSUBSCRIBE:
            pattern, _ = _cut(body[2:])
            session.filters.pop(pattern, None)
            writer.write(_packet(Packet.UNSUBACK, body[:2]))
        elif kind == Packet.PINGREQ:
            writer.write(_packet(Packet.PINGRESP, b""))
        else:
            raise Unspoken(f"packet {kind} is not expected here")

    def _subscribe(self, session: Session, body: bytes) -> bytes:
        granted = bytearray()
        while body:
            pattern, rest = _cut(body)
            session.filters[pattern] = min(rest[0], 1)
            granted.append(session.filters[pattern])
            body = rest[1:]
        return bytes(granted)


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Return kind, flags and body of the next packet."""
    head = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 21:
            raise Unspoken("a length has at most four bytes")
    if length > PACKET_BYTES_MAX:
        raise Unspoken(f"a packet of {length} bytes, at most {PACKET_BYTES_MAX}")
    return head >> 4, head & 0xF, await reader.readexactly(length)


def _packet(kind: Packet, body: bytes, flags: int = 0) -> bytes:
    head = bytearray((kind << 4 | flags,))
    length = len(body)
    while True:
        length, byte = length >> 7, length & 0x7F
        head.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def _cut(body: bytes) -> tuple[str, bytes]:
    """Return the text at the beginning, and what comes after it."""
    (length,) = struct.unpack_from(">H", body)
    if len(body) < 2 + length:
        raise Unspoken("a text is longer than its packet")
    return body[2 : 2 + length].decode(), body[2 + length :]


def _matches(pattern: str, topic: str) -> bool:
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in {"+", levels[place]}:
            return False
    return len(wanted) == len(levels)

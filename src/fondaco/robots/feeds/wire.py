"""A connection to a broker as paho drives it, but for messages, which pass by in bulk.

paho speaks the protocol (MQTT 3.1.1): it connects, signs in, subscribes and keeps alive. By itself
it makes three system calls of each message's packet and one of each acknowledgement. So its socket
is this one, which reads ahead and writes in one piece: messages() takes whole PUBLISH packets out,
acknowledge() writes their PUBACKs, and what remains is read by paho, a whole packet at a time.

Promises: packets keep their order; nothing is taken by halves, whatever the pieces it arrives in.
Nothing blocks. It knows no subscription and no journal.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import Client

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

__all__ = ["Malformed", "Wire", "WireClient"]

READ_BYTES: Final = 1 << 16
PUBLISH: Final = 0x30  # the kind, in the upper half of a packet's first byte
QOS: Final = 0x06  # where that byte says the QoS of a PUBLISH
QOS_1: Final = 0x02
_PUBACK: Final = struct.Struct("!BBH")
_AGAIN: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Malformed(Exception):
    """The broker sent what is no packet; the connection can't go on."""


class Wire:
    """One connection's socket: what paho asks of one, and the messages in bulk."""

    def __init__(self, made: SocketLike) -> None:
        self._socket = made
        self._ahead = b""
        self._at = 0  # in it, what was taken
        self._given = 0  # bytes from there on that paho may read
        self._out = b""
        self._is_cut = False  # messages() left some that are whole

    # ---- as paho's socket

    def recv(self, buffer_size: int) -> bytes:
        """Give bytes of the packet that paho was told to read."""
        if not self._given:
            raise BlockingIOError
        size = min(buffer_size, self._given)
        piece = self._ahead[self._at : self._at + size]
        self._at += size
        self._given -= size
        return piece

    def send(self, buffer: bytes | bytearray) -> int:
        """Take everything, and write what can be written now."""
        self._out += buffer
        self.flush()
        return len(buffer)

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - paho's
        self._socket.setblocking(flag)

    # ---- what goes out

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def flush(self) -> None:
        """Write what can be written now. Raises OSError."""
        try:
            while self._out:
                self._out = self._out[self._socket.send(self._out) :]
        except _AGAIN:
            pass

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """Write a PUBACK of each, in one piece. Raises OSError."""
        pack = _PUBACK.pack
        self._out += b"".join([pack(0x40, 2, number) for number in numbers])
        self.flush()

    # ---- what comes in

    @property
    def has_read_ahead(self) -> bool:
        """Whether there may be more to take of which poll() doesn't know."""
        inside = self._socket
        return self._is_cut or (isinstance(inside, ssl.SSLSocket) and inside.pending() > 0)

    def read(self) -> bool:
        """Read what has come, at most READ_BYTES; return whether anything had. Raises OSError."""
        try:
            piece = self._socket.recv(READ_BYTES)
        except _AGAIN:
            return False
        if not piece:
            raise ConnectionResetError("closed by the broker")
        self._ahead = self._ahead[self._at :] + piece if self._at < len(self._ahead) else piece
        self._at = 0
        return True

    def messages(self, limit: int) -> list[tuple[int, bytes]]:
        """Take the whole PUBLISH packets that are next, at most `limit`: (number, payload).

        The number is 0 for a message that wants no acknowledgement. Raises Malformed.
        """
        found: list[tuple[int, bytes]] = []
        ahead = self._ahead
        while True:
            at = self._at
            if at >= len(ahead) or ahead[at] & 0xF0 != PUBLISH:
                break
            start, stop = self._bounds()
            if stop > len(ahead) or not stop:
                break
            if len(found) >= limit:
                self._is_cut = True
                return found
            qos = ahead[at] & QOS
            body = start + 2 + (ahead[start] << 8 | ahead[start + 1]) if stop - start >= 2 else stop
            number = 0
            if qos == QOS_1:
                body += 2
                number = ahead[body - 2] << 8 | ahead[body - 1] if body <= stop else 0
            if body > stop or qos > QOS_1 or (qos and not number):
                raise Malformed("the broker sent a message that can't be read")
            found.append((number, ahead[body:stop]))
            self._at = stop
        self._is_cut = False
        return found

    def offers(self) -> bool:
        """Let paho read the packet that is next, if it is whole and no message."""
        ahead, at = self._ahead, self._at
        if at >= len(ahead) or ahead[at] & 0xF0 == PUBLISH:
            return False
        _, stop = self._bounds()
        if stop > len(ahead) or not stop:
            return False
        self._given = stop - at
        return True

    def _bounds(self) -> tuple[int, int]:
        """Return where the next packet's inside begins and ends; (0, 0): not known as yet."""
        ahead, at = self._ahead, self._at + 1
        size = shift = 0
        while at < len(ahead):
            byte = ahead[at]
            at += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                return at, at + size
            shift += 7
            if shift > 21:
                raise Malformed("the broker sent a length that is none")
        return 0, 0


class WireClient(Client):
    """paho's client over a Wire, which is `wire` once connect() has returned."""

    wire: Wire

    def _create_socket(self) -> SocketLike:
        """Wrap paho's own socket; its name is paho's (the pinned release), and a test's care."""
        self.wire = Wire(super()._create_socket())
        return self.wire

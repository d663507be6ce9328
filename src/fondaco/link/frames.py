"""The frames between processes: a head of 16 bytes, then the core's own records.

    <I  payload length in bytes, head not included
    <H  type
    <H  flags, 0
    <Q  correlation: chosen by the asker and given back; of EVENTS the last seq in it

Promises: encode() and the struct HEAD are the only spelling of a frame; both ends refuse a frame
over PAYLOAD_BYTES_MAX, so that a broken peer can't make them reserve memory. Frames carry no
names, secrets or free text but those of FAULT.

    HELLO      client: {"role", "version"}; server: {"version", "seq", ...}
               {"in_order": true}: once a command is OVERLOADED, so is each after it by this client
    COMMAND    one record, seq 0                   -> REPLY: its events, after the sync; or FAULT
    QUERY      one record                          -> ANSWER: 8-byte seq, then records; or FAULT
    STATUS     nothing                             -> ANSWER: 8-byte seq, then a msgpack map
    CLOCK      8-byte microseconds                 -> ANSWER: 8-byte seq (a house with a test clock)
    SUBSCRIBE  {"from_seq"}; -1: from now on       -> EVENTS, whole commits, in order
               {"by_place": true}: who also sends commands gets, instead of a REPLY to each, the
    REPLIES    to those of a commit: <Q correlation, <I start and <I end of each in its EVENTS
    CURSOR     8-byte seq: how far the projections are; told to every subscriber
    FAULT      {"code", "text"}

To one subscriber the EVENTS of a commit are written right before the REPLYs, or the REPLIES, of it.
"""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum
from typing import Final

import msgspec

__all__ = ["HEAD", "FaultCode", "Frame", "FrameFault", "FrameReader", "encode", "encode_fault"]

VERSION: Final = 1
HEAD: Final = struct.Struct("<IHHQ")
HEAD_BYTES: Final = HEAD.size
SEQ: Final = struct.Struct("<q")
PLACE: Final = struct.Struct("<QII")  # of a reply: correlation, start, end
# Commands are at most records.RECORD_BYTES_MAX; the largest answer is the definitions of a house
# with 10,000 accounts and keys, some MiB; the events of one commit are of that order too.
PAYLOAD_BYTES_MAX: Final = 256 << 20
COMMAND_BYTES_MAX: Final = 1 << 16
FROM_NOW: Final = -1


class Frame(IntEnum):
    HELLO = 1
    COMMAND = 2
    REPLY = 3
    QUERY = 4
    ANSWER = 5
    SUBSCRIBE = 6
    EVENTS = 7
    CURSOR = 8
    FAULT = 9
    CLOCK = 10
    STATUS = 11
    REPLIES = 12


class FaultCode(StrEnum):
    OVERLOADED = "OVERLOADED"  # the command was not executed; ask again later
    HALTED = "HALTED"  # the house has stopped
    INVALID = "INVALID"  # the frame says nothing that can be done; not executed


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Both ends' first frame."""

    version: int
    role: str = ""
    seq: int = 0
    in_order: bool = False


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    from_seq: int
    by_place: bool = False


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    text: str


class FrameFault(Exception):
    """The peer sent what is no frame; the connection can't go on."""


def encode(frame: int, correlation: int, payload: bytes = b"") -> bytes:
    """Return one whole frame."""
    return HEAD.pack(len(payload), frame, 0, correlation) + payload


def encode_fault(correlation: int, code: FaultCode, text: str) -> bytes:
    """Return a FAULT."""
    return encode(Frame.FAULT, correlation, msgspec.msgpack.encode(Fault(code=code, text=text)))


class FrameReader:
    """Cuts what arrives into frames, whatever the pieces it arrives in.

    One piece is usually some whole frames: then nothing but the payloads is copied.
    """

    __slots__ = ("_payload_bytes_max", "_pieces", "_size", "_wanted")

    def __init__(self, payload_bytes_max: int) -> None:
        self._payload_bytes_max = payload_bytes_max
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = HEAD_BYTES  # bytes without which nothing more can be cut

    def feed(self, piece: bytes) -> list[tuple[int, int, bytes]]:
        """Return the (type, correlation, payload) that are whole now. Raises FrameFault."""
        if self._size:
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size < self._wanted:
                return []
            piece = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        frames: list[tuple[int, int, bytes]] = []
        end = len(piece)
        at = 0
        unpack = HEAD.unpack_from
        while True:
            start = at + HEAD_BYTES
            if start > end:
                self._keep(piece, at, HEAD_BYTES)
                return frames
            length, frame, _, correlation = unpack(piece, at)
            if length > self._payload_bytes_max:
                msg = f"a frame of {length} bytes, at most {self._payload_bytes_max}"
                raise FrameFault(msg)
            stop = start + length
            if stop > end:
                self._keep(piece, at, HEAD_BYTES + length)
                return frames
            frames.append((frame, correlation, piece[start:stop]))
            at = stop

    def _keep(self, piece: bytes, at: int, wanted: int) -> None:
        if at < len(piece):
            self._pieces.append(piece[at:])
            self._size = len(piece) - at
            self._wanted = wanted

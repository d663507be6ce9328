"""The whole state as bytes, and back.

Promises: dump() has the state in its logical order, not in the order of slots, so that equal
states give equal bytes on both builds, whatever way led there; load() of them goes on exactly as
the original would. hash_of() needs only the bytes, so that a thread can do it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from fondaco.core.buffer import Words
from fondaco.core.limits import Robot
from fondaco.core.records import AssetBody, InstrumentBody

if TYPE_CHECKING:
    from fondaco.core.exchange import Exchange

MAGIC: Final = int.from_bytes(b"FONDACO1", "little")
VERSION: Final = 3
HASH_BYTES: Final = 16


class _Definitions(msgspec.Struct, array_like=True):
    assets: list[AssetBody]
    instruments: list[InstrumentBody]
    maintenance: int = 0  # left out where it and robots are nothing
    robots: list[Robot] = []  # left out where there are none


def dump(exchange: Exchange) -> bytes:
    """Return the state of an exchange."""
    register, limits = exchange.register, exchange.limits
    words = Words()
    for word in (MAGIC, VERSION, exchange.seq, exchange.time_us, limits.day, limits.month):
        words.add(word)
    exchange.accounts.dump(words)
    exchange.ledger.dump(words)
    exchange.orders.retries.dump(words)
    instruments = register.defined()
    for instrument in instruments:
        words.add(instrument.book.book_seq)
        words.add(instrument.last_trade_id)
        words.add(instrument.last_price_ticks)
        exchange.open_orders.dump(words, instrument)
    exchange.outside.dump(words)
    exchange.orders.lists.dump(words)
    assets = [register.assets[number] for number in sorted(register.assets)]
    maintenance = exchange.orders.checks.maintenance
    parts: list[object] = [assets, [instrument.body for instrument in instruments]]
    robots = limits.dump()
    if maintenance or robots:
        parts.append(maintenance)
    if robots:
        parts.append(robots)
    cold = msgspec.msgpack.encode(parts)
    head = len(cold).to_bytes(8, "little")
    return head + cold + bytes(-len(cold) % 8) + words.to_bytes()


def load(exchange: Exchange, data: bytes) -> None:
    """Replace the state of an exchange.

    Raises:
        ValueError: these bytes are not a dump of this version.
    """
    size = int.from_bytes(data[:8], "little")
    start = 8 + size + -size % 8
    words = Words()
    if len(data) % 8 or start + 48 > len(data):
        raise ValueError(f"{len(data)} bytes are not a dump of an exchange")
    words.from_bytes(data[start:])
    magic, version, seq, time_us, day, month = (words.get(place) for place in range(6))
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"not a dump of an exchange of version {VERSION}")
    cold = msgspec.msgpack.decode(data[8 : 8 + size], type=_Definitions)
    register = exchange.register
    register.assets = {asset.number: asset for asset in cold.assets}
    register.instruments[:] = [None]
    exchange.limits.day, exchange.limits.month = day, month
    exchange.orders.checks.maintenance = cold.maintenance
    exchange.seq, exchange.time_us, exchange.halted_seq = seq, time_us, 0
    exchange.open_orders.forget()
    at = exchange.accounts.load(words, 6)
    exchange.limits.load(cold.robots)
    at = exchange.ledger.load(words, at)
    at = exchange.orders.retries.load(words, at)
    for body in cold.instruments:
        instrument = register.add_instrument(body.number)
        instrument.define(body)
        instrument.book.book_seq = words.get(at)
        instrument.last_trade_id = words.get(at + 1)
        instrument.last_price_ticks = words.get(at + 2)
        at = exchange.open_orders.load(words, at + 3, instrument)
    exchange.stops.left = int(any(one.triggers.waiting for one in register.defined()))
    at = exchange.outside.load(words, at)
    if at < words.used:
        at = exchange.orders.lists.load(words, at)
    if at != words.used:
        raise ValueError(f"{words.used - at} words are left over after the dump")


def hash_of(data: bytes) -> bytes:
    """Return the hash of a dump."""
    return hashlib.blake2b(data, digest_size=HASH_BYTES).digest()

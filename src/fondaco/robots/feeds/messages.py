"""One message of a price feed: bytes to whole numbers, or why it is set aside.

    {"stock_id": "6ffb8e62-…", "name": "CIB", "price": 28, "availability": 46,
     "timestamp": "2019-12-15 14:36:33.462393"}

Promises: numbers are read as decimals, never as floats, so that a price is exactly what was sent;
a time without a zone is UTC. Whatever else the message holds is passed over.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

__all__ = ["Fault", "PriceMessage", "SetAside", "read", "time_us", "whole"]

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NAIVE_EPOCH: Final = EPOCH.replace(tzinfo=None)
DAY_S: Final = 86_400
DIGITS_MAX: Final = 36  # before and after the point: more is no price
NAME_LENGTH_MAX: Final = 64
PAYLOAD_BYTES_MAX: Final = 4_096
_STOCK_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")  # as in the house file


class Fault(StrEnum):
    """Why a message is set aside."""

    BODY = "BODY"  # not the object that a price message is
    PRICE = "PRICE"  # off the tick, or not above zero
    AVAILABILITY = "AVAILABILITY"  # not above zero, or no whole lots
    TIME = "TIME"  # can't be read, or lies too far ahead
    REFUSED = "REFUSED"  # by the core: its reason is told
    LISTING = "LISTING"  # a stock first seen that can't be listed


class SetAside(Exception):
    """The message can't be taken: `fault` is the one word, the text one sentence."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


class PriceMessage(msgspec.Struct, frozen=True):
    """A message as it was sent."""

    stock_id: str
    price: Decimal
    availability: Decimal
    timestamp: str
    name: str = ""


_DECODER: Final = msgspec.json.Decoder(PriceMessage)


def read(payload: bytes) -> PriceMessage:
    """Return the message. Raises SetAside."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise SetAside(Fault.BODY, f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    try:
        message = _DECODER.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise SetAside(Fault.BODY, str(error)) from error
    if not _STOCK_ID.match(message.stock_id):
        raise SetAside(Fault.BODY, "stock_id must be 1 to 64 letters, digits or . _ : -")
    if len(message.name) > NAME_LENGTH_MAX or not message.name.isprintable():
        raise SetAside(Fault.BODY, f"name has at most {NAME_LENGTH_MAX} printable letters")
    return message


def time_us(text: str) -> int:
    """Return a time in microseconds since the epoch; without a zone it is UTC. Raises SetAside."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise SetAside(Fault.TIME, f"timestamp {text[:64]!r} is no date and time") from error
    passed = found - (NAIVE_EPOCH if found.tzinfo is None else EPOCH)
    return (passed.days * DAY_S + passed.seconds) * 1_000_000 + passed.microseconds


def whole(value: Decimal, unit: Fraction, fault: Fault, what: str, unit_name: str) -> int:
    """Return how many units a value is, exactly and above zero. Raises SetAside."""
    if not value.is_finite() or not -DIGITS_MAX < value.adjusted() < DIGITS_MAX:
        raise SetAside(fault, f"{what} is no number that a market counts in")
    numerator, denominator = value.as_integer_ratio()
    if numerator <= 0:
        raise SetAside(fault, f"{what} was {value}; it must be above 0")
    count, rest = divmod(numerator * unit.denominator, denominator * unit.numerator)
    if rest:
        raise SetAside(fault, f"{unit_name} is {_text(unit)}; {what} was {value}")
    return count


def _text(unit: Fraction) -> str:
    return format(Decimal(unit.numerator) / Decimal(unit.denominator), "f")

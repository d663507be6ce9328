"""What a house file says of feeds: the broker's address, and how a stock that is new is listed.

Promises: an address is checked once, and shown without its password; stock_entry() says of a stock
first seen what the house file would say of it, so that both come to the core by one way. Exact or
HouseFault. It reads no environment: who connects lets FONDACO_MQTT_URL go first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from fondaco.core.records import DECIMALS_MAX
from fondaco.house import markets
from fondaco.house.amounts import Path, decimal
from fondaco.house.declared import FeedEntry, InstrumentEntry
from fondaco.house.errors import HouseFault

__all__ = ["MQTT_URL", "Address", "address_of", "check_feeds", "lot_decimals", "stock_entry"]

MQTT_URL: Final = "FONDACO_MQTT_URL"
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
TOPIC_BYTES_MAX: Final = 1_024
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{0,64}\Z")


class Address(msgspec.Struct, frozen=True):
    """Where a broker is and who we are to it."""

    host: str
    port: int
    tls: bool = False
    username: str = ""
    password: str = ""

    @property
    def text(self) -> str:
        """As it may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{host}:{self.port}"


def address_of(url: str, path: Path = ()) -> Address:
    """Return the parts of a broker's URL. Raises HouseFault."""
    try:
        parts = urlsplit(url)
        port = parts.port
        is_whole = parts.scheme in PORTS and bool(parts.hostname) and not parts.path.strip("/")
    except ValueError:
        is_whole = False
    if not is_whole:
        shown = "…" + url.rpartition("@")[2] if "@" in url else url
        raise HouseFault(
            path,
            f'"{shown}" is no broker\'s address; write mqtt://host:port or '
            "mqtts://user:password@host:port",
        )
    return Address(
        host=parts.hostname or "",
        port=port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def check_feeds(feeds: Sequence[FeedEntry], cash: str, decimals: dict[str, int]) -> None:
    """See that each feed can be followed and can list a stock."""
    seen = set()
    for place, feed in enumerate(feeds):
        path: Path = ("feeds", place)
        if feed.url:
            address_of(feed.url, (*path, "url"))
        if not 0 < len(feed.topic.encode()) <= TOPIC_BYTES_MAX or not feed.topic.isprintable():
            raise HouseFault((*path, "topic"), "topic must have 1 to 1024 printable letters")
        if not _CLIENT_ID.match(feed.client_id):
            raise HouseFault(
                (*path, "client_id"), "client_id must be at most 64 letters, digits, _ or -"
            )
        if (feed.topic, feed.client_id) in seen:
            raise HouseFault((*path, "topic"), f'topic "{feed.topic}" stands twice')
        seen.add((feed.topic, feed.client_id))
        entry = stock_entry(feed, cash, symbol="S1", base="S", stock_id="1", name="")
        places = decimals | {"S": lot_decimals(feed, path)}
        markets.instrument_body(entry, path, places, {}, number=1, base=1, quote=2)


def lot_decimals(feed: FeedEntry, path: Path = ()) -> int:
    """Return the decimals of a listed stock's asset: as few as its lot has. Raises HouseFault."""
    lot = decimal(feed.lot_size, (*path, "lot_size"))
    for places in range(DECIMALS_MAX + 1):
        if Fraction(lot * 10**places).denominator == 1:
            return places
    raise HouseFault((*path, "lot_size"), f"lot_size has at most {DECIMALS_MAX} decimals")


def stock_entry(
    feed: FeedEntry, cash: str, *, symbol: str, base: str, stock_id: str, name: str
) -> InstrumentEntry:
    """Return what the house file would say of a stock that this feed lists."""
    return InstrumentEntry(
        symbol=symbol,
        base=base,
        quote=cash,
        market="dealer",
        tick_size=feed.tick_size,
        lot_size=feed.lot_size,
        inventory_limit=feed.inventory_limit,
        stock_id=stock_id,
        name=name,
    )

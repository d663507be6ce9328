"""The house's own routes on this edge: ledger totals, the test clock, health, metrics.

Promises: errors are {"error": "..."}; totals come from the core as of now, as decimal text; the
test clock moves only in a house whose file asks for it. Health says why it is not ready.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from django.db import DatabaseError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fondaco.core.records import Query, pack, split, unpack
from fondaco.gateway.edge import Edge
from fondaco.gateway.faults import Fault
from fondaco.robots import selectors
from fondaco.robots.models import FeedState

__all__ = ["Counters", "Native", "plain_text"]

ADVANCE_S_MAX: Final = 400 * 86_400  # a year of tests in one step is enough
HOLDERS: Final = ("members", "fees", "rounding", "inventory", "world")


class Counters:
    """What this edge counts, as plain numbers: no cost on an order's way."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}  # (route, status) -> number
        self.sockets = 0
        self.texts_sent = 0
        self.dropped = 0


class AdvanceBody(msgspec.Struct, forbid_unknown_fields=True):
    advance_s: float


def plain_text(units: int, decimals: int) -> str:
    """Return an amount as decimal text without needless zeros; "0" for nothing."""
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


class Native:
    def __init__(
        self,
        edge: Edge,
        counters: Counters,
        why_not_ready: Callable[[], str],
        *,
        has_feeds: bool = False,
    ) -> None:
        self._edge = edge
        self._why_not_ready = why_not_ready
        self._has_feeds = has_feeds
        self._registry = CollectorRegistry()
        self._collector = _EdgeCollector(edge, counters, why_not_ready)
        self._registry.register(self._collector)

    async def totals(self) -> bytes:
        """Return what each asset sums to, by whose it is."""
        answer = await self._edge.query(pack(Query.TOTALS))
        assets = self._edge.catalogue.assets
        found: dict[str, dict[str, str]] = {}
        for record in split(answer.records):
            words = unpack(record)
            asset = assets.get(words["asset"])
            if asset is None:
                continue
            parts = {name: words[name] for name in HOLDERS}
            parts["sum"] = sum(parts.values())
            found[asset.code] = {
                name: plain_text(units, asset.decimals) for name, units in parts.items()
            }
        return msgspec.json.encode(found)

    async def advance_clock(self, body: bytes) -> bytes:
        """Move the test clock forward."""
        try:
            asked = msgspec.json.decode(body, type=AdvanceBody)
        except msgspec.DecodeError as error:
            raise Fault(-1130, f'send {{"advance_s": seconds}}: {error}') from None
        if not 0 <= asked.advance_s <= ADVANCE_S_MAX:
            raise Fault(-1130, f"advance_s is {asked.advance_s}; give 0 to {ADVANCE_S_MAX}")
        by_us = round(asked.advance_s * 1_000_000)
        before_us = self._edge.time_us
        await self._edge.writer.advance_clock(by_us)
        if self._edge.time_us == before_us:  # no event has told the new time
            self._edge.time_us += by_us
        return msgspec.json.encode({"time": self._edge.now_us() // 1000})

    def ready(self) -> tuple[int, bytes]:
        """Return the status and the body of /health/ready."""
        why = self._why_not_ready()
        body = {"status": "not ready", "why": why} if why else {"status": "ready"}
        return (503 if why else 200), msgspec.json.encode(body)

    async def metrics(self) -> bytes:
        """Return the numbers of this edge, and of the house's feeds as they were last told."""
        if self._has_feeds:
            try:
                self._collector.feeds = await asyncio.to_thread(selectors.feeds)
            except DatabaseError:
                self._collector.feeds = []  # the rest is told all the same
        return generate_latest(self._registry)


class _EdgeCollector(Collector):
    def __init__(self, edge: Edge, counters: Counters, why_not_ready: Callable[[], str]) -> None:
        self._edge = edge
        self._counters = counters
        self._why_not_ready = why_not_ready
        self.feeds: list[FeedState] = []

    def collect(self) -> Iterator[Metric]:
        """Yield the numbers as they are now."""
        requests = CounterMetricFamily(
            "fondaco_edge_requests", "Requests answered", labels=["route", "status"]
        )
        for (route, status), number in self._counters.requests.items():
            requests.add_metric([route, str(status)], number)
        yield requests
        counters = self._counters
        for name, what, value in (
            ("sockets", "WebSockets open", counters.sockets),
            ("seq", "Newest commit seen", self._edge.seq),
            ("projection_cursor", "How far the projections are", self._edge.overlay.cursor),
            ("overlay_bytes", "Events newer than the projections", self._edge.overlay.bytes_held),
            ("ready", "1 when all is caught up", 0 if self._why_not_ready() else 1),
        ):
            yield GaugeMetricFamily(f"fondaco_edge_{name}", what, value=value)
        yield CounterMetricFamily(
            "fondaco_edge_texts_sent", "WebSocket texts sent", value=counters.texts_sent
        )
        yield CounterMetricFamily(
            "fondaco_edge_clients_dropped", "Clients dropped as too slow", value=counters.dropped
        )
        if self.feeds:
            yield from _feed_numbers(self.feeds, time.time_ns() // 1000)


def _feed_numbers(feeds: list[FeedState], now_us: int) -> Iterator[Metric]:
    """Yield what came of each topic's messages, and whether it is followed.

    By topic, for all may read this: who knows a session's name at a broker could end it there.
    """
    messages = CounterMetricFamily(
        "fondaco_feed_messages", "Messages of a feed by what they were", labels=["topic", "was"]
    )
    connected = GaugeMetricFamily(
        "fondaco_feed_connected", "1 when a feed is at its broker", labels=["topic"]
    )
    newest = GaugeMetricFamily(
        "fondaco_feed_message_time_seconds", "The newest price's own time", labels=["topic"]
    )
    for topic in sorted({feed.topic for feed in feeds}):
        of_topic = [feed for feed in feeds if feed.topic == topic]
        for was in ("current", "older", "duplicate", "set_aside"):
            messages.add_metric([topic, was], sum(getattr(feed, was) for feed in of_topic))
        connected.add_metric(
            [topic], int(any(selectors.is_followed(feed, now_us) for feed in of_topic))
        )
        newest.add_metric([topic], max(feed.message_us for feed in of_topic) / 1_000_000)
    yield from (messages, connected, newest)

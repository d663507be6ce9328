"""The feeds of a house in a process: a thread for each, and one process of all for each feed.

Promises: start() returns at once, whatever the brokers do; each feed is followed by the one
that holds its lease, and by another within the lease's time when that one ends. The broker's
fixed client id is the second bar: it lets go of an older connection when a newer comes.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path

from django.db import connections

from fondaco.house.declared import FeedEntry, House
from fondaco.house.feeds import MQTT_URL, Address, address_of
from fondaco.link.blocking import BlockingClient, Pipeline
from fondaco.robots import selectors
from fondaco.robots.feeds.consumer import Consumer
from fondaco.robots.feeds.intake import Flight, Intake, Notes
from fondaco.robots.feeds.signals import SignalFlight
from fondaco.robots.feeds.stocks import Stocks
from fondaco.robots.holding import Held, while_held

__all__ = ["client_id_of", "start", "url_of"]


def url_of(feed: FeedEntry) -> str:
    """Return the broker's URL: the environment's goes first. Empty: neither names one."""
    return os.environ.get(MQTT_URL) or feed.url


def client_id_of(feed: FeedEntry, house_name: str) -> str:
    """Return the name of our session: the declared one, or one made of house and topic.

    It has 23 letters, the most that every broker must take, and never changes: messages wait
    under it.
    """
    if feed.client_id:
        return feed.client_id
    digest = hashlib.blake2b(f"{house_name}\0{feed.topic}".encode(), digest_size=8).hexdigest()
    return f"fondaco{digest}"


def start(house: House, writer: str | Path, stop: threading.Event) -> list[threading.Thread]:
    """Follow the feeds of a house in threads of their own, until `stop`."""
    threads = []
    for feed in house.feeds:
        if url_of(feed):
            address = address_of(url_of(feed))
            name = f"feed {feed.topic}"
            arguments = (house, feed, address, writer, stop)
            threads.append(threading.Thread(target=_run, args=arguments, name=name, daemon=True))
            threads[-1].start()
    return threads


def _run(
    house: House, feed: FeedEntry, address: Address, writer: str | Path, stop: threading.Event
) -> None:
    client_id = client_id_of(feed, house.house.name)

    def follow(held: Held) -> None:
        state = selectors.feed_state(client_id)
        state.address, state.topic = address.text, feed.topic
        if feed.kind == "signals":
            notes = Notes(state)
            Consumer(
                address, feed.topic, client_id, notes, lambda: SignalFlight(notes, feed.topic)
            ).run(held)
            return
        with BlockingClient(writer, role="stocks") as client:
            intake = Intake(client, Stocks(client, feed, house.house.cash), state)

            def make_flight() -> Flight:
                return Flight(intake, lambda: Pipeline(writer, role="feed"))

            Consumer(address, feed.topic, client_id, intake, make_flight).run(held)

    try:
        while_held(f"feed {client_id}", stop, follow)
    except BaseException as error:
        if not stop.is_set():  # a fault of ours: say it, and let the worker be started again
            print(f"fondaco: feed {feed.topic}: {error!r}", file=sys.stderr)  # noqa: T201
            os._exit(1)
        raise
    finally:
        connections.close_all()

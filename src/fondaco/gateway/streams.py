"""Who listens to what: topics, subscriptions, and one bounded queue for each connection.

Promises: a message is encoded once for all who read it the same way; a connection whose queue is
full is dropped with a reason instead of slowing others; subscribing twice is one subscription. It
knows no sockets: a connection's owner takes the queued texts and writes them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

__all__ = ["Connection", "Subscription", "Topic", "Topics"]

QUEUE_BYTES_MAX: Final = 4 << 20  # of texts that a client has not read yet
QUEUE_MESSAGES_MAX: Final = 20_000
SUBSCRIPTIONS_MAX: Final = 1024  # of one connection
USER: Final = "user:"  # topics of one account's own events begin with it


class Connection:
    """One WebSocket, as the topics see it."""

    __slots__ = ("combined", "dropped", "queue", "queued_bytes", "subscriptions", "wake")

    def __init__(self, *, combined: bool) -> None:
        self.combined = combined
        self.queue: deque[str] = deque()
        self.queued_bytes = 0
        self.wake = asyncio.Event()
        self.dropped = ""
        self.subscriptions: dict[str, Subscription] = {}

    def push(self, text: str) -> None:
        """Queue one text; a full queue drops the connection."""
        if self.dropped:
            return
        self.queued_bytes += len(text)
        if self.queued_bytes > QUEUE_BYTES_MAX or len(self.queue) >= QUEUE_MESSAGES_MAX:
            self.drop("too slow: more is waiting than is kept; reconnect and take a new snapshot")
        else:
            self.queue.append(text)
        if not self.wake.is_set():
            self.wake.set()

    def drop(self, reason: str) -> None:
        """Have the connection closed with a reason."""
        self.dropped = reason
        self.queue.clear()
        self.wake.set()

    def take(self) -> list[str]:
        """Return what is queued, and begin anew."""
        self.wake.clear()
        texts = list(self.queue)
        self.queue.clear()
        self.queued_bytes = 0
        return texts


class Subscription:
    """One connection's interest in one topic. `prefix` opens an envelope that "}" closes."""

    __slots__ = ("connection", "prefix", "topic")

    def __init__(self, topic: Topic, connection: Connection, prefix: str) -> None:
        self.topic = topic
        self.connection = connection
        self.prefix = prefix

    def tell(self, text: str) -> None:
        """Queue one message to this one alone."""
        self.connection.push(f"{self.prefix}{text}}}" if self.prefix else text)


class Topic:
    """What is told under one name."""

    __slots__ = ("name", "subscriptions")

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscriptions: dict[Subscription, None] = {}

    def publish(self, text: str) -> None:
        """Queue one message to everyone."""
        made: dict[str, str] = {}
        for subscription in self.subscriptions:
            prefix = subscription.prefix
            if prefix:
                wrapped = made.get(prefix)
                if wrapped is None:
                    wrapped = made[prefix] = f"{prefix}{text}}}"
                subscription.connection.push(wrapped)
            else:
                subscription.connection.push(text)


class Topics:
    """All topics that somebody listens to."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self.accounts: set[int] = set()  # whose own events somebody listens to

    def get(self, name: str) -> Topic | None:
        """Return a topic that has a listener."""
        return self._topics.get(name)

    def names(self) -> list[str]:
        return list(self._topics)

    def subscribe(
        self, connection: Connection, name: str, *, topic: str, prefix: str = ""
    ) -> Subscription | None:
        """Add an interest under the connection's own name for it; None if there is one."""
        if name in connection.subscriptions:
            return None
        if len(connection.subscriptions) >= SUBSCRIPTIONS_MAX:
            connection.drop(f"too many subscriptions: at most {SUBSCRIPTIONS_MAX}")
            return None
        found = self._topics.get(topic)
        if found is None:
            found = self._topics[topic] = Topic(topic)
            if topic.startswith(USER):
                self.accounts.add(int(topic.removeprefix(USER)))
        subscription = Subscription(found, connection, prefix)
        found.subscriptions[subscription] = None
        connection.subscriptions[name] = subscription
        return subscription

    def unsubscribe(self, connection: Connection, name: str) -> str | None:
        """End an interest; return the topic if nobody listens to it any more."""
        subscription = connection.subscriptions.pop(name, None)
        if subscription is None:
            return None
        topic = subscription.topic
        topic.subscriptions.pop(subscription, None)
        if topic.subscriptions:
            return None
        self._topics.pop(topic.name, None)
        if topic.name.startswith(USER):
            self.accounts.discard(int(topic.name.removeprefix(USER)))
        return topic.name

    def end(self, connection: Connection) -> list[str]:
        """End all interests of a connection; return the topics that nobody listens to any more."""
        ended = [self.unsubscribe(connection, name) for name in list(connection.subscriptions)]
        return [name for name in ended if name is not None]

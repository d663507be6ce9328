"""Every read of the robots: how feeds stand, what they set aside, what venues dispute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fondaco.robots.models import FeedState, SetAsideMessage, VenueDispute

__all__ = ["disputes", "feed_state", "feeds", "is_followed", "messages_aside"]

FRESH_US: Final = 10_000_000  # a consumer tells how it stands every second


def feeds() -> list[FeedState]:
    """Return how each feed stands."""
    return list(FeedState.objects.order_by("name"))


def feed_state(name: str) -> FeedState:
    """Return how a feed stands; a new one has counted nothing."""
    return FeedState.objects.filter(pk=name).first() or FeedState(name=name)


def is_followed(feed: FeedState, now_us: int) -> bool:
    """Return whether a feed's consumer is at its broker: it said so, and not long ago."""
    return feed.is_connected and now_us - feed.updated_us <= FRESH_US


def messages_aside(feed: str, limit: int) -> list[SetAsideMessage]:
    """Return the newest messages of a feed that were set aside, newest first."""
    return list(SetAsideMessage.objects.filter(feed=feed).order_by("-id")[:limit])


def disputes(venue_orders: Iterable[int]) -> dict[int, VenueDispute]:
    """Return what venues said of these orders and the core did not take, by their numbers."""
    return VenueDispute.objects.in_bulk(list(venue_orders))

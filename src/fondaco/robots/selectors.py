"""Every read of the robots: how feeds stand, and what they set aside."""

from __future__ import annotations

from fondaco.robots.models import FeedState, SetAsideMessage

__all__ = ["feed_state", "feeds", "messages_aside"]


def feeds() -> list[FeedState]:
    """Return how each feed stands."""
    return list(FeedState.objects.order_by("name"))


def feed_state(name: str) -> FeedState:
    """Return how a feed stands; a new one has counted nothing."""
    return FeedState.objects.filter(pk=name).first() or FeedState(name=name)


def messages_aside(limit: int) -> list[SetAsideMessage]:
    """Return the newest messages that were set aside, newest first."""
    return list(SetAsideMessage.objects.order_by("-id")[:limit])

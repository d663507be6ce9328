"""A topic's signals: stored before they are given back, once however often they come."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import DatabaseError

from fondaco.robots.feeds import signals
from fondaco.robots.feeds.intake import Notes, NotTaken
from fondaco.robots.feeds.signals import SignalFlight
from fondaco.robots.models import FeedState, SetAsideMessage, Signal

pytestmark = pytest.mark.django_db
BODY = {"summary": "SELL", "timestamp": "20-07-2022 02:18:10", "symbol": "SOL"}


@pytest.fixture
def notes() -> Notes:
    return Notes(FeedState(name="fondaco-signals"))


def test_signals_are_stored_known_or_set_aside(notes: Notes) -> None:
    """Each message is given back in its order; what can't be read is kept with the reason."""
    stop = threading.Event()
    flight = SignalFlight(notes, "hub")
    raw = json.dumps(BODY).encode()
    broken = json.dumps({**BODY, "summary": "UP"}).encode()
    flight.launch([(1, raw), (2, b"{"), (3, raw), (4, broken), (5, b"\xff")], stop)
    assert flight.landed(stop) == [1, 2, 3, 4, 5]
    assert flight.landed(stop) == []
    row = Signal.objects.get()
    assert (row.symbol, row.strength, row.source, row.member) == ("SOL", -1, "topic hub", 0)
    state = notes.state
    assert (state.received, state.current, state.duplicate, state.set_aside) == (5, 1, 1, 3)
    reasons = list(SetAsideMessage.objects.order_by("pk").values_list("reason", flat=True))
    assert reasons[1].startswith("summary must be one of")


def test_a_database_that_is_away_gives_nothing_back(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again until it is stored, or the feed is told to stop: then it comes again."""
    stop = threading.Event()
    tries = []

    def away(*_: Any, **__: Any) -> None:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise DatabaseError("away")

    monkeypatch.setattr(signals, "take_signal", away)
    monkeypatch.setattr(signals, "RETRY_S", 0.0)
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    flight = SignalFlight(notes, "hub")
    with pytest.raises(NotTaken):
        flight.launch([(1, json.dumps(BODY).encode())], stop)
    assert flight.landed(stop) == []
    assert len(tries) == 3

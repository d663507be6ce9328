"""What a venue reports and can't be: kept, shown to staff, and settled by hand, by the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from fondaco.core.records import Command, Event, Query, pack, split, unpack
from fondaco.identity.models import Account, SecurityEntry
from fondaco.identity.services import create_member
from fondaco.link.answers import Answer
from fondaco.projections.models import Cursor
from fondaco.projections.services import Writer
from fondaco.robots import selectors
from fondaco.robots.venues.mark import house_mark
from fondaco.robots.venues.simulated import SimulatedVenue
from fondaco.robots.venues.worker import VenueWorker
from tests.robots.carrier import ABAN, ANN, BOB, USD, Case

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
ORDERS = "/api/v1/venues/outside/orders/"


class House(Case):
    """The case's core as the office and the worker reach it; its events go into the tables."""

    def __init__(self, folder: Path) -> None:
        Cursor.objects.get_or_create(pk=1, defaults={"seq": 0, "time_us": 0})
        self.tables = Writer()
        super().__init__(folder, script=[])
        self.tell(pack(Command.VENUE_SENT, venue_order=1))

    def submit(self, record: bytes) -> bytes:
        run = bytearray(record)
        self.exchange.stamp(run, self.exchange.seq + 1, int(self.now_s * 1_000_000))
        events = self.exchange.apply(bytes(run))
        self.tables.apply_events(events, self.exchange.seq)
        return events

    def tell(self, record: bytes) -> bytes:
        return split(self.submit(record))[0]

    def query(self, record: bytes) -> Answer:
        return Answer(self.exchange.seq, self.exchange.query(record))

    def report(self, base: int, quote: int, *, is_final: bool = True) -> bytes:
        """Let the worker tell what the venue says; return the core's answer."""
        worker = VenueWorker("outside", self, lambda: self.venue)  # type: ignore[arg-type]
        words = {"filled_base": base, "filled_quote": quote, "is_final": int(is_final)}
        command = pack(Command.VENUE_REPORT, venue_order=1, by_query=1, **words)
        event = self.tell(command)
        worker._heed(1, command, event)
        return event


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> House:
    settings.STAFF_MFA = False
    made = House(tmp_path)
    assert isinstance(made.venue, SimulatedVenue)
    monkeypatch.setattr("fondaco.office.writer.core", lambda: made)
    for number in (ANN, BOB):
        member = create_member(username=f"m{number}", email=f"m{number}@example.com", password="")
        Account.objects.create(number=number, member=member, name="spot", kind=0)
    return made


def person(*roles: str) -> Client:
    member = create_member(username="root", email="r@example.com", password="", roles=roles)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(member)
    return client


def name() -> str:
    return f"{house_mark()}-1"


def test_a_report_beyond_the_limit_is_seen_and_settled(house: House) -> None:
    """Staff see what the venue says beside the order; an admin ends it within the limit.

    Ann (1.5 of 4 ABAN) and Bob (2.5) get what is settled by largest remainder; the rest of their
    money goes back, every asset sums to zero, and the security log has who did it.
    """
    assert unpack(house.report(40_000, 4_002))["kind"] == Event.REFUSED
    client = person("member", "admin")
    (found,) = client.get(ORDERS).json()
    assert found["status"] == "SENT"
    reported = found["disputed"].pop("reported_at")
    assert reported > 0
    assert found["disputed"] == {
        "reason": "EXCESSIVE_REPORT",
        "filled_quantity": "4",
        "filled_quote": "40.02",
        "is_final": True,
    }
    path = f"{ORDERS}{name()}/settle/"
    wrong = client.post(path, {"filled_quantity": "4", "filled_quote": "40.02"}, "application/json")
    assert (wrong.status_code, "worse than" in wrong.json()["error"]) == (409, True)
    assert house.balance(ANN, USD) == (8_500, 1_500)
    settled = client.post(path, {"filled_quantity": 3, "filled_quote": "30"}, "application/json")
    assert settled.status_code == 204, settled.content
    assert [house.balance(each, USD) for each in (ANN, BOB)] == [(8_900, 0), (8_100, 0)]
    assert [house.balance(each, ABAN) for each in (ANN, BOB)] == [(61_000, 0), (69_000, 0)]
    (found,) = client.get(ORDERS).json()
    assert (found["status"], found["filled_quantity"]) == ("CONFIRMED", "3")
    assert "disputed" not in found
    for record in split(house.exchange.query(pack(Query.TOTALS))):
        words = unpack(record)
        parts = ("members", "fees", "rounding", "inventory", "world")
        assert sum(words[each] for each in parts) == 0
    entry = SecurityEntry.objects.get(action="venue order settled")
    assert entry.actor is not None
    assert (entry.actor.username, name() in entry.details) == ("root", True)
    again = client.post(path, {"filled_quantity": 3, "filled_quote": "30"}, "application/json")
    assert (again.status_code, "done" in again.json()["error"]) == (409, True)


def test_only_what_is_disputed_can_be_settled(house: House) -> None:
    """An order whose venue was believed so far is its worker's; fields and names are checked."""
    client = person("member", "admin")
    path = f"{ORDERS}{name()}/settle/"
    body = {"filled_quantity": 3, "filled_quote": "30"}
    refused = client.post(path, body, "application/json")
    assert (refused.status_code, "believed" in refused.json()["error"]) == (409, True)
    house.report(40_000, 4_002)
    for wrong, field in (
        ({"filled_quantity": -1, "filled_quote": 0}, "filled_quantity"),
        ({"filled_quantity": "NaN", "filled_quote": 0}, "filled_quantity"),
        ({"filled_quantity": "0.00001", "filled_quote": 0}, "filled_quantity"),
        ({"filled_quantity": 1}, "filled_quote"),
        ({"filled_quantity": 1, "filled_quote": "10.001"}, "filled_quote"),
    ):
        told = client.post(path, wrong, "application/json")
        assert (told.status_code, list(told.json())) == (400, [field])
    for other in (f"{house_mark()}-2", "nothing-1", f"{house_mark()}-01"):
        assert client.post(f"{ORDERS}{other}/settle/", body, "application/json").status_code == 404
    assert house.balance(ANN, USD) == (8_500, 1_500)


def test_a_moderator_sees_and_does_not_settle(house: House) -> None:
    """Who gets what is an admin's to say."""
    house.report(40_000, 4_002)
    client = person("member", "moderator")
    assert client.get(ORDERS).json()[0]["disputed"]["filled_quote"] == "40.02"
    body = {"filled_quantity": 3, "filled_quote": "30"}
    assert client.post(f"{ORDERS}{name()}/settle/", body, "application/json").status_code == 403


def test_what_says_nothing_new_is_no_dispute(house: House) -> None:
    """A repeat of what is known isn't kept; an end with less than that is."""
    house.report(10_000, 1_000, is_final=False)
    house.report(10_000, 1_000, is_final=False)
    assert selectors.disputes([1]) == {}
    house.report(5_000, 500)
    assert selectors.disputes([1])[1].reason == "STALE_REPORT"

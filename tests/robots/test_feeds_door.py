"""How feeds stand, for staff: by the API, in the admin, and as numbers for a monitor."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from fondaco.gateway.native import _feed_numbers
from fondaco.identity.models import Member
from fondaco.identity.services import create_member
from fondaco.robots import services
from fondaco.robots.models import FeedState, SetAsideMessage
from fondaco.robots.services import Aside

pytestmark = pytest.mark.django_db
PATH = "/api/v1/feeds/"


@pytest.fixture(autouse=True)
def relaxed(settings: Any) -> None:
    settings.STAFF_MFA = False


def person(*roles: str) -> Client:
    """A signed-in member with roles."""
    member: Member = create_member(
        username=f"m{len(roles)}", email=f"m{len(roles)}@example.com", password="", roles=roles
    )
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(member)
    return client


def told(age_s: float = 0) -> FeedState:
    """A connected feed that told how it stands so long ago."""
    feed = FeedState(
        name="fondaco1",
        topic="prices",
        address="mqtt://broker:1883",
        is_connected=True,
        received=7,
        current=4,
        older=1,
        duplicate=1,
        set_aside=1,
        message_us=1_670_198_400_123_456,
        updated_us=time.time_ns() // 1000 - int(age_s * 1_000_000),
    )
    services.tell_feed(feed)
    return feed


def test_staff_see_how_feeds_stand() -> None:
    """Counters, the newest price's time, and the newest messages set aside with their reasons."""
    told()
    for number in range(30):
        aside = Aside("PRICE", f"off the tick {number}", b'{"price": 1.%d}' % number)
        services.set_aside("fondaco1", [aside], now_us=number * 1000)
    services.set_aside("another", [Aside("BODY", "not this feed's", b"")], now_us=1)
    client = person("member", "moderator")
    (found,) = client.get(PATH).json()
    assert found["is_connected"] is True
    assert (found["received"], found["current"], found["set_aside"]) == (7, 4, 1)
    assert found["last_message_time"] == 1_670_198_400_123
    newest = found["newest_set_aside"]
    assert len(newest) == 20
    assert newest[0] == {
        "received_at": 29,
        "fault": "PRICE",
        "reason": "off the tick 29",
        "payload": '{"price": 1.29}',
    }
    assert len(client.get(f"{PATH}?limit=3").json()[0]["newest_set_aside"]) == 3
    assert client.get(f"{PATH}?limit=0").json()[0]["newest_set_aside"] == []
    for limit in ("-1", "1001", "many"):
        assert client.get(f"{PATH}?limit={limit}").status_code == 400


def test_a_feed_that_nobody_follows_is_not_connected() -> None:
    """A killed process left "connected" behind: after ten seconds nobody believes it."""
    told(age_s=11)
    (found,) = person("member", "admin").get(PATH).json()
    assert found["is_connected"] is False
    assert "nobody follows it" in found["fault"]


def test_what_was_set_aside_is_read_only_in_the_admin() -> None:
    """A moderator sees the messages and changes none."""
    services.set_aside("fondaco1", [Aside("TIME", "no date", b"<b>x</b>")], now_us=1)
    client = person("member", "moderator")
    page = client.get("/admin/robots/setasidemessage/")
    assert page.status_code == 200
    assert b"no date" in page.content
    number = SetAsideMessage.objects.get().pk
    one = client.get(f"/admin/robots/setasidemessage/{number}/change/")
    assert b"&lt;b&gt;x&lt;/b&gt;" in one.content
    assert client.get("/admin/robots/setasidemessage/add/").status_code == 403
    assert client.post(f"/admin/robots/setasidemessage/{number}/delete/").status_code == 403


def test_members_see_no_feeds() -> None:
    """They are the house's."""
    assert person("member").get(PATH).status_code == 403


def test_numbers_for_a_monitor_name_no_session() -> None:
    """/metrics is for all: a topic's sessions are one there, and none is named."""
    old = FeedState(name="secret0", topic="prices", current=3, duplicate=1, message_us=5_000_000)
    found = list(_feed_numbers([old, told()], time.time_ns() // 1000))
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in found
        for sample in family.samples
    }
    assert samples["fondaco_feed_messages_total", "prices", "current"] == 7
    assert samples["fondaco_feed_messages_total", "prices", "duplicate"] == 2
    assert samples["fondaco_feed_connected", "prices"] == 1
    assert samples["fondaco_feed_message_time_seconds", "prices"] == 1_670_198_400.123456
    assert not any("secret0" in name or "fondaco1" in name for name in samples)

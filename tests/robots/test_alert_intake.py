"""Alerts at an edge: those that come together are one commit, and the office has all the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from django.db import OperationalError

from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.office.hooks.intake import Intake
from fondaco.robots.hub import services
from fondaco.robots.hub.services import Came
from fondaco.robots.models import HookAlert

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "127.0.0.1"


@pytest.fixture
def ann() -> Member:
    return identity.create_member(username="ann", email="ann@example.com", password="")


def made_hook(member: Member, name: str = "chart", addresses: str = "") -> str:
    """Make a hook; return the path of its address."""
    _, token = services.add_hook(member, name=name, addresses=addresses)
    return f"/api/v1/hooks/in/{token}/"


def taken(*asked: tuple[str, bytes], method: str = "POST") -> list[int | None]:
    """Have bodies come to paths at one moment; return the numbers of those that were taken."""

    async def all_at_once() -> list[int | None]:
        intake = Intake()
        try:
            takes = [intake.take(method, path, HERE, body) for path, body in asked]
            return await asyncio.gather(*takes)
        finally:
            intake.close()

    return asyncio.run(all_at_once())


def test_alerts_that_come_together_share_commits(
    ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 at once are two commits; each has its number, in the order in which they came."""
    batches: list[int] = []
    take = services.take_alerts

    def counted(came: Sequence[Came]) -> list[int | None]:
        batches.append(len(came))
        return take(came)

    monkeypatch.setattr(services, "take_alerts", counted)
    path = made_hook(ann)
    numbers = taken(*[(path, f"buy BTC {place}".encode()) for place in range(300)])
    rows = HookAlert.objects.order_by("pk").values_list("pk", "body")
    assert list(rows) == [(number, f"buy BTC {place}") for place, number in enumerate(numbers)]
    assert batches == [200, 100]


def test_what_is_no_alert_is_left_to_the_office(ann: Member) -> None:
    """Unknown, ended, for another network, empty, too long: not stored, and its neighbours are."""
    path = made_hook(ann)
    ended = made_hook(ann, "ended")
    services.remove_hook(ann.hooks.get(name="ended"))
    elsewhere = made_hook(ann, "elsewhere", addresses="192.0.2.0/24")
    unknown = f"/api/v1/hooks/in/{'x' * 43}/"
    first, *none, last = taken(
        (path, b"buy BTC 1"),
        (ended, b"buy"),
        (elsewhere, b"buy"),
        (unknown, b"buy"),
        (path, b""),
        (path, b"b" * (services.ALERT_BYTES_MAX + 1)),
        ("/api/v1/hooks/", b"buy"),
        (path.rstrip("/"), b"buy BTC 2"),
    )
    assert none == [None] * 6
    assert taken((path, b"buy"), method="GET") == [None]
    rows = HookAlert.objects.order_by("pk").values_list("pk", "body")
    assert list(rows) == [(first, "buy BTC 1"), (last, "buy BTC 2")]


def test_a_commit_that_fails_acknowledges_nothing(
    ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of those that shared it is taken or stored; the office says to each what is wrong."""
    path = made_hook(ann)
    create = HookAlert.objects.bulk_create

    def stored_and_lost(rows: list[HookAlert]) -> None:
        create(rows)
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(HookAlert.objects, "bulk_create", stored_and_lost)
        assert taken(*[(path, f"buy BTC {place}".encode()) for place in range(3)]) == [None] * 3
    assert not HookAlert.objects.exists()
    assert taken((path, b"buy BTC")) == [HookAlert.objects.get().pk]

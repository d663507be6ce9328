"""The house in maintenance and out of it, by page and by API; told on pages and in the log."""

from __future__ import annotations

import pytest
from django.test import Client

from fondaco.core.records import Command
from fondaco.identity import maintenance, services
from fondaco.identity.models import Member, SecurityEntry
from fondaco.link.answers import Unanswered
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PATH = "/api/v1/house/maintenance/"
PAGE = "/staff/house/"
BANNER = b"The house is in maintenance"


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch, core: StandInCore) -> None:
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)


def admin() -> Member:
    return services.create_admin(username="root", email="r@example.com", password="long enough 1")


def session(member: Member) -> Client:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(member)
    return client


def log() -> list[str]:
    actions = SecurityEntry.objects.order_by("number").values_list("action", flat=True)
    return [action for action in actions if action.startswith("maintenance")]


def test_an_admin_begins_and_ends_maintenance_on_a_page(core: StandInCore) -> None:
    """The core is told first; strangers see it, too; each change is one entry of the log."""
    client = session(admin())
    assert BANNER not in Client().get("/").content
    assert client.post(PAGE, {"maintenance": "1"}).status_code == 302
    assert core.maintenance == 1
    assert BANNER in Client().get("/").content
    assert b"In maintenance since" in client.get(PAGE).content
    client.post(PAGE, {"maintenance": "1"})
    assert client.post(PAGE, {"maintenance": "0"}).status_code == 302
    assert core.maintenance == 0
    assert BANNER not in client.get(PAGE).content
    assert log() == ["maintenance begun", "maintenance ended"]


def test_maintenance_by_the_api(core: StandInCore) -> None:
    """The answer says what is so now; a body that says nothing changes nothing."""
    client = session(admin())
    told = client.post(PATH, {"maintenance": True}, "application/json")
    assert (told.status_code, told.json()) == (200, {"maintenance": True})
    assert core.maintenance == 1
    refused = client.post(PATH, {}, "application/json")
    assert (refused.status_code, list(refused.json())) == (400, ["maintenance"])
    assert core.maintenance == 1
    told = client.post(PATH, {"maintenance": False}, "application/json")
    assert (told.json(), core.maintenance) == ({"maintenance": False}, 0)


def test_a_moderator_may_not(core: StandInCore) -> None:
    """Neither page nor API; the core hears nothing."""
    member = services.create_member(
        username="mod", email="m@example.com", password="", roles=("member", "moderator")
    )
    client = session(member)
    assert client.post(PAGE, {"maintenance": "1"}).status_code == 403
    assert client.post(PATH, {"maintenance": True}, "application/json").status_code == 403
    assert Command.CONFIGURE_HOUSE not in core.commands


def test_a_lost_answer_is_made_good_by_asking_again(core: StandInCore) -> None:
    """The row follows the core; ending works whatever the row says."""
    root = admin()
    core.lose.add(Command.CONFIGURE_HOUSE)
    with pytest.raises(Unanswered):
        maintenance.set_maintenance(core, maintenance=True, actor=root)
    assert maintenance.began_at() is None
    assert core.maintenance == 1
    maintenance.set_maintenance(core, maintenance=False, actor=root)
    assert core.maintenance == 0
    core.lose.add(Command.CONFIGURE_HOUSE)
    answer = session(root).post(PATH, {"maintenance": True}, "application/json")
    assert answer.status_code == 504

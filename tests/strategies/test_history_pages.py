"""Importing history by the page and by the route: what is taken, refused by line, and by whom."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import fondaco.office.urls  # noqa: F401 - its views bind the real core, not a stand-in
from fondaco.identity.models import Member
from fondaco.office.brokerage.forms import FILE_BYTES_MAX
from fondaco.strategies import services
from fondaco.strategies.models import BrokerageAccount, Report, Strategy
from tests.strategies.test_history import HUMMINGBOT, fill, lines, table

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
JSON = "application/json"


@pytest.fixture
def browser(member: Member) -> Client:
    member.membership_until = dt.date(2099, 12, 31)
    member.save()
    client = Client()
    client.force_login(member)
    return client


@pytest.fixture
def strategy(account: BrokerageAccount) -> Strategy:
    return services.add_strategy(account, name="old hand")[0]


def upload(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("history.csv", content)


def test_a_file_is_imported_by_the_page(browser: Client, strategy: Strategy) -> None:
    """The form leads to the strategy's page, which says how many are new; again, that none is."""
    path = f"/dashboard/strategies/{strategy.pk}/import"
    assert f'href="{path}"' in browser.get(f"/dashboard/strategies/{strategy.pk}").content.decode()
    assert browser.get(path).status_code == 200
    for said in ("200 reports are imported.", "0 reports are imported; 200 were there already."):
        form = {"kind": "csv", "file": upload(lines(200).encode())}
        answer = browser.post(path, form, follow=True)
        assert said in answer.content.decode()
    assert Report.objects.count() == 200


def test_what_does_not_fit_is_told_on_the_page(browser: Client, strategy: Strategy) -> None:
    """A wrong line, a file that is no text or too large, a missing start: 400 with the reason."""
    path = f"/dashboard/strategies/{strategy.pk}/import"
    fills = table(HUMMINGBOT, [fill(0, "BUY", "1", "1")])
    for kind, content, said in (
        ("csv", (lines(3) + "x,1,1,\n").encode(), "Line 5: created_at is"),
        ("csv", b"\xff\xfe\x00", "no text in UTF-8"),
        ("csv", b"x" * (FILE_BYTES_MAX + 1), "larger than 1.9 MB"),
        ("hummingbot", fills.encode(), "balance before the first trade"),
    ):
        answer = browser.post(path, {"kind": kind, "file": upload(content)})
        assert (answer.status_code, said in answer.content.decode()) == (400, True), said
    answer = browser.post(path, {"kind": "hummingbot", "start": "ten", "file": upload(b"a")})
    assert (answer.status_code, "it must be a number" in answer.content.decode()) == (400, True)
    assert not Report.objects.exists()


def test_a_program_imports_by_the_route(browser: Client, strategy: Strategy) -> None:
    """201 says how many are new and from when to when; a fault is 400 with lines in `text`."""
    path = f"/api/v1/strategies/{strategy.pk}/history/"
    fills = table(HUMMINGBOT, [fill(0, "BUY", "100", "1"), fill(60, "SELL", "110", "1")])
    body = {"format": "hummingbot", "text": fills, "starting_balance": "1000"}
    for stored in (2, 0):
        answer = browser.post(path, body, content_type=JSON)
        assert (answer.status_code, answer.json()) == (
            201,
            {
                "reports": 2,
                "stored": stored,
                "first": "2026-01-01T12:00:00Z",
                "last": "2026-01-01T13:00:00Z",
            },
        )
    wrong = browser.post(path, {"format": "csv", "text": "a,b\n1,2\n"}, content_type=JSON)
    assert (wrong.status_code, wrong.json()["text"][0][:7]) == (400, "line 1:")
    for part in ({"format": "excel", "text": "a"}, {"format": "csv"}):
        assert browser.post(path, part, content_type=JSON).status_code == 400


def test_a_robots_history_is_the_ledgers(browser: Client, strategy: Strategy) -> None:
    """What is verified by the ledger takes no file: 400, and nothing is stored."""
    BrokerageAccount.objects.filter(pk=strategy.account_id).update(robot="r1")
    body = {"format": "csv", "text": lines(3)}
    answer = browser.post(f"/api/v1/strategies/{strategy.pk}/history/", body, content_type=JSON)
    assert (answer.status_code, "robot" in answer.content.decode()) == (400, True)
    path = f"/dashboard/strategies/{strategy.pk}/import"
    page = browser.post(path, {"kind": "csv", "file": upload(lines(3).encode())})
    assert (page.status_code, "robot" in page.content.decode()) == (400, True)
    assert not Report.objects.exists()

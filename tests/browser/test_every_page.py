"""Every page, as its people see it: both themes, both widths, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.urls import resolve
from django.urls.exceptions import Resolver404
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.office_people import routes
from tests.browser.looking import Look, Walk
from tests.browser.peopled import FILE, SETTINGS, STOPS, open_stop, settle
from tests.house_fixture import RunningHouse, open_house

pytestmark = [pytest.mark.needs("chromium", "axe"), pytest.mark.slow]

AXE: Final = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
FINDINGS: Final = """rules => axe.run(document, rules).then(result => result.violations
  .filter(found => found.impact === 'serious' || found.impact === 'critical')
  .map(found => `${found.id}: ${found.nodes.map(node => node.target.join(' ')).join(', ')}`))"""
PLANT: Final = """html => {
  document.querySelector('main').insertAdjacentHTML('afterbegin', html);
  const pale = document.querySelector('.planted');
  if (pale) Object.assign(pale.style, { color: '#7f7f7f', background: '#8c8c8c' });
}"""
# Routes on which there is nothing to see, and why.
NO_PAGE: Final = {
    "files": r"\.csv|\.json|download",
    "answers to forms that lead back": r"/approve|/cancel\\Z|money/(accounts|transfer|withdraw)$"
    r"|proofs/publish|staff/money/deposit$|dashboard/.*/(archive|revoke|rotate)",
    "the API": r"^\^?api/|sandbox/v1|memberships/webhook",
    "doors that lead to a page": r"webauthn/login",
    "the admin's, all of the kinds that are stops": r"^admin/.",
    "steps of another ceremony, seen in tests/acceptance": r"authenticate|deactivate|keys/<int:pk>"
    r"|recovery-codes/$|password/set/|webauthn/reauthenticate|mfa/reauthenticate",
}


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house where something has happened to everybody."""
    with open_house(file_text=FILE, settings=SETTINGS) as running:
        settle(running)
        yield running


@pytest.fixture
def walk(browser: Browser, house: RunningHouse) -> Iterator[Walk]:
    made = Walk(browser, house.url, AXE.read_text(encoding="utf-8"))
    yield made
    made.close()


def findings(page: Page, *rules: str) -> list[str]:
    """Return what axe finds by these rules, or by all."""
    found: list[str] = page.evaluate(FINDINGS, {"runOnly": rules} if rules else {})
    return found


def test_every_page_is_readable_at_both_widths_and_in_both_themes(walk: Walk) -> None:
    """Axe finds nothing serious or critical, nothing scrolls sideways, no console says an error.

    Axe looks at each theme and at each width by all its rules once, at the others by contrast.
    """
    faults: list[str] = []
    seen: set[str] = set()

    def look(at: Look) -> None:
        seen.add(at.name)
        wide = at.page.evaluate("document.documentElement.scrollWidth")
        if wide > at.width:
            faults.append(f"{at.name} is {wide} px wide")
        rules = () if at.is_opened else ("color-contrast",)
        faults.extend(f"{at.name}: {found}" for found in findings(at.page, *rules))

    walk.go(STOPS, look)
    assert faults == []
    assert walk.said == []
    assert len(seen) == 4 * len(STOPS)


@pytest.mark.parametrize(
    "planted, said",
    [
        ("<img src='/static/terminal/mark.svg'>", "image-alt"),
        ("<p class='planted'>hard to read</p>", "color-contrast"),
        ("<input name='nameless'>", "label"),
    ],
)
def test_a_page_that_some_cannot_read_is_caught(walk: Walk, planted: str, said: str) -> None:
    """The planted bugs: a picture without words, pale words, a field without a name."""

    def look(at: Look) -> None:
        assert findings(at.page) == []
        at.page.evaluate(PLANT, planted)
        assert [found.partition(":")[0] for found in findings(at.page)] == [said]
        at.page.reload()

    walk.go([stop for stop in STOPS if stop.name == "landing"], look)


def test_the_way_leads_by_every_page() -> None:
    """A route is a stop of the way or says why there is nothing to see on it."""
    covered: set[str] = set()
    for stop in STOPS:
        try:
            covered.add(resolve(stop.path.partition("?")[0]).route)
        except Resolver404:
            assert stop.name == "not-found", stop
    reached_by_acting = {"sandbox/checkout/<str:session_id>", "account/reauthenticate/"}
    excused = re.compile("|".join(NO_PAGE.values()))
    unseen = [
        each
        for each in routes()
        if each not in covered | reached_by_acting and not excused.search(each)
    ]
    twins = {each.rstrip("/") for each in covered | reached_by_acting}
    assert [each for each in unseen if each.rstrip("/") not in twins] == []


def test_the_sidebar_and_the_theme_of_the_admin_work(walk: Walk) -> None:
    """What unfold says in expressions runs without eval: menu, theme, filters, the phone's bar."""
    stop = next(each for each in STOPS if each.name == "admin-changes")

    def look(at: Look) -> None:
        page = at.page
        if at.theme == "light":
            return
        open_stop(page, stop)
        side = page.get_by_role("button", name="Side bar").locator("visible=true").first
        if at.width < 1000:
            side.click()
            page.get_by_role("link", name="Security log").locator("visible=true").wait_for()
            return
        link = page.get_by_role("link", name="Security log")
        side.press("Enter")
        expect(link.locator("visible=true")).to_have_count(0)
        side.press("Enter")
        expect(link.locator("visible=true")).to_have_count(1)
        page.get_by_role("button", name="Filters").press("Enter")
        page.get_by_role("link", name="Show counts").wait_for()

    walk.go([stop], look)
    assert walk.said == []

"""The pages of the dealer and the agency market, by a member, in a real browser.

The quotes come by the feed's own door; the orders outside are carried by the house's own worker to
its simulated venue, which fills the first one and rejects the second.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.peopled import password
from tests.house_fixture import RunningHouse, open_house
from tests.outside_house import OUTSIDE, Feed

pytestmark = [pytest.mark.needs("chromium", "axe"), pytest.mark.slow]

AXE: Final = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
SETTLED: Final = """() => Promise.allSettled(document.getAnimations()
    .filter(each => each instanceof CSSTransition).map(each => each.finished))"""
FINDINGS: Final = """() => axe.run(document).then(result => result.violations
  .filter(found => found.impact === 'serious' || found.impact === 'critical')
  .map(found => `${found.id}: ${found.nodes.map(node => node.target.join(' ')).join(', ')}`))"""
SETTINGS: Final = "rate_limits = false\nstaff_mfa = false"
WAIT_MS: Final = 20_000


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house with a market of each kind, and prices of the last hour."""
    with open_house(settings=SETTINGS, more=OUTSIDE) as running:
        with Feed(running) as feed:
            for minute in range(60, 0, -1):
                price = f"{20 + (minute * 7 % 11 - 5) / 100:.2f}"
                feed.quote("CIBUSDT", price, 40 + minute % 9, ago_s=60 * minute)
        yield running


@pytest.fixture(scope="module")
def signed_in(browser: Browser, house: RunningHouse) -> Any:
    """Sign bob in once."""
    context = browser.new_context(base_url=house.url)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("User name or e-mail").fill("bob")
    page.get_by_label("Password").fill(password("bob"))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/trade/")
    kept = context.storage_state()
    context.close()
    return kept


class Visits:
    """Pages of bob's; what they complain about is kept."""

    def __init__(self, browser: Browser, url: str, state: Any) -> None:
        self.complaints: list[str] = []
        self._browser, self._url, self._state = browser, url, state
        self._contexts: list[Any] = []

    def open(self, symbol: str, width: int = 1440, height: int = 900, scheme: Any = "dark") -> Page:
        context = self._browser.new_context(
            base_url=self._url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            storage_state=self._state,
        )
        self._contexts.append(context)
        context.add_init_script(path=AXE)
        page = context.new_page()
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        page.goto(f"/trade/?symbol={symbol}")
        page.wait_for_selector('[data-testid="connection"][data-state="live"]', timeout=WAIT_MS)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def visits(browser: Browser, house: RunningHouse, signed_in: Any) -> Iterator[Visits]:
    made = Visits(browser, house.url, signed_in)
    yield made
    made.close()
    assert made.complaints == []


def read(page: Page, path: str) -> Any:
    return page.evaluate("async path => (await fetch(path)).json()", path)


def balances(page: Page) -> dict[str, tuple[Decimal, Decimal]]:
    """Free and held by REST, of what is not nothing."""
    rows = read(page, "/api/v3/account")["balances"]
    found = {row["asset"]: (Decimal(row["free"]), Decimal(row["locked"])) for row in rows}
    return {asset: each for asset, each in found.items() if any(each)}


def shown_balances(page: Page) -> dict[str, tuple[Decimal, Decimal]]:
    """Free and held as the page shows them."""
    page.get_by_role("tab", name="Balances").click()
    rows = page.locator("tr[data-asset]").evaluate_all(
        "rows => rows.map(row => [row.dataset.asset, row.dataset.free, row.dataset.held])"
    )
    page.get_by_role("tab", name=re.compile("^Waiting")).click()
    found = {asset: (Decimal(free), Decimal(held)) for asset, free, held in rows}
    return {asset: each for asset, each in found.items() if any(each)}


def balances_agree(page: Page) -> None:
    """Wait until the page shows what REST says."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while (shown := shown_balances(page)) != (true := balances(page)):
        assert time.monotonic() < deadline, (shown, true)
        page.wait_for_timeout(100)


def send(page: Page, quantity: str, **bounds: str) -> None:
    """Type a ticket and send it by the keyboard alone."""
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    expect(page.locator("#ticket-quantity")).to_be_focused()
    expect(page.get_by_test_id("submit")).to_be_enabled()
    for name, text in bounds.items():
        page.fill(f"#ticket-{name}", text)
    page.fill("#ticket-quantity", quantity)
    page.keyboard.press("Enter")


def waits(page: Page, reason: str) -> None:
    """Wait until the only order waits for a reason, and says it in words."""
    row = page.locator("tr[data-order]")
    expect(row).to_have_count(1)
    expect(row).to_have_attribute("data-wait", reason)
    expect(row.locator('[data-label="State"]')).not_to_have_text("")


def test_a_bounded_order_waits_fills_in_part_and_is_cancelled(
    house: RunningHouse, visits: Visits
) -> None:
    """What is held is told before; the reason of waiting changes with the quotes; REST agrees."""
    page = visits.open("CIBUSDT")
    before = balances(page)["USDT"]
    expect(page.get_by_test_id("chart")).to_have_attribute("data-bars", re.compile(r"^[3-9]\d"))
    with Feed(house) as feed:
        feed.quote("CIBUSDT", "20.00", 60)
        expect(page.get_by_test_id("quote-price")).to_have_attribute("data-price", "20.00")
        expect(page.get_by_test_id("availability")).to_have_text("60 CIB")
        page.fill("#ticket-upper", "20")
        page.fill("#ticket-quantity", "100")
        expect(page.get_by_test_id("held")).to_have_text("2,000.00 USDT")
        send(page, "100", upper="20", lower="18.50")
        waits(page, "NO_QUOTE")
        expect(page.locator('[data-label="Bounds"]')).to_have_text("18.50 \u2013 20.00")
        assert balances(page)["USDT"] == (before[0] - 2000, before[1] + 2000)
        feed.quote("CIBUSDT", "21.00", 60)
        waits(page, "OUT_OF_BOUNDS")
        feed.quote("CIBUSDT", "19.00", 60)
        waits(page, "AVAILABILITY")
    expect(page.locator("[data-filled]")).to_have_attribute("data-filled", "60")
    balances_agree(page)
    page.get_by_role("button", name=re.compile("^Cancel Buy order")).click()
    expect(page.get_by_text("No waiting orders")).to_be_visible()
    balances_agree(page)
    after = balances(page)
    assert after["USDT"] == (before[0] - 60 * 19, before[1])
    assert after["CIB"] == (Decimal(60), Decimal(0))
    page.get_by_role("tab", name="History").click()
    expect(page.locator("tr[data-order]").first).to_have_attribute("data-status", "CANCELED")
    expect(page.locator("tr[data-order] [data-filled]").first).to_have_text("60")


def test_a_pooled_order_is_sent_filled_and_the_next_refunded(
    house: RunningHouse, visits: Visits
) -> None:
    """The pool's progress; sent when it is full, then allocated; what the venue rejects is back."""
    page = visits.open("ABANUSDT")
    before = balances(page)["USDT"]
    send(page, "0.4")
    waits(page, "POOL")
    expect(page.get_by_test_id("worth-BUY")).to_have_text("4.00")
    expect(page.get_by_role("progressbar", name="Buy pool")).to_have_attribute(
        "aria-valuenow", "40"
    )
    expect(page.get_by_test_id("left-BUY")).to_have_text(re.compile(r"^(59:\d\d|1:00:00)$"))
    step = page.get_by_test_id("my-order").locator("[aria-current=step]")
    expect(step).to_have_text("In the pool")
    balances_agree(page)
    send(page, "0.7")
    expect(page.locator("tr[data-wait=VENUE]")).to_have_count(2)
    expect(page.get_by_role("button", name=re.compile("^Cancel Buy"))).to_have_count(0)
    expect(page.get_by_test_id("worth-BUY")).to_have_text("0.00")
    expect(page.get_by_text("No waiting orders")).to_be_visible()
    expect(page.get_by_test_id("my-order")).to_contain_text("Allocated")
    balances_agree(page)
    assert balances(page)["ABAN"] == (Decimal("1.1"), Decimal(0))
    filled = balances(page)["USDT"]
    assert filled == (before[0] - 11, before[1])
    send(page, "1.5")
    expect(page.get_by_test_id("my-order")).to_contain_text("Refunded")
    balances_agree(page)
    assert balances(page)["USDT"] == filled


def test_what_the_house_refuses_is_said_at_its_field(visits: Visits) -> None:
    """Off the tick, off the lot, too dear: said before sending; the server's word at the field."""
    page = visits.open("CIBUSDT")
    send(page, "1.5", upper="20.005")
    expect(page.get_by_test_id("quantity-problem")).to_contain_text("Lot size is 1")
    expect(page.get_by_test_id("upper-problem")).to_contain_text("Tick size is 0.01")
    expect(page.locator("#ticket-upper")).to_have_attribute("aria-invalid", "true")
    send(page, "900000", upper="20")
    expect(page.get_by_test_id("quantity-problem")).to_contain_text("This holds 18,000,000.00 USDT")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("symbol", ["CIBUSDT", "ABANUSDT"])
def test_everybody_can_read_them(visits: Visits, symbol: str, scheme: str) -> None:
    """Axe finds nothing serious, and nothing is wider than a phone on any of its tabs."""
    wide = visits.open(symbol, scheme=scheme)
    wide.fill("#ticket-quantity", "1")
    wide.evaluate(SETTLED)  # the button changes its colour
    assert wide.evaluate(FINDINGS) == []
    phone = visits.open(symbol, 390, 844, scheme)
    tabs = phone.get_by_role("navigation", name="Panels").get_by_role("button")
    assert tabs.count() == (4 if symbol == "CIBUSDT" else 3)
    for tab in tabs.all():
        tab.click()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        assert phone.evaluate(FINDINGS) == []


def test_a_house_that_is_gone_is_said(house: RunningHouse, visits: Visits) -> None:
    """When the connection is lost the page says that it isn't live, and can't send."""
    page = visits.open("CIBUSDT")
    page.context.set_offline(True)
    expect(page.get_by_test_id("not-live")).to_be_visible()
    expect(page.get_by_test_id("submit")).to_be_disabled()
    page.context.set_offline(False)
    page.wait_for_selector('[data-testid="connection"][data-state="live"]', timeout=WAIT_MS)
    visits.complaints.clear()  # what a browser says of a line that was cut
    with Feed(house) as feed:
        feed.quote("CIBUSDT", "20.50", 9)
    expect(page.get_by_test_id("quote-price")).to_have_attribute("data-price", "20.50")

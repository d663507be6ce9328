"""The terminal over a market where only the test trades: stops, ratings and signals, robots.

Bob looks; ann is the market. Bob's robot acts on signals, which a program of his sends.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.peopled import password
from tests.house_fixture import RunningHouse, open_house

pytestmark = [pytest.mark.needs("chromium", "axe"), pytest.mark.slow]

AXE: Final = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
FINDINGS: Final = """() => axe.run(document).then(result => result.violations
  .filter(found => found.impact === 'serious' || found.impact === 'critical')
  .map(found => `${found.id}: ${found.nodes.map(node => node.target.join(' ')).join(', ')}`))"""
SETTLED: Final = """() => Promise.allSettled(document.getAnimations()
    .filter(each => each instanceof CSSTransition).map(each => each.finished))"""
SETTINGS: Final = 'rate_limits = false\nstaff_mfa = false\ncash = "USDT"'
TOKEN: Final = "a token of the house file, long enough"
ROBOT: Final = f"""
[[members.tokens]]
token = "{TOKEN}"
scopes = ["signals"]
[[members.robots]]
id = "robot-1"
active = true
allotment = {{ USDT = "1000" }}
config = {{ buy_on = "STRONG_BUY", sell_on = "SELL", symbols = ["BTC"] }}
"""
HOUR_US: Final = 3_600_000_000


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house whose only prices are those of the tests, the last one 20,000."""
    with open_house(settings=SETTINGS, more=ROBOT) as running:
        trade(running, "20000")
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


@pytest.fixture
def page(browser: Browser, house: RunningHouse, signed_in: Any) -> Iterator[Page]:
    """The terminal, live, over an empty book; it may not have complained at the end."""
    house.signed(house.ann, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    house.signed(house.bob, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    trade(house, "20000")
    context = browser.new_context(
        base_url=house.url, viewport={"width": 1440, "height": 900}, storage_state=signed_in
    )
    context.add_init_script(path=AXE)
    complaints: list[str] = []
    made = context.new_page()
    made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    made.on("pageerror", lambda fault: complaints.append(str(fault)))
    made.goto("/trade/?symbol=BTCUSDT")
    made.wait_for_selector('[data-testid="connection"][data-state="live"]')
    yield made
    context.close()
    assert complaints == []


def order(house: RunningHouse, side: str, price: str, quantity: str) -> None:
    """Place an order of ann's."""
    reply = house.signed(
        house.ann,
        "POST",
        "/api/v3/order",
        symbol="BTCUSDT",
        side=side,
        type="LIMIT",
        timeInForce="GTC",
        quantity=quantity,
        price=price,
    )
    assert reply.status == 200, reply.body


def trade(house: RunningHouse, price: str) -> None:
    """Have ann trade with herself, so that the last price is this one."""
    order(house, "SELL", price, "0.001")
    order(house, "BUY", price, "0.001")


def held(page: Page, asset: str) -> Decimal:
    rows = page.evaluate("async () => (await fetch('/api/v3/account')).json()")["balances"]
    return next(Decimal(row["locked"]) for row in rows if row["asset"] == asset)


def place_stop(page: Page, kind: str, side: str, stop: str, quantity: str, limit: str = "") -> None:
    """Fill in the ticket as a person does and send it."""
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    expect(page.locator("#ticket-stop")).to_be_focused()
    page.get_by_role("group", name="Side").get_by_role("button", name=side).click()
    page.get_by_role("group", name="Kind of stop").get_by_role("button", name=kind).click()
    then = page.get_by_role("group", name="Once it fired")
    then.get_by_role("button", name="Limit" if limit else "Market").click()
    page.fill("#ticket-stop", stop)
    if limit:
        page.fill("#ticket-price", limit)
    page.fill("#ticket-amount", quantity)
    expect(page.get_by_test_id("submit")).to_be_enabled()
    page.get_by_test_id("submit").click()


def open_row(page: Page) -> Locator:
    row = page.get_by_test_id("panel-open").locator("tbody tr")
    expect(row).to_have_count(1)
    return row


def test_a_stop_waits_fires_when_the_market_trades_through_it_and_is_filled(
    house: RunningHouse, page: Page
) -> None:
    """Marked as waiting with its trigger, coin held; a trade at its price sells it to the bid."""
    before = held(page, "BTC")
    place_stop(page, "Stop loss", "Sell", "19500", "0.5")
    expect(page.get_by_label("Notices")).to_contain_text("Stop loss waits")
    row = open_row(page)
    expect(row).to_have_attribute("data-waits", "true")
    expect(row.locator("[data-label=Type]")).to_have_text("Stop loss")
    expect(row.locator("[data-label=Trigger]")).to_have_text("\u2264 19,500.00")
    expect(row.get_by_role("img", name="waits")).to_be_visible()
    expect(row.locator("[data-label=Price]")).to_have_text("Market")
    assert held(page, "BTC") == before + Decimal("0.5")
    order(house, "BUY", "19400", "2")
    trade(house, "19600")
    expect(row).to_have_attribute("data-waits", "true")  # not reached yet
    trade(house, "19500")
    expect(page.get_by_text("No open orders")).to_be_visible()
    expect(page.get_by_label("Notices")).to_contain_text("Sold 0.50000 BTC")
    assert held(page, "BTC") == before
    page.get_by_role("tab", name="History").click()
    done = page.get_by_test_id("panel-history").locator("tbody tr").first
    expect(done.locator("[data-label=Type]")).to_have_text("Stop loss \u2264 19,500.00")
    expect(done.locator("[data-label=Average]")).to_have_text("19,400.00")
    expect(done.locator("[data-label=Status]")).to_have_text("Filled")


def test_a_stop_limit_comes_to_the_book_when_it_fired(house: RunningHouse, page: Page) -> None:
    """A take profit with a limit: it waits, then stands in the book and waits no more."""
    place_stop(page, "Take profit", "Buy", "19000", "0.1", limit="18900")
    row = open_row(page)
    expect(row.locator("[data-label=Trigger]")).to_have_text("\u2264 19,000.00")
    expect(row.locator("[data-label=Price]")).to_have_text("18,900.00")
    assert held(page, "USDT") == Decimal(1890)
    depth = page.evaluate("async () => (await fetch('/api/v3/depth?symbol=BTCUSDT')).json()")
    assert depth["bids"] == []
    trade(house, "18990")
    expect(row).to_have_attribute("data-waits", "false")
    expect(row.get_by_role("img", name="waits")).to_have_count(0)
    expect(row.locator("[data-label=Trigger]")).to_have_text("\u2264 19,000.00")
    expect(page.get_by_test_id("spread")).to_have_attribute("data-bid", "18900")
    row.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("No open orders")).to_be_visible()
    assert held(page, "USDT") == 0


def test_a_pair_holds_once_and_the_first_to_go_ends_the_other(
    house: RunningHouse, page: Page
) -> None:
    """A take profit and a stop loss from one ticket, both marked; a purchase at the profit."""
    before = held(page, "BTC")
    page.keyboard.press("o")
    page.get_by_role("group", name="Side").get_by_role("button", name="Sell").click()
    page.get_by_role("group", name="Kind of stop").get_by_role("button", name="OCO").click()
    page.fill("#ticket-profit", "19000")
    page.fill("#ticket-stop", "19500")
    page.fill("#ticket-amount", "0.5")
    expect(page.get_by_test_id("submit")).to_be_enabled()
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("profit-problem")).to_contain_text("The last price is 20000.00")
    page.fill("#ticket-stop", "21000")
    expect(page.get_by_test_id("profit-problem")).to_contain_text("The two prices are swapped")
    page.get_by_role("button", name="Swap").click()
    expect(page.locator("#ticket-profit")).to_have_value("21000")
    page.fill("#ticket-profit", "20500")
    page.fill("#ticket-stop", "19500")
    expect(page.get_by_test_id("pair-end")).to_have_count(2)
    page.get_by_test_id("submit").click()
    notices = page.get_by_label("Notices")
    expect(notices).to_contain_text("Pair placed")
    expect(notices).not_to_contain_text("Order on the book")
    rows = page.get_by_test_id("panel-open").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.locator("[data-list]")).to_have_count(2)
    expect(rows.filter(has_text="19,500.00")).to_have_attribute("data-waits", "true")
    expect(rows.filter(has_text="20,500.00")).to_have_attribute("data-waits", "false")
    assert held(page, "BTC") == before + Decimal("0.5")
    order(house, "BUY", "20500", "0.5")
    expect(page.get_by_text("No open orders")).to_be_visible()
    expect(page.get_by_label("Notices")).to_contain_text("Sold 0.50000 BTC")
    assert held(page, "BTC") == before


def test_cancelling_one_of_a_pair_cancels_both(page: Page) -> None:
    """And what they held is free again."""
    before = held(page, "USDT")
    page.keyboard.press("o")
    page.get_by_role("group", name="Side").get_by_role("button", name="Buy").click()
    page.get_by_role("group", name="Kind of stop").get_by_role("button", name="OCO").click()
    page.fill("#ticket-profit", "19500")
    page.fill("#ticket-stop", "20500")
    page.fill("#ticket-amount", "0.1")
    page.keyboard.press("Enter")
    rows = page.get_by_test_id("panel-open").locator("tbody tr")
    expect(rows).to_have_count(2)
    assert held(page, "USDT") == before + Decimal("2152.5")  # the stop's, 5% above its trigger
    rows.first.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("No open orders")).to_be_visible()
    expect(page.get_by_label("Notices")).to_contain_text("Pair cancelled")
    assert held(page, "USDT") == before
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_test_id("panel-history").locator("tr [data-list]").first).to_be_visible()


def test_a_trigger_that_would_fire_at_once_is_said_and_not_sent(page: Page) -> None:
    """The last price, and where such a stop belongs; the field is marked and has the focus."""
    place_stop(page, "Stop loss", "Buy", "19999.99", "0.1")
    fault = page.get_by_test_id("stop-problem")
    expect(fault).to_contain_text("The last price is 20000.00, so this would fire at once.")
    expect(fault).to_contain_text("belongs above it; below it, choose take profit.")
    expect(page.locator("#ticket-stop")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#ticket-stop")).to_be_focused()
    page.get_by_role("group", name="Kind of stop").get_by_role("button", name="Take profit").click()
    expect(fault).to_have_count(0)
    page.get_by_role("button", name="\u22122%").click()
    expect(page.locator("#ticket-stop")).to_have_value("19600.00")
    assert page.evaluate("async () => (await fetch('/api/v3/openOrders')).json()") == []


def test_the_ticket_fits_its_column_and_a_phone(page: Page) -> None:
    """With all fields of a stop with a limit nothing overflows, and axe finds nothing serious."""
    page.keyboard.press("o")
    page.get_by_role("group", name="Once it fired").get_by_role("button", name="Limit").click()
    page.fill("#ticket-stop", "1")
    page.keyboard.press("Enter")
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        if width < 1000:
            page.get_by_role("navigation", name="Panels").get_by_role(
                "button", name="Trade"
            ).click()
        wide = page.evaluate(
            """() => [...document.querySelectorAll('.ticket *')].filter(one => {
              const box = one.getBoundingClientRect();
              const room = document.querySelector('.ticket').getBoundingClientRect();
              return box.width > 0 && box.right > room.right + 1;
            }).map(one => one.className)"""
        )
        assert wide == []
        page.evaluate(SETTLED)  # the button changes its colour
        assert page.evaluate(FINDINGS) == []


def rate(house: RunningHouse, interval: str, bar_us: int, strength: int, value: float) -> None:
    """Store a rating as the house's worker does."""
    detail = json.dumps({"averages": value, "oscillators": value / 2})
    row = ("BTCUSDT", interval, "technical_ratings", bar_us, strength, value, detail)
    with sqlite3.connect(house.data / "office.sqlite3", timeout=20) as tables:
        tables.execute(
            "INSERT INTO robots_rating (symbol, interval, kind, bar_us, strength, value, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    tables.close()


def send_signal(house: RunningHouse, summary: str, stamp: str) -> None:
    """Send a signal by a token of the house file: it is for every client of the house."""
    body = json.dumps({"summary": summary, "timestamp": stamp, "symbol": "BTC"}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    reply = house.request("POST", "/api/v1/signals/", body=body, headers=headers)
    assert reply.status == 202, reply.body


def test_ratings_and_signals_are_shown_as_they_come(house: RunningHouse, page: Page) -> None:
    """The gauge of an interval, stale until a new one comes; a signal that is for everybody."""
    hour_us = time.time_ns() // 1000 // HOUR_US * HOUR_US
    page.get_by_role("button", name="Signals").click()
    panel = page.get_by_test_id("signals")
    expect(page.get_by_test_id("rating")).to_have_text("No rating yet")
    rate(house, "1h", hour_us - 3 * HOUR_US, -2, -0.8)
    expect(page.get_by_test_id("rating")).to_have_text("Strong sell")
    expect(panel).to_have_attribute("data-stale", "true")
    expect(page.get_by_test_id("rating-age")).to_contain_text("stale")
    rate(house, "1h", hour_us, 1, 0.3)
    expect(page.get_by_test_id("rating")).to_have_text("Buy")
    expect(panel).to_have_attribute("data-stale", "false")
    expect(panel).to_contain_text("Averages +0.30")
    expect(panel.locator('[data-interval="1h"]')).to_have_attribute("data-summary", "BUY")
    panel.locator('[data-interval="1d"]').click()
    expect(page.get_by_test_id("rating")).to_have_text("No rating yet")
    send_signal(house, "NEUTRAL", "20-07-2022 02:18:10")
    expect(panel.locator("[data-signal]").filter(has_text="Neutral")).to_have_count(1)
    assert page.evaluate(FINDINGS) == []


def test_my_robot_says_why_and_its_kill_switch_asks_once(house: RunningHouse, page: Page) -> None:
    """State, profit of the day and the newest reason; two presses stop it, one does not."""
    send_signal(house, "SELL", "20-07-2022 03:00:00")
    page.get_by_role("tab", name="Robots").click()
    row = page.locator('tr[data-robot="robot-1"]')
    expect(row).to_contain_text("did not sell: 0 BTC, minimum 0.001")
    expect(row.locator("[data-label=State]")).to_have_text("on")
    expect(row.locator('[data-label="Today, USDT"]')).to_have_text("0.00")
    expect(row.get_by_role("link", name="robot-1")).to_have_attribute("href", "/robots/robot-1/")
    assert page.evaluate(FINDINGS) == []
    button = row.get_by_role("button", name="Kill switch of robot-1")
    wide = button.evaluate("one => one.offsetWidth")
    button.click()
    expect(button).to_have_text("Sure?")
    assert button.evaluate("one => one.offsetWidth") == wide
    expect(row).to_have_attribute("data-killed", "false")
    button.evaluate("one => { one.click(); one.click(); }")  # it asks anew after some seconds
    expect(row).to_have_attribute("data-killed", "true")
    expect(row.locator("[data-label=State]")).to_have_text("killed: only reduces")
    expect(page.get_by_label("Notices")).to_contain_text("robot-1 is stopped")
    expect(button).to_have_count(0)

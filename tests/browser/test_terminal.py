"""The page against a running house, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

Open = Callable[..., Visit]

# Pixels on the chart's canvases that have the colour of rising or falling candles.
CANDLE_PIXELS = """host => {
  const style = getComputedStyle(host);
  const colours = ['--chart-up', '--chart-down'].map(name =>
    style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map(part => parseInt(part, 16)));
  let found = 0;
  for (const canvas of host.querySelectorAll('canvas')) {
    if (canvas.width === 0 || canvas.height === 0) continue;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4)
      if (colours.some(c => c.every((part, i) => Math.abs(part - data[at + i]) < 4))) found += 1;
  }
  return found;
}"""

# The ladder's best prices beside those of REST, read as close together as a page can.
BEST_AGREES = """async () => {
  const answer = await fetch('/api/v3/depth?symbol=BTCUSDT&limit=5');
  const depth = await answer.json();
  const shown = document.querySelector('[data-testid="spread"]');
  if (!shown || !depth.bids.length || !depth.asks.length) return false;
  return Number(depth.bids[0][0]) === Number(shown.dataset.bid)
    && Number(depth.asks[0][0]) === Number(shown.dataset.ask);
}"""

# What an admin's page does to begin and end maintenance.
MAINTENANCE = """async maintenance => {
  const token = document.cookie.match(/csrftoken=(\\w+)/)[1];
  const answer = await fetch('/api/v1/house/maintenance/', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-CSRFToken': token },
    body: JSON.stringify({ maintenance }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}"""

# Every state that the badge and the strip go through, from now on.
CLICK_IF_IT_ASKS = """button => {
  const asks = button.textContent.includes('?');
  if (asks) button.click();
  return asks;
}"""
RECORD_STATES = """() => {
  window.seenStates = [];
  window.seenWords = [];
  window.seenBadges = [];
  const note = () => {
    const badge = document.querySelector('[data-testid="connection"]');
    const state = badge?.dataset.state;
    const told = badge?.textContent;
    const words = document.querySelector('[data-testid="not-live"]')?.textContent;
    if (state && state !== window.seenStates.at(-1)) window.seenStates.push(state);
    if (told && told !== window.seenBadges.at(-1)) window.seenBadges.push(told);
    if (words && words !== window.seenWords.at(-1)) window.seenWords.push(words);
  };
  note();
  new MutationObserver(note).observe(document.body,
    { subtree: true, childList: true, attributes: true, characterData: true });
}"""


def read(page: Page, path: str) -> Any:
    """Ask the house as the page does, with its session."""
    return page.evaluate("async path => (await fetch(path)).json()", path)


def wait_until(page: Page, function: str, argument: Any = None, seconds: float = 20) -> None:
    """Ask the page until it says yes.

    Playwright's own waiting needs eval, which the content policy of the page forbids.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(function, argument):
        assert time.monotonic() < deadline, f"not within {seconds} s: {function}"
        page.wait_for_timeout(50)


def balance(page: Page, asset: str) -> tuple[Decimal, Decimal]:
    """Free and held by REST."""
    for row in read(page, "/api/v3/account")["balances"]:
        if row["asset"] == asset:
            return Decimal(row["free"]), Decimal(row["locked"])
    return Decimal(0), Decimal(0)


def best(page: Page) -> tuple[Decimal, Decimal]:
    """Bid and ask on the page."""
    shown = page.get_by_test_id("spread")
    return (
        Decimal(shown.get_attribute("data-bid") or 0),
        Decimal(shown.get_attribute("data-ask") or 0),
    )


def to_tick(price: Decimal) -> str:
    return str(price.quantize(Decimal("0.01")))


def type_ticket(page: Page, side: str, price: str, quantity: str) -> None:
    """Type an order as a person does: the side's key, the fields, Enter."""
    page.keyboard.press("Escape")
    page.keyboard.press("b" if side == "BUY" else "s")
    expect(page.locator("#ticket-amount")).to_be_focused()
    expect(page.get_by_test_id("submit")).to_be_enabled()
    page.fill("#ticket-price", price)
    page.fill("#ticket-amount", quantity)
    page.keyboard.press("Enter")


def wait_purse(page: Page, asset: str, free: Decimal) -> None:
    """Wait until the ticket shows a free balance."""
    text = format(free.normalize(), "f")
    page.wait_for_selector(f'.purse [data-asset="{asset}"][data-free="{text}"]')


def test_candles_are_drawn(visit: Open) -> None:
    """The chart has candles, and they are on its canvas in the colours of the theme."""
    page = visit().page
    chart = page.get_by_test_id("chart")
    expect(chart).to_have_attribute("data-bars", re.compile(r"^\d\d+$"))
    wait_until(page, f"host => ({CANDLE_PIXELS})(host) > 300", chart.element_handle())
    page.get_by_role("button", name="15m").click()
    expect(page.get_by_role("button", name="15m")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Indicators").click()
    page.get_by_label("EMA 26").check()
    expect(chart).to_have_attribute("data-indicators", "1")


def test_the_best_prices_are_those_of_rest(visit: Open) -> None:
    """The local book, built from differences, agrees with REST while the market moves."""
    page = visit().page
    for _ in range(3):
        wait_until(page, BEST_AGREES)
        before = best(page)
        wait_until(
            page,
            """([bid, ask]) => { const shown = document.querySelector('[data-testid="spread"]');
            return shown.dataset.bid !== bid || shown.dataset.ask !== ask; }""",
            [str(before[0]), str(before[1])],
        )


def test_a_lost_difference_is_noticed_and_mended(visit: Open) -> None:
    """With one depth event taken out of the stream the page reads the book anew, and is right."""
    armed: list[bool] = []
    lost: list[str] = []

    def between(page_side: WebSocketRoute) -> None:
        house_side = page_side.connect_to_server()

        def relay(message: str | bytes) -> None:
            text = message if isinstance(message, str) else message.decode()
            if armed and not lost and '"depthUpdate"' in text:
                lost.append(text)
                return
            page_side.send(message)

        house_side.on_message(relay)

    page = visit(between=between).page
    wait_until(page, BEST_AGREES)
    ladder = page.get_by_role("region", name="Order book")
    before = ladder.get_attribute("data-resyncs") or ""
    armed.append(True)
    expect(ladder).not_to_have_attribute("data-resyncs", before)
    assert len(lost) == 1
    wait_until(page, BEST_AGREES)


def test_a_typed_order_fills_and_its_balance_changes(visit: Open) -> None:
    """A limit order through the ask fills at once: more BTC by the fill less the fee."""
    page = visit().page
    coins, _ = balance(page, "BTC")
    wait_purse(page, "BTC", coins)
    type_ticket(page, "BUY", to_tick(best(page)[1] * Decimal("1.002")), "0.01")
    expect(page.get_by_label("Notices")).to_contain_text("Bought 0.01000 BTC")
    expected = coins + Decimal("0.01") * Decimal("0.999")
    wait_purse(page, "BTC", expected)
    assert balance(page, "BTC") == (expected, Decimal(0))
    page.get_by_role("tab", name="Fills").click()
    expect(page.get_by_test_id("panel-fills").locator("tbody tr").first).to_contain_text("BTC/USDT")


def test_an_open_order_is_cancelled(visit: Open) -> None:
    """An order far below the market rests, holds its cost, and gives all back when cancelled."""
    page = visit().page
    free, held = balance(page, "USDT")
    price = to_tick(best(page)[0] * Decimal("0.9"))
    type_ticket(page, "BUY", price, "0.02")
    row = page.get_by_test_id("panel-open").locator("tbody tr")
    expect(row).to_have_count(1)
    cost = Decimal(price) * Decimal("0.02")
    wait_purse(page, "USDT", free - cost)
    assert balance(page, "USDT") == (free - cost, held + cost)
    row.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("No open orders")).to_be_visible()
    wait_purse(page, "USDT", free)
    assert balance(page, "USDT") == (free, held)


def test_cancel_all_asks_once_and_empties_the_list(visit: Open) -> None:
    """Two resting orders go with one confirmed button."""
    page = visit().page
    for part in ("0.90", "0.91"):
        type_ticket(page, "BUY", to_tick(best(page)[0] * Decimal(part)), "0.01")
        expect(page.locator("#ticket-amount")).to_have_value("")
    rows = page.get_by_test_id("panel-open").locator("tbody tr")
    expect(rows).to_have_count(2)
    button, confirmed = page.get_by_test_id("cancel-all"), False
    while not confirmed:  # it asks for 4 s only
        button.click()
        expect(button).to_have_text("Cancel 2?")
        confirmed = button.evaluate(CLICK_IF_IT_ASKS)
    expect(page.get_by_text("No open orders")).to_be_visible()
    expect(page.get_by_text("2 orders on BTC/USDT")).to_be_visible()
    expect(page.get_by_text("Order cancelled")).to_have_count(0)
    assert read(page, "/api/v3/openOrders") == []


def test_a_refusal_is_told_in_the_words_of_the_house(visit: Open) -> None:
    """What the ticket can't foresee is refused by the house, and its sentence is shown."""
    opened = visit()
    page = opened.page

    def spoil(route: Route) -> None:
        route.continue_(url=re.sub(r"quantity=[0-9.]+", "quantity=0.000001", route.request.url))

    page.route("**/api/v3/order?*", spoil)
    type_ticket(page, "BUY", to_tick(best(page)[0] * Decimal("0.9")), "0.01")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("LOT_SIZE")
    expect(alert).to_contain_text("-1013")
    opened.complaints[:] = [one for one in opened.complaints if "400" not in one]


def test_a_lost_answer_is_asked_after(visit: Open) -> None:
    """An order whose answer was lost is looked up by its client order id, never sent twice."""
    opened = visit()
    page = opened.page
    sent: list[str] = []

    def swallow(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.url)
        route.fetch()
        route.abort()

    page.route("**/api/v3/order?*", swallow)
    type_ticket(page, "BUY", to_tick(best(page)[0] * Decimal("0.9")), "0.01")
    expect(page.get_by_label("Notices")).to_contain_text("The order had arrived")
    assert len(sent) == 1
    row = page.get_by_test_id("panel-open").locator("tbody tr")
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("No open orders")).to_be_visible()
    opened.complaints[:] = [one for one in opened.complaints if "ERR_FAILED" not in one]


def test_the_ticket_says_what_would_be_right(visit: Open) -> None:
    """A price off the tick isn't sent: the nearest two are offered, and one click takes one."""
    page = visit().page
    type_ticket(page, "BUY", "20.555", "1")
    fault = page.get_by_test_id("price-problem")
    expect(fault).to_have_text("Tick size is 0.01; the price was 20.555.")
    page.get_by_role("button", name="Use 20.56").click()
    expect(page.locator("#ticket-price")).to_have_value("20.56")
    expect(fault).to_have_count(0)
    assert read(page, "/api/v3/openOrders") == []


def test_a_tablet_has_every_panel_under_the_houses_name(visit: Open) -> None:
    """At 768 px trades, signals and a row's button are in sight; nothing is wider than the page."""
    page = visit(768, 1024).page
    expect(page).to_have_title(re.compile("BTC/USDT \u00b7 Rialto$"))
    expect(page.get_by_role("link", name="Rialto, home")).to_be_visible()
    page.get_by_role("button", name="Signals", exact=True).click()
    expect(page.get_by_test_id("signals")).to_be_in_viewport()
    type_ticket(page, "BUY", to_tick(best(page)[0] * Decimal("0.9")), "0.01")
    row = page.get_by_test_id("panel-open").locator("tbody tr").first
    button = row.get_by_role("button", name="Cancel")
    expect(button).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 768
    button.click()
    expect(page.get_by_text("No open orders")).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_overflows_on_a_phone(visit: Open, scheme: str) -> None:
    """At 390 px every tab fits, and the ticket's button can be reached."""
    page = visit(390, 844, scheme).page
    panels = page.get_by_role("navigation", name="Panels")
    for name in ("Chart", "Book", "Trade", "Orders"):
        panels.get_by_role("button", name=name).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.evaluate(
            """() => [...document.querySelectorAll('#terminal *')].filter(one => {
              const box = one.getBoundingClientRect();
              return box.width > 0 && box.right > innerWidth + 1 && !one.closest('.chart .host');
            }).map(one => one.className)"""
        )
        assert wide == []
    panels.get_by_role("button", name="Trade").click()
    button = page.get_by_test_id("submit")
    button.scroll_into_view_if_needed()
    expect(button).to_be_in_viewport()


def test_it_says_when_it_is_not_live_and_recovers(visit: Open) -> None:
    """With the edge killed the page says so, offers no order, and comes back by itself."""
    opened = visit()
    page = opened.page
    page.evaluate(RECORD_STATES)
    edges = opened.house.children("edge")
    assert edges
    for pid in edges:
        os.kill(pid, signal.SIGKILL)
    wait_until(page, "() => window.seenStates.includes('reconnecting')")
    opened.wait_live(60)
    words = page.evaluate("window.seenWords.join(' ')")
    assert "Not live" in words
    assert "UTC" in words
    wait_until(page, BEST_AGREES)
    expect(page.get_by_test_id("submit")).to_be_enabled()
    opened.complaints.clear()  # refused connections are what this test is about


def test_a_silent_house_is_called_stale(visit: Open) -> None:
    """An edge that is only frozen is noticed too: the badge says since when nothing was heard."""
    opened = visit()
    page = opened.page
    page.evaluate(RECORD_STATES)
    edges = opened.house.children("edge")
    for pid in edges:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(page, "() => window.seenStates.includes('stale')")
        expect(page.get_by_test_id("submit")).to_be_disabled()
        badges = page.evaluate("window.seenBadges.join(' ')")  # it says so for 4 s
        assert "Stale since" in badges
    finally:
        for pid in edges:
            os.kill(pid, signal.SIGCONT)
    opened.wait_live(60)
    opened.complaints.clear()


def test_maintenance_is_said_and_closes_the_ticket(visit: Open) -> None:
    """A banner over the page and no button to send with, within seconds; then all is as before."""
    opened = visit()
    page = opened.page
    page.evaluate(MAINTENANCE, True)
    try:
        banner = page.get_by_test_id("maintenance")
        expect(banner).to_contain_text("no new orders")
        expect(page.get_by_test_id("submit")).to_be_disabled()
        expect(page.get_by_test_id("submit")).to_have_text("In maintenance")
    finally:
        page.evaluate(MAINTENANCE, False)
    expect(page.get_by_test_id("maintenance")).to_have_count(0)
    expect(page.get_by_test_id("submit")).to_be_enabled()

"""Take the pictures of the terminal that the docs show, from a running demo house.

    python docs/images/take.py http://127.0.0.1:8000 ann rialto-practice

Places a few small orders of the practice member so that the panels have something to show, and
cancels them afterwards. Writes docs/images/terminal-<theme>-<width>.png.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.chromium import open_browser  # noqa: E402

LIVE: Final = '[data-testid="connection"][data-state="live"]'
SETTLE_MS: Final = 1_500


def sign_in(page: Page, base_url: str, username: str, password: str) -> None:
    page.goto(f"{base_url}/login?next=/trade/")
    page.fill('input[name="username"]', username)
    page.fill('input[name="password"]', password)
    page.press('input[name="password"]', "Enter")
    page.wait_for_selector(LIVE)
    page.wait_for_selector('[data-testid="submit"]:enabled')


def best_bid(page: Page) -> float:
    return float(page.get_by_test_id("spread").get_attribute("data-bid") or 0)


def order(page: Page, key: str, price: float, quantity: str) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press(key)
    page.wait_for_timeout(100)
    page.fill("#ticket-price", f"{price:.2f}")
    page.fill("#ticket-amount", quantity)
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)


def stop(page: Page, side: str, price: float, quantity: str) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    page.get_by_role("group", name="Side").get_by_role("button", name=side).click()
    page.fill("#ticket-stop", f"{price:.2f}")
    page.fill("#ticket-amount", quantity)
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)


def prepare(page: Page) -> None:
    """Two orders that wait in the book, one that waits for its price, one that fills."""
    bid = best_bid(page)
    stop(page, "Sell", bid * 0.995, "0.1")
    page.keyboard.press("l")
    order(page, "b", bid * 0.9985, "0.15")
    order(page, "s", bid * 1.0025, "0.2")
    order(page, "b", bid * 1.002, "0.02")


def pictures(browser: Browser, base_url: str, state: object) -> None:
    for theme in ("dark", "light"):
        for width, height in ((1440, 900), (390, 844)):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                device_scale_factor=1 if width > 1000 else 2,
                storage_state=state,  # type: ignore[arg-type] # what Playwright itself gave
            )
            page = context.new_page()
            page.goto(f"{base_url}/trade/?symbol=BTCUSDT")
            page.wait_for_selector(LIVE)
            if width > 1000:
                page.get_by_role("button", name="Indicators").click()
                page.get_by_label("SMA 20").check()
                page.get_by_label("EMA 26").check()
                page.get_by_role("heading", name="Order book").click()
                page.fill("#ticket-amount", "0.05")
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=HERE / f"terminal-{theme}-{width}.png")
            if width > 1000:
                page.get_by_role("button", name="Signals").click()
                page.get_by_role("button", name="Stop", exact=True).click()
                page.fill("#ticket-stop", f"{best_bid(page) * 1.01:.2f}")
                page.fill("#ticket-amount", "0.05")
                page.wait_for_timeout(SETTLE_MS)
                page.screenshot(path=HERE / f"terminal-{theme}-{width}-signals.png")
            if width < 1000:
                for panel in ("Book", "Trade", "Orders"):
                    panels = page.get_by_role("navigation", name="Panels")
                    panels.get_by_role("button", name=panel).click()
                    page.wait_for_timeout(SETTLE_MS // 3)
                    name = f"terminal-{theme}-{width}-{panel.lower()}.png"
                    page.screenshot(path=HERE / name)
                panels.get_by_role("button", name="Book").click()
                page.get_by_role("button", name="Signals").click()
                page.wait_for_timeout(SETTLE_MS // 3)
                page.screenshot(path=HERE / f"terminal-{theme}-{width}-signals.png")
            context.close()


def main(base_url: str, username: str, password: str) -> None:
    with open_browser() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        sign_in(page, base_url, username, password)
        prepare(page)
        pictures(browser, base_url, context.storage_state())
        page.get_by_test_id("cancel-all").click()
        page.get_by_test_id("cancel-all").click()
        page.get_by_text("No open orders").wait_for()


if __name__ == "__main__":
    main(*sys.argv[1:4])

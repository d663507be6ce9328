"""A member's way in a browser: an account, a strategy, its token, and a page that follows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import open_browser
from tests.house_fixture import RunningHouse, open_house

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]
LIVE_MS = 10_000  # the page is live within a second; a busy machine of tests may take longer


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_house() as running:
        yield running


@pytest.fixture
def page(house: RunningHouse) -> Iterator[Page]:
    with open_browser() as browser:
        made = browser.new_page(base_url=house.url)
        made.goto("/login")
        made.get_by_label("User name or e-mail").fill("bob")
        made.get_by_label("Password").fill("bob-s long password")
        made.get_by_label("Password").press("Enter")
        made.wait_for_url("**/trade/")
        yield made


def send_report(house: RunningHouse, token: str, wallet: str) -> int:
    words = {
        "strategy_access_token": token,
        "last_price": 64231.5,
        "margin_balance": wallet,
        "wallet_balance": wallet,
        "realised_pnl": "-3.21",
        "positions": 1500,
        "symbol": "XBTUSD",
        "average_entry_price": 63999.5,
    }
    body = json.dumps({"data": words}).encode()
    return house.request("POST", "/api/v1/strategy/", body=body).status


def test_a_member_sets_a_strategy_up_and_watches_it(house: RunningHouse, page: Page) -> None:
    """S1-4 to S1-9 by hand: each report is on both pages without a reload, until revoked."""
    page.goto("/dashboard/")
    page.get_by_role("link", name="Add a strategy").click()
    page.get_by_label("Name").fill("BitMEX")
    page.get_by_role("button", name="Make the account").click()
    page.goto("/dashboard/strategies/new")
    page.get_by_label("Name").fill("momentum")
    page.get_by_label("Symbol").fill("XBTUSD")
    page.get_by_role("button", name="Make the strategy").click()
    token = page.locator("[data-token]").inner_text()

    page.goto("/dashboard/")
    equity = page.locator("[data-live=equity]")
    expect(page.locator("[data-connection]")).to_have_text("live", timeout=LIVE_MS)
    for wallet, shown in (("12000.5", "12,000.5"), ("12100", "12,100"), ("11900.25", "11,900.25")):
        assert send_report(house, token, wallet) == 201
        expect(equity).to_have_text(shown, timeout=LIVE_MS)
        row = page.locator("tr", has_text="momentum")
        expect(row.locator("[data-value=margin_balance]")).to_have_text(shown)
    expect(page.locator("[data-live=pnl_24h]")).to_have_text("\N{MINUS SIGN}100.25")

    page.get_by_role("link", name="momentum").click()
    first = page.locator("[data-reports] tbody tr").first
    expect(first).to_contain_text("11,900.25")
    expect(page.locator("[data-connection]")).to_have_text("live", timeout=LIVE_MS)
    assert send_report(house, token, "13000") == 201
    expect(first).to_contain_text("13,000", timeout=LIVE_MS)
    assert page.locator("[data-reports] tbody tr").count() == 4
    assert page.get_by_text(token).count() == 0
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("The token is revoked.").wait_for()
    assert send_report(house, token, "1") == 404

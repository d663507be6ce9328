"""A member's way in a browser: an account, a strategy, its token, and a page that follows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.house_fixture import RunningHouse, open_house

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]
POSTS = 60  # each seen before the next is sent: about a minute


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_house() as running:
        yield running


@pytest.fixture
def page(browser: Browser, house: RunningHouse) -> Iterator[Page]:
    made = browser.new_page(base_url=house.url)
    made.goto("/login")
    made.get_by_label("User name or e-mail").fill("bob")
    made.get_by_label("Password").fill("bob-s long password")
    made.get_by_label("Password").press("Enter")
    made.wait_for_url("**/trade/")
    yield made
    made.close()


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
    expect(page.locator("[data-connection]")).to_have_text("live")
    for wallet, shown in (("12000.5", "12,000.5"), ("12100", "12,100"), ("11900.25", "11,900.25")):
        assert send_report(house, token, wallet) == 201
        expect(equity).to_have_text(shown)
        row = page.locator("tr", has_text="momentum")
        expect(row.locator("[data-value=margin_balance]")).to_have_text(shown)
    expect(page.locator("[data-live=pnl_24h]")).to_have_text("\N{MINUS SIGN}100.25")

    page.get_by_role("link", name="momentum").click()
    first = page.locator("[data-reports] tbody tr").first
    expect(first).to_contain_text("11,900.25")
    expect(page.locator("[data-connection]")).to_have_text("live")
    assert send_report(house, token, "13000") == 201
    expect(first).to_contain_text("13,000")
    assert page.locator("[data-reports] tbody tr").count() == 4
    assert page.get_by_text(token).count() == 0
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("The token is revoked.").wait_for()
    assert send_report(house, token, "1") == 404


def test_a_script_reports_and_the_page_moves_with_each(house: RunningHouse, page: Page) -> None:
    """The issue's way: token copied, a script posts, and the record's page follows each post."""
    page.goto("/dashboard/accounts/new")
    page.get_by_label("Name").fill("Kraken")
    page.get_by_role("button", name="Make the account").click()
    page.goto("/dashboard/strategies/new")
    page.get_by_label("Name").fill("trend")
    page.get_by_label("Account").select_option(label="Kraken")
    page.get_by_label("Reports").select_option("60")
    page.get_by_role("button", name="Make the strategy").click()
    token = page.locator("[data-token]").inner_text()
    page.goto("/dashboard/strategies")
    page.get_by_role("link", name="trend").click()
    expect(page.locator("[data-connection]")).to_have_text("live")
    waited = []
    for step in range(POSTS):
        wallet = 10_000 + 137 * step * (-1) ** step
        begun = time.monotonic()
        assert send_report(house, token, str(wallet)) == 201
        expect(page.locator("[data-reports] tbody tr").first).to_contain_text(f"{wallet:,}")
        expect(page.locator("[data-figure=equity]")).to_have_text(f"{wallet:,}")
        waited.append(time.monotonic() - begun)
    print(f"seen after {sorted(waited)[POSTS // 2]:.2f} s (median), {max(waited):.2f} s at most")
    expect(page.locator(".plot:not(.under) polyline.line").first).to_be_visible()
    expect(page.locator("[data-late-after]")).to_be_hidden()
    page.get_by_role("link", name="7d", exact=True).click()
    page.wait_for_url("**span=7d**")
    page.get_by_role("link", name="log", exact=True).click()
    expect(page.locator("[data-track]")).to_have_attribute("data-scale", "log")
    assert "span=7d" in page.url, "the span stays when the scale changes"
    page.get_by_role("link", name="Compare").last.click()
    expect(page.get_by_role("checkbox", name="trend")).to_be_checked()
    page.get_by_role("checkbox", name="BTCUSDT").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("table.side thead")).to_contain_text("BTCUSDT")

"""The whole way of a member in a real browser: from an invite to a statement that is right."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.test_people_in_a_browser import (
    FILE,
    confirm_access,
    join,
    set_up_totp,
    sign_in,
    totp,
)
from tests.house_fixture import Credentials, RunningHouse, open_house

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

STAFF = {"ann": "ann-s long password", "mia": "mia-s long password"}
MIA = """
[[members]]
username = "mia"
email = "mia@example.com"
password = "mia-s long password"
roles = ["member", "moderator"]
"""
LIMITED = FILE.replace("decimals = 8\n", 'decimals = 8\nsecond_approver_above = "1000"\n', 1)
ZERO = Decimal(0)
WAIT_S = 30.0


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house whose withdrawals above 1,000 USDT want two people, and wait for nothing else."""
    settings = "rate_limits = false\nwithdrawal_delay_s = 0"
    with open_house(file_text=LIMITED, more=MIA, settings=settings) as running:
        yield running


@pytest.fixture
def opened(browser: Browser, house: RunningHouse) -> Iterator[list[BrowserContext]]:
    """Browsers of people, closed at the end; an error on a console fails the test."""
    made: list[BrowserContext] = []
    yield made
    for context in made:
        context.close()


def enter(
    browser: Browser, house: RunningHouse, opened: list[BrowserContext], said: list[str]
) -> Page:
    """Open a browser of somebody's own."""
    context = browser.new_context(base_url=f"http://localhost:{house.port}", accept_downloads=True)
    context.set_default_timeout(20_000)
    opened.append(context)
    page = context.new_page()
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page


def enter_staff(page: Page, name: str) -> None:
    """Sign in, set up the second factor that staff need, and open the money page."""
    sign_in(page, name, STAFF[name])
    page.wait_for_url("**/account/mfa/")
    set_up_totp(page, STAFF[name])
    page.goto("/staff/money/")
    expect(page.get_by_role("heading", name="Money in and out")).to_be_visible()


def confirm_address(page: Page, house: RunningHouse) -> None:
    """Follow the link of the newest mail."""
    mails = sorted((house.data / "mail").glob("*.log"), key=lambda path: path.stat().st_mtime)
    text = "".join(path.read_text() for path in mails).replace("=\n", "")
    links = re.findall(r"http://localhost:\d+(/profile/confirm/\S+)", text)
    assert links, text
    page.goto(links[-1])
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()


def pay(page: Page) -> None:
    """The gate leads to the checkout, and the sandbox's webhook opens it."""
    page.goto("/dashboard/")
    page.wait_for_url("**/memberships/checkout**")
    page.get_by_role("button", name="Become a member").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    for _ in range(100):
        page.goto("/dashboard/")
        if "/dashboard/" in page.url:
            break
        page.wait_for_timeout(100)
    expect(page.get_by_text("You are a member until")).to_be_visible()


def make_key(page: Page, password: str) -> Credentials:
    page.goto("/profile/keys")
    confirm_access(page, password)
    page.get_by_label("Name, for you").fill("bot")
    page.get_by_label("trade", exact=True).check()
    page.get_by_role("button", name="Make the key").click()
    shown = [page.locator(f"[data-{name}]").inner_text() for name in ("key", "secret")]
    return Credentials(*shown)


def free(house: RunningHouse, who: Credentials, asset: str) -> Decimal:
    rows = house.signed(who, "GET", "/api/v3/account").json["balances"]
    return next((Decimal(row["free"]) for row in rows if row["asset"] == asset), ZERO)


def deposit(staff: Page, name: str, amount: str) -> None:
    staff.goto("/staff/money/")
    staff.get_by_label("Member").fill(name)
    staff.get_by_label("Amount").fill(amount)
    staff.get_by_label("Asset").select_option("USDT")
    staff.get_by_role("button", name="Record").click()
    expect(staff.get_by_text("The deposit is recorded.")).to_be_visible()


def order(house: RunningHouse, who: Credentials, side: str, price: int) -> None:
    said = house.signed(
        *(who, "POST", "/api/v3/order"),
        symbol="BTCUSDT",
        side=side,
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.01",
        price=price,
    )
    assert said.status == 200, said.body


def withdraw(page: Page, amount: str, password: str) -> None:
    page.goto("/money/")
    form = page.locator('form[action="/money/withdraw"]')
    form.get_by_label("Asset").select_option("USDT")
    form.get_by_label("Amount").fill(amount)
    form.get_by_label("Where to").fill("my bank")
    form.get_by_label("Your password").fill(password)
    form.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The withdrawal is held")).to_be_visible()


def approve(staff: Page) -> None:
    staff.goto("/staff/money/")
    staff.get_by_role("button", name="Approve withdrawal").click()
    expect(staff.get_by_text("Your approval is recorded.")).to_be_visible()


def await_state(page: Page, state: str) -> None:
    for _ in range(200):
        page.goto("/money/")
        if page.locator(".badge", has_text=state).count():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"no withdrawal became {state}: {page.locator('main').inner_text()}")


def download_statement(page: Page) -> list[dict[str, str]]:
    page.goto("/statements/")
    page.locator("main table a").first.click()
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download CSV").click()
    text = Path(waited.value.path()).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def check_sums(rows: list[dict[str, str]]) -> dict[str, Decimal]:
    """Opening and postings give the closing, of each asset; return the closings."""
    sums: dict[str, Decimal] = {}
    closing: dict[str, Decimal] = {}
    for row in rows:
        amount = Decimal(row["amount"])
        if row["row"] in {"opening", "posting"}:
            sums[row["asset"]] = sums.get(row["asset"], ZERO) + amount
        elif row["row"] == "closing":
            closing[row["asset"]] = amount
    assert sums == closing
    return closing


def test_a_guest_becomes_a_member_trades_and_takes_money_out(
    browser: Browser, house: RunningHouse, opened: list[BrowserContext]
) -> None:
    """Invite, mail, second factor, payment, key, deposit, trade, two approvers, statement."""
    said: list[str] = []
    page, ann, mia = (enter(browser, house, opened, said) for _ in range(3))
    password = "a password that nobody has"
    join(page, "walker")
    confirm_address(page, house)
    secret = set_up_totp(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "walker")
    page.wait_for_url("**/account/mfa/authenticate/")
    page.get_by_label("Code").fill(totp(secret))
    page.get_by_role("button", name="Sign in", exact=False).first.click()
    page.wait_for_url("**/trade/")
    pay(page)
    key = make_key(page, password)
    assert free(house, key, "USDT") == ZERO

    enter_staff(ann, "ann")
    enter_staff(mia, "mia")
    deposit(ann, "walker", "990")
    deposit(ann, "walker", "910")
    assert free(house, key, "USDT") == 1900
    order(house, house.bob, "SELL", 60_000)
    order(house, key, "BUY", 60_000)
    assert free(house, key, "USDT") == 1300
    assert free(house, key, "BTC") == Decimal("0.00999")  # a thousandth is the house's

    withdraw(page, "1200", password)
    assert free(house, key, "USDT") == 100
    approve(ann)
    page.goto("/money/")
    expect(page.locator(".badge", has_text="held")).to_be_visible()  # one yes is not two
    approve(mia)
    await_state(page, "settled")

    wanted = {"USDT": Decimal(100), "BTC": Decimal("0.00999")}
    deadline = time.monotonic() + WAIT_S
    while (closing := check_sums(download_statement(page))) != wanted:  # history comes after
        assert time.monotonic() < deadline, closing
    assert [text for text in said if "Failed to load resource" not in text] == []


def test_a_statement_that_is_wrong_is_caught() -> None:
    """The planted bug: a posting that the file leaves out."""
    row = {"row": "opening", "asset": "USDT", "amount": "1"}
    rows = [row, {**row, "row": "posting"}, {**row, "row": "closing", "amount": "2"}]
    check_sums(rows)
    with pytest.raises(AssertionError):
        check_sums([rows[0], rows[2]])

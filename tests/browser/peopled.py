"""A house in which something has happened to everybody, and the way to each of its pages.

    with open_house(file_text=FILE, settings=SETTINGS) as house:
        settle(house)
        for stop in STOPS: ...

Promises: each kind of row is there in its states (deposits, withdrawals, keys, tokens, payments,
trades, proofs, log entries, orders on every kind of market), beside one member who has nothing
yet; STOPS names every page once, with what a person does there before it is looked at. Used by the
tests of every page and by the program that takes their pictures.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from math import sin
from typing import Final, NamedTuple

from playwright.sync_api import FilePayload, Page, expect

from tests.house_fixture import HOUSE_FILE, RunningHouse
from tests.outside_house import OUTSIDE, Feed
from tests.treasury.people import Person

__all__ = ["FILE", "SETTINGS", "STOPS", "Stop", "confirm_password", "open_stop", "settle"]

CODE: Final = "annInvitesYou"
USED_UP: Final = "fourJoinedByThis"
LONG: Final = "maximiliana.von.hohenberg-und-sonnenfeld"
FRESH: Final = "newcomer"
MARKET: Final = "BTCUSDT"
STRATEGIES: Final = {"momentum": "BitMEX", "mean reversion": "BitMEX", "carry": "Kraken futures"}
BROKERAGE: Final = "".join(
    f'[[members.brokerage_accounts]]\nname = "{name}"\n'
    for name in sorted(set(STRATEGIES.values()))
) + "".join(
    f'[[members.strategies]]\nname = "{name}"\nbrokerage_account = "{account}"\n'
    f'symbol = "XBTUSD"\naccess_token = "reports-of-{name}"\n'
    for name, account in STRATEGIES.items()
)
ROBOT: Final = """
[[members.robots]]
id = "tide"
active = false
allotment = {{ USDT = "2500", BTC = "0.05" }}
[[members.robots]]
id = "chart-follower"
config = {{ buy_on = 1, sell_on = 1, symbols = ["BTC"], operation_amount = 400 }}
allotment = {{ USDT = "350" }}
"""
SETTINGS: Final = 'rate_limits = false\nstaff_mfa = false\nwithdrawal_delay_s = 0\ncash = "USDT"'
FILE: Final = (
    HOUSE_FILE.replace('name = "Test house"', 'name = "Rialto"')
    .replace("decimals = 8\n", 'decimals = 8\nsecond_approver_above = "50000"\n', 1)
    .replace('username = "ann"', f'username = "ann"\ninvite_code = "{CODE}"')
    .replace('username = "bob"', f'username = "bob"\ninvite_code = "{USED_UP}"')
    + BROKERAGE
    + ROBOT
    + OUTSIDE
)
LIVE: Final = '[data-testid="connection"][data-state="live"]'


def password(name: str) -> str:
    return "as long as the name" if name == LONG else f"{name}-s long password"


# ---- what has happened


def settle(house: RunningHouse) -> None:
    """Let people join, pay, trade and move money."""
    ann, bob = Person(house, "ann"), Person(house, "bob")
    for name in (LONG, "carla", "dmitri", "eve", "farid"):
        join(house, USED_UP, name)
    join(house, CODE, FRESH)
    carla = Person(house, "carla")
    pay(carla)
    trade(house)
    trade_outside(house, bob)
    move_money(ann, bob)
    make_keys(bob)
    send_reports(house)
    run_robots(ann, bob)
    send_alerts(house, bob)
    Person(house).post_form("/login", {"username": "bob", "password": "not it"})
    ann.post_form("/proofs/publish", {}, page="/proofs/")


RULE: Final = """{
  "$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": "60000", "type": "gte"}},
  "$do": {"$order": {"kind": "MARKET", "intent": "BUY", "shares": "0.1"}},
  "$then": {
    "$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": "90000", "type": "gte"}},
    "$do": {"$order": {"kind": "MARKET", "intent": "SELL", "shares": {"$position": "BTC"}}}
  }
}"""


SIGNALS: Final = {
    "id": "tape-reader",
    "mode": "paper",
    "cash": "5000",
    "symbols": "BTC",
    "buy_on": "BUY",
    "sell_on": "SELL",
    "operation_amount": "500",
    "operation_stop_loss": "25",
    "day_stop_loss": "150",
    "orders_day_max": "20",
}


def run_robots(ann: Person, bob: Person) -> None:
    """Bob has a robot of each kind on paper, and tried a rule on the past; staff stop another."""
    fields = {"id": "dip-buyer", "mode": "paper", "cash": "20000", "rule": RULE}
    status, text = bob.post_form("/robots/new/", fields)
    assert status == 200, text
    status, text = bob.post_form("/robots/new/signals/", SIGNALS)
    assert status == 200, text
    status, text = bob.post_form("/robots/backtests/", {"cash": "20000", "rule": RULE})
    assert status == 200, text
    status, text = ann.post_form("/staff/robots/", {"kill": "tide"})
    assert status == 200, text


def send_alerts(house: RunningHouse, bob: Person) -> None:
    """A chart sends bob an alert of each kind; another of his hooks waits for its first."""
    _, page = bob.post_form("/hooks/", {"name": "breakout, 1 h", "symbol": "BTC"})
    found = re.search(r"data-address>[^<]*(/api/v1/hooks/in/[^<]+)<", page)
    assert found, page
    said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    long, out = (
        f'{{"action": "{side}", "ticker": "BTCUSDT", "order_id": "{name}", "time": "{said}"}}'
        for side, name in (("buy", "Long"), ("sell", "Exit"))
    )
    for body in (long, long, out, "price crossed 64,000"):
        assert house.request("POST", found[1], body=body.encode()).status == 202
    fields = {"name": "desk", "template": "{summary} {symbol} #{key}", "addresses": "192.0.2.0/24"}
    bob.post_form("/hooks/", fields)


def join(house: RunningHouse, code: str, name: str) -> None:
    fields = {"username": name, "email": f"{name}@example.com", "password": password(name)}
    status, text = Person(house).post_form(f"/invite/{code}", fields)
    assert status == 200, text


def pay(person: Person) -> None:
    """Buy a membership in the sandbox; its webhook comes by itself."""
    _, text = person.post_form("/memberships/checkout", {})
    found = re.search(r'action="(/sandbox/checkout/[^"]+)"', text)
    assert found, text
    person.post_form(found[1], {"outcome": "success", "pay": "1"})
    deadline = time.monotonic() + 30
    while "is not found" in person.get("/dashboard/")[1] and time.monotonic() < deadline:
        time.sleep(0.1)


def trade(house: RunningHouse) -> None:
    """Bob buys and sells, as maker and as taker."""
    for symbol, price in (("BTCUSDT", 64_250), ("ETHUSDT", 3_120)):
        for buyer, seller, at in (
            (house.bob, house.ann, price),
            (house.ann, house.bob, price + price // 50),
        ):
            for who, side in ((seller, "SELL"), (buyer, "BUY")):
                said = house.signed(
                    *(who, "POST", "/api/v3/order"),
                    symbol=symbol,
                    side=side,
                    type="LIMIT",
                    timeInForce="GTC",
                    quantity="0.25",
                    price=at,
                )
                assert said.status == 200, said.body


def trade_outside(house: RunningHouse, bob: Person) -> None:
    """An hour of prices; bob has bought a part and waits for the rest, and waits in a pool."""
    bounded = {"symbol": "CIBUSDT", "side": "BUY", "quantity": "120"}
    with Feed(house) as feed:
        for step in range(360, 0, -1):  # a wave, so that the chart has a shape
            cents = 2800 + 22 * sin(step / 23) + 9 * sin(step / 7) + step * 7 % 5
            feed.quote("CIBUSDT", f"{cents / 100:.2f}", 40 + step % 9, ago_s=60 + 10 * step)
        assert bob.ask("POST", "/orders", **bounded, upper_bound="28.20").status == 201
        feed.quote("CIBUSDT", "28.05", 46, ago_s=20)
        low = bounded | {"lower_bound": "24.50", "upper_bound": "26.00"}
        assert bob.ask("POST", "/orders", **low).status == 201
        feed.quote("CIBUSDT", "28.22", 31, ago_s=5)
    pooled = {"symbol": "ABANUSDT", "side": "BUY", "quantity": "0.42"}
    assert bob.ask("POST", "/orders", **pooled).status == 201


def move_money(ann: Person, bob: Person) -> None:
    """Deposits and withdrawals in each state, and a sub-account with money on it."""
    for name, asset, amount, note in (
        ("bob", "USDT", "2500.5", "bank transfer of 3 May, reference 2026-05-0017"),
        ("bob", "USDT", "75000", "above the limit: waits for another"),
        (LONG, "USDT", "1234567.891", "a long amount for a long name"),
    ):
        fields = {"username": name, "asset": asset, "amount": amount, "note": note}
        ann.post_form("/staff/money/deposit", fields, page="/staff/money/")
    numbers = [
        bob.withdraw(amount, asset, password=password("bob")).words["id"]
        for amount, asset in (("1250", "USDT"), ("0.5", "BTC"), ("60000", "USDT"), ("10", "ETH"))
    ]
    bob.ask("POST", f"/withdrawals/{numbers[0]}/cancel")
    ann.ask("POST", f"/withdrawals/{numbers[1]}/approve")
    bob.post_form("/money/accounts", {"name": "savings"}, page="/money/")
    accounts = bob.accounts()
    spot, savings = accounts["spot"]["id"], accounts["savings"]["id"]
    moved = {"account": spot, "to_account": savings, "asset": "USDT", "amount": "10000"}
    assert bob.ask("POST", "/transfers", **moved).status == 201


def make_keys(bob: Person) -> None:
    """Keys and tokens that live, and some that are revoked."""
    for path, action in (("/profile/keys", "key"), ("/profile/tokens", "token")):
        _, page = bob.get(path)
        if "reauthenticate" in page:
            asked = f"/account/reauthenticate/?next={path}"
            bob.post_form(asked, {"password": password("bob")})
            _, page = bob.get(path)
        account = re.search(r'<option value="(\d+)"', page)
        for label in ("market maker in the cellar", "spreadsheet"):
            fields = {"label": label, "scopes": "1" if action == "key" else "read"}
            if account:
                fields["account"] = account[1]
            _, page = bob.post_form(path, fields)
        last = re.findall(r'name="revoke" value="(\d+)"', page)
        bob.post_form(path, {"revoke": last[-1]})


def send_reports(house: RunningHouse) -> None:
    """Ten days of reports, one in two hours: a rise, a fall, and days on which one is silent."""
    end = time.time() // 3600 * 3600
    for place, name in enumerate(STRATEGIES):
        for step in range(120):
            if name == "carry" and 40 < step < 70:
                continue
            wallet = 12_000 + 4_000 * place + 900 * math.sin(step / 17 + place) + 7.25 * step
            moment = time.gmtime(end - (119 - step) * 7200)
            words = {
                "strategy_access_token": f"reports-of-{name}",
                "last_price": f"{64_000 + 40 * step}.5",
                "margin_balance": f"{wallet * 0.94:.2f}",
                "wallet_balance": f"{wallet:.2f}",
                "realised_pnl": f"{7.25 * step:.2f}",
                "positions": 1500 - 20 * step,
                "symbol": "XBTUSD",
                "average_entry_price": "63999.5",
                "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
            }
            body = json.dumps({"data": words}).encode()
            said = house.request("POST", "/api/v1/strategy/", body=body)
            assert said.status == 201, said.body


# ---- the way to each page


class Stop(NamedTuple):
    """A page: whose browser opens it, where, and what is done there first."""

    name: str
    who: str  # "" is a stranger
    path: str
    act: Callable[[Page], None] = lambda page: None


def goes_to_work(page: Page) -> None:
    """Wait until the bot has looked at its rule."""
    _until(page, "[data-reasons] li")


def has_decided(page: Page) -> None:
    """Wait until a robot has said what it made of each alert."""
    deadline = time.monotonic() + 30
    while page.locator("[data-decision]").count() < 4 and time.monotonic() < deadline:
        page.wait_for_timeout(200)
        page.reload()


def opens_settings(page: Page) -> None:
    """Look at all that a signal robot is told."""
    page.get_by_text("Settings and limits").click()


def has_robots(page: Page) -> None:
    """See robots of members, one of them stopped."""
    rows = page.locator("[data-robots] tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="tide")).to_contain_text("killed: only reduces")


def runs_a_file(page: Page) -> None:
    """Send candles of hours, and see what the rule made of them."""
    page.get_by_label("The rule as JSON").fill(RULE)
    _send_candles(page)


def hears_a_file(page: Page) -> None:
    """Send the same candles to a signal robot, with the signals that it would have heard."""
    rows = ["timestamp,summary"]
    for day in range(1, 40):
        at = time.gmtime(1_760_000_400 + day * 86_400)
        rows.append(f"{time.strftime('%d-%m-%Y %H:%M:%S', at)},{'SELL' if day % 3 else 'BUY'}")
    content = "\n".join(rows).encode()
    file = FilePayload(name="heard.csv", mimeType="text/csv", buffer=content)
    page.get_by_label("Signals", exact=True).select_option("file")
    page.get_by_label("File of signals").set_input_files([file])
    _send_candles(page)


def _send_candles(page: Page) -> None:
    lines = ["ts_ms,open,high,low,close,volume"]
    for hour in range(24 * 40):
        opens, close = (75_000 + int(20_000 * sin((hour + each) / 60)) for each in (0, 1))
        high, low = max(opens, close) + 60, min(opens, close) - 60
        lines.append(f"{1_760_000_400_000 + hour * 3_600_000},{opens},{high},{low},{close},12.5123")
    page.get_by_label("On", exact=True).select_option("candles")
    content = "\n".join(lines).encode()
    file = FilePayload(name="btc-1h.csv", mimeType="text/csv", buffer=content)
    page.get_by_label("File", exact=True).set_input_files([file])
    page.get_by_role("button", name="Run it").click()
    has_run(page)


def has_run(page: Page) -> None:
    """Wait until the backtest is through."""
    _until(page, "[data-backtest=done]")


def _until(page: Page, mark: str) -> None:
    deadline = time.monotonic() + 30
    while not page.locator(mark).count() and time.monotonic() < deadline:
        page.wait_for_timeout(200)
        page.reload()


def confirm_password(page: Page, name: str) -> None:
    """Give the password again if the page asks for it."""
    if "reauthenticate" in page.url:
        page.get_by_label("Password").fill(password(name))
        page.locator("main button[type=submit]").first.click()
        page.wait_for_url(lambda url: "reauthenticate" not in url)


def press(name: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.locator("main").get_by_role("button", name=name, exact=True).click()
        page.wait_for_load_state()

    return act


def fill(words: dict[str, str], button: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        for label, text in words.items():
            page.get_by_label(label, exact=True).first.fill(text)
        press(button)(page)

    return act


def wait_for_curve(page: Page) -> None:
    """Wait until the curve is drawn and the page follows."""
    page.locator(".plot polyline").first.wait_for()
    page.get_by_text("live", exact=True).wait_for()


def begin_maintenance(page: Page) -> None:
    """Close the house, unless it is closed already."""
    button = page.get_by_role("button", name="Begin maintenance")
    if button.count():
        button.click()
    page.get_by_text("The house is in maintenance").wait_for()


def goes_live(page: Page) -> None:
    """Wait until the terminal has read everything, also in maintenance, and has been quiet."""
    page.wait_for_selector(LIVE)
    page.wait_for_selector(".purse", state="attached")
    page.wait_for_load_state("networkidle")


def open_stop(page: Page, stop: Stop) -> None:
    """Go to a page and do what is done there."""
    page.goto(stop.path)
    confirm_password(page, stop.who)
    stop.act(page)


WRONG: Final = {"User name or e-mail": "bob", "Password": "not it"}
BAD: Final = {"User name": "no spaces, please", "E-mail address": "x@y.z", "Password": "12345678"}
OWN_HOOK: Final = {"A new address": "http://127.0.0.1/hook"}
NO_HTTPS: Final = {"A new address": "http://example.com/hook"}
TOO_MUCH: Final = {"Amount": "99999999", "Where to": "bank", "Your password": password("bob")}
STOPS: Final = (
    Stop("landing", "", "/"),
    Stop("login", "", "/login"),
    Stop("login-wrong", "", "/login", fill(WRONG, "Sign in")),
    Stop("join", "", f"/invite/{CODE}"),
    Stop("join-wrong", "", f"/invite/{CODE}", fill(BAD, "Join")),
    Stop("invite-unknown", "", "/invite/unknown"),
    Stop("invite-used-up", "", f"/invite/{USED_UP}"),
    Stop("link-unfit", "", "/profile/confirm/unfit"),
    Stop("password-reset", "", "/account/password/reset/"),
    Stop("password-reset-done", "", "/account/password/reset/done/"),
    Stop("password-key-unfit", "", "/account/password/reset/key/1-set-password/"),
    Stop("password-key-done", "", "/account/password/reset/key/done/"),
    Stop("inactive", "", "/account/inactive/"),
    Stop("proofs", "", "/proofs/"),
    Stop("api-docs", "", "/api/docs/"),
    Stop("not-found", "", "/no/such/page"),
    Stop("checkout", FRESH, "/memberships/checkout"),
    Stop("sandbox", FRESH, "/memberships/checkout", press("Become a member")),
    Stop("money-empty", FRESH, "/money/"),
    Stop("statements-empty", FRESH, "/statements/"),
    Stop("keys-empty", FRESH, "/profile/keys"),
    Stop("forbidden", FRESH, "/staff/money/"),
    Stop("dashboard", "bob", "/dashboard/", wait_for_curve),
    Stop("strategies", "bob", "/dashboard/strategies"),
    Stop("strategy", "bob", "/dashboard/strategies/1", wait_for_curve),
    Stop("strategy-log", "bob", "/dashboard/strategies/1?span=7d&scale=log", wait_for_curve),
    Stop(
        "compare",
        "bob",
        f"/dashboard/compare?of=strategy:1&of=strategy:2&of=strategy:3&of=market:{MARKET}",
        wait_for_curve,
    ),
    Stop("strategy-token", "bob", "/dashboard/strategies/3", press("Rotate")),
    Stop("strategy-edit", "bob", "/dashboard/strategies/1/edit"),
    Stop("strategy-import", "bob", "/dashboard/strategies/1/import"),
    Stop("strategy-new", "bob", "/dashboard/strategies/new"),
    Stop("brokerage-accounts", "bob", "/dashboard/accounts"),
    Stop("brokerage-account-new", "bob", "/dashboard/accounts/new"),
    Stop("brokerage-account-edit", "bob", "/dashboard/accounts/1/edit"),
    Stop("dashboard-empty", "carla", "/dashboard/"),
    Stop("checkout-paid", "carla", "/memberships/checkout"),
    Stop("robots", "bob", "/robots/"),
    Stop("robot", "bob", "/robots/dip-buyer", goes_to_work),
    Stop("robot-signals", "bob", "/robots/chart-follower", goes_to_work),
    Stop("robot-settings", "bob", "/robots/chart-follower", opens_settings),
    Stop("robot-live", "bob", "/robots/tape-reader?sure=live"),
    Stop("robot-new", "bob", "/robots/new/"),
    Stop("robot-new-signals", "bob", "/robots/new/signals/"),
    Stop(
        "robot-new-signals-wrong",
        "bob",
        "/robots/new/signals/",
        fill({"A day may lose": "much"}, "Set it to work"),
    ),
    Stop("robot-new-wrong", "bob", "/robots/new/", press("Set it to work")),
    Stop("robot-rule", "bob", "/robots/dip-buyer/rule"),
    Stop("robot-backtests", "bob", "/robots/backtests/"),
    Stop(
        "robot-backtests-wrong",
        "bob",
        "/robots/backtests/",
        fill({"The rule as JSON": "{}", "Cash at the start": "-1"}, "Run it"),
    ),
    Stop("robot-backtest", "bob", "/robots/backtests/1", has_run),
    Stop("robot-backtest-file", "bob", "/robots/backtests/", runs_a_file),
    Stop(
        "robot-backtest-signals",
        "bob",
        "/robots/backtests/?robot=chart-follower",
        hears_a_file,
    ),
    Stop("hooks", "bob", "/hooks/"),
    Stop("hooks-wrong", "bob", "/hooks/", press("Make the hook")),
    Stop("hook", "bob", "/hooks/1", has_decided),
    Stop("hook-sure", "bob", "/hooks/2", press("New address")),
    Stop("hook-address", "bob", "/hooks/2?sure=rotate", press("Make a new address")),
    Stop("hooks-empty", FRESH, "/hooks/"),
    Stop("robots-empty", FRESH, "/robots/"),
    Stop("staff-robots", "ann", "/staff/robots/", has_robots),
    Stop("money", "bob", "/money/"),
    Stop("money-refused", "bob", "/money/", fill(TOO_MUCH, "Withdraw")),
    Stop("trade-book", "bob", "/trade/?symbol=BTCUSDT", goes_live),
    Stop("trade-dealer", "bob", "/trade/?symbol=CIBUSDT", goes_live),
    Stop("trade-agency", "bob", "/trade/?symbol=ABANUSDT", goes_live),
    Stop("statements", "bob", "/statements/"),
    Stop("statement", "bob", f"/statements/{time.strftime('%Y-%m', time.gmtime())}"),
    Stop("proofs-own", "bob", "/proofs/"),
    Stop("profile", "bob", "/profile/"),
    Stop("sign-in-security", "bob", "/account/mfa/"),
    Stop("authenticator", "bob", "/account/mfa/totp/activate/"),
    Stop("passkeys", "bob", "/account/mfa/webauthn/"),
    Stop("passkey-add", "bob", "/account/mfa/webauthn/add/"),
    Stop("recovery-codes", "bob", "/account/mfa/recovery-codes/generate/"),
    Stop("password-change", "bob", "/account/password/change/"),
    Stop("sessions", "bob", "/profile/sessions"),
    Stop("keys", "bob", "/profile/keys"),
    Stop("key-made", "bob", "/profile/keys", fill({"Name, for you": "new"}, "Make the key")),
    Stop("tokens", "bob", "/profile/tokens"),
    Stop("token-made", "bob", "/profile/tokens", press("Make the token")),
    Stop("notices", "bob", "/profile/notices"),
    Stop("webhook-made", "bob", "/profile/notices", fill(OWN_HOOK, "Add the webhook")),
    Stop("webhook-refused", "bob", "/profile/notices", fill(NO_HTTPS, "Add the webhook")),
    Stop("invites", "bob", "/profile/invites"),
    Stop("security-log", "bob", "/profile/log"),
    Stop("sign-out", "bob", "/logout"),
    Stop("staff-money", "ann", "/staff/money/"),
    Stop("house", "ann", "/staff/house/"),
    Stop("admin", "ann", "/admin/"),
    Stop("admin-members", "ann", "/admin/identity/member/"),
    Stop("admin-member", "ann", "/admin/identity/member/2/change/"),
    Stop("admin-keys", "ann", "/admin/identity/apikey/"),
    Stop("admin-security-log", "ann", "/admin/identity/securityentry/"),
    Stop("admin-changes", "ann", "/admin/auditlog/logentry/"),
    Stop("admin-change", "ann", "/admin/auditlog/logentry/1/change/"),
    Stop("admin-purchases", "ann", "/admin/billing/purchase/"),
    Stop("admin-postings", "ann", "/admin/projections/posting/"),
    Stop("maintenance", "ann", "/staff/house/", begin_maintenance),
)

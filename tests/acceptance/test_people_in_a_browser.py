"""The people's pages in a real browser: invite, join, confirm, second factors, staff.

FONDACO_SHOTS names a folder for screenshots of every page, both themes and two widths.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.house_fixture import HOUSE_FILE, RunningHouse, open_house

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

CODE = "annInvitesYou"
PASSWORD = "a password that nobody has"
FILE = HOUSE_FILE.replace('username = "ann"', f'username = "ann"\ninvite_code = "{CODE}"')
FILE = FILE.replace("http://127.0.0.1:{port}", "http://localhost:{port}")
SHOTS = os.environ.get("FONDACO_SHOTS", "")
SIZES = {"wide": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house at the name localhost: passkeys are bound to names."""
    with open_house(file_text=FILE) as running:
        yield running


@pytest.fixture
def context(browser: Browser, house: RunningHouse) -> Iterator[BrowserContext]:
    """A fresh browser at the house; an error on the console fails the test."""
    made = browser.new_context(base_url=f"http://localhost:{house.port}")
    made.set_default_timeout(20_000)
    said: list[str] = []

    def keep(page: Page) -> None:
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))

    made.on("page", keep)
    yield made
    made.close()
    # A page that is 4xx by intent is told on the console, too.
    assert [text for text in said if "Failed to load resource" not in text] == []


def shoot(page: Page, name: str) -> None:
    """Keep the page as it looks, if asked to; and see that it never scrolls sideways."""
    for width_name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} px wide at {width}"
        if SHOTS:
            for theme in ("dark", "light"):
                page.emulate_media(color_scheme=theme)
                page.screenshot(path=f"{SHOTS}/{name}-{width_name}-{theme}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})


def totp(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def join(page: Page, name: str) -> None:
    page.goto(f"/invite/{CODE}")
    shoot(page, "join")
    page.get_by_label("User name").fill(name)
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/trade/")


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.goto("/login")
    page.get_by_label("User name or e-mail").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def confirm_access(page: Page, password: str = PASSWORD) -> None:
    """Give the password again if the page asks for it."""
    if "reauthenticate" in page.url:
        shoot(page, "reauthenticate")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name=re.compile("Confirm")).click()


def set_up_totp(page: Page, password: str = PASSWORD) -> str:
    page.goto("/account/mfa/totp/activate/")
    confirm_access(page, password)
    shoot(page, "totp")
    secret = page.locator("#authenticator_secret").input_value()
    page.get_by_label("Authenticator code").fill(totp(secret))
    page.get_by_role("button", name="Activate").click()
    page.wait_for_url("**/recovery-codes/")
    shoot(page, "recovery-codes")
    return secret


def test_a_guest_joins_confirms_and_signs_in_with_an_app(
    context: BrowserContext, house: RunningHouse
) -> None:
    """Invite link, registration, the link of the mail, TOTP, sign-out, sign-in by its code."""
    page = context.new_page()
    page.goto("/invite/unknown")
    shoot(page, "invite-unknown")
    join(page, "guest")
    mails = sorted((house.data / "mail").glob("*.log"))
    text = mails[-1].read_text().replace("=\n", "")
    found = re.search(r"http://localhost:\d+(/profile/confirm/\S+)", text)
    assert found, text
    page.goto(found[1])
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
    shoot(page, "profile")
    secret = set_up_totp(page)
    page.goto("/profile/keys")
    page.get_by_label("Name, for you").fill("bot")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("[data-secret]")).to_be_visible()
    shoot(page, "keys")
    page.goto("/profile/tokens")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator("[data-token]")).to_be_visible()
    shoot(page, "tokens")
    for path in ("/account/mfa/", "/profile/invites", "/profile/sessions", "/profile/log"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        shoot(page, path.strip("/").replace("/", "-"))
    page.get_by_role("button", name=re.compile("Sign out")).click()
    page.wait_for_url("**/")
    sign_in(page, "guest")
    page.wait_for_url("**/account/mfa/authenticate/")
    shoot(page, "authenticate")
    page.get_by_label("Code").fill(totp(secret))
    page.get_by_role("button", name="Sign in", exact=False).first.click()
    page.wait_for_url("**/trade/")


def test_a_passkey_is_made_and_signs_in_without_a_password(context: BrowserContext) -> None:
    """The whole ceremony through Chromium's virtual authenticator."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    join(page, "keyholder")
    page.goto("/account/mfa/webauthn/add/")
    confirm_access(page)
    shoot(page, "passkey-add")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/recovery-codes/")
    page.goto("/account/mfa/webauthn/")
    expect(page.get_by_text("Passkey").first).to_be_visible()
    shoot(page, "passkeys")
    page.get_by_role("button", name=re.compile("Sign out")).click()
    page.wait_for_url("**/")
    page.goto("/login")
    shoot(page, "login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/trade/")
    page.goto("/profile/")
    expect(page.get_by_role("heading", name="keyholder")).to_be_visible()


def test_staff_are_led_to_a_second_factor_and_then_grant_a_role(context: BrowserContext) -> None:
    """ann is an admin: nothing opens before her app is on; then the admin does."""
    page = context.new_page()
    password = "ann-s long password"
    sign_in(page, "ann", password)
    page.wait_for_url("**/account/mfa/")
    expect(page.get_by_text("Staff need a second factor")).to_be_visible()
    shoot(page, "staff-gate")
    set_up_totp(page, password)
    page.goto("/admin/identity/member/2/change/")
    shoot(page, "admin-member")
    page.get_by_label("Moderator").check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/identity/member/")
    page.goto("/admin/identity/securityentry/")
    expect(page.get_by_text("roles set").first).to_be_visible()
    shoot(page, "admin-log")

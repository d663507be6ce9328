"""Canary secrets: what a house is told in confidence is in none of its logs and files."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.house_fixture import SECRET_KEY, Credentials, RunningHouse, open_house
from tests.notices.receiver import Receiver
from tests.treasury.people import FILE, Person

KIB_64, MIB_2 = 1 << 16, 2 << 20
SETTINGS = "rate_limits = false\nstaff_mfa = false\n"
CANARY_KEY = "canaryKey" + secrets.token_hex(20)
CANARY_SECRET = "canarySecret" + secrets.token_hex(20)
CANARY_TOKEN = "canaryToken" + secrets.token_hex(20)
CANARY_PASSWORD = "canaryPassword" + secrets.token_hex(20)
MEMBER = f"""
[[members]]
username = "eve"
email = "eve@example.com"
password = "{CANARY_PASSWORD}"
balances = {{ USDT = "1000" }}
tokens = [{{ token = "{CANARY_TOKEN}", scopes = ["read"] }}]
[[members.api_keys]]
key = "{CANARY_KEY}"
secret = "{CANARY_SECRET}"
scopes = ["read", "trade"]
"""
# What knows a secret by design: the office's database holds the text of API keys, which are names,
# and the digests and sealed forms of the rest.
NAMES_ALLOWED = ("office.sqlite3",)


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_house(settings=SETTINGS, more=MEMBER, file_text=FILE) as running:
        yield running


def written_in(house: RunningHouse, canaries: dict[str, str]) -> list[str]:
    """Return where a canary lies: in what the house printed, or in any file of its data."""
    files = [house.log, *(each for each in house.data.rglob("*") if each.is_file())]
    found = []
    for file in files:
        content = file.read_bytes()
        for name, text in canaries.items():
            if name == "key" and file.name.startswith(NAMES_ALLOWED):
                continue
            shapes = (text.encode(), base64.b64encode(text.encode()).rstrip(b"="))
            if any(shape in content for shape in shapes):
                found.append(f"{name} in {file.name}")
    return found


def use(house: RunningHouse, receiver: Receiver) -> dict[str, str]:
    """Use every kind of secret, rightly and wrongly; return the canaries, with those made here."""
    eve = Person(house)
    wrong = {"username": CANARY_PASSWORD, "password": CANARY_TOKEN}  # typed into the wrong field
    eve.post_form("/login", wrong)
    eve.post_form("/login", {"username": "eve", "password": CANARY_PASSWORD})
    eve.post_form("/account/reauthenticate/", {"password": CANARY_PASSWORD})
    _, page = eve.post_form("/profile/notices", {"add": "webhook", "url": receiver.url})
    hook = re.search(r"data-secret>([^<]+)<", page)
    _, page = eve.post_form("/profile/tokens", {"label": "canary", "scopes": "read"})
    token = re.search(r"data-token>([^<]+)<", page)
    assert hook
    assert token, page
    assert eve.ask("POST", "/notices/webhooks/1/test/").status == 202
    assert receiver.next().is_signed_by(hook[1])
    for text, status in ((CANARY_TOKEN, 200), (token[1], 200), (f"{CANARY_TOKEN}x", 401)):
        headers = {"Authorization": f"Bearer {text}"}
        answer = house.request("GET", "/api/v1/members/me/", headers=headers)
        assert answer.status == status
    order: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
    }
    for secret, status in ((CANARY_SECRET, 200), (CANARY_PASSWORD, 401)):
        who = Credentials(CANARY_KEY, secret)
        answer = house.signed(who, "POST", "/api/v3/order", quantity="0.001", price="9999", **order)
        assert answer.status == status, answer
    house.get("/api/v3/account", signature=CANARY_SECRET, timestamp=CANARY_TOKEN)
    eve.withdraw("1", password=CANARY_PASSWORD)
    eve.withdraw("1", password=CANARY_TOKEN)
    return {
        "secret": CANARY_SECRET,
        "password": CANARY_PASSWORD,
        "token": CANARY_TOKEN,
        "house key": SECRET_KEY,
        "key": CANARY_KEY,
        "webhook's secret": hook[1],
        "token of the page": token[1],
    }


def test_no_secret_is_written_anywhere(house: RunningHouse, receiver: Receiver) -> None:
    """Used, mistyped and after a kill: not printed, not in journal, events, snapshots, database."""
    canaries = use(house, receiver)
    house.kill()
    house.start()
    assert house.stop() == 0
    assert written_in(house, canaries) == []
    assert written_in(house, {"key": CANARY_KEY, "member": "eve@example.com"}) == [
        "member in office.sqlite3"
    ]
    house.start()


def test_a_secret_in_a_log_is_caught(house: RunningHouse) -> None:
    """The planted bugs: one printed, one in a file of the data directory, one encoded."""
    with house.log.open("a") as log:
        log.write(f"refused {CANARY_SECRET}\n")
    planted: Path = house.data / "planted.txt"
    planted.write_text(base64.b64encode(CANARY_TOKEN.encode()).decode())
    found = written_in(house, {"secret": CANARY_SECRET, "token": CANARY_TOKEN})
    planted.unlink()
    assert found == ["secret in serve.log", "token in planted.txt"]


@pytest.mark.parametrize(
    "path, size",
    [("/api/v3/order", KIB_64), ("/login", MIB_2), ("/api/v1/notices/webhooks/", MIB_2)],
)
def test_a_body_above_its_cap_is_413(house: RunningHouse, path: str, size: int) -> None:
    """64 KiB for the trading API, 2 MiB for pages and the native API."""
    # One byte more: nothing of it is still under way when the answer comes and the line is closed.
    assert house.request("POST", path, body=b"a" * (size + 1)).status == 413


def test_a_form_above_its_cap_is_answered_by_a_page(house: RunningHouse) -> None:
    """Who asks for a page hears 413 in the house's dress, also before signing in."""
    headers = {"Accept": "text/html,*/*;q=0.8"}
    answer = house.request("POST", "/login", body=b"a" * (MIB_2 + 1), headers=headers)
    assert answer.status == 413
    assert "Too much at once" in answer.body.decode()

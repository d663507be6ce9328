"""Signed-in people of a running house, who use its pages and its native API."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Any, NamedTuple

from tests.house_fixture import HOUSE_FILE, RunningHouse

__all__ = ["FILE", "Person", "Said"]

STAFF = """
[[members]]
username = "mia"
email = "mia@example.com"
password = "mia-s long password"
roles = ["member", "moderator"]

[[members]]
username = "max"
email = "max@example.com"
password = "max-s long password"
roles = ["member", "admin"]
"""
FILE = HOUSE_FILE.replace("decimals = 8\n", 'decimals = 8\nsecond_approver_above = "50000"\n', 1)
FILE += STAFF
FILE = FILE.replace(
    'username = "bob"\n',
    'username = "bob"\ntokens = [\n'
    '    {{ token = "reads-only-token-0000000000", scopes = ["read"] }},\n'
    '    {{ token = "trades-only-token-000000000", scopes = ["read", "trade"] }},\n'
    '    {{ token = "withdraws-token-00000000000", scopes = ["withdraw"] }},\n]\n',
)


class Said(NamedTuple):
    status: int
    words: Any


class Person:
    """One browser, signed in; a stranger without a name."""

    def __init__(self, house: RunningHouse, name: str = "") -> None:
        self.house = house
        self.name = name
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        if name:
            self.post_form("/login", {"username": name, "password": f"{name}-s long password"})

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text, redirects followed."""
        try:
            with self.opener.open(self.house.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def post_form(self, path: str, fields: dict[str, str], *, page: str = "") -> tuple[int, str]:
        """Post a form with the token of the page that it stands on."""
        _, text = self.get(page or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
        sent = {**fields, "csrfmiddlewaretoken": token[1] if token else ""}
        asked = urllib.request.Request(
            self.house.url + path, urllib.parse.urlencode(sent).encode(), method="POST"
        )
        try:
            with self.opener.open(asked, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ask(self, method: str, path: str, **fields: object) -> Said:
        """Ask the native API."""
        token = next((each.value for each in self.jar if each.name == "csrftoken"), "") or ""
        body = json.dumps(fields).encode() if method != "GET" else None
        headers = {"Content-Type": "application/json", "X-CSRFToken": token}
        headers["Cookie"] = "; ".join(f"{each.name}={each.value}" for each in self.jar)
        answer = self.house.request(method, f"/api/v1{path}", body=body, headers=headers)
        try:
            return Said(answer.status, json.loads(answer.body))
        except ValueError:
            return Said(answer.status, answer.body.decode())

    def accounts(self) -> dict[str, Any]:
        """Return the accounts by name, each with its balances as asset -> (free, held)."""
        found = self.ask("GET", "/accounts/").words["accounts"]
        return {
            each["name"]: {
                "id": each["id"],
                **{row["asset"]: (row["free"], row["held"]) for row in each["balances"]},
            }
            for each in found
        }

    def withdraw(self, amount: str, asset: str = "USDT", **fields: object) -> Said:
        account = fields.pop("account", None) or self.accounts()["spot"]["id"]
        sent = {
            "account": account,
            "asset": asset,
            "amount": amount,
            "destination": "bank",
            "password": f"{self.name}-s long password",
            **fields,
        }
        return self.ask("POST", "/withdrawals/", **sent)

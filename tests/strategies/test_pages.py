"""The pages and routes of accounts, strategies and the dashboard, as a member uses them."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from typing import Any

import pytest
from django.test import Client

import fondaco.office.urls  # noqa: F401 - its views bind the real core, not a stand-in
from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.strategies import services
from fondaco.strategies.models import BrokerageAccount, Strategy
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import report

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
JSON = "application/json"


@pytest.fixture
def paid(member: Member) -> Member:
    member.membership_until = dt.date(2099, 12, 31)
    member.save()
    return member


@pytest.fixture
def browser(paid: Member) -> Client:
    client = Client()
    client.force_login(paid)
    return client


def token_in(answer: Any) -> str:
    found = re.findall(r"<code data-token>([^<]+)</code>", answer.content.decode())
    assert len(found) == 1, found
    return str(found[0])


def test_s1_4_and_s1_5_an_account_and_a_strategy_through_the_pages(browser: Client) -> None:
    """S1-4, S1-5: create, list, edit, archive; a token is shown once, rotated, revoked."""
    answer = browser.post("/dashboard/accounts/new", {"name": "BitMEX"}, follow=True)
    assert "BitMEX" in answer.content.decode()
    account = BrokerageAccount.objects.get()
    taken = browser.post("/dashboard/accounts/new", {"name": "BitMEX"})
    assert (taken.status_code, "choose another name" in taken.content.decode()) == (400, True)
    browser.post(f"/dashboard/accounts/{account.pk}/edit", {"name": "Bitmex main"})
    fields = {"name": "momentum", "account": account.pk, "symbol": "XBTUSD"}
    made = browser.post("/dashboard/strategies/new", fields)
    first = token_in(made)
    row = Strategy.objects.get()
    page = f"/dashboard/strategies/{row.pk}"
    for path in (page, "/dashboard/strategies", "/dashboard/", f"{page}/edit"):
        told = browser.get(path).content.decode()
        assert "momentum" in told
        assert first not in told
    assert f"{row.token_prefix}…" in browser.get(page).content.decode()
    second = token_in(browser.post(f"{page}/rotate"))
    assert second != first
    browser.post(f"{page}/revoke")
    row.refresh_from_db()
    assert row.token_digest is None
    browser.post(f"{page}/edit", {**fields, "name": "trend"})
    browser.post(f"{page}/archive")
    told = browser.get("/dashboard/strategies").content.decode()
    assert 'name="restore"' in told
    browser.post(f"{page}/archive", {"restore": "1"})
    browser.post(f"/dashboard/accounts/{account.pk}/archive")
    row.refresh_from_db()
    account.refresh_from_db()
    assert (row.name, row.archived_at, account.name) == ("trend", None, "Bitmex main")
    assert account.archived_at is not None


def test_s1_9_a_strategy_page_has_its_table(browser: Client, paid: Member) -> None:
    """S1-9: wallet, margin, realised PnL, positions, average entry, last price and time."""
    row, token = services.add_strategy(services.add_account(paid, "main"), name="s")
    now_us = time.time_ns() // 1000
    Reports().store([report(token, now_us, 123_450_000_000, 99_000_000_001)])
    told = browser.get(f"/dashboard/strategies/{row.pk}").content.decode()
    for title in ("Wallet", "Margin", "Realised PnL", "Positions", "Average entry price"):
        assert f">{title}</th>" in told
    assert '<data value="1234.5">1,234.5</data>' in told
    assert '<data value="990.00000001">' in told
    assert 'data-curve="margin_balance"' in told
    answer = browser.get(f"/api/v1/strategies/{row.pk}/").json()
    assert [each["margin_balance"] for each in answer["hourly"]] == ["990.00000001"]
    assert answer["reports"][0]["wallet_balance"] == answer["last"]["wallet_balance"] == "1234.5"
    assert token not in str(answer)


def test_s1_8_another_members_are_not_found(browser: Client) -> None:
    """S1-8: another member's account or strategy is 404 wherever its number stands."""
    bob = identity.create_member(username="bob", email="bob@example.com", password="long enough")
    theirs = services.add_account(bob, "main")
    row, _ = services.add_strategy(theirs, name="s")
    for action in ("edit", "archive"):
        path = f"/dashboard/accounts/{theirs.pk}/{action}"
        assert browser.post(path, {"name": "mine"}).status_code == 404
    for action in ("", "/edit"):
        assert browser.get(f"/dashboard/strategies/{row.pk}{action}").status_code == 404
    for action in ("rotate", "revoke", "archive"):
        assert browser.post(f"/dashboard/strategies/{row.pk}/{action}").status_code == 404
    made = browser.post(
        "/api/v1/strategies/", {"name": "s", "account": theirs.pk}, content_type=JSON
    )
    assert (made.status_code, list(made.json())) == (400, ["account"])
    services.add_account(Member.objects.get(username="ann"), "own")
    fields = {"name": "s", "account": theirs.pk, "symbol": ""}
    assert browser.post("/dashboard/strategies/new", fields).status_code == 400
    row.refresh_from_db()
    assert (row.token_digest is not None, row.archived_at) == (True, None)


def test_the_routes_do_what_the_pages_do(browser: Client) -> None:
    """Accounts and strategies through /api/v1, each refusal at its field."""

    def ask(method: str, path: str, **fields: object) -> tuple[int, Any]:
        answer = browser.generic(method, f"/api/v1{path}", json.dumps(fields), content_type=JSON)
        return answer.status_code, answer.json() if answer.content else None

    status, account = ask("POST", "/brokerage-accounts/", name="main")
    assert (status, account["name"]) == (201, "main")
    assert ask("POST", "/brokerage-accounts/", name="main")[0] == 400
    assert ask("POST", "/brokerage-accounts/")[1] == {"name": ["This field is required."]}
    status, row = ask("POST", "/strategies/", name="s", account=account["id"], symbol="XBTUSD")
    assert (status, row["symbol"], row["last"]) == (201, "XBTUSD", None)
    status, rotated = ask("POST", f"/strategies/{row['id']}/token/")
    assert (status, rotated["token"] != row["token"]) == (201, True)
    assert ask("DELETE", f"/strategies/{row['id']}/token/") == (204, None)
    status, changed = ask("PATCH", f"/strategies/{row['id']}/", name="t", archived=True)
    assert (changed["name"], changed["archived_at"] is not None) == ("t", True)
    assert ask("GET", "/strategies/")[1] == {"strategies": []}
    assert ask("PATCH", f"/brokerage-accounts/{account['id']}/", name="")[0] == 400
    renamed = ask("PATCH", f"/brokerage-accounts/{account['id']}/", name="broker")[1]
    assert renamed["name"] == "broker"
    assert [each["name"] for each in ask("GET", "/brokerage-accounts/")[1]["accounts"]] == [
        "broker"
    ]
    assert ask("GET", "/dashboard/?hours=0")[1] == {"hours": ["Give 1 to 720."]}


def test_without_a_membership_the_pages_lead_to_the_checkout(member: Member) -> None:
    """Pages lead to the checkout, routes are 403; reports are taken all the same."""
    client = Client()
    client.force_login(member)
    for path in ("/dashboard/", "/dashboard/strategies/new", "/dashboard/accounts"):
        assert client.get(path).headers["Location"] == "/memberships/checkout"
    assert client.get("/api/v1/dashboard/").status_code == 403
    row, token = services.add_strategy(services.add_account(member, "main"), name="s")
    [stored] = Reports().store([report(token, 1, 1)])
    assert stored == row.pk

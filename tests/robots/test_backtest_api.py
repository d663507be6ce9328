"""Backtests by the API: both kinds, the command's own bytes, and what is refused by its field."""

from __future__ import annotations

import base64
import json
import lzma
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import Client

from fondaco.identity import services as identity
from fondaco.robots.bots import backtests
from fondaco.robots.bots.backtest_rows import begin_backtest
from fondaco.robots.models import Backtest
from tests.robots.test_backtest_page import browser
from tests.robots.test_rules import SEED
from tests.robots.test_signal_backtest import ROWS, SIGNALS, call

__all__ = ["browser"]
pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PATH: Final = "/api/v1/robots/backtests/"
CONFIG: Final[dict[str, Any]] = {
    "buy_on": 2,
    "sell_on": 1,
    "symbols": ["BTC"],
    "operation_amount": 500,
}
TRADES: Final = {"source": "trades", "file": {"name": "trades.csv", "text": ROWS}}
OF_SIGNALS: Final[dict[str, Any]] = {"config": CONFIG, "signals": SIGNALS, **TRADES}


def post(browser: Client, body: object) -> tuple[int, Any]:
    answer = browser.post(PATH, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def run(number: int) -> None:
    backtests.run_one(Backtest.objects.get(pk=number), "USD", Path("/nowhere"))


def test_signals_are_backtested_as_the_command_does_it(browser: Client, tmp_path: Path) -> None:
    """Waiting, running, done; the result is the command's to the byte, whatever it is packed in."""
    packed = base64.b64encode(lzma.compress(ROWS.encode())).decode()
    file = {"name": "trades.csv.xz", "base64": packed}
    body = {**OF_SIGNALS, "file": file, "settings": {"cash": 1000}}
    status, made = post(browser, body)
    assert (status, made["state"], made["kind"], made["symbol"]) == (
        201, "waiting", "signal", "BTC",
    )  # fmt: skip
    number = made["number"]
    assert browser.get(f"{PATH}{number}/").json()["result"] is None
    begin_backtest(number)
    assert [one["state"] for one in browser.get(PATH).json()] == ["running"]
    run(number)
    answer = browser.get(f"{PATH}{number}")
    (tmp_path / "signals.json").write_text(json.dumps(SIGNALS), encoding="utf-8")
    told = call(tmp_path, "--signals", str(tmp_path / "signals.json"), "--json").stdout.strip()
    assert answer.content.decode().endswith(f',"result":{told}}}')
    found = answer.json()
    assert (found["state"], found["config"]["operation_amount"]) == ("done", "500")
    assert browser.delete(f"{PATH}{number}/").status_code == 409


def test_a_rule_is_backtested_and_canceled(browser: Client) -> None:
    """A rule's numbers are kept as they were written; one that waits can be given up."""
    rows = "ts_ms,open,high,low,close,volume\n60000,20,21,19,20.5,9\n120000,20.5,21,20,21,9\n"
    body = f'{{"source": "candles", "file": {json.dumps({"name": "a.csv", "text": rows})}, "rule": '
    answer = browser.post(PATH, f"{body}{SEED}}}", content_type="application/json")
    assert (answer.status_code, answer.json()["kind"]) == (201, "rule"), answer.content
    number = answer.json()["number"]
    assert Backtest.objects.get(pk=number).rule == SEED.strip()
    assert answer["Location"] == f"{PATH}{number}/"
    assert browser.delete(f"{PATH}{number}/").status_code == 204
    found = browser.get(f"{PATH}{number}/").json()
    assert (found["state"], found["fault"]) == ("failed", "You canceled it.")
    _, made = post(browser, {"rule": json.loads(SEED), **TRADES})
    run(made["number"])
    assert browser.get(f"{PATH}{made['number']}/").json()["state"] == "done"


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"rule": {}}, "rule", "Send a rule, or the config of a signal robot."),
        ({"config": None}, "config", "This field may not be null."),
        ({"config": {"moon": 1}}, "config", "moon is unknown; known are buy_on, sell_on"),
        ({"config": {}}, "config", "It needs a symbol to buy, like BTC."),
        ({"config": {**CONFIG, "orders_day_max": -1}}, "config", "orders_day_max must be a whole"),
        ({"symbol": "ETH"}, "symbol", "ETH is none of the robot's symbols; they are BTC."),
        ({"signals": "moon"}, "signals", "Give one of stored, file, ratings, or a list of"),
        ({"signals": [{"summary": "HOLD"}]}, "signals", "signals, signal 1: summary must be one"),
        ({"signals": "file"}, "signals_file", "Choose the file of signals."),
        ({"signals": "ratings"}, "ratings", "Say which, and the interval of its candles."),
        ({"source": "journal"}, "source", 'Say of what it is: a "source" of trades'),
        ({"file": {"name": "a.csv"}}, "file", "Send its text, or its bytes as base64."),
        ({"file": {"name": "a.csv", "base64": "?"}}, "file", "base64: found what is no base64."),
        ({"file": {"name": "a.csv", "txt": ""}}, "file", "txt is unknown; known are name, text"),
        ({"file": {"name": "a.csv", "text": "x\n"}}, "file", "a.csv, line 1: the header has x;"),
        ({"settings": {"cash": "much"}}, "settings", "cash: A valid number is required."),
        ({"settings": {"spread": 1}}, "settings", "spread is unknown; known are walk, cash"),
        ({"moon": 1}, "moon", "This field is unknown; known are rule, limits, config"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(
    browser: Client, changed: dict[str, Any], field: str, said: str
) -> None:
    """400 with one sentence, and nothing is kept."""
    status, told = post(browser, {**OF_SIGNALS, **changed})
    assert (status, list(told)) == (400, [field]), told
    assert told[field][0].startswith(said), told
    assert not Backtest.objects.exists()


@pytest.mark.parametrize("amount", ["1e2000000000", "1e-2000000000", "NaN", "99999999999999"])
def test_an_amount_that_no_house_can_count_is_refused(browser: Client, amount: str) -> None:
    """However short it is written: it is not written out before it is looked at."""
    status, told = post(browser, {**OF_SIGNALS, "config": {**CONFIG, "day_stop_loss": amount}})
    assert (status, list(told)) == (400, ["config"])
    assert told["config"][0].startswith("day_stop_loss must be "), told


def test_a_rule_is_held_by_its_limits(browser: Client) -> None:
    """What its robot may do live holds in its backtest, and the result says within what."""
    rule = {"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "BTC", "spend": 500}}}
    for limits, state in (({}, "FILLED"), ({"order_notional_max": 100}, "REJECTED")):
        _, made = post(browser, {"rule": rule, "limits": limits, **TRADES})
        run(made["number"])
        found = browser.get(f"{PATH}{made['number']}/").json()
        assert [one["status"] for one in found["result"]["orders"]] == [state]
        told = {name: str(each) for name, each in limits.items()}
        assert found["limits"] == found["result"]["settings"]["limits"] == told
    page = browser.get(f"/robots/backtests/{made['number']}/").content.decode()
    assert "An order may be worth" in page


def test_a_rule_hears_no_signals_and_names_its_place(browser: Client) -> None:
    """Fields of the other kind are refused; a rule's fault has its place."""
    for body, field, said in (
        ({"rule": json.loads(SEED), "ratings": "robot", **TRADES}, "ratings",
         "It is for a signal robot; this is a rule."),
        ({"rule": {"$do": 1}, **TRADES}, "rule", "$.$do"),
        ({"source": "journal"}, "rule", "Send a rule, or the config of a signal robot."),
        ({"rule": json.loads(SEED), "limits": {"moon": 1}, **TRADES}, "limits",
         "moon is unknown; known are day_stop_loss"),
        ({"rule": json.loads(SEED), "limits": {"orders_day_max": -1}, **TRADES}, "limits",
         "orders_day_max must be a whole number"),
        ({**OF_SIGNALS, "limits": {}}, "limits", "A signal robot has them in its config."),
    ):  # fmt: skip
        status, told = post(browser, body)
        assert (status, list(told)) == (400, [field]), told
        assert told[field][0].startswith(said), told


def test_another_members_are_unknown(browser: Client) -> None:
    """404, read or given up, and not in one's list."""
    other = identity.create_member(username="bob", email="bob@example.com", password="long enough")
    row = Backtest.objects.create(member=other, ticker="BTC", rule=SEED)
    assert browser.get(PATH).json() == []
    assert browser.get(f"{PATH}{row.pk}/").status_code == 404
    assert browser.delete(f"{PATH}{row.pk}/").status_code == 404
    row.refresh_from_db()
    assert row.fault == ""

"""Robots by hand: a rule, tried on the past, on paper, live over a restart; and one by signals.

The seed's rule is built in the form; the other is opened on paper, limited, set live and ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from fondaco.robots.rules.validation import read_rule
from tests.acceptance.rule_house import SEED, open_rules, order, trade, until
from tests.house_fixture import RunningHouse
from tests.robots.test_rule_docs import EXAMPLES

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

# What no example of the docs has: parameters and outputs, fields, every kind of amount and order.
DENSE = """{
  "$when": {"$and": [
    {"$or": [
      {"$comparison": {
        "itemA": {"$indicator": {"name": "BBANDS", "ticker": "STOCKA", "interval": "15m",
          "parameters": {"timeperiod": 20, "nbdevup": 2.5}, "output": "upperband"}},
        "itemB": {"$ticker": {"symbol": "STOCKA", "field": "bid"}}, "type": "crosses_below"}},
      {"$comparison": {"itemA": {"$time": "minute_of_day"}, "itemB": -0.000000000000000001,
        "type": "ne"}}
    ]},
    {"$not": {"$not": {"$comparison": {
      "itemA": {"$position": {"symbol": "STOCKA", "field": "free"}}, "itemB": "1e3",
      "type": "lte"}}}}
  ]},
  "$do": [{"$cancel": "all"}, {"$notify": "Say \\"1.50\\", and \u00e9"}],
  "$else": {"$order": {"kind": "STOP_LOSS_LIMIT", "intent": "SELL", "ticker": "STOCKA",
    "shares": {"$position": "STOCKA"}, "ask": 20.00, "stop": {"$ticker": "STOCKA"},
    "time_in_force": "IOC"}},
  "$then": {
    "$do": [
      {"$order": {"kind": "OCO", "intent": "BUY", "ticker": "STOCKA", "shares": 3, "bid": 19,
        "stop": 21, "stop_limit": 21.10, "name": "pair", "then_after": "ACCEPTED"}},
      {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "STOCKA",
        "spend": {"$cash": "free"}}},
      {"$order": {"kind": "TAKE_PROFIT", "intent": "SELL", "ticker": "STOCKA", "shares": 5,
        "stop": 30}}
    ],
    "$then": {"$do": {"$cancel": "pair"}, "$repeat": {"times": 3, "pause_s": 60}}
  }
}"""
# Writes a rule as text; changes each control of the form and puts it back. A select whose options
# begin with a place chooses what stands there, and is no part of the rule itself.
WRITE_AND_TOUCH = """(rule) => {
  const text = document.querySelector('[data-rule-text]');
  const form = document.querySelector('[data-rule-form]');
  const say = (element, type) => element.dispatchEvent(new Event(type, { bubbles: true }));
  text.value = rule;
  say(text, 'input');
  const shown = [], deaf = [];
  for (const control of form.querySelectorAll('input, select')) {
    const { value, tagName, options } = control;
    if (tagName === 'SELECT' && /^\\d+ /.test(options[0].value)) continue;
    shown.push(value);
    if (tagName === 'INPUT') {
      const before = text.value;
      control.value = value.startsWith('{') ? '{"other":1}' : `${value}1`;
      say(control, 'input');
      if (text.value === before) deaf.push(value);
      control.value = value;
      say(control, 'input');
    } else say(control, 'change');
  }
  return { shown, deaf, text: text.value };
}"""


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_rules() as running:
        yield running


@pytest.fixture
def page(browser: Browser, house: RunningHouse) -> Iterator[Page]:
    made = browser.new_page(base_url=house.url)
    made.goto("/login")
    made.get_by_label("User name or e-mail").fill("ann")
    made.get_by_label("Password").fill("ann-s long password")
    made.get_by_label("Password").press("Enter")
    made.wait_for_url("**/trade/")
    yield made
    made.close()


def build_step(scope: Locator, line: str, side: str, limit: str, price: str) -> None:
    """Build one step of the rule in the form: when the price is there, order."""
    scope.get_by_role("textbox", name="price of").first.fill("STOCKA")
    scope.get_by_role("textbox", name="with that").first.fill(line)
    scope.get_by_label("compared by").first.select_option("gte")
    scope.get_by_label("side").first.select_option(side)
    scope.get_by_role("textbox", name="shares").first.fill("100")
    scope.get_by_role("textbox", name=limit).first.fill(price)


def until_step(page: Page, state: str, step: int) -> None:
    """Look at the bot's page until it is there."""
    mark = f"[data-state={state}][data-step='{step}']"
    until(lambda: page.reload() and page.locator(mark).count(), mark)


def leaves(part: Any, key: str = "") -> list[str]:
    """Return what a rule says, word by word, as the form shows it."""
    if key == "parameters":  # floats, in one field
        floats = {
            name: float(each) if isinstance(each, str) else each for name, each in part.items()
        }
        return [json.dumps(floats, separators=(",", ":"))]
    if isinstance(part, dict):
        return [leaf for key, each in part.items() for leaf in leaves(each, key)]
    if isinstance(part, list):
        return [leaf for each in part for leaf in leaves(each)]
    return [str(part)]


def through_the_form(page: Page, rule: str) -> None:
    """From text to the form and back: it shows all that the rule says, and says the same again."""
    found = page.evaluate(WRITE_AND_TOUCH, rule)
    said = leaves(json.loads(rule, parse_float=str))
    assert sorted(found["shown"]) == sorted(said), rule
    assert found["deaf"] == [], rule
    assert read_rule(found["text"]) == read_rule(rule), (rule, found["text"])


def build_the_seed(page: Page) -> str:
    """Build the seed's rule in the form, which takes every other rule, too; return its text."""
    page.goto("/robots/new/")
    form = page.locator("[data-rule-form]")
    build_step(form.locator("fieldset").first, "20.55", "BUY", "bid", "20.60")
    form.get_by_role("button", name="Add then", exact=True).first.click()
    build_step(page.get_by_role("group", name="Then", exact=True), "21.00", "SELL", "ask", "20.90")
    text = page.locator("[data-rule-text]").input_value()
    assert json.loads(text) == json.loads(SEED)
    kind = form.get_by_label("Order type").first
    kind.select_option("OCO")
    pair = json.loads(page.locator("[data-rule-text]").input_value())["$do"]["$order"]
    assert set(pair) == {"kind", "intent", "shares", "bid", "stop"}
    kind.select_option("LIMIT")
    assert json.loads(page.locator("[data-rule-text]").input_value()) == json.loads(SEED)
    for rule in (*EXAMPLES, DENSE):
        through_the_form(page, rule)
    page.locator("[data-rule-text]").fill(text)
    return text


def test_the_seeds_rule_by_hand(house: RunningHouse, page: Page) -> None:
    """Build, backtest, paper, live, a restart between the two steps, and both fills."""
    for price in ("20.50", "20.55", "20.56"):
        trade(house, price)
    text = build_the_seed(page)
    for price in ("21.00", "21.05"):  # long after an order at 20.55 has come in
        trade(house, price)
    page.get_by_label("Allotment of cash").fill("5000")
    page.get_by_role("button", name="Backtest it").click()
    page.wait_for_url(re.compile(r"/robots/backtests/\d+"))
    until(lambda: page.reload() and page.locator("[data-backtest=done]").count(), "a backtest")
    expect(page.locator("[data-fills] tbody tr").first).to_contain_text("BUY")
    expect(page.get_by_text(re.compile(r"^from 5,000\.00 to 5,0\d\d\.\d\d USD$"))).to_be_visible()
    page.goto("/robots/backtests/")
    page.get_by_label("What runs").select_option("signal")
    expect(page.get_by_label("The rule as JSON")).to_be_hidden()
    expect(page.get_by_label("Symbols")).to_be_visible()
    page.get_by_label("What runs").select_option("rule")
    expect(page.get_by_label("Symbols")).to_be_hidden()
    page.get_by_label("The rule as JSON").fill(text)
    page.get_by_text("Fees, latency, depth and queue").click()
    page.get_by_label("Latency, ms").fill("0")
    page.get_by_label("Depth").fill("1000")
    page.get_by_role("button", name="Run it").click()
    page.wait_for_url(re.compile(r"/robots/backtests/\d+"))
    until(lambda: page.reload() and page.locator("[data-backtest=done]").count(), "a backtest")
    expect(page.locator("[data-fills] tbody tr")).to_have_count(2)

    trade(house, "20.50")
    page.goto("/robots/new/")
    page.locator("[data-rule-text]").fill(text)
    expect(page.get_by_role("group", name="Then", exact=True)).to_be_visible()
    page.get_by_label("Name", exact=True).fill("robot-1")
    page.get_by_label("Runs").select_option("paper")
    page.get_by_label("Allotment of cash").fill("5000")
    page.get_by_role("button", name="Set it to work").click()
    page.wait_for_url("**/robots/robot-1")
    until(lambda: page.reload() and page.locator("[data-reasons] li").count(), "a first look")
    order(house, "SELL", "20.58", 100)
    trade(house, "20.56")
    until_step(page, "WAITING", 1)
    order(house, "BUY", "20.95", 200)  # what paper didn't take, and a bid
    trade(house, "21.00")
    until_step(page, "DONE", 1)
    expect(page.locator("[data-orders] tbody tr")).to_have_count(2)

    order(house, "SELL", "20.50", 100)
    trade(house, "20.50")
    page.get_by_role("button", name="Go live").click()
    until_step(page, "WAITING", 0)
    until(lambda: page.reload() and page.locator("[data-reasons] li").count(), "a first look")
    order(house, "SELL", "20.59", 100)
    trade(house, "20.57")
    until_step(page, "WAITING", 1)
    assert house.stop() == 0
    house.start()
    order(house, "BUY", "20.96", 200)
    trade(house, "21.00")
    until_step(page, "DONE", 1)
    rows = page.locator("[data-orders] tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="FILLED")).to_have_count(2)
    expect(page.locator("[data-reasons]")).to_contain_text("STOCKA last 21 is at or above 21.00")


def test_a_signal_robot_by_hand(page: Page) -> None:
    """On paper no money moves; live its allotment does, asked back first; at its end it is back."""
    page.goto("/robots/")
    page.get_by_role("link", name="Follow signals").first.click()
    page.get_by_label("Name", exact=True).fill("follower")
    page.get_by_label("Allotment of cash").fill("5000")
    expect(page.get_by_label("STOCKA", exact=True)).to_be_checked()
    page.get_by_label("A day may lose").fill("a lot")
    page.get_by_role("button", name="Set it to work").click()
    expect(page.get_by_text("Must be a plain amount, 0 for none.")).to_be_visible()
    page.get_by_label("A day may lose").fill("")
    page.get_by_role("button", name="Set it to work").click()
    page.wait_for_url("**/robots/follower")
    head = page.locator("main > p.muted")
    expect(head).to_contain_text("on paper · run 1 · buys STOCKA")

    page.get_by_text("Settings and limits").click()
    page.get_by_label("Orders of a day").fill("5")
    page.get_by_label("Buys at a signal of").select_option("STRONG_BUY")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("follower goes by its new settings.")).to_be_visible()
    expect(page.get_by_text("a day may have 5 orders")).to_be_visible()
    expect(head).to_contain_text("at a signal of STRONG_BUY, sells")

    page.get_by_role("button", name="Go live").click()
    page.get_by_label("USD", exact=True).fill("300.5")
    page.get_by_role("button", name="Set it live").click()
    expect(page.get_by_text("follower is live.")).to_be_visible()
    expect(head).to_contain_text("live · run 2")
    expect(page.locator(".facts").get_by_text("300.5")).to_be_visible()

    page.get_by_role("button", name="End it", exact=True).click()
    page.get_by_role("button", name="End it for good").click()
    expect(page.get_by_text("follower has ended; what it had is on your account.")).to_be_visible()
    expect(page.locator("main").get_by_text("follower", exact=True)).to_have_count(0)

"""Track records on pages and at /api/v1/track-records/: the same figures, and whose they are."""

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
from fondaco.office.brokerage import figures
from fondaco.office.brokerage.tracks import ASKED_MAX, POINTS_TOLD_MAX, thinned
from fondaco.projections.models import MINUTE_BITS, Candle1m, Instrument
from fondaco.strategies import services
from fondaco.strategies.models import Strategy
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import MINUTE_US, report

pytestmark = pytest.mark.django_db(databases=["default", "projections"])

DAY_US = 1440 * MINUTE_US
UNIT = 10**8
ROUTE = "/api/v1/track-records/"


@pytest.fixture
def browser(member: Member) -> Client:
    member.membership_until = dt.date(2099, 12, 31)
    member.save()
    client = Client()
    client.force_login(member)
    return client


@pytest.fixture
def rows(member: Member) -> list[Strategy]:
    """Two strategies with 40 days of equity that ends now: one doubles, one falls by half."""
    now_us = time.time_ns() // 1000
    found = []
    for name, last in (("up", 2000), ("down", 500)):
        row, token = services.add_strategy(services.add_account(member, name), name=name)
        step = (last - 1000) / 40
        Reports().store(
            [
                report(token, now_us - (40 - day) * DAY_US, int(1000 + day * step) * UNIT, 9 * UNIT)
                for day in range(41)
            ]
        )
        found.append(row)
    return found


@pytest.fixture
def market() -> str:
    """A market whose price was 100 at first and 150 since 10 days ago."""
    Instrument.objects.create(
        number=7,
        symbol="BTCUSDT",
        base=1,
        quote=2,
        market=0,
        tick_size="0.01",
        lot_size="1",
        base_per_lot=1,
        quote_per_lot_tick=1,
        status=0,
    )
    minute = time.time_ns() // 1000 // MINUTE_US
    for ago, ticks in ((100 * 1440, 100), (10 * 1440, 150)):
        words = dict.fromkeys(
            ("volume_lots", "volume_quote", "taker_buy_lots", "taker_buy_quote", "trades"), 1
        )
        prices = dict.fromkeys(("open_ticks", "high_ticks", "low_ticks", "close_ticks"), ticks)
        key = (7 << MINUTE_BITS) + minute - ago
        Candle1m.objects.create(id=key, **words, **prices, first_trade_id=1, last_trade_id=1)
    return "market:BTCUSDT"


def ask(browser: Client, **words: Any) -> Any:
    return browser.get(ROUTE, words)


def test_records_side_by_side(browser: Client, rows: list[Strategy], market: str) -> None:
    """Two strategies and a market over one span; the market begins where they begin."""
    keys = [f"strategy:{row.pk}" for row in rows]
    told = ask(browser, of=[*keys, market], span="all").json()
    assert [each["key"] for each in told["records"]] == [*keys, market]
    up, down, beside = told["records"]
    assert (up["source"], beside["source"]) == ("self-reported", "market")
    assert (up["first"], up["last"], up["profit"]) == ("1000", "2000", "1000")
    assert up["statistics"]["return"] == pytest.approx(1.0)
    assert down["statistics"]["return"] == pytest.approx(-0.5)
    assert down["statistics"]["drawdown_now"] == pytest.approx(-0.5)
    assert beside["statistics"]["return"] == pytest.approx(0.5)
    assert "profit" not in beside
    assert beside["series"][0]["time"][:16] == up["series"][0]["time"][:16]
    assert up["series"][-1]["growth"] == pytest.approx(1.0)
    assert up["series"][-1]["margin"] == "9"
    margin = ask(browser, of=keys[0], span="all", equity="margin").json()["records"][0]
    assert (margin["first"], margin["profit"]) == ("9", "0")
    assert margin["statistics"]["sharpe"] is None
    product = 1.0
    for month in up["months"]:
        product *= 1 + month["return"] if month["month"] else 1
    assert product == pytest.approx(2.0)


def test_a_page_shows_what_the_route_tells(
    browser: Client, rows: list[Strategy], market: str
) -> None:
    """The figures of the strategy's page, beside a market too, are those of the route."""
    key = f"strategy:{rows[0].pk}"
    told = ask(browser, of=key, span="90d").json()["records"][0]
    page = browser.get(f"/dashboard/strategies/{rows[0].pk}?span=90d").content.decode()

    def figure(name: str) -> str:
        found = re.search(rf'data-figure="{name}">(.*?)</d', page)
        assert found, name
        return re.sub("<[^>]+>", "", found[1]).strip()

    statistics = told["statistics"]
    assert figure("profit") == "1,000"
    assert figure("return") == "+100.00 %"
    assert figure("sharpe") == figures.ratio_text(statistics["sharpe"])
    assert figure("volatility") == figures.share_text(statistics["volatility"], signed=False)
    assert figure("best").startswith(figures.share_text(statistics["best_day"]["return"]))
    assert 'data-curve="margin_balance"' in page
    assert "self-reported" in page
    curves = json.loads(re.search(r'id="curves"[^>]*>(.*?)</script>', page)[1])  # type: ignore[index]
    assert [line["name"] for line in curves["lines"]] == ["Equity", "Margin"]
    assert curves["lines"][0]["points"][-1][1] == 2000
    beside = browser.get(f"/dashboard/strategies/{rows[0].pk}?span=90d&of={market}")
    assert "+50.00 %" in beside.content.decode()


def test_comparing_offers_what_is_ones_own(browser: Client, rows: list[Strategy]) -> None:
    """The page of comparing lists one's strategies and marks those that are shown."""
    page = browser.get(f"/dashboard/compare?of=strategy:{rows[1].pk}&scale=log").content.decode()
    assert f'value="strategy:{rows[1].pk}" checked' in page
    assert f'value="strategy:{rows[0].pk}"> up' in page
    assert 'data-scale="log"' in page
    assert "Choose what to see" in browser.get("/dashboard/compare").content.decode()


def test_s1_8_anothers_record_is_not_found(browser: Client, rows: list[Strategy]) -> None:
    """S1-8: another member's strategy is 404 on each page and route, as one that isn't there."""
    bob = identity.create_member(username="bob", email="bob@example.com", password="long enough")
    theirs, _ = services.add_strategy(services.add_account(bob, "main"), name="s")
    for key in (f"strategy:{theirs.pk}", "strategy:99999", "strategy:x", "market:NONE", "robot:1"):
        assert ask(browser, of=key).status_code == 404, key
        assert browser.get("/dashboard/compare", {"of": key}).status_code == 404, key
    mixed = [f"strategy:{rows[0].pk}", f"strategy:{theirs.pk}"]
    assert ask(browser, of=mixed).status_code == 404


@pytest.mark.parametrize(
    "words, field",
    [
        ({}, "of"),
        ({"of": [f"strategy:{each}" for each in range(ASKED_MAX + 1)]}, "of"),
        ({"of": "strategy:1", "span": "2w"}, "span"),
        ({"of": "strategy:1", "from": "yesterday"}, "from"),
        ({"of": "strategy:1", "equity": "gold"}, "equity"),
    ],
)
def test_what_cannot_be_asked_is_said(browser: Client, words: dict[str, Any], field: str) -> None:
    """400 at its field by the route; the pages say it and show the usual span."""
    answer = ask(browser, **words)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    if field != "of":
        words = {key: value for key, value in words.items() if key != "of"}
        page = browser.get("/dashboard/compare", words)
        assert (page.status_code, 'role="alert"' in page.content.decode()) == (400, True)


@pytest.mark.parametrize("count", [0, 1, 2, 799, 800, 801, 1601, 9000])
def test_a_curve_keeps_its_ends(count: int) -> None:
    """However many points: the first and the last are told, none twice, never too many."""
    found = list(thinned(count))
    assert len(found) <= POINTS_TOLD_MAX + 1
    assert found == sorted(set(found))
    assert found[:1] == list(range(count))[:1]
    assert found[-1:] == list(range(count))[-1:]


@pytest.mark.parametrize(
    "share, text",
    [
        (None, "\N{EN DASH}"),
        (0.0, "0.00 %"),
        (-0.00001, "0.00 %"),
        (0.1234567, "+12.35 %"),
        (-12.5, "\N{MINUS SIGN}1,250.00 %"),
    ],
)
def test_shares_say_their_sign(share: float | None, text: str) -> None:
    """Two decimals, a sign unless nothing is left of it."""
    assert figures.share_text(share) == text


@pytest.mark.parametrize(
    "seconds, text", [(0, "0 h"), (7200, "2 h"), (86_400, "1 d"), (97_200, "1 d 3 h")]
)
def test_lengths_are_days_and_hours(seconds: int, text: str) -> None:
    """The two largest units."""
    assert figures.length_text(seconds) == text

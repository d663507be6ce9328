"""The backtests' page: a rule on a file that a member sends, told what is wrong with either."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import itertools
import json
import lzma
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import fondaco.office.urls  # noqa: F401 - its views bind the real core, not a stand-in
from fondaco.asgi import TOO_LARGE
from fondaco.identity import services as identity
from fondaco.office.robots.backtests import FILE_BYTES_MAX
from fondaco.office.robots.told_backtests import MARK_WIDTH
from fondaco.robots import models
from fondaco.robots.backtest import tape
from fondaco.robots.backtest.run import Backtest
from fondaco.robots.backtest.survey import open_file
from fondaco.robots.bots import backtests
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import plain
from tests.robots.test_backtest import SETTINGS, run, ticks
from tests.robots.test_backtest import rule as ruled
from tests.robots.test_rules import SEED

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PATH = "/robots/backtests/"
HEAD = ["ts_ms", "open", "high", "low", "close", "volume"]


@pytest.fixture
def browser() -> Client:
    member = identity.create_member(username="ann", email="ann@example.com", password="long enough")
    member.membership_until = dt.date(2099, 12, 31)
    member.save()
    client = Client()
    client.force_login(member)
    return client


def candles(days: int = 3, minutes: int = 10) -> bytes:
    """A walk around 20.70 that passes the seed's prices, as candles."""
    chance, cents = Random(1), 2050
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEAD)
    for number in range(days * 1440 // minutes):
        opens = cents
        cents = min(max(cents + chance.randint(-8, 9), 2020), 2120)
        high, low = max(opens, cents) + 2, min(opens, cents) - 2
        prices = [f"{each / 100:.2f}" for each in (opens, high, low, cents)]
        rows.writerow([1_700_000_000_000 + number * minutes * 60_000, *prices, 1000])
    return text.getvalue().encode()


def ask(browser: Client, name: str, content: bytes, **more: str) -> tuple[int, str]:
    form = {"rule": SEED, "source": "candles", **more}
    file = SimpleUploadedFile(name, content)
    answer = browser.post(PATH, {**form, "file": file}, follow=True)
    return answer.status_code, answer.content.decode()


@pytest.mark.parametrize("name", ["year.csv", "year.csv.gz", "year.csv.xz"])
def test_a_rule_on_a_file_of_candles(browser: Client, name: str) -> None:
    """Asked with a file: run by a worker as the command runs it, told with its rules, file gone."""
    plain = candles()
    packed = {"csv": plain, "gz": gzip.compress(plain), "xz": lzma.compress(plain)}
    content = packed[name.rpartition(".")[2]]
    status, said = ask(browser, name, content, walk="ohlc", queue="50", latency_ms="0")
    assert (status, f"to run on {name}" in said) == (200, True)
    row = models.Backtest.objects.get()
    backtests.run_one(row, "USD", Path("/nowhere"))
    row.refresh_from_db()
    assert (row.fault, bytes(row.file)) == ("", b"")
    found = json.loads(row.result)
    assert (found["settings"]["walk"], found["settings"]["queue"]) == ("ohlc", "50")
    assert len(found["fills"]) >= 2
    assert len(found["curve"]) <= 1025
    answer = browser.get(f"{PATH}{row.pk}")
    told = answer.content.decode()
    for text in (
        f"candles of {name}", "each candle goes open, high, low, close", "maker 0.001, taker 0.001",
        "50 STOCKA before an order", 'class="buy"', "2023-11-15", "Drawdown, %", "step 1 acts",
    ):  # fmt: skip
        assert text in told, text
    assert name in browser.get(PATH).content.decode()


def test_days_become_months_where_there_are_many(browser: Client) -> None:
    """A long tape has a row a month, which add up to the whole profit."""
    ask(browser, "long.csv", candles(days=100, minutes=120))
    row = models.Backtest.objects.get()
    backtests.run_one(row, "USD", Path("/nowhere"))
    row.refresh_from_db()
    answer = browser.get(f"{PATH}{row.pk}")
    periods = answer.context["periods"]
    assert (periods["word"], len(periods["rows"])) == ("Month", 4)
    total = sum(Decimal(each["profit"]) for each in periods["rows"])
    assert total == Decimal(json.loads(row.result)["profit"])


def test_marks_cover_the_whole_chart_and_long_tables_are_folded(browser: Client) -> None:
    """Of very many fills one a side and place is marked, to the end; each count is told."""
    churns = """{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "STOCKA",
        "shares": 1}}, "$then": {"$do": {"$order": {"kind": "MARKET", "intent": "SELL",
        "ticker": "STOCKA", "shares": 1}}}, "$repeat": {"times": 5000, "pause_s": 200}}"""
    ask(browser, "a.csv", candles(4), rule=churns)
    row = models.Backtest.objects.get()
    backtests.run_one(row, "USD", Path("/nowhere"))
    row.refresh_from_db()
    count = len(json.loads(row.result)["fills"])
    assert count > 600
    answer = browser.get(f"{PATH}{row.pk}")
    price, equity, _ = answer.context["charts"]
    for side in ("buy", "sell"):
        places = [float(m["points"].split(",")[0]) for m in price["marks"] if m["side"] == side]
        assert len(places) <= 1000 // MARK_WIDTH + 1
        assert (min(places) < 50, max(places) > 950) == (True, True)
        assert all(after > before for before, after in itertools.pairwise(places))
    assert f"{len(price['marks'])} of {count} fills are marked" in price["said"]
    assert equity["said"].startswith("from 10,000.00 to 9,")
    told = answer.content.decode()
    assert f'<details class="folded"><summary>The first 100 of {count}</summary>' in told
    assert '<details class="folded" open><summary>' in told
    assert told.count('data-label="Fee"') == 100


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"ts_ms,open\n", "a.csv, line 1: the header has ts_ms, open; it needs high"),
        ("a.csv", b"", "The submitted file is empty."),
        ("a.csv", ",".join(HEAD).encode() + b"\n", "a.csv has no rows below its header"),
        (
            "a.csv",
            ",".join(HEAD).encode() + b"\n60000,20,21,19,20.5,1\n1,20,21,19,22,1\n",
            "a.csv, line 3: open and close lie between low and high",
        ),
        ("a.csv", b"\xff\xfe\x00", "a.csv, line 1: found bytes that are no text in UTF-8; save"),
        (
            "a.csv.gz",
            b"no gzip",
            "a.csv.gz, line 1: it can&#x27;t be unpacked as .gz; pack it again",
        ),
        ("a.csv", b"x" * (FILE_BYTES_MAX + 1), "larger than 1.9 MB"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_at_once(
    browser: Client, name: str, content: bytes, said: str
) -> None:
    """400 with the line and what is expected there, and nothing is kept."""
    status, told = ask(browser, name, content)
    assert (status, said in told) == (400, True)
    assert not models.Backtest.objects.exists()


def test_a_body_over_the_limit_is_a_page(browser: Client) -> None:
    """413 in the house's dress, with what to do; no view sees what is left of it."""
    answer = browser.post(PATH, {"rule": SEED}, **{TOO_LARGE: True})  # type: ignore[arg-type]
    told = answer.content.decode()
    assert answer.status_code == 413
    assert "at most 2 MiB at once" in told
    assert 'action="/logout"' in told or "ann" in told
    assert "Choose the file" not in told


def test_a_rule_that_no_file_can_serve(browser: Client) -> None:
    """None, two markets, or the cash itself: 400 at the rule; no file: 400 at the file."""
    two = SEED.replace("STOCKA", "STOCKB", 1)
    two = two.replace('"shares"', '"ticker": "STOCKA", "shares"')
    for rule, said in (
        (two, "A file has one market; the rule names STOCKA, STOCKB."),
        (SEED.replace("gte", "above", 1), "$.$when.$comparison.type"),
    ):
        status, told = ask(browser, "a.csv", candles(1), rule=rule)
        assert (status, said in told) == (400, True)
    answer = browser.post(PATH, {"rule": SEED, "source": "trades"})
    assert (answer.status_code, "Choose the file of trades" in answer.content.decode()) == (
        400, True,
    )  # fmt: skip
    assert not models.Backtest.objects.exists()


def test_what_is_wrong_further_down_is_told_with_its_line(browser: Client) -> None:
    """The worker reads every row: the fault stands on the backtest's page."""
    content = candles() + b"1800000000000,20,21,19,nothing,1\n"
    ask(browser, "a.csv", content)
    row = models.Backtest.objects.get()
    backtests.run_one(row, "USD", Path("/nowhere"))
    told = browser.get(f"{PATH}{row.pk}").content.decode()
    assert f"a.csv, line {content.count(10)}: " in told
    assert 'data-backtest="failed"' in told


def test_a_packed_file_is_bounded_unpacked(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither bytes nor rows without end come out of a small file."""
    head = ",".join(HEAD).encode()
    bomb = lzma.compress(head + b"\n60000,20,21,19,20.5," + b"1" * (tape.UPLOAD_BYTES_MAX + 1))
    assert len(bomb) < 100_000
    status, told = ask(browser, "a.csv.xz", bomb)
    assert (status, "more than 64 MiB, unpacked" in told) == (400, True)
    monkeypatch.setattr(tape, "UPLOAD_ROWS_MAX", 300)
    ask(browser, "b.csv", candles(), rule=SEED)
    row = models.Backtest.objects.get()
    backtests.run_one(row, "USD", Path("/nowhere"))
    row.refresh_from_db()
    assert row.fault == "b.csv, line 302: more than 300 rows; send fewer of them"


def test_fees_of_a_file_are_what_a_house_takes(tmp_path: Path) -> None:
    """To the last decimal of coin and cash, in cash of whole shares; fewer at high prices."""
    rows = "ts_ms,price,qty,buyer_is_maker\n"
    buys = """{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "AAA",
        "shares": "1"}}}"""
    for price, quantity, decimals, fee, asset in (
        ("20.57", "50", (0, 8), "0.02057", "USD"),
        ("20.57", "50.5", (8, 8), "0.001", "AAA"),
        ("1000000000", "90.5", (8, 3), "0.001", "AAA"),
    ):
        path = tmp_path / "trades.csv"
        path.write_text(rows + "".join(f"{n},{price},{quantity},false\n" for n in (1, 2, 3)))
        opened = open_file(path, "trades", tape.Walk.SHAPE)
        assert opened.decimals == decimals
        settings = msgspec.structs.replace(
            SETTINGS, tick=opened.survey.tick, lot=opened.survey.lot, depth=opened.survey.depth,
            queue=opened.survey.depth, cash=Decimal(price) * 10, decimals=opened.decimals,
            fee_in_quote=opened.fee_in_quote, taker_fee=Decimal("0.001"), latency_ms=0,
        )  # fmt: skip
        [fill] = Backtest(plan_rule(read_rule(buys)), settings).run(opened.ticks).fills
        assert (plain(fill.fee), fill.fee_asset) == (Decimal(fee), asset)


def test_a_robot_that_ends_each_look_in_cash_falls_too() -> None:
    """What a sale cost counts as a fall although nothing is held after it."""
    sell = ruled('"kind": "MARKET", "intent": "SELL", "shares": 1')
    text = ruled('"kind": "MARKET", "intent": "BUY", "shares": 1', then=sell)
    result = run(text, ticks(*(f"{n} 100 1 sell" for n in range(5))), coins=Decimal(0))
    assert [fill.side for fill in result.fills] == ["BUY", "SELL"]
    assert result.coins == 0
    assert result.drawdown == -result.profit > 0

"""Backtests of signal robots by the page: asked for, run as the command runs them, and told."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from fondaco.core.records import AccountKind
from fondaco.identity import services as identity
from fondaco.identity.models import Account, Member
from fondaco.robots.backtest.apart import Job, run_apart
from fondaco.robots.bots import backtests
from fondaco.robots.models import Backtest, Robot, RobotKind, Signal
from tests.robots.test_apart import children
from tests.robots.test_backtest_page import PATH, browser, candles
from tests.robots.test_rules import SEED
from tests.robots.test_signal_backtest import ROWS, SIGNALS, call

__all__ = ["browser"]
pytestmark = pytest.mark.django_db(databases=["default", "projections"])
SECOND_US: Final = 1_000_000
BEGIN_US: Final = 1_700_000_000 * SECOND_US
CONFIG: Final = {
    "buy_on": "STRONG_BUY", "sell_on": "SELL", "symbols": "BTC", "operation_amount": "500",
}  # fmt: skip


def ask(browser: Client, **more: Any) -> tuple[int, str]:
    """Ask for a backtest of a signal robot on the trades of ROWS."""
    form = {
        "kind": "signal", "source": "trades", "cash": "1000", **CONFIG,
        "file": SimpleUploadedFile("trades.csv", ROWS.encode()), **more,
    }  # fmt: skip
    answer = browser.post(PATH, {name: told for name, told in form.items() if told is not None})
    if answer.status_code == 302:
        answer = browser.get(answer.url)  # type: ignore[attr-defined]
    return answer.status_code, answer.content.decode()


def sent(content: object = SIGNALS, name: str = "signals.json") -> dict[str, Any]:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"signals": "file", "signals_file": SimpleUploadedFile(name, text)}


def ran() -> Backtest:
    """Run the newest and return its row."""
    row = Backtest.objects.latest("pk")
    backtests.run_one(row, "USD", Path("/nowhere"))
    row.refresh_from_db()
    return row


def test_the_page_gives_what_the_command_gives(browser: Client, tmp_path: Path) -> None:
    """The same tape, config and file of signals: the same bytes; and every part of it is told."""
    status, told = ask(browser, **sent())
    assert (status, "to run on trades.csv, hearing the signals of signals.json" in told) == (
        200,
        True,
    )
    row = ran()
    assert (row.fault, bytes(row.file), bytes(row.signals_file)) == ("", b"", b"")
    (tmp_path / "signals.json").write_text(json.dumps(SIGNALS), encoding="utf-8")
    given = ("--signals", str(tmp_path / "signals.json"), "--json")
    assert row.result == call(tmp_path, *given).stdout.strip()
    told = browser.get(f"{PATH}{row.pk}").content.decode()
    for text in (
        "A signal robot heard the signals of signals.json.", "3 judged, 1 after its end not",
        "nothing was open", "data-operations", ">closed</span>", "by a signal", 'class="buy"',
        "triggered: 2", "neutral: 1", "bought 4.8951 BTC for 492.45", "at 100.5", "data-periods",
        "<dd>STRONG_BUY</dd>", "SELL or stronger", "maker 0.001, taker 0.001",
        "An operation buys for",
    ):  # fmt: skip
        assert text in told, text
    assert "a signal robot" in browser.get(PATH).content.decode()


def test_what_this_house_heard_is_heard_again(browser: Client) -> None:
    """Signals for everybody and for the member's own, when they came in; no other's, no other."""
    member, other = Member.objects.get(username="ann"), 10**6
    for second, symbol, strength, owner in (
        (1, "BTC", 2, 0), (2, "ETH", -1, 0), (2, "BTC", -2, other), (3, "BTC", -1, member.pk),
    ):  # fmt: skip
        Signal.objects.create(
            symbol=symbol, strength=strength, member=owner, source="test",
            timestamp_us=7 + second, received_us=BEGIN_US + second * SECOND_US,
        )  # fmt: skip
    status, told = ask(browser, signals="stored")
    assert (status, "hearing the signals that came in to this house" in told) == (200, True)
    found = json.loads(ran().result)
    assert [(one["time_us"], one["operation"]) for one in found["decisions"]] == [
        (BEGIN_US + SECOND_US, "BUY"), (BEGIN_US + 3 * SECOND_US, "SELL"),
    ]  # fmt: skip
    Signal.objects.all().delete()
    ask(browser, signals="stored")
    row = ran()
    assert row.fault.startswith("this house has no signal of BTC for this robot; send it")
    told = browser.get(f"{PATH}{row.pk}").content.decode()
    assert "this house has no signal of BTC" in told


def test_the_houses_own_analysis_of_a_file_of_candles(browser: Client) -> None:
    """Ratings of the tape's own candles, at the length that was asked for."""
    file = SimpleUploadedFile("a.csv", candles(5))
    more = {"signals": "ratings", "ratings": "robot", "interval": "30m"}
    ask(browser, source="candles", file=file, buy_on="BUY", symbols="STOCKA", **more)
    row = ran()
    found = json.loads(row.result)
    assert (row.fault, found["signals"] > 20) == ("", True)
    assert {one["symbol"] for one in found["decisions"]} == {"STOCKA"}
    told = browser.get(f"{PATH}{row.pk}").content.decode()
    assert "A signal robot heard the house&#x27;s crossing averages of 30m candles." in told


def test_a_killed_one_keeps_its_files_and_runs_again(browser: Client) -> None:
    """Its page says that it was killed, and has a button; then the same bytes come as ever."""

    def killed(job: Job) -> bytes:
        def kill() -> str:
            for pid in children(os.getpid()):
                with suppress(OSError):  # what lists them is a child, too
                    if b"backtest.apart" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(pid, signal.SIGKILL)
            return ""

        return run_apart(job, is_over=kill)

    ask(browser, **sent())
    row = Backtest.objects.latest("pk")
    backtests.run_one(row, "USD", Path("/nowhere"), run=killed)
    told = browser.get(f"{PATH}{row.pk}").content.decode()
    assert "its process was killed (SIGKILL) before it was through; run it again" in told
    assert (
        'data-backtest="running"'
        in browser.post(f"{PATH}{row.pk}", {"do": "again"}, follow=True).content.decode()
    )
    assert bytes(Backtest.objects.get(pk=row.pk).signals_file) == json.dumps(SIGNALS).encode()
    assert (ran().fault, ran().result > "") == ("", True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"symbols": ""}, "It needs a symbol to buy, like BTC."),
        ({"symbols": "BTC, ETH"}, "Its symbols are BTC, ETH; name one, a tape is of one."),
        ({"symbol": "ETH"}, "ETH is none of the robot&#x27;s symbols; they are BTC."),
        ({"symbols": "btc"}, "Symbols &quot;btc&quot; must be 1 to 12 capitals or digits."),
        ({"symbols": "USD"}, "USD is the cash; name a coin."),
        ({"day_stop_loss": "-1"}, "A day may lose must be a plain amount, 0 for none."),
        ({"orders_day_max": "0.5"}, "Orders of a day must be a whole number up to 1000000"),
        ({"signals": "file"}, "Choose the file of signals."),
        (sent(b"time\n", "s.csv"), "s.csv, line 1: a file of signals is JSON, or CSV with"),
        (sent([{"summary": "HOLD"}]), "signals.json, signal 1: summary must be one of BUY"),
        ({"signals": "ratings", "ratings": "moon"}, "Select a valid choice. moon is not one"),
        ({"file": None}, "Choose the file of trades."),
        ({"source": "journal"}, "There is no order book of BTC in USD here; there are none."),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    browser: Client, asked: dict[str, Any], said: str
) -> None:
    """400 with what was found, nothing is kept, and what was typed stands there still."""
    status, told = ask(browser, **asked)
    assert (status, said in told) == (400, True), told
    assert not Backtest.objects.exists()
    assert '<option value="signal" selected>' in told


def robot_of(member: Member, name: str, **more: Any) -> Robot:
    number = 100 + Account.objects.count()
    account = Account.objects.create(
        number=number, member=member, name=name, kind=AccountKind.ROBOT.value
    )
    return Robot.objects.create(id=name, member=member, account=account, **more)


def test_the_form_begins_with_the_settings_of_a_robot_of_ones_own(browser: Client) -> None:
    """Of either kind; another member's is as unknown as none, and so is their backtest."""
    member = Member.objects.get(username="ann")
    other = identity.create_member(username="bob", email="bob@example.com", password="long enough")
    config = {
        "buy_on": "BUY", "sell_on": "STRONG_SELL", "symbols": ["ETH", "BTC"], "day_stop_loss": "0",
        "order_notional_max": "12.5",
    }  # fmt: skip
    robot_of(member, "listens", kind=RobotKind.SIGNAL, config=config)
    robot_of(member, "rules", kind=RobotKind.RULE, rule=SEED)
    robot_of(other, "theirs", kind=RobotKind.SIGNAL, config=config)
    told = browser.get(PATH).content.decode()
    assert ('href="?robot=listens"' in told, "theirs" in told) == (True, False)
    told = browser.get(f"{PATH}?robot=listens").content.decode()
    for text in (
        '<option value="signal" selected>', '<option value="BUY" selected>', 'value="ETH, BTC"',
        'value="12.5"', '<option value="STRONG_SELL" selected>', 'value="ETH"',
        '<details class="folded" open><summary>Limits',
    ):  # fmt: skip
        assert text in told, text
    assert '<option value="rule" selected>' in browser.get(f"{PATH}?robot=rules").content.decode()
    for name in ("theirs", "nobody"):
        assert browser.get(f"{PATH}?robot={name}").status_code == 404
    row = Backtest.objects.create(member=other, ticker="BTC", config=config, signals="stored")
    for answer in (browser.get(f"{PATH}{row.pk}"), browser.post(f"{PATH}{row.pk}", {"do": "x"})):
        assert answer.status_code == 404

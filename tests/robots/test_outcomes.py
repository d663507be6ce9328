"""What a decision says once its order was done, or refused for good: in the core's numbers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fondaco.core import records
from fondaco.core.records import Command, InstrumentStatus, Side
from fondaco.core.records import Reason as CoreReason
from fondaco.robots.hub import selectors
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.reasons import numbers, tell
from fondaco.robots.hub.refusals import ended
from fondaco.robots.models import Robot
from tests.robots.hub_field import START_US, HubField

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
ROBOT = (
    '[[members.robots]]\nid = "r0"\n'
    'config = { buy_on = 1, sell_on = 1, symbols = ["BTC"], operation_amount = 100 }\n'
    'allotment = { USDT = "1000" }\n'
)
DECIMALS = {1: ("BTC", 8), 2: ("USDT", 8)}


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    """One robot that buys for 100, and a market at 20000."""
    monkeypatch.setattr(selectors, "asset_codes", lambda: DECIMALS)
    monkeypatch.setattr(selectors, "instruments", list)
    made = HubField(monkeypatch, ROBOT)
    made.trade(20000)
    made.quote(19990, 20010)
    return made


def told(field: HubField, signal: int) -> tuple[str, str, dict[str, Any]]:
    """Return reason, text and numbers of the only robot's decision at a signal."""
    account = Robot.objects.get(pk="r0").account_id
    for each in selectors.decisions(account, cash="USDT", limit=50):
        if each["signal_id"] == signal:
            return each["reason"], each["text"], each["numbers"]
    raise AssertionError(f"nothing was decided at {signal}")


def kill(field: HubField, *, on: int) -> None:
    account = Robot.objects.get(pk="r0").account_id
    field.core.submit(records.pack(Command.KILL_ROBOT, account=account, on=on))


def triggered(signal: int) -> list[str]:
    words = selectors.signal_words(signal)
    assert words is not None
    return [each["client_id"] for each in words["triggers"]]


def test_a_killed_robot_says_so_and_is_no_trigger(field: HubField) -> None:
    """With its kill switch on it buys nothing, is listed nowhere, and still sells what it has."""
    bought = field.signal(1)
    field.turn()
    assert told(field, bought)[1].startswith("bought 0.00")
    kill(field, on=1)
    refused, sold = field.signal(2), field.signal(-1)
    field.turn()
    text = "did not buy: its kill switch is on"
    assert told(field, refused) == ("INACTIVE", text, {"kill_switch": "on"})
    assert triggered(refused) == []
    assert told(field, sold)[1].startswith("sold 0.00")
    assert triggered(sold) == ["r0"]
    kill(field, on=0)
    again = field.signal(1)
    field.turn()
    assert told(field, again)[0] == "TRIGGERED"


def test_a_switch_thrown_while_it_waits_is_the_reason(field: HubField) -> None:
    """It was buying from an empty book when it was killed: the core's refusal is written back."""
    field.core.submit(field.cancel_all())
    signal = field.signal(1)
    field.turn()
    words = told(field, signal)
    assert words[:2] == ("TRIGGERED", "buys BTC for up to 100.00, and waits: no liquidity")
    kill(field, on=1)
    due(field)
    reason, text, core = told(field, signal)
    assert (reason, text) == ("INACTIVE", "did not buy: its kill switch is on")
    assert core["core"] == "REDUCE_ONLY"
    assert triggered(signal) == []


def test_an_empty_book_for_a_minute_is_the_reason(field: HubField) -> None:
    """Nobody sold: after a minute it is no trigger any more, and says how long it tried."""
    field.core.submit(field.cancel_all())
    signal = field.signal(1)
    field.turn()
    field.core.time_us = START_US + 61_000_000
    due(field)
    reason, text, core = told(field, signal)
    assert (reason, text) == ("TOO_LATE", "did not buy: nobody sold BTC for 61 s")
    assert core == {"age_s": 61, "age_s_max": 60, "core": "NO_LIQUIDITY"}
    assert (triggered(signal), field.buys("r0")) == ([], 0)


def test_a_halted_market_for_a_minute_is_the_reason(field: HubField) -> None:
    """The market was halted between judging and the minute's end."""
    body = field.hub._roster.instruments[1]
    halted = msgspec.structs.replace(body, status=InstrumentStatus.HALT)
    field.core.submit(records.pack_body(Command.DEFINE_INSTRUMENT, halted))
    signal = field.signal(1)
    field.turn()
    assert told(field, signal)[1] == "buys BTC for up to 100.00, and waits: market closed"
    field.core.time_us = START_US + 75_000_000
    due(field)
    reason, text, core = told(field, signal)
    assert (reason, text) == ("TOO_LATE", "did not buy: the market of BTC was closed for 75 s")
    assert core["core"] == "MARKET_CLOSED"
    assert triggered(signal) == []


def test_a_sale_that_comes_first_ends_the_buying(field: HubField) -> None:
    """A purchase that got nothing is given up at the next signal to sell, and says so."""
    field.core.submit(field.cancel_all())
    signal = field.signal(1)
    field.turn()
    field.core.time_us = START_US + 12_000_000
    give = records.pack(
        Command.TRANSFER, account=field.ann, asset=1, amount=10**8, entry=77,
        to_account=Robot.objects.get(pk="r0").account_id,
    )  # fmt: skip
    field.core.submit(give)
    sale = field.signal(-1)
    field.turn()
    assert told(field, signal)[:2] == ("TOO_LATE", "did not buy: nobody sold BTC for 12 s")
    assert told(field, sale)[1] == "sells 1 BTC, and waits: no liquidity"


def due(field: HubField) -> None:
    """Have what waits be tried now, whatever the wall clock says."""
    operations = field.hub._operations
    operations._touched.update(operations._steps)
    field.turn()


@pytest.mark.parametrize("sells", [False, True])
@pytest.mark.parametrize("refused", list(CoreReason))
def test_every_refusal_has_true_words(refused: CoreReason, *, sells: bool) -> None:
    """Whatever the core refuses for good: it is not TRIGGERED, and its words are whole."""
    found = ended(refused, (300, 250, 7), sells=sells, age_s=61)
    reason = Reason(found.reason)
    assert reason is not Reason.TRIGGERED
    side = Side.SELL if sells else Side.BUY
    told = numbers(reason, side, found.had, found.needed, cash=str, coin=str, refused=found.refused)
    text = tell(reason, side.name, "BTC", told)
    assert text.startswith(f"did not {side.name.lower()}: ")
    assert told["core"] == refused.name
    assert "{" not in text


@pytest.mark.parametrize(
    ("refused", "detail", "sells", "reason", "text"),
    [
        (CoreReason.DAY_STOP, (51, 50, 0), False, "DAY_STOP", "lost 51.00 today, limit 50.00"),
        (CoreReason.SELL_CAP, (90, 20, 100), True, "SELL_CAP",
         "sold 110.00 this month with it, cap 100.00"),
        (CoreReason.INSUFFICIENT_BALANCE, (2, 250, 7), False, "CASH_TOO_LOW",
         "cash 7.00, minimum 250.00"),
        (CoreReason.INSUFFICIENT_BALANCE, (1, 9, 3), True, "COIN_TOO_LOW", "3 BTC, minimum 9"),
        (CoreReason.NOTIONAL_TOO_SMALL, (3, 10, 0), True, "COIN_TOO_LOW",
         "its order is worth 3.00, minimum 10.00"),
        (CoreReason.NOTIONAL_TOO_LARGE, (300, 250, 0), False, "LOCKED",
         "its order is worth 300.00, at most 250.00"),
        (CoreReason.TOO_MANY_ORDERS_TODAY, (5, 0, 0), False, "LOCKED",
         "it has sent 5 orders today, its limit"),
        (CoreReason.QUANTITY_OUT_OF_RANGE, (1, 9, 0), False, "LOCKED",
         "the house's core refused its order: quantity out of range"),
        (None, (0, 0, 0), False, "TOO_LATE", "too late: 61 s old, at most 60 s"),
    ],
)  # fmt: skip
def test_the_numbers_are_the_cores(
    refused: CoreReason | None, detail: tuple[int, int, int], sells: bool, reason: str, text: str
) -> None:
    """Each limit is told by what the core counted, money in money's usual places."""
    found = ended(refused, detail, sells=sells, age_s=61)
    assert Reason(found.reason).name == reason
    side = Side.SELL if sells else Side.BUY
    told = numbers(
        Reason(found.reason), side, found.had, found.needed, cash=str, coin=str,
        refused=found.refused,
    )  # fmt: skip
    said = tell(Reason(found.reason), side.name, "BTC", told)
    assert said.partition(": ")[2] == text

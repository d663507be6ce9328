"""Robots as rows and accounts: opened once, paid once, whatever happens on the way."""

from __future__ import annotations

import pytest

from fondaco.core import records
from fondaco.house import file
from fondaco.house.errors import HouseFault, HouseFileError
from fondaco.house.robots import ConfigFault, RobotConfig, read_config
from fondaco.identity import services as identity
from fondaco.identity.models import Account, Member
from fondaco.link.answers import Unanswered
from fondaco.robots import services
from fondaco.robots.models import Robot, RobotTransfer
from tests.robots.real_core import RealCore

CASH = records.AssetBody(number=2, code="USDT", decimals=8)
pytestmark = pytest.mark.django_db

HOUSE = """
[house]
name = "Rialto"
cash = "USDT"
[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.00001"
[[members]]
username = "ann"
email = "ann@example.com"
balances = { USDT = "1000", BTC = "1" }
[[members.robots]]
id = "robot-1"
config = { buy_on = 1, sell_on = "SELL", operation_stop_loss = 50.25, symbols = ["BTC"] }
allotment = { USDT = "600", BTC = "0.25" }
[[members.robots]]
id = "robot-2"
active = false
locked = true
locked_until = 2027-01-01T00:00:00Z
"""


def applied(core: RealCore, text: str = HOUSE) -> None:
    house = file.loads(text)
    identity.apply_house(house, core)
    services.apply_house(house, core)


def test_the_house_file_opens_robots_and_pays_their_allotments() -> None:
    """A robot has an account of its own, funds from its member's spot account, and its config."""
    core = RealCore()
    applied(core)
    one, two = Robot.objects.order_by("pk")
    assert one.member == Member.objects.get(username="ann")
    assert (one.account.kind, one.account.name) == (records.AccountKind.ROBOT, "robot robot-1")
    assert one.config == {
        "buy_on": "BUY",
        "sell_on": "SELL",
        "operation_stop_loss": "50.25",
        "day_stop_loss": "0",
        "month_stop_loss": "0",
        "month_sell_cap": "0",
        "orders_day_max": 0,
        "order_notional_max": "0",
        "operation_amount": "0",
        "symbols": ["BTC"],
    }
    spot = Account.objects.get(member=one.member, kind=records.AccountKind.SPOT)
    assert services.balances(core, one.account_id) == [(1, 25 * 10**6, 0), (2, 600 * 10**8, 0)]
    assert services.balances(core, spot.pk) == [(1, 75 * 10**6, 0), (2, 400 * 10**8, 0)]
    assert (two.is_active, two.is_locked) == (False, True)
    assert two.locked_until_us == 1_798_761_600_000_000


def test_a_second_application_changes_nothing() -> None:
    """What exists keeps its config and money, whatever the file says now; no command is sent."""
    core = RealCore()
    applied(core)
    sent = list(core.commands)
    applied(core, HOUSE.replace("buy_on = 1", "buy_on = 2").replace('"600"', '"700"'))
    assert core.commands == sent
    assert Robot.objects.get(pk="robot-1").config["buy_on"] == "BUY"


@pytest.mark.parametrize("lost", [records.Command.OPEN_ACCOUNT, records.Command.TRANSFER])
def test_a_lost_answer_is_made_good_and_nothing_is_paid_twice(lost: records.Command) -> None:
    """The command was done and its answer lost: the next start finds it done."""
    core = RealCore()
    house = file.loads(HOUSE)
    identity.apply_house(house, core)
    core.lose = lost
    with pytest.raises(Unanswered):
        services.apply_house(house, core)
    services.apply_house(house, core)
    robot = Robot.objects.get(pk="robot-1")
    assert services.balances(core, robot.account_id)[1] == (2, 600 * 10**8, 0)
    assert not RobotTransfer.objects.filter(seq=0).exists()


@pytest.mark.parametrize("lost", [records.Command.OPEN_ACCOUNT, records.Command.TRANSFER])
def test_what_was_left_half_done_is_gone_on_with(lost: records.Command) -> None:
    """A robot made by the API whose answer was lost is opened and paid by the next chore."""
    core = RealCore()
    identity.apply_house(file.loads(HOUSE), core)
    ann = Member.objects.get(username="ann")
    core.lose = lost
    with pytest.raises(Unanswered):
        services.open_robot(
            core, member=ann, cash=CASH, id="r", kind="rule", allotment={2: 5, 1: 7}
        )
    services.resume(core, CASH)
    sent = list(core.commands)
    services.resume(core, CASH)
    assert core.commands == sent
    robot = Robot.objects.get(pk="r")
    assert robot.account.opened_at is not None
    assert services.balances(core, robot.account_id) == [(1, 7, 0), (2, 5, 0)]


def test_an_allotment_that_the_member_lacks_is_a_fault_of_the_file() -> None:
    """The start is refused with the place; a smaller one at the next start is paid."""
    core = RealCore()
    with pytest.raises(HouseFault, match="robot-1 is 1600 USDT, and ann has less") as caught:
        applied(core, HOUSE.replace('"600"', '"1600"'))
    assert caught.value.path == ("members", 0, "robots", 0, "allotment")
    applied(core)
    robot = Robot.objects.get(pk="robot-1")
    assert services.balances(core, robot.account_id)[1] == (2, 600 * 10**8, 0)


def test_an_id_of_another_member_is_refused() -> None:
    """A client id is one robot in the whole house."""
    core = RealCore()
    applied(core)
    bob = identity.create_member(username="bob", email="bob@example.com", password="")
    identity.open_account(core, member=bob)
    with pytest.raises(services.RobotRefused, match="robot robot-1 exists"):
        services.open_robot(core, member=bob, cash=CASH, id="robot-1", kind="signal")


def test_a_closed_robot_gives_everything_back() -> None:
    """Its orders are cancelled, its funds are the member's again, its id is used up."""
    core = RealCore()
    applied(core)
    robot = Robot.objects.get(pk="robot-1")
    order = records.pack(
        records.Command.NEW_ORDER,
        account=robot.account_id,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=100,
        quantity_lots=100_000,
    )
    core.submit(order)
    services.close(core, robot)
    spot = Account.objects.get(member=robot.member, kind=records.AccountKind.SPOT)
    assert services.balances(core, spot.pk) == [(1, 10**8, 0), (2, 1000 * 10**8, 0)]
    assert all(free == held == 0 for _, free, held in services.balances(core, robot.account_id))
    services.close(core, robot)
    with pytest.raises(services.RobotRefused, match="choose another id"):
        services.open_robot(core, member=robot.member, cash=CASH, id="robot-1", kind="signal")


def test_a_change_is_kept_and_told() -> None:
    """What a member changes is in the row; nothing else moves."""
    core = RealCore()
    applied(core)
    robot = Robot.objects.get(pk="robot-1")
    services.configure(
        core, robot, cash=CASH, config=RobotConfig(sell_on="STRONG_SELL"), is_active=False
    )
    robot.refresh_from_db()
    assert (robot.config["sell_on"], robot.is_active) == ("STRONG_SELL", False)


def test_limits_are_the_core_s_own_and_follow_the_config() -> None:
    """What a robot may lose and sell is in its account's terms; a lost answer is made good."""
    core = RealCore()
    applied(core, HOUSE.replace("operation_stop_loss", "day_stop_loss"))
    robot = Robot.objects.get(pk="robot-1")
    assert core.terms(robot.account_id) == records.RobotTerms(cash=2, day_loss_max=5025000000)
    more = RobotConfig(month_stop_loss="7", month_sell_cap="8.5")
    core.lose = records.Command.CONFIGURE_ACCOUNT
    with pytest.raises(Unanswered):
        services.configure(core, robot, cash=CASH, config=more)
    robot.refresh_from_db()
    assert robot.config["day_stop_loss"] == "50.25"
    services.configure(core, robot, cash=CASH, config=more)
    assert core.terms(robot.account_id) == records.RobotTerms(
        cash=2, month_loss_max=700000000, month_sell_cap=850000000
    )


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("buy_on", "SELL", "must be BUY or 1"),
        ("buy_on", 3, "must be BUY or 1"),
        ("buy_on", True, "must be BUY or 1"),
        ("buy_on", 1.0, "must be BUY or 1"),
        ("sell_on", "BUY", "must be SELL or 1"),
        ("day_stop_loss", -1, "must be a plain amount"),
        ("day_stop_loss", float("nan"), "must be a plain amount"),
        ("day_stop_loss", float("inf"), "must be a plain amount"),
        ("day_stop_loss", 1e300, "must be a plain amount"),
        ("day_stop_loss", None, "must be a plain amount"),
        ("month_sell_cap", "0.000000001", "more than 8 decimals"),
        ("symbols", "BTC", "must be a list"),
        ("symbols", ["btc"], "capitals"),
        ("symbols", ["BTC", "BTC"], "twice"),
        ("loss", 1, "is unknown; known are buy_on"),
    ],
)
def test_a_config_that_cannot_stand_names_its_field(field: str, value: object, said: str) -> None:
    """One field is named, with what to write instead."""
    with pytest.raises(ConfigFault, match=said) as caught:
        read_config({field: value}, decimals=8)
    assert caught.value.field == field


def test_levels_are_names_or_numbers_and_amounts_are_exact() -> None:
    """1 and 2 are the plain and the strong level; an amount is kept digit for digit."""
    found = read_config({"buy_on": 2, "sell_on": "1", "day_stop_loss": 0.1}, decimals=8)
    assert (found.buy_on, found.sell_on, found.day_stop_loss) == ("STRONG_BUY", "SELL", "0.1")
    assert (found.weight("buy_on"), found.weight("sell_on")) == (2, 1)
    assert read_config({"operation_stop_loss": "500.00"}, decimals=2).operation_stop_loss == "500"


def test_a_bad_config_stops_the_start_with_its_line() -> None:
    """The house file's error names the robot and the field."""
    text = HOUSE.replace("buy_on = 1", "bye_on = 1")
    with pytest.raises(HouseFileError, match=r'config of robot "robot-1": bye_on is unknown'):
        file.loads(text)

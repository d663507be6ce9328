"""Where a client's limits begin to hold: to the unit of money and to the second of the clock."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import pytest

from fondaco.house.robots import read_config
from fondaco.robots import services as robots
from fondaco.robots.hub import judging, services
from fondaco.robots.hub.judging import Client, Look, Reason
from fondaco.robots.models import Robot
from tests.robots.hub_field import HubField

Set = Callable[[Client, int], None]
DAY_S: Final = 86_400
SECOND_US: Final = 1_000_000
LIMIT: Final = 50_000
# 100 units of coin are the least, at 3 units of cash a tick for a lot of 7: 286 rounded up.
COIN_LEAST: Final = 100
CASH_LEAST: Final = -(-COIN_LEAST * 10 * 2 // 7)
SOLD: Final = 1_000
BRINGS: Final = 30 * 10 * 2  # 210 units of coin are 30 lots


def look(*, sells: bool, now_us: int = 1_000, module: ModuleType = judging) -> Look:
    found: Look = module.look_at(
        1, "BTC", -1 if sells else 1, now_us=now_us, asset=2, decimals=5,
        price_ticks=10, quote_per_lot_tick=2, base_per_lot=7,
    )  # fmt: skip
    return found


def client() -> Client:
    """Return one that buys and sells, far from every limit."""
    made = Client(20, "robot-1", 1)
    made.buy_weight = made.sell_weight = 1
    made.symbols = frozenset({"BTC"})
    made.cash, made.coins = 10**6, {2: 210}
    return made


def day_loss(made: Client, loss: int) -> None:
    made.day_stop, made.day_loss = LIMIT, loss


def month_loss(made: Client, loss: int) -> None:
    made.month_stop, made.month_loss = LIMIT, loss


def cash(made: Client, units: int) -> None:
    made.cash = units


def cash_for_operation(made: Client, units: int) -> None:
    made.operation_amount, made.cash = LIMIT, units


def coin(made: Client, units: int) -> None:
    made.coins = {2: units}


def sold_with_it(made: Client, units: int) -> None:
    made.month_sold, made.sell_cap = SOLD, 2 * SOLD
    made.month_sold += units - (SOLD + BRINGS)


def locked_until(made: Client, moment_us: int) -> None:
    made.locked_until_us = moment_us


# What is set, at what it begins to hold, who acts below and at that, and why not beyond.
CELLS: Final[list[tuple[Set, bool, int, bool, bool, Reason]]] = [
    (day_loss, False, LIMIT, True, False, Reason.DAY_STOP),
    (day_loss, True, LIMIT, True, False, Reason.DAY_STOP),
    (month_loss, False, LIMIT, True, False, Reason.MONTH_STOP),
    (month_loss, True, LIMIT, True, False, Reason.MONTH_STOP),
    (cash, False, CASH_LEAST, False, True, Reason.CASH_TOO_LOW),
    (cash_for_operation, False, LIMIT, False, True, Reason.CASH_TOO_LOW),
    (coin, True, COIN_LEAST, False, True, Reason.COIN_TOO_LOW),
    (sold_with_it, True, 2 * SOLD + 1, True, False, Reason.SELL_CAP),
    (locked_until, False, 1_001, True, False, Reason.LOCKED_UNTIL),
]


def wrong(module: ModuleType) -> list[str]:
    """Return where a module's judge() says otherwise than the contract, a unit to each side."""
    found = []
    for put, sells, bound, below, at, reason in CELLS:
        for units, acts in ((bound - 1, below), (bound, at), (bound + 1, at)):
            made = client()
            put(made, units)
            verdict = module.judge(made, look(sells=sells, module=module))
            if verdict[0] != (Reason.TRIGGERED if acts else reason):
                found.append(f"{put.__name__} {units - bound:+d}: {verdict}")
    return found


def test_s0_4_6_7_a_limit_holds_from_its_own_unit_on() -> None:
    """Loss at the limit stops, cash and coin at the minimum act, sales up to the cap are sold."""
    assert wrong(judging) == []
    assert CASH_LEAST == look(sells=False).cash_least == 286
    made = client()
    sold_with_it(made, 2 * SOLD + 1)
    assert judging.judge(made, look(sells=True))[1:] == (2 * SOLD + 1, 2 * SOLD)


@pytest.mark.parametrize(
    ("right", "planted", "caught"),
    [
        ("client.day_loss >= client.day_stop", "client.day_loss > client.day_stop", "day_loss +0"),
        ("client.month_loss >= client.month_stop", "client.month_loss > client.month_stop",
         "month_loss +0"),
        ("if cash < least", "if cash <= least", "cash +0"),
        ("if coin < look.coin_least", "if coin <= look.coin_least", "coin +0"),
        ("if sold > client.sell_cap", "if sold >= client.sell_cap", "sold_with_it -1"),
        ("client.locked_until_us > look.now_us", "client.locked_until_us >= look.now_us",
         "locked_until -1"),
        ("min(-(-worth // base_per_lot)", "min((worth // base_per_lot)", "cash -1"),
    ],
)  # fmt: skip
def test_a_limit_that_is_off_by_one_is_caught(right: str, planted: str, caught: str) -> None:
    """Planted: each comparison the other way at equality, and a minimum rounded down."""
    source = inspect.getsource(judging)
    assert source.count(right) == 1, f"judging.py has no more: {right}"
    module = ModuleType("planted")
    exec(source.replace(right, planted), vars(module))
    assert any(each.startswith(f"{caught}:") for each in wrong(module))


# ---- by the clock and through the core

CONFIG: Final = 'config = { buy_on = 2, sell_on = 1, symbols = ["BTC"], operation_amount = 100'
ZONES: Final = ["UTC", "Asia/Kathmandu", "America/New_York"]


def crowd(*names: str) -> str:
    return "".join(
        f'[[members.robots]]\nid = "{name}"\n{CONFIG} }}\nallotment = {{ USDT = "1000" }}\n'
        for name in names
    )


def decided(field: HubField, strength: int = 2) -> dict[str, str]:
    signal = field.signal(strength)
    field.turn()
    return field.reasons(signal)


def lose(field: HubField) -> int:
    """Have every robot buy and sell for less; return what each has lost, in units."""
    decided(field)
    field.quote(19000, 20010)
    decided(field, -1)
    field.quote(19990, 20010)
    losses = {client.day_loss for client in field.hub._roster.clients.values()}
    assert len(losses) == 1
    return losses.pop()


def configure(field: HubField, name: str, **amounts: int) -> None:
    """Give a robot limits in units, as its member would: in the core first."""
    row = Robot.objects.get(pk=name)
    told = {key: format(units / 10**8, ".8f") for key, units in amounts.items()}
    config = read_config({**row.config, **told}, decimals=8)
    core: Any = field.core
    robots.configure(core, row, cash=field.hub._roster.cash, config=config)


@pytest.fixture
def field(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> HubField:
    """Three robots in a house of a zone, the market at 20000."""
    zone = getattr(request, "param", "UTC")
    made = HubField(monkeypatch, crowd("less", "equal", "more"), time_zone=zone)
    made.roll(made.core.time_us)
    made.trade(20000)
    made.quote(19990, 20010)
    return made


@pytest.mark.django_db
@pytest.mark.parametrize("period", ["day", "month"])
def test_s0_6_a_loss_of_exactly_the_limit_stops(field: HubField, period: str) -> None:
    """S0-6: a unit less than the limit still buys, in the core too; the limit itself does not."""
    lost = lose(field)
    assert lost > 0
    for name, limit in (("less", lost + 1), ("equal", lost), ("more", lost - 1)):
        configure(field, name, **{f"{period}_stop_loss": limit})
    found = decided(field)
    stop = f"{period.upper()}_STOP"
    assert found == {"less": "TRIGGERED", "equal": stop, "more": stop}
    assert [field.buys(name) for name in ("less", "equal", "more")] == [2, 1, 1]


@pytest.mark.django_db
def test_s0_7_sales_of_exactly_the_cap_are_sold(field: HubField) -> None:
    """S0-7: what was sold with what this would bring may reach the cap, and not pass it."""
    decided(field)
    book = field.hub._roster.markets["BTC"].body
    (coins,) = {client.coins[book.base] for client in field.hub._roster.clients.values()}
    worth = coins // book.base_per_lot * book.quote_per_lot_tick * 2_000_000
    for name, cap in (("less", worth + 1), ("equal", worth), ("more", worth - 1)):
        configure(field, name, month_sell_cap=cap)
    field.trade(20000)
    field.quote(19990, 20010)
    found = decided(field, -1)
    assert found == {"less": "TRIGGERED", "equal": "TRIGGERED", "more": "SELL_CAP"}
    sold = [row[0] for row in field.operations() if row[2] == "SIGNAL"]
    assert sorted(sold) == ["equal", "less"]


@pytest.mark.django_db
@pytest.mark.parametrize("field", ZONES, indirect=True)
def test_s0_6_a_stop_ends_at_midnight_where_the_house_is(field: HubField) -> None:
    """S0-6: a second before midnight, or before the month's end, it holds; at it, it doesn't."""
    lost = lose(field)
    configure(field, "less", day_stop_loss=lost)
    configure(field, "more", month_stop_loss=lost)
    found = decided(field)
    assert (found["less"], found["more"]) == ("DAY_STOP", "MONTH_STOP")
    now_us = field.core.time_us
    midnight = field.hub._roster.day_ends_us(now_us)
    month_end = field.hub._roster.month_ends_us(now_us)
    assert now_us < midnight <= now_us + DAY_S * SECOND_US < month_end
    for name in ("less", "more"):  # staff may take the lock away, and the loss stays
        services.unlock_client(Robot.objects.get(pk=name), actor=None, address="")
    field.roll(midnight - SECOND_US)
    found = decided(field)
    assert (found["less"], found["more"]) == ("DAY_STOP", "MONTH_STOP")
    found = decided(field)
    assert (found["less"], found["more"]) == ("LOCKED_UNTIL", "LOCKED_UNTIL")
    field.roll(midnight)
    found = decided(field)
    assert (found["less"], found["more"]) == ("TRIGGERED", "LOCKED_UNTIL")
    assert [field.buys("less"), field.buys("more")] == [2, 1]
    field.roll(month_end - SECOND_US)
    assert decided(field)["more"] == "LOCKED_UNTIL"
    field.roll(month_end)
    assert decided(field)["more"] == "TRIGGERED"
    assert field.buys("more") == 2


def test_a_client_that_is_to_go_on_paper_only_sells_what_it_has_open() -> None:
    """Between a member's switch and the worker's it buys nothing more with money."""
    made = client()
    made.run = 7
    assert judging.judge(made, look(sells=False)) == judging.INACTIVE
    assert judging.judge(made, look(sells=True)) == judging.INACTIVE
    made.open = {"BTC"}
    assert judging.judge(made, look(sells=False)) == judging.INACTIVE
    assert judging.judge(made, look(sells=True))[0] == judging.TRIGGERED
    made.open, made.is_paper = set(), True
    assert judging.judge(made, look(sells=False))[0] == judging.TRIGGERED

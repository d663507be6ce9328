"""Robots by signals on paper: they do as they would live, and the house sees none of it.

The twin: two robots of one member with the same config and the same money, one live, one on paper,
hear the same signals on the same market, deep enough for both. Their decisions and operations are
equal whatever happens, also if the worker dies in between.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from fondaco.core import records
from fondaco.core.records import Command, Event, OrderType
from fondaco.robots.bots.services import begin_run
from fondaco.robots.hub import services
from fondaco.robots.hub.papers import LostPaper, Papers
from fondaco.robots.models import Decision, Lease, Operation, Robot, RobotMode
from fondaco.robots.paper.exchange import Book, PaperExchange, Stop
from fondaco.robots.paper.standing import stands
from tests.robots.hub_field import START_US, HubField

pytestmark = pytest.mark.django_db
Status = Operation.Status
DAY_US = 86_400_000_000
USDT, BTC = 2, 1
FILL = int(Event.FILL)
LIMITS = (
    "operation_amount = 40, operation_stop_loss = 3, day_stop_loss = 7, month_stop_loss = 16, "
    "month_sell_cap = 260, orders_day_max = 12, order_notional_max = 60"
)
JUDGED = ("signal", "side", "reason", "had", "needed", "price_ticks", "refused")
COMPARED = (
    *("status", "available", "spent", "bought", "bought_lots", "stop_ticks", "sold_lots"),
    *("proceeds", "tries", "is_selling", "sell_signal", "note", "started_us"),
)


def twins(more: str = "") -> str:
    config = 'config = { buy_on = 1, sell_on = 1, symbols = ["BTC"]'
    return "".join(
        f'[[members.robots]]\nid = "{name}"\n{config}{more} }}\nallotment = {{ USDT = "100" }}\n'
        for name in ("live", "paper")
    )


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    return begun(monkeypatch)


def begun(monkeypatch: pytest.MonkeyPatch, more: str = f", {LIMITS}") -> HubField:
    """Return a market at 20000 with the two, one of them on paper."""
    made = HubField(monkeypatch, twins(more))
    made.roll(START_US)
    made.trade(20000)
    made.quote(19990, 20010)
    made.on_paper("paper", USDT="100")
    return made


def account_of(robot: str) -> int:
    found: int = Robot.objects.get(pk=robot).account_id
    return found


def moved(field: HubField, price: int) -> None:
    """Move the market there, and have it trade at the bid."""
    field.quote(price, price + 20)
    field.order(field.bob, 2, price * 100, 1)


def die(field: HubField) -> None:
    """End the worker as a crash does, and begin another."""
    Lease.objects.all().delete()
    field.start()


def done_by(robot: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return what a robot decided and what came of it, without whose it is."""
    account = account_of(robot)
    decisions = Decision.objects.filter(account=account).order_by("signal")
    operations = Operation.objects.filter(account=account).order_by("started_us", "pk")
    return (
        list(
            decisions.values_list(
                "signal", "side", "reason", "had", "needed", "price_ticks", "refused"
            )
        ),
        list(operations.values_list(*COMPARED)),
    )


def house_orders(field: HubField, robot: str) -> int:
    told = field.history.events(Event.ORDER, Event.FILL, Event.CANCEL)
    return sum(each["account"] == account_of(robot) for each in told)


# ---- the twin


def live_a_while(field: HubField, seed: int, *, dies: bool) -> None:
    """Let signals, prices, days and switches come as they may."""
    random, price, now_us, on = Random(seed), 20000, START_US, False
    kinds = {"signal": 16, "fall": 8, "rise": 4, "kill": 2, "day": 2, "off": 1}
    for happens in random.choices(list(kinds), list(kinds.values()), k=60):
        if happens == "signal":
            field.signal(random.choice((2, 2, 1, 0, -1, -2)))
        elif happens in {"fall", "rise"}:
            price += random.choice((50, 300, 1500)) * (-1 if happens == "fall" else 2)
            price = max(price, 5000)
            moved(field, price)
        elif happens == "day":
            now_us += random.choice((DAY_US // 3, DAY_US, 31 * DAY_US))
            field.roll(now_us)
        elif happens == "kill":
            on = not on
            for robot in ("live", "paper"):
                field.core.submit(
                    records.pack(Command.KILL_ROBOT, account=account_of(robot), on=int(on))
                )
        elif happens == "off":
            is_active = random.random() < 0.8
            Robot.objects.update(is_active=is_active, changed_us=services.wall_us())
        field.turn(2)
        if dies and random.random() < 0.3:
            if random.random() < 0.5:
                price += random.choice((-400, 200))
                moved(field, price)  # while nobody looks
                if random.random() < 0.5:
                    field.signal(-2)
            die(field)
            field.turn(4)
    field.turn(4)


@pytest.mark.parametrize("seed, dies", [(2, False), (4, True), (6, True), (7, True), (9, True)])
def test_paper_does_as_its_live_twin(field: HubField, seed: int, dies: bool) -> None:
    """Decisions, operations and money are equal to the unit, with limits, switches and deaths."""
    live_a_while(field, seed, dies=dies)
    live, paper = done_by("live"), done_by("paper")
    assert paper[0] == live[0]
    assert paper[1] == live[1]
    assert house_orders(field, "paper") == 0
    for asset in (USDT, BTC):
        assert sum(field.on_paper_now("paper", asset)) == sum(has(field, "live", asset))
    marks = dict(Operation.objects.values_list("account", "is_paper"))
    assert marks.get(account_of("paper"), True)
    assert not marks.get(account_of("live"), False)


def has(field: HubField, robot: str, asset: int) -> tuple[int, int]:
    """Return what a robot has in the house, free and held."""
    answer = field.core.query(records.pack(records.Query.BALANCES, account=account_of(robot)))
    for record in records.split(bytes(answer.records)):
        words = records.unpack(record)
        if words["asset"] == asset:
            return words["free"], words["held"]
    return 0, 0


# ---- its promises, one by one


def test_paper_begins_with_what_it_was_given_and_moves_nothing(field: HubField) -> None:
    """What it buys for is the money of its run; what it has in the house stays as it was."""
    before = has(field, "paper", USDT)
    field.turn()
    assert field.on_paper_now("paper", USDT) == (100 * 10**8, 0)
    field.signal(2)
    field.turn()
    free, _ = field.on_paper_now("paper", USDT)
    assert 59 * 10**8 < free < 61 * 10**8
    assert has(field, "paper", USDT) == before
    assert house_orders(field, "paper") == 0
    assert house_orders(field, "live") > 0


def test_a_stop_that_was_reached_while_nobody_looked_has_sold(field: HubField) -> None:
    """The stop is judged by every trade of the house since, not by the newest alone."""
    field.signal(2)
    field.turn()
    moved(field, 15000)
    moved(field, 21000)
    die(field)
    field.turn(4)
    ended = dict(Operation.objects.values_list("robot", "note"))
    assert ended == {"live": "STOP_LOSS", "paper": "STOP_LOSS"}
    # What it got is by the book of the moment in which it was found, never better than the trade.
    proceeds = dict(Operation.objects.values_list("robot", "proceeds"))
    assert proceeds["paper"] == proceeds["live"]


def test_a_trade_is_looked_at_once(field: HubField) -> None:
    """A trade from before a stop stood doesn't reach it, however late it is heard."""
    moved(field, 17000)
    moved(field, 20000)  # the hub hears of both when it judges
    field.signal(2)
    field.turn(4)
    moved(field, 19990)
    field.turn(4)
    assert set(Operation.objects.values_list("status", flat=True)) == {Status.AWAITING_SELL}


def test_the_kill_switch_of_the_house_holds_on_paper(field: HubField) -> None:
    """A killed robot buys nothing on paper, also after a new worker has taken it up."""
    kill = records.pack(Command.KILL_ROBOT, account=account_of("paper"), on=1)
    field.turn()
    field.core.submit(kill)
    field.turn()
    signal = field.signal(2)
    field.turn()
    assert field.reasons(signal)["paper"] == "INACTIVE"
    die(field)  # a new worker asks the house
    signal = field.signal(2)
    field.turn()
    assert field.reasons(signal)["paper"] == "INACTIVE"


def test_going_live_ends_what_was_on_paper_and_knows_the_houses_money(field: HubField) -> None:
    """Its stop on paper is nobody's from then on, and its next operation is a real one."""
    field.signal(2)
    field.turn()
    begin_run(Robot.objects.get(pk="paper"), mode=RobotMode.LIVE)
    field.turn()
    ended = Operation.objects.get(robot="paper")
    assert (ended.status, ended.note, ended.is_paper) == (Status.CLOSED, "PAPER_OVER", True)
    moved(field, 15000)  # its stop is nobody's by now
    field.turn()
    assert house_orders(field, "paper") == 0
    signal = field.signal(2)
    field.turn()
    assert field.reasons(signal)["paper"] == "TRIGGERED"
    assert house_orders(field, "paper") > 0
    assert not Operation.objects.get(robot="paper", pk__startswith=f"{signal}-").is_paper


def test_coin_that_was_on_paper_alone_is_not_sold_live(field: HubField) -> None:
    """Going live it has what it has in the house, and nothing of what it had on paper."""
    field.on_paper("paper", USDT="100", BTC="0.5")
    field.turn()
    begin_run(Robot.objects.get(pk="paper"), mode=RobotMode.LIVE)
    signal = field.signal(-2)
    field.turn()
    assert field.reasons(signal)["paper"] == "COIN_TOO_LOW"
    assert not Operation.objects.filter(robot="paper").exists()


def test_another_run_ends_what_the_one_before_had_open(field: HubField) -> None:
    """Also where no worker saw the change: the new run's money is not the old operation's."""
    field.signal(2)
    field.turn()
    field.on_paper("paper", USDT="50", BTC="0.5")
    die(field)
    field.turn(4)
    assert Operation.objects.get(robot="paper").note == "PAPER_OVER"
    assert field.on_paper_now("paper", BTC) == (5 * 10**7, 0)
    signal = field.signal(2)
    field.turn()
    assert field.reasons(signal)["paper"] == "TRIGGERED"


def test_a_run_that_is_over_stops_no_worker(field: HubField) -> None:
    """Its stop is reached before the worker has heard of the switch; the others go on."""
    field.signal(2)
    field.turn()
    field.hub._refresh_at_s = 1e18
    begin_run(Robot.objects.get(pk="paper"), mode=RobotMode.LIVE)
    moved(field, 15000)
    field.turn()
    assert Operation.objects.get(robot="live").note == "STOP_LOSS"
    signal = field.signal(2)  # who judges looks at what has changed
    field.turn()
    assert field.reasons(signal)["paper"] == "TRIGGERED"


def test_shares_that_were_anothers_meanwhile_are_loaded_anew(field: HubField) -> None:
    """A gap longer than a lease: what is known of paper is of before, and is read again."""
    field.turn()
    shares = field.hub.shares
    gone = {share: fence + 1 for share, fence in shares.fences.items()}
    for share, fence in gone.items():  # another had them, and gave them back
        Lease.objects.filter(pk=f"hub {share}").update(owner="another", fence=fence, until_us=0)
    shares._turn_at_us = 0
    came, went = shares.turn()
    assert came == went == set(gone)


def test_going_live_while_no_worker_is_there_ends_it_too(field: HubField) -> None:
    """The next worker finds the operation and ends it."""
    field.signal(2)
    field.turn()
    begin_run(Robot.objects.get(pk="paper"), mode=RobotMode.LIVE)
    die(field)
    field.turn(4)
    assert Operation.objects.get(robot="paper").note == "PAPER_OVER"


def test_a_live_operation_is_ended_live_before_paper_begins(field: HubField) -> None:
    """Two clicks may cross: what was bought with money is sold for money."""
    field.signal(2)
    field.turn()
    field.on_paper("live", USDT="500")
    field.turn()
    field.signal(-2)
    field.turn(4)
    sold = Operation.objects.get(robot="live")
    assert (sold.status, sold.note, sold.is_paper) == (Status.CLOSED, "SIGNAL", False)
    signal = field.signal(2)
    field.turn(4)
    assert Operation.objects.get(robot="live", pk__startswith=f"{signal}-").is_paper
    assert sum(field.on_paper_now("live", USDT)) < 500 * 10**8


def test_a_loss_on_paper_locks_no_robot_that_went_live(field: HubField) -> None:
    """The day's lock was of money that there never was."""
    for price in (20000, 15000, 20000, 15000, 20000, 15000):
        moved(field, price)
        field.turn()
        field.signal(2)
        field.turn()
    signal = field.signal(2)
    field.turn()
    assert field.reasons(signal)["paper"] in {"DAY_STOP", "LOCKED_UNTIL"}
    assert Robot.objects.get(pk="paper").locked_until_us > START_US
    begin_run(Robot.objects.get(pk="paper"), mode=RobotMode.LIVE)
    signal = field.signal(2)
    field.turn()
    found = field.reasons(signal)
    assert (found["paper"], found["live"]) == ("TRIGGERED", "LOCKED_UNTIL")


def test_another_limit_reaches_the_exchange_on_paper(field: HubField) -> None:
    """Its own core refuses the order with its numbers, as the house's would."""
    field.turn()
    row = Robot.objects.get(pk="paper")
    row.config = {**row.config, "order_notional_max": "10"}
    row.changed_us = services.wall_us()
    row.save()
    signal = field.signal(2)
    field.turn()
    found = Decision.objects.get(account=row.account_id, signal=signal)
    assert records.Reason(found.refused or 0) is records.Reason.NOTIONAL_TOO_LARGE
    assert (found.had, found.needed) == (39_8199_0000, 10 * 10**8)  # lots of 0.00001 at 20010


def test_coins_count_as_bought_at_the_price_of_when_they_were_given(field: HubField) -> None:
    """So selling them lower is a loss of the day, as it is of coins that are allotted."""
    run = field.on_paper("paper", BTC="0.002")
    field.turn()
    moved(field, 19000)
    field.signal(-2)
    field.turn(4)
    run.refresh_from_db()
    proceeds = 38 * 10**8 * 998 // 1000
    assert stands([run])[account_of("paper")]["day_profit"] == proceeds - 40 * 10**8


def test_money_of_an_unknown_asset_is_told_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run says what is wrong; the others are judged as ever."""
    made = HubField(monkeypatch, twins(f", {LIMITS}"))
    made.roll(START_US)
    made.trade(20000)
    made.quote(19990, 20010)
    run = made.on_paper("paper", GOLD="100")
    signal = made.signal(2)
    made.turn()
    run.refresh_from_db()
    assert run.fault == "the house has no GOLD"
    assert made.reasons(signal) == {"live": "TRIGGERED", "paper": "INACTIVE"}


def test_a_config_that_cant_be_read_holds_up_nobody(field: HubField) -> None:
    """Of a robot that is on paper already, too."""
    field.turn()
    Robot.objects.filter(pk="paper").update(config={"buy_on": 7}, changed_us=services.wall_us())
    signal = field.signal(2)
    field.turn()
    assert field.reasons(signal) == {"live": "TRIGGERED", "paper": "INACTIVE"}


def test_of_two_workers_one_writes(field: HubField) -> None:
    """Who stood still while another took over writes nothing of a robot on paper."""
    field.turn()
    late = field.hub
    die(field)
    field.signal(2)
    field.turn()
    papers = late._papers
    paper = papers._papers[account_of("paper")]
    paper.is_changed = True
    with pytest.raises(LostPaper):
        papers.save([account_of("paper")])


def test_a_trigger_on_paper_is_nobody_elses(field: HubField) -> None:
    """Programs act on triggers, so a robot on paper has none."""
    from fondaco.robots.hub import selectors

    told = selectors.told_by_now()
    number = field.signal(2)
    field.turn()
    shown = selectors.signal_words(number)
    assert shown is not None
    assert [each["client_id"] for each in shown["triggers"]] == ["live"]
    assert [each["client_id"] for each in selectors.new_triggers(told, 0)] == ["live"]


# ---- the exchange


def test_an_exchange_trades_many_coins_out_of_one_purse() -> None:
    """Three books with one cash: each order finds its book, each stop its trade, bids or none."""
    assets = {9: records.AssetBody(number=9, code="USDT", decimals=8)}
    bodies = {}
    for number in (1, 2, 3):
        assets[number] = records.AssetBody(number=number, code=f"C{number}", decimals=8)
        bodies[number] = records.InstrumentBody(
            number=number, symbol=f"C{number}USDT", base=number, quote=9, tick_size="0.01",
            lot_size="0.00001", base_per_lot=1000, quote_per_lot_tick=10,
        )  # fmt: skip
    exchange = PaperExchange(assets, bodies)
    state = exchange.open(20, records.RobotTerms(cash=9), {9: 1000 * 10**8})
    exchange.give(state, 3, 10**8, 10_000, 1)
    book = Book(bids=((9_990, 10**6),), asks=((10_000, 10**6),), last_ticks=10_000, last_trade=7)
    for number in (1, 2, 3):
        assert sold_at(exchange.submit(state, order(number, buys=True), book, 2)) == {10_000}
        exchange.submit(state, order(number, buys=False), book, 3)
    assert state.stops == {number: Stop(9_000, 7) for number in (1, 2, 3)}
    bids = book._replace(bids=((8_900, 10**6),))
    assert sold_at(exchange.trade(state, 3, 8_950, 8, bids, 4)) == {8_900}
    exchange.trade(state, 2, 8_950, 8, Book(), 5)  # nobody buys: it expires, as in the house
    assert list(state.stops) == [1]


def order(number: int, *, buys: bool) -> bytes:
    """Return a purchase for 100 of cash, or a stop of half a coin."""
    words: dict[str, int] = (
        {"side": 1, "order_type": OrderType.MARKET, "quote_quantity": 100 * 10**8}
        if buys
        else {"side": 2, "order_type": OrderType.STOP_LOSS, "quantity_lots": 50_000}
        | {"stop_price_ticks": 9_000}
    )
    name = number + 10 * buys
    return records.pack(
        Command.ROBOT_ORDER, account=20, instrument=number, client_order_id_0=name, **words
    )


def sold_at(events: bytes) -> set[int]:
    """Return the prices, in ticks, of the fills among events."""
    told = [each for each in records.split(events) if int.from_bytes(each[:2], "little") == FILL]
    return {records.unpack(each)["last_price_ticks"] for each in told}


# ---- planted bugs: each of them must be found


def _saves_nothing(_papers: Papers, _accounts: Any) -> None:
    """Write operations without what the robot's exchange came to."""


def _sends_all_to_the_house(papers: Papers, commands: Any) -> Any:
    return papers._core.submit_many(commands)


def _looks_at_the_newest_trade_alone(papers: Papers, accounts: list[int]) -> None:
    for account in accounts:
        papers._papers[account].is_caught_up = True


def _twin(field: HubField) -> None:
    test_paper_does_as_its_live_twin(field, 4, dies=True)


@pytest.mark.parametrize(
    "name, planted, finds",
    [
        ("save", _saves_nothing, _twin),
        ("submit_many", _sends_all_to_the_house, _twin),
        (
            "catch_up",
            _looks_at_the_newest_trade_alone,
            test_a_stop_that_was_reached_while_nobody_looked_has_sold,
        ),
    ],
)
def test_a_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch,
    field: HubField,
    name: str,
    planted: Any,
    finds: Callable[[HubField], None],
) -> None:
    """What is written with an operation, where orders go, what was missed: all are looked at."""
    monkeypatch.setattr(Papers, name, planted)
    with pytest.raises(AssertionError):
        finds(field)

"""Robots of the house as strategies: their equity is what their postings say, minute by minute."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import fondaco.office.urls  # noqa: F401 - its views bind the real core, not a stand-in
from fondaco.core.records import AccountKind, Cause
from fondaco.identity.models import Account, Member
from fondaco.office.brokerage.robots import follow_robots
from fondaco.projections.models import (
    MINUTE_BITS,
    POSTING_BITS,
    Asset,
    Candle1m,
    Cursor,
    Instrument,
    Posting,
)
from fondaco.robots.models import Robot, RobotKind
from fondaco.strategies import ledger, selectors, services, tracks
from fondaco.strategies.holdings import Book, Terms
from fondaco.strategies.models import Flow, LedgerState, Report, Strategy
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import MINUTE_US, NOON_US, report

pytestmark = pytest.mark.django_db(databases=["default", "projections"])

CASH, COIN, FEES, SPOT, ROBOT, OTHER = 1, 2, 1, 10, 20, 30
CENT, SATOSHI = 10**2, 10**8  # decimals of cash and coin: 2 and 8
LOT = 10**3  # of the coin: 0.00001
TICK_LOT = 1  # cents of one lot at one tick
NOON = NOON_US // MINUTE_US


class Tape:
    """A ledger's postings, written as the projector would."""

    def __init__(self) -> None:
        self.seq = 0
        Asset.objects.create(number=CASH, code="USD", decimals=2)
        Asset.objects.create(number=COIN, code="BTC", decimals=8)
        Instrument.objects.create(
            number=7, symbol="BTCUSD", base=COIN, quote=CASH, market=1, tick_size="1000.00",
            lot_size="0.00001", base_per_lot=LOT, quote_per_lot_tick=TICK_LOT, status=1,
        )  # fmt: skip

    def post(self, time_us: int, *moves: tuple[int, int, int, int], cause: Cause) -> None:
        """One command: moves are (debit, credit, asset, amount)."""
        self.seq += 1
        for index, (debit, credit, asset, amount) in enumerate(moves):
            Posting.objects.create(
                id=self.seq << POSTING_BITS | index, time_us=time_us, debit_account=debit,
                credit_account=credit, asset=asset, amount=amount, cause=cause, entry=self.seq,
            )  # fmt: skip

    def price(self, minute: int, ticks: int) -> None:
        names = ("open_ticks", "high_ticks", "low_ticks", "close_ticks")
        sums = ("volume_lots", "volume_quote", "taker_buy_lots", "taker_buy_quote", "trades")
        Candle1m.objects.create(
            id=(7 << MINUTE_BITS) + minute, **dict.fromkeys(names, ticks),
            **dict.fromkeys(sums, 1), first_trade_id=1, last_trade_id=1,
        )  # fmt: skip

    def reach(self, time_us: int) -> None:
        Cursor.objects.update_or_create(id=1, defaults={"seq": self.seq, "time_us": time_us})


@pytest.fixture
def tape(settings: Any) -> Tape:
    settings.CASH = "USD"
    return Tape()


@pytest.fixture
def robot(member: Member) -> Robot:
    account = Account.objects.create(
        number=ROBOT, member=member, name="robot alpha", kind=AccountKind.ROBOT.value
    )
    return Robot.objects.create(id="alpha", member=member, account=account, kind=RobotKind.RULE)


def follow_to_the_end() -> int:
    told, made = 0, -1
    while made:
        before = list(LedgerState.objects.values_list("minute_us", flat=True))
        told += follow_robots()
        made = before != list(LedgerState.objects.values_list("minute_us", flat=True))
    return told


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("in", "out", "buy", "sell", "coin", "price")),
        st.integers(min_value=0, max_value=400),  # seconds later
        st.integers(min_value=1, max_value=1000),
    ),
    min_size=1,
    max_size=25,
)


@given(STEPS)
@hypothesis_settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
def test_equity_is_the_sum_of_the_postings_at_the_last_price(
    tape: Tape, robot: Robot, steps: list[tuple[str, int, int]]
) -> None:
    """Any order of money, trades and prices: each minute equals the ledger summed up anew."""
    for model in (Posting, Candle1m, Report, Flow, LedgerState):
        model.objects.all().delete()
    Strategy.objects.all().delete()
    robot.member.brokerage_accounts.all().delete()
    now = NOON_US + 5
    prices: dict[int, int] = {NOON - 1: 500}
    moves: list[tuple[int, int, int]] = []  # time, asset, change
    coins = 0
    for what, later, size in steps:
        now += later * 10**6
        ticks = prices[max(minute for minute in prices if minute <= now // MINUTE_US)]
        cost = size * ticks * TICK_LOT
        if what == "in":
            tape.post(now, (SPOT, ROBOT, CASH, size * CENT), cause=Cause.TRANSFER)
            moves.append((now, CASH, size * CENT))
        elif what == "out":
            tape.post(now, (ROBOT, SPOT, CASH, size), cause=Cause.TRANSFER)
            moves.append((now, CASH, -size))
        elif what == "coin":
            tape.post(now, (SPOT, ROBOT, COIN, size * LOT), cause=Cause.OPENING)
            moves.append((now, COIN, size * LOT))
            coins += size
        elif what == "buy":
            fee = size * LOT // 1000
            tape.post(
                now, (ROBOT, OTHER, CASH, cost), (OTHER, ROBOT, COIN, size * LOT),
                (ROBOT, FEES, COIN, fee), cause=Cause.TRADE,
            )  # fmt: skip
            moves += [(now, CASH, -cost), (now, COIN, size * LOT - fee)]
        elif what == "sell":
            tape.post(
                now, (ROBOT, OTHER, COIN, size * LOT), (OTHER, ROBOT, CASH, cost),
                (ROBOT, FEES, CASH, cost // 1000), cause=Cause.TRADE,
            )  # fmt: skip
            moves += [(now, COIN, -size * LOT), (now, CASH, cost - cost // 1000)]
        else:
            prices[now // MINUTE_US + 1] = size
    for minute, ticks in prices.items():
        tape.price(minute, ticks)
    end = now // MINUTE_US + 3
    tape.reach(end * MINUTE_US)
    follow_to_the_end()
    if not moves:
        assert Report.objects.count() == 0
        return
    told = dict(Report.objects.values_list("created_us", "wallet_balance"))
    last = None
    for minute in range(moves[0][0] // MINUTE_US + 1, end + 1):
        before = [(asset, change) for at, asset, change in moves if at < minute * MINUTE_US]
        cash = sum(change for asset, change in before if asset == CASH)
        coin = sum(change for asset, change in before if asset == COIN)
        ticks = prices[max(each for each in prices if each < minute)]
        last = told.get(minute * MINUTE_US, last)
        assert last == (cash + coin * ticks * TICK_LOT // LOT) * 10**6, minute


def test_money_brought_in_is_no_profit(tape: Tape, robot: Robot) -> None:
    """An allotment of 1,000 that doubles later earns what the trades earned; flows are kept."""
    tape.price(NOON - 1, 500)
    tape.post(NOON_US, (SPOT, ROBOT, CASH, 1000_00), cause=Cause.TRANSFER)
    half = (ROBOT, OTHER, CASH, 500_00), (OTHER, ROBOT, COIN, 100 * LOT)
    tape.post(NOON_US + MINUTE_US, *half, cause=Cause.TRADE)
    tape.price(NOON + 10, 1000)
    day = 1440
    tape.post(NOON_US + day * MINUTE_US, (SPOT, ROBOT, CASH, 500_00), cause=Cause.TRANSFER)
    back = (ROBOT, OTHER, COIN, 100 * LOT), (OTHER, ROBOT, CASH, 1000_00)
    tape.post(NOON_US + (day + 9) * MINUTE_US, *back, cause=Cause.TRADE)
    tape.reach(NOON_US + 2 * day * MINUTE_US)
    follow_to_the_end()
    row = Strategy.objects.select_related("account").get()
    assert list(Flow.objects.values_list("time_us", "amount")) == [
        (NOON_US + MINUTE_US, 1000 * SATOSHI),
        (NOON_US + (day + 1) * MINUTE_US, 500 * SATOSHI),
    ]
    utc = ZoneInfo("UTC")
    span = tracks.span_of(span="all", now_us=NOON_US + 2 * day * MINUTE_US, zone=utc)
    found = tracks.strategy_track(row, span, zone=utc, basis="wallet").figures
    assert (found.first, found.last) == (1000 * SATOSHI, 2000 * SATOSHI)
    assert (found.flow, found.profit) == (500 * SATOSHI, 500 * SATOSHI)
    assert found.total == pytest.approx(0.5)
    assert found.days == 3, "known to the end, though nothing moved on the last day"
    standing = row.standing
    assert (standing.realised_pnl, standing.positions) == (500 * SATOSHI, 0)
    middle = Report.objects.get(created_us=NOON_US + 2 * MINUTE_US)
    assert (middle.positions, middle.average_entry_price) == (100_000, 500_000 * SATOSHI)
    assert middle.last_price == 500_000 * SATOSHI


def test_a_flow_that_counts_as_profit_is_caught(tape: Tape, robot: Robot) -> None:
    """The planted bug: without its flows the same record would have gained 100 per cent."""
    tape.post(NOON_US, (SPOT, ROBOT, CASH, 1000_00), cause=Cause.TRANSFER)
    tape.post(NOON_US + 9 * MINUTE_US, (SPOT, ROBOT, CASH, 1000_00), cause=Cause.TRANSFER)
    tape.reach(NOON_US + 60 * MINUTE_US)
    follow_to_the_end()
    row = Strategy.objects.select_related("account").get()
    utc = ZoneInfo("UTC")
    span = tracks.span_of(span="all", now_us=NOON_US + 60 * MINUTE_US, zone=utc)
    assert tracks.strategy_track(row, span, zone=utc, basis="wallet").figures.total == 0.0
    Flow.objects.all().delete()
    assert tracks.strategy_track(row, span, zone=utc, basis="wallet").figures.total == 1.0


def test_a_minute_is_told_once_and_only_when_it_is_over(tape: Tape, robot: Robot) -> None:
    """Nothing before the projections have passed it; two that follow at once tell it once."""
    tape.post(NOON_US + 5, (SPOT, ROBOT, CASH, 1000_00), cause=Cause.TRANSFER)
    tape.reach(NOON_US + MINUTE_US - 1)
    assert follow_to_the_end() == 0
    tape.reach(NOON_US + 3 * MINUTE_US)
    house = ledger.house_of("USD")
    assert house is not None
    both = [LedgerState.objects.select_related("account").get() for _ in range(2)]
    assert [ledger.follow(state, house) for state in both] == [1, 0]
    assert list(Report.objects.values_list("created_us", flat=True)) == [NOON_US + MINUTE_US]
    assert follow_to_the_end() == 0


def test_what_has_no_price_counts_as_its_cost() -> None:
    """A coin without a market in cash is worth what was paid; divisions round down."""
    terms = Terms(cash=CASH, decimals={CASH: 2, COIN: 8}, markets={})
    book = Book(terms, {"held": {"1": [1000, 0]}})
    rows = [
        Posting(id=1, time_us=1, debit_account=ROBOT, credit_account=OTHER, asset=CASH, amount=700,
                cause=Cause.TRADE, entry=1),
        Posting(id=2, time_us=1, debit_account=OTHER, credit_account=ROBOT, asset=COIN, amount=3,
                cause=Cause.TRADE, entry=1),
    ]  # fmt: skip
    assert book.take(rows, {}, account=ROBOT) == 0
    told = book.told({})
    assert told is not None
    assert told[2] == 1000 * 10**6
    assert book.told({}) is None
    assert Book(terms, book.words).words == book.words


def test_robots_stand_beside_and_are_not_changed_by_hand(
    tape: Tape, robot: Robot, member: Member
) -> None:
    """Pages and routes show them as verified; they have no token, and are in no combined equity."""
    member.membership_until = dt.date(2099, 12, 31)
    member.save()
    token = services.add_strategy(services.add_account(member, "main"), name="alpha")[1]
    Reports().store([report(token, NOON_US, 7 * SATOSHI)])
    tape.post(NOON_US, (SPOT, ROBOT, CASH, 1000_00), cause=Cause.TRANSFER)
    tape.reach(NOON_US + 2 * MINUTE_US)
    follow_to_the_end()
    row = Strategy.objects.exclude(account__robot="").get()
    assert (row.name, row.account.robot) == ("robot alpha", "alpha")
    client = Client()
    client.force_login(member)
    told = client.get("/api/v1/dashboard/").json()
    assert told["equity"] == "7"
    assert [each["name"] for each in told["strategies"]] == ["alpha"]
    [shown] = told["robots"]
    assert (shown["source"], shown["last"]["wallet_balance"]) == ("verified by the ledger", "1000")
    assert [each["name"] for each in client.get("/api/v1/strategies/").json()["strategies"]] == [
        "alpha"
    ]
    for path in ("/dashboard/", "/dashboard/strategies", f"/dashboard/strategies/{row.pk}"):
        assert "verified by the ledger" in client.get(path).content.decode(), path
    page = f"/dashboard/strategies/{row.pk}"
    assert "Rotate" not in client.get(page).content.decode()
    for action in ("rotate", "archive", "edit"):
        assert client.post(f"{page}/{action}").status_code == 404, action
    token_route = f"/api/v1/strategies/{row.pk}/token/"
    assert client.post(token_route).status_code == 400
    assert client.post(f"/dashboard/accounts/{row.account_id}/archive").status_code == 404
    made = {"name": "x", "account": row.account_id}
    assert client.post("/api/v1/strategies/", made, content_type="application/json").json() == {
        "account": ["You have no such account."]
    }
    record = client.get(f"/api/v1/track-records/?of=strategy:{row.pk}&span=all").json()
    assert record["records"][0]["source"] == "verified by the ledger"
    robot.closed_at = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    robot.save()
    follow_robots()
    assert selectors.robots(member) == []
    assert client.get(page).status_code == 200

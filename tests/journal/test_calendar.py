"""Midnights of the house's time zone: days, months, and the ROLLs that tell them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AccountKind,
    AssetBody,
    Command,
    Event,
    RobotTerms,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.journal.calendar import Calendar
from fondaco.journal.clock import TestClock
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.sequencer import Sequencer
from fondaco.journal.verify import verify
from tests.journal.houses import kill, open_house
from tests.journal.tiny import deposit

ROME = "Europe/Rome"
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def moment_us(text: str, zone: str = "UTC") -> int:
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return int(moment.timestamp()) * 1_000_000


def day_number(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def rolls(house: Sequencer) -> list[tuple[int, int, int]]:
    """Return (stamp, day, month) of each journaled ROLL."""
    batches = house.log.read_from(1)
    records = [unpack(record) for batch in batches for record in split(batch.payload)]
    return [
        (words["time_us"], words["day"], words["month"])
        for words in records
        if words["kind"] == Command.ROLL
    ]


@pytest.mark.parametrize(
    "zone, at, day, month, hours_left",
    [
        ("UTC", "1970-01-01 00:00:00", "1970-01-01", 0, 24),
        (ROME, "2026-12-31 22:59:59", "2026-12-31", 683, 1 / 3600),
        (ROME, "2026-12-31 23:00:00", "2027-01-01", 684, 24),
        # The days on which clocks change: 23 and 25 hours.
        (ROME, "2026-03-28 23:00:00", "2026-03-29", 674, 23),
        (ROME, "2026-10-24 22:00:00", "2026-10-25", 681, 25),
        # 00:00 became 01:00: the day begins with the jump.
        ("America/Sao_Paulo", "2018-11-04 02:59:59", "2018-11-03", 586, 1 / 3600),
        ("America/Sao_Paulo", "2018-11-04 03:00:00", "2018-11-04", 586, 23),
        # 00:00 became 23:00 of the same day: it has 25 hours.
        ("America/Sao_Paulo", "2019-02-16 02:00:00", "2019-02-16", 589, 25),
        # 01:00 became 00:00: midnight comes twice, the first one counts.
        ("America/Havana", "2025-11-02 04:00:00", "2025-11-02", 670, 25),
        # 00:01 became 23:01 of the day before, which so ends twice.
        ("America/St_Johns", "2010-11-07 02:00:00", "2010-11-06", 490, 0.5),
        ("America/St_Johns", "2010-11-07 02:31:00", "2010-11-06", 490, 59 / 60),
        # The 30th of December 2011 did not exist there.
        ("Pacific/Apia", "2011-12-30 09:00:00", "2011-12-29", 503, 1),
        ("Pacific/Apia", "2011-12-30 10:00:00", "2011-12-31", 503, 24),
    ],
)
def test_a_day_is_as_long_as_clocks_make_it(
    zone: str, at: str, day: str, month: int, hours_left: float
) -> None:
    """Day and month by the zone's own date; the end is the first moment of another date."""
    time_us = moment_us(at)
    found = Calendar(zone).day_of(time_us)
    assert (found.day, found.month) == (day_number(day), month)
    assert found.ends_us - time_us == round(hours_left * HOUR_US)


def test_each_midnight_is_told_before_what_comes_after_it(tmp_path: Path) -> None:
    """A tick at midnight commits ROLL; a command that comes first has it before its own events."""
    midnight = moment_us("2026-10-25 00:00:00", ROME)
    clock = TestClock(midnight - HOUR_US)
    house = open_house(tmp_path, clock=clock, calendar=Calendar(ROME))
    first = house.commit([deposit(5), deposit(6)])
    assert (first.first_seq, len(first.boundaries)) == (2, 2)
    assert [unpack(event)["seq"] for event in split(first.events)] == [2, 3]
    assert house.tick() is None
    assert house.wait_s() <= 1.0
    clock.advance(HOUR_US - 1)
    assert house.tick() is None
    clock.advance(1)
    ticked = house.tick()
    assert ticked is not None
    assert (ticked.first_seq, ticked.events) == (4, b"")
    assert house.tick() is None
    clock.advance(25 * HOUR_US - 1)
    assert house.commit([deposit(1)]).first_seq == 5
    clock.advance(1)
    assert house.commit([deposit(1)]).first_seq == 7
    day = day_number("2026-10-25")
    assert rolls(house) == [
        (midnight - HOUR_US, day - 1, 681),
        (midnight, day, 681),
        (midnight + 25 * HOUR_US, day + 1, 681),
    ]
    house.close()


def test_what_a_midnight_tells_of_robots_is_not_the_next_command_s(tmp_path: Path) -> None:
    """ROLL's events come first in its commit; `start` says where those of the commands begin."""
    clock = TestClock(moment_us("2026-10-25 12:00:00"))
    house = open_house(tmp_path, clock=clock, calendar=Calendar("UTC"), exchange_factory=Exchange)
    robot = AccountBody(member=1, kind=AccountKind.ROBOT, robot=RobotTerms(cash=1))
    cash = pack_body(Command.DEFINE_ASSET, AssetBody(number=1, code="USD", decimals=2))
    house.commit([cash, pack_body(Command.OPEN_ACCOUNT, robot, account=16)])
    clock.advance(DAY_US)
    words = {"account": 16, "asset": 1, "amount": 5}
    after = house.commit([pack(Command.DEPOSIT, **words, entry=n) for n in (1, 2)])
    told = split(after.events[: after.start])
    assert [int.from_bytes(record[:2], "little") for record in told] == [Event.ROBOT]
    assert {unpack(record)["seq"] for record in told} == {after.first_seq - 1}
    start = after.start
    for place, end in enumerate(after.boundaries):
        seqs = {unpack(record)["seq"] for record in split(after.events[start:end])}
        assert seqs == {after.first_seq + place}
        start = end
    assert start == len(after.events)
    house.close()


def test_a_house_that_slept_over_midnights_is_told_the_day_that_it_is(tmp_path: Path) -> None:
    """After a start on the same day nothing is told again; after four days, the newest day."""
    noon = moment_us("2026-01-30 12:00:00", ROME)
    options = {"calendar": Calendar(ROME)}
    house = open_house(tmp_path, clock=TestClock(noon), **options)
    house.tick()
    kill(house)
    house = open_house(tmp_path, clock=TestClock(noon + HOUR_US), **options)
    assert house.tick() is None
    house.close()
    house = open_house(tmp_path, clock=TestClock(noon + 4 * DAY_US), **options)
    assert house.commit([deposit(1)]).first_seq == 3
    assert [roll[1:] for roll in rolls(house)] == [
        (day_number("2026-01-30"), 672),
        (day_number("2026-02-03"), 673),
    ]
    house.close()


def test_days_never_go_back(tmp_path: Path) -> None:
    """A house that moves west, or whose clock does, waits for the day after its newest."""
    at = moment_us("2026-06-01 23:00:00", "UTC")
    house = open_house(tmp_path, clock=TestClock(at), calendar=Calendar("Asia/Tokyo"))
    house.tick()
    house.close()
    clock = TestClock(at)
    house = open_house(tmp_path, clock=clock, calendar=Calendar("America/New_York"))
    for _ in range(3 * 24):
        house.tick()
        clock.advance(HOUR_US)
    days = [roll[1] for roll in rolls(house)]
    newest = day_number("2026-06-02")
    assert days == [newest, newest + 1, newest + 2]
    house.close()


def test_a_replay_agrees_and_needs_no_time_zone(tmp_path: Path) -> None:
    """The real core over three midnights: same state and day from the journal alone."""
    clock = TestClock(moment_us("2026-03-28 12:00:00", ROME))
    house = open_sequencer(tmp_path, clock, calendar=Calendar(ROME), preallocate_bytes=4096)
    for _ in range(3):
        house.tick()
        clock.advance(DAY_US)
    house.tick()
    state = house.exchange.state_hash()
    kill(house)
    house = open_sequencer(tmp_path, TestClock(0), preallocate_bytes=4096)
    assert house.exchange.state_hash() == state
    assert house.exchange.day() == day_number("2026-03-31")
    house.close()
    assert verify(tmp_path).state_hash == state.hex()


@pytest.mark.parametrize(
    "zone, at, offset_s",
    [
        ("UTC", "2026-07-01 12:00:00", 0),
        ("Asia/Kathmandu", "2026-07-01 12:00:00", 20_700),
        ("Europe/Rome", "2026-03-29 00:59:59", 3_600),
        ("Europe/Rome", "2026-03-29 01:00:00", 7_200),
        ("Europe/Rome", "2026-10-25 00:59:59", 7_200),
        ("Europe/Rome", "2026-10-25 01:00:00", 3_600),
        ("Australia/Lord_Howe", "2026-04-04 14:59:59", 39_600),
        ("Australia/Lord_Howe", "2026-04-04 15:00:00", 37_800),
    ],
)
def test_clocks_are_before_utc(zone: str, at: str, offset_s: int) -> None:
    """By their changes too, to the second, and asked in any order."""
    calendar = Calendar(zone)
    for _ in range(2):
        assert calendar.offset_s(moment_us(at)) == offset_s
        calendar.offset_s(moment_us("2000-01-01 00:00:00"))

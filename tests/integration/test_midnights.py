"""A running house tells its core the days of its time zone."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from fondaco.core.records import Command, split, unpack
from fondaco.journal.clock import TestClock
from fondaco.journal.recovery import open_sequencer
from tests.integration.running import HOUSE, running

AUCKLAND = HOUSE.replace(
    "rate_limits = false",
    'rate_limits = false\nclock = "test"\ntime_zone = "Pacific/Auckland"',
)
DAY_S = 86_400
ROLL = int(Command.ROLL)


def test_a_test_clock_moved_over_midnights_rolls_the_day(tmp_path: Path) -> None:
    """Each move over a midnight is one ROLL with the date there, before the next command."""
    zone = ZoneInfo("Pacific/Auckland")
    begun = time.time()
    with running(tmp_path, house=AUCKLAND) as house:
        house.until_ready()
        for moved in (2, 4):
            body = json.dumps({"advance_s": moved * DAY_S})
            assert house.request("POST", "/api/v1/test/clock", body=body)[0] == 200
            assert house.place(f"after-{moved}")[0] == 200
        assert house.stop() == 0
        sequencer = open_sequencer(house.data, TestClock(0))
        try:
            batches = list(sequencer.log.read_from(1))
        finally:
            sequencer.close(snapshot=False)
    records = [record for batch in batches for record in split(batch.payload)]
    kinds = [int.from_bytes(record[:2], "little") for record in records]
    rolls = [unpack(each) for each, kind in zip(records, kinds, strict=True) if kind == ROLL]
    epoch = dt.date(1970, 1, 1)
    for roll in rolls:
        there = dt.datetime.fromtimestamp(roll["time_us"] / 1e6, zone)
        assert roll["day"] == (there.date() - epoch).days
        assert roll["month"] == (there.year - 1970) * 12 + there.month - 1
    days = [roll["day"] for roll in rolls]
    assert kinds[0] == ROLL
    assert len(days) == 3
    assert days == sorted(set(days))
    assert days[0] >= (dt.datetime.fromtimestamp(begun, zone).date() - epoch).days
    assert kinds[-4:] == [ROLL, Command.NEW_ORDER] * 2

"""The house's calendar: which day it is where the house lives, and when that day ends.

Promises: a day begins at its first moment there, also where clocks jump over midnight or meet it
twice. The journal holds the days that were told, so a replay needs no time zone and asks nobody.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["Calendar", "HouseDay"]

EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()
EPOCH_YEAR: Final = 1970
MONTHS: Final = 12
SECOND_US: Final = 1_000_000
QUARTER_US: Final = 900 * SECOND_US  # clocks are changed where one begins, in UTC too


class HouseDay(NamedTuple):
    """A day by the house's time zone."""

    day: int  # days since 1970-01-01
    month: int  # months since January 1970
    ends_us: int  # the first moment of the next


class Calendar:
    """Days by the clocks of one time zone."""

    def __init__(self, time_zone: str) -> None:
        """Take the name of a zone, like "Europe/Rome"; raises ZoneInfoNotFoundError."""
        self._zone = ZoneInfo(time_zone)
        self._quarter = self._offset_s = -1

    def offset_s(self, time_us: int) -> int:
        """Return how many seconds its clocks are before UTC at a moment."""
        quarter = time_us // QUARTER_US
        if quarter != self._quarter:
            then = dt.datetime.fromtimestamp(quarter * QUARTER_US // SECOND_US, self._zone)
            offset = then.utcoffset()
            assert offset is not None, "a time in a zone has an offset"
            self._quarter, self._offset_s = quarter, round(offset.total_seconds())
        return self._offset_s

    def day_of(self, time_us: int) -> HouseDay:
        """Return the day of a moment."""
        there = dt.datetime.fromtimestamp(time_us // SECOND_US, self._zone)
        return HouseDay(
            day=there.toordinal() - EPOCH_ORDINAL,
            month=(there.year - EPOCH_YEAR) * MONTHS + there.month - 1,
            ends_us=self._midnight_after(there.date(), time_us),
        )

    def _midnight_after(self, day: dt.date, time_us: int) -> int:
        """Return the moment at which clocks show the next day for the first time after this one.

        A midnight that is jumped over counts as the moment of the jump (fold 0 reads it by the
        clock before it); of one that comes twice the first counts, if it is not yet behind.
        """
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), self._zone)
        first_us = round(midnight.timestamp()) * SECOND_US
        if first_us > time_us:
            return first_us
        return round(midnight.replace(fold=1).timestamp()) * SECOND_US

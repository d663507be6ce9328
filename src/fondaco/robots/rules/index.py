"""Which rules must be looked at again: those whose decision can have changed by what happened.

Ten thousand bots may wait on one market. Between two prices most of their comparisons can't come
out otherwise, and this index knows which: for each comparison with a number that stands still it
keeps the price at which the answer would change, sorted, so that a tick costs what the woken bots
cost, and one search, whatever the number of the others.

How to use it: after each look (or hear) place() the bot with its outcome; tell changed() what
became of a ticker or figure, and advanced() what time it is; look at the bots that they return,
whose places are empty then, and place them again. A bot whose own cash, position or order changed
is looked at by whoever knows that; its own numbers stand still otherwise.

Promises: a bot that is not returned would have decided the same, with the same state and no wish.
It may return one whose decision then turns out the same. It keeps nothing that a restart needs.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from fondaco.robots.rules.plan import (
    CROSSINGS,
    Figure,
    Plan,
    PlannedLook,
    TickerOf,
    TimeOf,
)
from fondaco.robots.rules.state import Code, Look, Outcome
from fondaco.robots.rules.view import DAY_S, MINUTE_S, Number

__all__ = ["RuleIndex"]

Source = TickerOf | Figure
SECOND_US: Final = 1_000_000
# Once the numbers of a comparison stand in source order: what a, b is when b, a is asked.
_SWAPPED: Final = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte", "eq": "eq", "ne": "ne"}
# A step that would act but can't: anything at all may free it.
# After these a bot is looked at whatever happens next: nothing says when it comes out otherwise.
_BLOCKED: Final = frozenset(
    {Code.AMOUNT_UNKNOWN, Code.AMOUNT_ZERO, Code.TOO_MANY_ORDERS, Code.LEG_ACTED}
)


class Bound(NamedTuple):
    """A price at which an answer changes: above it (or at it), or below it (or at it)."""

    price: Number
    rising: bool
    strict: bool


class _Waiting:
    """The bots that wait for one source, by price: of those that rise, the least come first."""

    def __init__(self) -> None:
        self.rising: list[tuple[Number, int, str]] = []
        self.falling: list[tuple[Number, int, str]] = []
        self.any_change: set[str] = set()

    def woken_by(self, value: Number | None) -> set[str]:
        if value is None:
            return {bot for _, _, bot in (*self.rising, *self.falling)} | self.any_change
        # The price itself wakes a rising entry at 0 and a falling one at 1, no other.
        upper = bisect_left(self.rising, (value, 1))
        lower = bisect_left(self.falling, (value, 1))
        found = {bot for _, _, bot in self.rising[:upper]}
        found.update(bot for _, _, bot in self.falling[lower:])
        return found | self.any_change

    def may_wake(self, value: Number | None) -> bool:
        """Say quickly that a value wakes nobody, if that is so."""
        if value is None or self.any_change:
            return True
        if self.rising and self.rising[0][0] <= value:
            return True
        return bool(self.falling) and self.falling[-1][0] >= value


class _Place(NamedTuple):
    """Where a bot stands in the index: enough to take it out."""

    bounds: tuple[tuple[Source, Bound], ...]
    sources: tuple[Source, ...]


class RuleIndex:
    """The waiting bots of one worker."""

    def __init__(self, *, utc_offset_s: int = 0) -> None:
        """Begin empty, in a time zone."""
        self.utc_offset_s = utc_offset_s
        self._waiting: dict[Source, _Waiting] = {}
        self._places: dict[str, _Place] = {}
        self._always: set[str] = set()  # woken by whatever happens next
        self._alarms: list[tuple[int, str]] = []  # a heap; entries of bots that moved on are stale
        self._alarm_of: dict[str, int] = {}

    def place(self, bot: str, plan: Plan, outcome: Outcome, time_us: int) -> None:
        """Note what a bot waits for, after a look at it."""
        self.remove(bot)
        state = outcome.state
        if state.phase != "WAITING":
            return
        if state.resume_us > time_us:
            self._set_alarm(bot, state.resume_us)
            return
        last = outcome.decisions[-1]
        if last.code in _BLOCKED:
            self._always.add(bot)
            return
        bounds: list[tuple[Source, Bound]] = []
        sources: list[Source] = []
        alarms: list[int] = []
        crossings = iter(state.sides)
        for planned, look in zip(plan.steps[state.step].looks, last.looks, strict=True):
            side = next(crossings) if planned.type in CROSSINGS else 0
            if planned.type in CROSSINGS and look.truth:
                self._always.add(bot)  # true for one look only
            alarms += self._alarms_of(planned, time_us)
            found = _bounds_of(planned, look, side)
            if found is None:
                sources += [one for one in (planned.a, planned.b) if isinstance(one, Source)]
            else:
                bounds += found
        for source, bound in bounds:
            waiting = self._of(source)
            insort(waiting.rising if bound.rising else waiting.falling, _entry(bound, bot))
        for source in sources:
            self._of(source).any_change.add(bot)
        self._places[bot] = _Place(tuple(bounds), tuple(sources))
        if alarms:
            self._set_alarm(bot, min(alarms))

    def remove(self, bot: str) -> None:
        """Forget a bot; one that isn't there is none."""
        self._always.discard(bot)
        self._alarm_of.pop(bot, None)
        place = self._places.pop(bot, None)
        if place is None:
            return
        for source, bound in place.bounds:
            waiting = self._waiting[source]
            entries = waiting.rising if bound.rising else waiting.falling
            del entries[bisect_left(entries, _entry(bound, bot))]
        for source in place.sources:
            self._waiting[source].any_change.discard(bot)

    def changed(self, source: Source, value: Number | None) -> list[str]:
        """Return, and forget, the bots to look at now that a ticker or figure has a new value."""
        if isinstance(value, float) and math.isnan(value):
            value = None
        waiting = self._waiting.get(source)
        if waiting is None or not waiting.may_wake(value):
            return self._wake(set(self._always)) if self._always else []
        return self._wake(waiting.woken_by(value) | self._always)

    def advanced(self, time_us: int, *, utc_offset_s: int | None = None) -> list[str]:
        """Return, and forget, the bots to look at now that it is so late."""
        is_late = bool(self._alarms) and self._alarms[0][0] <= time_us
        if not is_late and not self._always and utc_offset_s in {None, self.utc_offset_s}:
            return []
        woken = set(self._always)
        if utc_offset_s is not None and utc_offset_s != self.utc_offset_s:
            self.utc_offset_s = utc_offset_s
            woken.update(self._alarm_of)
        while self._alarms and self._alarms[0][0] <= time_us:
            due_us, bot = heapq.heappop(self._alarms)
            if self._alarm_of.get(bot) == due_us:
                woken.add(bot)
        return self._wake(woken)

    def is_waited_for(self, source: Source) -> bool:
        """Return whether a bot waits for another value of a ticker or figure."""
        waiting = self._waiting.get(source)
        if waiting is None:
            return False
        return bool(waiting.rising or waiting.falling or waiting.any_change)

    def next_alarm_us(self) -> int | None:
        """Return the earliest time that a bot waits for."""
        while self._alarms and self._alarm_of.get(self._alarms[0][1]) != self._alarms[0][0]:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def _wake(self, woken: set[str]) -> list[str]:
        for bot in woken:
            self.remove(bot)
        return sorted(woken)

    def _of(self, source: Source) -> _Waiting:
        return self._waiting.setdefault(source, _Waiting())

    def _set_alarm(self, bot: str, due_us: int) -> None:
        self._alarm_of[bot] = due_us
        heapq.heappush(self._alarms, (due_us, bot))

    def _alarms_of(self, planned: PlannedLook, time_us: int) -> Iterator[int]:
        """Yield when a comparison with the time may come out otherwise."""
        for one, other in ((planned.a, planned.b), (planned.b, planned.a)):
            if not isinstance(one, TimeOf):
                continue
            now_s = time_us // SECOND_US
            if one.field == "unix_s" and isinstance(other, Decimal):
                # At the number, or just past it: whichever comes first.
                yield from (
                    s * SECOND_US for s in (math.ceil(other), math.floor(other) + 1) if s > now_s
                )
                continue
            step_s = 1 if one.field == "unix_s" else DAY_S
            if one.field == "minute_of_day":
                step_s = MINUTE_S
            local_s = now_s + self.utc_offset_s
            yield (local_s // step_s * step_s + step_s - self.utc_offset_s) * SECOND_US


def _entry(bound: Bound, bot: str) -> tuple[Number, int, str]:
    return bound.price, int(bound.strict is bound.rising), bot


def _bounds_of(planned: PlannedLook, look: Look, side: int) -> list[tuple[Source, Bound]] | None:
    """Return where a comparison would come out otherwise; None: at any change of its sources."""
    a_moves, b_moves = isinstance(planned.a, Source), isinstance(planned.b, Source)
    if not a_moves and not b_moves:
        return []  # the bot's own numbers and the time: told otherwise
    if (a_moves and b_moves) or look.a is None or look.b is None:
        return None
    if isinstance(planned.a, TimeOf) or isinstance(planned.b, TimeOf):
        return None
    if a_moves:
        source, value, line, kind = planned.a, look.a, look.b, planned.type
    else:
        source, value, line, side = planned.b, look.b, look.a, -side
        kind = _SWAPPED.get(planned.type, planned.type)
    assert isinstance(source, Source)
    if kind in CROSSINGS:
        return [(source, bound) for bound in _bounds_of_side(line, side)]
    return [(source, bound) for bound in _bounds_of_order(kind, value, line)]


def _bounds_of_side(line: Number, side: int) -> list[Bound]:
    """Return what leaves the side of a crossing: strictly beyond the line."""
    found = []
    if side <= 0:
        found.append(Bound(line, rising=True, strict=True))
    if side >= 0:
        found.append(Bound(line, rising=False, strict=True))
    return found


def _bounds_of_order(kind: str, value: Number, line: Number) -> list[Bound]:
    """Return where `value kind line` would come out otherwise."""
    if kind in {"gt", "lte"}:
        above = value > line
        return [Bound(line, rising=not above, strict=not above)]
    if kind in {"gte", "lt"}:
        above = value >= line
        return [Bound(line, rising=not above, strict=above)]
    if value == line:
        return [Bound(line, rising=True, strict=True), Bound(line, rising=False, strict=True)]
    return [Bound(line, rising=value < line, strict=False)]

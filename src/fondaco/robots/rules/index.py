"""Which rules must be looked at again: those whose decision can have changed by what happened.

Ten thousand bots may wait on one market. Between two prices most of their comparisons can't come
out otherwise, and this index knows which. A comparison with what stands still (a number, what the
bot has, the time until its alarm) has a price at which its answer changes: these are kept sorted,
so that a tick costs what the woken bots cost, and one search, whatever the number of the others.
Two things that both move, like a price and its average, are a pair, one for all bots that compare
them. It stands among the prices of the one, where the other is, and is placed anew when that
moves; its bots wait for which of the two is above. An order that can't be placed waits for its
amounts, which are comparisons, too: with a lot, or with nothing.

How to use it: after each look (or hear) place() the bot with its outcome; tell changed() what
became of each ticker or figure, and advanced() what time it is; look at the bots that they return,
whose places are empty then, and place them again. A bot whose own cash, position or order changed
is looked at by whoever knows that; its own numbers stand still otherwise.

Promises: a bot that is not returned would have decided the same, with the same state and no wish.
It may return one whose decision then turns out the same. It keeps nothing that a restart needs.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final, Generic, NamedTuple, TypeVar

from fondaco.robots.rules.plan import (
    CROSSINGS,
    Figure,
    Plan,
    PlannedLook,
    TickerOf,
    TimeOf,
)
from fondaco.robots.rules.state import SINGLE, Look, Outcome
from fondaco.robots.rules.view import DAY_S, MINUTE_S, ZERO, Number

__all__ = ["RuleIndex"]

Source = TickerOf | Figure
SECOND_US: Final = 1_000_000
# Once the numbers of a comparison stand in source order: what a, b is when b, a is asked.
_SWAPPED: Final = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte", "eq": "eq", "ne": "ne"}


class Pair(NamedTuple):
    """Two sources that are compared; its value is the sign of their difference."""

    a: Source
    b: Source


class Bound(NamedTuple):
    """A price at which an answer changes: above it (or at it), or below it (or at it)."""

    price: Number
    rising: bool
    strict: bool


Awaited = TickerOf | Figure | Pair
Wait = tuple[Awaited, Bound | None]  # None: until it is known
Who = TypeVar("Who", str, Pair)  # a bot, or a pair for all of its bots


class _Waiting(Generic[Who]):
    """Who waits for one source, by price: of those that rise, the least come first."""

    def __init__(self) -> None:
        self.rising: list[tuple[Number, int, Who]] = []
        self.falling: list[tuple[Number, int, Who]] = []
        self.unknown: set[Who] = set()

    def add(self, who: Who, bound: Bound | None) -> None:
        if bound is None:
            self.unknown.add(who)
        else:
            insort(self.rising if bound.rising else self.falling, _entry(bound, who))

    def discard(self, who: Who, bound: Bound | None) -> None:
        if bound is None:
            self.unknown.discard(who)
            return
        entries = self.rising if bound.rising else self.falling
        del entries[bisect_left(entries, _entry(bound, who))]

    def is_empty(self) -> bool:
        return not (self.rising or self.falling or self.unknown)

    def woken_by(self, value: Number | None) -> set[Who]:
        found: set[Who] = set()
        if value is None:
            found.update(who for _, _, who in self.rising)
            found.update(who for _, _, who in self.falling)
            return found
        found.update(self.unknown)
        # The price itself wakes a rising entry at 0 and a falling one at 1, no other.
        if self.rising and self.rising[0][0] <= value:
            upper = bisect_left(self.rising, (value, 1))
            found.update(who for _, _, who in self.rising[:upper])
        if self.falling and self.falling[-1][0] >= value:
            lower = bisect_left(self.falling, (value, 1))
            found.update(who for _, _, who in self.falling[lower:])
        return found


class _Waits(Generic[Who]):
    """Who waits for what."""

    def __init__(self) -> None:
        self._waiting: dict[Awaited, _Waiting[Who]] = {}
        self._places: dict[Who, tuple[Wait, ...]] = {}

    def __contains__(self, who: Who) -> bool:
        return who in self._places

    def place(self, who: Who, waits: Iterable[Wait]) -> None:
        self._places[who] = tuple(dict.fromkeys(waits))
        for source, bound in self._places[who]:
            waiting = self._waiting.get(source)
            if waiting is None:
                waiting = self._waiting[source] = _Waiting()
            waiting.add(who, bound)

    def remove(self, who: Who) -> list[Awaited]:
        """Forget who waits; return what nobody waits for any more."""
        left: list[Awaited] = []
        for source, bound in self._places.pop(who, ()):
            waiting = self._waiting[source]
            waiting.discard(who, bound)
            if waiting.is_empty():
                del self._waiting[source]
                left.append(source)
        return left

    def is_bound(self, source: Awaited) -> bool:
        """Return whether somebody waits for another value than the one that is known."""
        waiting = self._waiting.get(source)
        return waiting is not None and bool(waiting.rising or waiting.falling)

    def woken_by(self, source: Awaited, value: Number | None) -> set[Who]:
        waiting = self._waiting.get(source)
        return set() if waiting is None else waiting.woken_by(value)


class RuleIndex:
    """The waiting bots of one worker."""

    def __init__(self, *, utc_offset_s: int = 0) -> None:
        """Begin empty, in a time zone."""
        self.utc_offset_s = utc_offset_s
        self._bots: _Waits[str] = _Waits()
        self._pairs: _Waits[Pair] = _Waits()
        self._values: dict[Source, Number | None] = {}  # of pairs at least
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
        if last.code in SINGLE:
            self._always.add(bot)  # it heard, and has not looked since
            return
        waits: list[Wait] = []
        alarms: list[int] = []
        crossings = iter(state.sides)
        looked = zip(plan.steps[state.step].looks, last.looks, strict=True)
        for planned, look in (*looked, *outcome.amounts):
            side = next(crossings) if planned.type in CROSSINGS else 0
            if planned.type in CROSSINGS and look.truth:
                self._always.add(bot)  # true for one look only
            alarms += self._alarms_of(planned, time_us)
            waits += self._waits_of(planned, look, side)
        self._bots.place(bot, waits)
        if alarms:
            self._set_alarm(bot, min(alarms))

    def remove(self, bot: str) -> None:
        """Forget a bot; one that isn't there is none."""
        self._always.discard(bot)
        self._alarm_of.pop(bot, None)
        for source in self._bots.remove(bot):
            if isinstance(source, Pair):
                self._pairs.remove(source)

    def changed(self, source: Source, value: Number | None) -> list[str]:
        """Return, and forget, the bots to look at now that a ticker or figure has a new value."""
        if isinstance(value, float) and math.isnan(value):
            value = None
        self._values[source] = value
        woken = self._bots.woken_by(source, value)
        for pair in self._pairs.woken_by(source, value):
            woken |= self._moved(pair)
        return self._wake(woken | self._always) if woken or self._always else []

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
        return self._bots.is_bound(source) or self._pairs.is_bound(source)

    def next_alarm_us(self) -> int | None:
        """Return the earliest time that a bot waits for."""
        while self._alarms and self._alarm_of.get(self._alarms[0][1]) != self._alarms[0][0]:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def _wake(self, woken: set[str]) -> list[str]:
        for bot in woken:
            self.remove(bot)
        return sorted(woken)

    # -- comparisons

    def _waits_of(self, planned: PlannedLook, look: Look, side: int) -> list[Wait]:
        """Return what a comparison waits for: where it would come out otherwise."""
        a, b, kind = planned.a, planned.b, planned.type
        for operand, number in ((a, look.a), (b, look.b)):
            if isinstance(operand, Source) and number is None:
                return [(operand, None)]  # the other one changes nothing until then
        value, line = look.a, look.b
        assert value is not None, "only sources are unknown"
        assert line is not None, "only sources are unknown"
        awaited: Awaited
        if isinstance(a, Source) and isinstance(b, Source):
            awaited = Pair(a, b)
            self._follow(awaited, value, line)
            value, line = _sign_of(value, line), ZERO
        elif isinstance(a, Source):
            awaited = a
        elif isinstance(b, Source):
            awaited, value, line, side = b, line, value, -side
            kind = _SWAPPED.get(kind, kind)
        else:
            return []  # the bot's own numbers and the time: told otherwise
        if kind in CROSSINGS:
            return [(awaited, bound) for bound in _bounds_of_side(line, side)]
        return [(awaited, bound) for bound in _bounds_of_order(kind, value, line)]

    def _follow(self, pair: Pair, a: Number, b: Number) -> None:
        """Have a pair wait for where its sides meet or part, and for any move of its line."""
        if pair in self._pairs:
            return
        self._values[pair.a], self._values[pair.b] = a, b
        moving, line = pair
        if isinstance(moving, Figure):  # it stands still between candles: the other meets it
            moving, line, a, b = line, moving, b, a
        waits: list[Wait] = [(moving, bound) for bound in _bounds_of_order("eq", a, b)]
        waits += [(line, bound) for bound in _bounds_of_any(b)]
        self._pairs.place(pair, waits)

    def _moved(self, pair: Pair) -> set[str]:
        """Place a pair anew; return the bots that wait for what it is now."""
        self._pairs.remove(pair)
        a, b = self._values[pair.a], self._values[pair.b]
        if a is None or b is None:
            return self._bots.woken_by(pair, None)
        self._follow(pair, a, b)
        return self._bots.woken_by(pair, _sign_of(a, b))

    # -- time

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


def _entry(bound: Bound, who: Who) -> tuple[Number, int, Who]:
    return bound.price, int(bound.strict is bound.rising), who


def _sign_of(a: Number, b: Number) -> Decimal:
    """Return -1, 0 or 1: where the first stands as seen from the second."""
    return Decimal((a > b) - (a < b))


def _bounds_of_any(value: Number) -> list[Bound]:
    """Return what any change leaves."""
    return [Bound(value, rising=True, strict=True), Bound(value, rising=False, strict=True)]


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
        return _bounds_of_any(line)
    return [Bound(line, rising=value < line, strict=False)]

"""Two exchanges fed with the same commands, compared after each: events, balances, books, sums.

One is the oracle (the twin), the other is on trial: the compiled or the pure core, or a planted
bug. A difference raises Difference with the command and both runs of events, told as text.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from fondaco.core.records import (
    LAYOUTS,
    Command,
    Event,
    Execution,
    Query,
    Reason,
    numbers_of,
    pack,
    split,
    unpack,
)
from tests.property.flows import START_US, Flow, OpenOrder, stamp
from tests.twin.answers import answer
from tests.twin.exchange import Twin

__all__ = ["Difference", "OnTrial", "Pair", "new_core"]


class Difference(AssertionError):
    """The exchange on trial did otherwise than the twin."""


class OnTrial(Protocol):
    """What is asked of an exchange on trial."""

    def apply(self, batch: bytes) -> bytes:
        """Apply stamped commands."""

    def boundaries(self) -> list[int]:
        """Return where each command's events end."""

    def query(self, record: bytes) -> bytes:
        """Answer a question."""


def new_core() -> OnTrial:
    """Return a core of the build that this process imports."""
    from fondaco.core.exchange import Exchange

    core: OnTrial = Exchange()
    return core


class Pair:
    """The twin and an exchange on trial."""

    def __init__(self, on_trial: OnTrial | None = None) -> None:
        """Begin with two empty houses."""
        self.twin = Twin()
        self.on_trial = new_core() if on_trial is None else on_trial
        self.seq = 0
        self.time_us = START_US
        self.kinds: Counter[int] = Counter()
        self.reasons: Counter[int] = Counter()
        self.commands = 0
        self.most_triggered = 0  # stops in one command
        self.flow: Flow | None = None  # that is told what comes of its commands

    def send(self, *records: bytes, elapsed_us: int = 0) -> list[bytes]:
        """Apply records to both as one batch and compare; return the events."""
        self.time_us += elapsed_us
        stamped = []
        for record in records:
            self.seq += numbers_of(record)
            stamped.append(stamp(record, self.seq, self.time_us))
        expected = [self.twin.apply_one(record) for record in stamped]
        for record, told in zip(records, expected, strict=True):
            if self.flow is not None:
                self.flow.note(record, told)
        for told in expected:
            self.most_triggered = max(self.most_triggered, sum(map(_is_trigger, told)))
        run = self.on_trial.apply(b"".join(stamped))
        ends = self.on_trial.boundaries()
        if len(ends) != sum(map(numbers_of, records)):
            raise Difference(f"{len(records)} commands have {len(ends)} boundaries")
        ends = _last_of_each(records, ends, run)
        start = 0
        for record, wanted, end in zip(stamped, expected, ends, strict=True):
            if run[start:end] != b"".join(wanted):
                raise Difference(_told(record, wanted, split(run[start:end])))
            start = end
        if start != len(run):
            raise Difference(f"{len(run) - start} bytes of events belong to no command")
        self.commands += len(records)
        events = [event for found in expected for event in found]
        self._count(events)
        return events

    def reload(self) -> None:
        """Put a fresh core in the place of the one on trial, with no more than its dump."""
        old: Any = self.on_trial
        if not hasattr(old, "dump"):
            return
        dump = old.dump()
        fresh = type(old)()
        fresh.load(dump)
        if (fresh.seq, fresh.time_us) != (old.seq, old.time_us):
            raise Difference("a loaded core has another seq or time")
        if fresh.state_hash() != old.state_hash() or fresh.dump() != dump:
            raise Difference("a loaded core has another state than the one that was dumped")
        self.on_trial = fresh

    def check(self) -> None:
        """Compare every answer about now, and the twin's own sums."""
        questions = [pack(Query.TOTALS), pack(Query.DEFINITIONS)]
        for number in self.twin.market.instruments:
            questions += [pack(Query.DEPTH, instrument=number, limit=n) for n in (1000, 2)]
        asked = (Query.QUOTES, Query.POOLS, Query.VENUE_ORDERS, Query.ROBOTS)
        questions += [pack(kind) for kind in asked]
        questions += [pack(Query.WAITING, account=account) for account in self.twin.accounts]
        for account in (1, 2, 3, 4, *self.twin.accounts):
            questions.append(pack(Query.BALANCES, account=account))
            questions.append(pack(Query.OPEN_ORDERS, account=account))
            questions.append(pack(Query.LISTS, account=account))
        for question in questions:
            wanted = answer(self.twin, question)
            found = self.on_trial.query(question)
            if wanted != found:
                raise Difference(_told(question, split(wanted), split(found)))
        deadline = getattr(self.on_trial, "deadline", self.twin.deadline)()
        if deadline != self.twin.deadline():
            raise Difference(f"the deadline is {deadline}")
        sums = self.twin.ledger.sums()
        if any(sums.values()):
            raise Difference(f"the twin's own sums are {sums}")

    def open_orders(self) -> list[OpenOrder]:
        """Return the open orders, for a Flow to choose from."""
        return [
            OpenOrder(o.order_id, o.account, o.instrument, o.remaining, o.client_id, o.list_id)
            for o in self.twin.market.orders.values()
        ]

    def venue_orders(self) -> list[dict[str, int]]:
        """Return the venue orders that are not done, for a flow to speak of."""
        return [venue.words for venue in self.twin.outside.venue_orders.values()]

    def run(self, flow: Flow, commands: int, *, check_every: int = 1) -> None:
        """Send the flow's opening and so many commands, in batches of one to four."""
        self.flow = flow
        self.send(*flow.opening())
        sent = 0
        while sent < commands:
            elapsed_us, batch = flow.batch(self.time_us)
            self.send(*batch, elapsed_us=elapsed_us)
            sent += len(batch)
            if flow.random.random() < 0.04:
                self.reload()
            if sent % check_every == 0 or check_every == 1:
                self.check()
        self.check()

    def _count(self, events: list[bytes]) -> None:
        for event in events:
            kind = event[0] | event[1] << 8
            self.kinds[kind] += 1
            if kind == Event.REFUSED:
                self.reasons[unpack(event)["reason"]] += 1


def _last_of_each(records: tuple[bytes, ...], ends: list[int], run: bytes) -> list[int]:
    """Return where the events of each command end; a list's first number has none."""
    found = []
    place = 0
    for record in records:
        if numbers_of(record) == 2:
            before = ends[place - 1] if place else 0
            if ends[place] != before:
                raise Difference(f"a list's first number has {len(run)} bytes of events")
        place += numbers_of(record)
        found.append(ends[place - 1])
    return found


def _is_trigger(event: bytes) -> bool:
    kind = event[0] | event[1] << 8
    return kind == Event.ORDER and unpack(event)["execution"] == Execution.TRIGGERED


def _told(command: bytes, wanted: list[bytes], found: list[bytes]) -> str:
    lines = [f"at {_text(command)}", "the twin says:"]
    lines += [f"  {_text(event)}" for event in wanted]
    lines.append("on trial:")
    lines += [f"  {_text(event)}" for event in found]
    for place, (one, other) in enumerate(zip(wanted, found, strict=False)):
        if one != other and (one[0] | one[1] << 8) in LAYOUTS and one[:2] == other[:2]:
            left, right = unpack(one), unpack(other)
            words = [f"{k}: {left[k]} / {right[k]}" for k in left if left[k] != right[k]]
            lines.append(f"event {place}: {', '.join(words)}")
            break
    return "\n".join(lines)


def _text(record: bytes) -> str:
    kind = record[0] | record[1] << 8
    names = {**{int(k): k.name for k in Command}, **{int(k): k.name for k in Event}}
    names |= {int(k): k.name for k in Query}
    if kind not in LAYOUTS:
        return f"{names.get(kind, kind)} {record[24:]!r}"
    words = {key: word for key, word in unpack(record).items() if word and key != "kind"}
    if kind == Event.REFUSED and "reason" in words:
        words["reason"] = Reason(words["reason"]).name  # type: ignore[assignment]
    return f"{names[kind]} {' '.join(f'{key}={word}' for key, word in words.items())}"

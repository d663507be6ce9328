"""How one outside order is carried, step by step: PENDING -> SENT -> CONFIRMED or UNKNOWN.

Promises: it sends only after VENUE_SENT was accepted, which is durable then and accepted once in
all time; it sends once; without an answer, or found SENT by another process, it says so and from
there only asks, ever more rarely. "No such order" ends an order only when a send can't be under
way any more: SEND_WITHIN_S after VENUE_SENT nobody sends, a request ends after the venue's
timeout, and GRACE_S is for what the network and the venue still hold.

It touches nothing: it yields what is to be done and is told what came of it, so that the worker
does it with threads and sockets, and a simulation without. What is thrown away half done (a crash)
goes on in another process from what the core knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from fondaco.core.records import Command, Event, Reason, VenueStatus, pack, unpack
from fondaco.robots.venues.port import NOTHING, Order, Outcome, Refused, Unanswered, Venue

__all__ = [
    "GRACE_S",
    "SEND_WITHIN_S",
    "Carried",
    "Effect",
    "Place",
    "Query",
    "Tell",
    "Wait",
    "carry",
    "is_disputed",
    "perform",
]

SEND_WITHIN_S: Final = 2.0  # a slower process lets it be: another may think that it has gone
GRACE_S: Final = 5.0  # that a request may outlive its timeout on the way and inside the venue
PAUSE_S_MIN: Final = 0.5
PAUSE_S_MAX: Final = 60.0
UNITS_MAX: Final = 1 << 62


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """An outside order as the core has it, and as the venue is asked for it."""

    number: int
    status: int
    base_unit: Fraction  # of the whole asset
    quote_unit: Fraction
    filled_base: int  # units known so far
    filled_quote: int
    order: Order


class Tell(msgspec.Struct, frozen=True):
    """Send this command to the core; answered with its first event, after the sync."""

    record: bytes


class Place(msgspec.Struct, frozen=True):
    """Call the venue's place(), by perform()."""

    order: Order
    not_after_s: float


class Query(msgspec.Struct, frozen=True):
    """Call the venue's query(), by perform()."""

    order: Order


class Wait(msgspec.Struct, frozen=True):
    """Go on after so long."""

    seconds: float


Effect = Tell | Place | Query | Wait
Steps = Generator[Effect, Any, bool]
Note = Callable[[str], None]


def carry(
    carried: Carried, *, request_timeout_s: float, now_s: Callable[[], float], note: Note
) -> Generator[Effect, Any, None]:
    """Carry one order to its end. `note` hears what an operator should know."""
    begun_s = now_s()
    settled_s = begun_s + SEND_WITHIN_S + request_timeout_s + GRACE_S
    status = carried.status
    if status == VenueStatus.PENDING:
        told = yield Tell(pack(Command.VENUE_SENT, venue_order=carried.number))
        if _refusal(told):
            return  # another process has it
        try:
            answers = yield Place(carried.order, begun_s + SEND_WITHIN_S)
        except Refused as refused:
            note(f"{carried.order.client_id} was refused: {refused}")
            answers = (NOTHING,)
        except Unanswered as error:
            note(f"{carried.order.client_id} has no answer: {error}")
            answers = ()
            status = int(VenueStatus.SENT)
        is_over = False
        for outcome in answers:
            is_over |= yield from _report(carried, outcome, note, by_query=0)
        if is_over:
            return
        settled_s = max(settled_s, now_s() + GRACE_S)  # an early error says nothing of the rest
    if status == VenueStatus.SENT:
        yield Tell(pack(Command.VENUE_UNKNOWN, venue_order=carried.number))
    yield from _ask(carried, settled_s, now_s, note)


def perform(
    venue: Venue, effect: Place | Query, now_s: Callable[[], float]
) -> Sequence[Outcome] | Outcome | None:
    """Ask the venue; Refused, Unanswered. What comes to its turn too late isn't sent."""
    if isinstance(effect, Query):
        return venue.query(effect.order)
    if now_s() > effect.not_after_s:
        raise Unanswered("it was too late to send it")
    return venue.place(effect.order)


def _ask(
    carried: Carried, settled_s: float, now_s: Callable[[], float], note: Note
) -> Generator[Effect, Any, None]:
    """Ask until the venue knows the end."""
    pause_s = PAUSE_S_MIN
    known = Outcome(
        base=carried.filled_base * carried.base_unit,
        quote=carried.filled_quote * carried.quote_unit,
        is_final=True,
    )
    while True:
        asked_s = now_s()
        try:
            outcome = yield Query(carried.order)
        except Unanswered as error:
            note(f"{carried.order.client_id} can't be asked for: {error}")
        else:
            if outcome is None and asked_s >= settled_s:
                outcome = known  # it never arrived
            if outcome is not None and (yield from _report(carried, outcome, note, by_query=1)):
                return
            if outcome is not None and not outcome.is_final:
                known = msgspec.structs.replace(outcome, is_final=True)
        yield Wait(pause_s)
        pause_s = min(2 * pause_s, PAUSE_S_MAX)


def _report(carried: Carried, outcome: Outcome, note: Note, *, by_query: int) -> Steps:
    """Tell the core what the venue says; return whether the order is over."""
    base, quote = outcome.base / carried.base_unit, outcome.quote / carried.quote_unit
    paid = math.ceil(quote) if carried.order.is_buy else math.floor(quote)
    report = pack(
        Command.VENUE_REPORT,
        venue_order=carried.number,
        filled_base=min(math.floor(base), UNITS_MAX),  # more than that is refused, whatever it is
        filled_quote=min(paid, UNITS_MAX),
        is_final=int(outcome.is_final),
        by_query=by_query,
    )
    refusal = _refusal((yield Tell(report)))
    if refusal == Reason.VENUE_ORDER_CLOSED:
        return True
    if is_disputed(refusal, is_final=outcome.is_final):
        note(
            f"{carried.order.client_id}: the venue says {float(outcome.base)} {carried.order.base} "
            f"for {float(outcome.quote)} {carried.order.quote}, which the house can't take "
            f"({Reason(refusal).name}); it stays open until somebody settles it"
        )
    return refusal == 0 and outcome.is_final


def is_disputed(refusal: int, *, is_final: bool) -> bool:
    """Return whether the core doesn't believe a report, by the reason of its refusal (0: none)."""
    if refusal == Reason.STALE_REPORT:
        return is_final  # else it only says again what is known
    return refusal not in {0, Reason.VENUE_ORDER_STATE, Reason.VENUE_ORDER_CLOSED}


def _refusal(event: bytes) -> int:
    """Return the reason of a refusal, 0 if the command was accepted."""
    words = unpack(event)
    return int(words["reason"]) if words["kind"] == Event.REFUSED else 0

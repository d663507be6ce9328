"""The worker's steps with one of them wrong: every harness of them must find each."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from fondaco.core.records import Command, VenueStatus, pack
from fondaco.robots.venues import carrying
from fondaco.robots.venues.carrying import Effect, Place, Tell, carry
from fondaco.robots.venues.port import NOTHING, Refused, Unanswered

__all__ = ["PLANTED_STEPS", "Steps"]

Steps = Generator[Effect, Any, None]


def sends_before_it_is_durable(carried: carrying.Carried, **words: Any) -> Steps:
    """Place first, then say VENUE_SENT."""
    if carried.status != VenueStatus.PENDING:
        yield from carry(carried, **words)
        return
    try:
        answers = yield Place(carried.order, words["now_s"]() + 2)
    except Unanswered:
        answers = ()
    except Refused:
        answers = (NOTHING,)
    yield Tell(pack(Command.VENUE_SENT, venue_order=carried.number))
    for outcome in answers:
        yield from carrying._report(carried, outcome, words["note"], by_query=0)
    if not answers:
        yield Tell(pack(Command.VENUE_UNKNOWN, venue_order=carried.number))
        yield from carrying._ask(carried, words["now_s"]() + 5, words["now_s"], words["note"])


def sends_again_on_a_timeout(carried: carrying.Carried, **words: Any) -> Steps:
    """What has no answer is sent once more."""
    steps = carry(carried, **words)
    effect = next(steps)
    while True:
        try:
            answer = yield effect
        except Unanswered as error:
            if isinstance(effect, Place):
                try:
                    answer = yield Place(effect.order, words["now_s"]() + 2)
                except (Refused, Unanswered) as again:
                    effect = steps.throw(again)
                    continue
            else:
                effect = steps.throw(error)
                continue
        except Refused as error:
            effect = steps.throw(error)
            continue
        try:
            effect = steps.send(answer)
        except StopIteration:
            return


def believes_no_such_order_at_once(carried: carrying.Carried, **words: Any) -> Steps:
    """A send may still be under way, and the money is given back."""
    if carried.status == VenueStatus.PENDING:
        yield from carry(carried, **words)
        return
    if carried.status == VenueStatus.SENT:
        yield Tell(pack(Command.VENUE_UNKNOWN, venue_order=carried.number))
    yield from carrying._ask(carried, 0.0, words["now_s"], words["note"])


def gives_back_what_has_no_answer(carried: carrying.Carried, **words: Any) -> Steps:
    """A timeout is taken for a failure."""
    steps = carry(carried, **words)
    effect = next(steps)
    while True:
        try:
            answer = yield effect
        except Unanswered as error:
            if isinstance(effect, Place):
                answer = (NOTHING,)
            else:
                effect = steps.throw(error)
                continue
        except Refused as error:
            effect = steps.throw(error)
            continue
        try:
            effect = steps.send(answer)
        except StopIteration:
            return


PLANTED_STEPS: Final[dict[str, Callable[..., Steps]]] = {
    "sends before it is durable": sends_before_it_is_durable,
    "sends again on a timeout": sends_again_on_a_timeout,
    "believes no such order at once": believes_no_such_order_at_once,
    "gives back what has no answer": gives_back_what_has_no_answer,
}

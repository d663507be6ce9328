"""A hook's template ("{summary} {symbol} at {price}, {time}"): names between literals.

Promises: a text is read in time linear in its length for each place, whatever both say. A place
takes as little as it can while the rest still fits, a time as much: what a search by trial would
find first, whose time multiplies with every place. A place is a run without spaces, {any} is
anything; runs of spaces count as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["PLACES_MAX", "WORD_MAX", "names_of", "read_text"]

PLACES_MAX: Final = 16
WORD_MAX: Final = 128  # characters of a place
ANY_MAX: Final = 200
TIME_MAX: Final = 40
_PLACE: Final = re.compile(r"\{([a-z_]*)\}")
_CLOCK: Final = re.compile(r" \d\d:\d\d:\d\d")  # of a time that is written with a space


class _Place(NamedTuple):
    name: str  # "": anything
    literal: str  # after it


def names_of(template: str) -> list[str]:
    """Return the names of a template's places, in their order."""
    return _PLACE.findall(template)


def read_text(template: str, text: str) -> dict[str, str] | None:
    """Return what stands at a template's named places, or None where the text doesn't fit."""
    text = " ".join(text.split())
    head, places = _read(template)
    longest = len(head) + sum(len(place.literal) + ANY_MAX for place in places)
    if len(text) > longest or not text.startswith(head):
        return None
    spaces = _next_spaces(text)
    good = [False] * len(text) + [True]  # where what comes after a place may begin
    chosen: list[list[int]] = []  # by place, from the last: its end for each beginning, -1 for none
    for place in reversed(places):
        after = _before(text, place.literal, good)
        ends = (_ends_of_time if place.name == "time" else _ends)(place, text, after, spaces)
        chosen.append(ends)
        good = [end >= 0 for end in ends]
    at, words = len(head), {}
    if not good[at]:
        return None
    for place in places:
        end = chosen.pop()[at]
        if place.name:
            words[place.name] = text[at:end]
        at = end + len(place.literal)
    return words


@lru_cache(maxsize=256)
def _read(template: str) -> tuple[str, tuple[_Place, ...]]:
    """Return the literal before the first place, and the places."""
    head, *pieces = _PLACE.split(" ".join(template.split()))
    names = ("" if name == "any" else name for name in pieces[::2])
    return head, tuple(map(_Place, names, pieces[1::2]))


def _next_spaces(text: str) -> list[int]:
    """Return for each position where the next space is, or the end."""
    found, space = [len(text)] * (len(text) + 1), len(text)
    for at in range(len(text) - 1, -1, -1):
        if text[at] == " ":
            space = at
        found[at] = space
    return found


def _before(text: str, literal: str, good: list[bool]) -> list[bool]:
    """Return where a place may end: the literal stands there, and what comes after it fits."""
    if not literal:
        return good
    found = [False] * len(good)
    at = text.find(literal)
    while at >= 0:
        found[at] = good[at + len(literal)]
        at = text.find(literal, at + 1)
    return found


def _ends(place: _Place, text: str, after: list[bool], spaces: list[int]) -> list[int]:
    """Return the nearest end for each beginning: none that is farther would fit better."""
    least, most = (1, WORD_MAX) if place.name else (0, ANY_MAX)
    found, nearest = [-1] * len(after), -1
    for at in range(len(text) - least, -1, -1):
        if after[at + least]:
            nearest = at + least
        if 0 <= nearest <= at + most and (not place.name or nearest <= spaces[at]):
            found[at] = nearest
    return found


def _ends_of_time(_place: _Place, text: str, after: list[bool], spaces: list[int]) -> list[int]:
    """Return the farthest end for each beginning, with the clock that follows if there is one."""
    found = [-1] * len(after)
    for at in range(len(text)):
        for end in range(min(spaces[at], at + TIME_MAX), at, -1):
            clock = _CLOCK.match(text, end)
            fitting: Iterable[int] = (end,) if clock is None else (clock.end(), end)
            found[at] = next((each for each in fitting if after[each]), -1)
            if found[at] >= 0:
                break
    return found

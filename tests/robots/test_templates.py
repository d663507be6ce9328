"""Templates of alerts, held against the regular expression that they stand for."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from fondaco.robots.hub import templates
from fondaco.robots.hub.templates import PLACES_MAX, names_of, read_text

PLACES = {
    "any": ".{0,200}?",
    "time": r"(?P<time>\S{1,40}(?: \d\d:\d\d:\d\d)?)",
    "summary": r"(?P<summary>\S{1,128}?)",
    "key": r"(?P<key>\S{1,128}?)",
}
LITERALS = ["", " ", ",", " a", "a ", "ab", " 10:00:00"]
literals = st.sampled_from(LITERALS)
names = st.permutations(["time", "summary", "key", "any", "any"])
texts = st.lists(st.sampled_from(["a", "b", ",", " ", " 10:00:00", "a,b ", "x" * 127])).map("".join)


def found_by_trial(pieces: list[str], text: str) -> dict[str, str] | None:
    """Read a text by a search that tries all that could be; pieces are literal, name, literal..."""
    pattern = "".join(PLACES[each] if n % 2 else re.escape(each) for n, each in enumerate(pieces))
    found = re.match(pattern + r"\Z", " ".join(text.split()))
    return None if found is None else found.groupdict()


@settings(max_examples=1_000, deadline=None)
@given(st.lists(literals, min_size=1, max_size=5), names, texts)
def test_a_text_is_read_as_a_search_by_trial_would(
    said: list[str], order: list[str], text: str
) -> None:
    """What each place takes, and whether the text fits at all."""
    pieces = [said[0]]
    for name, literal in zip(order, said[1:], strict=False):
        pieces += [name, literal or ","]
    template = "".join(f"{{{each}}}" if n % 2 else each for n, each in enumerate(pieces))
    if template != " ".join(template.split()):
        pieces = re.split(r"\{(\w+)\}", " ".join(template.split()))
    assert read_text(template, text) == found_by_trial(pieces, text), template


def test_no_text_takes_long() -> None:
    """Many places and a text in which each literal is everywhere: a trial would never end."""
    any_place = "{any},"
    template = "{summary} " + any_place * (PLACES_MAX - 1) + "!"
    assert len(names_of(template)) == PLACES_MAX
    commas = "," * (templates.ANY_MAX * PLACES_MAX - 200)
    assert read_text(template, f"buy {commas}") is None
    assert read_text(template, f"buy {commas}!") == {"summary": "buy"}
    named = "{summary},{key},{time},{symbol},{interval},{expected_position},{price}!"
    assert read_text(named, "," * 900) is None
    assert read_text(named, "x" * 40_000) is None

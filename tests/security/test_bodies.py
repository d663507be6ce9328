"""Bodies that break a reader: each is a 400 with a sentence, at every route that reads JSON."""

from __future__ import annotations

from io import BytesIO

import pytest
from rest_framework.exceptions import ParseError, ValidationError

from fondaco.office.api.bodies import DEPTH_MAX, PlainJSON
from fondaco.office.api.numbers import PlainDecimal
from fondaco.office.brokerage.forms import AccountForm


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested deeper than 64"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested deeper than 64"),
        ("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), "nested deeper than 64"),
        (r'{"side":"\ud800"}', "half of a surrogate pair"),
        (r'{"a":[{"\udfff":1}]}', "half of a surrogate pair"),
        ('{"a":NaN}', "JSON parse error"),
        ('{"name":1e400}', "a number beyond all numbers"),
        (r'{"name":"a\u202eb"}', r"U\+202E in a text"),
        (r'{"name":"a\u0007b"}', r"U\+0007 in a text"),
        ("[1" + "0" * 5000 + "]", "JSON parse error"),
    ],
    ids=["far", "deep", "one", "half", "name", "nan", "beyond", "turned", "bell", "digits"],
)
def test_what_would_break_a_reader_is_told(body: str, told: str) -> None:
    """Nested without end, half characters, no numbers: one sentence, and no fault of ours."""
    with pytest.raises(ParseError, match=told):
        PlainJSON().parse(BytesIO(body.encode()))


def test_what_is_deep_enough_and_whole_passes() -> None:
    """The deepest body that is let in, and characters in two halves, come out as they are."""
    deep = "[" * DEPTH_MAX + "]" * DEPTH_MAX
    assert str(PlainJSON().parse(BytesIO(deep.encode()))) == deep
    assert PlainJSON().parse(BytesIO(rb'"\ud83d\ude00"')) == "\N{GRINNING FACE}"
    assert PlainJSON().parse(BytesIO(rb'"two\nlines,\ta tab"')) == "two\nlines,\ta tab"


@pytest.mark.parametrize("text", ["1_000", "\N{ARABIC-INDIC DIGIT THREE}", "NaN", True])
def test_an_amount_has_plain_digits(text: object) -> None:
    """Python would take 1_000 for a thousand; whoever sent it may have meant something else."""
    with pytest.raises(ValidationError):
        PlainDecimal(max_digits=30, decimal_places=18).run_validation(text)


def test_a_name_on_a_page_is_what_an_eye_sees() -> None:
    """A character that turns the direction would show another name than the one that is kept."""
    form = AccountForm({"name": "live\u202etset"})
    assert form.errors == {"name": ["U+202E can't be seen: leave it out."]}

"""How amounts look on a page."""

from __future__ import annotations

import pytest

from fondaco.office.templatetags.figures import figure


@pytest.mark.parametrize(
    "amount, shown",
    [
        ("0.00000000", '<data value="0.00000000">0.00<span class="zeros">000000</span></data>'),
        ("1234567.891", '<data value="1234567.891">1,234,567.891</data>'),
        ("-0.5000", '<data value="-0.5000">\N{MINUS SIGN}0.50<span class="zeros">00</span></data>'),
        ("10000", '<data value="10000">10,000</data>'),
        ("99.9", '<data value="99.9">99.9</data>'),
        ("<b>", "<b>"),  # no amount: unchanged, and escaped by the template
    ],
)
def test_an_amount_is_shown_whole_and_in_groups(amount: str, shown: str) -> None:
    """Nothing of it is lost: the element's value is the text as it came."""
    assert figure(amount) == shown

"""Reported numbers in and out: exact, bounded, never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.strategies.amounts import AmountUnfit, decimal_of, text_of, units_of

KEPT = st.decimals(min_value=-90_000_000_000, max_value=90_000_000_000, places=8)
ANY = st.decimals(allow_nan=False, allow_infinity=False)


@given(KEPT)
def test_what_has_eight_decimals_is_kept_to_the_last(number: Decimal) -> None:
    """Into units and back, as a number and as text, it is the same number."""
    units = units_of(number)
    assert decimal_of(units) == number
    assert Decimal(text_of(units)) == number


@given(ANY)
def test_more_digits_are_rounded_half_to_even_and_too_much_is_refused(number: Decimal) -> None:
    """Every finite number is rounded by the one rule, or refused because it is too large."""
    try:
        units = units_of(number)
    except AmountUnfit:
        assert abs(number) > 90_000_000_000
    else:
        assert units == int((number * 10**8).to_integral_value(ROUND_HALF_EVEN))
        assert abs(units) < 1 << 63


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "Infinity", "sNaN", "90000000000.1", "1e30"])
def test_what_cannot_be_kept_is_refused(text: str) -> None:
    """No NaN, no infinity, nothing beyond the bound."""
    with pytest.raises(AmountUnfit):
        units_of(Decimal(text))


@pytest.mark.parametrize(
    "units, text",
    [(0, "0"), (1, "0.00000001"), (-150_000_000, "-1.5"), (12_000_000_000, "120")],
)
def test_text_has_no_needless_zeros(units: int, text: str) -> None:
    """Amounts are shown as people write them."""
    assert text_of(units) == text

"""Decimal text to steps and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.gateway.numbers import Finer, Step, units_text


@pytest.mark.parametrize(
    "size,text,steps",
    [
        ("0.01", "20000", 2_000_000),
        ("0.01", "20000.1", 2_000_010),
        ("0.01", "20000.100000000000", 2_000_010),
        ("0.01", "0.00", 0),
        ("0.05", "1.10", 22),
        ("5", "35", 7),
        ("0.00000001", "1.00000001", 100_000_001),
        ("0.01", "99999999999999999999", 1 << 62),  # the core refuses it by range
    ],
)
def test_text_is_counted_exactly(size: str, text: str, steps: int) -> None:
    """Well written numbers are whole counts of the step, trailing zeros or not."""
    assert Step(size).count(text) == steps


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "+1", "1e3", ".5", "1.", "1,5", " 1", "1 ", "0x1", "NaN", "inf", "1_0"),
        "\u0663",  # an Arabic three
        "\uff11",  # a full-width one
        "1" * 21,
        "1." + "0" * 21,
    ],
)
def test_anything_but_ascii_digits_is_unreadable(text: str) -> None:
    """Signs, exponents, spaces, other scripts' digits and endless numbers are ValueError."""
    with pytest.raises(ValueError):
        Step("0.01").count(text)


@pytest.mark.parametrize(
    "size,text,places",
    [("0.01", "1.005", False), ("0.05", "1.02", False), ("0.01", "1.000000001", True)],
)
def test_finer_than_the_step_is_never_rounded(size: str, text: str, places: bool) -> None:
    """What lies between two steps is refused, and whether it has too many places is told."""
    with pytest.raises(Finer) as finer:
        Step(size).count(text)
    assert finer.value.places is places


@given(
    st.integers(0, 1 << 62), st.sampled_from(["0.01", "0.00001", "0.05", "1", "25", "0.00000001"])
)
def test_text_of_steps_counts_back(steps: int, size: str) -> None:
    """What is shown is read as the same number of steps."""
    step = Step(size)
    text = step.text(steps)
    assert len(text.partition(".")[2]) == 8
    if len(text.partition(".")[0]) <= 20:
        assert Step(size).count(text) == steps


@given(st.integers(-(1 << 62), 1 << 62), st.integers(0, 8))
def test_units_have_eight_decimals(units: int, decimals: int) -> None:
    """An amount's text is exact, signed, with eight decimals."""
    text = units_text(units, decimals)
    whole, _, fraction = text.lstrip("-").partition(".")
    assert len(fraction) == 8
    value = int(whole + fraction)
    assert (-value if text.startswith("-") else value) == units * 10 ** (8 - decimals)

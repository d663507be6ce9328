"""docs/rules.md: every example is a rule, and every answer is what the validator says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fondaco.robots.rules.evaluator import look
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.state import Code, State
from fondaco.robots.rules.validation import RuleError, read_rule
from fondaco.robots.rules.view import View

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
REFUSALS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(\$.+?)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_rule_that_runs(example: str) -> None:
    """It is read, planned and looked at; without a market it waits, or orders at once."""
    outcome = look(plan_rule(read_rule(example)), State(), View(time_us=1), "bot")
    assert outcome.decisions[0].code in {Code.CONDITION_UNKNOWN, Code.TRIGGERED}


@pytest.mark.parametrize(("right", "wrong", "answer"), REFUSALS)
def test_each_refusal_is_what_is_said(right: str, wrong: str, answer: str) -> None:
    """The first example with one thing changed is refused in exactly the page's words."""
    assert right in EXAMPLES[0]
    with pytest.raises(RuleError) as caught:
        read_rule(EXAMPLES[0].replace(right, wrong, 1))
    assert str(caught.value) == answer


def test_the_page_was_read() -> None:
    """The page has its examples and refusals, and names every code."""
    assert len(EXAMPLES) >= 3
    assert len(REFUSALS) >= 4
    assert [code for code in Code if code not in PAGE] == []

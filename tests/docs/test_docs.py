"""The docs say what the code does.

Printed pages are current, links lead somewhere, records of decisions have their parts, every
setting of the environment is described, and CI can take its commands out of the README.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tools import print_docs

ROOT = Path(__file__).resolve().parents[2]

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
DECISION_LINES_MAX = 80  # a page
PARTS = ("context", "decision", "cost", "alternatives")
SETTING = re.compile(r"\bFONDACO_[A-Z][A-Z0-9_]*\b")


@pytest.mark.parametrize("name", print_docs.PAGES)
def test_printed_pages_are_current(name: str) -> None:
    """The page is what the code prints today."""
    expected = print_docs.PAGES[name]()
    assert (ROOT / name).read_text(encoding="utf-8") == expected, (
        "run `.venv/bin/python tools/print_docs.py`"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and image of a page names a file that is there."""
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    broken = [
        target
        for target in targets
        if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists()
    ]
    assert not broken


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_record_has_its_parts(page: Path) -> None:
    """A record is NNNN-title.md, one page: context, decision, cost, alternatives, in order."""
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name)
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    headings = re.findall(r"^(?:## |\*\*)(\w+)", "\n".join(lines), re.MULTILINE)
    found = [heading.lower() for heading in headings if heading.lower() in PARTS]
    assert found == list(PARTS)
    assert len(lines) <= DECISION_LINES_MAX


def test_decision_numbers_are_unique() -> None:
    """No two records share a number."""
    numbers = [page.name[:4] for page in DECISIONS]
    assert len(numbers) == len(set(numbers))


def test_every_setting_of_the_environment_is_described() -> None:
    """The table of docs/settings.md has exactly the FONDACO_ variables that the program reads."""
    read = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in SETTING.findall(path.read_text(encoding="utf-8"))
    }
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    described = {row.group(1) for row in re.finditer(r"^\| `(FONDACO_\w+)` \|", page, re.MULTILINE)}
    assert read == described


@pytest.mark.parametrize("section", ["Run", "Test"])
def test_the_readme_names_its_commands(section: str) -> None:
    """CI runs the README's own commands: they can be taken out of it."""
    done = subprocess.run(
        [ROOT / "tools" / "readme_command", section], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip().startswith("make ")

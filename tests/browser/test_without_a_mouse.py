"""Every page by keyboard alone. A file of its own: it takes as long as all the others' looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page

from tests.browser.looking import Look, Walk
from tests.browser.peopled import STOPS
from tests.browser.test_every_page import house, walk  # noqa: F401 - fixtures

pytestmark = [pytest.mark.needs("chromium", "axe"), pytest.mark.slow]

TAB_MORE: Final = 20  # stops of a page that are no controls, and the browser's own
# What can be reached, and what is reached: each once, with a mark that an eye can see.
FOCUSABLE: Final = """() => [...document.querySelectorAll(
    'a[href], button, [role=button], input:not([type=hidden]), select, textarea, summary')]
  .filter(each => !each.disabled && each.tabIndex >= 0)
  .filter(each => each.checkVisibility({ visibilityProperty: true }))
  .map((each, at) => { each.dataset.stop = at; return at; }).length"""
# Where each Tab has led, told as the next goes down: null for none, else stop, mark, what it is.
WATCH: Final = """() => {
  const watched = window.stops !== undefined;
  window.stops = [];
  window.first = true;
  if (watched) return;
  const focused = () => {
    const each = document.activeElement;
    if (!each || each === document.body) return null;
    const style = getComputedStyle(each.closest('.box') ?? each);  // a field with its unit is one
    const seen = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== 'none';
    return [each.dataset.stop ?? '', seen, each.outerHTML.slice(0, 120)];
  };
  window.addEventListener('keydown', () => {
    if (!window.first) window.stops.push(focused());
    window.first = false;
  }, { capture: true });
}"""
TABS_AT_ONCE: Final = 25


def tabs(page: Page, most: int) -> Iterator[list[Any] | None]:
    """Hold Tab until it came so often; yield where each but the last has led.

    To the page each but the first repeats the one before; the caller lets go of it.
    """
    page.evaluate(WATCH)
    pressed, told = 0, 1
    while pressed < most:
        for _ in range(TABS_AT_ONCE):
            page.keyboard.down("Tab")
        pressed += TABS_AT_ONCE
        found = page.evaluate("() => window.stops.splice(0)")
        told += len(found)
        assert told == pressed, f"{page.url}: {pressed} times Tab, {told} times heard"
        yield from found


def faults_of(at: Look) -> list[str]:
    """Return what hinders whoever has no mouse on the page."""
    at.page.evaluate("() => document.activeElement?.blur()")
    wanted = at.page.evaluate(FOCUSABLE)
    faults: list[str] = []
    reached: set[str] = set()
    rounds = 0  # a page may begin in the middle, at the field that it puts one into
    for focused in tabs(at.page, 2 * wanted + TAB_MORE):
        if focused is None:
            rounds += 1
        elif not focused[1]:
            faults.append(f"{at.name}: no mark on {focused[2]}")
        if rounds == 2:
            break
        reached.add(focused[0] if focused else "")
    else:
        faults.append(f"{at.name}: no way out")
    at.page.keyboard.up("Tab")
    missed = {str(each) for each in range(wanted)} - reached
    if missed:
        faults.append(f"{at.name}: not reached: {sorted(missed)} of {wanted}")
    return faults


def test_every_page_can_be_used_without_a_mouse(walk: Walk) -> None:  # noqa: F811 - the fixture
    """Tab reaches each control once, shows where it is, and leads out again."""
    faults: list[str] = []
    stops = [stop for stop in STOPS if stop.name != "sandbox"]
    walk.go(stops, lambda at: faults.extend(faults_of(at)), themes=("dark",))
    assert faults == []


@pytest.mark.parametrize(
    "planted, said",
    [
        ("each => { each.style.outline = 'none'; each.style.boxShadow = 'none'; }", "no mark on"),
        ("each => each.addEventListener('keydown', e => e.preventDefault())", "no way out"),
    ],
)
def test_a_page_that_hinders_some_is_caught(walk: Walk, planted: str, said: str) -> None:  # noqa: F811
    """The planted bugs: a link that shows not that one is on it, and one that holds one fast."""

    def look(at: Look) -> None:
        assert faults_of(at) == []
        at.page.locator("main a").first.evaluate(planted)
        assert any(f"{at.name}: {said}" in fault for fault in faults_of(at))
        at.page.reload()

    walk.go([stop for stop in STOPS if stop.name == "landing"], look, themes=("dark",))

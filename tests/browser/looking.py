"""A browser that looks at every page of a peopled house, in both themes and widths.

Promises: each page is opened as its person would, once a theme, the dark one at a desk and the
light one on a phone; `each` is called with the page as it then is, and at the other width. What the
console says and what other hosts are asked is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from playwright.sync_api import Browser, Page

from tests.browser.peopled import Stop, open_stop, password

__all__ = ["THEMES", "WIDTHS", "Look", "Walk"]

THEMES: Final = ("dark", "light")
WIDTHS: Final = {1440: 900, 390: 844}
OPENED_AT: Final = {"dark": 1440, "light": 390}
# A page of another size is laid out by the second frame.
LAID_OUT: Final = (
    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
)
BY_INTENT: Final = "Failed to load resource"  # a page that is 4xx by intent is told there, too


class Look(NamedTuple):
    """A page in front of the eyes."""

    page: Page
    stop: Stop
    theme: str
    width: int

    @property
    def is_opened(self) -> bool:
        """Whether the page was opened at this width, not brought to it."""
        return self.width == OPENED_AT[self.theme]

    @property
    def name(self) -> str:
        return f"{self.stop.name}-{self.theme}-{self.width}"


class Walk:
    """One walk through the stops of a house; `said` is what it should not have heard."""

    def __init__(self, browser: Browser, url: str, script: str = "") -> None:
        self.browser = browser
        self.url = url
        self.script = script
        self.said: list[str] = []
        self._people: dict[str, Page] = {}

    def go(
        self,
        stops: Sequence[Stop],
        each: Callable[[Look], None],
        themes: Sequence[str] = THEMES,
    ) -> None:
        for stop in stops:
            page = self._people.get(stop.who) or self._enter(stop.who)
            for theme in themes:
                page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                for width in sorted(WIDTHS, key=lambda each: each != OPENED_AT[theme]):
                    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
                    if width == OPENED_AT[theme]:
                        open_stop(page, stop)
                    page.evaluate(LAID_OUT)
                    each(Look(page, stop, theme, width))

    def close(self) -> None:
        for page in self._people.values():
            page.context.close()

    def _enter(self, who: str) -> Page:
        """Open a browser of somebody's own and sign in; one page, as a new one is dear."""
        context = self.browser.new_context(base_url=self.url, reduced_motion="reduce")
        context.set_default_timeout(20_000)
        context.on("page", self._listen)
        if self.script:
            context.add_init_script(self.script)
        page = self._people[who] = context.new_page()
        if who:
            page.goto("/login")
            page.get_by_label("User name or e-mail").fill(who)
            page.get_by_label("Password").fill(password(who))
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url("**/trade/")
        return page

    def _listen(self, page: Page) -> None:
        def keep(text: str) -> None:
            if BY_INTENT not in text:
                self.said.append(f"{page.url}: {text}")

        page.on("console", lambda said: keep(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda fault: keep(str(fault)))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((self.url, "data:", "blob:"))
                else keep(f"asked another host: {asked.url}")
            ),
        )

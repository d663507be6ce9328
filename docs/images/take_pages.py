"""Take the pictures of every page, from a house of its own.

    python docs/images/take_pages.py [NAME ...]

Walks the way of tests/browser/peopled.py in Chromium, both themes and both widths, into
docs/images/pages/, and writes docs/pages.md, which shows those that were ever taken. The pictures
are WebP, of at most HEIGHT_MAX pixels: a page that is longer is cut there.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.looking import THEMES, WIDTHS, Look, Walk  # noqa: E402
from tests.browser.peopled import FILE, SETTINGS, STOPS, Stop, settle  # noqa: E402
from tests.chromium import open_browser  # noqa: E402
from tests.house_fixture import open_house  # noqa: E402

OUT: Final = HERE / "pages"
HEIGHT_MAX: Final = 1800
QUALITY: Final = 30
SCALE: Final = {1440: 0.7, 390: 1}  # of the pictures
HEAD: Final = """\
# The pages

Every page of the house, in both themes, at a desk's width and a phone's.
`python docs/images/take_pages.py` takes the pictures and writes this page; the tests of
`tests/browser/test_every_page.py` go the same way. The README shows the market page of a book
that is busy.
"""
TITLES: Final = {"": "A stranger", "newcomer": "A newcomer", "carla": "A member who has paid"}
TITLES_MORE: Final = {"bob": "A member", "ann": "Staff"}


def take(look: Look) -> None:
    """Keep the page as it looks, as WebP: a tenth of PNG."""
    session = look.page.context.new_cdp_session(look.page)
    height = look.page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": look.width, "height": min(height, HEIGHT_MAX)}
    clip["scale"] = SCALE[look.width]
    words = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
    data = session.send("Page.captureScreenshot", words)["data"]
    (OUT / f"{look.name}.webp").write_bytes(base64.b64decode(data))
    session.detach()


def page_of(stops: tuple[Stop, ...]) -> str:
    """Return docs/pages.md."""
    titles = TITLES | TITLES_MORE
    lines = [HEAD]
    for who in dict.fromkeys(stop.who for stop in stops):
        lines.append(f"## {titles[who]}\n")
        for stop in (each for each in stops if each.who == who):
            lines.append(f"### {stop.name.replace('-', ' ').capitalize()}\n")
            for width in WIDTHS:
                places = {theme: f"{stop.name}-{theme}-{width}.webp" for theme in THEMES}
                shown = [
                    f"![{stop.name}, {theme}, {width} px](images/pages/{place})"
                    for theme, place in places.items()
                ]
                lines.append("\n".join(shown) + "\n")
    return "\n".join(lines)


def main(names: list[str]) -> None:
    OUT.mkdir(exist_ok=True)
    chosen = [stop for stop in STOPS if not names or stop.name in names]
    with open_house(file_text=FILE, settings=SETTINGS) as house, open_browser() as browser:
        settle(house)
        Walk(browser, house.url).go(chosen, take)
    taken = tuple(stop for stop in STOPS if (OUT / f"{stop.name}-dark-1440.webp").exists())
    (HERE.parent / "pages.md").write_text(page_of(taken), encoding="utf-8")
    total = sum(each.stat().st_size for each in OUT.iterdir())
    print(f"{len(list(OUT.iterdir()))} pictures, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])

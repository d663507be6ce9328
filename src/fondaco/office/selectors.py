"""What the first pages show."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import escape

from fondaco.identity.maintenance import began_at
from fondaco.projections.selectors import cursor, instruments

__all__ = ["house", "house_time", "listed_symbols", "terminal_page"]

BUILT_AS: Final = "Fondaco"  # the name in the built page
TERMINAL: Final = Path(__file__).parent / "static" / "terminal" / "index.html"


def house(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may use: a context processor."""
    section = request.path.strip("/").partition("/")[0]
    return {"house_name": settings.HOUSE_NAME, "maintenance_at": began_at, "section": section}


def house_time() -> dt.datetime:
    """Return the house's time: the machine's, or its journal's where tests move it."""
    if settings.TEST_CLOCK:
        return dt.datetime.fromtimestamp(cursor().time_us / 1_000_000, dt.UTC)
    return timezone.now()


def listed_symbols() -> list[str]:
    """Return the symbols that are listed, by name; none while the history is being prepared."""
    try:
        return [row.symbol for row in instruments()]
    except DatabaseError:
        return []


def terminal_page() -> bytes | None:
    """Return the terminal's index page under the house's own name, or None if it was not built."""
    try:
        page = TERMINAL.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    name = escape(settings.HOUSE_NAME)
    for named in ('content="%s"', "<title>%s</title>"):
        page = page.replace(named % BUILT_AS, named % name)
    return page.encode()

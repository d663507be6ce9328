"""What the first pages show."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest

from fondaco.identity.maintenance import began_at
from fondaco.projections.selectors import instruments

__all__ = ["house", "listed_symbols", "terminal_page"]

TERMINAL: Final = Path(__file__).parent / "static" / "terminal" / "index.html"


def house(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may use: a context processor."""
    section = request.path.strip("/").partition("/")[0]
    return {"house_name": settings.HOUSE_NAME, "maintenance_at": began_at, "section": section}


def listed_symbols() -> list[str]:
    """Return the symbols that are listed, by name; none while the history is being prepared."""
    try:
        return [row.symbol for row in instruments()]
    except DatabaseError:
        return []


def terminal_page() -> bytes | None:
    """Return the terminal's index page, or None if it was not built."""
    try:
        return TERMINAL.read_bytes()
    except FileNotFoundError:
        return None

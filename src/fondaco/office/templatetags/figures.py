"""How amounts look on a page.

    {% load figures %} {{ row.free|figure }}

Promises: the exact amount, in groups of three, with the zeros at its end paler, so that a column
set to the right stands point under point; `value` of the element is the text as it came.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

__all__ = ["figure", "figure_text", "register"]

register = template.Library()
MINUS: Final = "\N{MINUS SIGN}"
PLACES_MIN: Final = 2  # that are never paler
_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?")


@register.filter
def figure(amount: object) -> SafeString | str:
    """Return decimal text as an element; anything else unchanged."""
    text = str(amount)
    if not _DECIMAL.fullmatch(text):
        return text
    shown, left = _split(text)
    zeros = format_html('<span class="zeros">{}</span>', left) if left else ""
    return format_html('<data value="{}">{}{}</data>', text, shown, zeros)


def figure_text(amount: Decimal) -> str:
    """Return an amount for a sentence: as figure() shows it, without the paler zeros."""
    return _split(f"{amount:f}")[0]


def _split(text: str) -> tuple[str, str]:
    """Return what is shown of decimal text, and the zeros at its end."""
    whole, point, places = text.lstrip("-").partition(".")
    kept = max(len(places.rstrip("0")), min(PLACES_MIN, len(places)))
    sign = MINUS if text.startswith("-") else ""
    return f"{sign}{int(whole):,}{point}{places[:kept]}", places[kept:]

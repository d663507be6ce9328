"""How amounts look on a page.

    {% load figures %} {{ row.free|figure }}

Promises: the exact amount, in groups of three, with the zeros at its end paler, so that a column
set to the right stands point under point; `value` of the element is the text as it came.
"""

from __future__ import annotations

import re
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

__all__ = ["figure", "register"]

register = template.Library()
MINUS: Final = "\N{MINUS SIGN}"
PLACES_MIN: Final = 2  # that are never paler


@register.filter
def figure(amount: object) -> SafeString | str:
    """Return decimal text as an element; anything else unchanged."""
    text = str(amount)
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    whole, point, places = text.lstrip("-").partition(".")
    kept = max(len(places.rstrip("0")), min(PLACES_MIN, len(places)))
    sign = MINUS if text.startswith("-") else ""
    shown = f"{sign}{int(whole):,}{point}{places[:kept]}"
    zeros = format_html('<span class="zeros">{}</span>', places[kept:]) if places[kept:] else ""
    return format_html('<data value="{}">{}{}</data>', text, shown, zeros)

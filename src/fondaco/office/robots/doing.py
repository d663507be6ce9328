"""Doing what a page of robots asks for, and saying what is wrong with it.

Promises: nothing is raised that was refused; what a form asked for stands at its field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest

from fondaco.identity.core_door import CommandRefused
from fondaco.link.answers import LinkError
from fondaco.office.robots import services
from fondaco.office.robots.forms import LIMIT_LABELS
from fondaco.office.robots.selectors import code_of
from fondaco.robots.services import AllotmentRefused, RobotRefused

__all__ = ["done", "told"]


def told(request: HttpRequest, act: Callable[[], object]) -> bool:
    """Do something; what goes wrong is told on the next page."""
    try:
        act()
    except (RobotRefused, CommandRefused, LinkError) as error:
        messages.error(request, _sentence(str(error)))
        return False
    return True


def done(form: Form, act: Callable[[], object], fields: Mapping[str, str] | None = None) -> bool:
    """Do what a form asks; a refusal stands at its field, which `fields` may call otherwise."""
    try:
        act()
    except RobotRefused as refusal:
        field, text = (fields or {}).get(refusal.field, refusal.field), str(refusal)
        if isinstance(refusal, services.ConfigRefused):
            field, text = refusal.name, refusal.text
        elif isinstance(refusal, AllotmentRefused) and field not in form.fields:
            field = code_of(refusal.asset)
        said = text if refusal.field == "rule" else _sentence(text)
        form.add_error(field if field in form.fields else None, said)
        return False
    except (CommandRefused, LinkError) as error:
        form.add_error(None, f"The house did not do it ({error}).")
        return False
    return True


def _sentence(text: str) -> str:
    """Return an error as a page says it: a limit by its label."""
    first, gap, rest = text.partition(" ")
    text = f"{LIMIT_LABELS.get(first, first)}{gap}{rest}"
    return f"{text[:1].upper()}{text[1:]}."

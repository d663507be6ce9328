"""JSON as programs send it to the native routes.

Promises: what passes is nested at most DEPTH_MAX deep, all its text can be stored, sent back and
read by eye, and all its numbers are finite; anything else is 400, also what Python's own reader
would stumble over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isinf
from typing import IO, Any, Final

from django.http import QueryDict
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from fondaco.office.forms import UNSEEN, said_twice

__all__ = ["DEPTH_MAX", "PlainJSON", "check_names"]

DEPTH_MAX: Final = 64
UNKNOWN_TOLD: Final = 20  # fields that are named in an answer
NAME_MAX: Final = 64


def check_names(
    request: Request, raw: bytes, known: Collection[str], fixed: Collection[str] = ()
) -> None:
    """Refuse what a body says beside what is known, what is fixed, and what it says twice.

    Its own parser has read it before. Raises ValidationError with the names.
    """
    sent = request.data
    if not isinstance(sent, Mapping):
        return  # told by whoever reads it
    wrong = {
        str(name)[:NAME_MAX]: [
            f"This field can't be changed here; {', '.join(known)} can."
            if name in fixed
            else f"This field is unknown; known are {', '.join(known)}."
        ]
        for name in sent
        if name not in known
    }
    if wrong:
        raise ValidationError(dict(list(wrong.items())[:UNKNOWN_TOLD]))
    if isinstance(sent, QueryDict):
        twice = next((name for name in sent if len(sent.getlist(name)) > 1), "")
    else:
        twice = said_twice(raw)
    if twice:
        raise ValidationError({twice[:NAME_MAX]: ["This field is there twice; say it once."]})


class PlainJSON(JSONParser):
    """JSON that goes no deeper than any body here needs, and says nothing that no eye can see."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever was sent
        try:
            found = super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise _too_deep() from error
        _check(found, DEPTH_MAX)
        return found


def _check(found: object, left: int) -> None:
    if isinstance(found, str):
        _check_text(found)
    elif isinstance(found, float):
        if isinf(found):
            raise ParseError("JSON parse error - a number beyond all numbers")
    elif isinstance(found, dict | list):
        if left == 0:
            raise _too_deep()
        if isinstance(found, dict):
            for name in found:
                _check(name, left)
            found = list(found.values())
        for each in found:
            _check(each, left - 1)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError("JSON parse error - half of a surrogate pair in a text") from error
    if unseen := UNSEEN.search(text):
        raise ParseError(
            f"JSON parse error - U+{ord(unseen[0]):04X} in a text, which no eye can see"
        )


def _too_deep() -> ParseError:
    return ParseError(f"JSON parse error - nested deeper than {DEPTH_MAX}")

"""JSON as programs send it to the native routes.

Promises: what passes is nested at most DEPTH_MAX deep, all its text can be stored, sent back and
read by eye, and all its numbers are finite; anything else is 400, also what Python's own reader
would stumble over.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf
from typing import IO, Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from fondaco.office.forms import UNSEEN

__all__ = ["DEPTH_MAX", "PlainJSON"]

DEPTH_MAX: Final = 64


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

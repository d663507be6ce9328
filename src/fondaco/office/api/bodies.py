"""JSON as programs send it to the native routes.

Promises: what passes is nested at most DEPTH_MAX deep and all its text can be stored and sent
back; anything else is 400, also what Python's own reader would stumble over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

__all__ = ["DEPTH_MAX", "PlainJSON"]

DEPTH_MAX: Final = 64


class PlainJSON(JSONParser):
    """JSON that goes no deeper than any body here needs, and holds no half characters."""

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
        if not found.isascii():
            _check_text(found)
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


def _too_deep() -> ParseError:
    return ParseError(f"JSON parse error - nested deeper than {DEPTH_MAX}")

"""One request on its way to a handler, whichever door it came by.

Promises: parameters are text exactly as sent (percent-decoded on REST, JSON literals on the
WebSocket API); each reader below names the parameter that it could not read.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from fondaco.gateway.auth import Caller
from fondaco.gateway.faults import CLIENT_ID_RANGE, Fault, bad_characters, mandatory

__all__ = ["Call", "read_parameters"]

PARAMETERS_MAX: Final = 64
_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,36}\Z")
_ID_MAX: Final = (1 << 63) - 1


class Call:
    """A request: who asks, with which parameters."""

    __slots__ = ("caller", "parameters")

    def __init__(self, caller: Caller | None, parameters: dict[str, str]) -> None:
        self.caller = caller
        self.parameters = parameters

    @property
    def who(self) -> Caller:
        """The caller; the route's security has made sure that there is one."""
        assert self.caller is not None
        return self.caller

    def get(self, name: str) -> str | None:
        """Return a parameter, None if absent or empty."""
        return self.parameters.get(name) or None

    def need(self, name: str) -> str:
        value = self.parameters.get(name)
        if not value:
            raise mandatory(name)
        return value

    def integer(self, name: str, *, least: int = 0, most: int = _ID_MAX) -> int | None:
        """Return a whole number, None if absent. Raises Fault, -1100 or -1130."""
        text = self.get(name)
        if text is None:
            return None
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
            raise bad_characters(name, "^[0-9]{1,20}$")
        number = int(text)
        if not least <= number <= most:
            raise Fault(-1130, f"Data sent for parameter '{name}' is not valid.")
        return number

    def limit(self, *, default: int, most: int) -> int:
        """Return `limit`: too large is as much as there may be, as clients expect."""
        number = self.integer("limit", least=1)
        return default if number is None else min(number, most)

    def client_id(self, name: str) -> str | None:
        """Return a client order id, None if absent. Raises Fault, -1100."""
        text = self.get(name)
        if text is not None and _CLIENT_ID.match(text) is None:
            raise bad_characters(name, CLIENT_ID_RANGE)
        return text

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.get(name)
        if text is None:
            return default
        if text.lower() not in {"true", "false"}:
            raise bad_characters(name, "^(true|false)$")
        return text.lower() == "true"


def read_parameters(query: bytes, body: bytes) -> dict[str, str]:
    """Return the parameters of a query and a form body; where both have one, the query's.

    Raises Fault, -1101, where a name stands twice in one of them.
    """
    if not body:
        return _read(query) if query else {}
    if not query:
        return _read(body)
    return {**_read(body), **_read(query)}


def _read(raw: bytes) -> dict[str, str]:
    text = raw.decode("latin-1")
    parts = text.split("&")
    if len(parts) > PARAMETERS_MAX:
        raise Fault(-1101, f"Too many parameters; at most {PARAMETERS_MAX}.")
    is_encoded = "%" in text or "+" in text
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if is_encoded:
            name, value = unquote_plus(name), unquote_plus(value, encoding="latin-1")
        if name in found:
            raise Fault(-1101, f"Duplicate values for parameter '{name[:40]}' detected.")
        found[name] = value
    return found

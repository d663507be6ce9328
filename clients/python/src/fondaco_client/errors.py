"""What can go wrong, by name; and the reading of a refusal.

Promises: every refusal carries its HTTP status, the house's own sentence, its code where the route
has codes, and the fields it is about. Whether a request was carried out is told by the class:
Refused and NotSent never were, OutcomeUnknown may have been. No exception holds a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = [
    "Conflict",
    "DuplicateOrder",
    "FondacoError",
    "Forbidden",
    "InsufficientBalance",
    "NotExecuted",
    "NotFound",
    "NotSent",
    "OrderNotFound",
    "OutcomeUnknown",
    "OutsideWindow",
    "Refused",
    "ReportsUndelivered",
    "StreamEnded",
    "TooManyRequests",
    "Unauthorised",
    "Unfit",
    "Unreadable",
    "refusal_of",
]

TEXT_MAX: Final = 500  # of an answer that is no JSON


class FondacoError(Exception):
    """All that this package raises on purpose, but for wrong arguments (TypeError, ValueError)."""


class NotSent(FondacoError):
    """No connection: the request never left, so nothing was done."""


class OutcomeUnknown(FondacoError):
    """The request left and no answer came, or the house said that it doesn't know: ask by key."""


class Unreadable(FondacoError):
    """An answer that is not of the shape this client knows; the request was carried out."""


class StreamEnded(FondacoError):
    """The house ended a stream for good: its key was revoked, or the listener is not let in."""


class ReportsUndelivered(FondacoError):
    """A report queue ended, or can't go on, with reports that the house has not stored."""

    def __init__(self, text: str, *, count: int) -> None:
        super().__init__(text)
        self.count = count


class Refused(FondacoError):
    """The house refused; nothing was done.

    status: HTTP. code: the Binance Spot-compatible routes' number, 0 elsewhere. text: the sentence.
    fields: what is wrong by field, as {"amount": ["…"]}. retry_after_s: what the house asked to
    wait, 0 if nothing.
    """

    def __init__(
        self,
        status: int,
        text: str,
        *,
        code: int = 0,
        fields: Mapping[str, tuple[str, ...]] | None = None,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(f"{status} {code}: {text}" if code else f"{status}: {text}")
        self.status = status
        self.text = text
        self.code = code
        self.fields = dict(fields or {})
        self.retry_after_s = retry_after_s


class Unfit(Refused):
    """400 or 422: a value that the house can't take; `fields` names it where the route does."""


class Unauthorised(Refused):
    """401: no credential, or one that is unknown, revoked, too old or wrongly signed."""


class Forbidden(Refused):
    """403: a good credential without the permission or scope."""


class NotFound(Refused):
    """404: not there, or another member's."""


class Conflict(Refused):
    """409: it can't be done as things stand."""


class TooManyRequests(Refused):
    """429 or 418: slow down for retry_after_s seconds."""


class NotExecuted(Refused):
    """503: overloaded or in maintenance; the house says that it did nothing."""


class OutsideWindow(Unfit):
    """The signed timestamp is not the house's time."""


class InsufficientBalance(Unfit):
    """The account can't pay."""


class DuplicateOrder(Unfit):
    """The client order id was used for an order that is open, or for an equal one of today."""


class OrderNotFound(Unfit):
    """No such order, or none that is open."""


BY_STATUS: Final[dict[int, type[Refused]]] = {
    400: Unfit,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    418: TooManyRequests,
    422: Unfit,
    429: TooManyRequests,
}
BY_CODE: Final[dict[int, type[Refused]]] = {
    -1021: OutsideWindow,
    -2011: OrderNotFound,
    -2013: OrderNotFound,
}
BY_TEXT: Final[dict[str, type[Refused]]] = {
    "Duplicate order sent.": DuplicateOrder,
    "Account has insufficient balance for requested action.": InsufficientBalance,
}
# How the native routes begin a sentence about the signed time.
WINDOW_TEXTS: Final = (
    "the timestamp is more than 1000 ms ahead",
    "the timestamp is older than recvWindow allows",
)
OVERLOADED: Final = -1008
UNKNOWN: Final = -1007


def refusal_of(status: int, body: bytes, retry_after: str = "") -> FondacoError:
    """Return the exception of an answer that is not a success."""
    wait_s = float(retry_after) if retry_after.isdecimal() else 0.0
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if not isinstance(told, dict):
        text = body[:TEXT_MAX].decode(errors="replace") or "no text"
        if status >= 500:
            return OutcomeUnknown(f"{status}: {text}")
        return BY_STATUS.get(status, Refused)(status, text, retry_after_s=wait_s)
    code = told.get("code", 0)
    code = code if isinstance(code, int) else 0
    fields = _fields(told)
    text = _text(told, fields)
    if code == UNKNOWN or (status >= 500 and status != 503):
        return OutcomeUnknown(f"{status} {code}: {text}" if code else f"{status}: {text}")
    kind = BY_TEXT.get(text) or BY_CODE.get(code) or BY_STATUS.get(status, Refused)
    if code == OVERLOADED or status == 503:
        kind = NotExecuted
    elif text.startswith(WINDOW_TEXTS):
        kind = OutsideWindow
    return kind(status, text, code=code, fields=fields, retry_after_s=wait_s)


def _fields(told: dict[str, object]) -> dict[str, tuple[str, ...]]:
    """Return the field errors of a native answer: {"<field>": ["…"]}."""
    found = {}
    for name, texts in told.items():
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            found[name] = tuple(texts)
    return found


def _text(told: dict[str, object], fields: dict[str, tuple[str, ...]]) -> str:
    for name in ("msg", "error", "detail"):
        text = told.get(name)
        if isinstance(text, str):
            return text
    if fields:
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
    return "no text"

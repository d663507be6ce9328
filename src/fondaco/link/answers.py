"""What the clients of the writer give and raise: the same words, asynchronous or blocking.

Overloaded   not executed: the queue is full, the projections are too far behind, or there is
             no connection to send it through. Ask again later.
Unanswered   sent, and the answer never came: the outcome is unknown, ask by client order id.
Halted       the house has stopped; nothing is executed until it is started again.
Invalid      the writer could not read what was asked; not executed.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from fondaco.link.frames import Fault, FaultCode

__all__ = ["Answer", "Halted", "Invalid", "LinkError", "Overloaded", "Unanswered", "error_of"]


class Answer(NamedTuple):
    """Answer records, and the seq of the last command that they know of."""

    seq: int
    records: bytes


class LinkError(Exception):
    """A command or question that has no answer from the core."""


class Overloaded(LinkError):
    """Not executed; ask again later."""


class Unanswered(LinkError):
    """The outcome is unknown."""


class Halted(LinkError):
    """The house has stopped."""


class Invalid(LinkError):
    """The writer could not read it; not executed."""


_KINDS: dict[str, type[LinkError]] = {
    FaultCode.OVERLOADED: Overloaded,
    FaultCode.HALTED: Halted,
    FaultCode.INVALID: Invalid,
}


def error_of(payload: bytes) -> LinkError:
    """Return the error that a FAULT frame says."""
    fault = msgspec.msgpack.decode(payload, type=Fault)
    return _KINDS.get(fault.code, Invalid)(fault.text)

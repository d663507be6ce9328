"""What the house asks of an outside exchange: to place an order once, and to tell of it later.

Promises: amounts are exact fractions in whole assets; a venue says what it knows and raises what
it doesn't: Refused only if the order surely did nothing, Unanswered for all that may be either
way. place() is called once for a client id, ever; query() as often as it takes. Both may block,
place() no longer than `request_timeout_s`, and are called from several threads.

The simplest venue is one function that buys and returns what it got: place() without a query().
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Protocol

import msgspec

__all__ = ["NOTHING", "Order", "Outcome", "Refused", "Unanswered", "Venue"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One outside order: take what can be had at the limit or better, and leave the rest."""

    client_id: str  # the same for ever, and no other house's
    base: str
    quote: str
    is_buy: bool
    quantity: Fraction  # of the base
    limit: Fraction  # of the quote for one of the base, fees in it
    reference: Fraction  # the house's price for one of the base when it made the order


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an order has done since its beginning.

    base    received by a buy, given by a sell; a fee in the base taken into account
    quote   given by a buy, received by a sell; a fee in the quote taken into account
    """

    base: Fraction
    quote: Fraction
    is_final: bool


NOTHING: Final = Outcome(base=Fraction(0), quote=Fraction(0), is_final=True)


class Refused(Exception):
    """The venue didn't take the order, and nothing of it was done or will be."""


class Unanswered(Exception):
    """Nobody knows what became of the request."""


class Venue(Protocol):
    """An outside exchange."""

    request_timeout_s: float  # after which place() has raised Unanswered

    def place(self, order: Order) -> Sequence[Outcome]:
        """Place it and return what the venue answered, one or more; Refused, Unanswered."""
        ...

    def query(self, order: Order) -> Outcome | None:
        """Return what became of it, None if the venue has no such order; Unanswered."""
        ...

"""Every write of these orders: placing, cancelling, settling by hand; opening a customer.

Promises: an order is one command, answered after its sync; the same client order id with the same
terms gives the first order again. A refusal is OrderRefused with the field at fault, if one is,
and nothing has moved. A customer is a member whose money comes in with their account.
"""

from __future__ import annotations

import re
import secrets
from typing import Final, NamedTuple

from django.db import IntegrityError, transaction

from fondaco.core import client_ids, records
from fondaco.identity import core_door
from fondaco.identity import services as identity
from fondaco.identity.core_door import CommandRefused, Core
from fondaco.identity.models import Account, Member
from fondaco.identity.security_log import Action, note
from fondaco.projections.selectors import InstrumentRow
from fondaco.robots import selectors as robots

__all__ = ["Funds", "OrderRefused", "Terms", "cancel", "open_customer", "place", "settle"]

Reason: Final = records.Reason
NAMES_MAX: Final = 20  # tries for a user name that nobody has
FUNDS: Final = frozenset({Reason.INSUFFICIENT_BALANCE})
FIELDS: Final = {
    Reason.QUANTITY_OUT_OF_RANGE: ("quantity", "the quantity is out of the market's range"),
    Reason.INVALID_QUANTITY: ("quantity", "the quantity must be at least one lot"),
    Reason.NOTIONAL_TOO_SMALL: ("quantity", "the order is worth less than the market's minimum"),
    Reason.NOTIONAL_TOO_LARGE: ("quantity", "the order is worth more than the house can count"),
    Reason.PRICE_OUT_OF_RANGE: ("upper_bound", "the price is out of the market's range"),
    Reason.INVALID_PRICE: ("upper_bound", "the upper bound must be at least one tick"),
    Reason.INVALID_STOP_PRICE: ("lower_bound", "the lower bound must not be above the upper one"),
    Reason.CLIENT_ORDER_ID_OPEN: ("client_order_id", "another open order has this id"),
}
STATES: Final = {
    Reason.MARKET_CLOSED: "the market is closed",
    Reason.MAINTENANCE: "the house is in maintenance and takes no orders",
    Reason.FROZEN: "the account may not trade",
    Reason.TOO_MANY_ORDERS: "the account has as many open orders here as it may",
    Reason.NO_REFERENCE: "the market has no reference price yet",
    Reason.CAPACITY: "the market takes no more orders now",
    Reason.KEY_SCOPE: "the key may not trade",
    Reason.UNKNOWN_KEY: "the key is not granted",
    Reason.ORDER_SENT: "the order is with the venue: too late to cancel it",
    Reason.UNKNOWN_ORDER: "the order is done: there is nothing to cancel",
    Reason.VENUE_ORDER_CLOSED: "the outside order is done",
    Reason.VENUE_ORDER_STATE: "the outside order was not sent",
    Reason.EXCESSIVE_REPORT: "that is more than was ordered, or worse than the order's limit",
    Reason.STALE_REPORT: "that is less than the order has filled already",
}


class OrderRefused(Exception):
    """The core refused: one sentence; `field` names what was at fault in the request, or is ""."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class Funds(OrderRefused):
    """The account has less than the order must hold."""


class Terms(NamedTuple):
    """What an order is to be, in the core's numbers."""

    side: records.Side
    lots: int
    upper_ticks: int = 0  # dealer
    lower_ticks: int = 0
    client_order_id: str = ""


def place(core: Core, *, account: Account, key: int, market: InstrumentRow, terms: Terms) -> int:
    """Place an order and return its id, the first one's if it was placed before.

    Raises OrderRefused, and what the client raises.
    """
    is_dealer = market.market == 2
    words = client_ids.encode(terms.client_order_id) if terms.client_order_id else (0, 0, 0, 0)
    command = records.pack(
        records.Command.NEW_ORDER,
        account=account.pk,
        key=key,
        instrument=market.number,
        side=terms.side,
        order_type=records.OrderType.BOUNDED if is_dealer else records.OrderType.POOLED,
        price_ticks=terms.upper_ticks,
        stop_price_ticks=terms.lower_ticks,
        quantity_lots=terms.lots,
        **{f"client_order_id_{place}": word for place, word in enumerate(words)},
    )
    try:
        events = core_door.submit(core, command)
    except CommandRefused as refusal:
        if refusal.reason is Reason.DUPLICATE_ORDER:
            return refusal.detail[0]
        raise _refused(refusal) from refusal
    return records.unpack(events[0])["order_id"]


def cancel(core: Core, *, account: int, key: int, instrument: int, order_id: int) -> None:
    """Cancel an order that waits. Raises OrderRefused, and what the client raises."""
    command = records.pack(
        records.Command.CANCEL_ORDER,
        account=account,
        key=key,
        instrument=instrument,
        order_id=order_id,
    )
    try:
        core_door.submit(core, command)
    except CommandRefused as refusal:
        raise _refused(refusal) from refusal


def settle(
    core: Core,
    *,
    venue_order: int,
    client_id: str,
    filled_base: int,
    filled_quote: int,
    actor: Member,
    address: str = "",
) -> None:
    """End an outside order whose venue reports what can't be, with totals that the core takes.

    In units since its beginning; parts are filled and refunded by them as by any last report.
    Raises OrderRefused, and what the client raises.
    """
    if venue_order not in robots.disputes([venue_order]):
        raise OrderRefused("", "the house has believed all that the venue said of this order")
    command = records.pack(
        records.Command.VENUE_REPORT,
        venue_order=venue_order,
        filled_base=filled_base,
        filled_quote=filled_quote,
        is_final=1,
        by_query=1,
    )
    try:
        core_door.submit(core, command)
    except CommandRefused as refusal:
        raise _refused(refusal) from refusal
    note(
        Action.VENUE_ORDER_SETTLED,
        actor=actor,
        subject=None,
        address=address,
        order=client_id,
        filled_base=filled_base,
        filled_quote=filled_quote,
    )


def _refused(refusal: CommandRefused) -> OrderRefused:
    if refusal.reason in FUNDS:
        return Funds("", "Insufficient account balance.")
    field, text = FIELDS.get(refusal.reason, ("", ""))
    if not field:
        text = STATES.get(refusal.reason, f"the core refused it ({refusal.reason.name})")
    return OrderRefused(field, text)


def open_customer(core: Core, *, name: str, asset: int, amount: int) -> Account:
    """Make a member of that name, whose account begins with an amount of an asset.

    Names may repeat: the user name is made from it. Raises OrderRefused where the house can't
    count so much, and what the client raises; then the member has no account, and is no customer.
    """
    member = _new_member(name)
    opening = [(asset, amount)] if amount else []
    try:
        return identity.open_account(core, member=member, opening=opening)
    except CommandRefused as refusal:
        if refusal.reason is Reason.TOTAL_TOO_LARGE:
            raise OrderRefused("balance", "the house can't count so much") from refusal
        raise


def _new_member(name: str) -> Member:
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-") or "customer"
    for attempt in range(NAMES_MAX):
        username = plain if attempt == 0 else f"{plain}-{secrets.token_hex(4)}"
        if Member.objects.filter(username__iexact=username).exists():
            continue
        try:
            with transaction.atomic():
                return identity.create_member(
                    username=username,
                    email=f"{secrets.token_hex(8)}@customers.invalid",
                    password="",
                    customer_name=name,
                )
        except IntegrityError:
            continue  # somebody took the name at the same moment
    raise AssertionError(f"no user name is free for {name!r}")

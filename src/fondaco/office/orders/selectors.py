"""What the routes of these orders show: markets, orders with why they wait, outside orders.

Promises: an order is as the core has it at the moment of the question, also if history lags: what
isn't open any more is read from history once that has reached the core's position. Amounts are
decimal text, exact. A member's first account is the one that they trade on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings

from fondaco.core import client_ids, records
from fondaco.core.money import format_units, parse_units
from fondaco.identity.core_door import Core, kind_of
from fondaco.identity.models import Account
from fondaco.projections import selectors as history
from fondaco.projections.models import Order, VenueOrder, VenuePart
from fondaco.projections.selectors import InstrumentRow
from fondaco.robots import selectors as robots
from fondaco.robots.models import VenueDispute
from fondaco.robots.venues.catalogue import client_id
from fondaco.robots.venues.mark import house_mark

__all__ = [
    "AGENCY",
    "DEALER",
    "HistoryBehind",
    "agency_market",
    "free_units",
    "lots_of",
    "market",
    "order",
    "order_rows",
    "plain_units",
    "ticks_of",
    "venue_orders",
]

DEALER: Final = 2
AGENCY: Final = 3
CATCH_UP_S: Final = 5.0
POLL_S: Final = 0.01


class HistoryBehind(Exception):
    """History is behind the core: ask again in a moment."""


# ---- markets


def market(symbol: str) -> InstrumentRow | None:
    """Return the dealer or agency market of that symbol."""
    found = (row for row in history.instruments() if row.symbol == symbol)
    return next((row for row in found if row.market in {DEALER, AGENCY}), None)


def agency_market(crypto: str) -> InstrumentRow | None:
    """Return where a coin is bought outside: for the house's cash, or else for whatever it is."""
    codes = history.asset_codes()
    rows = [
        row
        for row in history.instruments()
        if row.market == AGENCY and codes[row.base][0] == crypto
    ]
    rows.sort(key=lambda row: codes[row.quote][0] != settings.CASH)
    return rows[0] if rows else None


def lots_of(row: InstrumentRow, units: int) -> int:
    """Return units of the base as whole lots; raises ValueError where they are finer."""
    lots, rest = divmod(units, row.base_per_lot)
    if rest:
        raise ValueError(f"the lot size of {row.symbol} is {row.lot_size}; write a multiple of it")
    return lots


def ticks_of(row: InstrumentRow, price: str) -> int:
    """Return a price as whole ticks; raises ValueError where it is finer or no number."""
    decimals = len(row.tick_size.partition(".")[2])
    ticks, rest = divmod(parse_units(price, decimals), parse_units(row.tick_size, decimals))
    if rest:
        raise ValueError(f"the tick size of {row.symbol} is {row.tick_size}; round it")
    return ticks


def plain_units(units: int, decimals: int, *, places: int = 0) -> str:
    """Return an amount as text without needless zeros, but at least so many decimals."""
    whole, _, fraction = format_units(units, decimals).partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole


def free_units(core: Core, account: int) -> dict[int, int]:
    """Return what is free on an account now, by asset number."""
    answer = core.query(records.pack(records.Query.BALANCES, account=account))
    found = {}
    for record in records.split(bytes(answer.records)):
        if kind_of(record) == records.Event.BALANCE:
            words = records.unpack(record)
            found[words["asset"]] = words["free"]
    return found


# ---- orders


def order(core: Core, number: int) -> dict[str, Any] | None:
    """Return one order of these markets, None if there is none. Raises HistoryBehind."""
    caught_up(core)
    row = Order.objects.filter(pk=number).first()
    markets = _markets()
    if row is None or row.instrument not in markets:
        return None
    return _words(row, markets, _waits(core, row.account, row.instrument))


def order_rows(
    core: Core, accounts: Iterable[int] | None, *, symbol: str = "", limit: int
) -> list[dict[str, Any]]:
    """Return orders of these markets, newest first; of all accounts if none is named."""
    caught_up(core)
    markets = _markets()
    kept = [number for number, row in markets.items() if symbol in {"", row.symbol}]
    rows = Order.objects.filter(instrument__in=kept).order_by("-pk")
    if accounts is not None:
        rows = rows.filter(account__in=list(accounts))
    found = list(rows[:limit])
    live = {records.OrderStatus.NEW.value, records.OrderStatus.PARTIALLY_FILLED.value}
    waits: dict[int, dict[str, int]] = {}
    for account in {row.account for row in found if row.status in live}:
        waits |= _waits(core, account, 0)
    return [_words(row, markets, waits) for row in found]


def caught_up(core: Core) -> None:
    """Wait until history has reached what the core has done by now. Raises HistoryBehind."""
    seq = core.query(records.pack(records.Query.POOLS)).seq
    deadline = time.monotonic() + CATCH_UP_S
    while history.cursor().seq < seq:
        if time.monotonic() > deadline:
            raise HistoryBehind("history is behind the core; try again in a moment")
        time.sleep(POLL_S)


def _markets() -> dict[int, InstrumentRow]:
    return {row.number: row for row in history.instruments() if row.market in {DEALER, AGENCY}}


def _waits(core: Core, account: int, instrument: int) -> dict[int, dict[str, int]]:
    """Return the WAIT_ANSWER words of an account's open orders, by order."""
    question = records.pack(records.Query.WAITING, account=account, instrument=instrument)
    answers = records.split(bytes(core.query(question).records))
    found = (records.unpack(each) for each in answers if kind_of(each) != records.Event.REFUSED)
    return {words["order_id"]: words for words in found}


def _words(
    row: Order, markets: dict[int, InstrumentRow], waits: dict[int, dict[str, int]]
) -> dict[str, Any]:
    instrument = markets[row.instrument]
    codes = history.asset_codes()
    base, quote = codes[instrument.base], codes[instrument.quote]
    wait = waits.get(row.id)
    ids = (row.client_order_id_0, row.client_order_id_1, row.client_order_id_2)
    is_dealer = instrument.market == DEALER
    told: dict[str, Any] = {
        "id": row.id,
        "symbol": instrument.symbol,
        "market": "dealer" if is_dealer else "agency",
        "side": records.Side(row.side).name,
        "status": records.OrderStatus(row.status).name,
        "quantity": plain_units(row.quantity_lots * instrument.base_per_lot, base[1]),
        "filled_quantity": plain_units(row.filled_lots * instrument.base_per_lot, base[1]),
        "filled_quote": plain_units(row.filled_quote, quote[1]),
        "client_order_id": client_ids.decode((*ids, row.client_order_id_3)),
        "account": row.account,
        "created_at": row.created_us // 1000,
        "updated_at": row.updated_us // 1000,
        "wait": None if wait is None else records.Wait(wait["wait"]).name,
        "venue_order": None,
    }
    if wait is not None and wait.get("venue_order"):
        told["venue_order"] = client_id(house_mark(), wait["venue_order"])
    bounds = {"upper_bound": row.price_ticks, "lower_bound": row.stop_price_ticks}
    for name, ticks in bounds.items() if is_dealer else [("reserved_price", row.price_ticks)]:
        told[name] = price_text(ticks, instrument.tick_size)
    return told


def price_text(ticks: int, tick_size: str) -> str:
    """Return a count of ticks as a price."""
    whole, _, fraction = tick_size.partition(".")
    return plain_units(ticks * int(whole + fraction), len(fraction))


# ---- outside orders


def disputed_order(venue: str, name: str) -> tuple[VenueOrder, InstrumentRow] | None:
    """Return a venue's order by its id there, and its market; None if there is none."""
    markets = {row.number: row for row in history.instruments() if row.venue == venue}
    number = name.removeprefix(client_id(house_mark(), 0)[:-1])
    if not number.isdecimal() or len(number) > 18 or client_id(house_mark(), int(number)) != name:
        return None
    row = VenueOrder.objects.filter(pk=int(number), instrument__in=markets).first()
    return None if row is None else (row, markets[row.instrument])


def _dispute_words(
    dispute: VenueDispute | None, row: VenueOrder, base: int, quote: int
) -> dict[str, Any]:
    """Return what a venue says of an order that isn't done, and the core doesn't take, if any."""
    if dispute is None or row.status == records.VenueStatus.CONFIRMED:
        return {}
    words = {
        "reason": dispute.reason,
        "filled_quantity": plain_units(dispute.filled_base, base),
        "filled_quote": plain_units(dispute.filled_quote, quote),
        "is_final": dispute.is_final,
        "reported_at": dispute.reported_us // 1000,
    }
    return {"disputed": words}


def venue_orders(venue: str, *, limit: int) -> list[dict[str, Any]] | None:
    """Return a venue's orders with their parts, newest first; None if there is no such venue."""
    markets = {row.number: row for row in history.instruments() if row.venue == venue}
    if not markets:
        return None
    codes = history.asset_codes()
    rows = list(VenueOrder.objects.filter(instrument__in=markets).order_by("-pk")[:limit])
    parts = list(VenuePart.objects.filter(venue_order__in=[row.id for row in rows]).order_by("pk"))
    orders = Order.objects.in_bulk([part.id for part in parts])
    members = dict(
        Account.objects.filter(pk__in={part.account for part in parts}).values_list(
            "pk", "member_id"
        )
    )
    mark = house_mark()
    disputed = robots.disputes(row.id for row in rows)
    found = []
    for row in rows:
        instrument = markets[row.instrument]
        base, quote = codes[instrument.base][1], codes[instrument.quote][1]
        lot = instrument.base_per_lot
        found.append(
            {
                "client_order_id": client_id(mark, row.id),
                "symbol": instrument.symbol,
                "side": records.Side(row.side).name,
                "quantity": plain_units(row.quantity_lots * lot, base),
                "notional": plain_units(row.notional, quote),
                "status": records.VenueStatus(row.status).name,
                "filled_quantity": plain_units(row.filled_base, base),
                "filled_quote": plain_units(row.filled_quote, quote),
                "attempts": row.attempts,
                **_dispute_words(disputed.get(row.id), row, base, quote),
                "parts": [
                    {
                        "order_id": part.id,
                        "customer_id": members.get(part.account),
                        "quantity": plain_units(part.quantity_lots * lot, base),
                        "filled_quantity": plain_units(orders[part.id].filled_lots * lot, base),
                    }
                    for part in parts
                    if part.venue_order == row.id
                ],
            }
        )
    return found

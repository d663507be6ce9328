"""What became of a run's orders while nobody heard of them: history says it.

A run that comes to a desk late, because it could not be read at the starts before, has missed
events; of one that is over when another takes its place nobody takes any more.

Promises: an order that the house has taken stands as the house has it, and is not told again. What
a run that is over has open is cancelled, each order by its own number, so what another run of the
account has placed stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core.records import HEAD, Command, Event, Query, pack, split, unpack
from fondaco.core.records import OrderStatus as CoreStatus
from fondaco.identity.core_door import kind_of
from fondaco.link.blocking import BlockingClient
from fondaco.projections.selectors import OrderRow
from fondaco.robots.backtest.result import OrderLine
from fondaco.robots.bots import history, services
from fondaco.robots.rules.commands import STATUS, id_of
from fondaco.robots.rules.desk import Heard, line_after
from fondaco.robots.rules.live import Sending
from fondaco.robots.rules.sight import Sight
from fondaco.robots.rules.state import CLOSED, OrderStatus
from fondaco.robots.rules.view import plain

__all__ = ["news_of", "untold", "wind_up"]

OVER: Final = "its run is over"


def news_of(
    lines: Iterable[OrderLine], rows: Mapping[str, OrderRow], sight: Sight
) -> tuple[Heard, ...]:
    """Return how orders stand that the house has taken; of a pair the leg that acted first."""
    found = [
        _heard(line, rows[line.client_order_id], sight)
        for line in lines
        if line.client_order_id in rows
    ]
    return tuple(sorted(found, key=lambda heard: not heard.acts))


def untold(outbox: Iterable[Sending], rows: Mapping[str, OrderRow]) -> list[Sending]:
    """Return what of an outbox the house has not done."""
    return [one for one in outbox if not _is_done(one, rows)]


def wind_up(
    client: BlockingClient,
    sight: Sight,
    *,
    run: int,
    account: int,
    stamp: Callable[[int], tuple[int, int]],
) -> bool:
    """Cancel what a run that is over has open, and keep how its orders ended.

    Returns whether all have. Raises Behind and LinkError: then it is to be done again.
    """
    lines = services.open_lines(run)
    if not lines:
        return True
    names = [line.client_order_id for line in lines]
    seq, _ = stamp(account)  # after all that was told before it
    asked = pack(Query.OPEN_ORDERS, account=account, instrument=0)
    for record in split(bytes(client.query(asked).records)):
        words = unpack(record)
        if kind_of(record) == Event.ORDER and id_of(words) in names:
            which = {"instrument": words["instrument"], "order_id": words["order_id"]}
            events = client.submit(pack(Command.CANCEL_ORDER, account=account, **which))
            _, seq, *_ = HEAD.unpack_from(events)
    rows = history.past_orders(account, names, seq=seq)
    ended = [_ended(line, rows, sight) for line in lines]
    services.keep_lines(run, ended)
    return all(line.status in CLOSED for line in ended)


def _ended(line: OrderLine, rows: Mapping[str, OrderRow], sight: Sight) -> OrderLine:
    row = rows.get(line.client_order_id)
    if row is None:  # it was never told, or refused
        heard = Heard(client_order_id=line.client_order_id, status=OrderStatus.CANCELED)
    else:
        heard = _heard(line, row, sight)
    if heard.status is OrderStatus.CANCELED:
        heard = msgspec.structs.replace(heard, reason=OVER)
    return line_after(line, heard)


def _heard(line: OrderLine, row: OrderRow, sight: Sight) -> Heard:
    """Return the news of an order; a stop has acted when it was set off, others by trading."""
    market = sight.markets.get(row.instrument)
    filled = amount = None
    if market is not None:
        decimals = sight.assets[market.body.quote].decimals
        filled = plain(row.filled_lots * market.lot)
        amount = plain(Decimal(row.filled_quote).scaleb(-decimals))
    is_set_off = line.stop is not None and row.working_us > 0
    return Heard(
        client_order_id=line.client_order_id,
        status=STATUS[CoreStatus(row.status)],
        filled=filled,
        amount=amount,
        acts=bool(line.pair) and (is_set_off or row.filled_lots > 0),
    )


def _is_done(one: Sending, rows: Mapping[str, OrderRow]) -> bool:
    if one.wish is not None:
        return one.wish.client_order_id in rows
    row = rows.get(one.cancel)
    return row is not None and STATUS[CoreStatus(row.status)] in CLOSED

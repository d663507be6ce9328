"""Finding what happened: in the security log, in the projected events, in what rule bots say.

Promises: each entry, posting and word of a bot is looked at once, in order, from a position that is
moved in the transaction that writes what was found; were it looked at again (a database put back),
the happening's own reference keeps it from being told twice. At first it begins at the end: what
happened before is not told. A choice holds for what is gathered after it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
from django.db import transaction
from django.utils import timezone

from fondaco.core import client_ids, records
from fondaco.core.money import format_units
from fondaco.identity.models import Account, Member, SecurityEntry
from fondaco.identity.security_log import Action
from fondaco.office.notices import selectors, services
from fondaco.office.notices.kinds import Kind
from fondaco.office.notices.models import Choice, Happening, Position
from fondaco.projections import selectors as history
from fondaco.projections.models import POSTING_BITS, Order, Posting, Trade
from fondaco.projections.reading import together
from fondaco.robots.bots.services import NOTICE
from fondaco.robots.models import RuleDecision

__all__ = ["gather"]

ENTRIES_MAX: Final = 500  # a turn
SAID_MAX: Final = 500  # a turn
SAID_A_DAY_MAX: Final = 100  # of a member's bots; all of it stands in their logs
POSTINGS_MAX: Final = 10_000  # a turn
KEYS_MAX: Final = 500  # in one question of SQL
OF_ORDERS: Final = (Kind.ORDER_TRADED, Kind.ORDER_FILLED)
OF_LOG: Final[dict[str, Kind]] = {
    Action.KEY_GRANTED: Kind.KEY_MADE,
    Action.KEY_REVOKED: Kind.KEY_REVOKED,
    Action.TOKEN_MADE: Kind.TOKEN_MADE,
    Action.TOKEN_REVOKED: Kind.TOKEN_REVOKED,
    Action.PASSWORD_CHANGED: Kind.SIGN_IN_CHANGED,
    Action.SECOND_FACTOR_ADDED: Kind.SIGN_IN_CHANGED,
    Action.SECOND_FACTOR_REMOVED: Kind.SIGN_IN_CHANGED,
    Action.RECOVERY_CODES_MADE: Kind.SIGN_IN_CHANGED,
}
OF_MONEY: Final = {  # by `what` of Action.MONEY
    "withdrawal asked": Kind.WITHDRAWAL_ASKED,
    "withdrawal approved": Kind.WITHDRAWAL_APPROVED,
    "withdrawal cancelled": Kind.WITHDRAWAL_CANCELLED,
}
Details = dict[str, str | int]


def gather() -> int:
    """Look at what is new; return how many entries, postings and words of bots that were."""
    return _from_log() + _from_events() + _from_robots()


def _locked(name: str, end: int) -> Position:
    """Return a position, locked; at first it is at the end."""
    Position.objects.get_or_create(name=name, defaults={"number": end})
    return Position.objects.select_for_update().get(name=name)


def _is_behind(name: str, end: int) -> bool:
    number = Position.objects.filter(name=name).values_list("number", flat=True).first()
    return number is None or number < end


# ---- the security log


def _from_log() -> int:
    last = SecurityEntry.objects.order_by("-number").values_list("number", flat=True).first() or 0
    if not _is_behind("log", last):
        return 0
    with transaction.atomic():
        place = _locked("log", last)
        rows = SecurityEntry.objects.filter(number__gt=place.number).order_by("number")
        entries = list(rows.select_related("subject__invited_by")[:ENTRIES_MAX])
        for entry in entries:
            _tell_entry(entry)
        if entries:
            place.number = entries[-1].number
            place.save(update_fields=["number"])
    return len(entries)


def _tell_entry(entry: SecurityEntry) -> None:
    member = entry.subject
    if member is None:
        return
    details = msgspec.json.decode(entry.details, type=dict[str, str | int])
    kind = OF_LOG.get(entry.action)
    if entry.action == Action.JOINED:
        host = member.invited_by
        if host is None:
            return
        member, kind, details = host, Kind.INVITE_USED, {"username": member.username}
    elif entry.action == Action.MONEY:
        kind = OF_MONEY.get(str(details.get("what")))
        details = {**details, **_money(int(details.get("asset", 0)), int(details.get("amount", 0)))}
    elif kind is Kind.SIGN_IN_CHANGED:
        details = {"what": entry.action}
    if kind is not None:
        services.tell(member, kind, reference=str(entry.number), details=details, at=entry.at)


def _money(asset: int, units: int) -> Details:
    code, decimals = history.asset_codes().get(asset, (str(asset), 0))
    return {"asset": code, "amount": format_units(units, decimals)}


# ---- the events


def _from_events() -> int:
    end = ((history.cursor().seq + 1) << POSTING_BITS) - 1
    if not _is_behind("events", end):
        return 0
    with transaction.atomic():
        place = _locked("events", end)
        with together():
            found = _postings(place.number, end)
            traded = _trades({row.entry for row in found if row.cause == records.Cause.TRADE})
        for row in found:
            _tell_money(row)
        _tell_trades(*traded)
        is_all = len(found) < POSTINGS_MAX
        place.number = max(place.number, end if is_all else found[-1].pk)
        place.save(update_fields=["number"])
    return len(found)


def _postings(after: int, end: int) -> list[Posting]:
    causes = [records.Cause.DEPOSIT, records.Cause.WITHDRAWAL]
    if selectors.anyone_wants(OF_ORDERS):
        causes.append(records.Cause.TRADE)
    rows = Posting.objects.filter(id__gt=after, id__lte=end, cause__in=causes).order_by("id")
    return list(rows[:POSTINGS_MAX])


def _owner(number: int) -> Member | None:
    row = Account.objects.filter(pk=number).select_related("member").first()
    return None if row is None else row.member


def _tell_money(row: Posting) -> None:
    if row.cause == records.Cause.DEPOSIT:
        kind, account = Kind.DEPOSIT_CREDITED, row.credit_account
    elif row.cause == records.Cause.WITHDRAWAL:
        kind, account = Kind.WITHDRAWAL_PAID, row.debit_account
    else:
        return
    member = _owner(account)
    if member is not None:
        details = {"account": account, **_money(row.asset, row.amount)}
        services.tell(member, kind, reference=str(row.pk), details=details)


# ---- trades


class Leg(NamedTuple):
    """One member's side of a trade."""

    side: str
    account: int
    order_id: int
    fee: int
    fee_asset: int


def _legs(trade: Trade) -> tuple[Leg, Leg]:
    return (
        Leg(
            *("buy", trade.buyer_account, trade.buy_order_id),
            *(trade.buyer_fee, trade.buyer_fee_asset),
        ),
        Leg(
            *("sell", trade.seller_account, trade.sell_order_id),
            *(trade.seller_fee, trade.seller_fee_asset),
        ),
    )


def _in_parts(keys: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(keys)
    return (ordered[at : at + KEYS_MAX] for at in range(0, len(ordered), KEYS_MAX))


def _trades(keys: set[int]) -> tuple[list[Trade], dict[int, Order]]:
    """Return the trades of these keys, and their orders as they are now."""
    trades: list[Trade] = []
    for part in _in_parts(keys):
        trades += Trade.objects.filter(pk__in=part)
    ids = {leg.order_id for trade in trades for leg in _legs(trade)}
    orders: dict[int, Order] = {}
    for part in _in_parts(ids):
        orders.update((row.pk, row) for row in Order.objects.filter(pk__in=part))
    return sorted(trades, key=lambda trade: (trade.seq, trade.pk)), orders


def _tell_trades(trades: list[Trade], orders: dict[int, Order]) -> None:
    if not trades:
        return
    wanted = _who_wants_orders()
    words = Words({row.number: row for row in history.instruments()}, history.asset_codes())
    for trade in trades:
        for leg in _legs(trade):
            member, order = wanted.get(leg.account), orders.get(leg.order_id)
            if member is None or order is None:
                continue
            details = words.traded(trade, leg, order)
            services.tell(
                member, Kind.ORDER_TRADED, reference=f"{trade.pk}-{leg.side}", details=details
            )
            if order.status == records.OrderStatus.FILLED:
                details = words.filled(order, leg.side)
                services.tell(member, Kind.ORDER_FILLED, reference=str(order.pk), details=details)


def _who_wants_orders() -> dict[int, Member]:
    """Return the members who may want to hear of orders, by their accounts."""
    chosen = Choice.objects.filter(kind__in=OF_ORDERS).values("member")
    rows = Account.objects.filter(member__in=chosen).select_related("member")
    return {row.number: row.member for row in rows}


# ---- what rule bots say


def _from_robots() -> int:
    last = RuleDecision.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    if not _is_behind("robots", last):
        return 0
    with transaction.atomic():
        place = _locked("robots", last)
        said = RuleDecision.objects.filter(pk__gt=place.number, pk__lte=last, code=NOTICE)
        found = list(said.select_related("run__robot__member").order_by("pk")[:SAID_MAX])
        for row in found:
            _tell_said(row)
        place.number = max(place.number, last if len(found) < SAID_MAX else found[-1].pk)
        place.save(update_fields=["number"])
    return len(found)


def _tell_said(row: RuleDecision) -> None:
    member = row.run.robot.member
    day = timezone.now() - dt.timedelta(days=1)
    of_day = Happening.objects.filter(
        member=member, kind=Kind.ROBOT_SAYS.value, created_at__gte=day
    )
    if of_day.count() >= SAID_A_DAY_MAX:
        return
    services.tell(
        member,
        Kind.ROBOT_SAYS,
        reference=f"{row.run_id}-{row.number}",
        details={"robot": row.run.robot_id, "mode": row.run.mode, "message": row.text},
        at=dt.datetime.fromtimestamp(row.time_us / 1_000_000, dt.UTC),
    )


class Words(NamedTuple):
    """Orders and trades in the words of people."""

    instruments: dict[int, history.InstrumentRow]
    codes: dict[int, tuple[str, int]]

    def order(self, order: Order, side: str) -> Details:
        terms = self.instruments[order.instrument]
        return {
            "order_id": order.pk,
            "client_order_id": client_ids.decode(
                (
                    *(order.client_order_id_0, order.client_order_id_1),
                    *(order.client_order_id_2, order.client_order_id_3),
                )
            ),
            "symbol": terms.symbol,
            "base": self.codes[terms.base][0],
            "quote": self.codes[terms.quote][0],
            "account": order.account,
            "side": side,
        }

    def amounts(self, instrument: int, lots: int, quote: int) -> Details:
        terms = self.instruments[instrument]
        return {
            "quantity": format_units(lots * terms.base_per_lot, self.codes[terms.base][1]),
            "quote_quantity": format_units(quote, self.codes[terms.quote][1]),
        }

    def filled(self, order: Order, side: str) -> Details:
        amounts = self.amounts(order.instrument, order.filled_lots, order.filled_quote)
        return {**self.order(order, side), **amounts}

    def traded(self, trade: Trade, leg: Leg, order: Order) -> Details:
        tick = Decimal(self.instruments[trade.instrument].tick_size)
        fee_code, fee_decimals = self.codes.get(leg.fee_asset, ("", 0))
        return {
            **self.order(order, leg.side),
            **self.amounts(trade.instrument, trade.quantity_lots, trade.quote_amount),
            "trade_id": trade.trade_id,
            "price": f"{trade.price_ticks * tick:f}",
            "fee": format_units(leg.fee, fee_decimals),
            "fee_asset": fee_code,
        }

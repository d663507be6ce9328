"""Every read of the hub: signals with their triggers, decisions, hooks and alerts, as the API says.

Promises: plain words and lists, at most so many rows; amounts as exact decimal text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.db.models import Q, QuerySet

from fondaco.core.records import Side
from fondaco.identity.models import Member
from fondaco.projections.selectors import asset_codes, instruments
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.messages import SUMMARIES
from fondaco.robots.hub.reasons import moment, numbers, of_operation, tell
from fondaco.robots.hub.steps import STOP_LOSS
from fondaco.robots.models import (
    Decision,
    Hook,
    HookAlert,
    Operation,
    Rating,
    Robot,
    RobotKind,
    Signal,
)

__all__ = [
    "Scales",
    "Told",
    "alert_words",
    "client_of",
    "decided",
    "decisions",
    "hook_words",
    "is_book",
    "moment",
    "new_triggers",
    "operations",
    "rating_words",
    "ratings",
    "signal_words",
    "told_by_now",
    "told_to_client",
    "triggers",
]

BOOK: Final = 1
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DECISIONS_MAX: Final = 500
OPERATIONS_SHOWN: Final = 20
TRIGGERS_MAX: Final = 10_000  # shown of one signal
ALERT_SHOWN_MAX: Final = 2_000
NAMES: Final = {strength: name for name, strength in SUMMARIES.items()}


def signal_words(number: int) -> dict[str, Any] | None:
    """Return a signal and what it triggered, None for an unknown one."""
    row = Signal.objects.filter(pk=number).first()
    if row is None:
        return None
    return {
        "id": row.pk,
        "summary": NAMES[row.strength],
        "symbol": row.symbol,
        "triggers": triggers(row),
    }


def _set_going() -> QuerySet[Decision]:
    """Return the decisions that are triggers: on paper none is, for programs act on triggers."""
    return Decision.objects.filter(reason=Reason.TRIGGERED.value, is_paper=False)


def triggers(signal: Signal) -> list[dict[str, Any]]:
    """Return one trigger for each client that a signal set going."""
    rows = _set_going().filter(signal=signal.pk)
    found = list(rows.order_by("account").values_list("account", "side", "time_us")[:TRIGGERS_MAX])
    names = dict(
        Robot.objects.filter(account_id__in=[account for account, _, _ in found]).values_list(
            "account_id", "pk"
        )
    )
    return [
        {
            "client_id": names[account],
            "operation": Side(side).name,
            "symbol": signal.symbol,
            "start_time": moment(time_us),
        }
        for account, side, time_us in found
    ]


class Told:
    """How far somebody was told of triggers: up to a signal, and of it whom already."""

    def __init__(self, signal: int) -> None:
        self.signal = signal
        self.accounts: set[int] = set()


def told_by_now() -> Told:
    """Return that all was told that is decided: what comes is new."""
    told = Told(Signal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)
    decided = _set_going().filter(signal=told.signal)
    told.accounts.update(decided.values_list("account", flat=True))
    return told


def new_triggers(told: Told, member: int) -> list[dict[str, Any]]:
    """Return the triggers that came since, oldest signal first; 0: of every member's clients.

    Pieces of one signal may be decided one after the other, by several workers; so the newest
    signal with triggers is looked at again, for those that were not told.
    """
    rows = _set_going().filter(signal__gte=told.signal)
    found = [
        row
        for row in rows.order_by("signal", "account")[: TRIGGERS_MAX + len(told.accounts)]
        if row.signal > told.signal or row.account not in told.accounts
    ]
    if not found:
        return []
    if found[-1].signal > told.signal:
        told.signal, told.accounts = found[-1].signal, set()
    told.accounts |= {row.account for row in found if row.signal == told.signal}
    robots = Robot.objects.filter(account_id__in=[row.account for row in found])
    if member:
        robots = robots.filter(member_id=member)
    names = dict(robots.values_list("account_id", "pk"))
    signals = Signal.objects.in_bulk({row.signal for row in found})
    return [
        {
            "signal_id": row.signal,
            "client_id": names[row.account],
            "operation": Side(row.side).name,
            "symbol": signals[row.signal].symbol,
            "start_time": moment(row.time_us),
        }
        for row in found
        if row.account in names
    ]


def decisions(account: int, *, cash: str, limit: int, before: int = 0) -> list[dict[str, Any]]:
    """Return the newest decisions of a client, or those before one, newest first.

    Where its stop has sold stands that, among them: it is of no signal, and has no id.
    """
    return _decisions(account, Scales(cash), limit, before)


def _decisions(account: int, scales: Scales, limit: int, before: int = 0) -> list[dict[str, Any]]:
    rows = Decision.objects.filter(account=account).order_by("-pk")
    most, until_us = max(1, min(limit, DECISIONS_MAX)), 0
    if before:
        newer = rows.filter(pk__gte=before).values_list("time_us", flat=True).last()
        rows, until_us = rows.filter(pk__lt=before), newer or 0
    found = list(rows[:most])
    begun = _begun(account, found)
    signals = Signal.objects.in_bulk({row.signal for row in found})
    sold = _sold_by_stops(account, found[-1].time_us if len(found) == most else 0, until_us)
    lines: list[dict[str, Any]] = []
    for row in found:
        while sold and sold[0].closed_us >= row.time_us:
            lines.append(_stop_sale(sold.pop(0), scales))
        lines.append(_decision(row, signals[row.signal].symbol, scales, begun))
    lines += [_stop_sale(op, scales) for op in sold]
    if len(lines) > most:  # a page ends with a decision: the next goes on before that
        lines = lines[:most]
        while len(lines) > 1 and lines[-1]["id"] is None:
            lines.pop()
    return lines


def _sold_by_stops(account: int, since_us: int, until_us: int = 0) -> list[Operation]:
    """Return the operations that a stop has ended in a span of time (0: no end), newest first."""
    rows = Operation.objects.filter(
        account=account, status=Operation.Status.CLOSED, note=STOP_LOSS, closed_us__gte=since_us
    )
    if until_us:
        rows = rows.filter(closed_us__lt=until_us)
    return list(rows.order_by("-closed_us")[:DECISIONS_MAX])


def _stop_sale(op: Operation, scales: Scales) -> dict[str, Any]:
    """Return what a stop sold, as a decision is told."""
    said = {
        "coin": scales.lots(op.sold_lots, op.symbol),
        "proceeds": scales.cash(op.proceeds),
        "stop": scales.price(op.stop_ticks, op.symbol),
    }
    return {
        "id": None,
        "signal_id": None,
        "time": moment(op.closed_us),
        "operation": Side.SELL.name,
        "on_paper": op.is_paper,
        "reason": Reason.STOP_LOSS.name,
        "symbol": op.symbol,
        "numbers": said,
        "text": tell(Reason.STOP_LOSS, Side.SELL.name, op.symbol, said),
    }


def _begun(account: int, found: Collection[Decision]) -> dict[tuple[int, int], Operation]:
    """Return the operations that some decisions of a client set going, by signal and side."""
    triggered = [row.signal for row in found if row.reason == Reason.TRIGGERED]
    if not triggered:
        return {}
    bought = Q(pk__in=[f"{signal}-{account}" for signal in triggered])
    sold = Q(sell_signal__in=triggered)
    begun: dict[tuple[int, int], Operation] = {}
    for op in Operation.objects.filter(bought | sold, account=account):
        begun[int(op.pk.partition("-")[0]), int(Side.BUY)] = op
        begun[op.sell_signal, int(Side.SELL)] = op
    return begun


def _decision(
    row: Decision, symbol: str, scales: Scales, begun: Mapping[tuple[int, int], Operation]
) -> dict[str, Any]:
    side, numbers = Side(row.side).name if row.side else None, _numbers(row, symbol, scales)
    reason = Reason(row.reason)
    op = begun.get((row.signal, row.side)) if reason is Reason.TRIGGERED else None
    if op is not None:
        numbers |= of_operation(op, row.side, cash=scales.cash, coin=scales.of(symbol))
    return {
        "id": row.pk,
        "signal_id": row.signal,
        "time": moment(row.time_us),
        "operation": side,
        "on_paper": row.is_paper,
        "reason": reason.name,
        "symbol": symbol,
        "numbers": numbers,
        "text": tell(reason, side or "", symbol, numbers),
    }


def decided(
    signals: Collection[int], robots: Mapping[int, str], *, cash: str
) -> dict[int, list[dict[str, Any]]]:
    """Return what each of some clients (account -> id) decided at these signals, if lately."""
    found: dict[int, list[dict[str, Any]]] = {}
    symbols = dict(Signal.objects.filter(pk__in=signals).values_list("pk", "symbol"))
    scales = Scales(cash)
    for account, robot in robots.items():
        newest = Decision.objects.filter(account=account).order_by("-pk")[:DECISIONS_MAX]
        rows = [row for row in newest if row.signal in symbols]
        begun = _begun(account, rows)
        for row in rows:
            told = _decision(row, symbols[row.signal], scales, begun)
            found.setdefault(row.signal, []).append({"client_id": robot, **told})
    return found


def told_to_client(account: int, scales: Scales) -> tuple[str, int]:
    """Return what a client last decided, or its stop did, as a sentence, and when; or nothing."""
    newest = _decisions(account, scales, 1)
    if not newest:
        return "", 0
    at = dt.datetime.fromisoformat(newest[0]["time"])
    return newest[0]["text"], (at - EPOCH) // dt.timedelta(milliseconds=1)


def client_of(member: Member, name: str) -> Robot | None:
    """Return a signal robot of the member that is not closed."""
    rows = Robot.objects.select_related("member", "account")
    return rows.filter(pk=name, member=member, kind=RobotKind.SIGNAL, closed_at=None).first()


def operations(account: int, *, cash: str, limit: int = OPERATIONS_SHOWN) -> list[dict[str, Any]]:
    """Return the newest operations of a client, newest first, amounts as text."""
    scales = Scales(cash)
    rows = Operation.objects.filter(account=account).order_by("-started_us")[:limit]
    return [
        {
            "id": row.pk,
            "symbol": row.symbol,
            "status": row.get_status_display().lower(),
            "is_open": row.status <= Operation.Status.AWAITING_SELL,
            "on_paper": row.is_paper,
            "started_us": row.started_us,
            "spent": scales.cash(row.spent),
            "bought": scales.coin(row.bought, row.symbol),
            "stop": scales.price(row.stop_ticks, row.symbol),
            "proceeds": scales.cash(row.proceeds),
            "note": row.note.lower().replace("_", " "),
        }
        for row in rows
    ]


class Scales:
    """Decimals of the cash and of coins, and what a tick of a symbol is worth."""

    def __init__(self, cash: str) -> None:
        codes = asset_codes()
        self._decimals = dict(codes.values())
        self._cash = cash
        markets = [row for row in instruments() if codes[row.quote][0] == cash]
        self._ticks = {codes[row.base][0]: Decimal(row.tick_size) for row in markets}
        self._lots = {codes[row.base][0]: Decimal(row.lot_size) for row in markets}

    def cash(self, units: int) -> str:
        return self._text(units, self._cash)

    def coin(self, units: int, symbol: str) -> str:
        return self._text(units, symbol)

    def of(self, symbol: str) -> Callable[[int], str]:
        """Return what tells amounts of a coin."""
        return lambda units: self.coin(units, symbol)

    def lots(self, lots: int, symbol: str) -> str:
        return f"{self._lots.get(symbol, Decimal(0)) * lots:f}"

    def price(self, ticks: int, symbol: str) -> str | None:
        tick = self._ticks.get(symbol)
        return None if tick is None or not ticks else f"{tick * ticks:f}"

    def _text(self, units: int, code: str) -> str:
        return f"{Decimal(units).scaleb(-self._decimals.get(code, 0)):f}"


def _numbers(row: Decision, symbol: str, scales: Scales) -> dict[str, Any]:
    """Return the numbers that a decision was made with, by their names."""
    found = numbers(
        Reason(row.reason),
        row.side,
        row.had,
        row.needed,
        cash=scales.cash,
        coin=scales.of(symbol),
        refused=row.refused or 0,
    )
    price = scales.price(row.price_ticks, symbol)
    return found if price is None else {**found, "price": price}


def is_book(symbol: str) -> bool:
    """Return whether a market of that symbol has a book: only those are rated."""
    return any(row.symbol == symbol and row.market == BOOK for row in instruments())


def ratings(symbol: str, interval: str) -> list[dict[str, Any]]:
    """Return the newest rating of a book by each kind, of one interval."""
    found: dict[str, Rating] = {}
    rows = Rating.objects.filter(symbol=symbol, interval=interval)
    for kind in rows.order_by("kind").values_list("kind", flat=True).distinct():
        newest = rows.filter(kind=kind).order_by("-bar_us").first()
        if newest is not None:
            found[kind] = newest
    return [rating_words(row) for row in found.values()]


def rating_words(row: Rating) -> dict[str, Any]:
    """Return a rating as the API and the stream tell it."""
    return {
        "kind": row.kind,
        "symbol": row.symbol,
        "interval": row.interval,
        "bar": moment(row.bar_us),
        "summary": NAMES[row.strength],
        "value": row.value,
        "detail": msgspec.json.decode(row.detail),
    }


def hook_words(row: Hook) -> dict[str, Any]:
    """Return a hook as the API tells it."""
    return {
        "id": row.pk,
        "name": row.name,
        "symbol": row.symbol,
        "template": row.template,
        "addresses": row.addresses,
        "checks_position": row.checks_position,
        "created_at": row.created_at,
    }


def alert_words(row: HookAlert) -> dict[str, Any]:
    """Return an alert and what became of it."""
    return {
        "id": row.pk,
        "received": moment(row.received_us),
        "body": row.body[:ALERT_SHOWN_MAX],
        "state": row.state,
        "reason": row.reason,
        "signal_id": row.signal or None,
        "is_replay": row.is_replay,
    }

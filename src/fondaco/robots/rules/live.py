"""The hands of a bot that trades on the house: its balances, and what it has to tell the core.

A wish waits in the outbox until the house's own events say what became of it, and one at a time is
with the core: so a refusal, which names no order, is the first one's. What is sent twice, after a
crash or a lost answer, is one order by its client order id.

Promises: an order leaves only after it was stored; the core decides, and its reasons are told with
the numbers that it gave. It sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from fondaco.core import client_ids
from fondaco.core.records import Command, Event, Reason, pack, unpack
from fondaco.core.records import OrderStatus as CoreStatus
from fondaco.robots.rules.commands import (
    PLACING,
    STATUS,
    Steps,
    acts,
    id_of,
    id_words,
    record_of,
)
from fondaco.robots.rules.desk import Heard, Holdings, rejected
from fondaco.robots.rules.plan import Plan
from fondaco.robots.rules.refusals import WishRefused, why
from fondaco.robots.rules.sight import BOOK, Sight, Traded
from fondaco.robots.rules.state import OrderStatus, OrderWish
from fondaco.robots.rules.view import plain

__all__ = ["LiveHands", "Sending", "command_of"]


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell the core: an order, or by its id a cancel."""

    wish: OrderWish | None = None
    cancel: str = ""
    ticker: str = ""  # of a cancel


class LiveHands:
    """One bot's account in the house."""

    def __init__(
        self,
        account: int,
        *,
        balances: Mapping[int, tuple[int, int]] | None = None,
        seq: int = 0,
        outbox: Iterable[Sending] = (),
        tickers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what the account has, free and held by asset, as of a seq."""
        self.account = account
        self.balances = dict(balances or {})
        self.seq = seq
        self.outbox = list(outbox)
        self.tickers = dict(tickers or {})  # of its open orders, by client order id
        self.is_sent = False  # the first of the outbox is with the core
        self.fence = 0  # of the robot's account; a refusal tells of another

    # -- what the desk asks

    instrument = 0
    is_listening = False

    @property
    def is_wishing(self) -> bool:
        """Whether something waits in the outbox."""
        return bool(self.outbox)

    def holdings(self, sight: Sight, plan: Plan) -> Holdings:
        """Return cash and coins as decimals."""
        cash = sight.codes[sight.cash_code]
        total, free = {}, {}
        for ticker in plan.tickers:
            asset = sight.codes.get(ticker)
            if asset is not None:
                free_units, held_units = self.balances.get(asset.number, (0, 0))
                total[ticker] = Decimal(free_units + held_units).scaleb(-asset.decimals)
                free[ticker] = Decimal(free_units).scaleb(-asset.decimals)
        free_units, held_units = self.balances.get(cash.number, (0, 0))
        return Holdings(
            Decimal(free_units + held_units).scaleb(-cash.decimals),
            Decimal(free_units).scaleb(-cash.decimals),
            total,
            free,
        )

    def place(self, sight: Sight, wish: OrderWish, time_us: int) -> Iterable[Heard]:  # noqa: ARG002
        """Put an order into the outbox, or tell why it can't be one."""
        try:
            command_of(sight, self.account, wish, self.fence)
        except WishRefused as refused:
            return rejected(wish, str(refused))
        self.tickers.update(dict.fromkeys(wish.ids, wish.ticker))
        self.outbox.append(Sending(wish=wish))
        return ()

    def cancel(self, sight: Sight, client_order_id: str, time_us: int) -> Iterable[Heard]:  # noqa: ARG002
        """Put a cancel into the outbox."""
        ticker = self.tickers.get(client_order_id, "")
        if ticker:
            self.outbox.append(Sending(cancel=client_order_id, ticker=ticker))
        return ()

    def trade(self, sight: Sight, trades: Iterable[Traded], time_us: int) -> Iterable[Heard]:  # noqa: ARG002
        """Hear of the house's trades; its own come as its own events."""
        return ()

    def switch(self, *, killed: bool, seq: int, time_us: int) -> Iterable[Heard]:  # noqa: ARG002
        """The core does what follows, and tells of it."""
        return ()

    def own(self, sight: Sight, kind: int, record: bytes) -> Iterable[Heard]:
        """Take an event of the account."""
        words = unpack(record)
        if kind == Event.BALANCE:
            if words["seq"] > self.seq:
                self.balances[words["asset"]] = (words["free"], words["held"])
            return ()
        if kind == Event.REFUSED:
            return self._refused(sight, words)
        name = id_of(words)
        if not name:
            return ()
        status = STATUS[CoreStatus(words["status"])]
        self._told(name, kind)
        if status not in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}:
            self.tickers.pop(name, None)
        market = sight.markets.get(words["instrument"])
        if market is None:
            return ()
        quote = sight.assets[market.body.quote]
        heard = Heard(
            client_order_id=name,
            status=status,
            filled=plain(words["filled_lots"] * market.lot),
            amount=plain(Decimal(words["filled_quote"]).scaleb(-quote.decimals)),
            acts=acts(kind, words),
        )
        return (heard,)

    def _told(self, name: str, kind: int) -> None:
        """Take from the outbox what the core has done."""
        if not self.outbox:
            return
        first = self.outbox[0]
        is_order = first.wish is not None and name in first.wish.ids
        if is_order or (kind == Event.CANCEL and first.cancel == name):
            del self.outbox[0]
            self.is_sent = False

    def _refused(self, sight: Sight, words: dict[str, int]) -> Iterable[Heard]:
        """Take a refusal: it is the first one's of the outbox, if no key of the account's asked."""
        if words["key"]:
            return ()
        first = self.outbox[0] if self.outbox else None
        if first is None:
            return ()
        if words["command"] == Command.CANCEL_ORDER and first.cancel:
            del self.outbox[0]
            self.is_sent = False
            return ()
        reason = Reason(words["reason"])
        if words["command"] not in PLACING or first.wish is None:
            return ()
        if reason is Reason.DUPLICATE_ORDER:
            return ()  # sent twice: how it stands was told, or is told
        if reason is Reason.STALE_FENCE:
            self.fence = words["detail_0"]
            self.is_sent = False  # told again
            return ()
        del self.outbox[0]
        self.is_sent = False
        for name in first.wish.ids:
            self.tickers.pop(name, None)
        market = sight.tickers.get(first.wish.ticker)
        return rejected(
            first.wish,
            why(
                words,
                named=sight.named,
                quote=sight.quote_of(first.wish.ticker),
                tick=None if market is None else market.tick,
            ),
        )

    # -- what the worker asks

    def next_command(self, sight: Sight) -> bytes | None:
        """Return the command that is due, once."""
        if self.is_sent or not self.outbox:
            return None
        self.is_sent = True
        first = self.outbox[0]
        if first.wish is not None:
            return command_of(sight, self.account, first.wish, self.fence)
        return pack(
            Command.CANCEL_ORDER,
            account=self.account,
            instrument=sight.tickers[first.ticker].body.number,
            **id_words(client_ids.encode(first.cancel)),
        )


def command_of(sight: Sight, account: int, wish: OrderWish, fence: int) -> bytes:
    """Return a wish as a command of an account of this fence. Raises WishRefused."""
    market = sight.tickers.get(wish.ticker)
    if market is None:
        raise WishRefused(f"there is no market of {wish.ticker} in {sight.cash_code}")
    if market.body.market != BOOK:
        raise WishRefused(f"{market.body.symbol} has no order book; rules trade on order books")
    steps = Steps(market.tick, market.lot, sight.assets[market.body.quote].decimals)
    number = market.body.number
    return record_of(wish, steps, account=account, instrument=number, fence=fence)

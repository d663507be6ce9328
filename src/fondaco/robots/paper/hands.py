"""The hands of a bot on paper: an exchange of its own beside the house's live trades and quotes.

The exchange is a backtest's (robots.backtest.market): the house's own core with the bot, a crowd
and a queue. What the house trades the crowd trades, each trade of a command; the best prices are
the house's, so an order that takes finds `depth` at the house's best price and each tick beyond,
and one that joins a quoted price stands behind `queue`. A stop is judged by the house's last trade.

Promises: no command of it reaches the house, and the house's core knows no paper money. The kill
switch of the house holds here, too: all orders are cancelled, and from then on it only sells. So do
its limits, which the core of that exchange keeps by the house's days.
dump() keeps it to the last bit, so it goes on after a restart as if there had been none. One bot on
paper trades one market.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from fondaco.core.records import Reason, Side
from fondaco.house.robots import RobotConfig
from fondaco.journal.calendar import Calendar
from fondaco.robots.backtest.floor import QUOTE, Instrument
from fondaco.robots.backtest.market import Market, News, Position
from fondaco.robots.rules.desk import Heard, Holdings, rejected
from fondaco.robots.rules.live import command_of
from fondaco.robots.rules.plan import Plan
from fondaco.robots.rules.refusals import WishRefused
from fondaco.robots.rules.sight import Asset, Sight, Traded
from fondaco.robots.rules.sight import Market as Seen
from fondaco.robots.rules.state import OrderWish
from fondaco.robots.rules.view import ZERO, plain
from fondaco.robots.terms import terms_of

__all__ = ["PaperHands", "Terms", "instrument_of"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the bot begins with, and how the crowd stands."""

    ticker: str
    cash: Decimal
    coins: Decimal = ZERO
    depth: Decimal
    queue: Decimal


def instrument_of(seen: Seen, cash: Asset) -> Instrument:
    """Return the house's instrument as the paper exchange takes it."""
    return Instrument(
        base=seen.ticker,
        quote=cash.code,
        tick=seen.tick,
        lot=seen.lot,
        maker_fee_ppm=seen.body.maker_fee_ppm,
        taker_fee_ppm=seen.body.taker_fee_ppm,
        decimals=(seen.base_decimals, cash.decimals),
        fee_in_quote=seen.body.fee_in_quote,
    )


class PaperHands:
    """One bot's own exchange."""

    def __init__(
        self,
        terms: Terms,
        seen: Seen,
        cash: Asset,
        position: Position | None = None,
        *,
        killed: bool = False,
        seq: int = 0,
        limits: RobotConfig | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        """Open the exchange, or take it up where dump() left it, as of a seq.

        The core keeps the limits of the config, by days of the calendar (UTC). Raises ValueError.
        """
        self.seq = seq
        self.killed = killed
        self.ticker = terms.ticker
        self.instrument = seen.body.number
        self.market = Market(
            instrument_of(seen, cash),
            cash=terms.cash,
            coins=terms.coins,
            depth=int(terms.depth / seen.lot),
            queue=int(terms.queue / seen.lot),
            terms=terms_of(limits or RobotConfig(), cash=QUOTE, decimals=cash.decimals),
        )
        self.market.tells = False  # it asks for nothing but news
        self._calendar = calendar or Calendar("UTC")
        self._cash_decimals = cash.decimals
        self._day_ends_us = 0
        if position is not None:
            self.market.take_up(position)
            self.killed = position.killed
        elif seen.last_ticks:
            self.market.value_coins(1, seen.last_ticks)
        self.is_changed = position is None

    def limit(self, config: RobotConfig, time_us: int) -> Iterable[Heard]:
        """Keep these limits from now on; a run that began before paper had any keeps none."""
        terms = terms_of(config, cash=QUOTE, decimals=self._cash_decimals)
        if self.market.terms is None or self.market.terms == terms:
            return []
        self.is_changed = True
        self._roll(time_us)
        return self._heard(self.market.limit(time_us, terms))

    def _roll(self, time_us: int) -> None:
        """Tell the exchange of a new day before anything else happens in it."""
        if time_us < self._day_ends_us or self.market.terms is None:
            return
        today = self._calendar.day_of(time_us)
        self._day_ends_us = today.ends_us
        if self.market.day() != (today.day, today.month):
            self.market.roll(time_us, today.day, today.month)

    def dump(self) -> Position:
        """Return where it stands."""
        self.is_changed = False
        return msgspec.structs.replace(self.market.position(), killed=self.killed)

    is_wishing = False

    @property
    def is_listening(self) -> bool:
        """Whether it has orders that a trade of the house may concern."""
        return bool(self.market.open)

    def holdings(self, sight: Sight, plan: Plan) -> Holdings:  # noqa: ARG002
        """Return what it has."""
        cash, cash_free, coins, coins_free = self.market.holdings()
        return Holdings(cash, cash_free, {self.ticker: coins}, {self.ticker: coins_free})

    def place(self, sight: Sight, wish: OrderWish, time_us: int) -> Iterable[Heard]:
        """Take an order as the house would, in its own exchange."""
        seen = sight.tickers[self.ticker]
        try:
            command_of(sight, 0, wish, 0)
        except WishRefused as refused:
            return rejected(wish, str(refused))
        if self.killed and wish.intent == "BUY":
            return rejected(wish, Reason.REDUCE_ONLY.name)
        if wish.ticker != self.ticker:
            return rejected(wish, f"on paper a bot trades one market, {self.ticker}")
        self.is_changed = True
        self._roll(time_us)
        self._quote(seen)
        return self._heard(self.market.place(time_us, wish))

    def cancel(self, sight: Sight, client_order_id: str, time_us: int) -> Iterable[Heard]:  # noqa: ARG002
        """Cancel an order of its own exchange."""
        self.is_changed = True
        self._roll(time_us)
        return self._heard(self.market.cancel(time_us, client_order_id))

    def switch(self, *, killed: bool, seq: int, time_us: int) -> Iterable[Heard]:
        """Cancel all when the switch is thrown; what was before it was kept is known."""
        if seq <= self.seq or killed == self.killed:
            return []
        self.killed, self.is_changed = killed, True
        names = list(self.market.open) if killed else []
        return self._heard(one for name in names for one in self.market.cancel(time_us, name))

    def own(self, sight: Sight, kind: int, record: bytes) -> Iterable[Heard]:  # noqa: ARG002
        """Nothing of the house is its own."""
        return ()

    def trade(self, sight: Sight, trades: Iterable[Traded], time_us: int) -> Iterable[Heard]:
        """Let the crowd trade what the house traded, one after the other."""
        if not self.market.open:
            return []
        self.is_changed = True
        self._roll(time_us)
        news: list[News] = []
        for price_ticks, lots, buys in trades:
            news += self.market.trade(time_us, price_ticks, lots, buys=buys)
        self._quote(sight.tickers[self.ticker])
        return self._heard(news)

    def _quote(self, seen: Seen) -> None:
        """Take the house's best prices; where there is none, a tick beyond the last trade."""
        if seen.last_ticks:
            self.market.quote_from(seen.last_ticks, buys=seen.last_buys)
        bid, ask = seen.best(Side.BUY), seen.best(Side.SELL)
        if bid:
            self.market.bid_ticks = bid
        if ask:
            self.market.ask_ticks = ask

    def _heard(self, news: Iterable[News]) -> list[Heard]:
        found = []
        for one in news:
            filled, amount = self.market.filled.get(one.client_order_id, (ZERO, ZERO))
            found.append(
                Heard(
                    client_order_id=one.client_order_id,
                    status=one.status,
                    reason=one.reason,
                    filled=plain(filled),
                    amount=plain(amount),
                    acts=one.acts,
                )
            )
        return found

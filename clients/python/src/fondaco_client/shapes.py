"""What the house answers, as frozen structs in this package's words.

Promises: amounts are Decimal, exactly as sent; moments of the native API are aware datetimes,
those of the Binance Spot-compatible routes whole milliseconds of Unix time (`*_ms`). Fields that a
newer house adds are passed over. The wire's own spellings stand in this module only.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec
from msgspec import field

__all__ = [
    "Account",
    "AccountBalances",
    "AccountName",
    "Balance",
    "BookTicker",
    "BrokerageAccount",
    "BrokerageAccounts",
    "Candle",
    "Dashboard",
    "Day",
    "Deposit",
    "Depth",
    "Fill",
    "ImportedHistory",
    "Instrument",
    "Invite",
    "Level",
    "Market",
    "Member",
    "Membership",
    "NewToken",
    "Order",
    "OrderFill",
    "OutsideOrder",
    "Pool",
    "Posting",
    "ServerTime",
    "Statement",
    "StatementAsset",
    "StoredReport",
    "StrategiesKept",
    "Strategy",
    "Totals",
    "Trade",
    "Transfer",
    "Withdrawal",
]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The base of the native API's answers."""


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The base of the Binance Spot-compatible routes' answers."""


# ---- markets


class ServerTime(Wire, frozen=True):
    server_time: int  # milliseconds


class Filter(Wire, frozen=True):
    filter_type: str
    tick_size: Decimal = Decimal(0)
    step_size: Decimal = Decimal(0)
    min_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)


class Instrument(Wire, frozen=True):
    """What an order book trades, and what its orders must keep to."""

    symbol: str
    status: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    order_types: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()

    def _filter(self, kind: str) -> Filter:
        found = (each for each in self.filters if each.filter_type == kind)
        return next(found, Filter(filter_type=kind))

    @property
    def tick_size(self) -> Decimal:
        """The step of prices, in quote."""
        return self._filter("PRICE_FILTER").tick_size.normalize()

    @property
    def lot_size(self) -> Decimal:
        """The step of quantities, in base."""
        return self._filter("LOT_SIZE").step_size.normalize()

    @property
    def min_notional(self) -> Decimal:
        """The least price x quantity of an order, in quote; 0 for none."""
        return self._filter("NOTIONAL").min_notional


class Instruments(Wire, frozen=True):
    symbols: tuple[Instrument, ...]


class Level(msgspec.Struct, frozen=True, array_like=True):
    """All orders of a book at one price."""

    price: Decimal
    quantity: Decimal


class Depth(Wire, frozen=True):
    """A book's levels, best first. `last_update_id` is the book's own sequence."""

    last_update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Trade(Wire, frozen=True):
    """A public trade. The maker is whose order rested."""

    id: int
    price: Decimal
    quantity: Decimal = field(name="qty")
    quote_quantity: Decimal = field(name="quoteQty")
    time_ms: int = field(name="time")
    buyer_is_maker: bool = field(name="isBuyerMaker")


class Candle(msgspec.Struct, frozen=True, array_like=True):
    """An interval's trades; the last one of a series is still open. Volumes in base and quote."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_ms: int
    quote_volume: Decimal
    trades: int
    taker_buy_volume: Decimal
    taker_buy_quote_volume: Decimal


class BookTicker(Wire, frozen=True):
    """The best price of each side; 0 where nobody is."""

    symbol: str
    bid_price: Decimal
    bid_quantity: Decimal = field(name="bidQty")
    ask_price: Decimal
    ask_quantity: Decimal = field(name="askQty")


class Day(Wire, frozen=True):
    """The last 24 hours of an instrument."""

    symbol: str
    price_change: Decimal
    price_change_percent: Decimal
    last_price: Decimal
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    volume: Decimal
    quote_volume: Decimal
    open_ms: int = field(name="openTime")
    close_ms: int = field(name="closeTime")
    trades: int = field(name="count")


class Pool(Shape, frozen=True):
    """What waits on one side of an agency market."""

    orders: int
    quantity: Decimal
    notional: Decimal
    min_notional: Decimal
    deadline: dt.datetime | None


class Market(Shape, frozen=True):
    """A market of any kind ("book", "dealer", "agency") and its terms.

    Of a dealer market price, availability and time are its newest quote, None before there is one;
    of an agency market reference_price and pools (by "buy" and "sell") tell how it stands.
    """

    symbol: str
    name: str
    market: str
    status: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    price_min: Decimal
    price_max: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    notional_max: Decimal
    taker_fee: Decimal
    fee_in_quote: bool
    stock_id: str = ""
    venue: str = ""
    slippage: Decimal | None = None
    price: Decimal | None = None
    availability: Decimal | None = None
    time: dt.datetime | None = None
    reference_price: Decimal | None = None
    pools: dict[str, Pool] = {}


class Totals(Shape, frozen=True):
    """What one asset sums to, by whose it is; `sum` is 0 always."""

    members: Decimal
    fees: Decimal
    rounding: Decimal
    inventory: Decimal
    world: Decimal
    sum: Decimal


# ---- orders


class OrderFill(Wire, frozen=True):
    """One trade of an order, as the answer that placed it tells it."""

    price: Decimal
    quantity: Decimal = field(name="qty")
    fee: Decimal = field(name="commission")
    fee_asset: str = field(name="commissionAsset")
    trade_id: int = -1


class Order(Wire, frozen=True, kw_only=True):
    """An order of a book: NEW, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED or EXPIRED_IN_MATCH."""

    symbol: str
    order_id: int
    client_order_id: str
    side: str
    order_type: str = field(name="type")
    status: str
    time_in_force: str = "GTC"
    price: Decimal
    quantity: Decimal = field(name="origQty")
    filled_quantity: Decimal = field(name="executedQty")
    filled_quote: Decimal = field(name="cummulativeQuoteQty")
    fills: tuple[OrderFill, ...] = ()
    orig_client_order_id: str = ""
    placed_ms: int | None = field(name="time", default=None)
    updated_ms: int | None = field(name="updateTime", default=None)
    transact_ms: int | None = field(name="transactTime", default=None)

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}


class Fill(Wire, frozen=True):
    """One order's part in a trade."""

    symbol: str
    trade_id: int = field(name="id")
    order_id: int
    price: Decimal
    quantity: Decimal = field(name="qty")
    quote_quantity: Decimal = field(name="quoteQty")
    fee: Decimal = field(name="commission")
    fee_asset: str = field(name="commissionAsset")
    time_ms: int = field(name="time")
    is_buyer: bool
    is_maker: bool


class OutsideOrder(Shape, frozen=True):
    """An order of a dealer or agency market; `wait` says why it waits."""

    id: int
    symbol: str
    market: str
    side: str
    status: str
    quantity: Decimal
    filled_quantity: Decimal
    filled_quote: Decimal
    client_order_id: str
    account: int
    created_at_ms: int = field(name="created_at")
    updated_at_ms: int = field(name="updated_at")
    wait: str | None = None
    venue_order: str | None = None
    upper_bound: Decimal | None = None
    lower_bound: Decimal | None = None
    reserved_price: Decimal | None = None


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has of an asset: free, and held for open orders."""

    asset: str
    free: Decimal
    held: Decimal = field(name="locked")


class AccountBalances(Wire, frozen=True):
    """The trading account of a key."""

    can_trade: bool
    account: int = field(name="uid")
    balances: tuple[Balance, ...]


# ---- members and money


class AccountName(Shape, frozen=True):
    number: int
    kind: str
    name: str


class Member(Shape, frozen=True):
    """Who asks."""

    id: int
    username: str
    email: str
    email_confirmed: bool
    roles: tuple[str, ...]
    accounts: tuple[AccountName, ...]
    invite_uses_left: int


class Invite(Shape, frozen=True):
    code: str
    url: str
    uses_left: int
    joined: tuple[str, ...]


class Membership(Shape, frozen=True):
    """Whether the membership is paid, until when, and its price."""

    is_paid_up: bool
    until: dt.date | None
    days: int
    price: Decimal
    currency: str


class Held(Shape, frozen=True):
    asset: str
    free: Decimal
    held: Decimal


class Account(Shape, frozen=True):
    """An account of the ledger with what it holds."""

    id: int
    name: str
    balances: tuple[Held, ...]


class Accounts(Shape, frozen=True):
    accounts: tuple[Account, ...]


class Moved(Shape, frozen=True):
    id: int
    account: int
    account_name: str
    member: str
    asset: str
    amount: Decimal
    created_at: dt.datetime


class Transfer(Moved, frozen=True):
    """Money moved between two accounts of a member."""

    to_account: int


class Withdrawal(Moved, frozen=True):
    """A withdrawal; its amount is held from the asking on."""

    state: str
    destination: str
    due_at: dt.datetime
    approvals: int
    approvals_needed: int


class Withdrawals(Shape, frozen=True):
    withdrawals: tuple[Withdrawal, ...]


class Deposit(Moved, frozen=True):
    """A deposit that staff recorded."""

    state: str
    note: str


class Deposits(Shape, frozen=True):
    deposits: tuple[Deposit, ...]


class Months(Shape, frozen=True):
    months: tuple[str, ...]
    years: tuple[int, ...]


class StatementAsset(Shape, frozen=True):
    """opening + credits - debits = closing; fees are part of the debits."""

    asset: str
    opening: Decimal
    credits: Decimal
    debits: Decimal
    fees: Decimal
    closing: Decimal


class Posting(Shape, frozen=True):
    """One line of a statement: `amount` is signed, `balance` is after it."""

    time: dt.datetime
    seq: int
    account: int
    kind: str
    asset: str
    amount: Decimal
    balance: Decimal
    entry: int | None


class Gain(Shape, frozen=True):
    symbol: str
    quote: str
    gain: Decimal
    uncovered: Decimal
    base: str


class Statement(Shape, frozen=True):
    """A month of an account, equal to the journal to the last unit."""

    month: str
    seq: int
    assets: tuple[StatementAsset, ...]
    postings: tuple[Posting, ...]
    realised_profit: tuple[Gain, ...]


# ---- strategies that run elsewhere


class StoredReport(Shape, frozen=True):
    """A report as the house keeps it; money in USD."""

    created_at: dt.datetime
    last_price: Decimal
    margin_balance: Decimal
    wallet_balance: Decimal
    realised_pnl: Decimal
    positions: Decimal
    average_entry_price: Decimal
    symbol: str = ""


class BrokerageAccount(Shape, frozen=True):
    """Where strategies trade; its balance counts once, however many they are."""

    id: int
    name: str
    created_at: dt.datetime
    archived_at: dt.datetime | None


class BrokerageAccounts(Shape, frozen=True):
    accounts: tuple[BrokerageAccount, ...]


class StrategyHour(Shape, frozen=True):
    """How a strategy stood at the end of an hour that it reported in."""

    time: dt.datetime
    margin_balance: Decimal
    wallet_balance: Decimal


class Strategy(Shape, frozen=True):
    """A strategy. `token` is only in the answer that makes one; hourly and reports only of one."""

    id: int
    name: str
    symbol: str
    account: int
    account_name: str
    token_prefix: str | None
    created_at: dt.datetime
    archived_at: dt.datetime | None
    last: StoredReport | None
    token: str = ""
    hourly: tuple[StrategyHour, ...] = ()
    reports: tuple[StoredReport, ...] = ()

    def __repr__(self) -> str:
        """Show it without its token."""
        return f"Strategy(id={self.id}, name={self.name!r})"


class StrategiesKept(Shape, frozen=True):
    strategies: tuple[Strategy, ...]


class NewToken(Shape, frozen=True):
    id: int
    token: str


class ImportedHistory(Shape, frozen=True):
    """How many reports a file gives, how many of them are new, and from when to when."""

    reports: int
    stored: int
    first: dt.datetime
    last: dt.datetime


class DashboardStrategy(Shape, frozen=True):
    id: int
    name: str
    account: str
    last: StoredReport | None


class EquityHour(Shape, frozen=True):
    time: dt.datetime
    equity: Decimal


class Dashboard(Shape, frozen=True):
    """Equity of all brokerage accounts in USD, each counted once, and what 24 hours changed."""

    equity: Decimal
    pnl_24h: Decimal
    pnl_24h_percent: Decimal | None
    hourly: tuple[EquityHour, ...]
    strategies: tuple[DashboardStrategy, ...]

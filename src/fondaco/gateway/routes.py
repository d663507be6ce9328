"""The one table of the gateway: method, path, WebSocket API method, security, weight, handler.

Promises: REST, the WebSocket API and the authorisation matrix of the tests are all driven by it;
a path that is not here is 404. Weights are Binance's, so that a client's own counting fits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, NamedTuple

from fondaco.core.records import Scope
from fondaco.gateway.account_reads import AccountReads
from fondaco.gateway.call import Call
from fondaco.gateway.lists import OrderLists
from fondaco.gateway.market_reads import MarketReads
from fondaco.gateway.markets import Markets
from fondaco.gateway.replacing import Replacing
from fondaco.gateway.trading import Trading
from fondaco.gateway.user_stream import ListenKeys

__all__ = ["MARKETS", "Route", "Security", "by_method", "by_path", "native_in", "table"]

Handler = Callable[[Call], Awaitable[bytes]]


class Security(Enum):
    """What a route asks of its caller."""

    NONE = "none"
    KEY = "key"  # an API key without a signature, or a session
    READ = "read"  # a signature of a key with the scope, or a session
    TRADE = "trade"


SCOPES: Final = {Security.READ: int(Scope.READ), Security.TRADE: int(Scope.TRADE)}


class Route(NamedTuple):
    method: str
    path: str
    ws_method: str  # "" = not on the WebSocket API
    security: Security
    weight: int
    handler: Handler
    orders: bool = False  # the reply carries the order counts
    native: bool = False  # of the house's own: other errors, names in the path, both slash forms


PLACES: Final = frozenset({"order.place", "orderList.place", "orderList.place.oco"})
V3: Final = "/api/v3/"
SAPI: Final = "/sapi/v1/"
MARKETS: Final = "/api/v1/markets/"


def table(
    reads: MarketReads,
    trading: Trading,
    lists: OrderLists,
    account: AccountReads,
    listen_keys: ListenKeys,
    markets: Markets,
) -> list[Route]:
    """Return all routes."""
    return [
        *market_routes(reads),
        *order_routes(trading),
        *list_routes(lists),
        *account_routes(account, listen_keys),
        *shim_routes(account),
        *native_routes(markets),
    ]


def _row(
    security: Security, verb: str, name: str, ws_method: str, weight: int, handler: Handler
) -> Route:
    path = name if name.startswith("/") else V3 + name
    return Route(verb, path, ws_method, security, weight, handler, ws_method in PLACES)


def market_routes(reads: MarketReads) -> list[Route]:
    """Return what everybody may read."""
    rows: list[tuple[str, str, int, Handler]] = [
        ("ping", "ping", 1, reads.ping),
        ("time", "time", 1, reads.time),
        ("exchangeInfo", "exchangeInfo", 20, reads.exchange_info),
        ("depth", "depth", 5, reads.depth),
        ("trades", "trades.recent", 25, reads.trades),
        ("historicalTrades", "trades.historical", 25, reads.historical_trades),
        ("aggTrades", "trades.aggregate", 4, reads.aggregate_trades),
        ("klines", "klines", 2, reads.klines),
        ("uiKlines", "uiKlines", 2, reads.klines),
        ("avgPrice", "avgPrice", 2, reads.average_price),
        ("ticker/24hr", "ticker.24hr", 2, reads.ticker_24hr),
        ("ticker/price", "ticker.price", 2, reads.ticker_price),
        ("ticker/bookTicker", "ticker.book", 2, reads.ticker_book),
    ]
    return [_row(Security.NONE, "GET", *row) for row in rows]


def order_routes(trading: Trading) -> list[Route]:
    """Return what moves and reads orders."""
    writes: list[tuple[str, str, str, int, Handler]] = [
        ("POST", "order", "order.place", 1, trading.new_order),
        ("POST", "order/test", "order.test", 1, trading.test_order),
        ("DELETE", "order", "order.cancel", 1, trading.cancel_order),
        (
            "POST",
            "order/cancelReplace",
            "order.cancelReplace",
            1,
            Replacing(trading).cancel_replace,
        ),
        ("DELETE", "openOrders", "openOrders.cancelAll", 1, trading.cancel_open_orders),
    ]
    reads: list[tuple[str, str, int, Handler]] = [
        ("order", "order.status", 4, trading.order),
        ("openOrders", "openOrders.status", 6, trading.open_orders),
        ("allOrders", "allOrders", 20, trading.all_orders),
        ("myTrades", "myTrades", 20, trading.my_trades),
    ]
    return [
        *(_row(Security.TRADE, *row) for row in writes),
        *(_row(Security.READ, "GET", *row) for row in reads),
    ]


def list_routes(lists: OrderLists) -> list[Route]:
    """Return what moves and reads order lists."""
    writes: list[tuple[str, str, str, int, Handler]] = [
        ("POST", "orderList/oco", "orderList.place.oco", 1, lists.new_oco),
        ("POST", "order/oco", "orderList.place", 1, lists.new_oco_by_prices),
        ("DELETE", "orderList", "orderList.cancel", 1, lists.cancel),
    ]
    reads: list[tuple[str, str, int, Handler]] = [
        ("orderList", "orderList.status", 4, lists.one),
        ("openOrderList", "openOrderLists.status", 6, lists.open),
        ("allOrderList", "allOrderLists", 20, lists.all),
    ]
    return [
        *(_row(Security.TRADE, *row) for row in writes),
        *(_row(Security.READ, "GET", *row) for row in reads),
    ]


def account_routes(account: AccountReads, listen_keys: ListenKeys) -> list[Route]:
    """Return what an account reads of itself, and the keys of its stream."""
    stream = "userDataStream"
    reads: list[tuple[str, str, int, Handler]] = [
        ("account", "account.status", 20, account.account),
        ("account/commission", "account.commission", 20, account.commission),
        ("rateLimit/order", "account.rateLimits.orders", 40, account.order_counts),
    ]
    return [
        *(_row(Security.READ, "GET", *row) for row in reads),
        _row(Security.KEY, "POST", stream, f"{stream}.start", 2, listen_keys.start),
        _row(Security.KEY, "PUT", stream, f"{stream}.ping", 2, listen_keys.keep),
        _row(Security.KEY, "DELETE", stream, f"{stream}.stop", 2, listen_keys.close),
    ]


def shim_routes(account: AccountReads) -> list[Route]:
    """Return the lines of /sapi without which clients don't start."""
    return [
        _row(Security.READ, "GET", f"{SAPI}capital/config/getall", "", 10, account.coins),
        _row(Security.READ, "GET", f"{SAPI}asset/tradeFee", "", 1, account.trade_fees),
        _row(Security.NONE, "GET", f"{SAPI}margin/allPairs", "", 1, account.nothing),
        _row(Security.NONE, "GET", f"{SAPI}margin/isolated/allPairs", "", 1, account.nothing),
        _row(Security.NONE, "GET", f"{SAPI}system/status", "", 1, account.system_status),
        _row(Security.NONE, "GET", f"{SAPI}spot/delist-schedule", "", 1, account.nothing),
    ]


def native_routes(markets: Markets) -> list[Route]:
    """Return what is not Binance's: the markets of every kind."""
    rows: list[tuple[str, int, Handler]] = [
        ("", 20, markets.list_all),
        ("{symbol}/", 2, markets.one),
        ("{symbol}/candles/", 2, markets.candles),
    ]
    return [
        Route("GET", f"{MARKETS}{name}", "", Security.NONE, weight, handler, native=True)
        for name, weight, handler in rows
    ]


def native_in(path: str, routes: list[Route]) -> tuple[dict[str, Route] | None, dict[str, str]]:
    """Return the native routes of a path by HTTP method, and what the path names."""
    asked = path.strip("/").split("/")
    for route in routes:
        words = route.path.strip("/").split("/")
        if not route.native or len(words) != len(asked):
            continue
        pairs = list(zip(words, asked, strict=True))
        if all(word == given or word.startswith("{") for word, given in pairs):
            named = {word.strip("{}"): given for word, given in pairs if word.startswith("{")}
            return {route.method: route}, named
    return None, {}


def by_path(routes: list[Route]) -> dict[str, dict[str, Route]]:
    """Return the routes by path, then by HTTP method; without the native ones."""
    found: dict[str, dict[str, Route]] = {}
    for route in routes:
        if route.native:
            continue
        assert route.method not in found.setdefault(route.path, {}), route
        found[route.path][route.method] = route
    return found


def by_method(routes: list[Route]) -> dict[str, Route]:
    """Return the routes by their method of the WebSocket API."""
    named = [route for route in routes if route.ws_method]
    found = {route.ws_method: route for route in named}
    assert len(found) == len(named), "a method stands twice"
    return found

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
from fondaco.gateway.market_reads import MarketReads
from fondaco.gateway.trading import Trading
from fondaco.gateway.user_stream import ListenKeys

__all__ = ["Route", "Security", "by_method", "by_path", "table"]

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


def table(
    reads: MarketReads, trading: Trading, account: AccountReads, listen_keys: ListenKeys
) -> list[Route]:
    """Return all routes."""
    none, key, read, trade = Security.NONE, Security.KEY, Security.READ, Security.TRADE
    v3 = "/api/v3/"
    sapi = "/sapi/v1/"
    return [
        Route("GET", v3 + "ping", "ping", none, 1, reads.ping),
        Route("GET", v3 + "time", "time", none, 1, reads.time),
        Route("GET", v3 + "exchangeInfo", "exchangeInfo", none, 20, reads.exchange_info),
        Route("GET", v3 + "depth", "depth", none, 5, reads.depth),
        Route("GET", v3 + "trades", "trades.recent", none, 25, reads.trades),
        Route(
            "GET",
            v3 + "historicalTrades",
            "trades.historical",
            none,
            25,
            reads.historical_trades,
        ),
        Route("GET", v3 + "aggTrades", "trades.aggregate", none, 4, reads.aggregate_trades),
        Route("GET", v3 + "klines", "klines", none, 2, reads.klines),
        Route("GET", v3 + "uiKlines", "uiKlines", none, 2, reads.klines),
        Route("GET", v3 + "avgPrice", "avgPrice", none, 2, reads.average_price),
        Route("GET", v3 + "ticker/24hr", "ticker.24hr", none, 2, reads.ticker_24hr),
        Route("GET", v3 + "ticker/price", "ticker.price", none, 2, reads.ticker_price),
        Route("GET", v3 + "ticker/bookTicker", "ticker.book", none, 2, reads.ticker_book),
        Route("POST", v3 + "order", "order.place", trade, 1, trading.new_order, orders=True),
        Route("POST", v3 + "order/test", "order.test", trade, 1, trading.test_order),
        Route("GET", v3 + "order", "order.status", read, 4, trading.order),
        Route("DELETE", v3 + "order", "order.cancel", trade, 1, trading.cancel_order),
        Route(
            "POST",
            v3 + "order/cancelReplace",
            "order.cancelReplace",
            trade,
            1,
            trading.cancel_replace,
        ),
        Route("GET", v3 + "openOrders", "openOrders.status", read, 6, trading.open_orders),
        Route(
            "DELETE",
            v3 + "openOrders",
            "openOrders.cancelAll",
            trade,
            1,
            trading.cancel_open_orders,
        ),
        Route("GET", v3 + "allOrders", "allOrders", read, 20, trading.all_orders),
        Route("GET", v3 + "myTrades", "myTrades", read, 20, trading.my_trades),
        Route("GET", v3 + "account", "account.status", read, 20, account.account),
        Route("GET", v3 + "account/commission", "account.commission", read, 20, account.commission),
        Route(
            "GET",
            v3 + "rateLimit/order",
            "account.rateLimits.orders",
            read,
            40,
            account.order_counts,
        ),
        Route("POST", v3 + "userDataStream", "userDataStream.start", key, 2, listen_keys.start),
        Route("PUT", v3 + "userDataStream", "userDataStream.ping", key, 2, listen_keys.keep),
        Route("DELETE", v3 + "userDataStream", "userDataStream.stop", key, 2, listen_keys.close),
        Route("GET", sapi + "capital/config/getall", "", read, 10, account.coins),
        Route("GET", sapi + "margin/allPairs", "", none, 1, account.nothing),
        Route("GET", sapi + "margin/isolated/allPairs", "", none, 1, account.nothing),
        Route("GET", sapi + "asset/tradeFee", "", read, 1, account.trade_fees),
        Route("GET", sapi + "system/status", "", none, 1, account.system_status),
        Route("GET", sapi + "spot/delist-schedule", "", none, 1, account.nothing),
    ]


def by_path(routes: list[Route]) -> dict[str, dict[str, Route]]:
    """Return the routes by path, then by HTTP method."""
    found: dict[str, dict[str, Route]] = {}
    for route in routes:
        assert route.method not in found.setdefault(route.path, {}), route
        found[route.path][route.method] = route
    return found


def by_method(routes: list[Route]) -> dict[str, Route]:
    """Return the routes by their method of the WebSocket API."""
    named = [route for route in routes if route.ws_method]
    found = {route.ws_method: route for route in named}
    assert len(found) == len(named), "a method stands twice"
    return found

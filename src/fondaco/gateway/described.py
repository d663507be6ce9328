"""The gateway's routes as OpenAPI path items: from the one table, for the house's schema.

Promises: every route of the table and every native path is here, with its method, what it asks of
its caller, and the parameters that its handler reads. It serves nothing, and needs no running edge.
"""

from __future__ import annotations

from typing import Any, Final

from fondaco.gateway.account_reads import AccountReads
from fondaco.gateway.app import NATIVE
from fondaco.gateway.lists import OrderLists
from fondaco.gateway.market_reads import MarketReads
from fondaco.gateway.markets import Markets
from fondaco.gateway.routes import Route, Security, table
from fondaco.gateway.trading import Trading
from fondaco.gateway.user_stream import ListenKeys
from fondaco.strategies.models import VALUES

__all__ = ["SECURITY_SCHEMES", "path_items", "routes"]

SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-MBX-APIKEY"},
    "signature": {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": (
            "HMAC-SHA256 (hexadecimal) or Ed25519 (base64) over the raw query followed by the raw "
            "body, without the signature; with timestamp and, if wished, recvWindow."
        ),
    },
}
SESSION: Final[dict[str, list[str]]] = {"cookieAuth": []}
SIGNED: Final[dict[str, list[str]]] = {"apiKey": [], "signature": []}
SECURITIES: Final[dict[Security, list[dict[str, list[str]]]]] = {
    Security.NONE: [],
    Security.KEY: [{"apiKey": []}, SESSION],
    Security.READ: [SIGNED, SESSION],
    Security.TRADE: [SIGNED, SESSION],
}
RANGE: Final = ("startTime", "endTime", "limit")
ORDER: Final = (
    *("symbol!", "side!", "type!", "timeInForce", "quantity", "quoteOrderQty", "price"),
    *("stopPrice", "newClientOrderId", "newOrderRespType", "selfTradePreventionMode"),
)
LIST: Final = (
    *("symbol!", "side!", "quantity!", "listClientOrderId", "newOrderRespType"),
    "selfTradePreventionMode",
)
LEGS: Final = tuple(
    f"{side}{word}"
    for side in ("above", "below")
    for word in ("Type!", "Price", "StopPrice", "TimeInForce", "ClientOrderId")
)
NAMED: Final = ("symbol!", "orderId", "origClientOrderId")
# What each handler reads; "!" marks what must be there.
PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "exchangeInfo": ("symbol", "symbols"),
    "depth": ("symbol!", "limit"),
    "trades": ("symbol!", "limit"),
    "historicalTrades": ("symbol!", "limit", "fromId"),
    "aggTrades": ("symbol!", "fromId", *RANGE),
    "klines": ("symbol!", "interval!", "timeZone", *RANGE),
    "uiKlines": ("symbol!", "interval!", "timeZone", *RANGE),
    "avgPrice": ("symbol!",),
    "ticker/24hr": ("symbol", "symbols", "type"),
    "ticker/price": ("symbol", "symbols"),
    "ticker/bookTicker": ("symbol", "symbols"),
    "POST order": ORDER,
    "POST order/test": ORDER,
    "GET order": NAMED,
    "DELETE order": (*NAMED, "newCancelClientOrderId"),
    "POST order/cancelReplace": (
        *(
            "cancelReplaceMode!",
            "cancelOrderId",
            "cancelOrigClientOrderId",
            "cancelNewClientOrderId",
        ),
        *ORDER,
    ),
    "POST orderList/oco": (*LIST, *LEGS),
    "POST order/oco": (
        *LIST,
        *("price!", "stopPrice!", "stopLimitPrice", "stopLimitTimeInForce"),
        *("limitClientOrderId", "stopClientOrderId"),
    ),
    "DELETE orderList": ("symbol!", "orderListId", "listClientOrderId", "newClientOrderId"),
    "GET orderList": ("orderListId", "origClientOrderId"),
    "allOrderList": ("fromId", *RANGE),
    "GET openOrders": ("symbol",),
    "DELETE openOrders": ("symbol!",),
    "allOrders": ("symbol!", "orderId", *RANGE),
    "myTrades": ("symbol!", "orderId", "fromId", *RANGE),
    "account": ("omitZeroBalances",),
    "account/commission": ("symbol!",),
    "PUT userDataStream": ("listenKey!",),
    "DELETE userDataStream": ("listenKey!",),
    "/sapi/v1/asset/tradeFee": ("symbol",),
    "/api/v1/markets/{symbol}/candles/": ("interval", "limit"),
}
NATIVE_TEXTS: Final = {
    "/api/v1/markets/": (
        "All markets: book, dealer (price, availability and time of the newest message) and agency "
        "(reference price and both pools)."
    ),
    "/api/v1/markets/{symbol}/": "One market, as in the list.",
    "/api/v1/markets/{symbol}/candles/": (
        "Candles of a dealer market's messages by their own time, oldest first; 500 by default."
    ),
}
INGEST: Final = "/api/v1/strategy/"
WHOLE: Final = {
    "limit",
    "fromId",
    "orderId",
    "startTime",
    "endTime",
    "cancelOrderId",
    "orderListId",
}


def routes() -> list[Route]:
    """Return the table without an edge behind it; its handlers are not for calling."""
    return table(
        MarketReads.__new__(MarketReads),
        Trading.__new__(Trading),
        OrderLists.__new__(OrderLists),
        AccountReads.__new__(AccountReads),
        ListenKeys.__new__(ListenKeys),
        Markets.__new__(Markets),
    )


def path_items() -> dict[str, dict[str, Any]]:
    """Return path -> method in lower case -> OpenAPI operation."""
    found: dict[str, dict[str, Any]] = {}
    for route in routes():
        found.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for path, method in NATIVE.items():
        end = "/" if path.startswith("/api/") else ""
        found[path + end] = {method.lower(): _native(method, path)}
    found[INGEST] = {"post": _ingest()}
    return found


def parameters_of(route: Route) -> tuple[str, ...]:
    """Return the names of what a route reads, with their marks."""
    if route.native:
        return (*names_in(route.path), *PARAMETERS.get(route.path, ()))
    name = route.path.removeprefix("/api/v3/")
    return PARAMETERS.get(f"{route.method} {name}", PARAMETERS.get(name, ()))


def names_in(path: str) -> list[str]:
    """Return what a path names, as {symbol}."""
    return [word.strip("{}") for word in path.split("/") if word.startswith("{")]


def _operation(route: Route) -> dict[str, Any]:
    if route.native:
        return _native_operation(route)
    words = list(parameters_of(route))
    if route.security in {Security.READ, Security.TRADE}:
        words += ["timestamp", "recvWindow"]
    operation: dict[str, Any] = {
        "operationId": _id(route.method, route.path),
        "tags": ["Binance Spot-compatible"],
        "description": f"Weight {route.weight}. Not affiliated with Binance.",
        "parameters": [_parameter(word) for word in words],
        "responses": {"200": _json("The answer."), "400": _json('{"code", "msg"}')},
    }
    if route.security is not Security.NONE:
        operation["security"] = SECURITIES[route.security]
        operation["responses"]["401"] = _json("Whoever asks can't prove that they may.")
    return operation


def _native_operation(route: Route) -> dict[str, Any]:
    named = names_in(route.path)
    operation = _native(route.method, route.path)
    operation["description"] = NATIVE_TEXTS[route.path]
    operation["responses"] = {"200": _json("The answer.")}
    operation["parameters"] = [
        *(
            {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
            for name in named
        ),
        *(_parameter(word) for word in parameters_of(route) if word not in named),
    ]
    return operation


def _native(method: str, path: str) -> dict[str, Any]:
    return {
        "operationId": _id(method, path),
        "tags": ["api" if path.startswith("/api/") else "operation"],
        "description": f"{method} {path}, by the gateway.",
        "responses": {"200": {"description": "The answer."}},
    }


def _ingest() -> dict[str, Any]:
    number = {"oneOf": [{"type": "number"}, {"type": "string"}]}
    words: dict[str, Any] = dict.fromkeys(VALUES, number)
    words |= {name: {"type": "string"} for name in ("strategy_access_token", "symbol")}
    required = sorted(words)
    words["created_at"] = {"type": "string", "format": "date-time"}
    data = {"type": "object", "required": required, "properties": words}
    shape = {"type": "object", "required": ["data"], "properties": {"data": data}}
    error = '{"status":false,"error"}'
    return {
        "operationId": "api_v1_strategy_post",
        "tags": ["api"],
        "description": "Takes the report of a strategy that runs elsewhere; its token is in it.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": shape}}},
        "responses": {
            "201": _json('{"status":true}: the report is on disk.'),
            **{str(status): _json(error) for status in (400, 404, 422, 429, 503)},
        },
    }


def _id(method: str, path: str) -> str:
    words = path.strip("/").translate(str.maketrans("/-", "__", "{}"))
    return f"{words}_{method.lower()}"


def _parameter(word: str) -> dict[str, Any]:
    name = word.rstrip("!")
    kind = "integer" if name in WHOLE else "string"
    found: dict[str, Any] = {"in": "query", "name": name, "schema": {"type": kind}}
    if word.endswith("!"):
        found["required"] = True
    return found


def _json(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {}}}}

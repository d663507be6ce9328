"""An asyncio client of a house's public trading API, as any member could write one.

Promises: requests are signed (HMAC-SHA256 over the query as sent) and bounded in time; what the
house refuses raises Refused with its code; a connection that breaks raises aiohttp.ClientError
or TimeoutError, and the caller decides. Other spellings than ours (the Binance Spot-compatible
API's) live in this module only. It keeps no state of the market and retries nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

import aiohttp
import msgspec

__all__ = ["PASSING", "ApiKey", "HouseClient", "Market", "OrderUpdate", "Refused", "Trade", "pause"]

REQUEST_TIMEOUT_S: Final = 10
# Codes that a moving or a busy market explains: refused at this price or balance, overloaded (not
# executed), unknown (the open orders will tell).
PASSING: Final = frozenset({-1007, -1008, -1013, -2010})
SILENCE_S_MAX: Final = 60  # the house pings every 20 s: longer silence is a dead connection
_SOCKET_TIMEOUT: Final = aiohttp.ClientWSTimeout(ws_receive=SILENCE_S_MAX, ws_close=2)


class ApiKey(NamedTuple):
    """The two parts of an API key."""

    key: str
    secret: str


class Market(NamedTuple):
    """An instrument as a client needs it; sizes are Decimal, exactly as published."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_notional: Decimal

    def price_text(self, ticks: int) -> str:
        """Return a price in ticks as the wire's decimal text."""
        return f"{self.tick_size * ticks:f}"

    def quantity_text(self, lots: int) -> str:
        """Return a quantity in lots as the wire's decimal text."""
        return f"{self.lot_size * lots:f}"


class Trade(NamedTuple):
    """A public trade."""

    symbol: str
    price: float
    buyer_is_maker: bool


class OrderUpdate(NamedTuple):
    """What became of an own order."""

    symbol: str
    order_id: int
    side: str
    price: Decimal
    is_open: bool
    traded: bool


class Refused(Exception):
    """The house refused a request: HTTP status, the API's code and its text."""

    def __init__(self, status: int, code: int, text: str, retry_after_s: float = 0) -> None:
        """Keep the parts; retry_after_s is 0 where the house didn't ask to wait."""
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class HouseClient:
    """One API key's view of a house. Use as an async context manager."""

    def __init__(self, base_url: str, api_key: ApiKey) -> None:
        """Take the house's address, like http://127.0.0.1:8000, and a key."""
        self._base = base_url.rstrip("/")
        self._socket_base = "ws" + self._base.removeprefix("http")
        self._key = api_key
        self._secret = api_key.secret.encode()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        self._session = aiohttp.ClientSession(
            headers={"X-MBX-APIKEY": self._key.key},
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        if self._session:
            await self._session.close()

    async def markets(self) -> list[Market]:
        """Return the order-driven instruments that trade."""
        answer = await self._request("GET", "/api/v3/exchangeInfo", "")
        return [_market(symbol) for symbol in answer["symbols"] if symbol["status"] == "TRADING"]

    async def last_price(self, market: Market) -> float | None:
        """Return the close of the newest candle, None before the first trade."""
        query = urlencode({"symbol": market.symbol, "interval": "1m", "limit": 1})
        candles = await self._request("GET", "/api/v3/klines", query)
        return float(candles[-1][4]) if candles else None

    async def balances(self) -> dict[str, float]:
        """Return free and held together, by asset."""
        answer = await self._signed("GET", "/api/v3/account", {})
        return {
            row["asset"]: float(row["free"]) + float(row["locked"]) for row in answer["balances"]
        }

    async def open_orders(self) -> list[OrderUpdate]:
        """Return the open orders of the account."""
        answer = await self._signed("GET", "/api/v3/openOrders", {})
        return [
            OrderUpdate(
                row["symbol"],
                row["orderId"],
                row["side"],
                Decimal(row["price"]),
                is_open=True,
                traded=False,
            )
            for row in answer
        ]

    async def place(self, market: Market, **words: str) -> int:
        """Place an order in the wire's words, without its symbol; returns its id."""
        query = {"symbol": market.symbol, "newOrderRespType": "ACK", **words}
        answer = await self._signed("POST", "/api/v3/order", query)
        return int(answer["orderId"])

    async def cancel(self, market: Market, order_id: int) -> None:
        """Cancel an order; one that is gone already is no error."""
        query = {"symbol": market.symbol, "orderId": str(order_id)}
        try:
            await self._signed("DELETE", "/api/v3/order", query)
        except Refused as refusal:
            if refusal.code not in {-2011, -2013}:
                raise

    async def cancel_all(self, market: Market) -> None:
        """Cancel every open order of the account on an instrument."""
        try:
            await self._signed("DELETE", "/api/v3/openOrders", {"symbol": market.symbol})
        except Refused as refusal:
            if refusal.code != -2011:
                raise

    async def trades(self, markets: Sequence[Market]) -> AsyncIterator[Trade]:
        """Yield public trades as they happen, until the connection ends."""
        names = "/".join(f"{market.symbol.lower()}@trade" for market in markets)
        async for message in self._frames(f"/stream?streams={names}", None):
            event = message.get("data", {})
            if event.get("e") == "trade":
                yield Trade(event["s"], float(event["p"]), event["m"])

    async def order_updates(self) -> AsyncIterator[OrderUpdate | None]:
        """Yield what happens to own orders; None once, when updates have begun to flow."""
        words = {"apiKey": self._key.key, "timestamp": str(_now_ms())}
        words["signature"] = self._sign("&".join(f"{k}={v}" for k, v in sorted(words.items())))
        params = {**words, "timestamp": int(words["timestamp"])}
        subscribe = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
        async for message in self._frames("/ws-api/v3", subscribe):
            if message.get("id") == 1:
                if message["status"] != 200:
                    error = message["error"]
                    raise Refused(message["status"], error["code"], error["msg"])
                yield None
            event = message.get("event", {})
            if event.get("e") == "executionReport":
                yield OrderUpdate(
                    event["s"],
                    event["i"],
                    event["S"],
                    Decimal(event["p"]),
                    is_open=event["X"] in {"NEW", "PARTIALLY_FILLED"},
                    traded=event["x"] == "TRADE",
                )

    async def _frames(
        self, path: str, first: dict[str, Any] | None
    ) -> AsyncIterator[dict[str, Any]]:
        assert self._session, "use `async with`"
        address = self._socket_base + path
        async with self._session.ws_connect(address, timeout=_SOCKET_TIMEOUT) as socket:
            if first:
                await socket.send_str(msgspec.json.encode(first).decode())
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    yield msgspec.json.decode(frame.data)

    async def _signed(self, method: str, path: str, words: dict[str, str]) -> Any:  # noqa: ANN401 - the wire's own shapes
        query = urlencode({**words, "timestamp": _now_ms()})
        return await self._request(method, path, f"{query}&signature={self._sign(query)}")

    async def _request(self, method: str, path: str, query: str) -> Any:  # noqa: ANN401 - as above
        assert self._session, "use `async with`"
        url = f"{self._base}{path}?{query}" if query else f"{self._base}{path}"
        async with self._session.request(method, url) as answer:
            body = await answer.read()
            if answer.status == 200:
                return msgspec.json.decode(body)
            raise _refusal(answer.status, body, answer.headers.get("Retry-After", ""))

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _refusal(status: int, body: bytes, retry_after: str) -> Refused:
    try:
        parsed = msgspec.json.decode(body)
        code, text = int(parsed["code"]), str(parsed["msg"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        code, text = 0, body[:200].decode(errors="replace")
    return Refused(status, code, text, float(retry_after) if retry_after.isdigit() else 0)


def _market(symbol: dict[str, Any]) -> Market:
    filters = {row["filterType"]: row for row in symbol["filters"]}
    notional = filters.get("NOTIONAL", {}).get("minNotional", "0")
    return Market(
        symbol["symbol"],
        symbol["baseAsset"],
        symbol["quoteAsset"],
        Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
        Decimal(filters["LOT_SIZE"]["stepSize"]).normalize(),
        Decimal(notional),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Wait until stop is set or the seconds are over; returns whether to go on."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return True
    return False

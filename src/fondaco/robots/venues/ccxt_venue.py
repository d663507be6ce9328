"""Any exchange that ccxt knows, as a venue.

Promises: an order is a limit order, immediate or cancel, at the order's limit less what the
exchange's fee may take of it, in the exchange's own steps, never past the limit. Only an error
that says that nothing was done is Refused; every other is Unanswered. What was received, after a
fee in it, and what was paid, with a fee in it, is what the outcome tells; a fee in a third coin is
the house's own. ccxt is imported at the first use, in the worker alone.

    FONDACO_VENUE_<NAME>_KEY, _SECRET, _PASSWORD   credentials
    FONDACO_VENUE_<NAME>_URL                       another address for the exchange's API: ccxt's
                                                   class for it then talks to that host, such as
                                                   another house by the class `binance`
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Callable, Sequence
from decimal import localcontext
from fractions import Fraction
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

from fondaco.robots.venues.port import Order, Outcome, Refused, Unanswered

__all__ = ["CcxtVenue", "settings_of"]

REQUEST_TIMEOUT_S: Final = 10.0
FINAL: Final = frozenset({"closed", "canceled", "expired", "rejected"})
FEE_MOST: Final = Fraction(1, 50)  # a rate above it is a percentage that was taken for a rate
PLACES: Final = 18

P = ParamSpec("P")
R = TypeVar("R")


def _apart(call: Callable[P, R]) -> Callable[P, R]:
    """Give a call decimals of its own: ccxt sets the caller's rounding and traps."""

    @functools.wraps(call)
    def inside(*args: P.args, **options: P.kwargs) -> R:
        with localcontext():
            return call(*args, **options)

    return inside


def settings_of(name: str) -> dict[str, str]:
    """Return key, secret, password and url of a venue, as the environment has them."""
    stem = "FONDACO_VENUE_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    words = ("KEY", "SECRET", "PASSWORD", "URL")
    return {word.lower(): os.environ.get(f"{stem}_{word}", "") for word in words}


class CcxtVenue:
    """One account at one exchange."""

    request_timeout_s = REQUEST_TIMEOUT_S

    def __init__(self, exchange: str, settings: dict[str, str]) -> None:
        """Name ccxt's class of the exchange; nothing is asked of it yet."""
        self._name = exchange
        self._settings = settings
        self._lock = threading.Lock()
        self._exchange: Any = None
        self._fees: dict[str, Fraction] = {}

    @_apart
    def place(self, order: Order) -> Sequence[Outcome]:
        """Send the order, once."""
        import ccxt

        client = self._client()  # nothing is sent yet: what fails here is a refusal
        market = self._market(client, order)
        fee = self._fee(client, market["symbol"])
        amount, price = _steps(market, order, fee, client.precisionMode)
        if not amount:
            raise Refused("the order is less than the exchange's smallest amount")
        definite = (
            ccxt.InsufficientFunds,
            ccxt.InvalidOrder,
            ccxt.BadSymbol,
            ccxt.AuthenticationError,
        )
        try:
            found = client.create_order(
                market["symbol"],
                "limit",
                "buy" if order.is_buy else "sell",
                _text(amount),
                _text(price),
                {"clientOrderId": order.client_id, "timeInForce": "IOC"},
            )
        except (ccxt.DuplicateOrderId, ccxt.OrderNotFound) as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        except definite as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        except ccxt.BaseError as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        return (self._outcome(client, found, order),)

    @_apart
    def query(self, order: Order) -> Outcome | None:
        """Ask for the order by our id."""
        import ccxt

        try:
            client = self._client()
            market = self._market(client, order)
            found = client.fetch_order(None, market["symbol"], {"clientOrderId": order.client_id})
        except ccxt.OrderNotFound:
            return None
        except Refused as error:
            raise Unanswered(str(error)) from error
        except ccxt.BaseError as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        return self._outcome(client, found, order)

    # ---- the exchange

    def _client(self) -> Any:  # noqa: ANN401 - ccxt has no types
        """Return ccxt's client with the markets known. Raises Refused."""
        import ccxt

        with self._lock:
            if self._exchange is not None:
                return self._exchange
            made = getattr(ccxt, self._name)(
                {
                    "apiKey": self._settings["key"],
                    "secret": self._settings["secret"],
                    "password": self._settings["password"],
                    "timeout": int(REQUEST_TIMEOUT_S * 1000),
                    "enableRateLimit": True,
                }
            )
            if self._settings["url"]:
                made.urls["api"] = _moved(made.urls["api"], self._settings["url"])
            if isinstance(made.options.get("fetchMarkets"), dict):
                made.options["fetchMarkets"] = {"types": ["spot"]}
            try:
                made.load_markets()
            except ccxt.BaseError as error:
                raise Refused(f"the markets can't be read: {error}") from error
            self._exchange = made
            return made

    def _market(self, client: Any, order: Order) -> dict[str, Any]:  # noqa: ANN401 - ccxt's
        symbol = f"{order.base}/{order.quote}"
        found: dict[str, Any] | None = client.markets.get(symbol)
        if found is None:
            raise Refused(f"{self._name} has no market {symbol}")
        return found

    def _fee(self, client: Any, symbol: str) -> Fraction:  # noqa: ANN401 - ccxt's
        """Return the share that the exchange may take of a fill."""
        import ccxt

        if symbol not in self._fees:
            rate = client.markets[symbol].get("taker")
            if client.has.get("fetchTradingFee"):
                try:
                    rate = client.fetch_trading_fee(symbol).get("taker")
                except ccxt.NotSupported:
                    pass
                except ccxt.BaseError as error:
                    raise Refused(f"the fee can't be read: {error}") from error
            self._fees[symbol] = min(_exact(rate), FEE_MOST)
        return self._fees[symbol]

    def _outcome(self, client: Any, found: dict[str, Any], order: Order) -> Outcome:  # noqa: ANN401
        """Return what an order of ccxt's says. Raises Unanswered if it doesn't say enough yet."""
        is_final = found.get("status") in FINAL
        filled, cost, fees = found.get("filled"), found.get("cost"), _fees_of(found)
        if filled is None and is_final and found["status"] != "rejected":
            raise Unanswered("the exchange doesn't say how much of it was filled")
        if _exact(filled) and (cost is None or fees is None):
            cost, fees = _of_trades(client, found)
        base_fee = quote_fee = Fraction(0)
        for currency, amount in fees or []:
            base_fee += amount if currency == order.base else 0
            quote_fee += amount if currency == order.quote else 0
        sign = -1 if order.is_buy else 1
        return Outcome(
            base=_exact(filled) + sign * base_fee,
            quote=_exact(cost) - sign * quote_fee,
            is_final=is_final,
        )


def _of_trades(client: Any, found: dict[str, Any]) -> tuple[object, list[tuple[str, Fraction]]]:  # noqa: ANN401
    """Return cost and fees of an order by its trades. Raises Unanswered.

    Of an exchange that shows no trades the fees are those that the order tells, or none.
    """
    import ccxt

    if not client.has.get("fetchMyTrades"):
        if found.get("cost") is None:
            raise Unanswered("the exchange doesn't say what it cost")
        return found["cost"], []
    try:
        trades = client.fetch_my_trades(found["symbol"], None, None, {"orderId": found["id"]})
    except ccxt.BaseError as error:
        raise Unanswered(f"its fees can't be read: {error}") from error
    mine = [each for each in trades if each.get("order") == found["id"]]
    if sum((_exact(each["amount"]) for each in mine), Fraction(0)) != _exact(found["filled"]):
        raise Unanswered("the exchange doesn't show all its fills yet")
    cost = sum((_exact(each["cost"]) for each in mine), Fraction(0))
    return cost, [fee for each in mine for fee in _fees_of(each) or []]


def _fees_of(found: dict[str, Any]) -> list[tuple[str, Fraction]] | None:
    """Return the fees that an order or a trade tells, None if it tells none."""
    fees = found.get("fees") or ([found["fee"]] if found.get("fee") else [])
    told = [
        (str(fee["currency"]), _exact(fee["cost"]))
        for fee in fees
        if fee.get("currency") and fee.get("cost") is not None
    ]
    return told or None


def _exact(number: object) -> Fraction:
    """Return ccxt's number as it is written; None is 0."""
    return Fraction(0) if number is None else Fraction(str(number))


def _text(number: Fraction) -> str:
    """Return a decimal fraction as plain text."""
    units = number * 10**PLACES
    assert units.denominator == 1, number
    digits = f"{units.numerator:0{PLACES + 1}d}"
    return f"{digits[:-PLACES]}.{digits[-PLACES:]}".rstrip("0").rstrip(".")


def _steps(
    market: dict[str, Any], order: Order, fee: Fraction, mode: int
) -> tuple[Fraction, Fraction]:
    """Return amount and price in the exchange's steps, on our side of the limit."""
    import ccxt

    def step(name: str) -> Fraction:
        size = market["precision"].get(name)
        if size is None:
            return Fraction(1, 10**PLACES)
        is_size = mode == ccxt.TICK_SIZE
        return _exact(size) if is_size else Fraction(1, 10 ** int(size))

    amount = order.quantity // step("amount") * step("amount")
    if order.is_buy:
        price = order.limit * (1 - fee) // step("price") * step("price")
    else:
        price = -(-order.limit / (1 - fee) // step("price")) * step("price")
    return amount, price


def _moved(urls: Any, to: str) -> Any:  # noqa: ANN401 - ccxt's nested addresses
    """Return the addresses of an API with another host."""
    if isinstance(urls, dict):
        return {name: _moved(each, to) for name, each in urls.items()}
    if not isinstance(urls, str) or not urls.startswith("http"):
        return urls
    return to.rstrip("/") + urlsplit(urls).path

"""Orders: of the books (`client.orders`), and of the dealer and agency markets.

Promises: every order carries a client order id, made here if none is given, so that a try whose
answer was lost is found and never done twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final, TypeVar

from fondaco_client.calls import (
    Amount,
    Call,
    Group,
    Proof,
    Request,
    decimal_text,
    encoded,
    get,
    post,
    reading,
    route,
)
from fondaco_client.shapes import AccountBalances, Fill, Order, OutsideOrder

__all__ = ["Orders", "OutsideOrders", "new_client_order_id"]

K = TypeVar("K")
PATH: Final = "/api/v3/order"


def new_client_order_id() -> str:
    """Return a name for an order that nobody else has."""
    return f"fc-{secrets.token_hex(12)}"


def _named(symbol: str, order_id: int | None, client_order_id: str | None) -> dict[str, object]:
    if (order_id is None) == (client_order_id is None):
        raise ValueError("name the order by order_id or by client_order_id, and by one of them")
    return {"symbol": symbol, "orderId": order_id, "origClientOrderId": client_order_id}


def _texts(**amounts: Amount | None) -> dict[str, str | None]:
    return {
        name: None if value is None else decimal_text(name, value)
        for name, value in amounts.items()
    }


class Orders(Group[K]):
    """`client.orders`: the order books. Wants an API key with the scope `read` or `trade`.

    Prices are in quote, quantities in base, as Decimal, int or text. Raises InsufficientBalance,
    Unfit (a filter), OrderNotFound, Unauthorised, NotExecuted, OutcomeUnknown.
    """

    @route
    def place(
        self,
        symbol: str,
        side: str,
        order_type: str = "LIMIT",
        *,
        quantity: Amount | None = None,
        price: Amount | None = None,
        quote_quantity: Amount | None = None,
        stop_price: Amount | None = None,
        time_in_force: str | None = None,
        client_order_id: str | None = None,
        self_trade_prevention: str | None = None,
    ) -> Call[Order]:
        """Place an order; it is durable when this returns, with the trades that it made.

        A LIMIT is GTC unless time_in_force says IOC or FOK. A MARKET order takes quantity, or
        quote_quantity to spend or to get. If an answer is lost, the same order is sent again under
        its client order id, and the first one is told if it had arrived (then without `fills`).
        """
        name = client_order_id or new_client_order_id()
        if order_type == "LIMIT" and time_in_force is None:
            time_in_force = "GTC"
        words: Mapping[str, object] = {
            "symbol": symbol,
            "side": side,
            "type": order_type,
            "timeInForce": time_in_force,
            **_texts(
                quantity=quantity,
                price=price,
                quoteOrderQty=quote_quantity,
                stopPrice=stop_price,
            ),
            "newClientOrderId": name,
            "selfTradePreventionMode": self_trade_prevention,
            "newOrderRespType": "FULL",
        }
        request = Request("POST", PATH, encoded(words), proof=Proof.OWN)
        found = get(PATH, reading(Order), query=_named(symbol, None, name))
        return Call(request, reading(Order), after_duplicate=found)

    @route
    def one(
        self, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> Call[Order]:
        """Return an order as it is now. Raises OrderNotFound."""
        return get(PATH, reading(Order), query=_named(symbol, order_id, client_order_id))

    @route
    def cancel(
        self, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> Call[Order]:
        """Cancel an open order. Raises OrderNotFound if it is gone already.

        It isn't sent again after a lost answer: OutcomeUnknown, and `one` tells.
        """
        words = encoded(_named(symbol, order_id, client_order_id))
        return Call(Request("DELETE", PATH, words, proof=Proof.OWN), reading(Order))

    @route
    def cancel_all(self, symbol: str) -> Call[tuple[Order, ...]]:
        """Cancel all open orders of an instrument. Raises OrderNotFound if there are none."""
        request = Request(
            "DELETE", "/api/v3/openOrders", encoded({"symbol": symbol}), proof=Proof.OWN
        )
        return Call(request, reading(tuple[Order, ...]))

    @route
    def open(self, symbol: str | None = None) -> Call[tuple[Order, ...]]:
        """Return the open orders, of one instrument or of all."""
        return get("/api/v3/openOrders", reading(tuple[Order, ...]), query={"symbol": symbol})

    @route
    def history(
        self,
        symbol: str,
        *,
        from_order_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> Call[tuple[Order, ...]]:
        """Return orders of any status, oldest first."""
        query = {
            "symbol": symbol,
            "orderId": from_order_id,
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": limit,
        }
        return get("/api/v3/allOrders", reading(tuple[Order, ...]), query=query)

    @route
    def fills(
        self,
        symbol: str,
        *,
        order_id: int | None = None,
        from_trade_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> Call[tuple[Fill, ...]]:
        """Return own fills, oldest first; 1000 at most. Fees are of the received asset."""
        query = {
            "symbol": symbol,
            "orderId": order_id,
            "fromId": from_trade_id,
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": limit,
        }
        return get("/api/v3/myTrades", reading(tuple[Fill, ...]), query=query)

    @route
    def balances(self, *, omit_zero: bool = True) -> Call[AccountBalances]:
        """Return what the key's account has free and held."""
        query = {"omitZeroBalances": omit_zero}
        return get("/api/v3/account", reading(AccountBalances), query=query)


class OutsideOrders(Group[K]):
    """`client.outside_orders`: the dealer and agency markets.

    Raises Unfit with `fields`, Conflict, NotFound.
    """

    @route
    def place(
        self,
        symbol: str,
        side: str,
        *,
        quantity: Amount,
        upper_bound: Amount | None = None,
        lower_bound: Amount | None = None,
        client_order_id: str | None = None,
    ) -> Call[OutsideOrder]:
        """Place an order: on a dealer market with bounds of the price, on an agency one without.

        Repeated with the same client order id, the house answers with the first one.
        """
        body = {
            "symbol": symbol,
            "side": side,
            **_texts(quantity=quantity, upper_bound=upper_bound, lower_bound=lower_bound),
            "client_order_id": client_order_id or new_client_order_id(),
        }
        return post("/api/v1/orders/", reading(OutsideOrder), body, is_repeatable=True)

    @route
    def recent(
        self, *, symbol: str | None = None, limit: int = 100
    ) -> Call[tuple[OutsideOrder, ...]]:
        """Return own orders, newest first, with why they wait; 1000 at most."""
        query = {"symbol": symbol, "limit": limit}
        return get("/api/v1/orders/", reading(tuple[OutsideOrder, ...]), query=query)

    @route
    def one(self, order_id: int) -> Call[OutsideOrder]:
        """Return an order as it is now."""
        return get(f"/api/v1/orders/{order_id}/", reading(OutsideOrder))

    @route
    def cancel(self, order_id: int) -> Call[OutsideOrder]:
        """Cancel an order while it waits. Raises Conflict after."""
        return post(f"/api/v1/orders/{order_id}/", reading(OutsideOrder), method="DELETE")

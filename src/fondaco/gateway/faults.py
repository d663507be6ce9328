"""What the Binance-style routes answer when they refuse: codes, texts, HTTP statuses.

Promises: one place knows these spellings; every Reason of the core has its code and text here (a
test walks the enumeration). Clients act on the texts as well as on the codes, so they are fixed.
A request that can't prove who sent it gets 401, everything else that is the client's fault 400.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fondaco.core.records import Command, Reason

__all__ = [
    "Fault",
    "bad_characters",
    "mandatory",
    "not_executed",
    "not_served",
    "of_reason",
    "outcome_unknown",
    "starting",
    "too_many_orders",
    "too_many_requests",
]


class Fault(Exception):
    """A refusal on its way to a client."""

    __slots__ = ("code", "field", "headers", "status", "text")

    def __init__(
        self,
        code: int,
        text: str,
        *,
        status: int = 400,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        field: str = "",
    ) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.status = status
        self.headers = headers
        self.field = field

    def body(self) -> bytes:
        """Return the JSON of it."""
        return msgspec.json.encode({"code": self.code, "msg": self.text})

    def native_body(self) -> bytes:
        """Return the JSON of it on the house's own routes."""
        if self.field:
            return msgspec.json.encode({self.field: [self.text]})
        return msgspec.json.encode({"detail" if self.status == 404 else "error": self.text})


NUMBER_RANGE: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_ID_RANGE: Final = "^[a-zA-Z0-9-_]{1,36}$"

INVALID_SYMBOL: Final = (-1121, "Invalid symbol.")
INVALID_SIDE: Final = (-1117, "Invalid side.")
INVALID_TYPE: Final = (-1116, "Invalid orderType.")
INVALID_TIME_IN_FORCE: Final = (-1115, "Invalid timeInForce.")
INVALID_INTERVAL: Final = (-1120, "Invalid interval.")
INVALID_LISTEN_KEY: Final = (-1125, "This listenKey does not exist.")
INVALID_REPLY_TYPE: Final = (-1136, "Invalid newOrderRespType.")
COMBINATION: Final = (-1128, "Combination of optional parameters invalid.")
NO_SUCH_ORDER: Final = (-2013, "Order does not exist.")
NO_SUCH_LIST: Final = (-2013, "Order list does not exist.")
UNKNOWN_LIST: Final = (-2011, "Unknown order list sent.")
UNKNOWN_ORDER: Final = (-2011, "Unknown order sent.")
DUPLICATE: Final = (-2010, "Duplicate order sent.")
MARKET_CLOSED: Final = (-2010, "Market is closed.")
NO_BALANCE: Final = (-2010, "Account has insufficient balance for requested action.")
OVERLOADED: Final = (
    -1008,
    "Server is currently overloaded with other requests. Please try again in a few minutes.",
)
UNKNOWN_OUTCOME: Final = (
    -1007,
    (
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown."
    ),
)
BAD_KEY_FORMAT: Final = (-2014, "API-key format invalid.")
BAD_KEY: Final = (-2015, "Invalid API-key, IP, or permissions for action.")
BAD_SIGNATURE: Final = (-1022, "Signature for this request is not valid.")
OUTSIDE_WINDOW: Final = (-1021, "Timestamp for this request is outside of the recvWindow.")
AHEAD: Final = (-1021, "Timestamp for this request was 1000ms ahead of the server's time.")

PRICE_FILTER: Final = (-1013, "Filter failure: PRICE_FILTER")
LOT_SIZE: Final = (-1013, "Filter failure: LOT_SIZE")
NOTIONAL: Final = (-1013, "Filter failure: NOTIONAL")

# What the core's named reasons are called here. NEW_ORDER's; a cancel has its own below.
_REASONS: Final[dict[Reason, tuple[int, str]]] = {
    Reason.UNKNOWN_COMMAND: (-1020, "This operation is not supported."),
    Reason.UNKNOWN_ACCOUNT: BAD_KEY,
    Reason.UNKNOWN_INSTRUMENT: INVALID_SYMBOL,
    Reason.UNKNOWN_ASSET: (-1108, "Invalid asset."),
    Reason.UNKNOWN_ORDER: UNKNOWN_ORDER,
    Reason.UNKNOWN_KEY: BAD_KEY,
    Reason.KEY_SCOPE: BAD_KEY,
    Reason.INVALID_SIDE: INVALID_SIDE,
    Reason.INVALID_TYPE: INVALID_TYPE,
    Reason.INVALID_TIME_IN_FORCE: INVALID_TIME_IN_FORCE,
    Reason.INVALID_SELF_TRADE: (-1130, "Invalid data sent for parameter selfTradePreventionMode."),
    Reason.INVALID_PRICE: PRICE_FILTER,
    Reason.INVALID_QUANTITY: LOT_SIZE,
    Reason.INVALID_QUOTE_QUANTITY: NOTIONAL,
    Reason.INVALID_STOP_PRICE: PRICE_FILTER,
    Reason.PRICE_OUT_OF_RANGE: PRICE_FILTER,
    Reason.QUANTITY_OUT_OF_RANGE: LOT_SIZE,
    Reason.NOTIONAL_TOO_SMALL: NOTIONAL,
    Reason.NOTIONAL_TOO_LARGE: NOTIONAL,
    Reason.INSUFFICIENT_BALANCE: NO_BALANCE,
    Reason.WOULD_MATCH: (-2010, "Order would immediately match and take."),
    Reason.WOULD_TRIGGER: (-2010, "Stop price would trigger immediately."),
    Reason.NO_LIQUIDITY: (-2010, "No orders on book for symbol."),
    Reason.DUPLICATE_ORDER: DUPLICATE,
    Reason.CLIENT_ORDER_ID_OPEN: DUPLICATE,
    Reason.MARKET_CLOSED: MARKET_CLOSED,
    Reason.TOO_MANY_ORDERS: (-1013, "Filter failure: MAX_NUM_ORDERS"),
    Reason.NOT_REDUCED: (-2038, "The requested action would change no state; rejecting."),
    Reason.DUPLICATE_ENTRY: (-1130, "This entry was made before."),
    Reason.ENTRY_CONFLICT: (-1130, "This entry was made before with other values."),
    Reason.INVALID_ENTRY: (-1130, "Invalid data sent for parameter entry."),
    Reason.INVALID_AMOUNT: (-1130, "Invalid data sent for parameter amount."),
    Reason.TOTAL_TOO_LARGE: (-1130, "The asset's total in the house would be too large."),
    Reason.INVALID_DEFINITION: (-1130, "The definition is not valid."),
    Reason.DEFINITION_CONFLICT: (-1130, "The definition conflicts with the existing one."),
    Reason.CAPACITY: (-2010, "The house has reached a limit of its capacity."),
    Reason.FROZEN: (-2010, "This action is disabled on this account."),
    Reason.NOT_SUPPORTED: (-1020, "This operation is not supported."),
    Reason.ACCOUNT_EXISTS: (-1130, "The account exists."),
    Reason.INVALID_BODY: (-1130, "The definition can't be read."),
    Reason.DUPLICATE_QUOTE: (-1130, "This message was taken before."),
    Reason.INVALID_TIME: (-1130, "Invalid data sent for parameter message time."),
    Reason.NO_REFERENCE: (-2010, "There is no reference price for this symbol yet."),
    Reason.ORDER_SENT: (-2011, "The order was sent to its venue."),
    Reason.UNKNOWN_VENUE_ORDER: (-2013, "Order does not exist."),
    Reason.VENUE_ORDER_CLOSED: (-1130, "The venue order is closed."),
    Reason.VENUE_ORDER_STATE: (-1130, "The venue order's status does not allow this."),
    Reason.STALE_REPORT: (-1130, "The report says nothing new."),
    Reason.EXCESSIVE_REPORT: (-1130, "The report says more than was ordered."),
    Reason.NOT_ROBOT: (-1130, "This account is not a robot's."),
    Reason.NOT_ROBOT_MARKET: (-2010, "This robot does not trade this symbol."),
    Reason.DAY_STOP: (-2010, "The robot has reached its loss limit of the day."),
    Reason.MONTH_STOP: (-2010, "The robot has reached its loss limit of the month."),
    Reason.SELL_CAP: (-2010, "The robot would sell more this month than it may."),
    Reason.REDUCE_ONLY: (-2010, "The robot's kill switch is on: it may only reduce."),
    Reason.TOO_MANY_ORDERS_TODAY: (-2010, "The robot has placed as many orders today as it may."),
    Reason.STALE_FENCE: (-2010, "The robot's lock has another holder."),
    Reason.LOCK_HELD: (-1130, "The robot's lock has a holder."),
    Reason.INVALID_FLAGS: (-1130, "Invalid data sent for parameter flags."),
    Reason.INVALID_LIST: (-1014, "Unsupported order combination."),
    Reason.LIST_PRICES: (
        -2010,
        "The relationship of the prices for the orders is not correct.",
    ),
    Reason.ORDER_IN_LIST: (-2038, "An order of a list can't be amended: cancel the list."),
    Reason.MAINTENANCE: MARKET_CLOSED,
}
_KEY_REASONS: Final = {Reason.UNKNOWN_KEY, Reason.KEY_SCOPE, Reason.UNKNOWN_ACCOUNT}


def of_reason(reason: int, command: int) -> Fault:
    """Return the refusal of a command by the core."""
    code, text = _REASONS.get(Reason(reason), (-1000, "The order was refused."))
    if reason in _KEY_REASONS:
        return Fault(code, text, status=401)
    if command == Command.CANCEL_LIST and reason == Reason.UNKNOWN_ORDER:
        return Fault(*UNKNOWN_LIST)
    if command in {Command.CANCEL_ORDER, Command.CANCEL_LIST} and code == -2010:
        code = -2011
    return Fault(code, text)


def mandatory(name: str) -> Fault:
    """Return the refusal of a parameter that is missing or unreadable."""
    return Fault(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def bad_characters(name: str, legal: str = NUMBER_RANGE) -> Fault:
    return Fault(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def too_precise(name: str) -> Fault:
    return Fault(-1111, f"Parameter '{name}' has too much precision.")


def not_required(name: str) -> Fault:
    return Fault(-1106, f"Parameter '{name}' sent when not required.")


def not_served(name: str) -> Fault:
    """Return the refusal of something that Binance has and this house has not."""
    return Fault(-1020, f"This operation is not supported: leave parameter '{name}' out.")


def starting(why: str = "") -> Fault:
    """Return -1008 of a house that is not up yet: nothing was executed."""
    text = f"The house is starting{why and f': {why}'}. Please try again in a few seconds."
    return Fault(-1008, text, status=503, headers=((b"retry-after", b"1"),))


def not_executed() -> Fault:
    """Return -1008: the command was not executed."""
    return Fault(*OVERLOADED, status=503, headers=((b"retry-after", b"1"),))


def outcome_unknown() -> Fault:
    """Return -1007: nobody knows; the client asks by its client order id."""
    return Fault(*UNKNOWN_OUTCOME, status=504)


def too_many_requests(limit: int, what: str, retry_after_s: int) -> Fault:
    text = (
        f"Too much request weight used; current limit is {limit} {what}. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return Fault(-1003, text, status=429, headers=((b"retry-after", str(retry_after_s).encode()),))


def too_many_orders(limit: int, window: str, retry_after_s: int) -> Fault:
    text = f"Too many new orders; current limit is {limit} orders per {window}."
    return Fault(-1015, text, status=429, headers=((b"retry-after", str(retry_after_s).encode()),))

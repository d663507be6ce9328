"""A typed client of a Fondaco house: strategy reports, the native API, orders, streams, frames.

    with Client("https://house.example", ApiKey(key, secret)) as client:
        client.orders.place("BTCUSDT", "BUY", quantity="0.001", price="50000")

`Client` waits, `AsyncClient` is for asyncio; both have the same routes. It imports nothing of the
house, keeps no state of the market, and repeats a request only where that is safe.
"""

from fondaco_client.clients import AsyncClient, Client
from fondaco_client.credentials import ApiKey, Credentials, Ed25519Key, Token
from fondaco_client.errors import (
    Conflict,
    DuplicateOrder,
    FondacoError,
    Forbidden,
    InsufficientBalance,
    NotExecuted,
    NotFound,
    NotSent,
    OrderNotFound,
    OutcomeUnknown,
    OutsideWindow,
    Refused,
    ReportsUndelivered,
    StreamEnded,
    TooManyRequests,
    Unauthorised,
    Unfit,
    Unreadable,
)
from fondaco_client.flow import Retrying
from fondaco_client.report_queue import AsyncReportQueue, ReportQueue
from fondaco_client.reports import Report, history_pieces

__all__ = [
    "ApiKey",
    "AsyncClient",
    "AsyncReportQueue",
    "Client",
    "Conflict",
    "Credentials",
    "DuplicateOrder",
    "Ed25519Key",
    "FondacoError",
    "Forbidden",
    "InsufficientBalance",
    "NotExecuted",
    "NotFound",
    "NotSent",
    "OrderNotFound",
    "OutcomeUnknown",
    "OutsideWindow",
    "Refused",
    "Report",
    "ReportQueue",
    "ReportsUndelivered",
    "Retrying",
    "StreamEnded",
    "Token",
    "TooManyRequests",
    "Unauthorised",
    "Unfit",
    "Unreadable",
    "history_pieces",
]

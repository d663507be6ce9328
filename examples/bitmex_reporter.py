"""Reports a BitMEX account to a house once a minute, as a strategy that runs elsewhere.

    FONDACO_URL=https://house.example FONDACO_STRATEGY_TOKEN=… \
    BITMEX_API_KEY=… BITMEX_API_SECRET=… python examples/bitmex_reporter.py XBTUSD reports.db

Promises: BitMEX's numbers are read as exact decimals, amounts in satoshi become USD at the last
price, and a report that was made is kept in the file until the house has it. It places no orders.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from os import environ
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec

from fondaco_client import Client, Report, ReportQueue

BITMEX: Final = "https://www.bitmex.com"
EVERY_S: Final = 60
SIGNED_FOR_S: Final = 30
SATOSHI: Final = Decimal(100_000_000)
CENT: Final = Decimal("0.01")
_exact: Final = msgspec.json.Decoder(Any, float_hook=Decimal).decode


class BitMex:
    """Signed reads of one account."""

    def __init__(self, http: httpx.Client, key: str, secret: str) -> None:
        self._http = http
        self._key = key
        self._secret = secret

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - BitMEX's own shapes
        """Return an answer with exact numbers. Raises httpx.HTTPError."""
        target = f"/api/v1/{path}?{urlencode(query)}"
        expires = str(int(time.time()) + SIGNED_FOR_S)
        signature = hmac.new(
            self._secret.encode(), f"GET{target}{expires}".encode(), hashlib.sha256
        ).hexdigest()
        headers = {
            "api-key": self._key,
            "api-expires": expires,
            "api-signature": signature,
        }
        answer = self._http.get(BITMEX + target, headers=headers)
        answer.raise_for_status()
        return _exact(answer.content)


def usd(satoshi: int | Decimal | None, last: Decimal) -> Decimal:
    """Return an amount of XBt in USD, to the cent; none is 0."""
    return round(Decimal(satoshi or 0) / SATOSHI * last, 2).quantize(CENT)


def report_of(
    symbol: str,
    *,
    instrument: Mapping[str, Any],
    margin: Mapping[str, Any],
    position: Mapping[str, Any] | None,
) -> Report:
    """Return the report of what BitMEX says: one of instrument, user/margin and position each."""
    held = position or {}
    last = Decimal(instrument["lastPrice"])
    return Report.of(
        symbol=symbol,
        last_price=last,
        margin_balance=usd(margin["marginBalance"], last),
        wallet_balance=usd(margin["walletBalance"], last),
        realised_pnl=usd(held.get("realisedPnl"), last),
        positions=held.get("currentQty") or 0,
        average_entry_price=Decimal(held.get("avgEntryPrice") or 0),
    )


def read_report(bitmex: BitMex, symbol: str) -> Report:
    """Ask BitMEX and return the report."""
    [instrument] = bitmex.get("instrument", symbol=symbol)
    positions = bitmex.get("position", filter=f'{{"symbol":"{symbol}"}}')
    margin = bitmex.get("user/margin", currency="XBt")
    return report_of(
        symbol, instrument=instrument, margin=margin, position=positions[0] if positions else None
    )


def run(symbol: str, path: str) -> None:
    """Report until stopped."""
    with httpx.Client(timeout=10) as http, Client() as house, ReportQueue(house, path) as queue:
        bitmex = BitMex(http, environ["BITMEX_API_KEY"], environ["BITMEX_API_SECRET"])
        while True:
            try:
                queue.put(read_report(bitmex, symbol))
            except httpx.HTTPError as error:
                print(f"BitMEX didn't answer, the next minute will: {error}", file=sys.stderr)
            time.sleep(EVERY_S - time.time() % EVERY_S)


if __name__ == "__main__":
    run(*sys.argv[1:3])

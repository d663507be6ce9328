"""Reports for tests: made up, stored, and summed up again the slow way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fondaco.strategies.models import LENGTHS_S
from fondaco.strategies.reports import Incoming
from fondaco.strategies.services import digest_of

__all__ = ["MINUTE_US", "NOON_US", "PeriodTruth", "periods_of", "report"]

NOON_US: Final = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
MINUTE_US: Final = 60_000_000
PeriodTruth = dict[tuple[int, int], dict[str, int]]


def report(
    token: str,
    created_us: int,
    wallet: int,
    margin: int = 0,
    *,
    stamped: bool = False,
    symbol: str = "XBTUSD",
) -> Incoming:
    values = (created_us % 1_000, margin, wallet, 3, 4, 5)
    return Incoming(digest_of(token), created_us, stamped, values, symbol)


def periods_of(rows: Mapping[int, tuple[int, ...]]) -> PeriodTruth:
    """Return (length, start) -> what a period must say, recomputed from the reports alone."""
    found: PeriodTruth = {}
    for length_s in LENGTHS_S:
        length_us = length_s * 1_000_000
        for start in {time // length_us * length_us for time in rows}:
            inside = sorted(time for time in rows if start <= time < start + length_us)
            wallets = [rows[time][2] for time in inside]
            margins = [rows[time][1] for time in inside]
            last = rows[inside[-1]]
            found[length_s, start] = {
                "first_us": inside[0],
                "last_us": inside[-1],
                "wallet_first": wallets[0],
                "wallet_min": min(wallets),
                "wallet_max": max(wallets),
                "margin_first": margins[0],
                "margin_min": min(margins),
                "margin_max": max(margins),
                "last_price": last[0],
                "margin_balance": last[1],
                "wallet_balance": last[2],
            }
    return found

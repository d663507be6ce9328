"""What a house file may say, table by table, as frozen structs.

Promises: every key of the contract has its field and its default here, and no other key passes.
Amounts, rates, prices and sizes are decimal text, exactly as written. It does not check values
against each other (house.checks) nor read files (house.file).
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

__all__ = [
    "ApiKeyEntry",
    "AssetEntry",
    "BrokerageAccountEntry",
    "FeedEntry",
    "House",
    "HouseSettings",
    "InstrumentEntry",
    "MemberEntry",
    "RobotEntry",
    "StrategyEntry",
    "TokenEntry",
    "VenueEntry",
]

Role = Literal["member", "moderator", "admin"]
KeyScope = Literal["read", "trade", "withdraw"]
TokenScope = Literal["read", "trade", "withdraw", "signals", "staff"]


class HouseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    base_url: str = "http://127.0.0.1:8000"
    time_zone: str = "UTC"
    cash: str = "USD"
    open_api: bool = False
    payments: Literal["sandbox", "stripe"] = "sandbox"
    rate_limits: bool = True
    staff_mfa: bool = True
    edges: int = 1
    address_limit_1m: int = 6000
    clock: Literal["system", "test"] = "system"
    withdrawal_delay_s: int = 3600
    signal_age_s_max: int = 120  # older than this no signal sets a robot going; 0: any age
    own_signals: Literal["", "technical_ratings", "technical_ratings_v1", "robot"] = ""
    own_signals_interval: Literal["1m", "5m", "15m", "30m", "1h", "6h", "1d"] = "1h"
    reports_days: int = 0  # how long strategies' reports are kept one by one; 0: for ever
    report_hours_days: int = 0  # and their hours; their days always


class AssetEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: str
    decimals: int = 8
    second_approver_above: str = ""  # deposits and withdrawals; empty: never


class InstrumentEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: str
    base: str
    quote: str
    market: Literal["book", "dealer", "agency"]
    tick_size: str
    lot_size: str
    min_notional: str = "0"
    maker_fee: str = "0"
    taker_fee: str = "0"
    max_open_orders: int = 200
    stop_band: str = "0.05"  # what a market stop that buys holds above its stop price
    status: Literal["TRADING", "HALT", "BREAK", "END_OF_DAY"] = "TRADING"
    name: str = ""
    stock_id: str = ""
    inventory_limit: str = ""  # dealer: of the base, either way; empty: none
    venue: str = ""
    reference_price: str = ""


class VenueEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    kind: Literal["simulated", "ccxt"] = "simulated"
    exchange: str = ""
    latency_s: float = 0
    min_notional: str = "0"
    slippage: str = "0"
    pool_timeout_s: float = 3600
    pool_timeout: Literal["refund", "flush"] = "refund"
    script: tuple[str, ...] = ()


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["mqtt", "signals"]
    topic: str
    url: str = ""  # mqtt(s)://user:password@host:port; empty: FONDACO_MQTT_URL, which goes first
    client_id: str = ""  # of our session at the broker; empty: made of the house and the topic
    # Of a stock that the feed lists; its quote is the house's cash.
    tick_size: str = "0.01"
    lot_size: str = "1"
    inventory_limit: str = ""


class ApiKeyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: str
    secret: str = ""
    public_key: str = ""  # Ed25519, PEM
    account: str = "spot"  # another name: a sub-account of the member's, opened if it is missing
    addresses: tuple[str, ...] = ()  # addresses or networks; none = from anywhere
    expires_at: dt.datetime | None = None  # without a zone: UTC
    scopes: tuple[KeyScope, ...] = ("read", "trade")
    order_limit_10s: int = 100
    order_limit_1d: int = 200_000
    weight_limit_1m: int = 6000


class TokenEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: str
    scopes: tuple[TokenScope, ...] = ("read",)


class RobotEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    kind: Literal["signal", "rule"] = "signal"
    rule: str = ""
    active: bool = True
    mode: Literal["live", "paper"] = "live"  # on paper the allotment is a figure: no money moves
    config: dict[str, Any] = {}
    allotment: dict[str, str] = {}
    locked: bool = False
    locked_until: dt.datetime | None = None


class BrokerageAccountEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


class StrategyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    brokerage_account: str = ""
    symbol: str = ""
    access_token: str = ""


class MemberEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    username: str
    email: str
    password: str = ""
    roles: tuple[Role, ...] = ("member",)
    membership_until: dt.date | None = None
    invite_code: str = ""
    balances: dict[str, str] = {}
    api_keys: tuple[ApiKeyEntry, ...] = ()
    tokens: tuple[TokenEntry, ...] = ()
    robots: tuple[RobotEntry, ...] = ()
    brokerage_accounts: tuple[BrokerageAccountEntry, ...] = ()
    strategies: tuple[StrategyEntry, ...] = ()


class House(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole house file. `assets` here are the declared ones; house.assets() adds the named."""

    house: HouseSettings
    assets: tuple[AssetEntry, ...] = ()
    instruments: tuple[InstrumentEntry, ...] = ()
    venues: tuple[VenueEntry, ...] = ()
    feeds: tuple[FeedEntry, ...] = ()
    members: tuple[MemberEntry, ...] = ()

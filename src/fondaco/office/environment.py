"""What the office reads from its environment, checked once, before Django starts.

Promises: a missing or unfit variable raises ImproperlyConfigured with one sentence that says what
to do; nothing secret has a default. It does not read the house file: the parent process passes on
what the office needs of it.

    FONDACO_DATA          the data directory (required)
    FONDACO_SECRET_KEY    at least 32 bytes (required)
    FONDACO_BASE_URL      where people reach the house; http://127.0.0.1:8000 by default
    FONDACO_HOUSE_NAME    shown on the pages; Fondaco by default
    FONDACO_RATE_LIMITS   0 = sign-ins aren't limited; the parent takes it from the house file
    FONDACO_PAYMENTS      sandbox (the default) or stripe
    STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY, STRIPE_WEBHOOK_SECRET
                          required with stripe; STRIPE_API_BASE overrides Stripe's address
    FONDACO_SANDBOX_SECRET  key of the sandbox and of its webhooks; derived from the secret key
                          when absent
    FONDACO_TREASURY      {"delay_s": n, "limits": {asset: units}}: how long a withdrawal waits, and
                          above which amounts a second person must approve
    FONDACO_CASH          the code of the house's cash; USD by default
    FONDACO_TIME_ZONE     the house's time zone, by which days of statistics end; UTC by default
    FONDACO_REPORTS_DAYS  for how many days strategies' reports are kept one by one; 0 = for ever
    FONDACO_REPORT_HOURS_DAYS  the same of their hours; their days always are
    FONDACO_OPEN_API      1 = the routes of api.open_door need no sign-in on loopback; the parent
                          takes it from the house file
    FONDACO_WEBHOOKS_TO_LOOPBACK  1 = members' webhooks may go to this machine, also by http: the
                          parent says so for a demo and for a loosened house on loopback
    FONDACO_TEST_CLOCK    1 = the house's time is its journal's, which tests move; the parent takes
                          it from the house file
    FONDACO_DATABASE_URL  postgresql://user:password@host:port/name; SQLite in the data
                          directory when absent
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

__all__ = [
    "PaymentSettings",
    "ReportsKept",
    "TreasurySettings",
    "base_url",
    "cash",
    "data_dir",
    "databases",
    "host_of",
    "house_name",
    "is_loopback",
    "open_api",
    "payments",
    "rate_limits",
    "reports_kept",
    "secret_key",
    "test_clock",
    "time_zone",
    "treasury",
    "webhooks_to_loopback",
    "websocket_origin",
]

SECRET_KEY_BYTES_MIN: Final = 32
WITHDRAWAL_DELAY_S: Final = 3600  # the house file's default
BUSY_TIMEOUT_S: Final = 20  # a page waits this long for another process's write, then fails

# Every commit of the office is on disk when it returns: members and keys have no other source.
# The log is folded into the file every 4,000 pages: each time costs what some commits cost.
_OFFICE_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"
)
# Projections are rebuilt from events: a power cut may cost the last of them, never their shape.
# 64 MiB of cache keep the indexes of some million orders in memory; the log is folded into the
# file every 4,000 pages, so that the projector seldom waits for the disk.
_PROJECTIONS_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"
    "PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY;"
)


class TreasurySettings(NamedTuple):
    """How long a withdrawal waits, and above what, in units, a second person must approve."""

    delay_s: int
    limits: dict[str, int]


class ReportsKept(NamedTuple):
    """For how many days strategies' reports and their hours are kept; 0 = for ever."""

    days: int
    hours_days: int


class PaymentSettings(NamedTuple):
    """How memberships are paid; empty where the provider needs it not."""

    provider: str
    secret_key: str
    publishable_key: str
    webhook_secret: str
    api_base: str
    sandbox_secret: str


def _required(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {what}")
    return value


def data_dir() -> Path:
    """Return the data directory, absolute."""
    return Path(_required("FONDACO_DATA", "give the data directory of the house")).resolve()


def secret_key() -> str:
    """Return the key that signs sessions and from which the key of API secrets is derived."""
    value = _required("FONDACO_SECRET_KEY", "give at least 32 random bytes")
    size = len(value.encode())
    if size < SECRET_KEY_BYTES_MIN:
        raise ImproperlyConfigured(
            f"FONDACO_SECRET_KEY has {size} bytes; give at least {SECRET_KEY_BYTES_MIN} random ones"
        )
    return value


def house_name() -> str:
    """Return the name that pages show."""
    return os.environ.get("FONDACO_HOUSE_NAME") or "Fondaco"


def rate_limits() -> bool:
    """Return whether the tries to sign in are limited."""
    return os.environ.get("FONDACO_RATE_LIMITS", "") != "0"


def base_url() -> str:
    """Return where people reach the house, without a slash at its end."""
    value = (os.environ.get("FONDACO_BASE_URL") or "http://127.0.0.1:8000").rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(
            f"FONDACO_BASE_URL is {value!r}; give http://host:port or https://host"
        )
    return value


def host_of(url: str) -> str:
    """Return the host of a URL as Django wants it: an IPv6 address in brackets."""
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host


def websocket_origin(url: str) -> str:
    """Return the origin of the house's WebSockets, for pages whose 'self' doesn't cover them."""
    parts = urlsplit(url)
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"


def payments(house_key: str) -> PaymentSettings:
    """Return how memberships are paid; the sandbox's secret is derived where none is given."""
    provider = os.environ.get("FONDACO_PAYMENTS") or "sandbox"
    if provider not in {"sandbox", "stripe"}:
        raise ImproperlyConfigured(f"FONDACO_PAYMENTS is {provider!r}; give sandbox or stripe")
    keys = ["", "", ""]
    if provider == "stripe":
        names = ("STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET")
        keys = [_required(name, "payments = stripe needs it") for name in names]
    derived = hmac.new(house_key.encode(), b"fondaco sandbox payments", hashlib.sha256).hexdigest()
    return PaymentSettings(
        provider=provider,
        secret_key=keys[0],
        publishable_key=keys[1],
        webhook_secret=keys[2],
        api_base=os.environ.get("STRIPE_API_BASE", ""),
        sandbox_secret=os.environ.get("FONDACO_SANDBOX_SECRET") or f"whsec_{derived}",
    )


def treasury() -> TreasurySettings:
    """Return the rules of deposits and withdrawals; strict where the parent says nothing."""
    text = os.environ.get("FONDACO_TREASURY", "")
    found = json.loads(text) if text else {}
    return TreasurySettings(found.get("delay_s", WITHDRAWAL_DELAY_S), found.get("limits", {}))


def webhooks_to_loopback() -> bool:
    """Return whether members' webhooks may go to this machine."""
    return os.environ.get("FONDACO_WEBHOOKS_TO_LOOPBACK", "") == "1" and is_loopback(base_url())


def test_clock() -> bool:
    """Return whether tests move the house's time."""
    return os.environ.get("FONDACO_TEST_CLOCK", "") == "1"


def cash() -> str:
    """Return the code of the asset in which the house counts money."""
    return os.environ.get("FONDACO_CASH") or "USD"


def time_zone() -> ZoneInfo:
    """Return the house's time zone."""
    name = os.environ.get("FONDACO_TIME_ZONE") or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(
            f'FONDACO_TIME_ZONE is "{name}"; write one like "Europe/Rome" or "UTC"'
        ) from error


def reports_kept() -> ReportsKept:
    """Return how long what strategies reported is kept."""
    return ReportsKept(_days("FONDACO_REPORTS_DAYS"), _days("FONDACO_REPORT_HOURS_DAYS"))


def _days(name: str) -> int:
    text = os.environ.get(name) or "0"
    if not text.isdecimal():
        raise ImproperlyConfigured(f'{name} is "{text}"; write a number of days')
    return int(text)


def open_api() -> bool:
    """Return whether some routes need no sign-in; never in a house that others can reach."""
    return os.environ.get("FONDACO_OPEN_API", "") == "1" and is_loopback(base_url())


def is_loopback(url: str) -> bool:
    """Return whether the URL leads to this machine only."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def databases(data: Path) -> dict[str, dict[str, Any]]:
    """Return Django's two databases: the office's own rows, and what is rebuilt from events."""
    url = os.environ.get("FONDACO_DATABASE_URL", "")
    if url:
        return {
            "default": _postgresql(url, schema="public"),
            "projections": _postgresql(url, schema="projections"),
        }
    return {
        "default": _sqlite(data / "office.sqlite3", _OFFICE_PRAGMAS, mode="IMMEDIATE"),
        "projections": _sqlite(data / "projections.sqlite3", _PROJECTIONS_PRAGMAS, mode="DEFERRED"),
    }


def _sqlite(path: Path, pragmas: str, *, mode: str) -> dict[str, Any]:
    options = {"init_command": pragmas, "transaction_mode": mode, "timeout": BUSY_TIMEOUT_S}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": options,
        "CONN_MAX_AGE": None,
    }


def _postgresql(url: str, *, schema: str) -> dict[str, Any]:
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in {"postgres", "postgresql"} or not name:
        raise ImproperlyConfigured(
            "FONDACO_DATABASE_URL is not of the form postgresql://user:password@host:port/name"
        )
    query = dict(parse_qsl(parts.query))
    host = query.pop("host", "") or unquote(parts.hostname or "")
    settings = query.pop("options", "")
    options: dict[str, Any] = {**query, "options": f"{settings} -c search_path={schema}".strip()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }

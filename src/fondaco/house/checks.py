"""Whether the values of a house file fit each other.

Promises: check() returns nothing, or raises HouseFault with the path of the first value that can't
stand and a sentence that says what was found and what to do. It reads no file and no clock.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fondaco.core.records import ASSET_TOTAL_MAX, DECIMALS_MAX
from fondaco.house import feeds, markets
from fondaco.house.declared import (
    ApiKeyEntry,
    House,
    HouseSettings,
    MemberEntry,
    RobotEntry,
    VenueEntry,
)
from fondaco.house.errors import HouseFault
from fondaco.house.robots import LIMITS, ConfigFault, RobotConfig, read_config

__all__ = ["check", "is_loopback", "is_username", "loosened"]

Path = tuple[str | int, ...]

REPORTS_DAYS_MIN: Final = 32  # a dashboard shows 30
REPORT_HOURS_DAYS_MIN: Final = 62  # a record is drawn by the hour up to 46
EDGES_MAX: Final = 64  # one host; more machines are upstreams
NAME_LENGTH_MAX: Final = 64
_CODE: Final = re.compile(r"[A-Z0-9]{1,12}\Z")
_USERNAME: Final = re.compile(r"[\w.+-]{1,150}\Z")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\Z")
POOL_TIMEOUT_S_MAX: Final = 366 * 86_400
_FATE: Final = re.compile(r"(fill|reject|timeout|lost|duplicate|partial (0(\.[0-9]{1,9})?|1))\Z")
_ROBOT_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def check(house: House, *, host: str) -> None:
    _check_settings(house.house, host)
    _check_assets(house)
    decimals = {asset.code: asset.decimals for asset in markets.assets(house)}
    _check_venues(house.venues)
    _unique(("instruments",), "symbol", [each.symbol for each in house.instruments])
    venues = {venue.name: venue for venue in house.venues}
    for number, instrument in enumerate(house.instruments):
        markets.check_instrument(instrument, ("instruments", number), decimals, venues)
    feeds.check_feeds(house.feeds, house.house.cash, decimals)
    _check_members(house, decimals)
    _check_totals(house, decimals)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_username(text: str) -> bool:
    """Whether a text may be a member's user name."""
    return _USERNAME.match(text) is not None


def loosened(settings: HouseSettings) -> list[str]:
    """Return the names of the rules that a house has loosened: loopback may, others may not."""
    return [
        name
        for name, is_loose in (
            ("rate_limits", not settings.rate_limits),
            ("open_api", settings.open_api),
            ("staff_mfa", not settings.staff_mfa),
            ("clock", settings.clock != "system"),
        )
        if is_loose
    ]


def _check_settings(settings: HouseSettings, host: str) -> None:
    path: Path = ("house",)
    if not 1 <= len(settings.name) <= NAME_LENGTH_MAX:
        raise HouseFault((*path, "name"), f"house.name must have 1 to {NAME_LENGTH_MAX} characters")
    url = urlsplit(settings.base_url)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path not in {"", "/"}:
        raise HouseFault(
            (*path, "base_url"),
            f'base_url is "{settings.base_url}"; write it as "https://house.example"',
        )
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise HouseFault(
            (*path, "time_zone"),
            f'time_zone "{settings.time_zone}" is unknown; write one like "Europe/Rome" or "UTC"',
        ) from error
    _check_code(settings.cash, (*path, "cash"))
    if not 1 <= settings.edges <= EDGES_MAX:
        raise HouseFault(
            (*path, "edges"), f"edges is {settings.edges}; it must be 1 to {EDGES_MAX}"
        )
    _not_negative(settings.address_limit_1m, (*path, "address_limit_1m"))
    _not_negative(settings.withdrawal_delay_s, (*path, "withdrawal_delay_s"))
    _not_negative(settings.signal_age_s_max, (*path, "signal_age_s_max"))
    _check_kept("reports_days", settings.reports_days, REPORTS_DAYS_MIN)
    _check_kept("report_hours_days", settings.report_hours_days, REPORT_HOURS_DAYS_MIN)
    _check_exposure(settings, host, url.hostname)


def _check_kept(name: str, days: int, days_min: int) -> None:
    if days and days < days_min:
        raise HouseFault(
            ("house", name),
            f"{name} is {days}; it must be 0 (keep all) or at least {days_min}, "
            "as pages show what lies so far back",
        )


def _check_exposure(settings: HouseSettings, host: str, url_host: str) -> None:
    """Refuse what is loosened for development as soon as others could reach the house."""
    loose = loosened(settings)
    if not loose:
        return
    for what, name in (("--host", host), ("base_url's host", url_host)):
        if not is_loopback(name):
            raise HouseFault(
                ("house", loose[0]),
                f"{loose[0]} may be loosened only on loopback, but {what} is {name}; "
                f"use 127.0.0.1 or remove {loose[0]}",
            )


def _check_assets(house: House) -> None:
    for number, asset in enumerate(house.assets):
        path: Path = ("assets", number)
        _check_code(asset.code, (*path, "code"))
        if not 0 <= asset.decimals <= DECIMALS_MAX:
            raise HouseFault(
                (*path, "decimals"),
                f"{asset.code} has {asset.decimals} decimals; it must be 0 to {DECIMALS_MAX}",
            )
        limit = asset.second_approver_above
        if limit:
            where = (*path, "second_approver_above")
            markets.units(limit, asset.decimals, where, what=f"limit of {asset.code}")
    _unique(("assets",), "code", [asset.code for asset in house.assets])


def _check_venues(venues: Sequence[VenueEntry]) -> None:
    for number, venue in enumerate(venues):
        path: Path = ("venues", number)
        if venue.kind == "ccxt" and not venue.exchange:
            raise HouseFault(path, f'venue "{venue.name}" is of kind ccxt and lacks exchange = "…"')
        for name in ("latency_s", "pool_timeout_s"):
            if not 0 <= getattr(venue, name) < float("inf"):
                raise HouseFault((*path, name), f'{name} of venue "{venue.name}" must be 0 or more')
        if venue.pool_timeout_s > POOL_TIMEOUT_S_MAX:
            raise HouseFault(
                (*path, "pool_timeout_s"), "pool_timeout_s is at most a year; 0 waits for ever"
            )
        for place, fate in enumerate(venue.script):
            if not _FATE.match(fate):
                raise HouseFault(
                    (*path, "script", place),
                    f'script of venue "{venue.name}" says "{fate}"; write fill, reject, timeout, '
                    "lost, duplicate, or partial and a number from 0 to 1",
                )
        markets.decimal(venue.min_notional, (*path, "min_notional"))
        markets.rate(venue.slippage, (*path, "slippage"))
    _unique(("venues",), "name", [venue.name for venue in venues])


def _check_members(house: House, decimals: dict[str, int]) -> None:
    for number, member in enumerate(house.members):
        _check_member(member, ("members", number), decimals, house.house.cash)
    members = house.members
    _unique(("members",), "username", [member.username.lower() for member in members])
    _unique(("members",), "email", [member.email.lower() for member in members])
    _unique_inside("api_keys", "key", [[each.key for each in m.api_keys] for m in members])
    _unique_inside("tokens", "token", [[each.token for each in m.tokens] for m in members])
    _unique_inside("robots", "id", [[each.id for each in m.robots] for m in members])
    reporting = [[each.access_token for each in m.strategies] for m in members]
    _unique_inside("strategies", "access_token", reporting)


def _check_member(member: MemberEntry, path: Path, decimals: dict[str, int], cash: str) -> None:
    if not is_username(member.username):
        raise HouseFault(
            (*path, "username"),
            f'username "{member.username}" must be 1 to 150 letters, digits or . + - _',
        )
    if not _EMAIL.match(member.email):
        raise HouseFault((*path, "email"), f'email "{member.email}" must be like ann@example.com')
    _check_balances(member.balances, (*path, "balances"), decimals)
    for number, key in enumerate(member.api_keys):
        _check_key(key, (*path, "api_keys", number))
    for number, robot in enumerate(member.robots):
        _check_robot(robot, (*path, "robots", number), decimals, cash)
    accounts = [account.name for account in member.brokerage_accounts]
    _unique((*path, "brokerage_accounts"), "name", accounts)
    _unique((*path, "strategies"), "name", [each.name for each in member.strategies])
    for number, strategy in enumerate(member.strategies):
        if strategy.brokerage_account and strategy.brokerage_account not in accounts:
            raise HouseFault(
                (*path, "strategies", number, "brokerage_account"),
                f'strategy "{strategy.name}" names brokerage account '
                f'"{strategy.brokerage_account}", which {member.username} does not have',
            )


def _check_key(key: ApiKeyEntry, path: Path) -> None:
    if not key.key or not key.key.isascii() or not key.key.isprintable():
        raise HouseFault((*path, "key"), "an API key must be printable ASCII and not empty")
    if bool(key.secret) == bool(key.public_key):
        raise HouseFault(
            path, f'API key "{key.key}" must have either secret or public_key, and not both'
        )
    if key.public_key and not _is_ed25519(key.public_key):
        raise HouseFault(
            (*path, "public_key"),
            "public_key must be an Ed25519 public key in PEM, as openssl writes",
        )
    if not key.account or len(key.account) > NAME_LENGTH_MAX:
        raise HouseFault(
            (*path, "account"), f'account "{key.account}" must be 1 to {NAME_LENGTH_MAX} characters'
        )
    for place, address in enumerate(key.addresses):
        try:
            ipaddress.ip_network(address)
        except ValueError as error:
            raise HouseFault((*path, "addresses", place), f"{error}") from error
    if not key.scopes:
        raise HouseFault((*path, "scopes"), "an API key must have one or more scopes")
    for name in ("order_limit_10s", "order_limit_1d", "weight_limit_1m"):
        _not_negative(getattr(key, name), (*path, name))


def _is_ed25519(text: str) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return isinstance(load_pem_public_key(text.strip().encode()), Ed25519PublicKey)
    except ValueError:
        return False


def _check_robot(robot: RobotEntry, path: Path, decimals: dict[str, int], cash: str) -> None:
    if not _ROBOT_ID.match(robot.id):
        raise HouseFault(
            (*path, "id"), f'robot id "{robot.id}" must be 1 to 64 letters, digits or . _ -'
        )
    _check_balances(robot.allotment, (*path, "allotment"), decimals)
    try:
        known = LIMITS if robot.kind == "rule" else RobotConfig.__struct_fields__
        read_config(robot.config, decimals=decimals[cash], known=known)
    except ConfigFault as fault:
        raise HouseFault(
            (*path, "config"), f'config of robot "{robot.id}": {fault.field} {fault}'
        ) from fault
    if robot.kind != "rule":
        return
    try:
        rule = json.loads(robot.rule)
    except ValueError as error:
        raise HouseFault(
            (*path, "rule"), f'rule of robot "{robot.id}" is not JSON: {error}'
        ) from error
    if not isinstance(rule, dict):
        raise HouseFault((*path, "rule"), f'rule of robot "{robot.id}" must be a JSON object')


def _check_balances(balances: dict[str, str], path: Path, decimals: dict[str, int]) -> None:
    for code, text in balances.items():
        _check_code(code, (*path, code))
        markets.units(text, decimals[code], (*path, code), what=f"balance of {code}")


def _check_totals(house: House, decimals: dict[str, int]) -> None:
    """Refuse more of an asset than the core can count, and say which decimals would do."""
    for code, places in decimals.items():
        total = sum(
            markets.units(member.balances[code], places, (), what="balance")
            for member in house.members
            if code in member.balances
        )
        if total <= ASSET_TOTAL_MAX:
            continue
        would_do = next(
            (
                less
                for less in range(places, -1, -1)
                if total // 10 ** (places - less) <= ASSET_TOTAL_MAX
            ),
            None,
        )
        advice = "give less" if would_do is None else f"declare {code} with decimals = {would_do}"
        raise HouseFault(
            ("members",),
            f"the balances of {code} add up to {total} units of 10^-{places}, "
            f"and the most is {ASSET_TOTAL_MAX}; {advice}",
        )


def _check_code(code: str, path: Path) -> None:
    if not _CODE.match(code):
        raise HouseFault(path, f'asset code "{code}" must be 1 to 12 capitals or digits')


def _not_negative(value: int, path: Path) -> None:
    if value < 0:
        raise HouseFault(path, f"{path[-1]} is {value}; it must be 0 (none) or more")


def _unique(path: Path, name: str, values: Sequence[str]) -> None:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            raise HouseFault((*path, number, name), f'{name} "{value}" stands twice')
        seen.add(value)


def _unique_inside(table: str, name: str, values: Iterable[Sequence[str]]) -> None:
    """As _unique, over the rows of all members; an empty value is none."""
    seen: set[str] = set()
    for member, row in enumerate(values):
        for number, value in enumerate(row):
            if value and value in seen:
                shown = "" if table in {"api_keys", "tokens", "strategies"} else f' "{value}"'
                raise HouseFault(
                    ("members", member, table, number, name), f"{table} {name}{shown} stands twice"
                )
            seen.add(value)

"""The demo's traders: market makers, noise and momentum, who make a market that lives.

They are ordinary clients: each has an API key of its own, signs its requests and hears of its
orders over the public API, so that a newcomer's order meets a real book. `run()` trades until it
is told to stop; `write_history()` leaves days of trades for a first start, so that the chart has
a past.

Promises: one seed, one course of decisions (what others do changes what follows); old orders are
cancelled at start and after every broken connection; inventories come back to where they began,
so that the traders go on for years on what the demo house gives them; nothing is left running when
run() returns. No statistic of a real market is claimed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Mapping
from http import HTTPStatus
from random import Random
from typing import Final

import aiohttp
import structlog

from fondaco.robots.house_client import ApiKey, HouseClient, Refused, pause
from fondaco.robots.simulated_history import write_history
from fondaco.robots.simulated_maker import MarketMaker
from fondaco.robots.simulated_takers import MomentumTrader, NoiseTrader

__all__ = ["ROLES", "run", "write_history"]

# Each is a member of the demo house with one API key of scopes read and trade; the house file
# frees these keys of order limits (order_limit_10s = 0, order_limit_1d = 0) and gives each about
# 200 million dollars of every asset that is traded.
ROLES: Final = ("maker", "noise", "momentum")
BACK_OFF_S_MAX: Final = 3.0
STOP_S_MAX: Final = 1.0  # for requests under way when the traders are told to stop

_log = structlog.get_logger(__name__)
_BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError)


async def run(base_url: str, keys: Mapping[str, ApiKey], seed: int, stop: asyncio.Event) -> None:
    """Trade on every order-driven instrument of a house until stop is set.

    `keys` has one API key for each of ROLES. A house that is down, busy or restarting is waited
    for; a refusal that says these keys can't trade at all ends the run with Refused.
    """
    missing = [role for role in ROLES if role not in keys]
    if missing:
        raise KeyError(f"no API key for {', '.join(missing)}; run() wants {', '.join(ROLES)}")
    async with asyncio.TaskGroup() as group:
        for role in ROLES:
            group.create_task(_keep_trading(role, base_url, keys[role], seed, stop))


async def _keep_trading(
    role: str, base_url: str, api_key: ApiKey, seed: int, stop: asyncio.Event
) -> None:
    """One trader, from connection to connection."""
    failures = 0
    for turn in range(1 << 30):
        if stop.is_set():
            return
        began = time.monotonic()
        wait_s = 0.0
        try:
            async with HouseClient(base_url, api_key) as client:
                await _until(stop, _trade(role, client, Random(f"{seed}/{role}/{turn}"), stop))
        except* Refused as group:
            refusals = [error for error in _leaves(group) if isinstance(error, Refused)]
            if any(refusal.status == HTTPStatus.UNAUTHORIZED for refusal in refusals):
                raise
            wait_s = max(refusal.retry_after_s for refusal in refusals)
            if wait_s or refusals[0].status != HTTPStatus.SERVICE_UNAVAILABLE:  # 503: starting
                await _log.awarning("demo trader refused", role=role, error=str(refusals[0]))
        except* _BROKEN as group:
            first = next(_leaves(group))
            await _log.awarning("demo trader reconnects", role=role, error=repr(first))
        failures = 1 if time.monotonic() - began > BACK_OFF_S_MAX else failures + 1
        await pause(stop, max(wait_s, min(BACK_OFF_S_MAX, 0.2 * 2**failures)))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _until(stop: asyncio.Event, trading: Coroutine[None, None, None]) -> None:
    """Run a trader's session; one that doesn't end by itself soon after stop is cancelled."""
    session = asyncio.ensure_future(trading)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({session, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not session.done():
            await asyncio.wait({session}, timeout=STOP_S_MAX)
        if session.done():
            session.result()
    finally:
        stopping.cancel()
        session.cancel()
        await asyncio.wait({session})


async def _trade(role: str, client: HouseClient, chance: Random, stop: asyncio.Event) -> None:
    markets = await client.markets()
    for market in markets:
        await client.cancel_all(market)
    if role == "maker":
        await MarketMaker(client, markets, chance).trade(stop)
    elif role == "noise":
        await NoiseTrader(client, markets, chance).trade(stop)
    else:
        await MomentumTrader(client, markets, chance).trade(stop)

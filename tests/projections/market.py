"""Seeded order flow for the real exchange: members who rest, take, cancel, deposit, withdraw."""

from __future__ import annotations

import random
from collections.abc import Iterator

from fondaco.core import client_ids, records

Command = records.Command
BTC, USDT, ETH = 1, 2, 3
BTCUSDT, ETHBTC = 1, 2
ACCOUNTS = (16, 17, 18, 19)


def opening() -> list[bytes]:
    """Commands that define two markets with fees and open four accounts with funds."""
    commands = [
        records.pack_body(
            Command.DEFINE_ASSET, records.AssetBody(number=number, code=code, decimals=8)
        )
        for number, code in ((BTC, "BTC"), (USDT, "USDT"), (ETH, "ETH"))
    ]
    for number, symbol, base, quote in (
        (BTCUSDT, "BTCUSDT", BTC, USDT),
        (ETHBTC, "ETHBTC", ETH, BTC),
    ):
        body = records.InstrumentBody(
            number=number,
            symbol=symbol,
            base=base,
            quote=quote,
            tick_size="0.01",
            lot_size="0.00001",
            base_per_lot=1000,
            quote_per_lot_tick=10,
            maker_fee_ppm=1000,
            taker_fee_ppm=2500,
        )
        commands.append(records.pack_body(Command.DEFINE_INSTRUMENT, body))
    for account in ACCOUNTS:
        funds = [(asset, 10**12) for asset in (BTC, USDT, ETH)]
        body_ = records.AccountBody(member=account, opening=funds)
        commands.append(records.pack_body(Command.OPEN_ACCOUNT, body_, account=account))
    return commands


def flow(commands: int, *, seed: int, entry: int = 1) -> Iterator[bytes]:
    """Yield commands; some will be refused, as in life."""
    chance = random.Random(seed)
    for place in range(commands):
        account = chance.choice(ACCOUNTS)
        instrument = chance.choice((BTCUSDT, ETHBTC))
        dice = chance.random()
        if dice < 0.05:
            yield records.pack(
                chance.choice((Command.DEPOSIT, Command.WITHDRAW)),
                account=account,
                asset=chance.choice((BTC, USDT, ETH)),
                amount=chance.randint(1, 10**10),
                entry=entry + place,
            )
        elif dice < 0.1:
            yield records.pack(Command.CANCEL_ALL, account=account, instrument=instrument)
        else:
            yield _new_order(chance, account, instrument, f"s{seed}-{place}")


def _new_order(chance: random.Random, account: int, instrument: int, name: str) -> bytes:
    market = chance.random() < 0.15
    order_type = records.OrderType.MARKET if market else records.OrderType.LIMIT
    tif = chance.choice((1, 1, 1, 2, 3))
    return records.pack(
        Command.NEW_ORDER,
        account=account,
        instrument=instrument,
        side=chance.choice((1, 2)),
        order_type=order_type,
        time_in_force=0 if market else tif,
        self_trade=chance.choice(list(records.SelfTrade)),
        price_ticks=0 if market else chance.randint(95, 105),
        quantity_lots=chance.randint(1, 40),
        **{f"client_order_id_{place}": word for place, word in enumerate(client_ids.encode(name))},
    )

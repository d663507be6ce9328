"""Events packed by hand, so that projections are tested without the core that makes them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from fondaco.core import records

BTC, USDT = 1, 2
BTCUSDT = 7
KEPT = records.IMPORTED_TRADES_MAX  # the house's own trades have the ids after it
MINUTE_US = 60_000_000
NOON_US = 1_700_000_000_000_000 // MINUTE_US * MINUTE_US


def definitions(seq: int = 1, time_us: int = NOON_US, *, symbol: str = "BTCUSDT") -> bytes:
    """Two assets and one instrument: 1 lot is 1,000 base units, a lot-tick 10 quote units."""
    assets = [
        records.AssetBody(number=BTC, code="BTC", decimals=8),
        records.AssetBody(number=USDT, code="USDT", decimals=8),
    ]
    body = records.InstrumentBody(
        number=BTCUSDT,
        symbol=symbol,
        base=BTC,
        quote=USDT,
        tick_size="0.01",
        lot_size="0.00001",
        base_per_lot=1000,
        quote_per_lot_tick=10,
    )
    run = b"".join(
        records.pack_body(records.Event.ASSET, asset, seq=seq, time_us=time_us) for asset in assets
    )
    return run + records.pack_body(records.Event.INSTRUMENT, body, seq=seq, time_us=time_us)


def order(seq: int, *, order_id: int = 0, time_us: int = NOON_US, **words: int) -> bytes:
    """An ORDER event: by default a new resting buy of 10 lots at 100 ticks."""
    known = {
        "instrument": BTCUSDT,
        "execution": records.Execution.NEW,
        "status": records.OrderStatus.NEW,
        "side": records.Side.BUY,
        "order_type": records.OrderType.LIMIT,
        "time_in_force": records.TimeInForce.GTC,
        "self_trade": records.SelfTrade.NONE,
        "price_ticks": 100,
        "quantity_lots": 10,
        "created_us": time_us,
    }
    account = words.pop("account", 16)
    known.update(words)
    return records.pack(
        records.Event.ORDER,
        seq=seq,
        time_us=time_us,
        account=account,
        order_id=order_id or seq,
        **known,
    )


def trade(seq: int, trade_id: int, *, time_us: int = NOON_US, **words: int) -> bytes:
    """A TRADE event: by default account 17 buys 3 lots at 100 ticks from account 16."""
    known = {
        "instrument": BTCUSDT,
        "price_ticks": 100,
        "quantity_lots": 3,
        "taker_side": records.Side.BUY,
        "buy_order_id": seq,
        "sell_order_id": 1,
        "buyer_account": 17,
        "seller_account": 16,
        "buyer_fee": 0,
        "seller_fee": 0,
        "buyer_fee_asset": BTC,
        "seller_fee_asset": USDT,
    }
    known.update(words)
    known.setdefault("quote_amount", known["price_ticks"] * known["quantity_lots"] * 10)
    return records.pack(
        records.Event.TRADE, seq=seq, time_us=time_us, trade_id=KEPT + trade_id, **known
    )


def history(commands: int, *, seed: int, per_second: int = 50) -> Iterator[tuple[int, bytes]]:
    """Yield (seq, events) of a seeded history: resting orders, cancels, trades, deposits."""
    chance = random.Random(seed)
    yield 1, definitions()
    live: list[tuple[int, dict[str, int]]] = []
    trade_id = 0
    for seq in range(2, commands + 2):
        time_us = NOON_US + seq * 1_000_000 // per_second
        dice = chance.random()
        if dice < 0.3 and live:
            order_id, words = live.pop(chance.randrange(len(live)))
            ended = {
                "status": records.OrderStatus.CANCELED,
                "execution": records.Execution.CANCELED,
            }
            yield seq, order(seq, order_id=order_id, time_us=time_us, **words | ended)
        elif dice < 0.45:
            trade_id += 1
            yield seq, _taken(chance, seq, trade_id, time_us)
        elif dice < 0.5:
            yield seq, _deposited(chance, seq, time_us)
        elif dice < 0.52:
            yield seq, b""
        else:
            words = {
                "account": chance.randint(16, 20),
                "created_us": time_us,
                "client_order_id_0": chance.getrandbits(60),
                "client_order_id_3": chance.getrandbits(7) << 55,
            }
            live.append((seq, words))
            yield seq, order(seq, time_us=time_us, **words)


def _taken(chance: random.Random, seq: int, trade_id: int, time_us: int) -> bytes:
    lots = chance.randint(1, 1000)
    price = chance.randint(90, 110)
    words: dict[str, int] = {
        "account": 17,
        "side": chance.choice((records.Side.BUY, records.Side.SELL)),
        "client_order_id_3": 1 << 60,
        "created_us": time_us,
    }
    match = trade(
        seq,
        trade_id,
        time_us=time_us,
        price_ticks=price,
        quantity_lots=lots,
        taker_side=words["side"],
        buyer_fee=lots,
        seller_fee=lots * price // 100,
    )
    filled = words | {"status": records.OrderStatus.FILLED, "filled_lots": lots}
    return order(seq, time_us=time_us, **words) + match + order(seq, time_us=time_us, **filled)


def _deposited(chance: random.Random, seq: int, time_us: int) -> bytes:
    return records.pack(
        records.Event.POSTING,
        seq=seq,
        time_us=time_us,
        debit_account=records.ACCOUNT_WORLD,
        credit_account=chance.randint(16, 20),
        asset=chance.choice((BTC, USDT)),
        amount=chance.randint(1, 10**9),
        cause=records.Cause.DEPOSIT,
        entry=seq,
    )

"""An account's balances, fees and limits, and the few /sapi lines without which clients stop.

Promises: balances are the core's of now, every asset of the house among them. The /sapi answers
are honest and small: no networks, no margin, no addresses.
"""

from __future__ import annotations

import msgspec

from fondaco.core.records import Query, Scope, pack
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Edge, balances_of
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.limits import Limits
from fondaco.gateway.trading import holder_of

__all__ = ["AccountReads"]

PPM_DECIMALS = 6


def rate_text(ppm: int) -> str:
    """Return a rate in millionths as text with eight decimals."""
    return f"{ppm // 10**PPM_DECIMALS}.{ppm % 10**PPM_DECIMALS:06d}00"


class AccountReads:
    def __init__(self, edge: Edge, limits: Limits) -> None:
        self._edge = edge
        self._limits = limits

    async def account(self, call: Call) -> bytes:
        caller = call.who
        held = await self._balances(caller.account)
        omit = call.flag("omitZeroBalances", default=False)
        books = self._edge.catalogue.books()
        maker = max((each.body.maker_fee_ppm for each in books), default=0)
        taker = max((each.body.taker_fee_ppm for each in books), default=0)
        can_trade = bool(caller.scopes & Scope.TRADE)
        answer = {
            "makerCommission": maker // 100,
            "takerCommission": taker // 100,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": _rates(maker, taker),
            "canTrade": can_trade,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": self._edge.time_us // 1000,
            "accountType": "SPOT",
            "balances": [
                {"asset": code, "free": free, "locked": locked}
                for code, free, locked, total in held
                if total or not omit
            ],
            "permissions": ["SPOT"],
            "uid": caller.account,
        }
        return msgspec.json.encode(answer)

    async def _balances(self, account: int) -> list[tuple[str, str, str, int]]:
        """Return (code, free, held, sum in units) of every asset of the house."""
        answer = await self._edge.query(pack(Query.BALANCES, account=account))
        held = {row["asset"]: (row["free"], row["held"]) for row in balances_of(answer.records)}
        found = []
        for number, asset in sorted(self._edge.catalogue.assets.items()):
            free, locked = held.get(number, (0, 0))
            found.append((asset.code, asset.text(free), asset.text(locked), free + locked))
        return found

    async def commission(self, call: Call) -> bytes:
        instrument = self._edge.market_of(call.need("symbol")).instrument
        body = instrument.body
        none = _rates(0, 0)
        answer = {
            "symbol": instrument.symbol,
            "standardCommission": _rates(body.maker_fee_ppm, body.taker_fee_ppm),
            "specialCommission": none,
            "taxCommission": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "",
                "discount": rate_text(0),
            },
        }
        return msgspec.json.encode(answer)

    async def order_counts(self, call: Call) -> bytes:
        return msgspec.json.encode(self.counts(call))

    def counts(self, call: Call) -> list[dict[str, object]]:
        """Return how many orders the caller placed in the running windows."""
        caller = call.who
        holder, now_s = holder_of(caller), self._limits.now_s()
        windows = (
            ("SECOND", 10, caller.order_limit_10s, self._limits.orders_10s),
            ("DAY", 1, caller.order_limit_1d, self._limits.orders_1d),
        )
        return [
            {
                "rateLimitType": "ORDERS",
                "interval": interval,
                "intervalNum": number,
                "limit": limit,
                "count": window.count(holder, now_s),
            }
            for interval, number, limit, window in windows
        ]

    # ---- /sapi

    async def coins(self, call: Call) -> bytes:
        held = await self._balances(call.who.account)
        answer = [
            {
                "coin": code,
                "name": code,
                "free": free,
                "locked": locked,
                "freeze": "0.00000000",
                "ipoable": "0.00000000",
                "ipoing": "0.00000000",
                "storage": "0.00000000",
                "withdrawing": "0.00000000",
                "isLegalMoney": False,
                "trading": True,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "networkList": [],
            }
            for code, free, locked, _ in held
        ]
        return msgspec.json.encode(answer)

    async def trade_fees(self, call: Call) -> bytes:
        symbol = call.get("symbol")
        books: list[Instrument] = (
            [self._edge.market_of(symbol).instrument] if symbol else self._edge.catalogue.books()
        )
        answer = [
            {
                "symbol": each.symbol,
                "makerCommission": rate_text(each.body.maker_fee_ppm),
                "takerCommission": rate_text(each.body.taker_fee_ppm),
            }
            for each in books
        ]
        return msgspec.json.encode(answer)

    async def nothing(self, _call: Call) -> bytes:
        """Answer with an empty list: the house has none of these."""
        return b"[]"

    async def system_status(self, _call: Call) -> bytes:
        if self._edge.catalogue.maintenance:
            return b'{"status":1,"msg":"system maintenance"}'
        return b'{"status":0,"msg":"normal"}'


def _rates(maker_ppm: int, taker_ppm: int) -> dict[str, str]:
    return {
        "maker": rate_text(maker_ppm),
        "taker": rate_text(taker_ppm),
        "buyer": rate_text(0),
        "seller": rate_text(0),
    }

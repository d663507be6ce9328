"""Cancel-replace: one open order goes, another comes, in Binance's order/cancelReplace.

Promises: what is wrong with the new order's own words, or by the market's filters, is refused
before anything is cancelled. Then there are two commands, the cancel and the order: each is
answered after its sync and told for itself, and an end of the house between them leaves the cancel
alone. Under STOP_ON_FAILURE nothing is placed unless the cancel took place; where nobody knows
whether it did, nothing is placed and the answer is that of the cancel. It keeps no state.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fondaco.gateway import faults
from fondaco.gateway.call import Call
from fondaco.gateway.faults import Fault
from fondaco.gateway.trading import Trading, Wish

__all__ = ["HalfDone", "Replacing"]

MODES: Final = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
PARTLY: Final = (-2021, "Order cancel-replace partially failed.")
FAILED: Final = (-2022, "Order cancel-replace failed.")
WORDS: Final = ("FAILURE", "SUCCESS")
NOT_ATTEMPTED: Final = "NOT_ATTEMPTED"
RENAMED: Final = (
    ("cancelOrderId", "orderId"),
    ("cancelOrigClientOrderId", "origClientOrderId"),
    ("cancelNewClientOrderId", "newCancelClientOrderId"),
)
UNSERVED: Final = ("cancelRestrictions", "orderRateLimitExceededMode")


class HalfDone(Fault):
    """A cancel-replace of which not both took place; `data` is the JSON that tells each."""

    __slots__ = ("data",)

    def __init__(self, code: int, text: str, *, status: int, data: bytes) -> None:
        super().__init__(code, text, status=status)
        self.data = data

    def body(self) -> bytes:
        words = {"code": self.code, "msg": self.text, "data": msgspec.Raw(self.data)}
        return msgspec.json.encode(words)


class Replacing:
    def __init__(self, trading: Trading) -> None:
        self._trading = trading

    async def cancel_replace(self, call: Call) -> bytes:
        """Return the JSON of both; raises HalfDone if one of them failed, Fault if none was sent.

        Source: POST /api/v3/order/cancelReplace of Binance's Spot API. 409 with -2021: one of them
        took place; 400 with -2022: none.
        """
        mode = call.need("cancelReplaceMode")
        if mode not in MODES:
            words = " or ".join(MODES)
            raise Fault(-1130, f"Parameter 'cancelReplaceMode' must be {words}.")
        for name in UNSERVED:
            if call.get(name):
                raise faults.not_served(name)
        cancel = Call(call.caller, _cancel_words(call))
        gone = self._trading.cancel(cancel)
        await self._trading.test_order(call)
        order = self._trading.place(call)  # counted also if it is not attempted
        is_gone, told_gone = await self._tried(gone, is_second=False)
        if not is_gone and mode == "STOP_ON_FAILURE":
            told = _told(WORDS[False], NOT_ATTEMPTED, told_gone, b"null")
            raise HalfDone(*FAILED, status=400, data=told)
        is_new, told_new = await self._tried(order, is_second=True)
        told = _told(WORDS[is_gone], WORDS[is_new], told_gone, told_new)
        if is_gone and is_new:
            return told
        if is_gone or is_new:
            raise HalfDone(*PARTLY, status=409, data=told)
        raise HalfDone(*FAILED, status=400, data=told)

    async def _tried(self, wish: Wish, *, is_second: bool) -> tuple[bool, bytes]:
        """Return whether a wish came true, and its JSON or that of its refusal."""
        try:
            return True, await self._trading.carry_out(wish)
        except Fault as fault:
            if fault.status >= 500 and not is_second:
                raise  # not sent, or nobody knows: then nothing else is sent
            return False, fault.body()


def _cancel_words(call: Call) -> dict[str, str]:
    """Return the parameters of the cancel, in the words of DELETE order. Raises Fault."""
    words = {"symbol": call.need("symbol")}
    for name, usual in RENAMED:
        if value := call.get(name):
            words[usual] = value
    if not words.keys() & {"orderId", "origClientOrderId"}:
        raise Fault(
            -1102,
            "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, "
            "but both were empty/null!",
        )
    return words


def _told(gone: str, new: str, told_gone: bytes, told_new: bytes) -> bytes:
    return (
        b'{"cancelResult":"%b","newOrderResult":"%b","cancelResponse":%b,"newOrderResponse":%b}'
        % (
            gone.encode(),
            new.encode(),
            told_gone,
            told_new,
        )
    )

"""What a flow sends about lists: two legs around 100, sometimes such that don't go together."""

from __future__ import annotations

from random import Random
from typing import Any, Final, NamedTuple

from fondaco.core.client_ids import LENGTH_MAX, encode
from fondaco.core.records import Command, OrderType, SelfTrade, Side, TimeInForce, pack

__all__ = ["cancel_list", "client_id", "new_list"]

TIMES: Final = tuple(TimeInForce)
STOPS: Final = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
PROFITS: Final = (
    OrderType.LIMIT_MAKER,
    OrderType.LIMIT_MAKER,
    OrderType.TAKE_PROFIT,
    OrderType.TAKE_PROFIT_LIMIT,
)
SHARED: Final = ("account", "key", "instrument", "side", "quantity_lots")
WRONG: Final = (*range(9), -1, 1 << 31, 1 << 62, (1 << 63) - 1, -(1 << 63))


def client_id(number: int) -> tuple[int, int, int, int]:
    """Return the words of a client id, a short one or one of a word each; 0 = none.

    Long ids of a kind have but one word in which they differ.
    """
    if number % 5 == 0:
        return encode(f"c-{number}") if number else (0, 0, 0, 0)
    before = (0, 12, 22, 32)[number % 4]  # characters of the first, second, third, last word
    return encode(f"{'c' * before}{number:04d}".ljust(LENGTH_MAX, "-"))


class Named(NamedTuple):
    """A leg or a list, and the number in its client id; 0 = none."""

    what: str
    number: int

    def words(self) -> dict[str, int]:
        """Return the four words by name."""
        words = client_id(self.number)
        return {f"{self.what}_client_id_{place}": word for place, word in enumerate(words)}


def new_list(random: Random, terms: dict[str, int]) -> bytes:
    """Return NEW_LIST with the shared ones of these terms of an order."""
    words = {name: terms[name] for name in SHARED}
    lean = 1 if words["side"] == Side.SELL else -1
    near = -1 if random.random() < 0.1 else 1
    gain, loss = (100 + sign * lean * random.randrange(near, 5) for sign in (1, -1))
    stop, profit = random.choice(STOPS), random.choice(PROFITS)
    words |= {"self_trade": random.choice((0, *SelfTrade))}
    words |= {"stop_type": stop, "stop_trigger_ticks": loss, "profit_type": profit}
    if stop == OrderType.STOP_LOSS_LIMIT:
        words["stop_price_ticks"] = loss - lean * random.randrange(-1, 3)
        words["stop_time_in_force"] = random.choice(TIMES)
    if profit == OrderType.LIMIT_MAKER:
        words["profit_price_ticks"] = gain
        words["profit_time_in_force"] = random.choice((0, TimeInForce.GTC))
    else:
        words["profit_trigger_ticks"] = gain
    if profit == OrderType.TAKE_PROFIT_LIMIT:
        words["profit_price_ticks"] = gain - lean * random.randrange(3)
        words["profit_time_in_force"] = random.choice(TIMES)
    for what in ("list", "stop", "profit"):
        words |= Named(what, random.randrange(1, 60) if random.random() < 0.5 else 0).words()
    if random.random() < 0.05:
        words[random.choice([*words][3:])] = random.choice(WRONG)
    return pack(Command.NEW_LIST, **words)


def cancel_list(random: Random, orders: list[Any], who: dict[str, int]) -> bytes:
    """Return CANCEL_LIST of one of the open orders' lists, or of none."""
    found = [order for order in orders if order.list_id]
    words = who | {"instrument": 1, **Named("list", random.randrange(60)).words()}
    fate = random.random()
    if found and fate < 0.9:
        order = random.choice(found)
        words = {"account": order.account, "instrument": order.instrument}
        words |= {"list_id": order.list_id}
        if fate < 0.2:
            words |= Named("list", random.randrange(60)).words()
    return pack(Command.CANCEL_LIST, **words)

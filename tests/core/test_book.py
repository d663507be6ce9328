"""The bare book: against a list that is searched from end to end, deep and shallow."""

from __future__ import annotations

import struct
from random import Random

import pytest

from fondaco.core.bare_book import BareBook

COMMAND = struct.Struct("<6q")
FILL = struct.Struct("<4q")
BUY, SELL = 1, 2
ADD, CANCEL, REDUCE, TAKE = 1, 2, 3, 4
Fill = tuple[int, ...]


class ListBook:
    """Orders in a list, oldest first; every question is a search."""

    def __init__(self) -> None:
        self.orders: list[list[int]] = []  # id, side, price, lots

    def step(self, kind: int, order_id: int, side: int, price: int, lots: int) -> list[Fill]:
        """Carry out one command; return its fills."""
        if kind == CANCEL:
            self.orders = [order for order in self.orders if order[0] != order_id]
            return []
        if kind == REDUCE:
            for order in self.orders:
                if order[0] == order_id and 0 < lots < order[3]:
                    order[3] = lots
            return []
        fills: list[Fill] = []
        while lots and (maker := self.best(side, price)):
            traded = min(lots, maker[3])
            fills.append((order_id, maker[0], maker[2], traded))
            maker[3] -= traded
            lots -= traded
            if maker[3] == 0:
                self.orders.remove(maker)
        if lots and kind == ADD:
            self.orders.append([order_id, side, price, lots])
        return fills

    def best(self, side: int, price: int) -> list[int] | None:
        """Return the order that an incoming one meets first."""
        against = [
            order
            for order in self.orders
            if order[1] != side and (order[2] <= price if side == BUY else order[2] >= price)
        ]
        key = min if side == BUY else max
        if not against:
            return None
        best = key(order[2] for order in against)
        return next(order for order in against if order[2] == best)


@pytest.mark.parametrize("spread", [5, 60, 3_000])
@pytest.mark.parametrize("seed", range(4))
def test_the_book_equals_a_searched_list(spread: int, seed: int) -> None:
    """Fills, their order and what stays open are the same for a seeded flow."""
    chance = Random(seed)
    book, naive = BareBook(1), ListBook()
    for number in range(1, 1_500):
        kind = chance.choices([ADD, CANCEL, REDUCE, TAKE], [6, 3, 1, 1])[0]
        named = number if kind in {ADD, TAKE} else chance.randrange(1, number + 1)
        terms = (chance.choice([BUY, SELL]), 5_000 + chance.randint(-spread, spread))
        lots = chance.randint(1, 20)
        fills = book.step(COMMAND.pack(kind, 0, named, *terms, lots))
        assert list(FILL.iter_unpack(fills)) == naive.step(kind, named, *terms, lots)
        assert book.open_orders() == len(naive.orders)
    assert book.open_orders() > 10


@pytest.mark.parametrize("gap", [1, 50, 1_000, 1 << 40])
def test_books_that_share_their_rows_are_three_books(gap: int) -> None:
    """In batches, with numbers near and far apart, levels that die and are born anew elsewhere."""
    chance = Random(gap)
    book, naive = BareBook(3), [ListBook() for _ in range(3)]
    homes: list[int] = []
    for _ in range(60):
        batch, fills = [], []
        for _ in range(50):
            kind = chance.choices([ADD, CANCEL, TAKE], [6, 4, 1])[0]
            number = chance.randrange(3) if kind != CANCEL or not homes else -1
            named = len(homes) + 1
            if number < 0:
                named = chance.randrange(len(homes)) + 1
                number = homes[named - 1]
            if kind != CANCEL:
                homes.append(number)
            terms = (chance.choice([BUY, SELL]), 5_000 + chance.randint(-9, 9))
            lots = chance.randint(1, 20)
            batch.append(COMMAND.pack(kind, number, named * gap, *terms, lots))
            for taker, maker, price, traded in naive[number].step(kind, named, *terms, lots):
                fills.append((taker * gap, maker * gap, price, traded))
        assert list(FILL.iter_unpack(book.step(b"".join(batch)))) == fills
        assert book.open_orders() == sum(len(side.orders) for side in naive)
    assert book.open_orders() > 100


def test_ten_thousand_levels_are_walked_in_price_order() -> None:
    """Levels come in any order and go best first, each once; blocks split and vanish."""
    chance = Random(1)
    prices = list(range(1, 10_001))
    chance.shuffle(prices)
    book = BareBook(1)
    adds = [COMMAND.pack(ADD, 0, at + 1, SELL, price, 1) for at, price in enumerate(prices)]
    book.step(b"".join(adds))
    gone = set(chance.sample(range(1, 10_001), 4_000))
    book.step(b"".join(COMMAND.pack(CANCEL, 0, number, 0, 0, 0) for number in sorted(gone)))
    left = sorted(price for at, price in enumerate(prices) if at + 1 not in gone)
    assert book.best(0, SELL) == left[0]
    fills = FILL.iter_unpack(book.step(COMMAND.pack(TAKE, 0, 0, BUY, 20_000, 10_000)))
    assert [price for _, _, price, _ in fills] == left
    assert book.open_orders() == 0


@pytest.mark.parametrize(
    "command",
    [
        (0, 0, 9, 1, 10, 1),
        (5, 0, 9, 1, 10, 1),
        (ADD, 1, 9, 1, 10, 1),
        (ADD, -1, 9, 1, 10, 1),
        (ADD, 0, 9, 3, 10, 1),
        (ADD, 0, 9, 1, 0, 1),
        (ADD, 0, 9, 1, 10, 0),
        (ADD, 0, 9, 1, 1 << 50, 1),
        (ADD, 0, 9, 1, 10, 1 << 50),
        (ADD, 0, 1, 1, 10, 1),
        (CANCEL, 0, 7, 0, 0, 0),
        (CANCEL, 0, 0, 0, 0, 0),
        (CANCEL, 0, -1, 0, 0, 0),
        (REDUCE, 0, 1, 0, 0, 5),
        (REDUCE, 0, 1, 0, 0, 0),
    ],
)
def test_a_senseless_command_is_ignored(command: tuple[int, ...]) -> None:
    """It changes nothing and is counted."""
    book = BareBook(1)
    book.step(COMMAND.pack(ADD, 0, 1, BUY, 10, 5))
    assert book.step(COMMAND.pack(*command)) == b""
    assert (book.ignored, book.open_orders(), book.best(0, BUY)) == (1, 1, 10)


def test_a_torn_batch_is_refused() -> None:
    """The bare book takes whole commands."""
    with pytest.raises(ValueError, match="whole number of commands"):
        BareBook(1).step(bytes(40))

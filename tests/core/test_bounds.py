"""The index of bounded orders: the oldest that a price meets, at a cost that doesn't grow."""

from __future__ import annotations

from random import Random

from fondaco.core.bounds import SIZES_MAX, Bounds


def test_it_finds_the_oldest_as_going_through_all_does() -> None:
    """Any orders, any price, orders coming and going: the same answer as the naive search."""
    random = Random(1)
    for _ in range(40):
        bounds = Bounds()
        naive: dict[int, tuple[int, int]] = {}
        for number in range(1, 201):
            top = random.choice((3, 40, 1000, 1 << 62))
            lower, upper = sorted((random.randrange(top), random.randrange(top) + 1))
            bounds.add(number, number, lower, upper)
            naive[number] = (lower, upper)
            if random.random() < 0.45:
                gone = random.choice(list(naive))
                bounds.remove(gone)
                del naive[gone]
            price = random.choice((lower, upper, upper + 1, random.randrange(top) + 1))
            wanted = [n for n, (low, high) in naive.items() if low <= price <= high]
            assert bounds.oldest(price) == min(wanted, default=0)
        for gone in list(naive):
            bounds.remove(gone)
        assert bounds.places() == 0


def test_a_price_that_nobody_wants_costs_the_same_however_many_wait() -> None:
    """10,000 orders on both sides of the price: it looks at one place of each size of block."""
    bounds = Bounds()
    for number in range(1, 10_001):
        lower, upper = (1, 900 + number % 90) if number % 2 else (1_100 + number % 90, 1 << 40)
        bounds.add(number, number, lower, upper)
    assert bounds.oldest(1_000) == 0
    assert bounds.sizes() <= SIZES_MAX
    assert bounds.places() <= 10_000 * 2 * SIZES_MAX
    assert bounds.oldest(950) == 51

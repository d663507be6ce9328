"""The last 24 hours of a market, by minutes, against the trades added anew each time."""

from __future__ import annotations

from decimal import Decimal

from fondaco.robots.backtest.tape import Tick
from fondaco.robots.backtest.window import MINUTE_US, DayWindow

D = Decimal
SECOND_US = 1_000_000


def test_the_window_is_the_last_24_hours() -> None:
    """Volume and change equal those of the ticks of the last 24 hours, added anew each time.

    So they are between two ticks and after the last, whenever they are looked at.
    """
    tape = [
        Tick(n * 7_001 * SECOND_US, D(10 + n * n % 7), D(n % 5 + 1), buys=True) for n in range(60)
    ]
    window = DayWindow()
    for place, tick in enumerate(tape):
        minute = tick.time_us // MINUTE_US
        inside = [t for t in tape[: place + 1] if t.time_us // MINUTE_US > minute - 24 * 60]
        change = round((tick.price - inside[0].price) * 100 / inside[0].price, 4)
        assert window.take(tick) == (sum(t.quantity for t in inside), change)
        assert window.next_us() == (inside[0].time_us // MINUTE_US + 24 * 60) * MINUTE_US
    for hours in range(30):
        now_us = tape[-1].time_us + hours * 3_600 * SECOND_US
        window.advance(now_us)
        inside = [t for t in tape if t.time_us // MINUTE_US > now_us // MINUTE_US - 24 * 60]
        first = inside[0].price if inside else tape[-1].price
        change = round((tape[-1].price - first) * 100 / first, 4)
        assert window.figures() == (sum(t.quantity for t in inside), change)
    assert window.figures() == (D(0), D(0))
    assert window.next_us() is None
    assert window.take(tape[-1]._replace(time_us=now_us)) == (tape[-1].quantity, D(0))

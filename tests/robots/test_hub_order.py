"""The hub over time: workers that follow a killed one, signals that wait, come late, or twice."""

from __future__ import annotations

from typing import Any

import pytest

from fondaco.link.answers import Unanswered
from fondaco.robots.models import Lease, Operation
from tests.robots.hub_field import HubField

pytestmark = pytest.mark.django_db
Status = Operation.Status
CONFIG = (
    '[[members.robots]]\nid = "r{number}"\nallotment = {{ USDT = "1000" }}\n'
    'config = {{ buy_on = 2, sell_on = 1, symbols = ["BTC"], operation_amount = 100 }}\n'
)
NAMES = [f"r{number}" for number in range(4)]


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    """Four robots, and a market at 20000."""
    made = HubField(monkeypatch, "".join(CONFIG.format(number=number) for number in range(4)))
    made.trade(20000)
    made.quote(19990, 20010)
    return made


def killed(field: HubField) -> None:
    """Have a new worker follow one that gave nothing back."""
    Lease.objects.update(until_us=0)
    field.start()


def test_a_lock_that_a_killed_worker_left_is_nobody_s(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died between the locks and the decisions: the next acts at once, for every client."""

    def die(*_: Any, **__: Any) -> None:
        raise Unanswered("the worker is gone")

    monkeypatch.setattr(field.hub, "_store", die)
    monkeypatch.setattr(field.hub._locks, "release", lambda _: None)
    signal = field.signal(2)
    with pytest.raises(Unanswered):
        field.turn()
    killed(field)
    field.turn()
    assert field.reasons(signal) == dict.fromkeys(NAMES, "TRIGGERED")
    assert [field.buys(name) for name in NAMES] == [1] * 4


def test_what_is_being_sold_is_not_sold_again(field: HubField) -> None:
    """While nobody buys from it a second SELL is told of the operation; one sale comes of both."""
    field.signal(2)
    field.turn()
    field.core.submit(field.cancel_all())
    first, second = field.signal(-1), field.signal(-1)
    field.turn()
    assert set(field.reasons(first).values()) == {"TRIGGERED"}
    assert set(field.reasons(second).values()) == {"OPERATION_OPEN"}
    assert {row.sell_signal for row in Operation.objects.all()} == {first}
    field.quote(19990, 20010)
    field.hub._operations._due = [(0.0, pk) for pk in field.hub._operations._steps]
    field.turn()
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "SIGNAL")}

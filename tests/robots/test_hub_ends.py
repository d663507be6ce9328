"""How the hub's operations end: late history, dust, other coin, switches thrown, a late worker."""

from __future__ import annotations

from typing import Any

import pytest

from fondaco.core import records
from fondaco.core.records import Event, OrderType
from fondaco.link.answers import Unanswered
from fondaco.robots.hub import operations, services
from fondaco.robots.hub.operations import save_all
from fondaco.robots.models import Decision, Lease, Operation, Robot
from tests.robots import hub_field
from tests.robots.hub_field import History, HubField

pytestmark = pytest.mark.django_db
Status = Operation.Status
BEHIND = 5  # commits that a slow history is behind the newest
UNIT = 10**8


def make_field(
    monkeypatch: pytest.MonkeyPatch, *, amount: int = 100, more: str = "", coin: str = "0"
) -> HubField:
    """Return a field of one robot that buys for an amount, with a market at 20000."""
    lines = (
        '[[members.robots]]\nid = "r0"\n'
        f'allotment = {{ USDT = "1000", BTC = "{coin}" }}\n'
        'config = { buy_on = 1, sell_on = 1, symbols = ["BTC"], '
        f"operation_amount = {amount}{more} }}\n"
    )
    made = HubField(monkeypatch, lines)
    made.trade(20000)
    made.quote(19990, 20010)
    return made


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    """One robot that buys for 100, and a market at 20000."""
    return make_field(monkeypatch)


def due(field: HubField, times: int = 3) -> None:
    """Have what waits be tried now, whatever the wall clock says."""
    tried = field.hub._operations
    tried._touched.update(tried._steps)
    field.turn(times)


def account() -> int:
    return Robot.objects.get(pk="r0").account_id


def sold(field: HubField) -> list[dict[str, int]]:
    """Return the fills by which the robot sold."""
    fills = field.history.events(Event.FILL)
    return [each for each in fills if (each["account"], each["side"]) == (account(), 2)]


def stops(field: HubField) -> int:
    """Return how many stops of the robot the core has taken."""
    taken = field.history.events(Event.ORDER)
    return len(
        {
            each["order_id"]
            for each in taken
            if (each["account"], each["order_type"]) == (account(), OrderType.STOP_LOSS)
        }
    )


def coin(field: HubField) -> int:
    """Return the coin that the robot has, free and held."""
    answer = field.core.query(records.pack(records.Query.BALANCES, account=account()))
    rows = [records.unpack(record) for record in records.split(bytes(answer.records))]
    return sum(row["free"] + row["held"] for row in rows if row["asset"] == 1)


class LateHistory(History):
    """A history that is always some commits behind, and tells nothing of these."""

    def cursor(self) -> Any:
        return type("Cursor", (), {"seq": self._core.exchange.seq - BEHIND})

    def events(self, *kinds: int) -> list[dict[str, int]]:
        seq = self.cursor().seq
        return [each for each in super().events(*kinds) if each["seq"] <= seq]


def lose_stops(field: HubField, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no stop reach the core, and no answer come; all else goes through."""
    submit_many = field.core.submit_many

    def submit(commands: Any) -> Any:
        words = records.unpack(commands[0]) if commands else {}
        if words.get("order_type") == OrderType.STOP_LOSS:
            return [Unanswered("the writer is gone")] * len(commands)
        return submit_many(commands)

    monkeypatch.setattr(field.core, "submit_many", submit)


@pytest.mark.parametrize("sells", [False, True])
def test_a_history_that_never_catches_up_is_no_hindrance(
    monkeypatch: pytest.MonkeyPatch, *, sells: bool
) -> None:
    """A new worker of a busy house places the stop that was never sent, and sells at a signal."""
    field = make_field(monkeypatch, more=", operation_stop_loss = 10")
    field.signal(1)
    with monkeypatch.context() as losing:
        lose_stops(field, losing)
        field.turn()
    assert (field.operations()[0][1], stops(field)) == (Status.AWAITING_SELL, 0)
    late = LateHistory(field.core)
    monkeypatch.setattr(operations, "history", late)
    Lease.objects.update(until_us=0)
    field.start()
    signal = field.signal(-1) if sells else 0
    for _ in range(6):
        field.order(field.bob, 1, 100, 1)  # others go on, far from the price
        field.order(field.bob, 1, 100, 1)
        due(field, 1)
        assert late.cursor().seq < field.hub._roster.seq
    if sells:
        assert field.reasons(signal) == {"r0": "TRIGGERED"}
        assert field.operations() == [("r0", Status.CLOSED, "SIGNAL")]
        assert coin(field) < 1000
    else:
        assert (field.operations()[0][1], stops(field)) == (Status.AWAITING_SELL, 1)
    assert field.buys("r0") == 1


def test_a_purchase_too_small_to_be_sold_again_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """For 10 there is less than a thousandth of a coin at 20000: CASH_TOO_LOW, and no operation."""
    field = make_field(monkeypatch, amount=10)
    signal = field.signal(1)
    field.turn()
    assert field.reasons(signal) == {"r0": "CASH_TOO_LOW"}
    row = Decision.objects.get(signal=signal)
    assert (row.had, row.needed) == (10 * UNIT, 20 * UNIT)
    assert (field.operations(), field.buys("r0")) == ([], 0)


def test_a_sale_that_leaves_dust_is_a_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it is worth less than an order may be: it is closed, and was triggered."""
    with_least = hub_field.HOUSE.replace("tick_size", 'min_notional = "10"\ntick_size', 1)
    monkeypatch.setattr(hub_field, "HOUSE", with_least)
    field = make_field(monkeypatch)
    field.signal(1)
    field.turn()
    bought = Operation.objects.get().bought_lots
    field.quote(19990, 20010, bought - 20)  # the rest is worth 4
    signal = field.signal(-1)
    field.turn()
    assert field.operations() == [("r0", Status.AWAITING_SELL, "")]
    field.quote(19990, 20010)
    due(field)
    assert field.operations() == [("r0", Status.CLOSED, "SIGNAL")]
    assert field.reasons(signal) == {"r0": "TRIGGERED"}
    assert sum(each["last_lots"] for each in sold(field)) == bought - 20


def wait_to_buy(field: HubField) -> int:
    """Signal a purchase while nobody sells; return the signal's number."""
    field.core.submit(field.cancel_all())
    signal = field.signal(1)
    field.turn()
    assert field.operations() == [("r0", Status.AWAITING_BUY, "NO_LIQUIDITY")]
    return signal


def test_a_sell_ends_a_purchase_of_a_client_without_coin(field: HubField) -> None:
    """There is nothing to sell, and nothing is bought after it either."""
    bought = wait_to_buy(field)
    signal = field.signal(-1)
    field.turn()
    assert field.reasons(signal) == {"r0": "COIN_TOO_LOW"}
    field.quote(19990, 20010)
    due(field)
    assert field.operations() == [("r0", Status.FAILED, "NO_LIQUIDITY")]
    assert (field.buys("r0"), field.reasons(bought)) == (0, {"r0": "TOO_LATE"})


@pytest.mark.parametrize(
    ("switch", "reason"), [({"is_active": False}, "INACTIVE"), ({"is_locked": True}, "LOCKED")]
)
def test_a_client_that_is_stopped_while_it_waits_buys_nothing(
    field: HubField, switch: dict[str, bool], reason: str
) -> None:
    """Switched off, or locked by staff: its purchase is given up, and its decision says why."""
    signal = wait_to_buy(field)
    Robot.objects.filter(pk="r0").update(**switch, changed_us=services.wall_us())
    field.quote(19990, 20010)
    due(field)
    assert field.operations() == [("r0", Status.FAILED, "NO_LIQUIDITY")]
    assert (field.buys("r0"), field.reasons(signal)) == (0, {"r0": reason})


def test_a_stop_loss_leaves_other_coin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stop is reached in a thin book: what was bought is sold in all, the allotted is not."""
    field = make_field(monkeypatch, more=", operation_stop_loss = 10", coin="1")
    field.signal(1)
    field.turn()
    op = Operation.objects.get()
    assert (op.status, stops(field)) == (Status.AWAITING_SELL, 1)
    field.quote(17000, 17010, 100)
    field.order(field.bob, 2, 17000 * 100, 1)  # reaches the stop, which sells to what is left
    field.turn()
    assert sum(each["last_lots"] for each in sold(field)) == 99
    field.quote(17000, 17010)
    due(field)
    assert field.operations() == [("r0", Status.CLOSED, "STOP_LOSS")]
    assert sum(each["last_lots"] for each in sold(field)) == op.bought // 1000
    assert UNIT <= coin(field) < UNIT + 1000


def test_a_late_worker_writes_over_nobody(field: HubField) -> None:
    """Who stood still under an older fence leaves the operation as the next worker wrote it."""
    field.signal(1)
    field.turn()
    stale, newer = Operation.objects.get(), Operation.objects.get()
    newer.fence, newer.status, newer.note = stale.fence + 1, Status.CLOSED, "SIGNAL"
    save_all([newer])
    stale.note, stale.tries = "late", 7
    save_all([stale])
    row = Operation.objects.get()
    assert (row.fence, row.status, row.note) == (newer.fence, Status.CLOSED, "SIGNAL")
    assert row.tries == newer.tries
    newer.tries = 3  # under the same fence it goes on
    save_all([newer])
    assert Operation.objects.get().tries == 3

"""Lists in SQL, from the core's own events: the newest state of each, and what names its list."""

from __future__ import annotations

from collections.abc import Callable

from fondaco.core import client_ids
from fondaco.core.records import Command, ListStatus, OrderType, Side, pack
from fondaco.projections import selectors
from fondaco.projections.services import Writer
from tests.core.field import PEOPLE, Field, list_id_words

Renew = Callable[[], None]
ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]
SOLD = {
    "side": Side.SELL, "stop_type": OrderType.STOP_LOSS, "stop_trigger_ticks": 90,
    "profit_type": OrderType.LIMIT_MAKER, "profit_price_ticks": 110, "instrument": 1,
}  # fmt: skip


class House(Field):
    """A field whose events are written into the tables, command by command."""

    def __init__(self) -> None:
        """Write the opening, too."""
        self.writer: Writer | None = None
        self.waiting: list[bytes] = []
        super().__init__(taker_fee_ppm=1_000)
        self.writer = Writer()
        self.write()

    def send(self, *records: bytes) -> list[bytes]:
        """Carry out records and write what came of them."""
        self.time_us += 1_000
        found = super().send(*records)
        self.waiting += found
        if self.writer is not None:
            self.write()
        return found

    def write(self) -> None:
        """Write what waits."""
        assert self.writer is not None
        self.writer.apply_events(b"".join(self.waiting), self.exchange.seq)
        self.waiting.clear()

    def list_of(self, account: int, lots: int, name: str = "") -> int:
        """Send a list; return its number."""
        named = list_id_words("list", name) if name else {}
        self.send(pack(Command.NEW_LIST, account=account, quantity_lots=lots, **SOLD, **named))
        return self.exchange.seq


def test_lists_are_kept_in_their_newest_state(tables: Renew) -> None:
    """By account, from a number or a time on, the newest ones, and by client id the newest."""
    house = House()
    one = house.list_of(ANN, 5, "same")
    house.send(pack(Command.CANCEL_LIST, account=ANN, instrument=1, list_id=one))
    two, three = house.list_of(ANN, 6, "same"), house.list_of(ANN, 7)
    bobs = house.list_of(BOB, 1)
    found = selectors.lists(ANN)
    assert [row.list_id for row in found] == [one, two, three]
    assert [row.status for row in found] == [ListStatus.ALL_DONE] + [ListStatus.EXECUTING] * 2
    first, second, _ = found
    assert (first.stop_order_id, first.profit_order_id) == (one - 1, one)
    assert (first.account, first.instrument) == (ANN, 1)
    assert first.updated_us > first.created_us == second.created_us - 2_000
    assert first.updated_seq == one + 1
    assert [row.list_id for row in selectors.lists(ANN, limit=2)] == [two, three]
    assert [row.list_id for row in selectors.lists(ANN, from_id=two, limit=1)] == [two]
    start = second.created_us
    assert [row.list_id for row in selectors.lists(ANN, start_us=start)] == [two, three]
    assert [row.list_id for row in selectors.lists(ANN, end_us=start)] == [one]
    assert [row.list_id for row in selectors.lists(BOB)] == [bobs]
    words = client_ids.encode("same")
    named = selectors.list_by_client_id(ANN, words)
    assert named == second
    assert selectors.list_by_client_id(BOB, words) is None


def test_orders_and_fills_name_their_list(tables: Renew) -> None:
    """list_id of both legs, also of what they traded; 0 for orders in none."""
    house = House()
    number = house.list_of(ANN, 5)
    house.send(house.order("bob", Side.BUY, 2, 110))
    rows = selectors.orders(ANN, 1)
    assert [(row.order_id, row.list_id) for row in rows] == [
        (number - 1, number),
        (number, number),
    ]
    (fill,) = selectors.my_trades(ANN, 1)
    assert (fill.order_id, fill.list_id) == (number, number)
    (fill,) = selectors.my_trades(BOB, 1)
    assert fill.list_id == 0
    assert [row.list_id for row in selectors.orders(BOB, 1)] == [0]

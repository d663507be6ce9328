"""History as the edges ask for it, held against plain filtering of the same rows."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections

from fondaco.core import records
from fondaco.projections import selectors
from fondaco.projections.models import Order
from fondaco.projections.router import ALIAS
from fondaco.projections.selectors import OrderRow
from fondaco.projections.services import Writer
from tests.projections import packed

Renew = Callable[[], None]
COMMANDS = 900


def fill_tables(seed: int = 12) -> None:
    commits = list(packed.history(COMMANDS, seed=seed))
    Writer().apply_events(b"".join(events for _, events in commits), commits[-1][0])


def all_orders(account: int) -> list[OrderRow]:
    rows = Order.objects.filter(account=account).order_by("id").values_list()
    return [OrderRow(*row[:-1]) for row in rows]


def test_orders_come_oldest_first_by_id_and_by_time(tables: Renew) -> None:
    """Pages by order id and ranges by creation time hold exactly the orders that fit."""
    fill_tables()
    every = all_orders(17)
    assert len(every) > 100
    ask = selectors.orders
    assert ask(17, packed.BTCUSDT, limit=1000) == every
    assert ask(17, packed.BTCUSDT, limit=9) == every[-9:]
    middle = every[len(every) // 2]
    assert (
        ask(17, packed.BTCUSDT, from_order_id=middle.order_id, limit=5)
        == [row for row in every if row.order_id >= middle.order_id][:5]
    )
    start, end = every[20].created_us, every[60].created_us
    assert ask(17, packed.BTCUSDT, start_us=start, end_us=end, limit=1000) == [
        row for row in every if start <= row.created_us < end
    ]
    assert (
        ask(17, packed.BTCUSDT, end_us=end, limit=3)
        == [row for row in every if row.created_us < end][-3:]
    )
    assert ask(17, packed.BTCUSDT, start_us=1 << 60) == []
    assert ask(17, packed.BTCUSDT + 1) == []


def test_an_order_is_found_by_its_client_order_id(tables: Renew) -> None:
    """The newest order of the account with that id, and none for the zero id."""
    words = (5, 6, 7, 8 << 56)
    names = {f"client_order_id_{place}": word for place, word in enumerate(words)}
    swapped = {f"client_order_id_{place}": word for place, word in enumerate((6, 5, 7, 8 << 56))}
    writer = Writer()
    writer.apply_events(packed.definitions() + packed.order(1, **names), 1)
    writer.apply_events(packed.order(2, **swapped) + packed.order(3, account=20, **names), 3)
    writer.apply_events(packed.order(4, **names) + packed.order(5), 5)
    found = selectors.order_by_client_id(16, words)
    assert found is not None
    assert found.order_id == 4
    other = selectors.order_by_client_id(16, (6, 5, 7, 8 << 56))
    assert other is not None
    assert other.order_id == 2
    assert selectors.order_by_client_id(16, (1, 1, 1, 1 << 56)) is None
    single = selectors.order(5)
    assert single is not None
    assert single.client_order_id_3 == 0
    assert selectors.order(99) is None


def test_my_trades_are_each_side_of_the_trades(tables: Renew) -> None:
    """Buyer and seller see one fill each, with their own order, fee and role; oneself two."""
    writer = Writer()
    writer.apply_events(packed.definitions(), 1)
    run = packed.trade(2, 1, buyer_fee=3, seller_fee=4)
    run += packed.trade(3, 2, buyer_account=16, seller_account=17, taker_side=records.Side.BUY)
    run += packed.trade(4, 3, buyer_account=16, seller_account=16)
    writer.apply_events(run, 4)
    mine = selectors.my_trades(16, packed.BTCUSDT)
    assert [(row.trade_id - packed.KEPT, row.side, row.is_maker) for row in mine] == [
        (1, 2, True),
        (2, 1, False),
        (3, 1, False),
        (3, 2, True),
    ]
    assert (mine[0].order_id, mine[0].fee, mine[0].fee_asset) == (1, 4, packed.USDT)
    theirs = selectors.my_trades(17, packed.BTCUSDT, limit=1)
    assert [(row.trade_id - packed.KEPT, row.side) for row in theirs] == [(2, 2)]
    from_two = selectors.my_trades(16, packed.BTCUSDT, from_id=packed.KEPT + 2, limit=2)
    assert [row.trade_id - packed.KEPT for row in from_two] == [2, 3]
    (of_three,) = selectors.my_trades(16, packed.BTCUSDT, order_id=3)
    assert of_three.trade_id == packed.KEPT + 2


def test_trades_by_id_and_time(tables: Renew) -> None:
    """The newest, those from an id on, and those of a range, oldest first."""
    fill_tables()
    every = selectors.trades(packed.BTCUSDT, limit=1000)
    assert [row.trade_id - packed.KEPT for row in every] == list(range(1, len(every) + 1))
    assert selectors.trades(packed.BTCUSDT, limit=4) == every[-4:]
    assert selectors.trades(packed.BTCUSDT, from_id=packed.KEPT + 30, limit=4) == every[29:33]
    assert selectors.trades(packed.BTCUSDT, from_id=-(1 << 60), limit=1) == every[:1]
    start, end = every[10].time_us, every[40].time_us
    assert selectors.trades_between(packed.BTCUSDT, start_us=start, end_us=end) == every[10:40]
    mine = selectors.my_trades(17, packed.BTCUSDT, start_us=start, end_us=end, limit=1000)
    assert [row.trade_id for row in mine] == [row.trade_id for row in every[10:40]]


def test_postings_of_an_account_page_by_seq(tables: Renew) -> None:
    """Both sides of an account, in the order of commands and of their indexes."""
    fill_tables()
    every = selectors.postings(17, limit=1000)
    places = [(row.seq, row.index) for row in every]
    assert places == sorted(places)
    assert all(17 in (row.debit_account, row.credit_account) for row in every)
    later = selectors.postings(17, after_seq=every[50].seq, limit=1000)
    assert later == [row for row in every if row.seq > every[50].seq]


def test_selectors_answer_any_thread_while_the_projector_writes(tables: Renew) -> None:
    """Readers in threads see whole commits only: their newest trade is never beyond the cursor."""
    commits = list(packed.history(COMMANDS, seed=13))
    writer = Writer()
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                last = selectors.trades(packed.BTCUSDT, limit=1)
                after = selectors.cursor().seq
                if last and last[0].seq > after:
                    wrong.append(f"trade of seq {last[0].seq} at cursor {after}")
        finally:
            connections[ALIAS].close()

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for last_seq, events in commits:
        writer.apply_events(events, last_seq)
    done.set()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert selectors.cursor().seq == commits[-1][0]

"""Lists of orders of which one ends the other: what each is called, and which legs are open.

Promises: a leg leads to its list, and to the other leg while that is open; when the last leg is
gone LIST says so and the list is forgotten. Numbers: the profit leg has the list's, the stop leg
the one before. Knows no prices and no money: what legs do is list_orders.py's and orders.py's.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        LIST_ALL_DONE,
        LIST_EXECUTING,
        LIST_HEAD,
        ROW_LIST,
    )
    from fondaco.core.events import Events
    from fondaco.core.index import Index
    from fondaco.core.layouts import NewList, list_event_at
    from fondaco.core.order_index import OrderIndex
    from fondaco.core.rows import list_at, row_bytes
    from fondaco.core.slab import Slab

LIST_WORDS = 16  # of one list in a dump


class Lists:
    """The lists of which a leg is open."""

    def __init__(self, events: Events, orders: OrderIndex) -> None:
        """Make an empty table; orders finds an open order by its number."""
        self.events = events
        self.orders = orders
        self.rows = Slab(ROW_LIST, row_bytes(ROW_LIST))
        self.index = Index()  # number of a list -> its row

    def list_of(self, order_id: int) -> int:
        """Return the number of an open order's list, or 0."""
        return self.events.listed.find(order_id)

    def is_open(self, list_id: int) -> int:
        """Return 1 if a list of this number has an open leg."""
        return 1 if list_id > 0 and self.index.find(list_id) else 0

    def is_of(self, list_id: int, account: int, instrument: int) -> int:
        """Return 1 if such a list is open and this account's; instrument 0 is any."""
        if not self.is_open(list_id):
            return 0
        row = list_at(self.rows, self.index.find(list_id))
        if row.account != account:
            return 0
        return 1 if instrument == 0 or row.instrument == instrument else 0

    def sibling(self, order_id: int) -> int:
        """Return the slot of the other leg of an order's list if it is open, or 0."""
        list_id = self.events.listed.find(order_id)
        return self.orders.find(2 * list_id - 1 - order_id) if list_id else 0

    def add(self, command: NewList) -> int:
        """Take a list in, before its legs."""
        slot = self.rows.take()
        row = list_at(self.rows, slot)
        row.list_id = command.seq
        row.account = command.account
        row.instrument = command.instrument
        row.created_us = command.time_us
        row.list_client_id_0 = command.list_client_id_0
        row.list_client_id_1 = command.list_client_id_1
        row.list_client_id_2 = command.list_client_id_2
        row.list_client_id_3 = command.list_client_id_3
        row.stop_client_id_0 = command.stop_client_id_0
        row.stop_client_id_1 = command.stop_client_id_1
        row.stop_client_id_2 = command.stop_client_id_2
        row.stop_client_id_3 = command.stop_client_id_3
        row.profit_client_id_0 = command.profit_client_id_0
        row.profit_client_id_1 = command.profit_client_id_1
        row.profit_client_id_2 = command.profit_client_id_2
        row.profit_client_id_3 = command.profit_client_id_3
        self.events.listed.put(command.seq - 1, command.seq)
        self.events.listed.put(command.seq, command.seq)
        return self.index.put(command.seq, slot)

    def leave(self, order_id: int) -> int:
        """Let a leg go whose order is no longer open, and its list if that was the last."""
        list_id = self.events.listed.find(order_id)
        if list_id == 0:
            return 0
        self.events.listed.remove(order_id)
        if self.orders.find(2 * list_id - 1 - order_id):
            return 0
        self.tell(list_id, LIST_ALL_DONE)
        return self.rows.give(self.index.remove(list_id))

    def tell(self, list_id: int, status: int) -> int:
        """LIST."""
        row = list_at(self.rows, self.index.find(list_id))
        event = list_event_at(self.events.words.items, self.events.begin(LIST_HEAD, row.account))
        event.instrument = row.instrument
        event.list_id = list_id
        event.status = status
        event.stop_order_id = list_id - 1
        event.profit_order_id = list_id
        event.created_us = row.created_us
        event.list_client_id_0 = row.list_client_id_0
        event.list_client_id_1 = row.list_client_id_1
        event.list_client_id_2 = row.list_client_id_2
        event.list_client_id_3 = row.list_client_id_3
        event.stop_client_id_0 = row.stop_client_id_0
        event.stop_client_id_1 = row.stop_client_id_1
        event.stop_client_id_2 = row.stop_client_id_2
        event.stop_client_id_3 = row.stop_client_id_3
        event.profit_client_id_0 = row.profit_client_id_0
        event.profit_client_id_1 = row.profit_client_id_1
        event.profit_client_id_2 = row.profit_client_id_2
        event.profit_client_id_3 = row.profit_client_id_3
        return 0

    # -- cold ------------------------------------------------------------------------------------

    def answer(self, account: int, instrument: int, list_id: int) -> int:
        """Write an account's open lists, oldest first; of one instrument, one number, or 0."""
        for number in self.numbers():
            row = list_at(self.rows, self.index.find(number))
            if (
                row.account == account
                and (instrument == 0 or row.instrument == instrument)
                and (list_id == 0 or list_id == number)
            ):
                self.tell(number, LIST_EXECUTING)
        return 0

    def numbers(self) -> list[int]:
        """Return the numbers of all lists, oldest first."""
        found = []
        for slot in range(1, self.rows.used):
            number = list_at(self.rows, slot).list_id
            if number and self.index.find(number) == slot:
                found.append(number)
        found.sort()
        return found

    def dump(self, words: Words) -> int:
        """Write all lists, oldest first; nothing if there are none."""
        numbers = self.numbers()
        if not numbers:
            return 0
        words.add(len(numbers))
        for number in numbers:
            row = list_at(self.rows, self.index.find(number))
            at = words.extend(LIST_WORDS)
            words.items[at] = number
            words.items[at + 1] = row.account
            words.items[at + 2] = row.instrument
            words.items[at + 3] = row.created_us
            words.items[at + 4] = row.list_client_id_0
            words.items[at + 5] = row.list_client_id_1
            words.items[at + 6] = row.list_client_id_2
            words.items[at + 7] = row.list_client_id_3
            words.items[at + 8] = row.stop_client_id_0
            words.items[at + 9] = row.stop_client_id_1
            words.items[at + 10] = row.stop_client_id_2
            words.items[at + 11] = row.stop_client_id_3
            words.items[at + 12] = row.profit_client_id_0
            words.items[at + 13] = row.profit_client_id_1
            words.items[at + 14] = row.profit_client_id_2
            words.items[at + 15] = row.profit_client_id_3
        return 0

    def load(self, words: Words, at: int) -> int:
        """Read what dump() wrote; the orders stand already. Return the place after it.

        Where something else stands it reads nothing.
        """
        count = words.items[at]
        if count < 1 or count > words.used or at + 1 + count * LIST_WORDS != words.used:
            return at
        at += 1
        for _ in range(count):
            slot = self.rows.take()
            row = list_at(self.rows, slot)
            row.list_id = words.items[at]
            row.account = words.items[at + 1]
            row.instrument = words.items[at + 2]
            row.created_us = words.items[at + 3]
            row.list_client_id_0 = words.items[at + 4]
            row.list_client_id_1 = words.items[at + 5]
            row.list_client_id_2 = words.items[at + 6]
            row.list_client_id_3 = words.items[at + 7]
            row.stop_client_id_0 = words.items[at + 8]
            row.stop_client_id_1 = words.items[at + 9]
            row.stop_client_id_2 = words.items[at + 10]
            row.stop_client_id_3 = words.items[at + 11]
            row.profit_client_id_0 = words.items[at + 12]
            row.profit_client_id_1 = words.items[at + 13]
            row.profit_client_id_2 = words.items[at + 14]
            row.profit_client_id_3 = words.items[at + 15]
            self.index.put(row.list_id, slot)
            for order_id in (row.list_id - 1, row.list_id):
                if self.orders.find(order_id):
                    self.events.listed.put(order_id, row.list_id)
            at += LIST_WORDS
        return at

    def forget(self) -> int:
        """Forget all lists, before a load."""
        self.rows.clear()
        self.events.listed.clear()
        return self.index.clear()

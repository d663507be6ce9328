# cython: language_level=3, annotation_typing=False, infer_types=True
"""The two dearest steps of an order, compiled: parameters to a record, events to an answer.

Promises: it does what orders.py, call.py and numbers.py do, for the plain shape in which programs
send orders, and gives None (or False) for anything else: an unusual spelling, an unknown name, a
number that is not whole steps, a refusal. Whoever gets that asks the slow functions, which alone
know the words of errors. Events are the core's own: their framing is trusted. Uncompiled
(FONDACO_PURE=1) it gives the same answers. tests/gateway/test_swift.py compares all three.
"""

from __future__ import annotations

import cython

if not cython.compiled:

    def word_at(events: bytes, at: int) -> int:
        """Return word number `at` of records."""
        return int.from_bytes(events[at << 3 : (at << 3) + 8], "little", signed=True)

    def put_bytes(out: bytearray, at: int, text: bytes) -> int:
        """Write text into the buffer and return the place behind it."""
        end = at + len(text)
        out[at:end] = text
        return end


NAMES = (
    b"symbol", b"side", b"type", b"timeInForce", b"quantity", b"price", b"newClientOrderId",
    b"newOrderRespType", b"timestamp", b"recvWindow", b"origClientOrderId", b"orderId",
)  # fmt: skip
SYMBOL, SIDE, TYPE, TIME_IN_FORCE, QUANTITY, PRICE = 0, 1, 2, 3, 4, 5
CLIENT_ID, REPLY_TYPE, TIMESTAMP, WINDOW, ORIGINAL_ID, ORDER_ID = 6, 7, 8, 9, 10, 11
SLOTS = 12
SIGNATURE = b"signature"
DIGITS_MAX = 17  # so many fit an int64 with room for a scale
ORDER_KIND, FILL_KIND, CANCEL_KIND = 256, 257, 258  # compared with records.py by the test
HEAD_WORDS = 5
ORDER_WORDS = 26
STATUSES = (
    b"", b"NEW", b"PARTIALLY_FILLED", b"FILLED", b"CANCELED", b"EXPIRED", b"REJECTED",
    b"EXPIRED_IN_MATCH",
)  # fmt: skip
TYPES = (b"", b"LIMIT", b"MARKET", b"LIMIT_MAKER")  # taken on the short way
TYPE_NAMES = (*TYPES, b"STOP_LOSS", b"STOP_LOSS_LIMIT", b"TAKE_PROFIT", b"TAKE_PROFIT_LIMIT")
TIMES = (b"GTC", b"GTC", b"IOC", b"FOK")
SIDES = (b"", b"BUY", b"SELL")
PREVENTIONS = (
    b"NONE", b"NONE", b"EXPIRE_TAKER", b"EXPIRE_MAKER", b"EXPIRE_BOTH", b"DECREMENT",
)  # fmt: skip
REPLY_KINDS = (b"ACK", b"RESULT", b"FULL")
ACK, FULL = 0, 2


class Form:
    """The parameters of one request, as places in its bytes. Used again for each request."""

    starts: list[int]
    ends: list[int]

    def __init__(self) -> None:
        """Make an empty form."""
        self.raw = b""
        self.signed_bytes = 0
        if not cython.compiled:  # in C they are part of the object
            self.starts = [0] * SLOTS
            self.ends = [0] * SLOTS

    def read(self, raw: bytes) -> bool:
        """Take `name=value&...&signature=value`; False if it is anything but that."""
        self.raw = raw
        for slot in range(SLOTS):
            self.starts[slot] = 0
        at = 0
        end = len(raw)
        while at < end:
            start = at
            while at < end and raw[at] != 61:  # "="
                if raw[at] == 38:  # "&"
                    return False
                at += 1
            stop = at
            at += 1
            value = at
            while at < end and raw[at] != 38:
                if raw[at] == 37 or raw[at] == 43 or raw[at] >= 128:  # "%", "+"
                    return False
                at += 1
            name = raw[start:stop]
            if name == SIGNATURE:
                self.signed_bytes = start - 1
                return at == end and start > 0
            slot = slot_of(name)
            if slot < 0 or self.starts[slot] or value == at:
                return False
            self.starts[slot] = value
            self.ends[slot] = at
            at += 1
        return False

    def payload(self) -> bytes:
        """Return what is signed."""
        return self.raw[: self.signed_bytes]

    def signature(self) -> bytes:
        return self.raw[self.signed_bytes + 11 :]

    def text(self, slot: int) -> bytes:
        """Return a value, b"" if it is not there."""
        if not self.starts[slot]:
            return b""
        return self.raw[self.starts[slot] : self.ends[slot]]

    def symbol(self) -> bytes:
        return self.text(SYMBOL)

    def client_id(self) -> bytes:
        return self.text(CLIENT_ID)

    def reply_kind(self) -> int:
        """Return ACK, RESULT or FULL as asked, or what is usual for the type; -1 if unknown."""
        if self.starts[REPLY_TYPE]:
            return place_of(self.text(REPLY_TYPE), REPLY_KINDS, 0)
        return ACK if self.text(TYPE) == TYPES[3] else FULL

    def whole(self, slot: int, digits_max: int) -> int:
        """Return a whole number, -1 if it is missing or not plainly one."""
        at = self.starts[slot]
        end = self.ends[slot]
        if at == 0 or end - at > digits_max:
            return -1
        found = 0
        raw = self.raw
        while at < end:
            digit = raw[at] - 48
            if digit < 0 or digit > 9:
                return -1
            found = found * 10 + digit
            at += 1
        return found

    def is_fresh(self, now_us: int) -> bool:
        """Whether the timestamp, in milliseconds, lies within its window of now."""
        stamp = self.whole(TIMESTAMP, 13)
        window = self.whole(WINDOW, 5) if self.starts[WINDOW] else 5000
        if stamp < 0 or window < 0 or window > 60000:
            return False
        early = now_us - stamp * 1000
        return -1_000_000 < early <= window * 1000

    def steps(self, slot: int, decimals: int, size: int) -> int:
        """Return a decimal number as a count of steps, 0 if it is not plainly a whole one."""
        at = self.starts[slot]
        end = self.ends[slot]
        if at == 0:
            return 0
        raw = self.raw
        value = 0
        digits = 0
        while at < end and raw[at] != 46:  # "."
            digit = raw[at] - 48
            if digit < 0 or digit > 9 or digits >= DIGITS_MAX:
                return 0
            value = value * 10 + digit
            digits += 1
            at += 1
        if digits == 0 or digits + decimals > DIGITS_MAX:
            return 0
        places = 0
        if at < end:
            at += 1
            if at == end or end - at > 20:
                return 0
            while at < end:
                digit = raw[at] - 48
                if digit < 0 or digit > 9:
                    return 0
                if places < decimals:
                    value = value * 10 + digit
                    places += 1
                elif digit != 0:
                    return 0
                at += 1
        while places < decimals:
            value *= 10
            places += 1
        return 0 if value % size else value // size

    def put_id(self, out: bytearray, at: int, slot: int) -> bool:
        """Write a client order id as its four words; False if it is none."""
        start = self.starts[slot]
        length = self.ends[slot] - start
        if length > 36:
            return False
        raw = self.raw
        bits = 0
        held = 0
        for place in range(36):
            sextet = 0
            if place < length:
                sextet = sextet_of(raw[start + place])
                if sextet < 0:
                    return False
            bits = (bits << 6) | sextet
            held += 6
            if held >= 8:
                held -= 8
                out[at] = (bits >> held) & 255
                at += 1
                bits &= (1 << held) - 1
        out[at + 4] = length
        return True


def slot_of(name: bytes) -> int:
    for slot in range(SLOTS):
        if name == NAMES[slot]:
            return slot
    return -1


def sextet_of(letter: int) -> int:
    """Return the six bits of a letter of a client order id, -1 if it may not stand in one."""
    if 97 <= letter <= 122:
        return letter - 71
    if 65 <= letter <= 90:
        return letter - 65
    if 48 <= letter <= 57:
        return letter + 4
    if letter == 45:
        return 62
    if letter == 95:
        return 63
    return -1


def letter_of(sextet: int) -> int:
    if sextet < 26:
        return sextet + 65
    if sextet < 52:
        return sextet + 71
    if sextet < 62:
        return sextet - 4
    return 45 if sextet == 62 else 95


def place_of(text: bytes, texts: tuple[bytes, ...], first: int) -> int:
    """Return where a text stands among others from `first` on, -1 if it doesn't."""
    for place in range(first, len(texts)):
        if text == texts[place]:
            return place
    return -1


def put_word(out: bytearray, at: int, word: int) -> int:
    """Write word number `at` of a record, which is not negative."""
    at <<= 3
    for _ in range(8):
        out[at] = word & 255
        word >>= 8
        at += 1
    return 0


def put_number(out: bytearray, at: int, value: int, places: int) -> int:
    """Write a whole number with at least `places` digits; return the place behind it."""
    digits = 1
    rest = value // 10
    while rest:
        digits += 1
        rest //= 10
    digits = max(digits, places)
    end = at + digits
    for place in range(end - 1, at - 1, -1):
        out[place] = 48 + value % 10
        value //= 10
    return end


class Shape:
    """One instrument, as the answers and the records of its orders need it."""

    def __init__(
        self,
        symbol: bytes,
        number: int,
        tick: tuple[int, int, int],
        lot: tuple[int, int, int],
        base: tuple[int, bytes, int],
        quote: tuple[int, bytes, int],
        heads: tuple[int, int],
    ) -> None:
        """Take (size, decimals, decimals on the wire) of steps, (number, code, decimals) of assets.

        `heads` are the first words of NEW_ORDER and CANCEL_ORDER.
        """
        self.symbol = symbol
        self.number = number
        self.tick_size, self.tick_decimals, self.tick_places = tick
        self.lot_size, self.lot_decimals, self.lot_places = lot
        self.base_number, self.base_code, self.base_decimals = base
        self.quote_number, self.quote_code, self.quote_decimals = quote
        self.new_head, self.cancel_head = heads

    def new_order(self, form: Form, account: int, key: int) -> bytes | None:
        """Return the record of a LIMIT, LIMIT_MAKER or MARKET order by quantity."""
        side = place_of(form.text(SIDE), SIDES, 1)
        order_type = place_of(form.text(TYPE), TYPES, 1)
        lots = form.steps(QUANTITY, self.lot_decimals, self.lot_size)
        if side < 0 or order_type < 0 or lots == 0 or form.starts[ORIGINAL_ID]:
            return None
        if form.starts[ORDER_ID]:
            return None
        price = 0
        time_in_force = 0
        if order_type == 2:
            if form.starts[PRICE] or form.starts[TIME_IN_FORCE]:
                return None
        else:
            price = form.steps(PRICE, self.tick_decimals, self.tick_size)
            if price == 0:
                return None
            if order_type == 3:
                if form.starts[TIME_IN_FORCE]:
                    return None
                time_in_force = 1
            else:
                time_in_force = place_of(form.text(TIME_IN_FORCE), TIMES, 1)
                if time_in_force < 0:
                    return None
        out = bytearray(144)
        put_word(out, 0, self.new_head)
        put_word(out, 3, account)
        put_word(out, 4, key)
        put_word(out, 5, self.number)
        put_word(out, 6, side)
        put_word(out, 7, order_type)
        put_word(out, 8, time_in_force)
        put_word(out, 9, 1)
        put_word(out, 10, price)
        put_word(out, 11, lots)
        if form.starts[CLIENT_ID] and not form.put_id(out, 14 * 8, CLIENT_ID):
            return None
        return bytes(out)

    def cancel_order(self, form: Form, account: int, key: int) -> bytes | None:
        """Return the record of a cancel by one id."""
        out = bytearray(120)
        if form.starts[ORDER_ID]:
            order_id = form.whole(ORDER_ID, 18)
            if order_id <= 0 or form.starts[ORIGINAL_ID]:
                return None
            put_word(out, 6, order_id)
        else:
            start = form.starts[ORIGINAL_ID]
            if start == 0 or form.raw[start] == 70:  # "F": it may be an id that we gave
                return None
            if not form.put_id(out, 7 * 8, ORIGINAL_ID):
                return None
        put_word(out, 0, self.cancel_head)
        put_word(out, 3, account)
        put_word(out, 4, key)
        put_word(out, 5, self.number)
        return bytes(out)

    def put_fixed(self, out: bytearray, at: int, value: int, decimals: int, places: int) -> int:
        """Write value / 10**decimals with so many places; return the place behind it."""
        scale = 1
        for _ in range(decimals):
            scale *= 10
        at = put_number(out, at, value // scale, 1)
        out[at] = 46
        at += 1
        if decimals:
            at = put_number(out, at, value % scale, decimals)
        for _ in range(places - decimals):
            out[at] = 48
            at += 1
        return at

    def put_price(self, out: bytearray, at: int, ticks: int) -> int:
        return self.put_fixed(out, at, ticks * self.tick_size, self.tick_decimals, self.tick_places)

    def put_lots(self, out: bytearray, at: int, lots: int) -> int:
        return self.put_fixed(out, at, lots * self.lot_size, self.lot_decimals, self.lot_places)

    def put_result(self, out: bytearray, at: int, events: bytes, words: int) -> int:
        """Write the fields that every answer about an order shares, from an ORDER's words."""
        lots = word_at(events, words + 15)
        filled = word_at(events, words + 16)
        at = put_bytes(out, at, b'"price":"')
        at = self.put_price(out, at, word_at(events, words + 13))
        at = put_bytes(out, at, b'","origQty":"')
        at = self.put_lots(out, at, lots or filled)
        at = put_bytes(out, at, b'","executedQty":"')
        at = self.put_lots(out, at, filled)
        at = put_bytes(out, at, b'","origQuoteOrderQty":"')
        at = self.put_fixed(out, at, word_at(events, words + 18), self.quote_decimals, 8)
        at = put_bytes(out, at, b'","cummulativeQuoteQty":"')
        at = self.put_fixed(out, at, word_at(events, words + 17), self.quote_decimals, 8)
        at = put_bytes(out, at, b'","status":"')
        at = put_bytes(out, at, STATUSES[word_at(events, words + 8)])
        at = put_bytes(out, at, b'","timeInForce":"')
        at = put_bytes(out, at, TIMES[word_at(events, words + 11)])
        at = put_bytes(out, at, b'","type":"')
        at = put_bytes(out, at, TYPE_NAMES[word_at(events, words + 10)])
        at = put_bytes(out, at, b'","side":"')
        at = put_bytes(out, at, SIDES[word_at(events, words + 9)])
        if word_at(events, words + 14):
            at = put_bytes(out, at, b'","stopPrice":"')
            at = self.put_price(out, at, word_at(events, words + 14))
        return put_bytes(out, at, b'",')

    def put_fill(self, out: bytearray, at: int, events: bytes, words: int) -> int:
        """Write one fill, from the words behind those of its order."""
        at = put_bytes(out, at, b'{"price":"')
        at = self.put_price(out, at, word_at(events, words))
        at = put_bytes(out, at, b'","qty":"')
        at = self.put_lots(out, at, word_at(events, words + 1))
        at = put_bytes(out, at, b'","commission":"')
        is_base = word_at(events, words + 4) == self.base_number
        decimals = self.base_decimals if is_base else self.quote_decimals
        at = self.put_fixed(out, at, word_at(events, words + 3), decimals, 8)
        at = put_bytes(out, at, b'","commissionAsset":"')
        at = put_bytes(out, at, self.base_code if is_base else self.quote_code)
        at = put_bytes(out, at, b'","tradeId":')
        at = put_number(out, at, word_at(events, words + 5), 1)
        out[at] = 125
        return at + 1

    def put_names(self, out: bytearray, order_id: int) -> int:
        at = put_bytes(out, 0, b'{"symbol":"')
        at = put_bytes(out, at, self.symbol)
        at = put_bytes(out, at, b'","orderId":')
        at = put_number(out, at, order_id, 1)
        return put_bytes(out, at, b',"orderListId":-1,"clientOrderId":"')

    def new_order_reply(self, events: bytes, client_id: bytes, kind: int) -> bytes | None:
        """Return the JSON of a new order; None if the events are not those of one of these."""
        end = len(events) >> 3
        if end < ORDER_WORDS or word_at(events, 0) & 0xFFFF != ORDER_KIND:
            return None
        if word_at(events, 10) >= len(TYPES):
            return None
        account = word_at(events, 3)
        order_id = word_at(events, 6)
        out = bytearray(1200 + 2 * len(events))
        at = self.put_names(out, order_id)
        if client_id:
            at = put_bytes(out, at, client_id)
        else:
            out[at] = 70
            at = put_number(out, at + 1, order_id, 1)
        last = 0
        place = 0
        while place < end:
            head = word_at(events, place)
            found = head & 0xFFFF
            if (
                (found == ORDER_KIND or found == FILL_KIND or found == CANCEL_KIND)
                and word_at(events, place + 6) == order_id
                and word_at(events, place + 3) == account
            ):
                last = place
            place += head >> 35
        made_ms = word_at(events, last + 2) // 1000
        at = put_bytes(out, at, b'","transactTime":')
        at = put_number(out, at, made_ms, 1)
        if kind == ACK:
            out[at] = 125
            return bytes(out[: at + 1])
        out[at] = 44
        at = self.put_result(out, at + 1, events, last)
        at = put_bytes(out, at, b'"workingTime":')
        at = put_number(out, at, made_ms, 1)
        at = put_bytes(out, at, b',"selfTradePreventionMode":"')
        at = put_bytes(out, at, PREVENTIONS[word_at(events, last + 12)])
        out[at] = 34
        at += 1
        if kind == FULL:
            at = self.put_fills(out, at, events, order_id, account)
        out[at] = 125
        return bytes(out[: at + 1])

    def put_fills(self, out: bytearray, at: int, events: bytes, order_id: int, account: int) -> int:
        at = put_bytes(out, at, b',"fills":[')
        place = 0
        count = 0
        end = len(events) >> 3
        while place < end:
            head = word_at(events, place)
            if (
                head & 0xFFFF == FILL_KIND
                and word_at(events, place + 6) == order_id
                and word_at(events, place + 3) == account
            ):
                if count:
                    out[at] = 44
                    at += 1
                at = self.put_fill(out, at, events, place + ORDER_WORDS)
                count += 1
            place += head >> 35
        out[at] = 93
        return at + 1

    def cancel_reply(self, events: bytes) -> bytes | None:
        """Return the JSON of a CANCEL event; None if the events are none."""
        place = 0
        end = len(events) >> 3
        while place < end and word_at(events, place) & 0xFFFF != CANCEL_KIND:
            place += word_at(events, place) >> 35
        if place >= end or word_at(events, place + 25):
            return None  # or it was a leg of a list
        out = bytearray(1200)
        order_id = word_at(events, place + 6)
        at = put_bytes(out, 0, b'{"symbol":"')
        at = put_bytes(out, at, self.symbol)
        at = put_bytes(out, at, b'","origClientOrderId":"')
        at = self.put_client_id(out, at, events, place + 20, order_id)
        at = put_bytes(out, at, b'","orderId":')
        at = put_number(out, at, order_id, 1)
        at = put_bytes(out, at, b',"orderListId":-1,"clientOrderId":"C')
        at = put_number(out, at, word_at(events, place + 1), 1)
        at = put_bytes(out, at, b'","transactTime":')
        at = put_number(out, at, word_at(events, place + 2) // 1000, 1)
        out[at] = 44
        at = self.put_result(out, at + 1, events, place)
        at = put_bytes(out, at, b'"selfTradePreventionMode":"')
        at = put_bytes(out, at, PREVENTIONS[word_at(events, place + 12)])
        at = put_bytes(out, at, b'"}')
        return bytes(out[:at])

    def put_client_id(
        self, out: bytearray, at: int, events: bytes, words: int, order_id: int
    ) -> int:
        """Write the client order id of four words, the default one where they are 0."""
        first = words << 3
        length = events[first + 31]
        if length == 0:
            out[at] = 70
            return put_number(out, at + 1, order_id, 1)
        bits = 0
        held = 0
        place = 0
        for byte in range(27):
            bits = (bits << 8) | events[first + byte]
            held += 8
            while held >= 6:
                held -= 6
                if place < length:
                    out[at] = letter_of((bits >> held) & 63)
                    at += 1
                place += 1
                bits &= (1 << held) - 1
        return at

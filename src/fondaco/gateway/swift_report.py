# cython: language_level=3, annotation_typing=False, infer_types=True
"""A strategy's report, read from its bytes in one pass, compiled: numbers to units, nothing built.

Promises: it does what ingest.py's slow reader does, for the plain shape in which programs send
reports: one object in `data`, known names once each, texts of ASCII without escapes, numbers (or
texts of them) without exponents, of at most ten digits before and eight after the point. It gives
None for anything else, and the slow reader, which alone knows the words of errors, is asked.
tests/gateway/test_swift_report.py compares the two.
"""

from __future__ import annotations

NAMES = (
    b"last_price", b"margin_balance", b"wallet_balance", b"realised_pnl", b"positions",
    b"average_entry_price", b"strategy_access_token", b"symbol", b"created_at",
)  # fmt: skip
NUMBERS = 6  # of the names
TOKEN, SYMBOL, CREATED_AT = 6, 7, 8
SLOTS = 9
WANTED = 255  # a bit for each name that must be there
WHOLE_DIGITS_MAX = 10
DECIMALS = 8
TOKEN_BYTES_MAX = 256
SYMBOL_BYTES_MAX = 64
DATA = b"data"


class Reading:
    """One report, as places and numbers. Used again for each request."""

    units: list[int]

    def __init__(self) -> None:
        """Make an empty one."""
        self.raw = b""
        self.at = 0
        self.found = 0
        self.text_start = 0
        self.text_end = 0
        self.token = b""
        self.symbol = b""
        self.created_at = b""
        self.units = [0] * NUMBERS

    def read(self, raw: bytes) -> bool:
        """Take a body; False if it is anything but the plain shape."""
        self.raw = raw
        self.at = 0
        self.found = 0
        self.created_at = b""
        if not self.opening():
            return False
        while self.member():
            mark = self.mark()
            if mark == 44:  # ","
                continue
            if mark != 125 or self.found & WANTED != WANTED:  # "}"
                return False
            return self.mark() == 125 and self.mark() == 0
        return False

    def opening(self) -> bool:
        """Step over `{"data":{`."""
        if self.mark() != 123 or self.mark() != 34 or not self.text():
            return False
        if self.raw[self.text_start : self.text_end] != DATA:
            return False
        return self.mark() == 58 and self.mark() == 123

    def mark(self) -> int:
        """Return the next byte that is no space and step over it; 0 at the end."""
        raw = self.raw
        end = len(raw)
        at = self.at
        while at < end and (raw[at] == 32 or raw[at] == 10 or raw[at] == 13 or raw[at] == 9):
            at += 1
        self.at = at + 1
        return raw[at] if at < end else 0

    def text(self) -> bool:
        """Step over a text whose opening quote was read; False unless it is plain."""
        raw = self.raw
        end = len(raw)
        at = self.at
        self.text_start = at
        while at < end and raw[at] != 34:
            if raw[at] < 32 or raw[at] > 126 or raw[at] == 92:
                return False
            at += 1
        self.text_end = at
        self.at = at + 1
        return at < end

    def member(self) -> bool:
        """Take one name and its value."""
        if self.mark() != 34 or not self.text():
            return False
        slot = slot_of(self.raw[self.text_start : self.text_end])
        if slot < 0 or self.found >> slot & 1 or self.mark() != 58:
            return False
        self.found |= 1 << slot
        mark = self.mark()
        if slot >= NUMBERS:
            return mark == 34 and self.text() and self.keep(slot)
        if mark == 34:
            return self.number(slot) and self.at < len(self.raw) and self.mark() == 34
        self.at -= 1
        return self.number(slot)

    def keep(self, slot: int) -> bool:
        """Keep the text that was read; False if it is too long."""
        text = self.raw[self.text_start : self.text_end]
        if slot == TOKEN:
            self.token = text
            return 0 < len(text) <= TOKEN_BYTES_MAX
        if slot == SYMBOL:
            self.symbol = text
            return len(text) <= SYMBOL_BYTES_MAX
        self.created_at = text
        return len(text) > 0

    def number(self, slot: int) -> bool:
        """Take a number of JSON as whole units of 10^-8."""
        raw = self.raw
        end = len(raw)
        at = self.at
        is_negative = at < end and raw[at] == 45  # "-"
        if is_negative:
            at += 1
        start = at
        value = 0
        while at < end and 48 <= raw[at] <= 57:
            if at - start >= WHOLE_DIGITS_MAX:
                return False
            value = value * 10 + raw[at] - 48
            at += 1
        if at == start or (raw[start] == 48 and at - start > 1):
            return False
        places = 0
        if at < end and raw[at] == 46:  # "."
            at += 1
            start = at
            while at < end and 48 <= raw[at] <= 57:
                if at - start >= DECIMALS:
                    return False
                value = value * 10 + raw[at] - 48
                at += 1
            places = at - start
            if places == 0:
                return False
        if at < end and (raw[at] == 69 or raw[at] == 101):  # "E", "e"
            return False
        while places < DECIMALS:
            value *= 10
            places += 1
        self.units[slot] = -value if is_negative else value
        self.at = at
        return True


def slot_of(name: bytes) -> int:
    """Return the place of a name, -1 if it is none."""
    for slot in range(SLOTS):
        if name == NAMES[slot]:
            return slot
    return -1

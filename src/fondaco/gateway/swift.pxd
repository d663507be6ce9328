cimport cython
# The C types of swift.py. Amounts are bounded by the core (2**62), shown numbers by the definitions
# of instruments; what is parsed is bounded by DIGITS_MAX.
from libc.stdint cimport int64_t
from libc.string cimport memcpy
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

cdef inline int64_t word_at(bytes events, int64_t at):
    return (<const int64_t*> PyBytes_AS_STRING(events))[at]

cdef inline int64_t put_bytes(bytearray out, int64_t at, bytes text) except -1:
    cdef int64_t size = PyBytes_GET_SIZE(text)
    if at + size > len(out):
        raise IndexError("the answer is longer than its buffer")
    memcpy(PyByteArray_AS_STRING(out) + at, PyBytes_AS_STRING(text), size)
    return at + size

cdef int64_t SYMBOL, SIDE, TYPE, TIME_IN_FORCE, QUANTITY, PRICE
cdef int64_t CLIENT_ID, REPLY_TYPE, TIMESTAMP, WINDOW, ORIGINAL_ID, ORDER_ID
cdef int64_t SLOTS, DIGITS_MAX, ORDER_KIND, FILL_KIND, CANCEL_KIND, ORDER_WORDS, ACK, FULL
cdef tuple NAMES, STATUSES, TYPES, TYPE_NAMES, TIMES, SIDES, PREVENTIONS, REPLY_KINDS
cdef bytes SIGNATURE

@cython.final
cdef class Form:
    cdef bytes raw
    cdef int64_t signed_bytes
    cdef int64_t[12] starts
    cdef int64_t[12] ends
    @cython.locals(at=int64_t, end=int64_t, start=int64_t, stop=int64_t, value=int64_t, slot=int64_t, name=bytes)
    cpdef bint read(self, bytes raw) except? False
    cpdef bytes payload(self)
    cpdef bytes signature(self)
    cpdef bytes text(self, int64_t slot)
    cpdef bytes symbol(self)
    cpdef bytes client_id(self)
    cpdef int64_t reply_kind(self) except? -2
    @cython.locals(at=int64_t, end=int64_t, found=int64_t, digit=int64_t, raw=bytes)
    cpdef int64_t whole(self, int64_t slot, int64_t digits_max) except? -2
    @cython.locals(stamp=int64_t, window=int64_t, early=int64_t)
    cpdef bint is_fresh(self, int64_t now_us) except? False
    @cython.locals(at=int64_t, end=int64_t, value=int64_t, digits=int64_t, places=int64_t, digit=int64_t, raw=bytes)
    cpdef int64_t steps(self, int64_t slot, int64_t decimals, int64_t size) except? -2
    @cython.locals(start=int64_t, length=int64_t, bits=int64_t, held=int64_t, place=int64_t, sextet=int64_t, raw=bytes)
    cdef bint put_id(self, bytearray out, int64_t at, int64_t slot) except? False

@cython.locals(slot=int64_t)
cdef int64_t slot_of(bytes name) except? -2
cdef int64_t sextet_of(int64_t letter) noexcept
cdef int64_t letter_of(int64_t sextet) noexcept
@cython.locals(place=int64_t)
cdef int64_t place_of(bytes text, tuple texts, int64_t first) except? -2
cdef int64_t put_word(bytearray out, int64_t at, int64_t word) except -1
@cython.locals(digits=int64_t, rest=int64_t, end=int64_t, place=int64_t)
cdef int64_t put_number(bytearray out, int64_t at, int64_t value, int64_t places) except -1

@cython.final
cdef class Shape:
    cdef bytes symbol, base_code, quote_code
    cdef int64_t number, tick_size, tick_decimals, tick_places, lot_size, lot_decimals, lot_places
    cdef int64_t base_number, base_decimals, quote_number, quote_decimals, new_head, cancel_head
    @cython.locals(side=int64_t, order_type=int64_t, lots=int64_t, price=int64_t, time_in_force=int64_t, out=bytearray)
    cpdef bytes new_order(self, Form form, int64_t account, int64_t key)
    @cython.locals(order_id=int64_t, start=int64_t, out=bytearray)
    cpdef bytes cancel_order(self, Form form, int64_t account, int64_t key)
    @cython.locals(scale=int64_t)
    cdef int64_t put_fixed(self, bytearray out, int64_t at, int64_t value, int64_t decimals, int64_t places) except -1
    cdef int64_t put_price(self, bytearray out, int64_t at, int64_t ticks) except -1
    cdef int64_t put_lots(self, bytearray out, int64_t at, int64_t lots) except -1
    @cython.locals(lots=int64_t, filled=int64_t)
    cdef int64_t put_result(self, bytearray out, int64_t at, bytes events, int64_t words) except -1
    @cython.locals(decimals=int64_t, is_base=bint)
    cdef int64_t put_fill(self, bytearray out, int64_t at, bytes events, int64_t words) except -1
    @cython.locals(at=int64_t)
    cdef int64_t put_names(self, bytearray out, int64_t order_id) except -1
    @cython.locals(end=int64_t, account=int64_t, order_id=int64_t, at=int64_t, last=int64_t, place=int64_t, head=int64_t, found=int64_t, made_ms=int64_t, out=bytearray)
    cpdef bytes new_order_reply(self, bytes events, bytes client_id, int64_t kind)
    @cython.locals(place=int64_t, count=int64_t, end=int64_t, head=int64_t)
    cdef int64_t put_fills(self, bytearray out, int64_t at, bytes events, int64_t order_id, int64_t account) except -1
    @cython.locals(place=int64_t, end=int64_t, order_id=int64_t, at=int64_t, out=bytearray)
    cpdef bytes cancel_reply(self, bytes events)
    @cython.locals(first=int64_t, length=int64_t, bits=int64_t, held=int64_t, place=int64_t, byte=int64_t)
    cdef int64_t put_client_id(self, bytearray out, int64_t at, bytes events, int64_t words, int64_t order_id) except -1

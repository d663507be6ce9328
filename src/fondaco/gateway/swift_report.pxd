cimport cython
# The C types of swift_report.py. A number has at most 18 digits, so its units fit an int64.
from libc.stdint cimport int64_t

cdef int64_t NUMBERS, TOKEN, SYMBOL, CREATED_AT, SLOTS, WANTED, WHOLE_DIGITS_MAX, DECIMALS
cdef int64_t TOKEN_BYTES_MAX, SYMBOL_BYTES_MAX
cdef tuple NAMES
cdef bytes DATA

@cython.final
cdef class Reading:
    cdef bytes raw
    cdef int64_t at, found, text_start, text_end
    cdef readonly bytes token, symbol, created_at
    cdef readonly list units
    @cython.locals(mark=int64_t)
    cpdef bint read(self, bytes raw) except? False
    cdef bint opening(self) except? False
    @cython.locals(raw=bytes, at=int64_t, end=int64_t)
    cdef int64_t mark(self) except? -2
    @cython.locals(raw=bytes, at=int64_t, end=int64_t)
    cdef bint text(self) except? False
    @cython.locals(slot=int64_t, mark=int64_t)
    cdef bint member(self) except? False
    @cython.locals(text=bytes)
    cdef bint keep(self, int64_t slot) except? False
    @cython.locals(raw=bytes, at=int64_t, end=int64_t, start=int64_t, value=int64_t, places=int64_t, is_negative=bint)
    cdef bint number(self, int64_t slot) except? False

@cython.locals(slot=int64_t)
cdef int64_t slot_of(bytes name) except? -2

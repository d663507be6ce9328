from libc.stdint cimport int64_t, uint64_t
from fondaco.core.accounts cimport Accounts
from fondaco.core.buffer cimport Words
from fondaco.core.constants cimport (
    ADVANCE, ADVANCE_HEAD, CANCEL_ALL, CANCEL_ALL_HEAD, CANCEL_ORDER, CANCEL_ORDER_HEAD, KEY_SCOPE,
    NEW_ORDER, NEW_ORDER_HEAD, REDUCE_ORDER, REDUCE_ORDER_HEAD, SCOPE_TRADE, UNKNOWN_COMMAND,
    UNKNOWN_INSTRUMENT,
)
from fondaco.core.events cimport Events
from fondaco.core.instrument cimport Instrument
from fondaco.core.layouts cimport NewOrder, cancel_order_at, new_order_at, reduce_order_at
from fondaco.core.ledger cimport Ledger
from fondaco.core.orders cimport Orders
import cython

cdef int64_t HEAD_WORDS
cdef int64_t KINDS_MAX
cdef int64_t RECORD_WORDS_MAX
cdef int64_t RECORD_VERSION
cdef uint64_t MASK_64
cdef uint64_t MASK_63
cdef uint64_t DIGEST_SEED
cdef uint64_t DIGEST_MIX

@cython.final
cdef class Exchange:
    cdef readonly Events events
    cdef readonly Ledger ledger
    cdef readonly Accounts accounts
    cdef readonly Orders orders
    cdef readonly object register
    cdef public list instruments
    cdef Words ends
    cdef Words known
    cdef int64_t* input
    cdef public int64_t seq
    cdef public int64_t time_us
    cdef public int64_t halted_seq
    cpdef bytes apply(self, bytes batch)
    cpdef list boundaries(self)
    cdef int64_t measure(self, int64_t at, int64_t total) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t carry_out(self, bytes batch, int64_t at, int64_t length) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t trade(self, int64_t kind, int64_t word, int64_t at) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t cancel_everywhere(self, int64_t account) except -1
    cpdef int64_t stamp(self, bytearray batch, int64_t first_seq, int64_t time_us) except -1
    cdef int64_t check_frame(self, int64_t at, int64_t total) except -1

@cython.final
cdef class Digest:
    cdef int64_t* input
    cdef int64_t input_length
    cdef int64_t of(self, bytes events)

cpdef int64_t events_digest(bytes events)


@cython.final
cdef class Exchange:
    cdef readonly Events events
    cdef readonly Ledger ledger
    cdef readonly Accounts accounts
    cdef readonly Orders orders
    cdef readonly RobotOrders robots
    cdef readonly Stops stops
    cdef readonly ListOrders list_orders
    cdef readonly OpenOrders open_orders
    cdef readonly Waiting waiting
    cdef readonly object outside
    cdef readonly object limits
    cdef readonly object register
    cdef public list instruments
    cdef Words starts
    cdef Words ends
    cdef Words known
    cdef int64_t* input
    cdef int64_t whole
    cdef int64_t paired
    cdef public int64_t seq
    cdef public int64_t time_us
    cdef public int64_t halted_seq
    cpdef reserve(self, int64_t orders)
    cpdef bytes apply(self, bytes batch)
    cpdef list boundaries(self)
    cdef int64_t check_batch(self, int64_t total) except -1
    cdef int64_t is_list(self, int64_t at) except -1 nogil
    cdef int64_t carry_out_all(self, bytes batch) except -1
    cdef int64_t look_ahead(self, int64_t place) except -1 nogil
    @cython.locals(instrument=Instrument)
    cdef int64_t carry_out(self, bytes batch, int64_t at) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t trade(self, int64_t kind, int64_t word, bytes batch, int64_t at) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t finish(self, int64_t first) except -1
    cdef int64_t new_list(self, Instrument instrument, int64_t at) except -1
    cdef int64_t robot_list(self, Instrument instrument, int64_t at) except -1
    cdef int64_t robot_order(self, Instrument instrument, int64_t at) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t run_stops(self) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t find_due(self) except -1
    @cython.locals(instrument=Instrument)
    cdef int64_t cancel_everywhere(self, int64_t account) except -1
    cpdef int64_t stamp(self, bytearray batch, int64_t first_seq, int64_t time_us) except -1
    cdef int64_t check_frame(self, int64_t at, int64_t total) except -1

@cython.final
cdef class Digest:
    cdef int64_t* input
    cdef int64_t of(self, bytes events)

cpdef int64_t events_digest(bytes events)

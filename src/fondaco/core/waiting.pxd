cdef int64_t FEE_IN_QUOTE

@cython.final
cdef class Waiting:
    cdef readonly OpenOrders open_orders
    cdef readonly Orders orders
    cdef Events events
    cdef readonly Ledger ledger
    cdef readonly Accounts accounts
    cdef Checks checks
    cdef Words command
    cdef int64_t fee_terms
    cpdef int64_t check(self, Instrument instrument, bytes record, int64_t order_type) except -1
    cdef int64_t check_shape(self, NewOrder* command, int64_t order_type) except -1 nogil
    cpdef int64_t check_terms(self, Instrument instrument, int64_t price, int64_t worth_price) except -1 nogil
    cdef int64_t owed(self, Instrument instrument, int64_t side, int64_t price, int64_t lots, int64_t fee_terms) except -1 nogil
    cpdef int64_t take_in(self, Instrument instrument, int64_t price) except -1 nogil
    cpdef int64_t fill(self, Instrument instrument, int64_t slot, int64_t price, int64_t lots, int64_t quote, int64_t other) except -1 nogil
    cdef int64_t move(self, Instrument instrument, Order* order, int64_t base, int64_t quote, int64_t other) except -1 nogil
    cdef int64_t tell_trade(self, Instrument instrument, Order* order, int64_t price, int64_t lots, int64_t quote, int64_t fee, int64_t other) except -1 nogil
    cpdef int64_t expire(self, Instrument instrument, int64_t slot) except -1 nogil
    cpdef int64_t cancel(self, Instrument instrument, int64_t slot, list ids) except -1
    cpdef list terms(self, int64_t slot)
    cpdef int64_t open_lots(self, int64_t slot) except -1 nogil
    cpdef list slots_of(self, int64_t account, int64_t instrument)
    cpdef int64_t dump(self, Words words, int64_t slot) except -1
    cpdef int64_t load(self, Words words, int64_t at, Instrument instrument) except -1
    cpdef int64_t dump_words(self)

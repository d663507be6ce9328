cdef int64_t ORDER_WORDS

@cython.final
cdef class OpenOrders:
    cdef readonly Orders orders
    cdef Events events
    cdef Ledger ledger
    cdef Accounts accounts
    cpdef int64_t answer_order(self, int64_t slot) except -1 nogil
    cpdef int64_t is_open(self, int64_t order_id) except -1 nogil
    cpdef int64_t expire_buys(self, Instrument instrument, int64_t account) except -1 nogil
    cpdef int64_t answer_open(self, int64_t instrument, int64_t account) except -1 nogil
    cpdef int64_t answer_depth(self, Instrument instrument, int64_t limit) except -1 nogil
    cdef int64_t answer_side(self, Instrument instrument, Ladder ladder, int64_t limit) except -1 nogil
    cpdef int64_t hold_anew(self, Instrument instrument) except -1
    cdef int64_t follows(self, int64_t slot) except -1 nogil
    cdef int64_t list_side(self, Instrument instrument, Ladder ladder, Words slots) except -1 nogil
    cpdef int64_t dump(self, Words words, Instrument instrument) except -1
    cpdef int64_t load(self, Words words, int64_t at, Instrument instrument) except -1
    cdef int64_t is_stop(self, Order* order) except -1 nogil
    cdef int64_t dump_order(self, Words words, int64_t slot) except -1 nogil
    cdef int64_t read_order(self, Words words, int64_t at, Instrument instrument) except -1
    cdef int64_t load_order(self, Words words, int64_t at, Instrument instrument) except -1
    cpdef int64_t forget(self) except -1

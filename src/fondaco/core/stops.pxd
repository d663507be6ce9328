@cython.final
cdef class Stops:
    cdef Orders orders
    cdef Events events
    cdef Ledger ledger
    cdef Accounts accounts
    cdef public int64_t fired
    cdef public int64_t left
    cpdef int64_t is_due(self, Instrument instrument) except -1 nogil
    cpdef int64_t run(self, Instrument instrument) except -1 nogil
    cdef int64_t fire(self, Instrument instrument, int64_t slot) except -1 nogil
    cdef int64_t is_refused(self, Instrument instrument, Order* order) except -1 nogil
    cdef int64_t rest(self, Instrument instrument, int64_t slot) except -1 nogil
    cdef int64_t end(self, Instrument instrument, int64_t slot, int64_t execution, int64_t status) except -1 nogil

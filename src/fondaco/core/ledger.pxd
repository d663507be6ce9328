cdef int64_t HOUSE_ACCOUNTS

@cython.final
cdef class Ledger:
    cdef Events events
    cdef Slab balances
    cdef Index index
    cdef Words touched
    cdef int64_t find(self, int64_t account, int64_t asset) except -1 nogil
    cpdef int64_t open(self, int64_t account, int64_t asset) except -1 nogil
    cdef int64_t free(self, int64_t slot) except? -1 nogil
    cpdef int64_t free_of(self, int64_t account, int64_t asset) except? -1 nogil
    cdef int64_t touch(self, int64_t slot, int64_t cause) except -1 nogil
    cdef int64_t hold(self, int64_t slot, int64_t amount, int64_t cause) except -1 nogil
    cdef int64_t release(self, int64_t slot, int64_t amount, int64_t cause) except -1 nogil
    cdef int64_t pay(self, int64_t slot, int64_t amount, int64_t cause) except -1 nogil
    cdef int64_t receive(self, int64_t slot, int64_t amount, int64_t cause) except -1 nogil
    cdef int64_t check(self, Balance* balance) except -1 nogil
    cdef int64_t check_owing(self, Balance* balance) except -1 nogil
    cdef int64_t may_owe(self, int64_t account) except -1 nogil
    cdef int64_t breach(self, int64_t account, int64_t asset, int64_t free, int64_t held) except -1 nogil
    cpdef int64_t fits(self, int64_t asset, int64_t amount) except -1 nogil
    cpdef int64_t owed(self, int64_t asset) except? -1 nogil
    cpdef int64_t post(self, int64_t debit, int64_t credit, int64_t asset, int64_t amount, int64_t cause, int64_t entry) except -1 nogil
    cpdef int64_t settle_touches(self) except -1 nogil
    cpdef int64_t answer(self, int64_t account, int64_t asset) except -1 nogil
    cpdef list totals(self, int64_t asset)
    cpdef dump(self, Words words)
    cpdef int64_t load(self, Words words, int64_t at) except -1

@cython.final
cdef class Accounts:
    cdef Ledger ledger
    cdef Slab accounts
    cdef Index account_index
    cdef Slab seats
    cdef Index seat_index
    cdef Slab grants
    cdef Index grant_index
    cpdef int64_t find(self, int64_t number) except -1 nogil
    cpdef int64_t open(self, int64_t number, int64_t member, int64_t kind) except -1 nogil
    cpdef int64_t freeze(self, int64_t slot, int64_t frozen) except -1 nogil
    cpdef int64_t limit(self, int64_t slot) except -1 nogil
    cpdef list describe(self, int64_t slot)
    cpdef int64_t count(self)
    cdef int64_t seat(self, int64_t account, int64_t instrument) except -1 nogil
    cdef int64_t take_seat(self, int64_t account, int64_t instrument, int64_t base, int64_t quote) except -1 nogil
    cdef int64_t enlist(self, Slab orders, int64_t at, int64_t slot) except -1 nogil
    cdef int64_t delist(self, Slab orders, int64_t slot) except -1 nogil
    cdef int64_t forget_seats(self) except -1 nogil
    cpdef int64_t allows(self, int64_t key, int64_t account, int64_t scope) except -1 nogil
    cpdef int64_t grant(self, int64_t key, int64_t account, int64_t scopes) except -1 nogil
    cpdef int64_t granted_to(self, int64_t key) except -1 nogil
    cpdef int64_t revoke(self, int64_t key) except -1 nogil
    cpdef int64_t keys(self)
    cpdef list granted(self)
    cpdef dump(self, Words words)
    cpdef int64_t load(self, Words words, int64_t at) except -1

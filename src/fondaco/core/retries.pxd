cdef int64_t RING_FIRST
cdef int64_t REUSES_MAX

@cython.final
cdef class Retries:
    cdef OrderIndex open_orders
    cdef Index open_lists
    cdef Slab ring
    cdef Prints prints
    cdef Slab entries
    cdef Index entry_index
    cdef int64_t head
    cdef int64_t tail
    cdef readonly int64_t live
    cdef int64_t mask
    cdef int64_t print_0
    cdef int64_t print_1
    cdef uint64_t mix(self, uint64_t state) noexcept nogil
    cdef uint64_t weigh(self, int64_t word_0, int64_t word_1, int64_t word_2, int64_t word_3) noexcept nogil
    cdef int64_t print_of(self, int64_t word_0, int64_t word_1, int64_t word_2, int64_t word_3) noexcept nogil
    cdef int64_t find(self, int64_t account, int64_t word_0, int64_t word_1, int64_t word_2, int64_t word_3) except -1 nogil
    cdef int64_t same(self, Retry* row, int64_t print_0, int64_t print_1) except -1 nogil
    cdef int64_t digest_order(self, int64_t kinds, int64_t price, int64_t lots, int64_t quote) except -1 nogil
    cdef int64_t seq(self, int64_t position) except -1 nogil
    cdef int64_t digest(self, int64_t position) except -1 nogil
    cdef int64_t current(self, int64_t position, int64_t time_us) except -1 nogil
    cdef int64_t room(self, int64_t time_us) except -1 nogil
    cdef int64_t add(self, int64_t account, int64_t seq, int64_t digest, int64_t time_us, int64_t newest) except -1 nogil
    cdef int64_t find_equal(self, int64_t position, int64_t digest, int64_t time_us) except -1 nogil
    cdef int64_t limit_reuses(self, int64_t position) except -1 nogil
    cdef int64_t append(self, int64_t account, int64_t print_0, int64_t print_1, int64_t seq, int64_t digest, int64_t time_us) except -1 nogil
    cdef int64_t unchain(self, int64_t position) except -1 nogil
    cdef int64_t sweep(self, int64_t time_us) except -1 nogil
    cdef int64_t widen(self) except -1 with gil
    cpdef int64_t reserve(self, int64_t count) except -1
    cpdef int64_t fold(self, list words) except -1
    cpdef int64_t entry_seq(self, int64_t entry) except -1
    cpdef int64_t entry_digest(self, int64_t entry) except -1
    cpdef int64_t enter(self, int64_t entry, int64_t seq, int64_t digest) except -1
    cpdef dump(self, Words words)
    cpdef int64_t load(self, Words words, int64_t at) except -1

@cython.final
cdef class Ladder:
    cdef Slab blocks
    cdef Words tops
    cdef Words slots
    cdef int32_t hints[HINTS]
    cdef readonly int64_t count
    cdef readonly int64_t best_key
    cdef readonly int64_t best_level
    cdef int64_t at_block
    cdef int64_t at
    cdef int64_t locate(self, int64_t key) except -1 nogil
    cdef int64_t insert(self, int64_t key, int64_t level) except -1 nogil
    cdef int64_t split(self) except -1 nogil
    cdef int64_t remove(self, int64_t key) except -1 nogil
    cdef int64_t find_best(self) except -1 nogil
    cdef int64_t first(self) except -1 nogil
    cdef int64_t next(self) except -1 nogil
    cdef int64_t breach(self, int64_t key) except -1 nogil

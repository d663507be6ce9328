cdef int64_t CELLS_FIRST

@cython.final
cdef class Index:
    cdef Slab cells
    cdef readonly int64_t count
    cdef int64_t mask
    cdef int64_t limit
    cdef int64_t shift
    cdef int64_t setup(self, int64_t capacity) except -1 nogil
    cdef int64_t home(self, int64_t key) noexcept nogil
    cdef int64_t find(self, int64_t key) except -1 nogil
    cdef int64_t put(self, int64_t key, int64_t value) except -1 nogil
    cdef int64_t remove(self, int64_t key) except -1 nogil
    cdef int64_t widen(self) except -1 with gil
    cdef int64_t clear(self) except -1 nogil

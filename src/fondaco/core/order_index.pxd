cdef int64_t GROUPS_FIRST

@cython.final
cdef class OrderIndex:
    cdef Slab groups
    cdef Slab pages
    cdef readonly int64_t count
    cdef int64_t mask
    cdef int64_t limit
    cdef int64_t shift
    cdef int64_t setup(self, int64_t capacity) except -1 nogil
    cdef int64_t home(self, int64_t name) noexcept nogil
    cdef int64_t place_of(self, int64_t name) noexcept nogil
    cdef int64_t find(self, int64_t number) except -1 nogil
    cdef int64_t foresee(self, int64_t number) except -1 nogil
    cdef int64_t guess(self, int64_t number) noexcept nogil
    cdef int64_t put(self, int64_t number, int64_t slot) except -1 nogil
    cdef int64_t remove(self, int64_t number) except -1 nogil
    cdef int64_t close_up(self, int64_t hole) except -1 nogil
    cdef int64_t move(self, Group* source, Group* target) except -1 nogil
    cdef int64_t widen(self) except -1 with gil
    cdef int64_t reserve(self, int64_t numbers) except -1 nogil
    cdef int64_t clear(self) except -1 nogil

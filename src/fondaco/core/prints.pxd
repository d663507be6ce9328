cdef int64_t PRINTS_FIRST

@cython.final
cdef class Prints:
    cdef Slab cells
    cdef readonly int64_t count
    cdef int64_t mask
    cdef int64_t limit
    cdef int64_t shift
    cdef int64_t setup(self, int64_t capacity) except -1 nogil
    cdef Print* cell_of(self, int64_t tag) except NULL nogil
    cdef int64_t find(self, int64_t print_0, int64_t last) except -1 nogil
    cdef int64_t foresee(self, int64_t print_0) except -1 nogil
    cdef int64_t put(self, int64_t print_0, int64_t position) except -1 nogil
    cdef int64_t turn_back(self, int64_t print_0, int64_t position) except -1 nogil
    cdef int64_t remove(self, int64_t print_0) except -1 nogil
    cdef int64_t widen(self, int64_t capacity) except -1 with gil
    cdef int64_t reserve(self, int64_t count) except -1
    cdef int64_t clear(self) except -1 nogil

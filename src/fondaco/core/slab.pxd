cdef int64_t ROWS_FIRST
cdef int64_t ALIGNMENT

@cython.final
cdef class Slab:
    cdef char* raw
    cdef char* memory
    cdef int64_t kind
    cdef int64_t row_bytes
    cdef readonly int64_t capacity
    cdef readonly int64_t used
    cdef int64_t free_slot
    cdef readonly int64_t live
    cdef public object rows
    cdef int64_t grow(self, int64_t capacity) except -1 nogil
    cdef int64_t refuse(self) except -1 nogil
    cdef int64_t take(self) except -1 nogil
    cdef int64_t take_raw(self) except -1 nogil
    cdef int64_t give(self, int64_t slot) except -1 nogil
    cdef int64_t clear(self) except -1 nogil
    cdef int64_t reset(self, int64_t rows) except -1 nogil

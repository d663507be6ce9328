cdef int64_t WORDS_FIRST

@cython.final
cdef class Words:
    cdef int64_t* items
    cdef public int64_t used
    cdef int64_t capacity
    cdef int64_t grow(self, int64_t capacity) except -1 nogil
    cdef int64_t refuse(self) except -1 nogil
    cdef int64_t extend(self, int64_t count) except -1 nogil
    cpdef int64_t add(self, int64_t word) except -1 nogil
    cpdef int64_t get(self, int64_t at) except? -1
    cdef int64_t insert(self, int64_t at, int64_t word) except -1 nogil
    cdef int64_t delete(self, int64_t at) except -1 nogil
    cpdef bytes to_bytes(self)
    cpdef int64_t from_bytes(self, bytes data) except -1

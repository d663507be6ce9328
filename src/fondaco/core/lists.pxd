cdef int64_t LIST_WORDS

@cython.final
cdef class Lists:
    cdef Events events
    cdef OrderIndex orders
    cdef Slab rows
    cdef Index index
    cpdef int64_t list_of(self, int64_t order_id) except -1 nogil
    cpdef int64_t is_open(self, int64_t list_id) except -1 nogil
    cdef int64_t is_of(self, int64_t list_id, int64_t account, int64_t instrument) except -1 nogil
    cdef int64_t sibling(self, int64_t order_id) except -1 nogil
    cdef int64_t add(self, NewList* command) except -1 nogil
    cdef int64_t leave(self, int64_t order_id) except -1 nogil
    cdef int64_t tell(self, int64_t list_id, int64_t status) except -1 nogil
    cpdef int64_t answer(self, int64_t account, int64_t instrument, int64_t list_id) except -1
    cpdef list numbers(self)
    cpdef int64_t dump(self, Words words) except -1
    cpdef int64_t load(self, Words words, int64_t at) except -1
    cpdef int64_t forget(self) except -1

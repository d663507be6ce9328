@cython.final
cdef class Triggers:
    cdef Slab orders
    cdef Slab levels
    cdef Ladder rises
    cdef Ladder falls
    cdef Ladder queue
    cdef readonly int64_t armed
    cdef readonly int64_t waiting
    cdef int64_t is_rise(self, int64_t side, int64_t order_type) except -1 nogil
    cdef int64_t is_reached(self, int64_t side, int64_t order_type, int64_t stop, int64_t price) except -1 nogil
    cdef int64_t add(self, int64_t slot) except -1 nogil
    cdef int64_t add_on(self, Ladder ladder, int64_t slot, int64_t key, int64_t rises) except -1 nogil
    cdef int64_t remove(self, int64_t slot) except -1 nogil
    cdef int64_t unlink(self, Order* order) except -1 nogil
    cdef int64_t drop(self, int64_t at) except -1 nogil
    cdef int64_t reach(self, int64_t low, int64_t high) except -1 nogil
    cdef int64_t reach_level(self, int64_t at) except -1 nogil
    cdef int64_t wait(self, int64_t slot) except -1 nogil
    cdef int64_t take(self) except -1 nogil
    cpdef list slots(self)
    cdef list_ladder(self, Ladder ladder, list found)

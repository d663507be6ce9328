cdef int64_t PRICE_MAX
cdef int64_t LOTS_MAX

@cython.final
cdef class BareBook:
    cdef Slab orders
    cdef Slab levels
    cdef OrderIndex index
    cdef list books
    cdef Words fills
    cdef readonly int64_t ignored
    cdef int64_t last_id
    cdef int64_t* input
    cpdef reserve(self, int64_t orders)
    @cython.locals(book=Book)
    cpdef bytes step(self, bytes batch)
    cdef int64_t look_ahead(self, int64_t at) noexcept nogil
    cdef int64_t carry_out(self, Book book, int64_t at) except -1 nogil
    cdef int64_t add(self, Book book, int64_t at, int64_t kind) except -1 nogil
    cdef int64_t tell(self, Book book, int64_t taker) except -1 nogil
    cpdef int64_t open_orders(self)
    @cython.locals(book=Book)
    cpdef int64_t best(self, int64_t number, int64_t side)

@cython.final
cdef class ListOrders:
    cdef Orders orders
    cdef readonly Lists lists
    cdef Checks checks
    cdef Events events
    cdef Retries retries
    cdef Words leg
    cdef int64_t stop_digest
    cdef int64_t profit_digest
    cdef int64_t held
    cdef int64_t worth
    cdef int64_t new_list(self, Instrument instrument, NewList* command) except -1 nogil
    cdef int64_t check(self, Instrument instrument, NewList* command) except -1 nogil
    cdef int64_t check_shapes(self, NewList* command) except -1 nogil
    cdef int64_t check_list_id(self, NewList* command) except -1 nogil
    cdef int64_t check_pair(self, Instrument instrument, NewList* command) except -1 nogil
    cdef int64_t open_orders(self) except -1 nogil
    cdef int64_t weigh(self, Instrument instrument, NewList* command) except -1 nogil
    cdef int64_t accept(self, Instrument instrument) except -1 nogil
    cdef int64_t stand(self, Instrument instrument, int64_t slot, int64_t held) except -1 nogil
    cdef int64_t has_id(self, NewList* command) except -1 nogil
    cdef int64_t find_entry(self, NewList* command) except -1 nogil
    cdef int64_t digest_of(self, NewList* command) except -1 nogil
    cdef int64_t remember(self, NewList* command) except -1 nogil
    cdef int64_t are_named_alike(self, NewList* command) except -1 nogil
    cdef NewOrder* words(self) except NULL nogil
    cdef NewOrder* write_leg(self, NewList* command) except NULL nogil
    cdef int64_t write_stop(self, NewList* command) except -1 nogil
    cdef int64_t write_profit(self, NewList* command) except -1 nogil
    cdef int64_t cancel_list(self, Instrument instrument, CancelOrder* command) except -1 nogil
    cpdef int64_t find(self, int64_t account, int64_t instrument, int64_t list_id, int64_t word_0, int64_t word_1, int64_t word_2, int64_t word_3) except -1 nogil

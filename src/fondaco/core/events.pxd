@cython.final
cdef class Events:
    cdef readonly Words words
    cdef Index working
    cdef Index listed
    cdef public int64_t seq
    cdef public int64_t time_us
    cdef public int64_t account
    cdef public int64_t key
    cdef int64_t detail_0
    cdef int64_t detail_1
    cdef int64_t detail_2
    cdef int64_t begin(self, int64_t word, int64_t account) except -1 nogil
    cpdef int64_t refuse(self, int64_t command, int64_t reason) except -1 nogil
    cpdef int64_t detail(self, int64_t detail_0, int64_t detail_1, int64_t detail_2) except -1 nogil
    cdef int64_t state(self, OrderEvent* event, Order* order, int64_t instrument, int64_t execution, int64_t status) except -1 nogil
    cdef int64_t stop_state(self, OrderEvent* event, Order* order) except -1 nogil
    cdef int64_t order(self, Order* order, int64_t account, int64_t instrument, int64_t execution, int64_t status) except -1 nogil
    cdef CancelEvent* cancel(self, Order* order, int64_t account, int64_t instrument) except NULL nogil
    cdef FillEvent* fill(self, Order* order, int64_t account, int64_t instrument, int64_t status) except NULL nogil
    cdef TradeEvent* trade(self) except NULL nogil
    cdef int64_t level(self, int64_t instrument, int64_t side, int64_t price, int64_t lots, int64_t book_seq) except -1 nogil
    cdef int64_t balance(self, int64_t account, int64_t asset, int64_t free, int64_t held, int64_t change, int64_t cause) except -1 nogil
    cpdef int64_t posting(self, int64_t debit, int64_t credit, int64_t asset, int64_t amount, int64_t cause, int64_t entry) except -1 nogil
    cpdef put(self, int64_t word, int64_t account, list values)
    cpdef put_record(self, bytes record)

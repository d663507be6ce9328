@cython.final
cdef class RobotOrders:
    cdef Accounts accounts
    cdef Checks checks
    cdef public object limits
    cdef public int64_t changed
    cdef int64_t exit
    cdef int64_t met
    cdef int64_t rest
    cdef int64_t admit(self, Instrument instrument, NewOrder* command) except -1 with gil
    cdef int64_t admit_list(self, Instrument instrument, int64_t account, int64_t list_id, int64_t side, int64_t worth) except -1 with gil
    cdef int64_t enforce(self, int64_t first) except -1 with gil
    cdef int64_t is_over(self, Instrument instrument, Order* order) except -1 with gil
    cdef int64_t weigh(self, Instrument instrument, int64_t side, int64_t price, int64_t lots, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t tell(self, Instrument instrument, Seat* buyer, Seat* seller, int64_t base, int64_t quote, int64_t buyer_fee, int64_t seller_fee) except -1 with gil

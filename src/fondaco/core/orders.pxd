@cython.final
cdef class Orders:
    cdef readonly Events events
    cdef readonly Ledger ledger
    cdef Accounts accounts
    cdef readonly Slab orders
    cdef readonly Slab levels
    cdef OrderIndex index
    cdef readonly Lists lists
    cdef readonly Retries retries
    cdef readonly Checks checks
    cdef readonly RobotOrders robots
    cdef int64_t taker_fee
    cdef int64_t maker_fee
    cpdef int64_t reserve(self, int64_t orders) except -1
    cdef int64_t foresee(self, int64_t order_id) except -1 nogil
    cdef int64_t foresee_client_id(self, NewOrder* command) except -1 nogil
    cdef int64_t foresee_row(self, int64_t order_id) except -1 nogil
    cdef int64_t foresee_neighbours(self, int64_t order_id) except -1 nogil
    cdef int64_t new_order(self, Instrument instrument, NewOrder* command) except -1 nogil
    cdef int64_t accept(self, Instrument instrument, NewOrder* command) except -1 nogil
    cdef int64_t arm(self, Instrument instrument, int64_t slot) except -1 nogil
    cdef int64_t reach(self, Instrument instrument) except -1 nogil
    cdef int64_t fillable(self, Instrument instrument, Order* order) except -1 nogil
    cdef int64_t may_rest(self, int64_t slot) except -1 nogil
    cdef int64_t rest(self, Instrument instrument, int64_t slot) except -1 nogil
    cdef int64_t finish(self, Instrument instrument, int64_t slot) except -1 nogil
    cdef int64_t expire(self, Instrument instrument, int64_t slot, int64_t execution, int64_t status) except -1 nogil
    cdef int64_t settle(self, Instrument instrument, int64_t taker_slot) except -1 nogil
    cdef int64_t settle_fill(self, Instrument instrument, int64_t taker_slot, Step* step) except -1 nogil
    cdef int64_t free_held(self, Instrument instrument, Order* order) except -1 nogil
    cdef int64_t move(self, Instrument instrument, Order* taker, Order* maker, int64_t base, int64_t quote) except -1 nogil
    cdef int64_t tell_trade(self, Instrument instrument, Order* taker, Order* maker, Step* step, int64_t quote) except -1 nogil
    cdef int64_t tell_fill(self, Instrument instrument, Order* order, int64_t account, Step* step, int64_t quote, int64_t is_maker, int64_t other) except -1 nogil
    cdef int64_t settle_prevented(self, Instrument instrument, int64_t taker_slot, Step* step) except -1 nogil
    cdef int64_t release_all(self, Order* order) except -1 nogil
    cdef int64_t close(self, int64_t slot) except -1 nogil
    cpdef int64_t find_order(self, int64_t account, int64_t instrument, int64_t order_id) except -1 nogil
    cpdef int64_t find_client_order(self, int64_t account, int64_t word_0, int64_t word_1, int64_t word_2, int64_t word_3) except -1 nogil
    cdef int64_t cancel_order(self, Instrument instrument, CancelOrder* command) except -1 nogil
    cdef int64_t part(self, Instrument instrument, Order* order) except -1 nogil
    cdef int64_t cancel_one(self, Instrument instrument, int64_t slot, CancelOrder* command) except -1 nogil
    cdef int64_t cancel_leg(self, Instrument instrument, int64_t slot, CancelOrder* command) except -1 nogil
    cdef int64_t take_out(self, Instrument instrument, int64_t slot) except -1 nogil
    cpdef int64_t cancel_all(self, Instrument instrument, int64_t account) except -1 nogil
    cdef int64_t refuse_cancel_all(self) except -1 nogil
    cdef int64_t reduce_order(self, Instrument instrument, ReduceOrder* command) except -1 nogil
    cdef int64_t reduce_armed(self, Instrument instrument, Order* order, int64_t lots) except -1 nogil
    cpdef int64_t tell_levels(self, Instrument instrument) except -1 nogil

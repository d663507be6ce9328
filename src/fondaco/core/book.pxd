@cython.final
cdef class Book:
    cdef Slab orders
    cdef int64_t quiet
    cdef Slab levels
    cdef Slab steps
    cdef Ladder bids
    cdef Ladder asks
    cdef Words touches
    cdef public int64_t book_seq
    cdef int64_t prevented
    cdef int64_t survey_lots
    cdef int64_t survey_worth
    cdef int64_t survey_prevented
    cdef int64_t survey_limited
    cdef int64_t survey_price
    cdef int64_t survey_left
    cdef int64_t survey_blocked
    cdef int64_t crosses(self, int64_t side, int64_t limit_ticks) except -1 nogil
    cdef int64_t best_against(self, int64_t side) except -1 nogil
    cdef int64_t rest(self, int64_t slot, int64_t side) except -1 nogil
    cdef int64_t rest_on(self, Ladder ladder, int64_t slot, int64_t key, int64_t side) except -1 nogil
    cdef int64_t find_level(self, Ladder ladder, int64_t key, int64_t price, int64_t side) except -1 nogil
    cdef int64_t remove(self, int64_t slot) except -1 nogil
    cdef int64_t unlink(self, Level* level, Order* order) except -1 nogil
    cdef int64_t forget_hint(self, Ladder ladder, int64_t price, int64_t at) except -1 nogil
    cdef int64_t drop(self, int64_t at) except -1 nogil
    cdef int64_t reduce(self, int64_t slot, int64_t lots) except -1 nogil
    cdef int64_t match(self, int64_t side, int64_t limit_ticks, int64_t lots, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t match_side(self, Ladder ladder, int64_t bound, int64_t lots, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t match_level(self, Level* level, int64_t lots) except -1 nogil
    cdef int64_t match_level_apart(self, Level* level, int64_t lots, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t step(self, int64_t kind, int64_t maker, int64_t price, int64_t lots) except -1 nogil
    cdef int64_t survey(self, int64_t side, int64_t limit_ticks, int64_t lots, int64_t worth, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t survey_side(self, Ladder ladder, int64_t bound, int64_t lots, int64_t worth, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t survey_level(self, Level* level, int64_t lots, int64_t worth, int64_t member, int64_t self_trade) except -1 nogil
    cdef int64_t survey_take(self, int64_t price, int64_t open_lots, int64_t lots, int64_t worth) except -1 nogil
    cdef int64_t touch(self, int64_t at) except -1 nogil
    cdef int64_t touch_again(self, int64_t at) except -1 nogil
    cdef int64_t settle_touches(self) except -1 nogil

@cython.final
cdef class Instrument:
    cdef readonly int64_t number
    cdef readonly Book book
    cdef readonly Triggers triggers
    cdef readonly object body
    cdef public int64_t last_trade_id
    cdef public int64_t last_price_ticks
    cdef int64_t base
    cdef int64_t quote
    cdef int64_t market
    cdef int64_t base_per_lot
    cdef int64_t quote_per_lot_tick
    cdef int64_t worth_max
    cdef int64_t maker_fee_ppm
    cdef int64_t taker_fee_ppm
    cdef int64_t fee_in_quote
    cdef int64_t hold_ppm
    cdef int64_t stop_band_ppm
    cdef int64_t min_notional
    cdef int64_t max_notional
    cdef int64_t price_min
    cdef int64_t price_max
    cdef int64_t quantity_min
    cdef int64_t quantity_max
    cdef int64_t max_open_orders
    cdef int64_t status
    cdef int64_t fits(self, int64_t price, int64_t lots) except -1 nogil
    cdef int64_t fee(self, int64_t amount, int64_t ppm) except -1 nogil
    cpdef int64_t obligation(self, int64_t side, int64_t price, int64_t lots) except -1 nogil
    cdef int64_t stop_obligation(self, int64_t side, int64_t price, int64_t stop, int64_t lots) except -1 nogil
    cdef int64_t owed(self, Order* order) except -1 nogil

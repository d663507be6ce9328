@cython.final
cdef class Checks:
    cdef Events events
    cdef Ledger ledger
    cdef Accounts accounts
    cdef Retries retries
    cdef public int64_t maintenance
    cdef int64_t seat
    cdef int64_t member
    cdef int64_t robot
    cdef int64_t base_balance
    cdef int64_t quote_balance
    cdef int64_t has_id
    cdef int64_t entry
    cdef int64_t digest
    cdef int64_t lots
    cdef int64_t ran_out
    cdef int64_t check(self, Instrument instrument, NewOrder* command) except -1 nogil
    cdef int64_t check_account(self, int64_t instrument, int64_t number) except -1 nogil
    cdef int64_t find_balances(self, Instrument instrument, int64_t account) except -1 nogil
    cdef int64_t check_shape(self, NewOrder* command) except -1 nogil
    cdef int64_t check_stop_shape(self, NewOrder* command) except -1 nogil
    cdef int64_t check_client_id(self, NewOrder* command) except -1 nogil
    cdef int64_t digest_of(self, NewOrder* command) except -1 nogil
    cdef int64_t check_limit(self, Instrument instrument, NewOrder* command) except -1 nogil
    cdef int64_t check_stop(self, Instrument instrument, NewOrder* command) except -1 nogil
    cdef int64_t check_places(self, Instrument instrument) except -1 nogil
    cdef int64_t check_quantity(self, Instrument instrument, int64_t lots) except -1 nogil
    cdef int64_t check_notional(self, Instrument instrument, int64_t notional) except -1 nogil
    cdef int64_t check_funds(self, Instrument instrument, int64_t side, int64_t needed) except -1 nogil
    cdef int64_t check_market(self, Instrument instrument, NewOrder* command) except -1 nogil
    cdef int64_t check_quote(self, Instrument instrument, NewOrder* command, int64_t unit) except -1 nogil
    cdef int64_t walk(self, Instrument instrument, NewOrder* command, int64_t lots, int64_t worth) except -1 nogil
    cdef int64_t check_walked(self, Instrument instrument) except -1 nogil

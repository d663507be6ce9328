# The rows of the core's tables as C structs, and the functions that give one by its slot.
# rows.py has the same as Python classes. Slots are 32-bit: SLOTS_MAX bounds every slab.

# Two cache lines: first what matching touches, then the rest.
cdef struct Order:
    int64_t order_id
    int64_t price_ticks
    int64_t open_lots
    int32_t next
    int32_t previous
    int32_t level
    int32_t seat
    int64_t held
    int64_t quantity_lots
    int64_t filled_quote
    int8_t side
    int8_t order_type
    int8_t time_in_force
    int8_t self_trade
    int32_t member
    int32_t seat_next
    int32_t seat_previous
    int64_t created_us
    int64_t stop_or_quote  # stop price in ticks; of a MARKET order its quote quantity
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3

cdef struct Level:
    int64_t price_ticks
    int64_t open_lots
    int32_t first
    int32_t last
    int32_t touch
    int32_t side

cdef struct Block:
    int64_t keys[64]
    int32_t levels[64]
    int64_t count

cdef struct Seat:
    int64_t account
    int32_t member
    int32_t instrument
    int32_t account_row
    int32_t base_balance
    int32_t quote_balance
    int32_t open_orders
    int32_t first
    int32_t last
    int32_t robot

cdef struct Balance:
    int64_t account
    int32_t asset
    int32_t touch
    int64_t free
    int64_t held
    int64_t before
    int64_t cause

cdef struct Account:
    int64_t number
    int32_t member
    int8_t kind
    int8_t frozen
    int8_t robot

cdef struct Grant:
    int64_t number
    int64_t account
    int64_t scopes

cdef struct Retry:
    int64_t account
    int64_t print_0
    int64_t print_1
    int64_t seq
    int64_t digest
    int64_t accepted_us
    int64_t chain

cdef struct Step:
    int64_t price_ticks
    int64_t lots
    int32_t maker
    int32_t kind

cdef struct Cell:
    int64_t key
    int64_t value

# The numbers (name - 1) * 128 to + 127.
cdef struct Group:
    int64_t name
    int32_t page
    int32_t count

cdef struct Page:
    int32_t slots[128]

cdef struct Print:
    int32_t tag
    int32_t position

cdef struct Entry:
    int64_t entry
    int64_t seq
    int64_t digest

cdef struct ListRow:
    int64_t list_id
    int64_t account
    int64_t instrument
    int64_t created_us
    int64_t list_client_id_0
    int64_t list_client_id_1
    int64_t list_client_id_2
    int64_t list_client_id_3
    int64_t stop_client_id_0
    int64_t stop_client_id_1
    int64_t stop_client_id_2
    int64_t stop_client_id_3
    int64_t profit_client_id_0
    int64_t profit_client_id_1
    int64_t profit_client_id_2
    int64_t profit_client_id_3

cdef inline Order* order_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Order*> slab.memory) + slot

cdef inline Level* level_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Level*> slab.memory) + slot

cdef inline Block* block_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Block*> slab.memory) + slot

cdef inline Seat* seat_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Seat*> slab.memory) + slot

cdef inline Balance* balance_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Balance*> slab.memory) + slot

cdef inline Account* account_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Account*> slab.memory) + slot

cdef inline Grant* grant_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Grant*> slab.memory) + slot

cdef inline Retry* retry_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Retry*> slab.memory) + slot

cdef inline Step* step_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Step*> slab.memory) + slot

cdef inline Cell* cell_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Cell*> slab.memory) + slot

cdef inline Entry* entry_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Entry*> slab.memory) + slot

cdef inline ListRow* list_at(Slab slab, int64_t slot) noexcept nogil:
    return (<ListRow*> slab.memory) + slot

cdef inline Group* group_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Group*> slab.memory) + slot

cdef inline Print* print_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Print*> slab.memory) + slot

cdef inline Page* page_at(Slab slab, int64_t slot) noexcept nogil:
    return (<Page*> slab.memory) + slot

# The empty statement is an effect: a call that does nothing else would be left out (seen).
cdef extern from *:
    """
    static inline void fondaco_fetch(const void *place) {
        __builtin_prefetch(place);
        __asm__ volatile ("");
    }
    """
    void fondaco_fetch(const void* place) noexcept nogil

cdef inline int64_t fetch_print(Slab slab, int64_t slot) noexcept nogil:
    fondaco_fetch((<Print*> slab.memory) + slot)
    return 0

cdef inline int64_t fetch_page(Slab slab, int64_t slot, int64_t place) noexcept nogil:
    fondaco_fetch(&((<Page*> slab.memory) + slot).slots[place])
    return 0

cdef inline int64_t fetch_level(Slab slab, int64_t slot) noexcept nogil:
    fondaco_fetch((<Level*> slab.memory) + slot)
    return 0

# The line of an order that matching touches, and the rest.
cdef inline int64_t fetch_order(Slab slab, int64_t slot) noexcept nogil:
    fondaco_fetch((<Order*> slab.memory) + slot)
    return 0

cdef inline int64_t fetch_rest(Slab slab, int64_t slot) noexcept nogil:
    fondaco_fetch(<char*> ((<Order*> slab.memory) + slot) + 64)
    return 0

cdef inline int64_t row_bytes(int64_t kind) noexcept nogil:
    if kind == ROW_ORDER:
        return sizeof(Order)
    if kind == ROW_LEVEL:
        return sizeof(Level)
    if kind == ROW_BLOCK:
        return sizeof(Block)
    if kind == ROW_SEAT:
        return sizeof(Seat)
    if kind == ROW_BALANCE:
        return sizeof(Balance)
    if kind == ROW_ACCOUNT:
        return sizeof(Account)
    if kind == ROW_GRANT:
        return sizeof(Grant)
    if kind == ROW_RETRY:
        return sizeof(Retry)
    if kind == ROW_STEP:
        return sizeof(Step)
    if kind == ROW_CELL:
        return sizeof(Cell)
    if kind == ROW_ENTRY:
        return sizeof(Entry)
    if kind == ROW_GROUP:
        return sizeof(Group)
    if kind == ROW_PAGE:
        return sizeof(Page)
    if kind == ROW_PRINT:
        return sizeof(Print)
    if kind == ROW_LIST:
        return sizeof(ListRow)
    return 0

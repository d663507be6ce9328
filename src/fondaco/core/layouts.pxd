# The records' layouts as C structs, laid over the words of a command or of the event buffer.
# tests/core/test_layouts.py compares them with records.py.

cdef struct NewOrder:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t side
    int64_t order_type
    int64_t time_in_force
    int64_t self_trade
    int64_t price_ticks
    int64_t quantity_lots
    int64_t quote_quantity
    int64_t stop_price_ticks
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3

cdef inline NewOrder* new_order_at(int64_t* words, int64_t at) noexcept nogil:
    return <NewOrder*> (words + at)

cdef struct RobotOrder:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t side
    int64_t order_type
    int64_t time_in_force
    int64_t self_trade
    int64_t price_ticks
    int64_t quantity_lots
    int64_t quote_quantity
    int64_t stop_price_ticks
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3
    int64_t fence
    int64_t flags

cdef inline RobotOrder* robot_order_at(int64_t* words, int64_t at) noexcept nogil:
    return <RobotOrder*> (words + at)

cdef struct NewList:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t side
    int64_t self_trade
    int64_t quantity_lots
    int64_t stop_type
    int64_t stop_time_in_force
    int64_t stop_price_ticks
    int64_t stop_trigger_ticks
    int64_t stop_client_id_0
    int64_t stop_client_id_1
    int64_t stop_client_id_2
    int64_t stop_client_id_3
    int64_t profit_type
    int64_t profit_time_in_force
    int64_t profit_price_ticks
    int64_t profit_trigger_ticks
    int64_t profit_client_id_0
    int64_t profit_client_id_1
    int64_t profit_client_id_2
    int64_t profit_client_id_3
    int64_t list_client_id_0
    int64_t list_client_id_1
    int64_t list_client_id_2
    int64_t list_client_id_3

cdef inline NewList* new_list_at(int64_t* words, int64_t at) noexcept nogil:
    return <NewList*> (words + at)

cdef struct RobotList:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t side
    int64_t self_trade
    int64_t quantity_lots
    int64_t stop_type
    int64_t stop_time_in_force
    int64_t stop_price_ticks
    int64_t stop_trigger_ticks
    int64_t stop_client_id_0
    int64_t stop_client_id_1
    int64_t stop_client_id_2
    int64_t stop_client_id_3
    int64_t profit_type
    int64_t profit_time_in_force
    int64_t profit_price_ticks
    int64_t profit_trigger_ticks
    int64_t profit_client_id_0
    int64_t profit_client_id_1
    int64_t profit_client_id_2
    int64_t profit_client_id_3
    int64_t list_client_id_0
    int64_t list_client_id_1
    int64_t list_client_id_2
    int64_t list_client_id_3
    int64_t fence
    int64_t flags

cdef inline RobotList* robot_list_at(int64_t* words, int64_t at) noexcept nogil:
    return <RobotList*> (words + at)

cdef struct CancelOrder:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t order_id
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3
    int64_t cancel_id_0
    int64_t cancel_id_1
    int64_t cancel_id_2
    int64_t cancel_id_3

cdef inline CancelOrder* cancel_order_at(int64_t* words, int64_t at) noexcept nogil:
    return <CancelOrder*> (words + at)

cdef struct ReduceOrder:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t order_id
    int64_t remaining_lots

cdef inline ReduceOrder* reduce_order_at(int64_t* words, int64_t at) noexcept nogil:
    return <ReduceOrder*> (words + at)

cdef struct CancelAll:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument

cdef inline CancelAll* cancel_all_at(int64_t* words, int64_t at) noexcept nogil:
    return <CancelAll*> (words + at)

cdef struct OrderEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t order_id
    int64_t execution
    int64_t status
    int64_t side
    int64_t order_type
    int64_t time_in_force
    int64_t self_trade
    int64_t price_ticks
    int64_t stop_price_ticks
    int64_t quantity_lots
    int64_t filled_lots
    int64_t filled_quote
    int64_t quote_quantity
    int64_t created_us
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3
    int64_t working_us
    int64_t list_id

cdef inline OrderEvent* order_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <OrderEvent*> (words + at)

cdef struct FillEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t order_id
    int64_t execution
    int64_t status
    int64_t side
    int64_t order_type
    int64_t time_in_force
    int64_t self_trade
    int64_t price_ticks
    int64_t stop_price_ticks
    int64_t quantity_lots
    int64_t filled_lots
    int64_t filled_quote
    int64_t quote_quantity
    int64_t created_us
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3
    int64_t working_us
    int64_t list_id
    int64_t last_price_ticks
    int64_t last_lots
    int64_t last_quote
    int64_t fee
    int64_t fee_asset
    int64_t trade_id
    int64_t is_maker
    int64_t other_order_id

cdef inline FillEvent* fill_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <FillEvent*> (words + at)

cdef struct CancelEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t order_id
    int64_t execution
    int64_t status
    int64_t side
    int64_t order_type
    int64_t time_in_force
    int64_t self_trade
    int64_t price_ticks
    int64_t stop_price_ticks
    int64_t quantity_lots
    int64_t filled_lots
    int64_t filled_quote
    int64_t quote_quantity
    int64_t created_us
    int64_t client_order_id_0
    int64_t client_order_id_1
    int64_t client_order_id_2
    int64_t client_order_id_3
    int64_t working_us
    int64_t list_id
    int64_t cancel_id_0
    int64_t cancel_id_1
    int64_t cancel_id_2
    int64_t cancel_id_3

cdef inline CancelEvent* cancel_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <CancelEvent*> (words + at)

cdef struct TradeEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t trade_id
    int64_t price_ticks
    int64_t quantity_lots
    int64_t quote_amount
    int64_t taker_side
    int64_t buy_order_id
    int64_t sell_order_id
    int64_t buyer_account
    int64_t seller_account
    int64_t buyer_fee
    int64_t seller_fee
    int64_t buyer_fee_asset
    int64_t seller_fee_asset

cdef inline TradeEvent* trade_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <TradeEvent*> (words + at)

cdef struct LevelEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t side
    int64_t price_ticks
    int64_t quantity_lots
    int64_t book_seq

cdef inline LevelEvent* level_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <LevelEvent*> (words + at)

cdef struct BalanceEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t asset
    int64_t free
    int64_t held
    int64_t change
    int64_t cause

cdef inline BalanceEvent* balance_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <BalanceEvent*> (words + at)

cdef struct PostingEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t debit_account
    int64_t credit_account
    int64_t asset
    int64_t amount
    int64_t cause
    int64_t entry

cdef inline PostingEvent* posting_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <PostingEvent*> (words + at)

cdef struct ListEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t instrument
    int64_t list_id
    int64_t status
    int64_t stop_order_id
    int64_t profit_order_id
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

cdef inline ListEvent* list_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <ListEvent*> (words + at)

cdef struct RefusedEvent:
    int64_t word
    int64_t seq
    int64_t time_us
    int64_t account
    int64_t key
    int64_t command
    int64_t reason
    int64_t detail_0
    int64_t detail_1
    int64_t detail_2

cdef inline RefusedEvent* refused_event_at(int64_t* words, int64_t at) noexcept nogil:
    return <RefusedEvent*> (words + at)

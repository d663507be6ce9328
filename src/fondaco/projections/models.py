"""History as tables: orders, trades, postings, candles, and how far they reach.

Promises: every row is a function of the events up to the cursor and of the imported files, and of
nothing else, so that a rebuilt database equals itself. Amounts are int64 in units of the asset,
prices in ticks, quantities in lots, times in microseconds since the epoch. Rows are written by
the projector alone; nobody edits one.

Two keys are made of two numbers, so that the rows of one instrument lie together and the newest
come last: Trade.id (instrument, trade_id) and Candle.id (instrument, minute).
"""

from __future__ import annotations

from typing import Final

from django.db import models

__all__ = [
    "Asset",
    "Candle1d",
    "Candle1h",
    "Candle1m",
    "Cursor",
    "ImportedFile",
    "Instrument",
    "Order",
    "OrderList",
    "Posting",
    "Quote",
    "QuoteBar1d",
    "QuoteBar1h",
    "QuoteBar1m",
    "Summary",
    "Trade",
    "VenueOrder",
    "VenuePart",
]

TRADE_BITS: Final = 44  # trade ids lie in [1, 2**44), imported ones first
POSTING_BITS: Final = 20  # postings of one command; the core's limits are far below
MINUTE_BITS: Final = 32


class Cursor(models.Model):
    """One row: the seq up to which everything here is complete."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField()
    time_us = models.BigIntegerField()  # of the newest event applied

    def __str__(self) -> str:
        return f"seq {self.seq}"


class Asset(models.Model):
    number = models.IntegerField(primary_key=True)
    code = models.TextField()
    decimals = models.SmallIntegerField()

    def __str__(self) -> str:
        return self.code


class Instrument(models.Model):
    number = models.IntegerField(primary_key=True)
    symbol = models.TextField(unique=True)
    base = models.IntegerField()
    quote = models.IntegerField()
    market = models.SmallIntegerField()
    tick_size = models.TextField()
    lot_size = models.TextField()
    base_per_lot = models.BigIntegerField()
    quote_per_lot_tick = models.BigIntegerField()
    status = models.SmallIntegerField()
    venue = models.TextField(default="")  # agency markets only
    name = models.TextField(default="")  # of a stock, as its feed or the house file spells it
    stock_id = models.TextField(default="")  # by which feeds know it

    def __str__(self) -> str:
        return self.symbol


class Order(models.Model):
    """The newest state of each order that the core accepted. The id is the seq that made it."""

    id = models.BigIntegerField(primary_key=True)
    updated_seq = models.BigIntegerField()
    updated_us = models.BigIntegerField()
    account = models.BigIntegerField()
    instrument = models.IntegerField()
    status = models.SmallIntegerField()
    side = models.SmallIntegerField()
    order_type = models.SmallIntegerField()
    time_in_force = models.SmallIntegerField()
    self_trade = models.SmallIntegerField()
    price_ticks = models.BigIntegerField()
    stop_price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    filled_lots = models.BigIntegerField()
    filled_quote = models.BigIntegerField()
    quote_quantity = models.BigIntegerField()
    created_us = models.BigIntegerField()
    client_order_id_0 = models.BigIntegerField()  # core.client_ids; all zero = none
    client_order_id_1 = models.BigIntegerField()
    client_order_id_2 = models.BigIntegerField()
    client_order_id_3 = models.BigIntegerField()
    working_us = models.BigIntegerField()  # 0: a stop that was not triggered
    list_id = models.BigIntegerField()  # 0: in no list
    # The four words folded into one, so that finding an order by its client id needs one number.
    client_fold = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index("account", "instrument", "id", name="order_of_account"),
            models.Index(
                "client_fold",
                name="order_by_client_id",
                condition=models.Q(client_fold__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.id}"


class OrderList(models.Model):
    """The newest state of each list that the core accepted. The id is the seq that made it."""

    id = models.BigIntegerField(primary_key=True)
    updated_seq = models.BigIntegerField()
    updated_us = models.BigIntegerField()
    account = models.BigIntegerField()
    instrument = models.IntegerField()
    status = models.SmallIntegerField()  # records.ListStatus
    stop_order_id = models.BigIntegerField()
    profit_order_id = models.BigIntegerField()
    created_us = models.BigIntegerField()
    list_client_id_0 = models.BigIntegerField()
    list_client_id_1 = models.BigIntegerField()
    list_client_id_2 = models.BigIntegerField()
    list_client_id_3 = models.BigIntegerField()
    stop_client_id_0 = models.BigIntegerField()
    stop_client_id_1 = models.BigIntegerField()
    stop_client_id_2 = models.BigIntegerField()
    stop_client_id_3 = models.BigIntegerField()
    profit_client_id_0 = models.BigIntegerField()
    profit_client_id_1 = models.BigIntegerField()
    profit_client_id_2 = models.BigIntegerField()
    profit_client_id_3 = models.BigIntegerField()

    class Meta:
        indexes = [models.Index("account", "id", name="list_of_account")]

    def __str__(self) -> str:
        return f"list {self.id}"


class Trade(models.Model):
    """A match with its two sides. Imported ones have orders and accounts 0."""

    id = models.BigIntegerField(primary_key=True)  # instrument << TRADE_BITS | trade_id
    seq = models.BigIntegerField()
    time_us = models.BigIntegerField()
    instrument = models.IntegerField()
    trade_id = models.BigIntegerField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    quote_amount = models.BigIntegerField()
    taker_side = models.SmallIntegerField()
    buy_order_id = models.BigIntegerField()
    sell_order_id = models.BigIntegerField()
    buyer_account = models.BigIntegerField()
    seller_account = models.BigIntegerField()
    buyer_fee = models.BigIntegerField()
    seller_fee = models.BigIntegerField()
    buyer_fee_asset = models.IntegerField()
    seller_fee_asset = models.IntegerField()

    class Meta:
        indexes = [
            models.Index(
                "buyer_account",
                "id",
                name="trade_of_buyer",
                condition=models.Q(buyer_account__gt=0),
            ),
            models.Index(
                "seller_account",
                "id",
                name="trade_of_seller",
                condition=models.Q(seller_account__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"trade {self.trade_id} of instrument {self.instrument}"


class Posting(models.Model):
    """One movement of the ledger: the credit account receives what the debit account gives."""

    id = models.BigIntegerField(primary_key=True)  # seq << POSTING_BITS | index within the command
    time_us = models.BigIntegerField()
    debit_account = models.BigIntegerField()
    credit_account = models.BigIntegerField()
    asset = models.IntegerField()
    amount = models.BigIntegerField()
    cause = models.SmallIntegerField()
    entry = models.BigIntegerField()  # the money command's row id; a trade's id for a trade

    class Meta:
        indexes = [
            models.Index("debit_account", "asset", "id", name="posting_debit"),
            models.Index("credit_account", "asset", "id", name="posting_credit"),
        ]

    def __str__(self) -> str:
        return f"posting {self.seq}.{self.index}"

    @property
    def seq(self) -> int:
        """The command that made it."""
        return self.id >> POSTING_BITS

    @property
    def index(self) -> int:
        """Its place among the postings of that command, from 0."""
        return self.id & ((1 << POSTING_BITS) - 1)


class VenueOrder(models.Model):
    """The newest state of each outside order. The id is its number."""

    id = models.BigIntegerField(primary_key=True)
    updated_seq = models.BigIntegerField()
    updated_us = models.BigIntegerField()
    instrument = models.IntegerField()
    status = models.SmallIntegerField()
    side = models.SmallIntegerField()
    limit_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    notional = models.BigIntegerField()
    filled_base = models.BigIntegerField()
    filled_quote = models.BigIntegerField()
    attempts = models.SmallIntegerField()  # times that it was sent: the core lets it be once
    parts = models.IntegerField()
    created_us = models.BigIntegerField()

    class Meta:
        indexes = [models.Index("instrument", "id", name="venue_order_of_instrument")]

    def __str__(self) -> str:
        return f"venue order {self.id}"


class VenuePart(models.Model):
    """An order that is part of an outside order. The id is the order's."""

    id = models.BigIntegerField(primary_key=True)
    venue_order = models.BigIntegerField()
    account = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()

    class Meta:
        indexes = [models.Index("venue_order", "id", name="part_of_venue_order")]

    def __str__(self) -> str:
        return f"order {self.id} in venue order {self.venue_order}"


class Candle(models.Model):
    """One bar. A bar exists only where there was a trade; volumes stop at 2**63 - 1."""

    id = models.BigIntegerField(primary_key=True)  # instrument << MINUTE_BITS | its first minute
    open_ticks = models.BigIntegerField()
    high_ticks = models.BigIntegerField()
    low_ticks = models.BigIntegerField()
    close_ticks = models.BigIntegerField()
    volume_lots = models.BigIntegerField()
    volume_quote = models.BigIntegerField()
    taker_buy_lots = models.BigIntegerField()
    taker_buy_quote = models.BigIntegerField()
    trades = models.BigIntegerField()
    first_trade_id = models.BigIntegerField()
    last_trade_id = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"bar {self.id}"


class Candle1m(Candle):
    """A minute."""


class Candle1h(Candle):
    """An hour, of which all Binance intervals from 1h to 12h are folded."""


class Candle1d(Candle):
    """A day of UTC, of which days, weeks and months are folded."""


class Quote(models.Model):
    """A message of a feed, once however often it came: newer and older ones, by their own time."""

    pk = models.CompositePrimaryKey("instrument", "message_us", "price_ticks", "availability_lots")
    instrument = models.IntegerField()
    message_us = models.BigIntegerField()
    price_ticks = models.BigIntegerField()
    availability_lots = models.BigIntegerField()
    seq = models.BigIntegerField()  # of messages of one time the later one is the newer
    verdict = models.SmallIntegerField()  # records.Verdict
    first_trade_id = models.BigIntegerField()  # what it filled; trades 0: nothing
    trades = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(
                "instrument",
                "message_us",
                "seq",
                name="quote_that_filled",
                condition=models.Q(trades__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price_ticks} of instrument {self.instrument} at {self.message_us}"


class QuoteBar(models.Model):
    """The messages of one stretch of their own time, older ones too: statistics from any to any.

    The sum of the prices is high x 2**31 + low, so that no number of messages is too many.
    """

    id = models.BigIntegerField(primary_key=True)  # instrument << MINUTE_BITS | its first minute
    first_us = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    first_ticks = models.BigIntegerField()
    last_us = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    last_ticks = models.BigIntegerField()
    high_ticks = models.BigIntegerField()
    low_ticks = models.BigIntegerField()
    sum_high = models.BigIntegerField()
    sum_low = models.BigIntegerField()
    quotes = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"quotes {self.id}"


class QuoteBar1m(QuoteBar):
    """A minute."""


class QuoteBar1h(QuoteBar):
    """An hour."""


class QuoteBar1d(QuoteBar):
    """A day of UTC."""


class Summary(models.Model):
    """What a robot did on an instrument in a day or a month: the newest, or the last of all."""

    id = models.TextField(primary_key=True)  # account-period-number-instrument
    updated_seq = models.BigIntegerField()
    updated_us = models.BigIntegerField()
    account = models.BigIntegerField()
    instrument = models.IntegerField()
    period = models.SmallIntegerField()  # records.Period
    number = models.BigIntegerField()  # days or months since January 1970
    is_closed = models.SmallIntegerField()
    bought_lots = models.BigIntegerField()
    bought_quote = models.BigIntegerField()
    sold_lots = models.BigIntegerField()
    sold_quote = models.BigIntegerField()
    profit = models.BigIntegerField()
    position = models.BigIntegerField()
    cost = models.BigIntegerField()

    class Meta:
        indexes = [models.Index("account", "period", "number", name="summaries_of_a_robot")]

    def __str__(self) -> str:
        return self.id


class ImportedFile(models.Model):
    """A file of imports/ that is in the tables. Trade ids of its rows: see first and last."""

    name = models.TextField(primary_key=True)
    instrument = models.IntegerField()
    rows = models.BigIntegerField()
    first_trade_id = models.BigIntegerField()
    last_trade_id = models.BigIntegerField()
    last_us = models.BigIntegerField()

    def __str__(self) -> str:
        return self.name

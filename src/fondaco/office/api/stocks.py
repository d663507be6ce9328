"""The stocks' API, as its callers have always sent it: /api/stocks/.

Promises: highest, lowest and average price of all messages, or of any range exact to the
microsecond, both ends included; an empty range gives nulls, a date that can't be read is 400. In a
house whose door is closed a member sees their own name among the transactions and no other.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.faults import NotDone, writer_asked
from fondaco.office.api.open_door import OpenView, sees_all
from fondaco.office.orders.selectors import HistoryBehind, caught_up
from fondaco.office.stocks import selectors

__all__ = ["OneStock", "Stocks"]

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND: Final = dt.timedelta(microseconds=1)


class StockWords(serializers.Serializer):
    stock_id = serializers.CharField()
    name = serializers.CharField()
    highest_price = serializers.FloatField(allow_null=True)
    lowest_price = serializers.FloatField(allow_null=True)
    average_price = serializers.FloatField(allow_null=True)


class QuoteWords(serializers.Serializer):
    price = serializers.FloatField()
    availability = serializers.FloatField()
    timestamp = serializers.DateTimeField()


class DealWords(serializers.Serializer):
    type = serializers.ChoiceField(choices=("Buy", "Sell"))
    stock_price = serializers.FloatField()
    total_price = serializers.FloatField()
    total_count = serializers.FloatField()


class TransactionWords(DealWords):
    user = serializers.CharField(allow_null=True)


class WholeStockWords(StockWords):
    recent_data = QuoteWords(many=True)
    transactions = TransactionWords(many=True)


class Stocks(OpenView):
    @extend_schema(operation_id="api_stocks_list", responses=StockWords(many=True), tags=["stocks"])
    def get(self, _request: Request) -> Response:
        """List every stock with the statistics of all its messages."""
        return Response(selectors.stocks())


class OneStock(OpenView):
    @extend_schema(
        operation_id="api_stocks_retrieve",
        parameters=[
            OpenApiParameter("from_date", str, description="like 2022-12-05 00:00:00, UTC"),
            OpenApiParameter("to_date", str, description="included; both or none"),
        ],
        responses=WholeStockWords,
        tags=["stocks"],
    )
    def get(self, request: Request, stock_id: str) -> Response:
        """Show a stock: statistics, the 5 newest messages and the 5 newest transactions."""
        row = selectors.dealer_market(stock_id)
        span = span_of(request)
        names_of = None if sees_all(request) else [member_of(request.user).pk]
        with writer_asked():
            try:
                caught_up(writer.core())
            except HistoryBehind as error:
                raise NotDone(str(error)) from error
        return Response(selectors.stock_words(row, span, names_of=names_of))


def span_of(request: Request) -> tuple[int, int] | None:
    """Return the range that is asked for, as [start, end) in microseconds. Raises 400."""
    asked = {name: request.query_params.get(name) for name in ("from_date", "to_date")}
    if not any(text is not None for text in asked.values()):
        return None
    faults = {}
    found = []
    for name, text in asked.items():
        if text is None:
            faults[name] = ["This field is required."]
            continue
        try:
            moment = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            faults[name] = [f"{text[:40]!r} is no date; write it like 2022-12-05 00:00:00."]
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        found.append((moment - EPOCH) // MICROSECOND)
    if faults:
        raise ValidationError(faults)
    start_us, last_us = found
    return start_us, last_us + 1

"""History from files: what a strategy did before it reported here, as reports of its own times.

Promises: pure; a file is read whole or refused whole, with the lines that don't fit (ERRORS_MAX of
them, numbered as an editor does); the same file gives the same reports. Amounts are exact.

Three formats. `csv`: our own, a line a report (COLUMNS). `freqtrade`: its backtest result or trades
as JSON, or trades as CSV (columns: its data/btanalysis, BT_DATA_COLUMNS). `hummingbot`: the trades
file of its data folder (columns: its model/trade_fill, attribute_names_for_file_export).

Equity from trades, `start` being the balance before the first (docs/strategies.md says the same):

- freqtrade: a report at each moment at which trades opened or closed. Wallet = margin = start + the
  sum of profit_abs (fees are in it) of the trades closed by then; positions = the number of those
  open; last price and average entry are those of the trade's close and open.
- hummingbot: a report at each fill. Wallet = start + what closing parts of positions brought at
  average cost, less all fees; margin = wallet + what is open at each market's last price against
  its average cost. A sale of more than is held is a short position.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple, TypeVar

from fondaco.strategies.amounts import AmountUnfit, units_of
from fondaco.strategies.models import SYMBOL_LENGTH_MAX, VALUES

__all__ = ["COLUMNS", "FORMATS", "ROWS_MAX", "HistoryUnfit", "Past", "read"]

FORMATS: Final = ("csv", "freqtrade", "hummingbot")
COLUMNS: Final = ("created_at", *VALUES, "symbol")  # wallet_balance and created_at must be there
ROWS_MAX: Final = 50_000  # of a file; more are sent in pieces
ERRORS_MAX: Final = 10
MS_DIGITS: Final = 13  # a whole number of so many digits is a time in milliseconds
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICRO: Final = dt.timedelta(microseconds=1)
NONE: Final = Decimal(0)
MAGNITUDE_MAX: Final = 24  # digits before and after the point of what is reckoned with
Row = TypeVar("Row")
Found = TypeVar("Found")


class Past(NamedTuple):
    """A report of the past: its time, its values in units as in VALUES, its symbol."""

    created_us: int
    values: tuple[int, int, int, int, int, int]
    symbol: str


class HistoryUnfit(ValueError):
    """A file that can't be taken; `lines` say why, each with its place."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class _LineUnfit(ValueError):
    """What is wrong with one line."""


class _Trade(NamedTuple):
    """A round trip of freqtrade; close_us 0: still open."""

    pair: str
    open_us: int
    close_us: int
    open_rate: Decimal
    close_rate: Decimal
    profit: Decimal


class _Fill(NamedTuple):
    market: str
    symbol: str
    time_us: int
    quantity: Decimal  # bought; sold is negative
    price: Decimal
    fee: Decimal


def read(text: str, kind: str, *, start: Decimal | None, now_us: int) -> list[Past]:
    """Return the reports that a file gives, by time, each time once; raises HistoryUnfit.

    `start` is the balance before the first trade; a backtest result brings its own.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise HistoryUnfit(["the file is empty"])
    if kind == "csv":
        return _unique(_each(_table(text, ("created_at", "wallet_balance")), _own), now_us)
    if kind == "freqtrade":
        trades, told = _freqtrade(text)
        return _unique(list(_by_round_trips(trades, _start(start, told))), now_us)
    if kind == "hummingbot":
        wanted = ("timestamp", "trade_type", "price", "amount", "symbol")
        fills = _each(_table(text, wanted), _fill)
        return _unique(list(_by_fills(fills, _start(start, None))), now_us)
    raise HistoryUnfit([f"format is {kind[:20]}; give one of {', '.join(FORMATS)}"])


def _start(given: Decimal | None, told: Decimal | None) -> Decimal:
    start = told if given is None else given
    if start is None:
        raise HistoryUnfit(["the file doesn't tell the balance before the first trade; give it"])
    return start


def _unique(found: list[Past], now_us: int) -> list[Past]:
    """Return the reports in the order of their times; of one time the last line stands."""
    by_time = {each.created_us: each for each in found}
    rows = sorted(by_time.values())
    if rows and rows[-1].created_us > now_us:
        late = EPOCH + rows[-1].created_us * MICRO
        raise HistoryUnfit([f"{late.isoformat()} is yet to come; history has no such times"])
    return rows


# ---- tables


def _table(text: str, wanted: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line numbers and rows by column; raises HistoryUnfit."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise HistoryUnfit(
                [f"line 1: no column {', '.join(missing)}; found {', '.join(names)[:200]}"]
            )
        count = 0
        for row in reader:
            if not row:
                continue
            count += 1
            if count > ROWS_MAX:
                raise HistoryUnfit([f"more than {ROWS_MAX} lines; send the file in pieces"])
            if len(row) != len(names):
                raise HistoryUnfit(
                    [f"line {reader.line_num}: {len(row)} fields, the first line has {len(names)}"]
                )
            yield reader.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise HistoryUnfit([f"line {reader.line_num}: {error}"]) from error


def _each(
    rows: Iterable[tuple[int, Row]], take: Callable[[Row], Found], place: str = "line"
) -> list[Found]:
    """Return what is made of each row; raises HistoryUnfit with all that are wrong."""
    found: list[Found] = []
    wrong: list[str] = []
    for number, row in rows:
        try:
            found.append(take(row))
        except _LineUnfit as unfit:
            wrong.append(f"{place} {number}: {unfit}")
            if len(wrong) == ERRORS_MAX:
                wrong.append("and perhaps more")
                break
    if wrong:
        raise HistoryUnfit(wrong)
    return found


def _number(row: Mapping[str, Any], name: str, otherwise: Decimal | None = None) -> Decimal:
    value = row.get(name)
    if otherwise is not None and value in (None, "", "None"):
        return otherwise
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > MAGNITUDE_MAX:
        raise _LineUnfit(f"{name} is {str(value)[:40]!r}; it must be a number of usual size")
    return number


def _time(row: Mapping[str, Any], *names: str) -> int:
    """Return the first of these times that is there, in microseconds."""
    for name in names:
        value = row.get(name)
        if value in (None, ""):
            continue
        text = str(value).strip()
        try:
            if text.isdecimal() and len(text) == MS_DIGITS:
                return int(text) * 1000
            moment = dt.datetime.fromisoformat(text)
            found = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - EPOCH
        except (ValueError, OverflowError):
            found = -MICRO
        if found < dt.timedelta():
            raise _LineUnfit(
                f"{name} is {text[:40]!r}; write a time like 2026-05-01T12:00:00Z, or milliseconds"
            )
        return found // MICRO
    raise _LineUnfit(f"{names[-1]} is missing")


def _text(row: Mapping[str, Any], name: str) -> str:
    text = str(row.get(name) or "").strip()
    if len(text) > SYMBOL_LENGTH_MAX or not text.isprintable():
        raise _LineUnfit(f"{name} must have at most {SYMBOL_LENGTH_MAX} printable characters")
    return text


def _past(created_us: int, symbol: str, **values: Decimal) -> Past:
    units = []
    for name in VALUES:
        try:
            units.append(units_of(values[name]))
        except AmountUnfit as unfit:
            raise _LineUnfit(f"{name} {unfit}") from unfit
    price, margin, wallet, realised, positions, entry = units
    return Past(created_us, (price, margin, wallet, realised, positions, entry), symbol)


def _own(row: Mapping[str, str]) -> Past:
    """Return the report of a line of our own format; without a margin it is the wallet."""
    wallet = _number(row, "wallet_balance")
    values = {name: _number(row, name, NONE) for name in VALUES}
    values["margin_balance"] = _number(row, "margin_balance", wallet)
    return _past(_time(row, "created_at"), _text(row, "symbol"), **values)


# ---- freqtrade


def _freqtrade(text: str) -> tuple[list[_Trade], Decimal | None]:
    """Return the trades of an export and the balance that it tells."""
    if text.lstrip()[:1] not in ("{", "["):
        return _each(_table(text, ("pair", "open_rate", "profit_abs")), _round_trip), None
    try:
        found = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as error:
        raise HistoryUnfit([f"the file is neither JSON nor CSV: {error}"]) from error
    told = None
    if isinstance(found, dict) and isinstance(found.get("strategy"), dict):
        results = found["strategy"]
        if len(results) != 1:
            names = ", ".join(map(str, results))[:200]
            raise HistoryUnfit([f"the result is of {len(results)} strategies, export one: {names}"])
        [found] = results.values()
        told = found.get("starting_balance") if isinstance(found, dict) else None
    rows = found.get("trades") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HistoryUnfit(["there is no list of trades in the file"])
    if len(rows) > ROWS_MAX:
        raise HistoryUnfit([f"more than {ROWS_MAX} trades; send the file in pieces"])
    trades = _each(enumerate(rows, start=1), _round_trip, "trade")
    return trades, told if isinstance(told, Decimal) and told.is_finite() else None


def _round_trip(row: Mapping[str, Any]) -> _Trade:
    is_open = str(row.get("is_open") or "").lower() in {"true", "1"}
    profit = "profit_abs" if row.get("profit_abs") not in (None, "") else "close_profit_abs"
    return _Trade(
        pair=_text(row, "pair"),
        open_us=_time(row, "open_timestamp", "open_date"),
        close_us=0 if is_open else _time(row, "close_timestamp", "close_date"),
        open_rate=_number(row, "open_rate"),
        close_rate=NONE if is_open else _number(row, "close_rate"),
        profit=NONE if is_open else _number(row, profit),
    )


def _by_round_trips(trades: list[_Trade], start: Decimal) -> Iterator[Past]:
    moments = [(each.open_us, 1, each) for each in trades]
    moments += [(each.close_us, -1, each) for each in trades if each.close_us]
    wallet, count = start, 0
    for time_us, change, trade in sorted(moments):
        count += change
        wallet += trade.profit if change < 0 else NONE
        yield _checked(
            time_us,
            trade.pair,
            last_price=trade.close_rate if change < 0 else trade.open_rate,
            margin_balance=wallet,
            wallet_balance=wallet,
            realised_pnl=wallet - start,
            positions=Decimal(count),
            average_entry_price=trade.open_rate,
        )


# ---- hummingbot


def _fill(row: Mapping[str, str]) -> _Fill:
    side = str(row.get("trade_type", "")).strip().upper()
    if side not in {"BUY", "SELL"}:
        raise _LineUnfit(f"trade_type is {side[:20]!r}; it must be BUY or SELL")
    amount, price = _number(row, "amount"), _number(row, "price")
    if amount <= 0 or price <= 0:
        raise _LineUnfit("amount and price must be above 0")
    return _Fill(
        market=_text(row, "market"),
        symbol=_text(row, "symbol"),
        time_us=_time(row, "timestamp"),
        quantity=amount if side == "BUY" else -amount,
        price=price,
        fee=_fee(row, amount * price),
    )


def _fee(row: Mapping[str, str], notional: Decimal) -> Decimal:
    """Return a fill's fee in quote; of a fee that isn't told in quote, its percentage."""
    if row.get("trade_fee_in_quote") not in (None, "", "None"):
        return _number(row, "trade_fee_in_quote")
    try:
        told = json.loads(row.get("trade_fee") or "{}")
    except ValueError:
        return NONE
    if not isinstance(told, dict):
        return NONE
    return _number({"trade_fee": told.get("percent")}, "trade_fee", NONE) * notional


class _Position:
    """What is held of one market, at average cost."""

    def __init__(self) -> None:
        self.quantity = self.cost = self.price = NONE

    @property
    def unrealised(self) -> Decimal:
        return self.quantity * self.price - self.cost

    @property
    def average(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else NONE

    def take(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Take a fill; return what it brought."""
        self.price = price
        if self.quantity * quantity >= 0:  # from nothing, or more of the same
            self.quantity += quantity
            self.cost += quantity * price
            return NONE
        closed = -quantity if abs(quantity) <= abs(self.quantity) else self.quantity
        share = closed / self.quantity * self.cost
        self.quantity -= closed
        self.cost -= share
        rest = quantity + closed
        if rest:
            self.quantity, self.cost = rest, rest * price
        return closed * price - share


def _by_fills(fills: list[_Fill], start: Decimal) -> Iterator[Past]:
    held: dict[tuple[str, str], _Position] = {}
    wallet = start
    for fill in sorted(fills, key=lambda each: each.time_us):
        position = held.setdefault((fill.market, fill.symbol), _Position())
        wallet += position.take(fill.quantity, fill.price) - fill.fee
        yield _checked(
            fill.time_us,
            fill.symbol,
            last_price=fill.price,
            margin_balance=wallet + sum((each.unrealised for each in held.values()), NONE),
            wallet_balance=wallet,
            realised_pnl=wallet - start,
            positions=position.quantity,
            average_entry_price=position.average,
        )


def _checked(created_us: int, symbol: str, **values: Decimal) -> Past:
    try:
        return _past(created_us, symbol, **values)
    except _LineUnfit as unfit:
        raise HistoryUnfit([f"at {(EPOCH + created_us * MICRO).isoformat()}: {unfit}"]) from unfit

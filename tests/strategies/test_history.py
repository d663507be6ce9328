"""History from files: what each format gives, what is refused by its line, and imports twice."""

from __future__ import annotations

import csv
import io
import json
import random
from decimal import Decimal as D  # noqa: N817 - a letter for tables
from typing import Any

import pytest

from fondaco.identity.security_log import Action
from fondaco.strategies import history, selectors, services
from fondaco.strategies.history import HistoryUnfit, Past, read
from fondaco.strategies.models import BrokerageAccount, Period, Report, Standing, Strategy
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import MINUTE_US, NOON_US, periods_of, report

UNIT = 10**8
SOON_US = NOON_US + 400 * 24 * 60 * MINUTE_US
NOON_MS = NOON_US // 1000
FREQTRADE = (
    *("pair", "stake_amount", "amount", "open_date", "close_date", "open_rate", "close_rate"),
    *("profit_ratio", "profit_abs", "exit_reason", "is_open", "open_timestamp", "close_timestamp"),
)
HUMMINGBOT = (
    *("exchange_trade_id", "config_file_path", "strategy", "market", "symbol", "base_asset"),
    *("quote_asset", "timestamp", "order_id", "trade_type", "order_type", "price", "amount"),
    *("leverage", "trade_fee", "trade_fee_in_quote", "position", "age"),
)


def table(names: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def trip(number: int, opened: int, closed: int, profit: str, **more: Any) -> dict[str, Any]:
    """A trade of freqtrade, its times in minutes from noon; closed 0: still open."""
    return {
        "pair": "ETH/USDT",
        "open_timestamp": NOON_MS + opened * 60_000,
        "close_timestamp": NOON_MS + closed * 60_000 if closed else None,
        "open_rate": 2000 + number,
        "close_rate": 2010 + number,
        "profit_abs": profit,
        "is_open": not closed,
        **more,
    }


def fill(minute: int, side: str, price: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "market": "kraken",
        "symbol": "ETH-USDT",
        "timestamp": NOON_MS + minute * 60_000,
        "trade_type": side,
        "price": price,
        "amount": amount,
        "trade_fee_in_quote": "1",
        **more,
    }


def told(rows: list[Past]) -> list[tuple[Any, ...]]:
    """Return (minute, margin, wallet, realised, positions, entry) of each."""
    return [
        ((row.created_us - NOON_US) // MINUTE_US, *(D(each) / UNIT for each in row.values[1:]))
        for row in rows
    ]


def taken(text: str, kind: str, start: str | None = None) -> list[Past]:
    return read(text, kind, start=None if start is None else D(start), now_us=SOON_US)


def test_our_own_lines_are_reports() -> None:
    """Times with and without a zone, in milliseconds; columns in any order; margin by default."""
    text = (
        "wallet_balance,created_at,symbol,margin_balance,positions\r\n"
        "100.5,2026-01-01T12:00:00Z,XBTUSD,101,-3\r\n"
        "99,2026-01-01 12:01:00,,,\r\n"
        f"98.00000001,{NOON_MS + 120_000},XBTUSD,,\r\n"
    )
    assert told(taken(text, "csv")) == [
        (0, 101, D("100.5"), 0, -3, 0),
        (1, 99, 99, 0, 0, 0),
        (2, D("98.00000001"), D("98.00000001"), 0, 0, 0),
    ]


def test_freqtrades_closed_trades_move_the_wallet() -> None:
    """A report where trades open or close: start + profits so far, and how many are open."""
    trades = [trip(0, 0, 10, "5.5"), trip(1, 5, 10, "-2"), trip(2, 20, 0, "0")]
    result = {"strategy": {"Trend": {"trades": trades, "starting_balance": 1000}}}
    expected = [
        (0, 1000, 1000, 0, 1, 2000),
        (5, 1000, 1000, 0, 2, 2001),
        (10, D("1003.5"), D("1003.5"), D("3.5"), 0, 2001),
        (20, D("1003.5"), D("1003.5"), D("3.5"), 1, 2002),
    ]
    assert told(taken(json.dumps(result), "freqtrade")) == expected
    for text in (json.dumps(trades), json.dumps({"trades": trades}), table(FREQTRADE, trades)):
        assert told(taken(text, "freqtrade", "1000")) == expected
    dated = [
        {**each, "open_timestamp": "", "open_date": "2026-01-01 12:00:00+00:00", "open_rate": 7}
        for each in trades[:1]
    ]
    assert told(taken(table(FREQTRADE, dated), "freqtrade", "1000"))[0] == (0, 1000, 1000, 0, 1, 7)


def test_hummingbots_fills_at_average_cost() -> None:
    """Bought, sold in part, sold short: realised at average cost less fees, the rest marked."""
    fills = [
        fill(0, "BUY", "100", "1"),
        fill(1, "BUY", "110", "1"),
        fill(2, "SELL", "120", "1"),
        fill(3, "SELL", "120", "2"),
        fill(4, "BUY", "115", "1"),
    ]
    assert told(taken(table(HUMMINGBOT, fills), "hummingbot", "1000")) == [
        (0, 999, 999, -1, 1, 100),
        (1, 1008, 998, -2, 2, 105),
        (2, 1027, 1012, 12, 1, 105),
        (3, 1026, 1026, 26, -1, 120),
        (4, 1030, 1030, 30, 0, 0),
    ]


def test_a_fee_that_is_not_told_in_quote_is_its_percentage() -> None:
    """trade_fee's percent of the notional; nothing told is no fee."""
    fee = json.dumps({"fee_type": "AddedToCost", "percent": "0.001", "flat_fees": []})
    fills = [
        fill(0, "BUY", "100", "2", trade_fee_in_quote="None", trade_fee=fee),
        fill(1, "SELL", "100", "2", trade_fee_in_quote=""),
    ]
    wallets = [row[2] for row in told(taken(table(HUMMINGBOT, fills), "hummingbot", "0"))]
    assert wallets == [D("-0.2"), D("-0.2")]


def test_marked_equity_equals_money_and_coins() -> None:
    """Whatever is traded: margin = start + money got less paid - fees + coins at the price."""
    chance = random.Random(5)
    for _ in range(50):
        fills, money, coins, expected = [], D(0), D(0), []
        for minute in range(40):
            price, amount = D(chance.randint(50, 150)), D(chance.randint(1, 8)) / 4
            side = chance.choice(("BUY", "SELL"))
            fills.append(fill(minute, side, str(price), str(amount)))
            signed = amount if side == "BUY" else -amount
            coins += signed
            money -= signed * price + 1
            expected.append((money + coins * price, coins))
        rows = told(taken(table(HUMMINGBOT, fills), "hummingbot", "0"))
        assert [(round(row[1], 6), row[4]) for row in rows] == [
            (round(value, 6), held) for value, held in expected
        ]


def test_a_position_that_forgets_its_side_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: what is sold beyond what is held vanishes; the equation above sees it."""
    take = history._Position.take

    def forgetful(self: history._Position, quantity: D, price: D) -> D:
        quantity = max(quantity, -self.quantity)
        return take(self, quantity, price)

    monkeypatch.setattr(history._Position, "take", forgetful)
    with pytest.raises(AssertionError):
        test_marked_equity_equals_money_and_coins()


WRONG: dict[str, tuple[str, str, str]] = {
    "empty": ("csv", " \n", "the file is empty"),
    "no column": ("csv", "created_at,wallet\n", "line 1: no column wallet_balance"),
    "a word": ("csv", "created_at,wallet_balance\n2026-01-01,ten\n", "line 2: wallet_balance"),
    "a time": ("csv", "created_at,wallet_balance\nsoon,10\n", "line 2: created_at is 'soon'"),
    "NaN": ("csv", "created_at,wallet_balance\n2026-01-01,NaN\n", "line 2: wallet_balance"),
    "too large": ("csv", "created_at,wallet_balance\n2026-01-01,1e15\n", "is beyond"),
    "far too large": ("csv", "created_at,wallet_balance\n2026-01-01,1e999999\n", "usual size"),
    "fields": ("csv", "created_at,wallet_balance\n2026-01-01\n", "line 2: 1 fields"),
    "a quote": ("csv", 'created_at,wallet_balance\n"2026-01-01"x,1\n', "line 2"),
    "tomorrow": ("csv", "created_at,wallet_balance\n2200-01-01,1\n", "yet to come"),
    "no start": ("freqtrade", json.dumps([trip(0, 0, 1, "1")]), "balance before the first trade"),
    "no trades": ("freqtrade", '{"a": 1}', "no list of trades"),
    "no JSON": ("freqtrade", "{", "neither JSON nor CSV"),
    "two strategies": ("freqtrade", '{"strategy": {"a": {}, "b": {}}}', "export one: a, b"),
    "a trade": ("freqtrade", json.dumps([{"pair": "a"}]), "trade 1: open_date is missing"),
    "a side": ("hummingbot", table(HUMMINGBOT, [fill(0, "HOLD", "1", "1")]), "BUY or SELL"),
    "nothing": ("hummingbot", table(HUMMINGBOT, [fill(0, "BUY", "1", "0")]), "above 0"),
    "format": ("excel", "a", "give one of csv, freqtrade, hummingbot"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_by_its_line(case: str) -> None:
    """One clear reason with its place; nothing is read of the rest."""
    kind, text, words = WRONG[case]
    with pytest.raises(HistoryUnfit, match=words):
        taken(text, kind)


def test_all_lines_that_do_not_fit_are_named_up_to_ten() -> None:
    """A file with many faults tells the first ten of them."""
    rows = "".join("2026-01-01,x\n" for _ in range(20))
    with pytest.raises(HistoryUnfit) as unfit:
        taken("created_at,wallet_balance\n" + rows, "csv")
    assert len(unfit.value.lines) == 11
    assert unfit.value.lines[9].startswith("line 11:")


@pytest.fixture
def strategy(account: BrokerageAccount) -> tuple[Strategy, str]:
    return services.add_strategy(account, name="old hand")


def lines(count: int, *, step: int = 7, start: int = 0) -> str:
    rows = [
        {
            "created_at": NOON_MS + (start + place) * step * 60_000,
            "wallet_balance": 1000 + place % 50,
            "margin_balance": 1001,
            "symbol": "XBTUSD",
        }
        for place in range(count)
    ]
    return table(("created_at", "wallet_balance", "margin_balance", "symbol"), rows)


@pytest.mark.django_db
def test_what_is_imported_is_history_and_twice_is_once(strategy: tuple[Strategy, str]) -> None:
    """Rows, hours, days and the standing are as if reported; the same file again stores nothing."""
    row, _ = strategy
    first = services.import_history(row, lines(1200), kind="csv", now_us=SOON_US)
    assert (first.reports, first.stored) == (1200, 1200)
    kept = {
        each.created_us: (each.last_price, each.margin_balance, each.wallet_balance)
        for each in Report.objects.filter(strategy=row)
    }
    truth = periods_of(kept)
    periods = Period.objects.filter(strategy=row)
    assert len(truth) == periods.count()
    for period in periods:
        wanted = truth[period.length_s, period.start_us]
        assert {name: getattr(period, name) for name in wanted} == wanted
    assert Standing.objects.get(pk=row.pk).created_us == first.last_us
    again = services.import_history(row, lines(1300), kind="csv", now_us=SOON_US)
    assert (again.reports, again.stored) == (1300, 100)
    once_more = services.import_history(row, lines(1300), kind="csv", now_us=SOON_US)
    assert once_more.stored == 0
    assert Report.objects.filter(strategy=row).count() == 1300


@pytest.mark.django_db
def test_the_past_never_moves_what_is_newer(strategy: tuple[Strategy, str]) -> None:
    """A report of now stays the standing; of one time the report that came first stands."""
    row, token = strategy
    now_us = NOON_US + 5000 * MINUTE_US
    Reports().store([report(token, now_us, 7 * UNIT), report(token, NOON_US, 8 * UNIT)])
    done = services.import_history(row, lines(100), kind="csv", now_us=SOON_US)
    assert (done.stored, done.reports) == (99, 100)
    assert Standing.objects.get(pk=row.pk).wallet_balance == 7 * UNIT
    assert Report.objects.get(pk=(row.pk, NOON_US)).wallet_balance == 8 * UNIT
    found = selectors.dashboard(row.member, now_us=now_us, hours=2)
    assert found.equity == 7 * UNIT


@pytest.mark.django_db
def test_a_file_with_one_wrong_line_stores_nothing(strategy: tuple[Strategy, str]) -> None:
    """The whole file is read before the first row is written; the log has no entry."""
    row, _ = strategy
    with pytest.raises(HistoryUnfit, match="line 52"):
        services.import_history(row, lines(50) + "x,1,1,\n", kind="csv", now_us=SOON_US)
    assert not Report.objects.exists()
    from fondaco.identity.models import SecurityEntry

    imported = SecurityEntry.objects.filter(action=Action.STRATEGY_HISTORY_IMPORTED)
    assert not imported.exists()
    services.import_history(row, lines(50), kind="csv", now_us=SOON_US)
    assert imported.count() == 1

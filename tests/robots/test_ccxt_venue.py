"""The ccxt venue before an exchange that answers as it is told: errors, fees, partial fills.

Whether ccxt itself is spoken as it wants is test_two_houses' care.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, getcontext, setcontext
from fractions import Fraction
from typing import Any

import pytest

from fondaco.robots.venues.ccxt_venue import CcxtVenue, settings_of
from fondaco.robots.venues.port import NOTHING, Order, Outcome, Refused, Unanswered

ccxt = pytest.importorskip("ccxt")

SETTINGS = {"key": "k", "secret": "s", "password": "", "url": ""}
BUY = Order(
    client_id="h1-1",
    base="ABAN",
    quote="USD",
    is_buy=True,
    quantity=Fraction("1.23456"),
    limit=Fraction("10.009"),
    reference=Fraction(10),
)
SELL = Order(
    client_id="h1-2",
    base="ABAN",
    quote="USD",
    is_buy=False,
    quantity=Fraction("1.23456"),
    limit=Fraction("9.991"),
    reference=Fraction(10),
)


class Exchange:
    """Stands in for a class of ccxt's; `answers` are given, or raised, one after another."""

    precisionMode = ccxt.TICK_SIZE  # noqa: N815 - ccxt's
    answers: dict[str, list[Any]]
    asked: list[tuple[str, tuple[Any, ...]]]
    taker: float | None = 0.001

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.options: dict[str, Any] = {"fetchMarkets": {"types": ["spot", "swap"]}}
        self.urls = {"api": {"public": "https://api.fake.example/v1/public"}}
        self.has = {"fetchTradingFee": False, "fetchMyTrades": True}
        self.markets: dict[str, Any] = {}

    def _say(self, what: str, *arguments: object) -> Any:
        type(self).asked.append((what, arguments))
        getcontext().rounding = ROUND_HALF_UP  # as ccxt does
        answer = type(self).answers[what].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def load_markets(self) -> None:
        if self.answers.get("load_markets"):
            self._say("load_markets")
        self.markets = {
            "ABAN/USD": {
                "symbol": "ABAN/USD",
                "taker": self.taker,
                "precision": {"amount": 0.001, "price": 0.01},
            }
        }

    def create_order(self, *arguments: object) -> Any:
        return self._say("create_order", *arguments)

    def fetch_order(self, *arguments: object) -> Any:
        return self._say("fetch_order", *arguments)

    def fetch_my_trades(self, *arguments: object) -> Any:
        return self._say("fetch_my_trades", *arguments)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> type[Exchange]:
    class Fresh(Exchange):
        answers: dict[str, list[Any]] = {}  # noqa: RUF012 - a test's own
        asked: list[tuple[str, tuple[Any, ...]]] = []  # noqa: RUF012

    monkeypatch.setattr(ccxt, "fake", Fresh, raising=False)
    return Fresh


def venue() -> CcxtVenue:
    return CcxtVenue("fake", SETTINGS)


def told(**words: object) -> dict[str, Any]:
    """An order as ccxt tells it: filled whole, its fee in the quote."""
    found: dict[str, Any] = {
        "id": "77",
        "symbol": "ABAN/USD",
        "status": "closed",
        "filled": 1.234,
        "cost": 12.34,
        "fee": {"currency": "USD", "cost": 0.01},
    }
    return found | words


# ---- what is sent


def test_the_caller_keeps_its_rounding(exchange: Any) -> None:
    """ccxt sets the rounding and the traps of the decimals of whoever calls it (4.5.90)."""
    ccxt.Exchange().decimal_to_precision("1.25", ccxt.ROUND, 1, ccxt.DECIMAL_PLACES)
    assert getcontext().rounding == ROUND_HALF_UP
    setcontext(Context())
    exchange.answers = {"create_order": [told()], "fetch_order": [told()]}
    made = venue()
    made.place(BUY)
    made.query(BUY)
    assert len(exchange.asked) == 2
    assert getcontext().rounding == ROUND_HALF_EVEN


def test_an_order_is_immediate_or_cancel_on_our_side_of_the_limit(exchange: Any) -> None:
    """Amount down to its step; a buy's price less the fee and down, a sell's up; our id with it."""
    exchange.answers = {"create_order": [told(), told()]}
    made = venue()
    made.place(BUY)
    made.place(SELL)
    options = {"timeInForce": "IOC"}
    assert [arguments for _, arguments in exchange.asked] == [
        ("ABAN/USD", "limit", "buy", "1.234", "9.99", {"clientOrderId": "h1-1", **options}),
        ("ABAN/USD", "limit", "sell", "1.234", "10.01", {"clientOrderId": "h1-2", **options}),
    ]


def test_less_than_a_step_is_refused_and_not_sent(exchange: Any) -> None:
    """An amount that the exchange can't take is a definite failure, told before it is sent."""
    small = Order(
        **{name: getattr(BUY, name) for name in BUY.__struct_fields__}
        | {"quantity": Fraction("0.0009")}
    )
    with pytest.raises(Refused, match="smallest amount"):
        venue().place(small)
    assert exchange.asked == []


def test_a_market_that_is_not_there_is_refused(exchange: Any) -> None:
    """Nothing is sent; asked for, it is nobody's knowledge, never "no such order"."""
    other = Order(**{name: getattr(BUY, name) for name in BUY.__struct_fields__} | {"base": "NONE"})
    with pytest.raises(Refused, match="no market NONE/USD"):
        venue().place(other)
    with pytest.raises(Unanswered, match="no market NONE/USD"):
        venue().query(other)


def test_an_exchange_whose_markets_cannot_be_read_did_nothing(exchange: Any) -> None:
    """Before the first order: a refusal when placing, no answer when asking; the next try works."""
    away = ccxt.ExchangeNotAvailable("maintenance")
    exchange.answers = {"load_markets": [away, away], "create_order": [told()]}
    made = venue()
    with pytest.raises(Refused, match="markets can't be read"):
        made.place(BUY)
    with pytest.raises(Unanswered, match="markets can't be read"):
        made.query(BUY)
    assert made.place(BUY)[0].is_final


def test_a_percentage_is_not_taken_for_a_rate(exchange: Any) -> None:
    """A fee of "26" (percent, by mistake) lowers a buy's price by two hundredths at most."""
    exchange.taker = 26
    exchange.answers = {"create_order": [told()]}
    venue().place(BUY)
    assert exchange.asked[0][1][4] == "9.8"


# ---- errors of ccxt's


NOTHING_DONE = ["InsufficientFunds", "InvalidOrder", "BadSymbol", "AuthenticationError"]
NOTHING_DONE += ["PermissionDenied", "OrderNotFillable", "OrderImmediatelyFillable"]
NOBODY_KNOWS = ["NetworkError", "RequestTimeout", "ExchangeNotAvailable", "OnMaintenance"]
NOBODY_KNOWS += ["DDoSProtection", "RateLimitExceeded", "InvalidNonce", "BadResponse"]
NOBODY_KNOWS += ["NullResponse", "ExchangeError", "BadRequest", "NotSupported", "BaseError"]
NOBODY_KNOWS += ["DuplicateOrderId", "OrderNotFound", "OperationRejected", "ExchangeClosedByUser"]


def errors() -> set[str]:
    """Every class of error that ccxt has."""
    from ccxt.base import errors as found

    return {
        name
        for name, each in vars(found).items()
        if isinstance(each, type) and issubclass(each, ccxt.BaseError)
    }


@pytest.mark.parametrize("name", sorted(errors()))
def test_only_a_definite_error_refunds(exchange: Any, name: str) -> None:
    """Each of ccxt's errors is a refusal or no answer; what may have been done is never refunded.

    The definite ones are named above, with what ccxt derives from them.
    """
    error = getattr(ccxt, name)
    definite = tuple(getattr(ccxt, each) for each in NOTHING_DONE)
    unclear = (ccxt.DuplicateOrderId, ccxt.OrderNotFound)
    expected = (
        Refused if issubclass(error, definite) and not issubclass(error, unclear) else Unanswered
    )
    exchange.answers = {"create_order": [error("said the exchange")]}
    with pytest.raises(expected, match=f"{name}: said the exchange"):
        venue().place(BUY)


@pytest.mark.parametrize("name", sorted({*NOBODY_KNOWS} & errors()))
def test_the_list_of_errors_that_say_nothing(exchange: Any, name: str) -> None:
    """By name: of these nobody knows what was done."""
    exchange.answers = {"create_order": [getattr(ccxt, name)("?")]}
    with pytest.raises(Unanswered):
        venue().place(BUY)


@pytest.mark.parametrize("name", sorted(errors()))
def test_asked_for_only_order_not_found_says_that_there_is_none(exchange: Any, name: str) -> None:
    """Every other error leaves the order open, to be asked for again."""
    error = getattr(ccxt, name)
    exchange.answers = {"fetch_order": [error("?")]}
    if issubclass(error, ccxt.OrderNotFound):
        assert venue().query(BUY) is None
        return
    with pytest.raises(Unanswered):
        venue().query(BUY)


# ---- what came of it


@pytest.mark.parametrize(
    ("order", "answer", "base", "quote"),
    [
        # a buy's fee in the quote is paid on top, one in the coin is missing from what came
        (BUY, told(), "1.234", "12.35"),
        (BUY, told(fee={"currency": "ABAN", "cost": 0.001}), "1.233", "12.34"),
        (SELL, told(), "1.234", "12.33"),
        (SELL, told(fee={"currency": "ABAN", "cost": 0.001}), "1.235", "12.34"),
        # a third coin's is the house's own; several are told as `fees`; a rebate is below zero
        (BUY, told(fee={"currency": "BNB", "cost": 0.5}), "1.234", "12.34"),
        (
            BUY,
            told(
                fee=None,
                fees=[{"currency": "USD", "cost": "0.01"}, {"currency": "ABAN", "cost": "0.002"}],
            ),
            "1.232",
            "12.35",
        ),
        (BUY, told(fee={"currency": "USD", "cost": -0.01}), "1.234", "12.33"),
        # numbers as text are exact
        (BUY, told(filled="1.234000000000000001", cost="12.34"), "1.234000000000000001", "12.35"),
    ],
)
def test_fees_are_taken_into_account(
    exchange: Any, order: Order, answer: dict[str, Any], base: str, quote: str
) -> None:
    """What the outcome tells is what came in and what went out, to the last digit."""
    exchange.answers = {"create_order": [answer]}
    assert venue().place(order) == (
        Outcome(base=Fraction(base), quote=Fraction(quote), is_final=True),
    )


@pytest.mark.parametrize("status", ["open", None])
def test_a_partial_fill_is_not_the_end(exchange: Any, status: str | None) -> None:
    """What is filled so far counts; the rest is asked for until the exchange says that it ended."""
    exchange.answers = {
        "create_order": [told(status=status, filled=0.5, cost=5)],
        "fetch_order": [told(status="canceled", filled=0.75, cost=7.5)],
    }
    made = venue()
    (first,) = made.place(BUY)
    assert (first.base, first.quote, first.is_final) == (Fraction(1, 2), Fraction("5.01"), False)
    last = made.query(BUY)
    assert last == Outcome(base=Fraction("0.75"), quote=Fraction("7.51"), is_final=True)
    assert exchange.asked[-1][1] == (None, "ABAN/USD", {"clientOrderId": "h1-1"})


@pytest.mark.parametrize("status", ["canceled", "expired", "rejected"])
def test_an_order_that_filled_nothing_did_nothing(exchange: Any, status: str) -> None:
    """Ended with 0 filled: all goes back."""
    exchange.answers = {"create_order": [told(status=status, filled=0, cost=0, fee=None)]}
    assert venue().place(BUY) == (NOTHING,)


def test_fees_that_the_order_does_not_tell_are_read_from_its_trades(exchange: Any) -> None:
    """Of this order's trades alone, once they make up what was filled; before that, no answer."""
    trade = {"order": "77", "amount": 1, "cost": 10, "fee": {"currency": "USD", "cost": 0.01}}
    other = {"order": "78", "amount": 9, "cost": 90, "fee": {"currency": "USD", "cost": 9}}
    rest = {
        "order": "77",
        "amount": "0.234",
        "cost": "2.34",
        "fees": [{"currency": "ABAN", "cost": "0.001"}],
    }
    order = told(fee={"currency": None, "cost": None}, fees=[])
    exchange.answers = {
        "create_order": [order],
        "fetch_order": [order],
        "fetch_my_trades": [[other, trade], [other, trade, rest]],
    }
    made = venue()
    with pytest.raises(Unanswered, match="all its fills"):
        made.place(BUY)
    found = made.query(BUY)
    assert found == Outcome(base=Fraction("1.233"), quote=Fraction("12.35"), is_final=True)


def test_trades_that_cannot_be_read_are_no_answer(exchange: Any) -> None:
    """The order was taken: what its fees are is asked for again."""
    exchange.answers = {
        "create_order": [told(fee=None)],
        "fetch_my_trades": [ccxt.RequestTimeout("slow")],
    }
    with pytest.raises(Unanswered, match="fees can't be read"):
        venue().place(BUY)


# ---- fields that are missing


def test_an_answer_of_an_id_alone_is_asked_for(exchange: Any) -> None:
    """Many exchanges acknowledge with nothing but the id: nothing is known, nothing is final."""
    exchange.answers = {"create_order": [{"id": "77", "symbol": "ABAN/USD"}]}
    (found,) = venue().place(BUY)
    assert found == Outcome(base=Fraction(0), quote=Fraction(0), is_final=False)


@pytest.mark.parametrize("status", ["closed", "canceled", "expired"])
def test_an_end_that_does_not_say_how_much_is_no_answer(exchange: Any, status: str) -> None:
    """Refunding it would give away what it may have bought."""
    exchange.answers = {"create_order": [told(status=status, filled=None, cost=None, fee=None)]}
    with pytest.raises(Unanswered, match="how much"):
        venue().place(BUY)


def test_a_cost_that_is_missing_is_read_from_the_trades(exchange: Any) -> None:
    """Coins never come for nothing because a field was left out."""
    trade = {"order": "77", "amount": "1.234", "cost": "12.34", "fee": None}
    exchange.answers = {
        "create_order": [told(cost=None)],
        "fetch_my_trades": [[trade | {"fee": {"currency": "USD", "cost": "0.01"}}]],
    }
    assert venue().place(BUY)[0].quote == Fraction("12.35")


def test_an_exchange_without_trades_of_its_own(exchange: Any) -> None:
    """One that tells neither fees nor trades took none, as far as anybody can know."""

    class Silent(exchange):  # type: ignore[misc]
        def __init__(self, config: dict[str, Any]) -> None:
            super().__init__(config)
            self.has["fetchMyTrades"] = False

    ccxt.fake = Silent
    exchange.answers = {"create_order": [told(fee=None), told(fee=None, cost=None)]}
    Silent.answers = exchange.answers
    made = venue()
    assert made.place(BUY)[0].quote == Fraction("12.34")
    with pytest.raises(Unanswered, match="what it cost"):
        made.place(BUY)


# ---- where it is


def test_another_address_goes_for_every_api(exchange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """FONDACO_VENUE_<NAME>_URL moves ccxt's addresses to that host, credentials go along."""
    monkeypatch.setenv("FONDACO_VENUE_OUT_SIDE_KEY", "key")
    monkeypatch.setenv("FONDACO_VENUE_OUT_SIDE_URL", "http://127.0.0.1:9/")
    exchange.answers = {"create_order": [told()]}
    made = CcxtVenue("fake", settings_of("out-side"))
    made.place(BUY)
    client = made._exchange
    assert client.urls["api"] == {"public": "http://127.0.0.1:9/v1/public"}
    assert client.config["apiKey"] == "key"
    assert client.options["fetchMarkets"] == {"types": ["spot"]}

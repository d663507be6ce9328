"""What a strategy that runs elsewhere tells the house, and how it is sent.

Promises: values are Decimal and leave as exact text; every report has a time of its own, so that
sending it again stores nothing twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar

import msgspec

from fondaco_client.calls import (
    Amount,
    Call,
    Group,
    Request,
    decimal_of,
    decimal_text,
    get,
    nothing_of,
    post,
    reading,
    route,
)
from fondaco_client.flow import House
from fondaco_client.records import Records, Span, records_call
from fondaco_client.shapes import (
    BrokerageAccount,
    BrokerageAccounts,
    Dashboard,
    ImportedHistory,
    NewToken,
    StrategiesKept,
    Strategy,
)

__all__ = ["Report", "Strategies", "history_pieces", "report_call"]

K = TypeVar("K")
T = TypeVar("T")
PIECE_CHARACTERS: Final = 400_000
PATH: Final = "/api/v1/strategy/"
VALUES: Final = (
    *("last_price", "margin_balance", "wallet_balance"),
    *("realised_pnl", "positions", "average_entry_price"),
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report; money in USD. Build it by Report.of, which takes text and ints, too."""

    symbol: str
    last_price: Decimal
    margin_balance: Decimal
    wallet_balance: Decimal
    realised_pnl: Decimal
    positions: Decimal
    average_entry_price: Decimal
    created_at: dt.datetime

    @classmethod
    def of(
        cls,
        *,
        symbol: str,
        last_price: Amount,
        margin_balance: Amount,
        wallet_balance: Amount,
        realised_pnl: Amount = 0,
        positions: Amount = 0,
        average_entry_price: Amount = 0,
        created_at: dt.datetime | None = None,
    ) -> Report:
        """Return a report of now, or of an aware time; what isn't known is 0.

        Two reports of one strategy and microsecond are one: the first stands. Raises TypeError for
        a float, ValueError for what is no finite number or a time without a zone.
        """
        when = created_at or dt.datetime.now(dt.UTC)
        if when.tzinfo is None:
            raise ValueError(f"created_at {when} has no zone; write datetime.now(datetime.UTC)")
        return cls(
            symbol=symbol,
            last_price=decimal_of("last_price", last_price),
            margin_balance=decimal_of("margin_balance", margin_balance),
            wallet_balance=decimal_of("wallet_balance", wallet_balance),
            realised_pnl=decimal_of("realised_pnl", realised_pnl),
            positions=decimal_of("positions", positions),
            average_entry_price=decimal_of("average_entry_price", average_entry_price),
            created_at=when.astimezone(dt.UTC),
        )

    def words(self) -> dict[str, str]:
        """Return it as the wire's text."""
        values = {name: f"{getattr(self, name):f}" for name in VALUES}
        stamp = self.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"symbol": self.symbol, **values, "created_at": stamp}


def history_pieces(text: str, *, characters_max: int = PIECE_CHARACTERS) -> list[str]:
    """Cut a CSV of reports into texts that can be imported one by one, each with the first line.

    For the format `csv` only: what a trade comes to depends on those before it.
    """
    first, *lines = text.splitlines(keepends=True) or [""]
    pieces: list[str] = []
    piece, size = [first], len(first)
    for line in lines:
        if size + len(line) > characters_max and len(piece) > 1:
            pieces.append("".join(piece))
            piece, size = [first], len(first)
        piece.append(line)
        size += len(line)
    return [*pieces, "".join(piece)]


def _change(path: str, shape: type[T], **fields: object) -> Call[T]:
    """Return a change of what is given; the same again changes nothing."""
    return post(path, reading(shape), fields, method="PATCH", is_repeatable=True)


def report_call(words: dict[str, str], token: str) -> Call[None]:
    """Return the sending of a report's words. Raises ValueError without a token."""
    if not token:
        raise ValueError(
            "no strategy token: pass strategy_token=… to the client, or set FONDACO_STRATEGY_TOKEN"
        )
    body = msgspec.json.encode({"data": {"strategy_access_token": token, **words}})
    return Call(Request("POST", PATH, body=body), nothing_of, is_repeatable=True)


class Strategies(Group[K]):
    """`client.strategies`: reports of strategies that run elsewhere."""

    def __init__(self, asker: Any, house: House) -> None:  # noqa: ANN401 - as Group's
        super().__init__(asker)
        self._house = house

    @route
    def report(self, report: Report, *, token: str | None = None) -> Call[None]:
        """Send a report; it is durable when this returns, and stored once however often it is sent.

        Raises NotFound for a token that isn't live, Unfit for values that can't be kept.
        """
        return report_call(report.words(), token or self._house.strategy_token)

    @route
    def dashboard(self, *, hours: int = 720) -> Call[Dashboard]:
        """Return equity, profit and loss of 24 hours, the hourly curve, each strategy's last.

        This and what follows wants a token with the scope `read`, to change something `trade`, of a
        member whose membership lasts; else Forbidden.
        """
        return get("/api/v1/dashboard/", reading(Dashboard), query={"hours": hours})

    @route
    def accounts(self) -> Call[tuple[BrokerageAccount, ...]]:
        """Return the member's brokerage accounts by name."""
        read = reading(BrokerageAccounts)
        return get("/api/v1/brokerage-accounts/", lambda body: read(body).accounts)

    @route
    def add_account(self, name: str) -> Call[BrokerageAccount]:
        """Make a brokerage account. Raises Unfit for a name that is taken."""
        return post("/api/v1/brokerage-accounts/", reading(BrokerageAccount), {"name": name})

    @route
    def edit_account(self, account_id: int, name: str) -> Call[BrokerageAccount]:
        """Rename a brokerage account. Raises Unfit for a name that is taken."""
        return _change(f"/api/v1/brokerage-accounts/{account_id}/", BrokerageAccount, name=name)

    @route
    def archive_account(self, account_id: int, *, archived: bool = True) -> Call[BrokerageAccount]:
        """Put a brokerage account away, or take it back; while away nothing reports on it."""
        path = f"/api/v1/brokerage-accounts/{account_id}/"
        return _change(path, BrokerageAccount, archived=archived)

    @route
    def all(self) -> Call[tuple[Strategy, ...]]:
        """Return the member's strategies by name, each with its last report."""
        read = reading(StrategiesKept)
        return get("/api/v1/strategies/", lambda body: read(body).strategies)

    @route
    def one(self, strategy_id: int) -> Call[Strategy]:
        """Return a strategy with its hours of the last 30 days and its newest reports."""
        return get(f"/api/v1/strategies/{strategy_id}/", reading(Strategy))

    @route
    def records(
        self,
        strategies: Iterable[int] = (),
        *,
        markets: Iterable[str] = (),
        span: Span | None = None,
        first_day: dt.date | None = None,
        last_day: dt.date | None = None,
        equity: Literal["wallet", "margin"] = "wallet",
    ) -> Call[Records]:
        """Return statistics, months and curves of at most six strategies and markets, side by side.

        Over a span that ends now (30 days by default), or from a day to a day, both counted. Raises
        Unfit for a span that can't be, NotFound for what isn't the member's.
        """
        return records_call(
            strategies, markets,
            span=span, first_day=first_day, last_day=last_day, equity=equity,
        )  # fmt: skip

    @route
    def add(self, name: str, *, account: int, symbol: str = "") -> Call[Strategy]:
        """Make a strategy of a brokerage account; `token` is in this answer and in no other."""
        body = {"name": name, "account": account, "symbol": symbol}
        return post("/api/v1/strategies/", reading(Strategy), body)

    @route
    def edit(
        self,
        strategy_id: int,
        *,
        name: str | None = None,
        account: int | None = None,
        symbol: str | None = None,
    ) -> Call[Strategy]:
        """Change what is given of a strategy. Raises Unfit with `fields`."""
        path = f"/api/v1/strategies/{strategy_id}/"
        return _change(path, Strategy, name=name, account=account, symbol=symbol)

    @route
    def archive(self, strategy_id: int, *, archived: bool = True) -> Call[Strategy]:
        """Put a strategy away, or take it back; while away its token is none."""
        return _change(f"/api/v1/strategies/{strategy_id}/", Strategy, archived=archived)

    @route
    def import_history(
        self,
        strategy_id: int,
        text: str,
        *,
        format: Literal["csv", "freqtrade", "hummingbot"] = "csv",  # noqa: A002 - the wire's word
        starting_balance: Amount | None = None,
    ) -> Call[ImportedHistory]:
        """Import a file's text, at most 900,000 characters; history_pieces cuts a longer CSV.

        What is stored already stays, so that it may be sent again. Trades want the balance before
        the first of them. Raises Unfit, whose `fields["text"]` are the lines that don't fit.
        """
        balance = None
        if starting_balance is not None:
            balance = decimal_text("starting_balance", starting_balance)
        body = {"format": format, "text": text, "starting_balance": balance}
        path = f"/api/v1/strategies/{strategy_id}/history/"
        return post(path, reading(ImportedHistory), body, is_repeatable=True)

    @route
    def rotate_token(self, strategy_id: int) -> Call[NewToken]:
        """Make a new token; the one before ends at once."""
        return post(f"/api/v1/strategies/{strategy_id}/token/", reading(NewToken))

    @route
    def revoke_token(self, strategy_id: int) -> Call[None]:
        """End the token."""
        path = f"/api/v1/strategies/{strategy_id}/token/"
        return post(path, nothing_of, method="DELETE", is_repeatable=True)

"""Strategies by the client library against a real house: reported, read, their tokens ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817 - a letter for a table

import pytest

from fondaco_client import (
    ApiKey,
    AsyncClient,
    Client,
    Forbidden,
    NotFound,
    Report,
    ReportQueue,
    Token,
    Unauthorised,
    Unfit,
    history_pieces,
)
from fondaco_client.shapes import Strategy
from tests.house_fixture import RunningHouse, open_house

UMA, UMA_READS, VIC, UNA = (
    f"a-token-of-{name}-for-strategies" for name in ("uma", "uma-who-reads", "vic", "una")
)
MORE = f"""
[[members]]
username = "uma"
email = "uma@example.com"
password = "uma-s long password"
membership_until = "2099-12-31"
tokens = [
    {{ token = "{UMA}", scopes = ["read", "trade"] }},
    {{ token = "{UMA_READS}", scopes = ["read"] }},
]

[[members]]
username = "vic"
email = "vic@example.com"
password = "vic-s long password"
membership_until = "2099-12-31"
tokens = [{{ token = "{VIC}", scopes = ["read", "trade"] }}]

[[members]]
username = "una"
email = "una@example.com"
password = "una-s long password"
tokens = [{{ token = "{UNA}", scopes = ["read"] }}]
"""


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house where uma and vic have tokens, and una has one without a membership."""
    with open_house(more=MORE) as running:
        yield running


@pytest.fixture
def uma(house: RunningHouse) -> Iterator[Client]:
    with Client(house.url, Token(UMA)) as client:
        yield client


def strategy_of(client: Client, name: str) -> Strategy:
    """Make an account and a strategy on it, both of this name."""
    account = client.strategies.add_account(name)
    return client.strategies.add(name, account=account.id, symbol="XBTUSD")


def report(wallet: str, *, when: dt.datetime | None = None, margin: str = "0") -> Report:
    return Report.of(
        symbol="XBTUSD",
        last_price="64231.5",
        margin_balance=margin,
        wallet_balance=wallet,
        realised_pnl="-3.10",
        positions=-100,
        average_entry_price="64200.12345678",
        created_at=when,
    )


def test_what_is_reported_is_read_back(uma: Client) -> None:
    """Accounts, strategies, one strategy and the dashboard tell a report to the last digit."""
    made = strategy_of(uma, "momentum")
    sent = report("1000.00000001", margin="1003.5")
    uma.strategies.report(sent, token=made.token)
    assert "momentum" in [each.name for each in uma.strategies.accounts()]
    [kept] = [each for each in uma.strategies.all() if each.id == made.id]
    assert (kept.account_name, kept.token) == ("momentum", "")
    assert made.token.startswith(kept.token_prefix or "none")
    told = uma.strategies.one(made.id)
    [stored] = told.reports
    for found in (kept.last, stored):
        assert found is not None
        assert all(
            getattr(found, name) == getattr(sent, name)
            for name in Report.__struct_fields__
            if name != "symbol"
        )
    assert [(each.margin_balance, each.wallet_balance) for each in told.hourly] == [
        (D("1003.5"), D("1000.00000001"))
    ]
    board = uma.strategies.dashboard(hours=1)
    [shown] = [each for each in board.strategies if each.id == made.id]
    assert (shown.account, shown.last) == ("momentum", kept.last)
    assert board.hourly[-1].equity == board.equity


async def test_equity_and_its_day_are_told(house: RunningHouse) -> None:
    """On asyncio: equity is the newest wallet, and 24 hours are less what stood before them."""
    now = dt.datetime.now(dt.UTC)
    with Client(house.url, Token(VIC)) as vic:
        made = strategy_of(vic, "carry")
    async with AsyncClient(house.url, Token(VIC), strategy_token=made.token) as client:
        await client.strategies.report(report("800", when=now - dt.timedelta(hours=30)))
        await client.strategies.report(report("1000", when=now - dt.timedelta(minutes=1)))
        board = await client.strategies.dashboard()
    assert (board.equity, board.pnl_24h, board.pnl_24h_percent) == (D(1000), D(200), D(25))


def test_a_report_sent_twice_is_kept_once(uma: Client) -> None:
    """A report and a queue's second sending of it are one report of the house."""
    made = strategy_of(uma, "twice")
    sent = report("5")
    uma.strategies.report(sent, token=made.token)
    with ReportQueue(uma, token=made.token) as queue:
        queue.put(sent, report("6"))
    assert [each.wallet_balance for each in uma.strategies.one(made.id).reports] == [D(6), D(5)]


def test_a_token_ends_when_it_is_rotated_and_revoked(uma: Client) -> None:
    """A report by a token that ended is NotFound and stores nothing."""
    made = strategy_of(uma, "tokens")
    fresh = uma.strategies.rotate_token(made.id)
    with pytest.raises(NotFound):
        uma.strategies.report(report("1"), token=made.token)
    uma.strategies.report(report("2"), token=fresh.token)
    uma.strategies.revoke_token(made.id)
    with pytest.raises(NotFound):
        uma.strategies.report(report("3"), token=fresh.token)
    told = uma.strategies.one(made.id)
    assert [each.wallet_balance for each in told.reports] == [D(2)]
    assert told.token_prefix is None


def test_accounts_and_strategies_are_edited_and_archived(uma: Client) -> None:
    """Names, accounts and symbols change, nothing else does; what is archived takes no report."""
    made = strategy_of(uma, "first name")
    other = uma.strategies.add_account("another place")
    renamed = uma.strategies.edit_account(other.id, "second place")
    assert (renamed.id, renamed.name, renamed.archived_at) == (other.id, "second place", None)
    changed = uma.strategies.edit(made.id, name="second name", account=other.id)
    assert (changed.name, changed.account_name, changed.symbol) == (
        *("second name", "second place"),
        "XBTUSD",
    )
    assert uma.strategies.edit(made.id, symbol="ETHUSD").name == "second name"
    with pytest.raises(Unfit):
        uma.strategies.edit(made.id, account=999_999)
    for archive in (
        lambda archived: uma.strategies.archive(made.id, archived=archived),
        lambda archived: uma.strategies.archive_account(other.id, archived=archived),
    ):
        assert archive(True).archived_at is not None
        with pytest.raises(NotFound):
            uma.strategies.report(report("1"), token=made.token)
        assert archive(False).archived_at is None
        uma.strategies.report(report("2"), token=made.token)


async def test_history_is_imported_in_pieces(house: RunningHouse, uma: Client) -> None:
    """A CSV that is cut gives what it says, once however often it is sent; a fault has its line."""
    made = strategy_of(uma, "old hand")
    lines = [
        f"2026-01-{day:02}T{hour:02}:00:00Z,{day}{hour:02}" for day in (1, 2) for hour in range(24)
    ]
    text = "created_at,wallet_balance\n" + "\n".join(lines)
    pieces = history_pieces(text, characters_max=400)
    assert len(pieces) > 3
    assert sum(piece.count("\n2026-") for piece in pieces) == 48
    done = [uma.strategies.import_history(made.id, piece) for piece in pieces]
    assert sum(each.stored for each in done) == 48
    async with AsyncClient(house.url, Token(UMA)) as client:
        again = await client.strategies.import_history(made.id, text)
        assert (again.reports, again.stored, again.last.day) == (48, 0, 2)
        with pytest.raises(Unfit) as unfit:
            await client.strategies.import_history(made.id, text + "\nsoon,1")
    assert unfit.value.fields["text"][0].startswith("line 50: created_at")
    with pytest.raises(Unfit, match="balance before the first trade"):
        uma.strategies.import_history(made.id, "[]", format="freqtrade")
    with pytest.raises(Unfit, match="no report or trade"):
        uma.strategies.import_history(made.id, "[]", format="freqtrade", starting_balance=100)


async def test_records_are_read_side_by_side(house: RunningHouse, uma: Client) -> None:
    """Waiting and on asyncio: statistics, months and curves of strategies, and their frames."""
    now = dt.datetime.now(dt.UTC)
    made = [strategy_of(uma, name) for name in ("steady", "wild")]
    for back in range(6):
        when = now - dt.timedelta(days=back, minutes=1)
        uma.strategies.report(report(str(1000 - 10 * back), when=when), token=made[0].token)
        swing = 300 if back % 2 else 0
        uma.strategies.report(report(str(1000 - swing), when=when), token=made[1].token)
    ids = [each.id for each in made]
    found = uma.strategies.records(ids, span="all")
    steady, wild = found.records
    assert (steady.key, steady.name, steady.source) == (
        *(f"strategy:{ids[0]}", "steady"),
        "self-reported",
    )
    assert (steady.first, steady.last, steady.profit) == (D(950), D(1000), D(50))
    assert steady.statistics.total_return == pytest.approx(50 / 950)
    assert steady.statistics.drawdown_deepest == 0
    assert wild.statistics.worst_day is not None
    assert wild.statistics.worst_day.share == pytest.approx(-0.3)
    async with AsyncClient(house.url, Token(UMA)) as client:
        days = await client.strategies.records(
            ids[:1], first_day=now.date(), last_day=now.date(), equity="margin"
        )
    assert (days.equity, len(days.records)) == ("margin", 1)
    with pytest.raises(Unfit) as unfit:
        uma.strategies.records(ids, span="7d", last_day=now.date())
    assert unfit.value.fields["span"] == ("Give either a span or days, not both.",)
    with pytest.raises(NotFound):
        uma.strategies.records([999_999])
    with pytest.raises(ValueError, match="at least one strategy"):
        uma.strategies.records()
    frames = pytest.importorskip("fondaco_client.frames")
    assert frames.record_frame(steady)["wallet"].iloc[-1] == 1000.0
    assert list(frames.growth_frame(found).columns) == [each.key for each in found.records]
    figures = frames.statistics_frame(found)
    assert list(figures["name"]) == ["steady", "wild"]
    assert figures.loc[wild.key, "worst_day"] == pytest.approx(-0.3)


async def test_a_dashboard_is_followed(house: RunningHouse) -> None:
    """Waiting and on asyncio: told at once and after each report; a stranger is Unauthorised."""
    with Client(house.url, Token(VIC)) as vic:
        made = strategy_of(vic, "followed")
        boards = vic.streams.dashboard()
        before = next(boards).equity
        vic.strategies.report(report("250"), token=made.token)
        assert next(boards).equity == before + 250
        boards.close()
    async with AsyncClient(house.url, Token(VIC)) as client:
        async for board in client.streams.dashboard():
            assert board.equity == before + 250
            break
    with Client(house.url, Token("nobody's token")) as nobody, pytest.raises(Unauthorised):
        next(nobody.streams.dashboard())
    with Client(house.url, Token(UNA)) as una, pytest.raises(Forbidden, match="membership"):
        next(una.streams.dashboard())


def test_who_may_not_is_told_by_name(house: RunningHouse, uma: Client) -> None:
    """A key, a lapsed member and a token that only reads are Forbidden; another's is NotFound."""
    made = strategy_of(uma, "umas own")
    with pytest.raises(Unfit) as taken:
        uma.strategies.add_account("umas own")
    assert "name" in taken.value.fields
    with Client(house.url, Token(UNA)) as una, pytest.raises(Forbidden, match="membership"):
        una.strategies.dashboard()
    with Client(house.url, ApiKey(*house.ann)) as ann, pytest.raises(Forbidden):
        ann.strategies.dashboard()
    with Client(house.url, Token(UMA_READS)) as reader:
        assert made.id in [each.id for each in reader.strategies.all()]
        with pytest.raises(Forbidden):
            reader.strategies.add_account("another")
    with Client(house.url, Token(VIC)) as vic, pytest.raises(NotFound):
        vic.strategies.one(made.id)

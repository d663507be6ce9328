"""Reports in the tables: each once, summed up in the same transaction, tokens as of now."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.strategies import selectors, services, tables, tracks
from fondaco.strategies.models import Arrival, BrokerageAccount, Period, Report, Standing, Strategy
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import MINUTE_US, NOON_US, PeriodTruth, periods_of, report

pytestmark = pytest.mark.django_db


def stored_periods(strategy: Strategy) -> PeriodTruth:
    names = next(iter(periods_of({0: (0,) * 6}).values()))
    return {
        (row.length_s, row.start_us): {name: getattr(row, name) for name in names}
        for row in Period.objects.filter(strategy=strategy)
    }


TIMES = st.integers(min_value=0, max_value=200).map(lambda each: NOON_US + each * 13 * MINUTE_US)
AMOUNTS = st.integers(min_value=-(10**12), max_value=10**12)
FLOWS = st.lists(
    st.lists(st.tuples(st.sampled_from([0, 1]), TIMES, AMOUNTS, AMOUNTS), min_size=1, max_size=12),
    min_size=1,
    max_size=5,
)


@given(FLOWS)
@hypothesis_settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_periods_and_standings_equal_a_recomputation(
    account: BrokerageAccount, flow: list[list[tuple[int, int, int, int]]]
) -> None:
    """In any order, batch and repetition the first of a time stands, and all sums follow.

    However many batches are put in place together.
    """
    made = [services.add_strategy(account, name=f"s{Strategy.objects.count()}") for _ in range(2)]
    truth: list[dict[int, tuple[int, ...]]] = [{}, {}]
    storage = Reports()
    for number, batch in enumerate(flow):
        incoming = [report(made[who][1], at, wallet, margin) for who, at, wallet, margin in batch]
        stored = storage.take(incoming) if number % 3 else storage.store(incoming)
        assert stored == [made[who][0].pk for who, *_ in batch]
        for (who, at, *_), each in zip(batch, incoming, strict=True):
            truth[who].setdefault(at, each.values)
    storage.put_in_place()
    assert not Arrival.objects.exists()
    for (strategy, _), rows in zip(made, truth, strict=True):
        kept = Report.objects.filter(strategy=strategy)
        assert dict(kept.values_list("created_us", "wallet_balance")) == {
            at: values[2] for at, values in rows.items()
        }
        assert stored_periods(strategy) == periods_of(rows)
        standing = Standing.objects.filter(strategy=strategy).first()
        assert (standing.created_us if standing else None) == (max(rows) if rows else None)
        if standing:
            assert standing.wallet_balance == rows[max(rows)][2]


def test_a_merge_that_takes_the_newest_come_for_the_last_is_caught(
    account: BrokerageAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: an older report that comes later becomes the period's last."""
    strategy, token = services.add_strategy(account, name="s")
    monkeypatch.setattr(tables, "_later", lambda _table, name: f"{name} = excluded.{name}")
    storage = Reports()
    rows = {}
    for at in (NOON_US + MINUTE_US, NOON_US):
        each = report(token, at, at)
        storage.store([each])
        rows[at] = each.values
    assert stored_periods(strategy) != periods_of(rows)


def test_a_time_of_ours_never_falls_on_another_report(account: BrokerageAccount) -> None:
    """Reports without a time of their own are all kept, also while the clock stands still."""
    strategy, token = services.add_strategy(account, name="s")
    storage = Reports()
    for _ in range(3):
        storage.take([report(token, NOON_US, each, stamped=True) for each in range(2)])
        storage.store([report(token, NOON_US, each, stamped=True) for each in range(2)])
    times = Report.objects.filter(strategy=strategy).values_list("created_us", flat=True)
    assert sorted(times) == list(range(NOON_US, NOON_US + 12))


def test_s1_5_a_token_ends_at_once(account: BrokerageAccount) -> None:
    """S1-5: rotated, revoked, archived, of a member who may not sign in: the next batch knows."""
    strategy, first = services.add_strategy(account, name="s")
    storage = Reports()

    def reaches(token: str) -> bool:
        reaches.at += MINUTE_US  # type: ignore[attr-defined]
        [stored] = storage.store([report(token, reaches.at, 1)])  # type: ignore[attr-defined]
        return stored == strategy.pk

    reaches.at = NOON_US  # type: ignore[attr-defined]
    assert reaches(first)
    second = services.make_token(strategy)
    assert not reaches(first)
    assert reaches(second)
    services.revoke_token(strategy)
    assert not reaches(second)
    third = services.make_token(strategy)
    assert reaches(third)
    services.archive_strategy(strategy, archived=True)
    assert not reaches(third)
    services.archive_strategy(strategy, archived=False)
    assert reaches(third)
    services.archive_account(account, archived=True)
    assert not reaches(third)
    services.archive_account(account, archived=False)
    other = identity.create_member(
        username="boss", email="boss@example.com", password="long enough", roles=("admin",)
    )
    identity.allow_sign_in(account.member, allowed=False, actor=other)
    assert not reaches(third)
    assert Report.objects.count() == 4


def test_s1_5_a_token_that_stays_known_is_caught(
    account: BrokerageAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: the number of the security log is not read again."""
    strategy, token = services.add_strategy(account, name="s")
    monkeypatch.setattr(tables, "log_number", lambda _cursor: 7)
    storage = Reports()
    storage.store([report(token, NOON_US, 1)])
    services.revoke_token(strategy)
    [stored] = storage.store([report(token, NOON_US + 1, 1)])
    assert stored == strategy.pk


def test_s1_5_a_token_is_kept_as_its_digest_only(account: BrokerageAccount) -> None:
    """S1-5: no table holds the text of a token; its beginning is shown to tell tokens apart."""
    strategy, token = services.add_strategy(account, name="s")
    assert strategy.token_digest == services.digest_of(token)
    assert token.startswith(strategy.token_prefix)
    assert len(strategy.token_prefix) < len(token) / 2
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            assert token not in repr(cursor.fetchall())


def test_s1_4_names_are_unique_per_member(member: Member, account: BrokerageAccount) -> None:
    """S1-4: an account and a strategy can't take a name that its member uses; others' may."""
    services.add_strategy(account, name="s")
    savings = services.add_account(member, "savings")
    with pytest.raises(services.StrategyRefused, match="you have an account main"):
        services.add_account(member, " main ")
    with pytest.raises(services.StrategyRefused, match="you have an account main"):
        services.edit_account(savings, "main")
    with pytest.raises(services.StrategyRefused, match="you have a strategy s"):
        services.add_strategy(savings, name="s")
    other = identity.create_member(username="bob", email="bob@example.com", password="long enough")
    theirs = services.add_account(other, "main")
    services.add_strategy(theirs, name="s")
    with pytest.raises(services.StrategyRefused, match="no such account"):
        services.edit_strategy(
            Strategy.objects.get(member=other), account=account, name="s", symbol=""
        )


def test_what_can_not_be_put_in_place_waits(
    account: BrokerageAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports, what sums them up and the end of their batch stand or fall together."""
    _, token = services.add_strategy(account, name="s")

    def broken(*_: object) -> None:
        raise OSError("the disk is full")

    storage = Reports()
    with monkeypatch.context() as patch:
        patch.setattr(tables, "move_standings", broken)
        with pytest.raises(OSError, match="full"):
            storage.store([report(token, NOON_US, 1)])
    counts = [each.objects.count() for each in (Report, Period, Arrival)]
    assert counts == [0, 0, 1]
    storage.store([report(token, NOON_US, 2)])
    assert list(Report.objects.values_list("wallet_balance", flat=True)) == [1]


def shown(member: Member, strategy: Strategy) -> list[int]:
    """Return what pages and routes say a strategy's wallet is, each read on its own."""
    now_us = NOON_US + MINUTE_US
    span = tracks.span_of(span="all", now_us=now_us, zone=ZoneInfo("UTC"))
    reads: list[Callable[[], int]] = [
        lambda: selectors.dashboard(member, now_us=now_us).equity,
        lambda: selectors.strategies(member)[0].standing.wallet_balance,
        lambda: _known(selectors.strategy(member, strategy.pk)).standing.wallet_balance,
        lambda: selectors.reports(strategy)[0].wallet_balance,
        lambda: selectors.curve(strategy, now_us=now_us)[-1].wallet_balance,
        lambda: tracks.strategy_track(strategy, span, zone=ZoneInfo("UTC"), basis="wallet").values[
            -1
        ],
    ]
    token = services.make_token(strategy)
    found = []
    for number, read in enumerate(reads, start=1):
        Reports().take([report(token, NOON_US + number, number)])
        found.append(read())
    return found


def _known(strategy: Strategy | None) -> Strategy:
    assert strategy is not None
    return strategy


def test_whoever_reads_sees_what_was_acknowledged(
    member: Member, account: BrokerageAccount
) -> None:
    """Every read of strategies shows a report that has only just been taken in."""
    strategy, token = services.add_strategy(account, name="s")
    Reports().store([report(token, NOON_US, 0)])
    assert shown(member, strategy) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("reader", [selectors, tracks])
def test_a_reader_that_takes_things_as_they_lie_is_caught(
    member: Member, account: BrokerageAccount, monkeypatch: pytest.MonkeyPatch, reader: ModuleType
) -> None:
    """The planted bug: nothing is put in place before reading."""
    strategy, token = services.add_strategy(account, name="s")
    Reports().store([report(token, NOON_US, 0)])
    monkeypatch.setattr(reader, "put_in_place", lambda: 0)
    assert shown(member, strategy) != [1, 2, 3, 4, 5, 6]

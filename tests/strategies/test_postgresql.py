"""Reports on PostgreSQL: the same rows and answers as on SQLite, in a partition for each month."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projections.test_postgresql import postgresql

__all__ = ["postgresql"]

pytestmark = pytest.mark.needs("postgresql")

_CODE = """
import sys, threading, warnings
from zoneinfo import ZoneInfo
warnings.simplefilter("error")
import django
django.setup()
from django.db import connection, connections
from fondaco.identity import services as identity
from fondaco.office.services import prepare_databases
from fondaco.projections import candles
from fondaco.projections.models import MINUTE_BITS, Candle1m
from django.conf import settings
from fondaco.office.environment import ReportsKept
from fondaco.strategies import retention, selectors, services, tracks, words
from fondaco.strategies.models import Period, Report, Standing
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import MINUTE_US, NOON_US, report

prepare_databases()
prepare_databases()
ann = identity.create_member(username="ann", email="ann@example.com", password="a password")
account = services.add_account(ann, "main")
rows = [services.add_strategy(account, name=name) for name in ("a", "b")]
HOUR = 60 * MINUTE_US
flow = [
    report(rows[step % 2][1], NOON_US - step * 7 * HOUR, step * 10**8, 10**17 - step)
    for step in range(300)
]

def take(part):
    storage = Reports()
    for start in range(0, len(part), 40):
        storage.store(part[start : start + 40])
    connections.close_all()

edges = [threading.Thread(target=take, args=(part,)) for part in (flow, flow[::-1])]
if connection.vendor == "sqlite":
    for each in edges:
        each.start()
        each.join()
else:
    for each in edges:
        each.start()
    for each in edges:
        each.join()
services.revoke_token(rows[1][0])
refused = Reports().store([report(rows[1][1], NOON_US + 1, 1)])
stamped = Reports().store([report(rows[0][1], NOON_US, each, stamped=True) for each in range(3)])
with connection.cursor() as cursor:
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'strategies_report'::regclass"
        )
        assert cursor.fetchone() == (4,), "October 2025 to January 2026"
now_us = NOON_US + 3 * MINUTE_US
told = words.dashboard_words(selectors.dashboard(ann, now_us=now_us, hours=100))
prices = dict.fromkeys(("open_ticks", "high_ticks", "low_ticks", "close_ticks"), 7)
sums = ("volume_lots", "volume_quote", "taker_buy_lots", "taker_buy_quote", "trades")
Candle1m.objects.create(
    id=(3 << MINUTE_BITS) + NOON_US // MINUTE_US, **prices, **dict.fromkeys(sums, 1),
    first_trade_id=1, last_trade_id=1,
)
rome = ZoneInfo("Europe/Rome")
names = [f.column for f in Period._meta.concrete_fields if f.column != "id"]
answers = [
    refused,
    stamped,
    told["equity"], told["pnl_24h"], told["hourly"],
    sorted(Report.objects.values_list("strategy_id", "created_us", "wallet_balance")),
    sorted(Period.objects.values_list(*names)),
    sorted(Standing.objects.values_list("strategy_id", "created_us", "margin_balance", "symbol")),
    [each.created_us for each in selectors.reports(rows[0][0])],
    selectors.mark(ann.pk),
    [
        tracks.strategy_track(
            rows[0][0], tracks.span_of(span=span, now_us=now_us, zone=rome), zone=rome, basis=basis
        )
        for span in tracks.PRESETS for basis in tracks.BASES
    ],
    candles.closes(3, [NOON_US, NOON_US + MINUTE_US, NOON_US + HOUR]),
]
later_us = NOON_US + 62 * 24 * HOUR
told_later = words.dashboard_words(selectors.dashboard(ann, now_us=later_us))
with connection.cursor() as cursor:
    if connection.vendor == "postgresql":
        settings.REPORTS_KEPT = ReportsKept(32, 0)
        assert retention.turn(later_us) == 3, "October to December 2025"
        assert retention.turn(later_us) == 0
        cursor.execute("SELECT min(created_us) FROM strategies_report")
        assert cursor.fetchone()[0] >= NOON_US - 12 * HOUR
answers += [words.dashboard_words(selectors.dashboard(ann, now_us=later_us)) == told_later]
late = report(rows[0][1], NOON_US - 40 * 24 * HOUR, 7)
once = Reports()
assert once.store([late]) == [rows[0][0].pk], "a month that was dropped is made anew"
print(connection.vendor, file=sys.stderr)
print(repr(answers))
"""


def _answers(tmp_path: Path, url: str, vendor: str) -> str:
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "fondaco.office.settings",
        "FONDACO_SECRET_KEY": "a key for tests that guards nothing at all",
        "FONDACO_DATA": str(tmp_path),
        "FONDACO_DATABASE_URL": url,
        "PYTHONPATH": os.pathsep.join(("src", ".")),
    }
    tmp_path.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        env=environ,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split()[-1] == vendor
    return done.stdout


def test_postgresql_keeps_and_answers_the_same_as_sqlite(postgresql: str, tmp_path: Path) -> None:
    """Two edges at once on PostgreSQL, one after the other on SQLite: every answer is equal."""
    theirs = _answers(tmp_path / "a", postgresql, "postgresql")
    assert theirs == _answers(tmp_path / "b", "", "sqlite")

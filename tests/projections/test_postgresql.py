"""The same tables on PostgreSQL: equal rows, equal answers, a rebuild that equals itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql_fixture import START_S, as_owner, binary, environment, postgresql

__all__ = ["postgresql"]

pytestmark = pytest.mark.needs("postgresql")

_CODE = """
import sys, warnings
warnings.simplefilter("error")
import django
django.setup()
from django.conf import settings
from django.db import connections
from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.office.services import prepare_databases
from fondaco.projections import candles, quotes, selectors
from fondaco.projections.services import Writer
from tests.projections import packed
from tests.projections.conftest import dump
from tests.projections.test_quotes import START_US, stream

prepare_databases()
prepare_databases()
vendor = connections["projections"].vendor
commits = list(packed.history(700, seed=21))
commits += stream(300, seed=4, after=commits[-1][0])

def project(size):
    writer = Writer()
    for start in range(0, len(commits), size):
        part = commits[start : start + size]
        writer.apply_events(b"".join(events for _, events in part), part[-1][0])

project(90)
if vendor == "postgresql":
    first = dump()
    with connections["projections"].cursor() as cursor:
        cursor.execute("DROP SCHEMA projections CASCADE")
    prepare_databases()
    project(1001)
    again = dump()
    differing = [name for name in first if again[name] != first[name]]
    assert not differing, f"a rebuild on PostgreSQL differs in {differing}"
    identity.create_member(username="ann", email="ann@example.com", password="a password")
    assert Member.objects.get().pk == 1
now = packed.NOON_US + 3600 * 1_000_000
answers = [
    vendor and dump(),
    selectors.orders(17, packed.BTCUSDT, limit=50),
    selectors.orders(17, packed.BTCUSDT, start_us=packed.NOON_US + 5_000_000, limit=50),
    selectors.my_trades(17, packed.BTCUSDT),
    selectors.agg_trades(packed.BTCUSDT, limit=20),
    selectors.order_by_client_id(17, (0, 0, 0, 1 << 60)),
    sorted(selectors.balances(17).items()),
    candles.klines(packed.BTCUSDT, "3m", now_us=now),
    candles.rolling(packed.BTCUSDT, start_us=0, end_us=now),
    selectors.cursor(),
    quotes.statistics(packed.BTCUSDT, start_us=START_US + 1, end_us=START_US + 10**11 + 7),
    sorted(quotes.statistics_of_all().items(), key=lambda each: each[0]),
    quotes.recent(packed.BTCUSDT, limit=20),
    quotes.bars(packed.BTCUSDT, "15m", start_us=0, end_us=quotes.END_US),
    quotes.trades_of(packed.BTCUSDT, limit=5),
]
print(vendor, file=sys.stderr)
print(repr(answers))
"""


def _answers(tmp_path: Path, url: str, vendor: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        env=environment(tmp_path, url),
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split()[-1] == vendor
    return done.stdout


def test_postgresql_holds_and_answers_the_same_as_sqlite(postgresql: str, tmp_path: Path) -> None:
    """Two servers, one history: every table and every kind of answer is equal."""
    theirs = _answers(tmp_path / "a", postgresql, "postgresql")
    assert not (tmp_path / "a" / "projections.sqlite3").exists()
    assert theirs == _answers(tmp_path / "b", "", "sqlite")


_FOLLOWING = """
import sys, warnings
warnings.simplefilter("error")
import django
django.setup()
from fondaco.link.blocking import Commit
from fondaco.office.services import prepare_databases
from fondaco.projections import projector, selectors
from tests.projections import packed
from tests.projections.conftest import dump
from tests.projections.test_quotes import START_US, stream

prepare_databases()
commits = [Commit(*each) for each in packed.history(400, seed=22)]
last = commits[-1].last_seq

class Source:
    writer_seq = last
    asked = False
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def is_set(self): return selectors.cursor().seq >= last
    def send_cursor(self, seq): pass
    def subscribe(self, from_seq, timeout_s):
        self.left = [each for each in commits if each.last_seq >= from_seq]
        return self
    def next(self, timeout_s):
        if not self.left:
            return None
        if len(self.left) < 200 and not Source.asked:
            Source.asked = True
            print("half", flush=True)
            sys.stdin.readline()
        return self.left.pop(0)

source = Source()
projector.run(source, source, linger_s=0)
print(repr(dump()))
"""


def test_a_projector_survives_a_restart_of_postgresql(postgresql: str, tmp_path: Path) -> None:
    """The server is restarted between two transactions: nothing is lost or doubled."""
    found = []
    for name, url in (("a", postgresql), ("b", "")):
        process = subprocess.Popen(
            [sys.executable, "-c", _FOLLOWING],
            env=environment(tmp_path / name, url),
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "half\n"
            if url:
                folder = Path(url.rpartition("host=")[2])
                restart = [binary("pg_ctl"), "-D", str(folder / "data"), "-w", "-m", "fast"]
                as_owner([*restart, "-l", str(folder / "log"), "restart"], folder)
            answer, said = process.communicate("go\n", timeout=START_S)
        assert process.returncode == 0, said
        assert ("the database can't be reached" in said) == bool(url)
        found.append(answer)
    assert found[0] == found[1]

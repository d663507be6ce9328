"""The hub on a real PostgreSQL: its own tests there, and signals in the order of their numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql_fixture import environment, postgresql

__all__ = ["postgresql"]

pytestmark = pytest.mark.needs("postgresql")
ROOT = Path(__file__).resolve().parents[2]
OF_THE_HUB = ("test_hub.py", "test_hub_order.py", "test_signals_in.py")
# Two take a signal at once; the first holds its transaction open until the second waits for it.
RACE = """
import sys, threading, time
import django
django.setup()
from django.db import connection, connections, transaction
from fondaco.office.services import prepare_databases
from fondaco.robots.hub import services
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.models import Signal

prepare_databases()
if sys.argv[1:] == ["careless"]:
    services._wait_for_turn = lambda: None

def second():
    services.take_signal(Incoming(symbol="BTC", strength=1, timestamp_us=2), source="two")
    connections.close_all()

def waits_or_is_done():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0 or not other.is_alive()

other = threading.Thread(target=second)
with transaction.atomic():
    services.take_signal(Incoming(symbol="BTC", strength=1, timestamp_us=1), source="one")
    other.start()
    while not waits_or_is_done():
        time.sleep(0.01)
    is_behind = other.is_alive()
    others = Signal.objects.exclude(source="one").count()
other.join()
numbers = [row.source for row in Signal.objects.order_by("pk")]
print(is_behind, others, numbers)
"""

# After it two workers read the same alerts at once, as when a lease passes from one to the other.
RACE += """
from fondaco.identity.services import create_member
from fondaco.robots.models import HookAlert

member = create_member(username="ann", email="ann@example.com", password="")
hook, _ = services.add_hook(member, name="chart")
for number in range(4):
    services.take_alert(hook, '{"action": "buy", "ticker": "BTC", "key": "k%d"}' % (number % 3))

def second():
    services.settle_alerts("USD")
    connections.close_all()

other = threading.Thread(target=second)
with transaction.atomic():
    services.settle_alerts("USD")
    other.start()
    while not waits_or_is_done():
        time.sleep(0.01)
other.join()
states = [row.state for row in HookAlert.objects.order_by("pk")]
print(Signal.objects.filter(member=member.pk).count(), states)
"""


def race(folder: Path, url: str, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", RACE, *words],
        env=environment(folder, url),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_hub_keeps_its_promises_on_postgresql(postgresql: str) -> None:
    """All of its tests that need no other server, with its tables there."""
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                "--reuse-db",
            ),
            *(f"tests/robots/{name}" for name in OF_THE_HUB),
        ],
        env={**os.environ, "FONDACO_DATABASE_URL": postgresql},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_signals_and_alerts_wait_for_those_before_them(postgresql: str, tmp_path: Path) -> None:
    """No worker passes a number that is not committed yet: the second signal waits for the first.

    And who reads alerts for who reads them: then none is left to read; three keys, three signals.
    """
    signals, alerts = race(tmp_path, postgresql)
    assert signals == "True 0 ['one', 'two']"
    assert alerts == f"3 {['taken'] * 3 + ['duplicate']}"


def test_those_that_do_not_wait_are_caught(postgresql: str, tmp_path: Path) -> None:
    """Planted: without its turn the second signal is committed while the first, before it, is not.

    And alerts that another has read become signals anew.
    """
    signals, alerts = race(tmp_path, postgresql, "careless")
    assert signals == "False 1 ['one', 'two']"
    assert int(alerts.partition(" ")[0]) > 3

"""A dashboard over millions of reports: how long does it take, and what does more history cost?

    python bench/dashboard_bench.py [--strategies 20] [--days 365] [--asks 60] [--json]
    python bench/dashboard_bench.py --prepare FOLDER; python bench/dashboard_bench.py --data FOLDER

Fills the office's SQLite database with a report a minute of so many strategies on four accounts,
half of the days first, then all of them (`--prepare` does that alone, it takes minutes), and asks
of each for what `GET /api/v1/dashboard/` answers (30 days of hours, as JSON), and for the track
record of a strategy over a month, a year and all (`GET /api/v1/track-records/`), in process: no
server, no session. Between two asks a report is stored, so that nothing is remembered from the ask
before. Printed: median, 95th percentile (also of the processor's time alone) and database size for
both amounts of history, and how long a commit of 64 new reports takes with so much history. Rows
are made by the same code that ingest uses.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import django

MINUTE_US: Final = 60_000_000
BATCH: Final = 20_000
DAY: Final = 1440
COMMIT: Final = 64  # reports
HALVES: Final = ("half", "whole")
FILE: Final = "office.sqlite3"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strategies", type=int, default=20)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--asks", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prepare", type=Path, metavar="FOLDER", help="fill only, for --data")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="what --prepare filled")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fondaco-bench-") as made:
        folder = (arguments.prepare or arguments.data or Path(made)).resolve()
        os.environ["DJANGO_SETTINGS_MODULE"] = "fondaco.office.settings"
        os.environ["FONDACO_SECRET_KEY"] = "a key for a bench that guards nothing at all"
        os.environ["FONDACO_DATA"] = str(folder)
        django.setup()
        if not arguments.data:
            prepare(arguments, folder)
        if arguments.prepare:
            return
        found = [ask(arguments, folder / half / FILE) for half in HALVES]
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for each in found:
        print(
            f"{each['reports']:>11,} reports, {each['megabytes']:>6,} MB: "
            f"median {each['median_ms']} ms, p95 {each['p95_ms']} ms, "
            f"of that at work {each['cpu_p95_ms']} ms; a commit of {COMMIT} reports: "
            f"median {each['commit_ms']} ms, at work {each['commit_cpu_ms']} ms; records p95 "
            + ", ".join(f"{span} {ms} ms" for span, ms in each["record_p95_ms"].items())
        )


def prepare(arguments: argparse.Namespace, folder: Path) -> None:
    """Fill a database for half of the days, and one for all."""
    from django.db import connections

    from fondaco.identity import services as identity
    from fondaco.office.services import prepare_databases
    from fondaco.strategies import services

    prepare_databases()
    member = identity.create_member(username="ann", email="ann@example.com", password="long one")
    accounts = [services.add_account(member, f"account {each}") for each in range(4)]
    digests = []
    for each in range(arguments.strategies):
        _, token = services.add_strategy(accounts[each % 4], name=f"s{each}")
        digests.append(services.digest_of(token))
    end_us = time.time_ns() // 1000 // MINUTE_US * MINUTE_US
    whole = arguments.days * DAY
    for half, oldest, newest in zip(HALVES, (whole // 2, whole), (0, whole // 2), strict=True):
        for digest in digests:
            fill(digest, end_us, oldest, newest)
        connections["default"].close()  # which folds the log into the file
        (folder / half).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / FILE, folder / half / FILE)


def fill(digest: str, end_us: int, oldest: int, newest: int) -> None:
    """Store a report for each of these minutes before the end."""
    from fondaco.strategies.reports import Incoming, Reports

    storage = Reports()
    for start in range(oldest, newest, -BATCH):
        storage.store(
            [
                Incoming(
                    digest,
                    end_us - minute * MINUTE_US,
                    False,
                    (minute, 10**12 + minute * 10**6, 10**12 + minute * 10**6, minute, 5, 6),
                    "XBTUSD",
                )
                for minute in range(start, max(start - BATCH, newest), -1)
            ]
        )


def commit(arguments: argparse.Namespace, digests: list[str]) -> dict[str, float]:
    """Store new reports of all strategies in turn, a second apart; return medians."""
    from fondaco.strategies.reports import Incoming, Reports

    storage = Reports()
    begin_us = time.time_ns() // 1000 - 3600 * 1_000_000
    taken, worked = [], []
    for number in range(arguments.asks):
        batch = [
            Incoming(
                digests[place % len(digests)],
                begin_us + number * 1_000_000 + place,
                False,
                (1, 10**12, 10**12 + place, 4, 5, 6),
                "XBTUSD",
            )
            for place in range(COMMIT)
        ]
        begun, begun_cpu = time.perf_counter(), time.thread_time()
        storage.store(batch)
        taken.append((time.perf_counter() - begun) * 1000)
        worked.append((time.thread_time() - begun_cpu) * 1000)
    return {
        "commit_ms": round(statistics.median(taken), 2),
        "commit_cpu_ms": round(statistics.median(worked), 2),
    }


def ask(arguments: argparse.Namespace, file: Path) -> dict[str, Any]:
    from django.db import connections

    from fondaco.identity.models import Member
    from fondaco.strategies import selectors, words
    from fondaco.strategies.models import Report, Strategy
    from fondaco.strategies.reports import Incoming, Reports

    connections["default"].close()
    connections["default"].settings_dict["NAME"] = str(file)
    member = Member.objects.get()
    digests = [row.token_digest or "" for row in Strategy.objects.order_by("pk")]
    storage = Reports()
    taken, worked = [], []
    for number in range(arguments.asks):
        now_us = time.time_ns() // 1000
        digest = digests[number % len(digests)]
        storage.store([Incoming(digest, now_us, False, (1, 2, 3, 4, 5, 6), "XBTUSD")])
        begun, begun_cpu = time.perf_counter(), time.thread_time()
        told = words.dashboard_words(selectors.dashboard(member, now_us=now_us))
        json.dumps(told)
        taken.append((time.perf_counter() - begun) * 1000)
        worked.append((time.thread_time() - begun_cpu) * 1000)
        assert len(told["hourly"]) == selectors.HOURS_SHOWN
    commits = commit(arguments, digests)
    records = {span: ask_records(arguments, member, span) for span in ("30d", "1y", "all")}
    size = sum(each.stat().st_size for each in file.parent.iterdir())
    return {
        **commits,
        "reports": Report.objects.count(),
        "megabytes": size // 1_000_000,
        "cpu_p95_ms": round(sorted(worked)[int(len(worked) * 0.95)], 1),
        "median_ms": round(statistics.median(taken), 1),
        "p95_ms": round(sorted(taken)[int(len(taken) * 0.95)], 1),
        "record_p95_ms": records,
    }


def ask_records(arguments: argparse.Namespace, member: Any, span: str) -> float:
    """Ask for one strategy's record after another's, 95th percentile in milliseconds."""
    from django.http import QueryDict

    from fondaco.office.brokerage import tracks
    from fondaco.strategies.models import Strategy

    keys = [f"strategy:{number}" for number in Strategy.objects.values_list("pk", flat=True)]
    taken = []
    for number in range(arguments.asks):
        query = QueryDict(f"of={keys[number % len(keys)]}&span={span}")
        now_us = time.time_ns() // 1000
        begun = time.perf_counter()
        found = tracks.shown(member, tracks.asked_of(query, now_us=now_us))
        json.dumps([tracks.told(each) for each in found])
        taken.append((time.perf_counter() - begun) * 1000)
        assert found[0].track.figures.days >= min(arguments.days // 2, 29)
    return round(sorted(taken)[int(len(taken) * 0.95)], 1)


if __name__ == "__main__":
    main()

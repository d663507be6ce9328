"""Tables of their own for each test: a real file, as in a house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projections.django_ready import set_up

set_up()

from django.db import connections  # noqa: E402 - after set_up
from pytest_django import DjangoDbBlocker  # noqa: E402

from fondaco.projections import services  # noqa: E402
from fondaco.projections.router import ALIAS  # noqa: E402

TABLES = (
    "asset",
    "instrument",
    "order",
    "trade",
    "posting",
    "candle1m",
    "candle1h",
    "candle1d",
    "cursor",
    "importedfile",
    "venueorder",
    "venuepart",
    "summary",
    "quote",
    "quotebar1m",
    "quotebar1h",
    "quotebar1d",
)
Dump = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def tables(
    tmp_path: Path, settings: Any, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[], None]]:
    """Prepared, empty tables in tmp_path; calling it deletes them and prepares new ones."""
    settings.DATA = tmp_path
    others = connections[ALIAS]  # perhaps in memory, where a connection is the database
    named = others.settings_dict
    before = named["NAME"]

    def renew() -> None:
        connections[ALIAS].close()
        for path in tmp_path.glob("projections.sqlite3*"):
            path.unlink()
        services.prepare()

    with django_db_blocker.unblock():
        del connections[ALIAS]  # the next one is made by the name
        named["NAME"] = str(tmp_path / "projections.sqlite3")
        try:
            renew()
            yield renew
        finally:
            connections[ALIAS].close()
            named["NAME"] = before
            connections[ALIAS] = others


def dump() -> Dump:
    """Every row of every table, in the order of the keys."""
    found = {}
    with connections[ALIAS].cursor() as cursor:
        for table in TABLES:
            key = "1, 2, 3, 4" if table == "quote" else "1"
            cursor.execute(f"SELECT * FROM projections_{table} ORDER BY {key}")
            found[table] = cursor.fetchall()
    return found

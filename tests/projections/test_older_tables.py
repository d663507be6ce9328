"""Tables of the steps that are no more: taken over from the last, refused from one before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from fondaco.projections.router import ALIAS, LABEL
from fondaco.projections.services import bring_up, prepare

ONE_STEP = (LABEL, "0001_tables")


def at_old_step(count: int) -> None:
    """Have the database say that so many of the old steps were made, and no other."""
    recorder = MigrationRecorder(connections[ALIAS])
    recorder.record_unapplied(*ONE_STEP)
    steps = MigrationLoader(connections[ALIAS]).replacements[ONE_STEP].replaces
    for app, name in steps:
        recorder.record_unapplied(app, name)
    for app, name in steps[:count]:
        recorder.record_applied(app, name)


def test_tables_at_the_last_old_step_are_taken_over(tables: Callable[[], None]) -> None:
    """Nothing is made anew; the one step is noted, and tables of new houses are left alone."""
    assert callable(tables)
    at_old_step(6)
    prepare()
    assert ONE_STEP in MigrationRecorder(connections[ALIAS]).applied_migrations()
    prepare()


@pytest.mark.parametrize("count", [1, 5])
def test_tables_of_a_step_before_are_refused(tables: Callable[[], None], count: int) -> None:
    """With what to do: Django itself would see nothing to do, and every page would fail."""
    assert callable(tables)
    at_old_step(count)
    with pytest.raises(ImproperlyConfigured, match="start this house once with commit"):
        prepare()
    with pytest.raises(ImproperlyConfigured, match="tables of projections are older"):
        bring_up(ALIAS)

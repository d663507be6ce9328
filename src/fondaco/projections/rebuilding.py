"""Emptying the tables in a migration: what is new in them is told by events long past.

Promises: after it the projector begins at the first event and takes in the imported files again,
so that tables that were brought up to date equal ones that were deleted and rebuilt.
"""

from __future__ import annotations

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from fondaco.projections.router import LABEL

__all__ = ["begin_anew"]


def begin_anew(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Delete every row, and set the cursor before the first event."""
    alias = editor.connection.alias
    for model in apps.get_app_config(LABEL).get_models():
        rows = model._default_manager.using(alias)  # noqa: SLF001 - Django's documented door
        if model.__name__ == "Cursor":
            rows.update(seq=0, time_us=0)
        else:
            rows.all().delete()

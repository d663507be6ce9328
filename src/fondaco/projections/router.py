"""Which rows live in which database.

Promises: what is rebuilt from events lives in `projections`, everything else in `default`, and no
row of one refers to a row of the other.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Model

__all__ = ["ALIAS", "LABEL", "ProjectionsRouter"]

ALIAS: Final = "projections"
LABEL: Final = "projections"


def _label(model: type[Model] | Model) -> str:
    return model._meta.app_label  # noqa: SLF001 - Django's documented door


class ProjectionsRouter:
    def db_for_read(self, model: type[Model], **_hints: Any) -> str | None:  # noqa: ANN401 - Django's
        return ALIAS if _label(model) == LABEL else None

    def db_for_write(self, model: type[Model], **_hints: Any) -> str | None:  # noqa: ANN401 - Django's
        return ALIAS if _label(model) == LABEL else None

    def allow_relation(self, first: Model, second: Model, **_hints: Any) -> bool | None:  # noqa: ANN401 - Django's
        return (_label(first) == LABEL) == (_label(second) == LABEL)

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:  # noqa: ANN401 - Django's
        return (db == ALIAS) == (app_label == LABEL)

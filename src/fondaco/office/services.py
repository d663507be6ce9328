"""Preparing the office's databases.

Promises: prepare_databases() may be called at every start, and by several processes of one
machine at once: they take turns. It does not create a PostgreSQL database, only what is in it.
"""

from __future__ import annotations

import fcntl

from django.conf import settings

from fondaco.projections.services import bring_up
from fondaco.projections.services import prepare as prepare_projections

__all__ = ["prepare_databases"]


def prepare_databases() -> None:
    """Bring both databases to this release's tables; raises ImproperlyConfigured as bring_up()."""
    folder = settings.DATA / "run"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "databases.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bring_up("default")
        prepare_projections()
        for file in settings.DATA.glob("*.sqlite3*"):
            file.chmod(
                0o600
            )  # made by an earlier release, perhaps, in a directory that others read

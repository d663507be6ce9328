"""A PostgreSQL of a test's own, and the environment of a process that speaks to it.

Promises: a private cluster on a Unix socket, gone afterwards; synced to nothing, for it is thrown
away. A test that uses it carries `needs("postgresql")`.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["START_S", "as_owner", "binary", "environment", "postgresql"]

START_S = 60


def binary(name: str) -> str:
    """The path of a PostgreSQL program; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


def as_owner(command: list[str], folder: Path) -> None:
    """Run as a user that PostgreSQL accepts: it refuses root."""
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a private cluster on a Unix socket, gone afterwards."""
    if os.getuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL refuses root, and there is no user postgres")
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL refuses root, and setpriv (util-linux) is missing")
        user = "postgres"
    else:
        owner = None
        user = getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="fondaco-pg-"))
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    started = False
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    try:
        as_owner([binary("initdb"), "-D", str(data), "-U", user, "-A", "trust", "-N"], folder)
        log = ["-w", "-l", str(folder / "log"), "-o", options]
        as_owner([binary("pg_ctl"), "-D", str(data), *log, "start"], folder)
        started = True
        as_owner([binary("createdb"), "-h", str(folder), "-U", user, "house"], folder)
        yield f"postgresql://{user}@/house?host={folder}"
    finally:
        if started:
            as_owner([binary("pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], folder)
        shutil.rmtree(folder, ignore_errors=True)


def environment(folder: Path, url: str) -> dict[str, str]:
    """Return what a process needs whose Django uses this URL ("": SQLite in the folder)."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "fondaco.office.settings",
        "FONDACO_SECRET_KEY": "a key for tests that guards nothing at all",
        "FONDACO_DATA": str(folder),
        "FONDACO_DATABASE_URL": url,
        "PYTHONPATH": os.pathsep.join(("src", ".")),
    }

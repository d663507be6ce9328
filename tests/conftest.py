"""What every test run says and asserts about itself.

Promises: the run names the build of the core that it tests and stops if that is not the one asked
for; a test that wants a server, a tool or the recorded data names it and is skipped with the
command that brings it; the end of the run lists what was skipped for want of something. With
CI=true a missing server or tool is a failure, never a skip.

It does not start servers: the fixtures beside the tests do.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Context, setcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.chromium import PROGRAMS, open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
ORACLE = ROOT / ".venv/oracle/bin/python"  # has quantstats: `make oracle`
SHARED_DATA = Path(os.environ.get("FONDACO_SHARED_DATA") or ROOT.parent / "shared" / "data")
OWN_FOLDER = "fondaco-tests-"
PATIENCE_MS = 30_000  # of a browser on a busy machine, for what comes within a second
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
PURE = os.environ.get("FONDACO_PURE", "") not in {"", "0"}

_WANTED = re.compile(r"needs (?P<name>[\w-]+):|recorded data not found")


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def _has_postgresql() -> bool:
    return bool(shutil.which("pg_ctl")) or any(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


def _has_fuse() -> bool:
    libraries = [*Path("/usr/lib").glob("*/libfuse*.so*"), *Path("/lib").glob("*/libfuse*.so*")]
    return Path("/dev/fuse").exists() and bool(libraries)


# What a test may ask for by @pytest.mark.needs("redis", ...), and whether this machine has it.
SERVERS: dict[str, Callable[[], bool]] = {
    "axe": (ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js").exists,
    "chromium": _program(*PROGRAMS),
    "curl": _program("curl"),
    "fuse": _has_fuse,
    "gcc": _program("gcc"),
    "haproxy": lambda: bool(shutil.which("haproxy")) or Path("/usr/sbin/haproxy").exists(),
    "mosquitto": lambda: bool(shutil.which("mosquitto")) or Path("/usr/sbin/mosquitto").exists(),
    "node": _program("node"),
    "openssl": _program("openssl"),
    "postgresql": _has_postgresql,
    "quantstats": ORACLE.exists,
    "redis": _program("redis-server"),
}


def core_build() -> str:
    """Return "compiled" or "pure": which build of the core `import fondaco.core` gives."""
    from fondaco import core

    return "compiled" if core.COMPILED else "pure"


def pytest_configure() -> None:
    """Give Django the settings of the office, with a secret and a folder for this process alone."""
    os.environ.setdefault("FONDACO_SECRET_KEY", "a key for tests only, longer than 32 bytes")
    if Path(os.environ.get("FONDACO_DATA", OWN_FOLDER)).name.startswith(OWN_FOLDER):
        os.environ["FONDACO_DATA"] = tempfile.mkdtemp(prefix=OWN_FOLDER)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fondaco.office.settings")
    from django.conf import settings

    assert settings.DATABASES  # read now, so that pytest-django finds Django configured
    _read_static_files_once()


def _read_static_files_once() -> None:
    """Let the middleware of each test client take what the first one read: it is four fifths."""
    middleware: Any = importlib.import_module("whitenoise.middleware").WhiteNoiseMiddleware
    read = middleware.add_files_from_finders
    known: dict[str, Any] = {}

    def read_once(self: Any) -> None:
        if not known:
            read(self)
            known.update(self.files)
        self.files.update(known)

    middleware.add_files_from_finders = read_once


def pytest_unconfigure() -> None:
    """Remove the folder of this run if it is ours."""
    folder = Path(os.environ["FONDACO_DATA"])
    if folder.name.startswith(OWN_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_report_header() -> list[str]:
    """Print which core is tested and where the recorded data is looked for."""
    shared = SHARED_DATA if SHARED_DATA.is_dir() else f"{SHARED_DATA} (absent)"
    return [f"fondaco core: {core_build()}", f"recorded data: {shared}"]


def pytest_sessionstart() -> None:
    """Stop a run that would test another build than the one it says."""
    expected = "pure" if PURE else "compiled"
    if core_build() != expected:
        pytest.exit(
            f"the {expected} core was asked for, the {core_build()} one imported: run `make setup`",
            returncode=3,
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what drives a browser last: its library holds an event loop, in the others' way."""
    items.sort(key=lambda item: any("chromium" in mark.args for mark in item.iter_markers("needs")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test whose servers this machine has not; begin with clean decimals."""
    setcontext(Context())  # ccxt sets the rounding of whoever calls it, in tests as a client
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if name not in SERVERS:
                pytest.fail(f"unknown need {name!r}; known: {', '.join(sorted(SERVERS))}")
            if SERVERS[name]():
                continue
            if IN_CI:
                pytest.fail(f"needs {name}, and CI never skips: `make services` installs it")
            pytest.skip(f"needs {name}: `make services` installs it")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name once, at the end, what was not tested for want of something."""
    missing: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        found = _WANTED.search(str(report.longrepr))
        if found:
            missing[found["name"] or "recorded data (FONDACO_SHARED_DATA)"] += 1
    if not missing:
        return
    terminalreporter.section("not tested on this machine")
    for name, count in sorted(missing.items()):
        terminalreporter.line(f"{count} test(s) for want of {name}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data; FONDACO_SHARED_DATA names another."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"recorded data not found at {SHARED_DATA}: set FONDACO_SHARED_DATA")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process: two of the library in one process fail."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the source tree."""
    return ROOT

"""How the core is built, and how an import knows that the build is the one of these sources.

Promises: source_hash() covers every source of the compiled core and the way it is built, so an
edit makes the old build unusable; check() says so in one sentence instead of letting an old
extension run. Stands outside the core, which may not read the environment or files.

What is here runs at each import of the core (about a millisecond) and in setup.py.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["MODULES", "check", "core_directory", "source_hash"]

# The modules of the core that are compiled, in the order in which they build on each other.
MODULES: Final = (
    "slab",
    "buffer",
    "index",
    "ladder",
    "book",
    "events",
    "ledger",
    "accounts",
    "retries",
    "instrument",
    "checks",
    "orders",
    "exchange",
)
STAMP: Final = "_built"  # the extension that carries the hash; linked last
PURE: Final = "FONDACO_PURE"  # environment: 1 = run the core's Python sources, for tests
PACKAGE: Final = "fondaco.core"


def core_directory() -> Path:
    """Return the directory of the core's sources."""
    return Path(__file__).resolve().parent.parent / "fondaco" / "core"


def source_hash() -> str:
    """Return the hash of all that the compiled core is made of."""
    digest = hashlib.blake2b(digest_size=16)
    directory = core_directory()
    paths = [directory / f"{name}.py" for name in MODULES]
    paths += sorted(directory.glob("*.pxd"))
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


class _PureFinder:
    """Finds the core's modules as Python sources only: an extension beside one always wins."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module of the core, from its `.py`."""
        package, _, module = name.rpartition(".")
        source = core_directory() / f"{module}.py"
        if package != PACKAGE or not source.is_file():
            return None
        return importlib.util.spec_from_file_location(name, source)


def check() -> bool:
    """Return whether the core is compiled (False: pure, as the environment asks).

    Raises:
        ImportError: there is no build, or it is one of other sources.
    """
    if os.environ.get(PURE) == "1":
        sys.meta_path.insert(0, _PureFinder())
        return False
    try:
        built = importlib.import_module(f"{PACKAGE}.{STAMP}")
    except ImportError as error:
        raise ImportError(
            "the core is not compiled: run `make build`, or set FONDACO_PURE=1 for the slow build"
        ) from error
    if built.SOURCE_HASH != source_hash():
        raise ImportError(
            "the compiled core is of other sources than those beside it: run `make build`"
        )
    return True

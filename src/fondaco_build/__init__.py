"""How the core is built, and how an import knows that the build is the one of these sources.

The modules of the core are compiled together, as one: their `.py` and `.pxd` files are put end to
end into `_core.py` and `_core.pxd`, so that the C compiler sees all of them at once and a call from
one to another costs nothing (a sixth to a third of all time, measured). A module's imports of the
others stand under `if not cython.compiled`. At import each of their names leads to that one module.

What an order or a report passes in the edge and is worth it (EDGE) is compiled too, each module by
itself (docs/decisions/0503).

Promises: source_hash() covers every source of the compiled core, so an edit makes the old build
unusable; enter() says so in one sentence instead of letting an old extension run. Stands outside
the core, which may not read the environment or files. An import costs about a millisecond.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = [
    "EDGE",
    "MODULES",
    "STAMP",
    "UNITED",
    "core_directory",
    "edge_hash",
    "edge_source",
    "enter",
    "enter_edge",
    "source_hash",
    "unite",
]

# The modules that are compiled, in the order in which they build on each other.
MODULES: Final = (
    "slab",
    "buffer",
    "index",
    "order_index",
    "ladder",
    "book",
    "events",
    "ledger",
    "accounts",
    "lists",
    "prints",
    "retries",
    "triggers",
    "instrument",
    "checks",
    "robot_orders",
    "orders",
    "stops",
    "list_orders",
    "open_orders",
    "waiting",
    "exchange",
    "bare_book",
)
# What they are made of in C, and where each stands among their .pxd files.
DECLARATIONS: Final = ("constants", "slab", "rows", "layouts", *MODULES[1:])
# The edge's, on an order's and a report's way; below fondaco.
EDGE: Final = ("gateway.swift", "gateway.swift_report")
UNITED: Final = "_core"  # the extension
STAMP: Final = "_built"  # the extension that carries the hash; made last
PURE: Final = "FONDACO_PURE"  # environment: 1 = run the core's Python sources, for tests
PACKAGE: Final = "fondaco.core"
NOT_COMPILED: Final = (
    "the core is not compiled: run `make setup`, or set FONDACO_PURE=1 for the slow build"
)

_PY_HEAD: Final = """\
# cython: language_level=3, annotation_typing=False, infer_types=True, overflowcheck=True
# Made by fondaco_build from the modules of the core, put end to end: edit those.
"""
_PXD_HEAD: Final = """\
# Made by fondaco_build from the .pxd files of the core, put end to end: edit those.
import cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t

"""


def core_directory() -> Path:
    """Return the directory of the core's sources."""
    return Path(__file__).resolve().parent.parent / "fondaco" / "core"


def unite() -> tuple[str, str]:
    """Return the text of the one module that is compiled, and of its .pxd."""
    directory = core_directory()
    parts = [_PY_HEAD]
    for name in MODULES:
        parts.append(f"\n# {'-' * 20} {name}.py\n")
        parts.append((directory / f"{name}.py").read_text())
    declarations = [_PXD_HEAD]
    for name in DECLARATIONS:
        declarations.append(f"\n# {'-' * 20} {name}.pxd\n")
        declarations.append((directory / f"{name}.pxd").read_text())
    return "".join(parts), "".join(declarations)


def source_hash() -> str:
    """Return the hash of all that the compiled core is made of."""
    digest = hashlib.blake2b(digest_size=16)
    for text in unite():
        digest.update(text.encode())
    return digest.hexdigest()


def edge_source(name: str) -> Path:
    """Return the source of a module of EDGE."""
    return core_directory().parent.joinpath(*name.split(".")).with_suffix(".py")


def edge_hash() -> str:
    """Return the hash of the sources of EDGE."""
    digest = hashlib.blake2b(digest_size=16)
    for name in EDGE:
        source = edge_source(name)
        digest.update(source.read_bytes() + source.with_suffix(".pxd").read_bytes())
    return digest.hexdigest()


class _PureFinder:
    """Finds the modules that could be compiled as Python sources only."""

    def __init__(self, sources: dict[str, Path]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module from its `.py`."""
        source = self._sources.get(name)
        return None if source is None else importlib.util.spec_from_file_location(name, source)


def _is_pure() -> bool:
    return os.environ.get(PURE) == "1"


def enter_edge() -> None:
    """Let the modules of EDGE be imported, compiled or, with FONDACO_PURE=1, as Python.

    Raises:
        ImportError: the build is of other sources.
    """
    sources = {f"fondaco.{name}": edge_source(name) for name in EDGE}
    if _is_pure():
        sys.meta_path.insert(0, _PureFinder(sources))
        return
    try:
        built = importlib.import_module(f"{PACKAGE}.{STAMP}")
    except ModuleNotFoundError as error:
        raise ImportError(NOT_COMPILED) from error
    if edge_hash() != built.EDGE_HASH:
        raise ImportError(
            "the compiled edge is of other sources than those beside it: run `make setup`"
        )


def enter() -> bool:
    """Let the core's modules be imported; return whether they are compiled.

    False: they run as Python, as FONDACO_PURE=1 in the environment asks.

    Raises:
        ImportError: there is no build, or it is one of other sources.
    """
    if _is_pure():
        names = (path.stem for path in core_directory().glob("*.py"))
        sources = {f"{PACKAGE}.{name}": core_directory() / f"{name}.py" for name in names}
        sys.meta_path.insert(0, _PureFinder(sources))
        return False
    try:
        built = importlib.import_module(f"{PACKAGE}.{STAMP}")
        if source_hash() != built.SOURCE_HASH:
            raise ImportError(
                "the compiled core is of other sources than those beside it: run `make setup`"
            )
        united = importlib.import_module(f"{PACKAGE}.{UNITED}")
    except ModuleNotFoundError as error:
        raise ImportError(NOT_COMPILED) from error
    package = sys.modules[PACKAGE]
    for name in MODULES:
        sys.modules[f"{PACKAGE}.{name}"] = united
        setattr(package, name, united)
    return True

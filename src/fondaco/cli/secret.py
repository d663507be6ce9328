"""The secret key of a house: from the environment, or made by the demo in its own data directory.

Promises: outside a demo's data directory a missing, short or well-known key is refused before
anything starts; the demo's is 48 random bytes in a file that only this user can read.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from fondaco.cli.faults import Misconfigured

__all__ = ["VARIABLE", "demo_secret", "require_secret"]

VARIABLE: Final = "FONDACO_SECRET_KEY"
BYTES_MIN: Final = 32
DISTINCT_MIN: Final = 8  # aaaa... and 0123 0123 ... are no keys
DEMO_FILE: Final = "demo_secret_key"
_KNOWN: Final = ("changeme", "change-me", "change me", "django-insecure", "secretkey", "example")
_ADVICE: Final = "set it to at least 32 random bytes, as `openssl rand -base64 48` prints"


def require_secret(data_dir: Path) -> str:
    """Return the key of the house in `data_dir`. Raises Misconfigured."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        kept = data_dir / DEMO_FILE
        if kept.is_file():
            return kept.read_text(encoding="ascii").strip()
        raise Misconfigured(f"{VARIABLE} is not set; {_ADVICE}")
    size = len(value.encode())
    if size < BYTES_MIN:
        raise Misconfigured(f"{VARIABLE} has {size} bytes; {_ADVICE}")
    folded = value.lower()
    if len(set(value)) < DISTINCT_MIN or any(word in folded for word in _KNOWN):
        raise Misconfigured(f"{VARIABLE} is one that others could guess; {_ADVICE}")
    return value


def demo_secret(data_dir: Path) -> str:
    """Return the demo's key, made at its first start."""
    path = data_dir / DEMO_FILE
    if not path.is_file():
        partial = path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    return path.read_text(encoding="ascii").strip()

"""`python -m fondaco_build`: compile the core in place, if its sources have changed.

Promises: after a failed build there is no build, so that no old one is imported by mistake.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fondaco_build import (
    EDGE,
    STAMP,
    core_directory,
    edge_hash,
    source_hash,
)

HASH_FILE = f"{STAMP}.hash"


def extensions() -> list[Path]:
    """Return what is compiled, also what an older version of the sources had compiled."""
    return sorted(core_directory().parent.rglob("*.so"))


def main() -> int:
    """Build, and return the exit status."""
    directory = core_directory()
    wanted = source_hash() + edge_hash()
    stamp = directory / HASH_FILE
    built = extensions()
    if len(built) == 2 + len(EDGE) and stamp.is_file() and stamp.read_text() == wanted:
        return 0
    stamp.unlink(missing_ok=True)
    for old in built:
        old.unlink()
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", "--parallel", "2"]
    # Our own set-up, with nothing from outside in the command.
    status = subprocess.run(command, cwd=directory.parents[2], check=False).returncode  # noqa: S603
    if status:
        for half in extensions():
            half.unlink()
        sys.stderr.write("fondaco: the core did not compile: see the messages above\n")
        return status
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m fondaco_build`: compile the core in place, if its sources have changed.

Promises: after a failed build there is no build, so that no old one is imported by mistake.
"""

from __future__ import annotations

import subprocess
import sys

from fondaco_build import STAMP, UNITED, core_directory, source_hash

HASH_FILE = f"{STAMP}.hash"


def main() -> int:
    """Build, and return the exit status."""
    directory = core_directory()
    wanted = source_hash()
    stamp = directory / HASH_FILE
    built = [*directory.glob(f"{STAMP}.*.so"), *directory.glob(f"{UNITED}.*.so")]
    if len(built) == 2 and stamp.is_file() and stamp.read_text() == wanted:
        return 0
    stamp.unlink(missing_ok=True)
    for old in directory.glob("*.so"):
        old.unlink()
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    # Our own set-up, with nothing from outside in the command.
    status = subprocess.run(command, cwd=directory.parents[2], check=False).returncode  # noqa: S603
    if status:
        for half in directory.glob("*.so"):
            half.unlink()
        sys.stderr.write("fondaco: the core did not compile: see the messages above\n")
        return status
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())

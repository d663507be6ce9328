"""The workshop's own tools do what the Makefile and CI count on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_tool(
    *command: str | Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_missing_python_is_named_in_one_sentence() -> None:
    """Without python3.11 set-up stops with the packages to install, in one line."""
    done = run_tool(ROOT / "tools" / "preflight", "python3.11-that-is-not-there")
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    for package in ("python3.11", "python3.11-venv", "python3.11-dev"):
        assert package in line
    assert "apt-get install" in line


def test_a_missing_compiler_is_named(tmp_path: Path) -> None:
    """With a Python but no gcc on the PATH the sentence names gcc alone."""
    (tmp_path / "python").symlink_to(sys.executable)
    shell = {"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/")}
    done = run_tool("/bin/sh", str(ROOT / "tools" / "preflight"), sys.executable, environment=shell)
    assert done.returncode == 2
    assert "missing package(s): gcc;" in done.stderr


def test_a_whole_machine_passes() -> None:
    """Where everything is there the check says nothing."""
    done = run_tool(ROOT / "tools" / "preflight", sys.executable)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_readme_command_is_a_whole_block() -> None:
    """The Run section's block comes out line by line, without fences."""
    done = run_tool(ROOT / "tools" / "readme_command", "Run")
    assert done.stdout == "make setup\nmake run\n"


@pytest.mark.parametrize("program", ["tools/prove.py", "bench/collect.py"])
def test_an_unknown_name_is_refused_with_the_known_ones(program: str) -> None:
    """Proofs and benches that aren't there are named beside those that are."""
    done = run_tool(sys.executable, ROOT / program, "nothing-like-it")
    assert done.returncode != 0
    assert "nothing-like-it; there are" in done.stderr


def test_make_without_a_target_only_explains() -> None:
    """`make` alone prints its targets and builds nothing."""
    done = run_tool("make", "--no-print-directory")
    assert done.returncode == 0
    targets = ("setup", "run", "test", "services", "check", "bench", "prove", "web", "lock")
    for target in targets:
        assert f"make {target}" in done.stdout

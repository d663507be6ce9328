"""What a wheel holds beside Python modules, so that an installed house is a whole one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIST = """
from setuptools import Distribution
made = Distribution({"name": "fondaco", "script_name": "setup.py"})
made.parse_config_files(["pyproject.toml"])
made.set_defaults()
command = made.get_command_obj("build_py")
command.ensure_finalized()
print("\\n".join(path.removeprefix("build/lib/") for path in command.get_outputs()))
"""


def test_a_wheel_holds_all_that_a_house_reads(root: Path) -> None:
    """Every file under src/fondaco that isn't made by a build is in the wheel."""
    listed = subprocess.run(
        [sys.executable, "-c", LIST],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    packed = {"/".join(Path(line).parts) for line in listed.stdout.splitlines()}
    packed = {line[line.index("fondaco") :] for line in packed}
    made = {".so", ".pyc", ".hash", ""}  # by compiling; .gitignore has no suffix
    sources = {
        str(path.relative_to(root / "src"))
        for path in (root / "src" / "fondaco").rglob("*")
        if path.is_file() and path.suffix not in made
    }
    assert {"fondaco/py.typed", "fondaco/cli/demo.toml", "fondaco/core/orders.pxd"} <= packed
    assert "fondaco/office/static/terminal/index.html" in packed
    assert sources - packed == set()

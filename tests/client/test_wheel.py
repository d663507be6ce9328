"""The client library's wheel: it builds, holds what it needs, and asks for few others."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ALLOWED = {"httpx", "msgspec", "websockets"}


def test_the_wheel_builds_with_types_and_licence(root: Path, tmp_path: Path) -> None:
    """The wheel has every module, py.typed and the licence, and three plain dependencies."""
    source = root / "clients" / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--no-build-isolation"),
            *("--out-dir", str(tmp_path), str(source)),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    [wheel] = tmp_path.glob("fondaco_client-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        [about] = [name for name in names if name.endswith(".dist-info/METADATA")]
        wants = [
            line.removeprefix("Requires-Dist: ")
            for line in packed.read(about).decode().splitlines()
            if line.startswith("Requires-Dist: ") and "extra ==" not in line
        ]
        [licence] = [name for name in names if name.endswith("/LICENSE")]
        assert b"Apache License" in packed.read(licence)
    modules = {f"fondaco_client/{path.name}" for path in (source / "src").glob("*/*.py")}
    assert modules | {"fondaco_client/py.typed"} <= set(names)
    assert {line.partition(">=")[0] for line in wants} == ALLOWED

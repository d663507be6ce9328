"""A real writer in a process of its own, for tests that follow it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from fondaco.link.address import writer_socket
from fondaco.link.blocking import BlockingClient

_CODE = (
    "import sys; from pathlib import Path\n"
    "from fondaco.link.writer import WriterOptions, run_writer\n"
    "run_writer(WriterOptions(data_dir=Path(sys.argv[1])))\n"
)
READY_S = 30.0


class RealWriter:
    """Started on entering, killed without a goodbye on leaving."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, "-c", _CODE, str(self._data_dir)])
        with self.client() as client:
            client.wait_until_connected(READY_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def client(self) -> BlockingClient:
        return BlockingClient(writer_socket(self._data_dir), role="test")

"""A mosquitto of a test's own: on a free port, keeping sessions over a restart, gone afterwards.

Promises: `broker` is ready when it is handed over; kill() ends it without a word after what it
has was saved, start() brings it back on the same port with its sessions. A test that uses it
carries `needs("mosquitto")`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.house_fixture import free_port

__all__ = ["Mosquitto", "broker", "price"]

START_S = 20.0
TOPIC = "thndr-trading"
CIB = "6ffb8e62-92c1-40c7-9d38-5b976a346b62"


def price(
    value: object,
    availability: object,
    at: str,
    *,
    stock_id: str = CIB,
    name: str = "CIB",
) -> bytes:
    """Return one message of the stream."""
    return json.dumps(
        {
            "stock_id": stock_id,
            "name": name,
            "price": value,
            "availability": availability,
            "timestamp": at,
        }
    ).encode()


class Mosquitto:
    """One broker; `settings` are more lines of its configuration, `saves`: sessions on disk."""

    def __init__(
        self, folder: Path, settings: str = "allow_anonymous true", *, saves: bool = True
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self._settings = settings
        self._saving = "persistence true\nautosave_interval 1\nautosave_on_changes true"
        if not saves:
            self._saving = "persistence false"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self, listener: str = "") -> None:
        """Start it and wait until it listens."""
        file = self.folder / "mosquitto.conf"
        file.write_text(
            f"listener {self.port} 127.0.0.1\n{listener}\n"
            f"{self._saving}\npersistence_location {self.folder}/\nmax_queued_messages 0\n"
            "log_type error\nlog_type warning\nlog_type notice\nlog_type subscribe\n"
            f"{self._settings}\n"
        )
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if os.getuid() == 0:  # it would become a user who can't write here
            file.write_text(file.read_text() + "user root\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(file)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it: by SIGTERM it saves its sessions, by SIGKILL not."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_S)
            self._process = None

    def sessions(self) -> int:
        """Return how many durable sessions are subscribed, by the broker's log."""
        text = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        return len(re.findall(r": fondaco\w+ 1 ", text))

    def publish(self, payloads: Iterable[bytes], *, topic: str = TOPIC, qos: int = 1) -> None:
        """Publish; return when the broker has them all (QoS 0: when they have left)."""
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        sent = [client.publish(topic, payload, qos=qos) for payload in payloads]
        for each in sent:
            each.wait_for_publish(START_S)
            assert each.is_published()
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    """A broker that runs."""
    folder = Path(tempfile.mkdtemp(prefix="fondaco-mqtt-"))
    made = Mosquitto(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)

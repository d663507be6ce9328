"""`fondaco feed publish`: recorded trades as a stream, and what is said when it can't be."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.house_fixture import ROOT
from tests.mosquitto_fixture import TOPIC, Mosquitto, broker

__all__ = ["broker"]

HEAD = "ts_ms,price,qty,buyer_is_maker\n"
COUNT = 1500


def publish(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fondaco", "feed", "publish", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.needs("mosquitto")
def test_recorded_trades_become_messages(broker: Mosquitto, tmp_path: Path) -> None:
    """Every row comes, in order, its price to the character, its quantity as whole shares."""
    file = tmp_path / "SHARE-2022.csv.gz"
    rows = [f"{1_670_198_400_000 + n},20.{n:04},{n / 10 + 0.05:.2f},true\n" for n in range(COUNT)]
    with gzip.open(file, "wt") as out:
        out.write(HEAD + "".join(rows))
    got: list[bytes] = []
    subscribed, whole = threading.Event(), threading.Event()

    def take(_client: Client, _data: object, message: object) -> None:
        got.append(message.payload)  # type: ignore[attr-defined]
        if len(got) == COUNT:
            whole.set()

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe(TOPIC, 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = take
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert subscribed.wait(20)
    done = publish("--trades", str(file), FONDACO_MQTT_URL=broker.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{COUNT} messages of SHARE-2022 (")
    assert whole.wait(20)
    client.disconnect()
    client.loop_stop()
    found = [msgspec.json.decode(each) for each in got]
    assert b'"price":20.0010,' in got[10]
    assert [each["price"] for each in found] == [float(f"20.{n:04}") for n in range(COUNT)]
    assert [each["availability"] for each in found[:12]] == [1] * 10 + [2] * 2
    assert found[7]["timestamp"] == "2022-12-05 00:00:00.007000"
    assert len({each["stock_id"] for each in found}) == 1


@pytest.mark.parametrize(
    "text, status, said",
    [
        (HEAD + "1,x,1,true\n", 2, "line 2: price 'x' is no decimal"),
        (HEAD + "x,1,1,true\n", 2, "line 2: ts_ms 'x' is no time"),
        (HEAD + "1,1,NaN,true\n", 2, "line 2: qty 'NaN' is no number"),
        (HEAD + "1\n", 2, "line 2 is no row of ts_ms,price,qty,buyer_is_maker"),
    ],
)
@pytest.mark.needs("mosquitto")
def test_a_broken_row_is_named(
    broker: Mosquitto, tmp_path: Path, text: str, status: int, said: str
) -> None:
    """The last line of stderr names the file, the line and what is wrong."""
    file = tmp_path / "trades.csv"
    file.write_text(text)
    done = publish("--trades", str(file), "--url", broker.url)
    assert done.returncode == status
    assert said in done.stderr.splitlines()[-1]


def test_what_cannot_begin_is_said(tmp_path: Path) -> None:
    """No file, no broker, no address: one sentence, and 1 or 2."""
    file = tmp_path / "trades.csv"
    file.write_text(HEAD + "1,1,1,true\n")
    for arguments, status, said in (
        (["--trades", str(tmp_path / "none.csv")], 2, "can't be read"),
        (["--trades", str(file), "--url", "mqtt://127.0.0.1:1"], 1, "can't be reached"),
        (["--trades", str(file), "--url", "http://a"], 2, "is no broker's address"),
        (["--trades", str(file), "--name", 'a"b'], 2, "without quotes"),
    ):
        done = publish(*arguments)
        assert done.returncode == status, done.stderr
        assert said in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr

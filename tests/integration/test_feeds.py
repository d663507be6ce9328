"""A running house follows a real broker: away and back, killed between, two workers, TLS."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fondaco.core import records
from fondaco.link.address import writer_socket
from fondaco.link.blocking import BlockingClient
from tests.house_fixture import ROOT, SECRET_KEY, RunningHouse, open_house
from tests.mosquitto_fixture import TOPIC, Mosquitto, broker, price

__all__ = ["broker"]

pytestmark = pytest.mark.needs("mosquitto")
DEADLINE_S = 60.0


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def feed(url: str, more: str = "") -> str:
    return f'\n[[feeds]]\nkind = "mqtt"\nurl = "{url}"\ntopic = "{TOPIC}"\n{more}\n'


def state(house: RunningHouse) -> dict[str, Any]:
    """What the house tells of its feed; {} before it has told anything."""
    file = house.data / "office.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM robots_feedstate").fetchall()
    return dict(rows[0]) if rows else {}


def prices(house: RunningHouse) -> list[tuple[int, int]]:
    """The newest (price, availability) of each stock, by the core."""
    with BlockingClient(writer_socket(house.data), role="test") as client:
        answer = client.query(records.pack(records.Query.QUOTES))
    found = [records.unpack(each) for each in records.split(bytes(answer.records))]
    return [(words["price_ticks"], words["availability_lots"]) for words in found]


def at(number: int) -> str:
    return f"2022-12-05 00:{number // 60:02}:{number % 60:02}"


@contextlib.contextmanager
def following(broker: Mosquitto, more: str = "") -> Iterator[RunningHouse]:
    """A house whose feed has come to its broker."""
    with open_house(more=feed(broker.url, more)) as house:
        until(lambda: state(house).get("is_connected"), "the feed is connected")
        yield house


def test_messages_become_prices(broker: Mosquitto) -> None:
    """A stock first seen is listed; its price is the newest message's; what is unfit is kept."""
    with following(broker) as house:
        broker.publish([price(20, 50, at(1)), b"{", price("20.5", 7, at(2)), price(19, 1, at(1))])
        until(lambda: state(house)["received"] == 4, "four messages are counted")
        found = state(house)
        assert prices(house) == [(2050, 7)]
        assert (found["current"], found["older"], found["set_aside"]) == (2, 1, 1)
        assert found["address"] == broker.url
        broker.publish([price(21, n, at(3)) for n in range(1, 50)], qos=0)
        until(lambda: prices(house) == [(2100, 49)], "what wants no acknowledgement counts, too")
        assert state(house)["reconnects"] == 1
        numbers = house.get("/metrics").body.decode()
        assert re.search(r"^fondaco_feed_connected{.*} 1\.0$", numbers, re.MULTILINE)
        assert re.search(
            r'^fondaco_feed_messages_total{.*was="set_aside"} 1\.0$', numbers, re.MULTILINE
        )


def test_an_unreachable_broker_blocks_no_start_and_is_found(broker: Mosquitto) -> None:
    """The house is ready without its broker, says why, and follows it once it is there."""
    broker.stop()
    with open_house(more=feed(broker.url)) as house:
        until(lambda: "refused" in state(house).get("fault", "").lower(), "the fault is told")
        broker.start()
        until(lambda: state(house)["is_connected"], "the feed is connected")
        broker.publish([price(20, 50, at(1))])
        until(lambda: prices(house) == [(2000, 50)], "the price is there")


def test_a_killed_follower_loses_and_doubles_nothing(broker: Mosquitto) -> None:
    """Messages stream while their process is killed three times: each is in the journal once."""
    count = 3000
    sent = [price(10 + n % 90, n + 1, at(n // 100)) for n in range(count)]
    with following(broker) as house:
        publisher = threading.Thread(target=broker.publish, args=(sent,))
        publisher.start()
        for part in range(1, 4):
            until(partial(has_quotes, house, part * 500), "messages come")
            follower = house.child("feeds")
            os.kill(follower, signal.SIGKILL)
            until(partial(has_another, house, follower), "another one")
        publisher.join()
        last = [(1000 + (count - 1) % 90 * 100, count)]
        until(lambda: prices(house) == last, "the last price")
        broker.publish([price(1, 1, at(59 * 60))])
        until(lambda: prices(house) == [(100, 1)], "all before it are done")
        found = quotes_of(house)
    current = [each for each in found if each["verdict"] == records.Verdict.CURRENT]
    keys = [(each["message_us"], each["price_ticks"], each["availability_lots"]) for each in found]
    assert len(current) == count + 1
    assert len(set(keys)) == count + 1


def test_two_workers_have_one_consumer(broker: Mosquitto) -> None:
    """A worker beside the house stands by: one session at the broker, and it takes over."""
    with following(broker) as house, house.another_worker() as second:
        broker.publish([price(20, n, at(n)) for n in range(1, 200)])
        until(lambda: state(house)["received"] == 199, "all are counted")
        assert (state(house)["current"], state(house)["duplicate"]) == (199, 0)
        assert house.peers().count("feed") == 1
        with stopped(house.child("feeds")):  # its lease runs out; the broker lets go of it
            broker.publish([price(21, n, at(200 + n)) for n in range(1, 50)])
            until(lambda: prices(house) == [(2100, 49)], "the other one goes on")
        broker.publish([price(21, n, at(200 + n)) for n in range(50, 100)])
        until(lambda: prices(house) == [(2100, 99)], "it goes on")
        until(lambda: house.peers().count("feed") == 1, "one consumer")
        assert second.poll() is None


def test_credentials_and_tls_by_url(tmp_path: Path, broker: Mosquitto) -> None:
    """mqtts:// with a name and password reaches a broker that wants both; a wrong one is told."""
    make_certificates(tmp_path)
    broker.stop()
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "feed", "p@ss"], check=True)
    secured = Mosquitto(
        broker.folder,
        f"allow_anonymous false\npassword_file {passwords}\n"
        f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.key",
    )
    secured.start()
    try:
        good = f"mqtts://feed:p%40ss@localhost:{secured.port}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            patch.setenv("FONDACO_MQTT_URL", good)
            with open_house(more=f'\n[[feeds]]\nkind = "mqtt"\ntopic = "{TOPIC}"\n') as house:
                until(lambda: state(house).get("is_connected"), "the feed is connected")
                assert "p@ss" not in str(state(house))
            patch.setenv("FONDACO_MQTT_URL", good.replace("p%40ss", "wrong"))
            with open_house(more=f'\n[[feeds]]\nkind = "mqtt"\ntopic = "{TOPIC}"\n') as house:
                until(lambda: state(house).get("fault"), "the fault is told")
                assert "uthori" in state(house)["fault"]
    finally:
        secured.stop(signal.SIGKILL)


def test_a_feed_without_an_address_is_no_configuration(tmp_path: Path) -> None:
    """Neither url nor FONDACO_MQTT_URL, or one that is none: status 2 and one sentence."""
    file = tmp_path / "house.toml"
    head = '[house]\nname = "x"\n[[feeds]]\nkind = "mqtt"\ntopic = "t"\n'
    for more, variable, said in (
        ("", "", "feeds[0] has no url and FONDACO_MQTT_URL is not set; give one of them"),
        ('url = "http://u:secret@b"\n', "", "is no broker's address"),
        ('url = "mqtt://b"\n', "broker", '"broker" is no broker\'s address'),
        ('url = "mqtt://b"\nlot_size = "0.000000001"\n', "", "lot_size has at most 8 decimals"),
    ):
        file.write_text(head + more)
        environment = {**os.environ, "FONDACO_SECRET_KEY": SECRET_KEY, "FONDACO_MQTT_URL": variable}
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fondaco", "serve"),
                *("--house", str(file), "--data", str(tmp_path / "data")),
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "secret" not in done.stderr


def make_certificates(folder: Path) -> None:
    """An authority and a certificate of localhost."""
    base = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.pem")]
    subprocess.run([*base, *subject, *files], check=True, capture_output=True)
    (folder / "ca.pem").write_bytes((folder / "server.pem").read_bytes())
    for file in folder.iterdir():
        file.chmod(0o644)
    folder.chmod(0o755)


def quotes_of(house: RunningHouse) -> list[dict[str, int]]:
    """Every QUOTE event of the house so far."""
    found = []
    with (
        BlockingClient(writer_socket(house.data), role="test") as client,
        client.subscribe(1) as events,
    ):
        seq = 0
        while seq < events.writer_seq:
            commit = events.next(DEADLINE_S)
            assert commit is not None
            seq = commit.last_seq
            found += [
                records.unpack(record)
                for record in records.split(commit.events)
                if int.from_bytes(record[:2], "little") == records.Event.QUOTE
            ]
    return found


def has_quotes(house: RunningHouse, count: int) -> bool:
    return len(quotes_of(house)) > count


def has_another(house: RunningHouse, follower: int) -> bool:
    return house.child("feeds") not in {0, follower}


@contextlib.contextmanager
def stopped(process: int) -> Iterator[None]:
    """Let a process stand still."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)

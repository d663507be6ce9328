"""A house as processes: start, stop, and the death of any of them.

Starting a house is what takes time here, so tests share: `house` runs, `left` has been stopped
and is copied by whoever starts it again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fondaco.cli import guard, serve
from fondaco.cli.faults import Misconfigured
from fondaco.cli.parent import STOP_S_MAX
from fondaco.journal.faults import DataInUse
from fondaco.journal.lock import lock_data
from tests.integration.running import (
    HOUSE,
    READY_S,
    Running,
    fondaco,
    last_line,
    running,
    until,
)

ROLES: Final = {"writer", "worker", "edge"}
BUSY_S: Final = 5.0  # what a busy machine may add to a promise
IMPORTED: Final = 40


def trade(house: Running, prefix: str, count: int) -> dict[str, int]:
    """Place orders and return those that were acknowledged, by their id of ours."""
    acknowledged = {}
    for number in range(count):
        name = f"{prefix}-{number}"
        status, body = house.place(name)
        if status == 200:
            acknowledged[name] = body["orderId"]
    return acknowledged


def import_an_hour_ago(folder: Path) -> None:
    """Import trades before the house has ever run."""
    file = folder / "house.toml"
    file.write_text(HOUSE)
    at_ms = time.time_ns() // 1_000_000 - 3_600_000
    rows = [f"{at_ms + n},{100 + n}.00,0.5,{n % 2 == 0}\n" for n in range(IMPORTED)]
    trades = folder / "trades.csv"
    trades.write_text("".join(rows))
    where = ("--house", str(file), "--data", str(folder / "house"))
    done = fondaco("import", *where, "--symbol", "BTCUSDT", str(trades))
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running house; the last test that uses it kills it."""
    folder = tmp_path_factory.mktemp("running")
    import_an_hour_ago(folder)
    with running(folder) as started:
        started.until_ready()
        yield started


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a house that started in an empty directory, traded, and was stopped."""
    folder = tmp_path_factory.mktemp("left")
    (folder / "house").mkdir(mode=0o755)
    with running(folder) as started:
        started.until_ready()
        assert set(started.children()) == ROLES
        assert os.getpgid(started.process.pid) == started.process.pid
        assert trade(started, "a", 5).keys() == {f"a-{n}" for n in range(5)}
        begun = time.monotonic()
        assert started.stop() == 0
        assert time.monotonic() - begun < STOP_S_MAX + BUSY_S
        assert started.children() == {}
    return folder


@pytest.fixture
def copied(left: Path, tmp_path: Path) -> Path:
    """A copy of what the stopped house left, to be started again."""
    shutil.copytree(left / "house", tmp_path / "house", ignore=shutil.ignore_patterns("*.sock"))
    return tmp_path


@pytest.fixture(scope="module")
def changed(left: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stopped house, started again with a minimum in its file."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(left / "house", folder / "house", ignore=shutil.ignore_patterns("*.sock"))
    file = HOUSE.replace('lot_size = "0.00001"', 'lot_size = "0.00001"\nmin_notional = "5"')
    with running(folder, house=file) as again:
        again.until_ready()
        yield again


# ---- on a running house


def test_imported_trades_count_from_the_first_moment(house: Running) -> None:
    """A house that has just become ready shows imported trades as trades of its day."""
    status, day = house.get("/api/v3/ticker/24hr?symbol=BTCUSDT")
    assert (status, day["count"], day["volume"]) == (200, IMPORTED, "20.00000000")
    status, trades = house.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")
    assert (status, len(trades)) == (200, IMPORTED)
    assert [trade["price"] for trade in trades[-2:]] == ["138.00000000", "139.00000000"]


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, {200, 302}),
        ({"Host": "evil.com"}, {401}),
        ({"X-Forwarded-For": "1.2.3.4"}, {401}),
        ({"X-Forwarded-Port": "443"}, {401}),
        ({"Forwarded": "for=1.2.3.4"}, {401}),
    ],
)
@pytest.mark.parametrize(
    "path", ["/", "/login", "/trade/", "/admin/", "/metrics", "/api/v3/ping", "/health/ready"]
)
def test_a_loosened_house_serves_its_own_machine_only(
    house: Running, path: str, headers: dict[str, str], expected: set[int]
) -> None:
    """Whatever the path: another host's name or a trace of a proxy is 401."""
    assert house.request("GET", path, headers)[0] in expected


def test_a_used_data_directory_is_status_4(house: Running) -> None:
    """A second house on the same directory, and a verify without --live, end with 4."""
    second = fondaco(
        *("serve", "--house", str(house.house_path), "--data", str(house.data)),
        *("--port", "1"),
    )
    assert second.returncode == 4
    assert f"in use by a running house (process {house.process.pid})" in last_line(second.stderr)
    assert fondaco("verify", "--data", str(house.data)).returncode == 4
    assert fondaco("verify", "--data", str(house.data), "--live").returncode == 0
    assert house.get("/health/ready")[0] == 200


def test_a_key_is_granted_and_revoked_beside_a_running_house(house: Running) -> None:
    """A granted key trades; a revoked one is refused."""
    data = ("--data", str(house.data))
    granted = fondaco("keys", "grant", *data, "--username", "ann")
    assert granted.returncode == 0, granted.stderr
    key, secret = (line.split()[1] for line in granted.stdout.splitlines())
    listed = fondaco("keys", "list", *data).stdout.splitlines()
    assert [line.split("\t")[4] for line in listed] == ["granted", "granted"]

    def may_trade() -> bool:
        path = "/api/v3/openOrders"
        return house.signed("GET", path, credentials=(key, secret))[0] == 200

    until(may_trade, READY_S, "the granted key is taken")
    assert fondaco("keys", "revoke", *data, "2").returncode == 0
    until(lambda: not may_trade(), 5, "the revoked key is refused")


def test_an_admin_is_made_beside_a_running_house(house: Running) -> None:
    """createadmin takes its password from stdin; a taken name or a poor password is status 2."""
    asked = ("createadmin", "--data", str(house.data), "--password-stdin", "--username", "root")
    password = "correct horse battery staple\n"
    poor = fondaco(*asked, "--email", "root@example.com", stdin="root\n")
    assert (poor.returncode, "too short" in last_line(poor.stderr)) == (2, True)
    made = fondaco(*asked, "--email", "root@example.com", stdin=password)
    assert (made.returncode, made.stdout) == (0, "root is an admin\n"), made.stderr
    again = fondaco(*asked, "--email", "other@example.com", stdin=password)
    assert again.returncode == 2
    assert last_line(again.stderr) == "fondaco: user name root is taken; choose another"


def test_any_child_may_be_killed_while_trading(house: Running) -> None:
    """kill -9 of writer, worker or edge: it comes back, and nothing acknowledged is lost."""
    acknowledged: dict[str, int] = {}
    for role in ("worker", "writer", "edge", "writer"):
        acknowledged |= trade(house, f"{role}-{len(acknowledged)}", 10)
        house.kill(role)
        acknowledged |= trade(house, f"after-{role}-{len(acknowledged)}", 10)
        until(lambda: house.get("/health/ready")[0] == 200, READY_S, "ready again")
    assert len(acknowledged) >= 40
    status, orders = house.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")
    assert status == 200
    found = {order["clientOrderId"]: order["orderId"] for order in orders}
    assert len(found) == len(orders)
    assert found.items() >= acknowledged.items()


def test_children_go_with_a_killed_parent(house: Running) -> None:
    """kill -9 of the parent: a new start needs no wait; without one, too, all give up in two s."""
    assert guard.GRACE_S < 2
    acknowledged = trade(house, "before", 5)
    old = set(house.children().values())
    house.process.kill()
    house.process.wait()
    with running(house.data.parent, port=house.port) as again:
        until(
            lambda: not old & set(again.children().values()),
            serve.LEFT_OVER_S,
            "the old children gone",
        )
        again.until_ready()
        _, orders = again.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")
        assert {order["clientOrderId"] for order in orders} >= acknowledged.keys()
        again.process.kill()
        again.process.wait()
        until(lambda: not again.children(), serve.LEFT_OVER_S, "no orphans")


# ---- on what a stopped house left


def test_a_house_starts_and_stops(left: Path) -> None:
    """An empty directory becomes a ready house; SIGTERM ends it with 0 within ten s, whole."""
    assert (left / "house" / "lock").exists()
    whole = fondaco("verify", "--data", str(left / "house"))
    assert whole.returncode == 0, whole.stderr


def test_nobody_else_reads_a_house(left: Path) -> None:
    """In a directory that others may read, too: sessions, passwords and orders are its user's."""
    found = [*(left / "house").iterdir()]
    assert {"office.sqlite3", "projections.sqlite3", "journal"} <= {path.name for path in found}
    assert [path.name for path in found if path.stat().st_mode & 0o077] == []


def test_a_damaged_journal_is_status_3(copied: Path) -> None:
    """A flipped byte in the journal ends the start with 3, file, byte and seq; a cut mends it."""
    [segment] = (copied / "house" / "journal").glob("*.segment")
    for snapshot in (copied / "house" / "snapshots").iterdir():
        snapshot.unlink()
    content = bytearray(segment.read_bytes())
    content[5000] ^= 1
    segment.write_bytes(content)
    with running(copied) as again:
        assert again.process.wait(timeout=30) == 3
        said = last_line(again.said())
        assert said.startswith(f"fondaco: journal damaged: {segment} at byte ")
        assert ", seq " in said
        assert again.said().count(said) == 1
        assert again.children() == {}
    where = ("--data", str(copied / "house"))
    assert fondaco("repair", *where).returncode == 2
    assert fondaco("repair", *where, "--cut").returncode == 1
    cut = fondaco("repair", *where, "--cut", "--accept-loss", "--reason", "a flipped byte")
    assert (cut.returncode, cut.stdout[:6]) == (0, "lost: "), cut.stderr
    with running(copied) as again:
        again.until_ready()


def test_what_never_changes_is_refused_at_the_next_start(copied: Path) -> None:
    """Another tick size of an existing instrument ends the start with 2 and names the line."""
    file = HOUSE.replace('tick_size = "0.01"', 'tick_size = "0.1"')
    with running(copied, house=file) as again:
        assert again.process.wait(timeout=30) == 2
        line = last_line(again.said())
        assert "line 12: BTCUSDT exists with tick_size 0.01 and the file says 0.1" in line
        assert again.children() == {}


def test_another_secret_key_is_refused_at_the_next_start(copied: Path) -> None:
    """A house whose secrets don't open ends with 2 and one sentence, not again and again."""
    other = "another-9a1b4c7d2e5f8a0b3c6d9e2f5a8b1c4d"
    with running(copied, FONDACO_SECRET_KEY=other) as again:
        assert again.process.wait(timeout=30) == 2
        line = last_line(again.said())
        assert line.startswith("fondaco: the secret of API key key-of-a… doesn't open: ")
        assert "Traceback" not in again.said()
        assert again.children() == {}


def test_limits_follow_the_house_file(changed: Running) -> None:
    """A minimum that was added to the file holds after the next start."""
    status, body = changed.place("small")
    assert (status, body["code"]) == (400, -1013)


def test_ctrl_c_ends_a_house_too(changed: Running) -> None:
    """SIGINT to the whole group, as a terminal sends it, ends all with 0."""
    os.killpg(changed.process.pid, signal.SIGINT)
    assert changed.process.wait(timeout=STOP_S_MAX + BUSY_S) == 0
    assert changed.children() == {}


# ---- what can't start


def test_a_house_that_runs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that a living process holds is refused without a wait; so is an unfit port."""

    def sleep(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s")

    monkeypatch.setattr(time, "sleep", sleep)
    with lock_data(tmp_path), pytest.raises(DataInUse):
        serve.lock_soon(tmp_path)
    with pytest.raises(Misconfigured, match="no address of this machine"):
        serve.bind_soon("no.such.host.invalid", 8000)


def test_two_demos_have_a_broker_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Who chose a port has it from then on; the second one is told where its own is."""
    with serve.bind_broker() as first, serve.bind_broker() as second:
        one, other = (each.getsockname()[1] for each in (first, second))
    assert one != other
    assert f"the demo's broker is at mqtt://127.0.0.1:{other}" in capsys.readouterr().err


@pytest.mark.parametrize("inside", ["", "house"])
def test_a_data_directory_that_is_a_file_is_status_2(tmp_path: Path, inside: str) -> None:
    """A file where a directory should be, or in the way to it, is said to be unfit."""
    (tmp_path / "file").write_text("")
    data = tmp_path / "file" / inside
    with pytest.raises(Misconfigured, match="give another"):
        serve.lock_soon(data)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that somebody else listens on ends the start with 2 and names it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with running(tmp_path, port=port) as house:
            assert house.process.wait(timeout=20) == 2
            assert f"port {port}" in last_line(house.said())


BAD: Final = [
    (HOUSE.replace("name =", "nmae ="), None, 'unknown key "nmae"'),
    (HOUSE.replace('"0.01"', '"0.011111111"'), None, "the nearest valid pair"),
    (HOUSE + "\n[house]\n", None, "is not TOML"),
    (HOUSE, "", "FONDACO_SECRET_KEY is not set"),
    (HOUSE, "short", "FONDACO_SECRET_KEY has 5 bytes"),
    (HOUSE, "a" * 40, "others could guess"),
    (HOUSE, "changeme-changeme-changeme-changeme", "others could guess"),
]


def test_bad_configuration_is_status_2(tmp_path: Path) -> None:
    """A house file or secret that can't stand ends with 2 and one sentence, nothing made."""
    started = []
    for number, (file, secret, said) in enumerate(BAD):
        folder = tmp_path / str(number)
        folder.mkdir()
        changes: dict[str, Any] = {} if secret is None else {"FONDACO_SECRET_KEY": secret}
        started.append((Running(folder, house=file, **changes), said))
    with contextlib.ExitStack() as stack:
        for each, _ in started:
            stack.callback(each.end)
        for each, said in started:
            assert each.process.wait(timeout=30) == 2
            line = last_line(each.said())
            assert line.startswith("fondaco: ")
            assert said in line
            assert not each.data.exists()


# ---- roles and the demo


def test_roles_run_alone(tmp_path: Path) -> None:
    """Writer, worker and edge started one by one are one house; a writer has a health port."""
    with running(tmp_path, "serve", "--role", "writer", "--house", f"{tmp_path}/house.toml") as one:
        until(lambda: one.get("/health/ready")[0] == 200, READY_S, "writer")
        role = ("serve", "--house", f"{tmp_path}/house.toml", "--role")
        with (
            running(tmp_path, *role, "edge") as edge,
            running(tmp_path, *role, "worker") as worker,
        ):
            edge.until_ready()
            until(lambda: edge.place("one")[0] == 200, READY_S, "an order")
            assert b"fondaco_writer_commands" in one.get("/metrics")[1]
            for each in (edge, worker, one):
                assert each.stop() == 0


@pytest.mark.slow
def test_the_demo_opens_a_market_that_lives(tmp_path: Path) -> None:
    """`fondaco demo` needs no configuration, prints who may come in, and trades by itself."""
    with running(tmp_path, "demo", FONDACO_SECRET_KEY="") as demo:
        demo.until_ready()
        assert set(demo.children()) == {*ROLES, "feeds", "traders", "stocks"}

        def last_trade() -> tuple[int, int]:
            status, found = demo.get("/api/v3/trades?symbol=BTCUSDT&limit=1")
            return (found[-1]["time"], found[-1]["id"]) if status == 200 and found else (0, 0)

        def has_book() -> bool:
            book = demo.get("/api/v3/depth?symbol=ETHBTC&limit=5")[1]
            return bool(book["bids"] and book["asks"])

        recorded = last_trade()  # of the history that a demo begins with
        assert recorded > (0, 0)
        until(has_book, READY_S, "both sides of a book")
        first = until(lambda: (last_trade() > recorded) and last_trade(), READY_S, "a trade")
        until(lambda: last_trade() > first, 60, "another trade")
        until(lambda: "ann" in demo.output.read_text(), 10, "the welcome")
        assert "rialto-practice" in demo.output.read_text()
        assert demo.stop() == 0

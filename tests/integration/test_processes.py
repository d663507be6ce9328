"""A house as processes: start, stop, and the death of any of them."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.integration.running import (
    HOUSE,
    READY_S,
    Running,
    fondaco,
    last_line,
    running,
    until,
)

ROLES = {"writer", "worker", "edge"}


def trade(house: Running, prefix: str, count: int) -> dict[str, int]:
    """Place orders and return those that were acknowledged, by their id of ours."""
    acknowledged = {}
    for number in range(count):
        name = f"{prefix}-{number}"
        status, body = house.place(name)
        if status == 200:
            acknowledged[name] = body["orderId"]
    return acknowledged


def test_a_house_starts_and_stops(tmp_path: Path) -> None:
    """An empty directory becomes a ready house; SIGTERM ends it with 0 within ten s."""
    with running(tmp_path) as house:
        house.until_ready()
        assert set(house.children()) == ROLES
        assert os.getpgid(house.process.pid) == house.process.pid
        assert trade(house, "a", 5).keys() == {f"a-{n}" for n in range(5)}
        begun = time.monotonic()
        assert house.stop() == 0
        assert time.monotonic() - begun < 10
        assert house.children() == {}
        assert (house.data / "lock").exists()
    whole = fondaco("verify", "--data", str(house.data))
    assert whole.returncode == 0, whole.stderr


def test_ctrl_c_ends_a_house_too(tmp_path: Path) -> None:
    """SIGINT to the whole group, as a terminal sends it, ends all with 0."""
    with running(tmp_path) as house:
        house.until_ready()
        os.killpg(house.process.pid, signal.SIGINT)
        assert house.process.wait(timeout=12) == 0
        assert house.children() == {}


def test_any_child_may_be_killed_while_trading(tmp_path: Path) -> None:
    """kill -9 of writer, worker or edge: it comes back, and nothing acknowledged is lost."""
    with running(tmp_path) as house:
        house.until_ready()
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
        assert house.stop() == 0


def test_children_go_with_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the parent: no child is left after two seconds, and a new start needs no wait."""
    with running(tmp_path) as house:
        house.until_ready()
        acknowledged = trade(house, "before", 5)
        old = set(house.children().values())
        house.process.kill()
        house.process.wait()
        with running(tmp_path, port=house.port) as again:
            until(lambda: not old & set(again.children().values()), 3, "the old children gone")
            again.until_ready()
            _, orders = again.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")
            assert {order["clientOrderId"] for order in orders} == acknowledged.keys()
            assert again.stop() == 0


def test_orphans_end_within_two_seconds(tmp_path: Path) -> None:
    """Without a new start, too, the children of a killed parent are gone within two seconds."""
    with running(tmp_path) as house:
        house.until_ready()
        house.process.kill()
        house.process.wait()
        until(lambda: not house.children(), 2.0, "no orphans")


def test_a_damaged_journal_is_status_3(tmp_path: Path) -> None:
    """A flipped byte in the journal ends the start with 3 and a sentence with file, byte, seq."""
    with running(tmp_path) as house:
        house.until_ready()
        trade(house, "a", 5)
        assert house.stop() == 0
    [segment] = (house.data / "journal").glob("*.segment")
    for snapshot in (house.data / "snapshots").iterdir():
        snapshot.unlink()
    content = bytearray(segment.read_bytes())
    content[5000] ^= 1
    segment.write_bytes(content)
    with running(tmp_path) as again:
        assert again.process.wait(timeout=30) == 3
        said = last_line(again.said())
        assert said.startswith(f"fondaco: journal damaged: {segment} at byte ")
        assert ", seq " in said
        assert again.children() == {}


def test_a_used_data_directory_is_status_4(tmp_path: Path) -> None:
    """A second house on the same directory, and a verify without --live, end with 4."""
    with running(tmp_path) as house:
        house.until_ready()
        second = fondaco(
            *("serve", "--house", str(house.house_path), "--data", str(house.data)),
            *("--port", "1"),
        )
        assert second.returncode == 4
        assert "in use" in last_line(second.stderr)
        assert fondaco("verify", "--data", str(house.data)).returncode == 4
        assert fondaco("verify", "--data", str(house.data), "--live").returncode == 0
        assert house.get("/health/ready")[0] == 200


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that somebody else listens on ends the start with 2 and names it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with running(tmp_path, port=port) as house:
            assert house.process.wait(timeout=20) == 2
            assert f"port {port}" in last_line(house.said())


@pytest.mark.parametrize(
    "house, secret, said",
    [
        (HOUSE.replace("name =", "nmae ="), None, 'unknown key "nmae"'),
        (HOUSE.replace('"0.01"', '"0.011111111"'), None, "the nearest valid pair"),
        (HOUSE + "\n[house]\n", None, "is not TOML"),
        (HOUSE, "", "FONDACO_SECRET_KEY is not set"),
        (HOUSE, "short", "FONDACO_SECRET_KEY has 5 bytes"),
        (HOUSE, "a" * 40, "others could guess"),
        (HOUSE, "changeme-changeme-changeme-changeme", "others could guess"),
    ],
)
def test_bad_configuration_is_status_2(
    tmp_path: Path, house: str, secret: str | None, said: str
) -> None:
    """A house file or secret that can't stand ends with 2 and one sentence, nothing made."""
    changes = {} if secret is None else {"FONDACO_SECRET_KEY": secret}
    with running(tmp_path, house=house, **changes) as started:
        assert started.process.wait(timeout=20) == 2
        line = last_line(started.said())
        assert line.startswith("fondaco: ")
        assert said in line
        assert not started.data.exists()


def test_what_never_changes_is_refused_at_the_next_start(tmp_path: Path) -> None:
    """Another tick size of an existing instrument ends the start with 2 and names the line."""
    with running(tmp_path) as house:
        house.until_ready()
        assert house.stop() == 0
    changed = HOUSE.replace('tick_size = "0.01"', 'tick_size = "0.1"')
    with running(tmp_path, house=changed) as again:
        assert again.process.wait(timeout=30) == 2
        line = last_line(again.said())
        assert "line 12: BTCUSDT exists with tick_size 0.01 and the file says 0.1" in line
        assert again.children() == {}


def test_fees_follow_the_house_file(tmp_path: Path) -> None:
    """A fee that was changed in the file holds after the next start."""
    with running(tmp_path) as house:
        house.until_ready()
        assert house.stop() == 0
    changed = HOUSE.replace('lot_size = "0.00001"', 'lot_size = "0.00001"\nmin_notional = "5"')
    with running(tmp_path, house=changed) as again:
        again.until_ready()
        status, body = again.place("small")
        assert (status, body["code"]) == (400, -1013)
        assert again.stop() == 0


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


def test_an_admin_and_a_key_are_made_beside_a_running_house(tmp_path: Path) -> None:
    """createadmin takes its password from stdin; a granted key trades, a revoked one is refused."""
    with running(tmp_path) as house:
        house.until_ready()
        data = ("--data", str(house.data))
        granted = fondaco("keys", "grant", *data, "--username", "ann")
        assert granted.returncode == 0, granted.stderr
        listed = fondaco("keys", "list", *data).stdout.splitlines()
        assert [line.split("\t")[4] for line in listed] == ["granted", "granted"]
        assert fondaco("keys", "revoke", *data, "1").returncode == 0
        until(lambda: house.place("late")[0] == 401, 5, "the revoked key is refused")
        assert house.stop() == 0


@pytest.mark.slow
def test_the_demo_opens_a_market_that_lives(tmp_path: Path) -> None:
    """`fondaco demo` needs no configuration, prints who may come in, and trades by itself."""
    with running(tmp_path, "demo", FONDACO_SECRET_KEY="") as demo:
        demo.until_ready()
        assert set(demo.children()) == {*ROLES, "traders"}

        def trades() -> int:
            status, found = demo.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")
            return len(found) if status == 200 else 0

        first = until(trades, 30, "trades")
        until(lambda: trades() > first or trades() == 1000, 60, "more trades")
        book = demo.get("/api/v3/depth?symbol=ETHBTC&limit=5")[1]
        assert book["bids"]
        assert book["asks"]
        until(lambda: "ann" in demo.output.read_text(), 10, "the welcome")
        assert "rialto-practice" in demo.output.read_text()
        assert demo.stop() == 0

"""S2-10, the seed's rule: through the API of a running house, and over its restarts."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from tests.acceptance.rule_house import (
    SEED,
    ask,
    open_rules,
    order,
    post_seed,
    robot,
    trade,
    until,
)
from tests.house_fixture import RunningHouse


@pytest.fixture
def house() -> Iterator[RunningHouse]:
    """A house with one stock."""
    with open_rules() as running:
        yield running


def stands(house: RunningHouse, state: str, step: int, name: str = "robot-1") -> Any:
    def looked() -> Any:
        found = robot(house, name)
        return found if (found["state"], found["step"]) == (state, step) else None

    return until(looked, f"{name} {state} at step {step}")


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_s2_10_the_seeds_rule_survives_a_restart(house: RunningHouse, way: str) -> None:
    """Buys at >= 20.55, the house restarts (or is killed), sells at >= 21.00: once each."""
    made = post_seed(house)
    assert made.status == 201, made
    assert (made.json["state"], made.json["step"]) == ("WAITING", 0)
    until(lambda: robot(house)["decisions"], "a first look")
    trade(house, "20.54")
    order(house, "SELL", "20.58", 100)
    assert robot(house)["orders"] == []
    trade(house, "20.55")
    bought = stands(house, "WAITING", 1)
    [first] = bought["orders"]
    assert (first["side"], first["status"], first["filled"]) == ("BUY", "FILLED", "100")
    assert (first["price"], first["amount"]) == ("20.60", "2058")
    if way == "stop":
        assert house.stop() == 0
    else:
        house.kill()
    house.start()
    assert stands(house, "WAITING", 1)["orders"] == bought["orders"]
    order(house, "BUY", "20.95", 100)
    trade(house, "20.99")
    trade(house, "21.00")
    done = stands(house, "DONE", 1)
    assert [(one["side"], one["status"], one["filled"]) for one in done["orders"]] == [
        ("SELL", "FILLED", "100"),
        ("BUY", "FILLED", "100"),
    ]
    codes = [one["code"] for one in reversed(done["decisions"])]
    assert codes[-3:] == ["CONDITION_FALSE", "TRIGGERED", "FINISHED"]
    reasons = [one["reason"] for one in done["decisions"]]
    assert "step 1 acts: STOCKA last 20.55 is at or above 20.55" in reasons
    gone = ask(house, "DELETE", "/api/v1/robots/robot-1/")
    assert gone.status == 204, gone
    assert ask(house, "GET", "/api/v1/robots/robot-1/").status == 404


def test_a_killed_worker_is_followed_by_another(house: RunningHouse) -> None:
    """Of two workers each is killed at a trade that concerns the bots: once each order, no more.

    Live bots are then read again from the journal: orders and reasons are those that were kept.
    """
    names = {f"{mode}-{number}": mode for mode in ("live", "paper") for number in range(3)}
    for name, mode in names.items():
        assert post_seed(house, id=name, mode=mode).status == 201
    with house.another_worker() as second:
        until(lambda: all(robot(house, name)["decisions"] for name in names), "first looks")
        order(house, "SELL", "20.58", 300)
        own = house.child("worker")
        trade(house, "20.55")
        os.kill(own, signal.SIGKILL)
        for name in names:
            stands(house, "WAITING", 1, name)
        again = until(
            lambda: house.child("worker") not in {0, own} and house.child("worker"), "own"
        )
        order(house, "BUY", "20.95", 400)
        trade(house, "20.99")
        trade(house, "21.00")
        second.kill()
        second.wait()
        os.kill(again, signal.SIGKILL)
        done = {name: stands(house, "DONE", 1, name) for name in names}
    for name, found in done.items():
        assert [(one["side"], one["status"], one["filled"]) for one in found["orders"]] == [
            ("SELL", "FILLED", "100"),
            ("BUY", "FILLED", "100"),
        ], name
    depth = house.get("/api/v3/depth", symbol="STOCKAUSD").json
    assert depth["asks"] == []  # 300 were there for three bots
    assert [[float(each) for each in level] for level in depth["bids"]] == [[20.95, 100]]
    for name, mode in names.items():
        if mode == "live":
            replays_alike(house, done[name])


def replays_alike(house: RunningHouse, found: dict[str, Any]) -> None:
    """Assert that a run that is read again from the journal is the one that was kept."""
    path = house.folder / "robot.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    given = ["backtest", str(path), "--journal", str(house.data), "--json"]
    ran = CliRunner().invoke(build_app("backtest"), given)
    assert ran.exit_code == 0, ran.output
    again = json.loads(ran.stdout.splitlines()[-1])
    assert again["orders"] == found["orders"][::-1]
    told = [(one["time_us"] // 1000, one["step"], one["code"]) for one in again["decisions"]]
    kept = [(one["time"], one["step"], one["code"]) for one in found["decisions"][::-1]]
    assert told == kept


def test_a_rule_that_is_not_right_names_the_place(house: RunningHouse) -> None:
    """Nothing moves: the place as a JSON path and what would be right; so for id and money."""
    for words, field, text in (
        ({"rule": SEED.replace("gte", "above", 1)}, "rule", "$.$when.$comparison.type"),
        ({"rule": SEED.replace("STOCKA", "STOCKB")}, "rule", "no order book of STOCKB in USD"),
        ({"rule": "{"}, "rule", "$"),
        ({"rule": SEED, "id": "a robot"}, "id", "24 letters"),
        ({"rule": SEED, "allotment": {"EUR": 1}}, "allotment", "no EUR"),
        ({"rule": SEED, "allotment": {"USD": "1000000"}}, "allotment", "less than that"),
    ):
        body = {"id": "robot-1", "kind": "rule", "allotment": {}, **words}
        found = ask(house, "POST", "/api/v1/robots/", json.dumps(body))
        assert found.status == 400, (words, found)
        assert text in found.json[field][0], found.json
    assert ask(house, "GET", "/api/v1/robots/").json == []
    deep = '{"id":"robot-1","rule":' + "[" * 100_000 + "]" * 100_000 + "}"
    assert ask(house, "POST", "/api/v1/robots/", deep).status == 400


def test_paper_then_live_without_a_change_of_the_rule(house: RunningHouse) -> None:
    """On paper it buys at the house's prices and moves nothing; live it does the same for money."""
    assert post_seed(house, mode="paper").status == 201
    until(lambda: robot(house)["decisions"], "a first look")
    order(house, "SELL", "20.58", 300)
    trade(house, "20.55")
    bought = stands(house, "WAITING", 1)
    assert bought["mode"] == "paper"
    assert [(one["side"], one["filled"]) for one in bought["orders"]] == [("BUY", "100")]
    depth = house.get("/api/v3/depth", symbol="STOCKAUSD").json
    assert depth["asks"][0][1].startswith("300")
    house.kill()
    house.start()
    order(house, "BUY", "20.95", 400)  # the 300 that paper didn't take, and a bid of 100
    trade(house, "21.00")
    assert stands(house, "DONE", 1)["orders"][0]["side"] == "SELL"
    order(house, "SELL", "20.50", 100)
    trade(house, "20.50")
    live = ask(house, "PATCH", "/api/v1/robots/robot-1/", '{"mode": "live"}')
    assert live.status == 200, live
    assert (live.json["mode"], live.json["state"], live.json["step"]) == ("live", "WAITING", 0)
    until(lambda: robot(house)["decisions"], "a first look")
    order(house, "SELL", "20.58", 300)
    trade(house, "20.55")
    stands(house, "WAITING", 1)
    depth = house.get("/api/v3/depth", symbol="STOCKAUSD").json
    assert depth["asks"][0][1].startswith("200")

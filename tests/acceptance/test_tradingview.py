"""Charts' alerts end to end: a burst at a hook's address, a worker killed in it, none doubled."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from tests.acceptance.robot_house import SETTINGS, RobotHouse, robot, robot_house
from tests.house_fixture import Reply
from tests.treasury.people import Person

TOKEN: Final = "the-token-of-bob-with-at-least-32-characters"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
# What comes of each kind of alert for each client, whatever the order in which they arrive.
BUYS = [f'{{"action": "buy", "ticker": "HOUSE:BTCUSDT", "order_id": "b{n}"}}' for n in range(8)]
SELLS = [f"sell BTC s{n}" for n in range(6)]
OTHERS = [f'{{"action": "long", "symbol": "ETH", "id": "e{n}"}}' for n in range(4)]
UNREAD = ["hold BTC h0", '{"action": "buy"']
TOLD: Final = {
    "buyer": Counter(TRIGGERED=1, OPERATION_OPEN=7, BELOW_LEVEL=6, SYMBOL_NOT_CHOSEN=4),
    "seller": Counter(TRIGGERED=1, COIN_TOO_LOW=5, BELOW_LEVEL=12),
    "resting": Counter(INACTIVE=18),
}


class Hooks:
    """bob's doors for alerts, as his own programs use them."""

    def __init__(self, market: RobotHouse) -> None:
        self.market = market
        self.house = market.house

    def ask(self, method: str, path: str, body: object = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        reply = self.house.request(method, path, body=raw, headers=BEARER)
        assert reply.status in {200, 201, 202}, reply.body
        return reply.json

    def make(self, **fields: object) -> tuple[str, str]:
        """Make a hook; return the paths of its alerts and of its address."""
        made = self.ask("POST", "/api/v1/hooks/", fields)
        url: str = made["url"]
        assert url.startswith(self.house.url)
        return f"/api/v1/hooks/{made['id']}/alerts/", url.removeprefix(self.house.url)

    def alert(self, address: str, body: str) -> Reply:
        return self.house.request(
            "POST", address, body=body.encode(), headers={"Content-Type": "text/plain"}
        )

    def settled(self, alerts: str) -> list[dict[str, Any]]:
        """Wait until no alert waits; return all, oldest first."""

        def look() -> list[dict[str, Any]] | None:
            rows: list[dict[str, Any]] = self.ask("GET", alerts)["alerts"]
            return None if any(row["state"] == "waiting" for row in rows) else rows[::-1]

        found: list[dict[str, Any]] = self.market.until(look)
        return found

    def decided(self, client: str, signals: set[int]) -> list[dict[str, Any]]:
        """Wait until a client was judged at each of these signals; return its decisions."""

        def look() -> list[dict[str, Any]] | None:
            path = f"/api/v1/robots/clients/{client}/decisions/?limit=500"
            rows: list[dict[str, Any]] = self.ask("GET", path)
            return rows if signals <= {row["signal_id"] for row in rows} else None

        found: list[dict[str, Any]] = self.market.until(look)
        return found


@pytest.fixture(scope="module")
def hooks() -> Iterator[Hooks]:
    token = f'[[members.tokens]]\ntoken = "{TOKEN}"\nscopes = ["read", "trade"]\n'
    robots = [
        robot("buyer", buy_on="BUY", sell_on="STRONG_SELL", operation_amount=100),
        robot("seller", {"USDT": "1000", "BTC": "0.5"}, buy_on="STRONG_BUY"),
        robot("resting", active=False, buy_on="BUY"),
    ]
    with robot_house(token, *robots, settings=f"{SETTINGS}\nedges = 2") as market:
        market.trade("20000")
        market.quote("19990", "20010")
        yield Hooks(market)


def test_a_burst_through_a_killed_worker_is_exact_and_each_is_explained(hooks: Hooks) -> None:
    """50 alerts at two edges, 30 of them again: 18 signals, two operations, a reason for each."""
    house = hooks.house
    house_edges = hooks.market.until(lambda: house.peers().count("edge") == 2)
    assert house_edges
    alerts, address = hooks.make(name="burst", template="{summary} {symbol} {key}")
    sent = [*BUYS, *SELLS, *OTHERS]
    again = [sent[place % len(sent)] for place in range(30)]
    burst = [*sent, *again, *UNREAD]
    random.Random(5).shuffle(burst)
    worker = house.child("worker")
    with ThreadPoolExecutor(16) as senders:
        first = list(senders.map(lambda body: hooks.alert(address, body), burst[:25]))
        os.kill(worker, signal.SIGKILL)
        rest = list(senders.map(lambda body: hooks.alert(address, body), burst[25:]))
    replies = [*first, *rest]
    assert [reply.status for reply in replies] == [202] * 50
    rows = hooks.settled(alerts)
    assert {row["id"] for row in rows} == {reply.json["alert"] for reply in replies}
    assert Counter(row["state"] for row in rows) == Counter(taken=18, duplicate=30, refused=2)
    assert all(row["reason"] for row in rows if row["state"] != "taken")
    signals = {row["signal_id"] for row in rows if row["state"] == "taken"}
    assert len(signals) == 18
    assert signals == {row["signal_id"] for row in rows if row["signal_id"]}
    for client, told in TOLD.items():
        found = hooks.decided(client, signals)
        assert len(found) == 18, "a client is judged once at each signal"
        reasons = Counter(row["reason"] for row in found)
        if client == "seller":  # until a sale that the killed worker began is over, its own word
            reasons["COIN_TOO_LOW"] += reasons.pop("OPERATION_OPEN", 0)
        assert reasons == told
    bought = hooks.market.operation("buyer", "AWAITING_SELL")
    assert bought["operation_amount"] <= 100
    document = hooks.market.document("buyer")
    assert document["monthly_summary"]["amount_bought"] == bought["operation_amount"]
    hooks.market.operation("seller", None)
    sold = hooks.market.document("seller")
    assert (sold["crypto"][0]["amount"], sold["monthly_summary"]["crypto"][0]["amount_sold"]) == (
        *(0, 0.5),
    )
    assert house.child("worker") not in {0, worker}


def test_a_robot_s_page_tells_why_it_acted_and_why_not(hooks: Hooks) -> None:
    """Its member reads each reason in words; switched off there, it says so at the next signal."""
    bob = Person(hooks.house, "bob")
    alerts, address = hooks.make(name="page", symbol="BTC")
    hooks.alert(address, '{"action": "strong_sell", "key": "p1"}')
    (row,) = hooks.settled(alerts)
    hooks.decided("buyer", {row["signal_id"]})
    status, page = bob.get("/robots/buyer")
    assert status == 200
    assert re.search(r"bought 0\.0\d+ BTC for (100\.00|99\.\d+)\b", page)
    assert "did not buy: its operation on BTC is open" in page
    assert "sold 0.00" in page
    bob.post_form("/robots/buyer", {"do": "off"})
    hooks.alert(address, '{"action": "buy", "key": "p2"}')
    row = hooks.settled(alerts)[-1]
    hooks.decided("buyer", {row["signal_id"]})
    assert "did not buy: it is switched off" in bob.get("/robots/buyer")[1]
    bob.post_form("/robots/buyer", {"do": "on"})
    assert 'value="kill">Throw its kill switch' not in bob.get("/robots/buyer")[1]
    assert 'value="kill">Throw its kill switch' in bob.get("/robots/buyer?sure=kill")[1]
    bob.post_form("/robots/buyer", {"do": "kill"})
    hooks.alert(address, '{"action": "buy", "key": "p3"}')
    killed = hooks.settled(alerts)[-1]["signal_id"]
    decision = next(
        each for each in hooks.decided("buyer", {killed}) if each["signal_id"] == killed
    )
    assert (decision["reason"], decision["numbers"]["kill_switch"]) == ("INACTIVE", "on")
    assert "did not buy: its kill switch is on" in bob.get("/robots/buyer")[1]
    bob.post_form("/robots/buyer", {"do": "unkill"})
    bob.post_form("/robots/buyer", {"do": "off"})
    assert bob.get("/robots/nobody-s")[0] == 404


def test_lost_alerts_are_replayed_by_hand(hooks: Hooks) -> None:
    """One is refused for its hook's template, one never arrived: by hand both count, once."""
    alerts, address = hooks.make(name="lost", template="order {summary}")
    assert hooks.alert(address, "strong_sell BTC x1").status == 202
    refused = hooks.settled(alerts)[0]
    assert (refused["state"], refused["signal_id"]) == ("refused", None)
    hook = alerts.removesuffix("alerts/")
    hooks.ask("PATCH", hook, {"template": "{summary} {symbol} {key}"})
    for _ in range(2):
        hooks.ask("POST", f"{alerts}{refused['id']}/replay/")
        hooks.ask("POST", alerts, {"body": '{"action": "buy", "ticker": "BTC", "key": "x2"}'})
    rows = hooks.settled(alerts)
    states = [(row["state"], row["is_replay"]) for row in rows]
    assert states[0] == ("refused", False)
    assert Counter(states[1:]) == {("taken", True): 2, ("duplicate", True): 2}
    signals = {row["signal_id"] for row in rows if row["signal_id"]}
    assert len(signals) == 2
    found = [row for row in hooks.decided("seller", signals) if row["signal_id"] in signals]
    assert sorted(row["reason"] for row in found) == ["BELOW_LEVEL", "COIN_TOO_LOW"]


def test_alerts_are_answered_while_nobody_reads_them(hooks: Hooks) -> None:
    """The worker is stopped: 60 are answered, 202, and wait; going on it reads each of them."""
    alerts, address = hooks.make(name="queue", symbol="BTC")
    bodies = [f'{{"action": "buy", "key": "q{number}"}}' for number in range(60)]
    with hooks.market.stopped_worker(), ThreadPoolExecutor(16) as senders:
        replies = list(senders.map(lambda body: hooks.alert(address, body), bodies))
        rows = hooks.ask("GET", f"{alerts}?limit=200")["alerts"]
    assert [reply.status for reply in replies] == [202] * 60
    assert [row["state"] for row in rows] == ["waiting"] * 60
    assert {row["id"] for row in rows} == {reply.json["alert"] for reply in replies}
    settled = hooks.settled(f"{alerts}?limit=200")
    assert "refused" not in {row["state"] for row in settled}
    hooks.decided("buyer", {row["signal_id"] for row in settled})
    unknown, empty = f"/api/v1/hooks/in/{'x' * 43}/", hooks.alert(address, "")
    assert hooks.alert(unknown, "buy").status == 404
    assert (empty.status, list(empty.json)) == (400, ["error"])

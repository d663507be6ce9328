"""Workers of rule bots that are killed at any write: the next goes on as if there had been none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from fondaco.robots import holding, lease
from fondaco.robots.bots import keeping, roster, services, worker
from fondaco.robots.bots.roster import Roster
from fondaco.robots.models import Robot, RobotRun, RuleCheckpoint
from fondaco.robots.rules.live import Sending
from tests.robots.rule_lives import House, Lived, rows
from tests.robots.test_equality import RULES

pytestmark = pytest.mark.django_db

MORE = {
    "resting": """{"$do": {"$order": {"kind": "LIMIT", "intent": "BUY", "bid": 20.35, "shares": 9,
        "name": "rest", "then_after": "ACCEPTED"}}, "$then": {"$when": {"$comparison": {"itemA":
        {"$position": "BTC"}, "itemB": 24, "type": "gte"}}, "$do": [{"$notify": "half of it"},
        {"$cancel": "rest"}, {"$order": {"kind": "LIMIT_MAKER", "intent": "SELL", "ask": 20.60,
        "shares": 4}}]}}""",
    "stop": """{"$do": {"$order": {"kind": "STOP_LOSS", "intent": "SELL", "stop": 20.33,
        "shares": 3}}, "$then": {"$when": {"$comparison": {"itemA": {"$ticker": {"symbol": "BTC",
        "field": "volume"}}, "itemB": 30, "type": "gt"}}, "$do": {"$order": {"kind": "MARKET",
        "intent": "BUY", "spend": 100}}, "$repeat": {"times": 4, "pause_s": 21}}}""",
}
BOTS = {
    f"{mode}-{name}": (mode, rule)
    for mode in ("live", "paper")
    for name, rule in {**RULES, **MORE}.items()
}


def prices(seed: int) -> list[tuple[int, int, bool]]:
    """A walk of 60 trades around 20.50, as price, lots and whether the taker bought."""
    chance, cents, found = Random(seed), 2045, []
    for _ in range(60):
        cents = min(max(cents + chance.randint(-12, 13), 2025), 2115)
        found.append((cents, chance.randint(1, 40), chance.random() < 0.5))
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("checkpoint_s", [0.0, 1e9], ids=["often", "rarely"])
def test_kills_at_any_write_change_nothing(
    seed: int, checkpoint_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live and on paper, states, orders, reasons and fills are those of a worker that lived."""
    whole = Lived(monkeypatch, BOTS, prices(seed), checkpoint_s=checkpoint_s)
    assert whole.kills == 0
    assert sum(len(each) for each in whole.sent.values()) >= 20
    found = Lived(monkeypatch, BOTS, prices(seed), chance=Random(seed), checkpoint_s=checkpoint_s)
    assert found.kills >= 10, found.turns
    for name, kept in whole.rows.items():
        assert found.rows[name] == kept, name
    assert found.sent == whole.sent


# Of two that are told at once the first is refused; each bot waits for a price of its own.
REFUSED = {
    f"live-{cents}": (
        "live",
        """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.CC,
        "type": "gte"}}, "$do": [{"$order": {"kind": "LIMIT", "intent": "BUY", "bid": 20.90,
        "shares": 10000}}, {"$order": {"kind": "MARKET", "intent": "BUY",
        "shares": 1}}]}""".replace("CC", str(cents)),
    )
    for cents in range(45, 90, 6)
}


def _tells_again_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(worker.RuleWorker, "_settled", lambda _self, _desk: 0)


@pytest.mark.parametrize("plant", [None, _tells_again_at_once])
def test_an_answer_that_is_lost_refuses_nothing_else(
    plant: Callable[[pytest.MonkeyPatch], None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker sent and doesn't know the end of is heard of first, then the rest is told.

    Planted: one that tells it again at once takes its second refusal for the next order's.
    """
    bots = REFUSED | {"live-pair": BOTS["live-pair"]}
    whole = Lived(monkeypatch, bots, prices(2))
    for name in REFUSED:
        ends = [(each["status"], each["quantity"]) for each in orders_of(whole, name)]
        assert ends == [("REJECTED", "10000"), ("FILLED", "1")]
    with monkeypatch.context() as patch:
        if plant is not None:
            plant(patch)
        found = Lived(patch, bots, prices(2), lossy=Random(2))
    assert found.lost >= 3
    assert ((found.rows, found.sent) == (whole.rows, whole.sent)) is (plant is None)


def orders_of(found: Lived, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for _, _, _, line in found.rows[name]["orders"]]


@pytest.mark.parametrize("seed", [None, 5], ids=["living", "killed"])
def test_the_kill_switch_reaches_paper(seed: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As live: what rests is cancelled, buys are refused until it is off; also over kills."""
    rules = {name: BOTS[name] for name in ("live-resting", "paper-resting")}
    late = """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 21, "type": "gt"}},
        "$do": {"$order": {"kind": "MARKET", "intent": "BUY", "shares": 1}}}"""
    rules |= {"live-late": ("live", late), "paper-late": ("paper", late)}
    after = [(2045, 9, True)] * 3 + [(2110, 9, True)] * 3
    chance = None if seed is None else Random(seed)
    found = Lived(monkeypatch, rules, after, chance=chance, switches={1: 1, 5: 0})
    for mode in ("live", "paper"):
        [rested] = orders_of(found, f"{mode}-resting")
        assert (rested["status"], rested["filled"]) == ("CANCELED", "0"), mode
        [refused] = orders_of(found, f"{mode}-late")
        assert (refused["status"], refused["reason"]) == ("REJECTED", "REDUCE_ONLY"), mode
    assert found.rows["paper-late"]["position"]["killed"] is False
    assert bool(found.kills) is (chance is not None)


def test_paper_that_begins_killed_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch was thrown before the bot came to the desk; it sells, and buys nothing."""
    sells = """{"$do": {"$order": {"kind": "MARKET", "intent": "SELL", "ticker": "BTC",
        "shares": 3}}}"""
    rules = {"paper-sells": ("paper", sells), "paper-seed": BOTS["paper-seed"]}
    found = Lived(monkeypatch, rules, [(2060, 9, True)] * 3, begins_killed=True)
    [sold] = orders_of(found, "paper-sells")
    assert (sold["status"], sold["filled"]) == ("FILLED", "3")
    [refused] = orders_of(found, "paper-seed")
    assert (refused["status"], refused["reason"]) == ("REJECTED", "REDUCE_ONLY")


def _forgets_what_to_tell(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keeping, "read_outbox", lambda _text: [])


def _sends_a_pair_under_other_ids(patch: pytest.MonkeyPatch) -> None:
    read = keeping.read_outbox

    def renamed(text: str) -> list[Sending]:
        found = []
        for one in read(text):
            wish = one.wish
            if wish is not None and wish.stop_id:
                names = {"client_order_id": f"{wish.client_order_id}b"}
                wish = msgspec.structs.replace(wish, **names, stop_id=f"{wish.stop_id}b")
            found.append(msgspec.structs.replace(one, wish=wish))
        return found

    patch.setattr(keeping, "read_outbox", renamed)


def _forgets_the_paper_exchange(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keeping, "read_position", lambda _found: None)


def _enters_too_early(patch: pytest.MonkeyPatch) -> None:
    add: Callable[..., None] = Roster._add

    def added(self: Roster, run: RobotRun, plan: Any, *given: Any, **named: Any) -> None:
        balances, seq, _after_seq = given
        add(self, run, plan, balances, seq, self._desk.seq, **named)

    patch.setattr(Roster, "_add", added)


def _forgets_its_last_reason(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roster, "_last", lambda _run: None)


def _keeps_what_begins_without_a_checkpoint(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Roster, "is_beginning", lambda _self: False)


@pytest.mark.parametrize(
    "plant",
    [
        _keeps_what_begins_without_a_checkpoint,
        _forgets_what_to_tell,
        _sends_a_pair_under_other_ids,
        _forgets_the_paper_exchange,
        _enters_too_early,
        _forgets_its_last_reason,
    ],
)
def test_a_worker_that_forgets_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what one of these forgets at a beginning is seen in rows or orders."""
    whole = Lived(monkeypatch, BOTS, prices(1), checkpoint_s=1e9)
    with monkeypatch.context() as patch:
        plant(patch)
        found = Lived(patch, BOTS, prices(1), chance=Random(1), checkpoint_s=1e9)
    assert (found.rows, found.sent) != (whole.rows, whole.sent)


def test_a_holder_that_comes_back_late_keeps_nothing() -> None:
    """Once another took the lease what the former one has in mind is refused, whole."""
    first = lease.take("rules", "first", ttl_us=10, now_us=0)
    assert first is not None
    held = holding.Held(threading.Event(), "rules", first)
    run = services.begin_run(a_robot())
    kept = services.Kept(
        run=run.pk, state="{}", outbox="[]", position=None, began=(7, 7),
        decisions=((1, "CONDITION_FALSE", "{}"),), orders=(),
    )  # fmt: skip
    services.keep([kept], seq=7, confirm=held.confirm)
    before = rows()
    assert lease.take("rules", "second", ttl_us=10, now_us=10)
    with pytest.raises(holding.LeaseLost):
        services.keep([kept], seq=9, confirm=held.confirm)
    with pytest.raises(holding.LeaseLost):
        services.keep_checkpoint(seq=9, time_us=9, seen=b"", confirm=held.confirm)
    assert held.is_set()
    assert (rows(), RobotRun.objects.get().seq) == (before, 7)
    assert not RuleCheckpoint.objects.exists()


def a_robot() -> Robot:
    House({"bot": ("paper", BOTS["paper-seed"][1])})
    RobotRun.objects.all().delete()
    return Robot.objects.get(pk="bot")

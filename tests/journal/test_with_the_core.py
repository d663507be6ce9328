"""The journal around the real exchange: hashes, totals, tombstones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    OrderType,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.journal.clock import TestClock
from fondaco.journal.faults import Poisoned, WrongVersion
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.repair import repair
from fondaco.journal.sequencer import Sequencer
from fondaco.journal.verify import verify
from tests.journal.houses import START_US, kill

PLANTED_TICKS = 666


class Planted:
    """The real exchange, and an assertion that fails at one price: the planted poison."""

    def __init__(self) -> None:
        self._exchange = Exchange()
        self.halted_seq = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def apply(self, batch: bytes) -> bytes:
        """Fail before anything is applied, as an assertion at the door would."""
        for record in split(batch):
            kind = int.from_bytes(record[:2], "little")
            if kind == Command.NEW_ORDER and unpack(record)["price_ticks"] == PLANTED_TICKS:
                self.halted_seq = unpack(record)["seq"]
                raise AssertionError("planted")
        return self._exchange.apply(batch)


def open_real(data: Path, **options: Any) -> Sequencer:
    return open_sequencer(data, TestClock(START_US), preallocate_bytes=4096, **options)


def definitions() -> list[bytes]:
    found = [
        pack_body(Command.DEFINE_ASSET, AssetBody(number=1, code="BTC", decimals=8)),
        pack_body(Command.DEFINE_ASSET, AssetBody(number=2, code="USDT", decimals=8)),
    ]
    instrument = InstrumentBody(
        number=1,
        symbol="BTCUSDT",
        base=1,
        quote=2,
        tick_size="0.01",
        lot_size="0.00001",
        base_per_lot=1000,
        quote_per_lot_tick=10,
        taker_fee_ppm=1000,
    )
    found.append(pack_body(Command.DEFINE_INSTRUMENT, instrument))
    for account in (16, 17):
        body = AccountBody(member=account, opening=[(1, 10**10), (2, 10**12)])
        found.append(pack_body(Command.OPEN_ACCOUNT, body, account=account))
    return found


def order(account: int, side: Side, price_ticks: int, quantity_lots: int = 100) -> bytes:
    return pack(
        Command.NEW_ORDER,
        account=account,
        instrument=1,
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price_ticks=price_ticks,
        quantity_lots=quantity_lots,
    )


def trade(house: Sequencer, rounds: int) -> None:
    for number in range(rounds):
        house.commit([order(16, Side.SELL, 1000 + number % 7)])
        house.commit([order(17, Side.BUY, 1003, 60), order(17, Side.BUY, 500)])


def test_replay_snapshot_and_verify_agree_with_the_live_state(tmp_path: Path) -> None:
    """Live hash = replay hash = snapshot + tail hash = verify's, and every asset sums to 0."""
    house = open_real(tmp_path)
    house.commit(definitions())
    trade(house, 20)
    house.snapshot(wait=True)
    trade(house, 20)
    state, seq = house.exchange.state_hash(), house.seq
    kill(house)
    house = open_real(tmp_path)
    assert (house.exchange.state_hash(), house.seq) == (state, seq)
    kill(house)
    for path in (tmp_path / "snapshots").iterdir():
        path.unlink()
    house = open_real(tmp_path)
    assert house.exchange.state_hash() == state
    house.close()
    report = verify(tmp_path)
    assert report.state_hash == state.hex()
    assert report.last_seq == seq
    assert set(report.assets) == {"BTC", "USDT"}
    assert {totals.sum for totals in report.assets.values()} == {"0"}
    assert report.assets["BTC"].world == "-200"
    assert float(report.assets["BTC"].house) > 0  # fees


def test_a_planted_poison_is_skipped_and_replay_agrees(tmp_path: Path) -> None:
    """The core's own SKIPPED follows, and the planted core replays to the same state."""
    house = open_real(tmp_path, exchange_factory=Planted)
    house.commit(definitions())
    trade(house, 3)
    seq = house.seq
    with pytest.raises(Poisoned) as poisoned:
        house.commit([order(16, Side.SELL, 900), order(16, Side.SELL, PLANTED_TICKS)])
    assert poisoned.value.seq == seq + 2
    kill(house)
    with pytest.raises(Poisoned):
        open_real(tmp_path, exchange_factory=Planted)
    repair(tmp_path, skip_seqs=[seq + 2], reason=1, exchange_factory=Planted)
    house = open_real(tmp_path, exchange_factory=Planted)
    *_, tombstone = house.events.read_from(seq + 3)
    (skipped,) = split(tombstone.payload)
    assert unpack(skipped)["kind"] == Event.SKIPPED
    assert unpack(skipped)["skipped_seq"] == seq + 2
    trade(house, 2)
    state = house.exchange.state_hash()
    kill(house)
    assert open_real(tmp_path, exchange_factory=Planted).exchange.state_hash() == state
    assert verify(tmp_path, exchange_factory=Planted).state_hash == state.hex()


def test_a_snapshot_of_another_release_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state of another version isn't read: the start names both and what to do."""
    sequencer = open_real(tmp_path / "data")
    sequencer.commit(definitions())
    sequencer.snapshot()
    sequencer.close()
    monkeypatch.setattr("fondaco.core.snapshot.VERSION", 99)
    with pytest.raises(WrongVersion, match="version 99: start the release that wrote it"):
        open_real(tmp_path / "data")

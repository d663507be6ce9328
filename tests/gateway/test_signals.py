"""`<symbol>@signal` over tables that a test fills: who hears what, and what a listener costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import OperationalError

from fondaco.gateway import signals as signal_topics
from fondaco.robots.hub import published
from tests.gateway.stand_ins import SmallHouse, Socket, small_house

Words = dict[str, Any]


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tables looked at when the tests say so, however long they take."""
    monkeypatch.setattr(signal_topics, "LOOK_S", 3600.0)


def rating(bar: str, *, symbol: str = "BTCUSDT", interval: str = "1h") -> Words:
    return {
        "kind": "technical_ratings",
        "symbol": symbol,
        "interval": interval,
        "bar": bar,
        "summary": "BUY",
        "value": 0.25,
        "detail": {"averages": 0.5, "oscillators": 0.0},
    }


def signal(number: int, symbol: str = "BTC") -> Words:
    return {
        "id": number,
        "symbol": symbol,
        "summary": "STRONG_BUY",
        "time": "2026-11-29T12:00:00Z",
        "received": "2026-11-29T12:00:01Z",
        "source": "",
    }


class Tables:
    """What `published` reads, by hand, in the order in which it was written."""

    def __init__(self) -> None:
        self.ratings: list[Words] = []
        self.signals: list[Words] = []
        self.asked: list[str] = []
        self.is_busy = False

    async def read(self, call: Callable[..., Any], *args: Any, **_: Any) -> Any:
        assert call.__module__ == published.__name__, call
        self.asked.append(call.__name__)
        if self.is_busy:
            raise OperationalError("database is locked")
        return getattr(self, call.__name__)(*args)

    def marks(self) -> published.Marks:
        return published.Marks(len(self.ratings), len(self.signals))

    def now(self, symbol: str, base: str) -> published.Now:
        ratings = [each for each in self.ratings if each["symbol"] == symbol]
        signals = [each for each in self.signals if each["symbol"] == base]
        return published.Now(ratings[-1:], signals[::-1])

    def since(
        self, told: published.Marks, symbols: Iterable[str], bases: Iterable[str]
    ) -> tuple[published.Marks, published.Now]:
        ratings = [each for each in self.ratings[told.rating :] if each["symbol"] in symbols]
        late = max(0, told.signal - published.LATE_ROWS)
        signals = [each for each in self.signals[late:] if each["symbol"] in bases]
        return self.marks(), published.Now(ratings, signals)


async def house_with(tables: Tables, **settings: Any) -> SmallHouse:
    house = await small_house(cash="USDT", **settings)
    house.gateway.edge.read = tables.read  # type: ignore[method-assign]
    return house


async def look(house: SmallHouse) -> None:
    """Have the tables looked at once more now, and tell who came meanwhile."""
    signals = house.gateway.broadcast._signals
    if signals._look is not None:
        await signals._look
    signals._look_due = 0.0
    house.gateway.broadcast.tick()
    assert signals._look is not None
    await signals._look
    house.gateway.broadcast.tick()


async def test_a_newcomer_is_told_what_is_known_then_what_comes() -> None:
    """First "signals" with the newest of all, then a rating and a signal, each once."""
    tables = Tables()
    tables.ratings += [rating("2026-11-29T10:00:00Z"), rating("2026-11-29T11:00:00Z")]
    tables.signals += [signal(1), signal(2, "ETH"), signal(3)]
    house = await house_with(tables)
    async with Socket(house, "/ws/btcusdt@signal") as socket:
        await look(house)
        first = await socket.next()
        assert (first["e"], first["s"]) == ("signals", "BTCUSDT")
        assert [each["bar"] for each in first["ratings"]] == ["2026-11-29T11:00:00Z"]
        assert [each["id"] for each in first["signals"]] == [3, 1]
        tables.ratings += [
            rating("2026-11-29T11:00:00Z"),  # rated again by a worker that began anew
            rating("2026-11-29T12:00:00Z", symbol="ETHUSDT"),
            rating("2026-11-29T12:00:00Z"),
        ]
        tables.signals += [signal(4)]
        await look(house)
        await look(house)
        told, sent = await socket.next(), await socket.next()
        assert (told["e"], told["s"], told["bar"]) == ("rating", "BTCUSDT", "2026-11-29T12:00:00Z")
        assert (told["interval"], told["value"], told["detail"]["averages"]) == ("1h", 0.25, 0.5)
        assert (sent["e"], sent["s"], sent["id"]) == ("signal", "BTCUSDT", 4)
        assert socket.out.empty()
    async with Socket(house, "/stream", b"streams=btcusdt@signal") as later:
        await look(house)
        wrapped = await later.next()
        assert wrapped["stream"] == "btcusdt@signal"
        assert [each["id"] for each in wrapped["data"]["signals"]] == [4, 3, 1]


async def test_a_hundred_listeners_are_one_look_and_none_is_none() -> None:
    """The tables are asked once a look for all who listen; not at all when the last has gone."""
    tables = Tables()
    house = await house_with(tables)
    sockets = [Socket(house, "/ws/btcusdt@signal/ethusdt@signal") for _ in range(100)]
    for socket in sockets:
        await socket.__aenter__()
    await look(house)
    tables.asked.clear()
    tables.signals += [signal(1)]
    await look(house)
    assert tables.asked == ["since"]
    for socket in sockets:
        assert (await socket.until(lambda told: told["e"] == "signal"))["id"] == 1
        await socket.__aexit__()
    signals = house.gateway.broadcast._signals
    signals._look_due = 0.0
    before = signals._look
    house.gateway.broadcast.tick()
    assert signals._look is before
    assert tables.asked == ["since"]


async def test_a_look_that_failed_loses_nothing(capsys: Any) -> None:
    """While the database is busy nothing is told; the next look tells what came meanwhile."""
    tables = Tables()
    house = await house_with(tables)
    async with Socket(house, "/ws/btcusdt@signal") as socket:
        await look(house)
        assert (await socket.next())["e"] == "signals"
        tables.is_busy = True
        tables.ratings += [rating("2026-11-29T12:00:00Z")]
        await look(house)
        assert "signals: database is locked" in capsys.readouterr().err
        assert "streams" not in house.gateway.why_not_ready()
        tables.is_busy = False
        await look(house)
        assert (await socket.next())["e"] == "rating"


async def test_a_signal_committed_late_is_told_and_an_old_one_isn_t() -> None:
    """Of two writers the one with the lower number may be the later: it is told, once."""
    tables = Tables()
    tables.signals += [signal(number) for number in range(100, 100 + published.SIGNALS_TOLD)]
    house = await house_with(tables)
    async with Socket(house, "/ws/btcusdt@signal") as socket:
        await look(house)
        assert len((await socket.next())["signals"]) == published.SIGNALS_TOLD
        tables.signals += [signal(121), signal(120), signal(7)]
        await look(house)
        assert [(await socket.next())["id"] for _ in range(2)] == [121, 120]
        await look(house)
        assert socket.out.empty()


async def test_a_signal_means_the_book_in_the_house_s_cash() -> None:
    """A book whose quote is another asset has ratings, and no signals."""
    tables = Tables()
    tables.ratings += [rating("2026-11-29T12:00:00Z")]
    tables.signals += [signal(1)]
    house = await small_house(cash="EUR")
    house.gateway.edge.read = tables.read  # type: ignore[method-assign]
    async with Socket(house, "/ws/btcusdt@signal") as socket:
        await look(house)
        first = await socket.next()
        assert (len(first["ratings"]), first["signals"]) == (1, [])


async def test_there_is_no_such_stream_of_an_unknown_market() -> None:
    """It is answered as for any stream that isn't there, and the socket stays open."""
    house = await house_with(Tables())
    async with Socket(house, "/ws") as socket:
        for name in ("nosuch@signal", "btcusdt@signal@100ms"):
            answer = await socket.ask(method="SUBSCRIBE", params=[name], id=1)
            assert name in answer["error"]["msg"]
        answer = await socket.ask(method="SUBSCRIBE", params=["btcusdt@signal"], id=2)
        assert answer["result"] is None

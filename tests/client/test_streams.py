"""Streams of the client library: live, through broken connections, without a gap."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817 - a letter for a table
from typing import Any

import msgspec
import pytest

from fondaco_client import (
    ApiKey,
    AsyncClient,
    Client,
    FondacoError,
    NotSent,
    OutcomeUnknown,
    StreamEnded,
    Token,
    Unauthorised,
    Unfit,
)
from fondaco_client.flow import Ask, House, Pause, Reply, Retrying
from fondaco_client.streams import (
    AccountSnapshot,
    BalancesTold,
    Book,
    Connect,
    Connected,
    Event,
    Hear,
    OrderTold,
    Say,
    StreamBroken,
    Tell,
    TradeTold,
    _book,
    _own,
    _public,
)
from tests.house_fixture import RunningHouse, house

__all__ = ["house"]

WAIT_S = 30


@pytest.fixture
def ann(house: RunningHouse) -> Iterator[Client]:
    with Client(house.url, ApiKey(*house.ann)) as client:
        yield client
        for order in client.orders.open():  # what a failed test left would mislead the next
            client.orders.cancel(order.symbol, order_id=order.order_id)


@pytest.fixture
def bob(house: RunningHouse) -> Iterator[Client]:
    with Client(house.url, ApiKey(*house.bob)) as client:
        yield client


# ---- against a real house


def test_trades_are_told_as_they_happen(ann: Client, bob: Client) -> None:
    """A trade that is made while a stream is read is told by it, and nothing else as a trade."""
    ann.orders.place("ETHUSDT", "SELL", quantity="1", price="3000")
    with contextlib.closing(ann.streams.public("ethusdt@trade")) as stream:
        assert isinstance(next(stream), Connected)
        bob.orders.place("ETHUSDT", "BUY", "MARKET", quantity="0.4")
        told = next(stream)
    assert isinstance(told, TradeTold)
    assert (told.price, told.quantity, told.buyer_is_maker) == (D(3000), D("0.4"), False)


async def test_own_orders_and_balances_are_told(house: RunningHouse, ann: Client) -> None:
    """A snapshot comes first; then the report of a new order, the balance it held, its cancel."""
    async with asyncio.timeout(WAIT_S), AsyncClient(house.url, ApiKey(*house.ann)) as client:
        told: list[Any] = []
        placed: Any = None
        async for event in client.streams.own():
            told.append(event)
            if isinstance(event, AccountSnapshot):
                assert event.open_orders == ()
                placed = await client.orders.place(
                    "BTCUSDT", "BUY", quantity="0.001", price="20000"
                )
            elif isinstance(event, OrderTold) and event.execution == "NEW":
                await client.orders.cancel("BTCUSDT", order_id=placed.order_id)
            elif isinstance(event, OrderTold):
                break
    orders = [each for each in told if isinstance(each, OrderTold)]
    assert [(each.order_id, each.status) for each in orders] == [
        (placed.order_id, "NEW"),
        (placed.order_id, "CANCELED"),
    ]
    [balance] = next(each for each in told if isinstance(each, BalancesTold)).balances
    assert (balance.asset, balance.held) == ("USDT", D(20))


def test_a_book_follows_every_change(ann: Client) -> None:
    """A live copy shows an order that comes, and then that it went."""
    for book in ann.streams.book("BTCUSDT"):
        if not book.bids:
            ann.orders.place("BTCUSDT", "BUY", quantity="0.002", price="19999")
        else:
            assert (book.bids[0].price, book.bids[0].quantity) == (D(19999), D("0.002"))
            break


def test_a_stream_of_ones_own_wants_a_good_key(house: RunningHouse) -> None:
    """A wrong secret is Unauthorised, and a token is no key."""
    with Client(house.url, ApiKey(house.ann.key, "wrong")) as client, pytest.raises(Unauthorised):
        next(iter(client.streams.own()))
    with Client(house.url, Token("t")) as client, pytest.raises(TypeError, match="API key"):
        client.house.ahead_us = 0
        next(iter(client.streams.own()))


async def test_a_client_closes_the_streams_that_were_left(house: RunningHouse) -> None:
    """On asyncio the client's end closes the socket of a stream that nobody reads on."""
    async with AsyncClient(house.url) as client:
        stream = client.streams.public("btcusdt@trade")
        assert isinstance(await anext(stream), Connected)
        [socket] = client._sockets
        assert socket.state.name == "OPEN"
    assert socket.state.name == "CLOSED"
    await stream.aclose()


async def test_what_the_house_refuses_ends_a_stream(house: RunningHouse) -> None:
    """An address that the house doesn't take is told by name, on both clients, not tried again."""
    with Client(house.url) as client, pytest.raises(Unfit):
        next(client.streams.public("no name"))
    async with AsyncClient(house.url) as waiting:
        with pytest.raises(Unfit):
            await anext(waiting.streams.public("no name"))


def test_streams_outlive_the_house(house: RunningHouse, ann: Client) -> None:
    """A house that is killed and started again is followed on, each reader told to begin anew."""
    placed = ann.orders.place("BTCUSDT", "BUY", quantity="0.003", price="19998")
    with (
        contextlib.closing(ann.streams.public("btcusdt@trade")) as public,
        contextlib.closing(ann.streams.own()) as own,
        contextlib.closing(ann.streams.book("BTCUSDT")) as books,
    ):
        before = [next(public), next(own), next(books).bids]
        house.kill()
        house.start()
        after = [next(public), next(own), next(books).bids]
    assert after == before
    assert isinstance(after[0], Connected)
    assert isinstance(after[1], AccountSnapshot)
    assert [each.order_id for each in after[1].open_orders] == [placed.order_id]


# ---- by script: the flows without a network


def change(first: int, last: int, bid: str) -> bytes:
    words = {"e": "depthUpdate", "U": first, "u": last, "b": [["10", bid]], "a": []}
    return msgspec.json.encode(words)


def depth(last: int, bid: str) -> Reply:
    words = {"lastUpdateId": last, "bids": [["10", bid]], "asks": []}
    return Reply(200, msgspec.json.encode(words))


def run(stream: Any, answers: list[Any], events: int) -> tuple[list[str], list[Any]]:
    """Drive a stream by answers to what it asks and hears; returns its steps and its events."""
    steps, told = [], []
    step = next(stream)
    while True:
        steps.append(type(step).__name__)
        answer: Any = None
        if isinstance(step, Tell):
            told.append(step.event.bids[0].quantity if isinstance(step.event, Book) else step.event)
            if len(told) == events:
                stream.close()
                return steps, told
        elif isinstance(step, Ask | Hear):
            answer = answers.pop(0)
            assert isinstance(answer, Exception) or isinstance(answer, Reply) is isinstance(
                step, Ask
            )
        else:
            assert isinstance(step, Connect | Say | Pause)
        failed = isinstance(answer, Exception)
        step = stream.throw(answer) if failed else stream.send(answer)


def test_a_gap_loads_the_book_anew() -> None:
    """A change that doesn't follow makes the book connect and read again; old ones are passed."""
    answers = [
        *(depth(5, "1"), change(4, 5, "7"), change(6, 7, "2"), change(9, 9, "3")),
        *(depth(12, "8"), change(12, 13, "9")),
    ]
    steps, told = run(_book(House("http://127.0.0.1"), "X"), answers, 5)
    assert told == [D(1), D(1), D(2), D(8), D(9)]
    assert steps.count("Connect") == 2


def test_a_book_that_takes_every_change_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a book that looks at no sequence shows a wrong level."""
    genuine = Book.take

    def careless(self: Book, told: Any) -> bool:
        self.last_update_id = told.first - 1
        return genuine(self, told)

    monkeypatch.setattr(Book, "take", careless)
    with pytest.raises(AssertionError):
        test_a_gap_loads_the_book_anew()


def test_a_broken_connection_is_told_of() -> None:
    """After each new connection comes Connected, so that the reader takes new reads."""
    text = msgspec.json.encode({"stream": "x@quote", "data": {"e": "quote", "s": "X"}})
    answers = [text, StreamBroken("planted"), text]
    steps, told = run(_public(House("http://127.0.0.1"), ("x@quote",)), answers, 4)
    event = Event(stream="x@quote", content={"e": "quote", "s": "X"})
    assert told == [Connected(), event, Connected(), event]
    assert steps.count("Pause") == 1


def test_an_account_is_read_anew_after_a_broken_connection() -> None:
    """Each connection subscribes, signed anew, and begins with a snapshot."""
    account = Reply(200, b'{"canTrade":true,"uid":7,"balances":[]}')
    nothing = Reply(200, b"[]")
    subscribed = b'{"id":1,"status":200,"result":{"subscriptionId":0}}'
    once = [subscribed, account, nothing]
    house = House("http://127.0.0.1", ApiKey("k", "s"), ahead_us=0)
    steps, told = run(_own(house), [*once, StreamBroken("planted"), *once], 2)
    assert told == [AccountSnapshot(balances=(), open_orders=())] * 2
    assert steps.count("Say") == 2


def test_the_houses_last_word_ends_a_stream() -> None:
    """A key that ended is StreamEnded, not one more connection."""
    told = [Reply(200, b'{"canTrade":true,"uid":7,"balances":[]}'), Reply(200, b"[]")]
    subscribed = b'{"id":1,"status":200,"result":{"subscriptionId":0}}'
    ended = b'{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}'
    house = House("http://127.0.0.1", ApiKey("k", "s"), ahead_us=0)
    with pytest.raises(StreamEnded):
        run(_own(house), [subscribed, *told, ended], 2)


@pytest.mark.parametrize("fault", [NotSent("planted"), OutcomeUnknown("planted")])
def test_a_read_that_gets_no_answer_ends_no_stream(fault: FondacoError) -> None:
    """A house that goes between the connection and the read is waited for, as any other."""
    house = House("http://127.0.0.1", retrying=Retrying(tries_max=1))
    steps, told = run(_book(house, "X"), [fault, depth(5, "1")], 1)
    assert told == [D(1)]
    assert steps == ["Connect", "Ask", "Pause", "Connect", "Ask", "Tell"]


def test_a_house_that_is_away_is_waited_for() -> None:
    """A driver keeps connecting to an address where nobody listens; the pauses grow."""
    house = House("http://127.0.0.1")
    stream: Any = _public(house, ("x@trade",))
    pauses: list[float] = []
    step = next(stream)
    while len(pauses) < 8:
        if isinstance(step, Pause):
            pauses.append(step.seconds)
            step = stream.send(None)
        else:
            assert isinstance(step, Connect)
            step = stream.throw(StreamBroken("refused"))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.4, 10)

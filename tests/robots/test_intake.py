"""From payloads to quotes in the journal: order, repeats, refusals, and an answer that is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
import pytest

from fondaco.core import records
from fondaco.core.records import AssetBody, Command, Event, InstrumentBody, Query, Reason, pack
from fondaco.house.commands import Definitions
from fondaco.house.declared import FeedEntry
from fondaco.link.answers import Answer, LinkError, Overloaded, Unanswered
from fondaco.robots import selectors, services
from fondaco.robots.feeds.intake import Flight, Intake, NotTaken, Waiting
from fondaco.robots.feeds.messages import read
from fondaco.robots.feeds.stocks import Stocks, free_code
from fondaco.robots.models import FeedState
from tests.mosquitto_fixture import CIB, price

FEED = FeedEntry(kind="mqtt", topic="prices")
pytestmark = pytest.mark.django_db


def at(second: int) -> str:
    return f"2022-12-05 00:00:{second:02}"


class Core:
    """Keeps definitions and quotes; gives the verdicts of the core's dealer."""

    def __init__(self) -> None:
        self.definitions = [
            records.pack_body(Event.ASSET, AssetBody(number=1, code="USD", decimals=8))
        ]
        self.quotes: list[tuple[int, ...]] = []
        self.faults: list[LinkError | None] = []
        self.sent = 0

    def query(self, record: bytes) -> Answer:
        if int.from_bytes(record[:2], "little") == Query.TOTALS:
            return Answer(0, b"")
        return Answer(0, b"".join(self.definitions))

    def submit(self, record: bytes) -> bytes:
        kind = int.from_bytes(record[:2], "little")
        event, body = {
            Command.DEFINE_ASSET: (Event.ASSET, AssetBody),
            Command.DEFINE_INSTRUMENT: (Event.INSTRUMENT, InstrumentBody),
        }[Command(kind)]

        made = records.pack_body(
            event, msgspec.msgpack.decode(records.unpack_body(record), type=body)
        )
        self.definitions.append(made)
        return made

    def carry_out(self, command: bytes) -> bytes | LinkError:
        """Answer a command; `faults` says what befalls each: Unanswered is done all the same."""
        self.sent += 1
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Overloaded):
            return fault
        answer = self._quote(records.unpack(command))
        return answer if fault is None else fault

    def _quote(self, words: dict[str, int]) -> bytes:
        quote = tuple(words[name] for name in ("message_us", "price_ticks", "availability_lots"))
        if quote in self.quotes:
            reason = Reason.DUPLICATE_QUOTE
            return pack(Event.REFUSED, command=Command.QUOTE, reason=reason)
        verdict = 1 if not self.quotes or quote[0] >= max(self.quotes)[0] else 2
        self.quotes.append(quote)
        return pack(Event.QUOTE, verdict=verdict, message_us=quote[0], bought_lots=quote[2] % 2)


@pytest.fixture
def core() -> Core:
    return Core()


def intake_of(core: Core) -> Intake:
    return Intake(core, Stocks(core, FEED, "USD"), FeedState(name="feed"))


class CoreLink:
    """A connection to the stand-in; its answers come all at once, refusals first.

    As the writer it refuses, after one that was refused, all others, unless it is `careless`.
    """

    careless = False

    def __init__(self, core: Core) -> None:
        self._core = core
        self._refused: LinkError | None = None
        self._answers: list[tuple[int, bytes | LinkError]] = []
        self._last = 0

    def fileno(self) -> int:
        return 0

    def send(self, records: Sequence[bytes]) -> int:
        first = self._last + 1
        self._last += len(records)
        answers: list[bytes | LinkError] = []
        for record in records:
            answer = self._refused or self._core.carry_out(record)
            if isinstance(answer, Overloaded) and not self.careless:
                self._refused = answer
            answers.append(answer)
        found = list(enumerate(answers, first))
        self._answers += sorted(found, key=lambda each: isinstance(each[1], bytes))
        return first

    def receive(self, timeout_s: float) -> list[tuple[int, bytes | LinkError]]:
        found, self._answers = self._answers, []
        for _, answer in found:
            if isinstance(answer, Unanswered):
                raise answer
        return found

    def close(self) -> None:
        self._answers.clear()


def take(intake: Intake, payloads: Sequence[bytes], stop: Waiting) -> None:
    """Send payloads on their way; return when all have landed, in their order."""
    flight = Flight(intake, lambda: CoreLink(intake._core))  # type: ignore[arg-type]
    half = len(payloads) // 2 if len(payloads) > 3 else 0
    flight.launch(list(enumerate(payloads[:half])), stop)
    flight.launch(list(enumerate(payloads[half:], half)), stop)
    done: list[int] = []
    while len(done) < len(payloads):
        done += flight.landed(stop)
    assert done == list(range(len(payloads)))
    assert flight.landed(stop) == []


class Never:
    """A stop that is not set, and waits not."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout_s: float) -> bool:
        return False


def test_what_comes_is_counted_by_its_verdict(core: Core) -> None:
    """Current, older, repeated and unfit messages of one batch are told apart, in their order."""
    intake = intake_of(core)
    batch = [
        price(20, 50, at(1)),
        price("20.01", 51, at(3)),
        price(20, 50, at(1)),
        price(19, 10, at(2)),
        price(19.999, 10, at(4)),
        b"not JSON",
    ]
    take(intake, batch, Never())
    state = intake.state
    assert (state.received, state.current, state.older) == (6, 2, 1)
    assert (state.duplicate, state.set_aside, state.filled) == (1, 2, 1)
    assert [quote[1:] for quote in core.quotes] == [(2000, 50), (2001, 51), (1900, 10)]
    kept = selectors.messages_aside("feed", 10)
    assert [each.fault for each in kept] == ["BODY", "PRICE"]
    assert kept[1].reason == "tick size is 0.01; price was 19.999"
    assert kept[0].payload == "not JSON"


def test_a_stock_first_seen_is_listed_once(core: Core) -> None:
    """It gets an asset of whole shares and an instrument with its id and name; later names wait."""
    intake = intake_of(core)
    take(intake, [price(0, 1, at(1)), price(20, 0, at(1)), price(1.005, 1, at(1))], Never())
    assert len(core.definitions) == 1, "what can't be taken lists nothing"
    take(intake, [price(20, 50, at(1)), price(21, 50, at(2), name="Other")], Never())
    found = Definitions.of(b"".join(core.definitions))
    assert list(found.instruments) == ["CIBUSD"]
    body = found.instruments["CIBUSD"]
    assert (body.market, body.stock_id, body.name) == (2, CIB, "CIB")
    assert (found.assets["CIB"].decimals, body.base_per_lot, body.fee_in_quote) == (0, 1, True)


def test_a_symbol_is_taken_once(core: Core) -> None:
    """Stocks of one name get numbers; a name without letters is taken from the id."""
    intake = intake_of(core)
    names = ["CIB", "cib", "C.I.B.", "البنك", "A very long name of a stock"]
    batch = [
        price(20, 5, at(1), stock_id=f"id-{place}", name=name) for place, name in enumerate(names)
    ]
    take(intake, batch, Never())
    found = Definitions.of(b"".join(core.definitions))
    assert list(found.instruments) == ["CIBUSD", "CIB2USD", "CIB3USD", "ID3USD", "AVERYLONGNAMUSD"]
    message = read(price(1, 1, at(1), name="CIB"))
    assert free_code(message, "USD", found, decimals=0, empty=set()) == "CIB4"


def test_a_code_that_somebody_holds_is_not_taken(core: Core) -> None:
    """A stock never shares the asset of a coin; one that an earlier try left empty is used."""
    made = AssetBody(number=2, code="CIB", decimals=0)
    core.definitions.append(records.pack_body(Event.ASSET, made))
    found = Definitions.of(b"".join(core.definitions))
    message = read(price(1, 1, at(1)))
    assert free_code(message, "USD", found, decimals=0, empty={1}) == "CIB2"
    assert free_code(message, "USD", found, decimals=0, empty={2}) == "CIB"
    assert free_code(message, "USD", found, decimals=2, empty={2}) == "CIB2"


def test_what_has_no_answer_is_sent_again(core: Core) -> None:
    """A lost connection leaves all unknown: they go again, and those that were done are repeats."""
    intake = intake_of(core)
    take(intake, [price(20, 50, at(1))], Never())
    core.faults = [None, Unanswered("?"), None]
    take(intake, [price(20, n, at(n)) for n in (2, 3, 4)], Never())
    assert core.sent == 1 + 3 + 3
    assert [quote[2] for quote in core.quotes] == [50, 2, 3, 4]
    assert (intake.state.current, intake.state.duplicate) == (1, 3)


@pytest.mark.parametrize("careless", [False, True])
def test_what_was_refused_is_not_overtaken(
    core: Core, monkeypatch: pytest.MonkeyPatch, *, careless: bool
) -> None:
    """An overloaded message and all after it go again in their order: each becomes the price.

    A writer that took the later ones all the same (the planted fault) makes one older.
    """
    monkeypatch.setattr(CoreLink, "careless", careless)
    intake = intake_of(core)
    take(intake, [price(20, 50, at(1))], Never())
    core.faults = [None, Overloaded("full"), None, Overloaded("full")]
    take(intake, [price(20, n, at(n)) for n in (2, 3, 4, 5)], Never())
    assert (intake.state.older > 0) is careless
    if not careless:
        assert [quote[2] for quote in core.quotes] == [50, 2, 3, 4, 5]
        assert (intake.state.current, intake.state.duplicate) == (5, 0)


def test_told_to_stop_it_takes_nothing_half(core: Core) -> None:
    """A batch whose answers are missing when the process stops may not be acknowledged."""
    intake = intake_of(core)
    take(intake, [price(20, 50, at(1))], Never())
    core.faults = [Overloaded("full")]
    stop = threading.Event()
    stop.set()
    with pytest.raises(NotTaken):
        take(intake, [price(20, 50, at(2))], stop)


def test_what_is_set_aside_has_a_bound(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest messages of a feed are kept, another's stay; each is shown as far as it fits."""
    monkeypatch.setattr(services, "SET_ASIDE_MAX", 3)
    services.set_aside("other", [services.Aside("BODY", "x", b"other")], now_us=1)
    for number in range(5):
        services.set_aside("feed", [services.Aside("BODY", "x", b"%d\0\xff" % number)], now_us=1)
    kept = [each.payload for each in selectors.messages_aside("feed", 10)]
    assert kept == ["4\\x00\\xff", "3\\x00\\xff", "2\\x00\\xff"]
    assert [each.payload for each in selectors.messages_aside("other", 10)] == ["other"]
    many = [services.Aside("BODY", "r" * 999, b"x" * 9999)] * 7
    services.set_aside("feed", many, now_us=1)
    assert len(selectors.messages_aside("feed", 10)) == 3
    assert len(selectors.messages_aside("feed", 1)[0].payload) == 2048

"""An account's own events: execution reports, balances, and the keys that open the stream.

Promises: reports go out in journal order with the balances of the same command behind them; the
report of an order that waits for a quote or in a pool says why, and whose order is part of a venue
order hears what becomes of that; a
listen key is a bearer secret that names one account, lives for an hour from its last use and dies
with the API key or the session that made it, or when it is ended at any edge. It writes no sockets.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from fondaco.core.records import Cause, Event, OrderStatus, OrderType, Side, VenueStatus, Wait
from fondaco.gateway import faults
from fondaco.gateway.auth import Caller
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.faults import Fault
from fondaco.gateway.list_answers import list_status_json
from fondaco.gateway.orders import (
    EXECUTIONS,
    PREVENTION_TEXTS,
    SIDE_TEXTS,
    STATUSES,
    TIME_TEXTS,
    TYPE_TEXTS,
    client_id_text,
    offsets_of,
    words_of,
    working_ms,
)
from fondaco.gateway.outside import VENUE_PART
from fondaco.gateway.overlay import ORDER_WORDS, OrderState, list_row, unpack_fill
from fondaco.gateway.streams import USER, Topics
from fondaco.identity.seal import open_secret, seal_secret

__all__ = ["ListenKeys", "UserStream", "report_json"]

BALANCE: Final = int(Event.BALANCE)
FILL: Final = int(Event.FILL)
CANCEL: Final = int(Event.CANCEL)
LIST: Final = int(Event.LIST)
CANCEL_BYTES: Final = (ORDER_WORDS + 4) * 8
QUOTE: Final = int(Event.QUOTE)
LISTEN_KEY_S: Final = 3600.0
LISTEN_KEYS_MAX: Final = 100_000
ENDED: Final = float("-inf")
MOVED: Final = frozenset({int(Cause.DEPOSIT), int(Cause.WITHDRAWAL), int(Cause.TRANSFER)})
OPEN: Final = frozenset({int(OrderStatus.NEW), int(OrderStatus.PARTIALLY_FILLED)})


def topic_of(account: int) -> str:
    """Return the topic of an account's own events."""
    return f"{USER}{account}"


def wait_text(state: OrderState, events: bytes, offset: int) -> str:
    """Return why an open order of a dealer or agency market waits, as a field of its report."""
    if state.order_type < OrderType.BOUNDED or state.status not in OPEN:
        return ""
    is_new = state.filled_lots == 0
    if state.order_type == OrderType.POOLED:
        wait = Wait.POOL if is_new else Wait.VENUE
    else:
        wait = Wait.NO_QUOTE if is_new else wait_after(state, events, offset)
    return f',"wait":"{wait.name}"'


def wait_after(state: OrderState, events: bytes, offset: int) -> Wait:
    """Return what the quote that filled an order in part says of its side; it comes behind."""
    for at in offsets_of(events, QUOTE, start=offset):
        words = memoryview(events)[at : at + 120].cast("q")
        if words[5] == state.instrument:
            return Wait(words[13 if state.side == Side.BUY else 14])
    raise AssertionError(f"order {state.order_id} was filled at {state.seq} without a quote")


def report_json(events: bytes, offset: int, kind: int, edge: Edge) -> str:
    """Return the executionReport of an ORDER, FILL or CANCEL event."""
    state = OrderState.at(events, offset)
    instrument = edge.catalogue.instruments[state.instrument]
    tick, lot, quote = instrument.tick.text, instrument.lot.text, instrument.quote.text
    client_id = client_id_text(words_of(state), state.order_id)
    original = ""
    last_price = last_lots = last_quote = fee = 0
    fee_text, fee_asset, trade_id, is_maker = '"0"', "null", -1, False
    if kind == FILL:
        words = unpack_fill(events, offset)
        told = words[ORDER_WORDS:]
        last_price, last_lots, last_quote, fee, asset_number, trade_id = told[:6]
        is_maker = bool(told[6])
        asset = instrument.base if asset_number == instrument.base.number else instrument.quote
        fee_text, fee_asset = f'"{asset.text(fee)}"', f'"{asset.code}"'
    elif kind == CANCEL:
        original = client_id
        cancel_words = memoryview(events)[offset : offset + CANCEL_BYTES].cast("q")[ORDER_WORDS:]
        client_id = client_id_text(cancel_words, 0) if any(cancel_words) else f"C{state.seq}"
    made_ms, stamp_ms = state.created_us // 1000, state.time_us // 1000
    return (
        f'{{"e":"executionReport","E":{stamp_ms},"s":"{instrument.symbol}","c":"{client_id}",'
        f'"S":"{SIDE_TEXTS[state.side]}","o":"{TYPE_TEXTS[state.order_type]}",'
        f'"f":"{TIME_TEXTS[state.time_in_force]}",'
        f'"q":"{lot(state.quantity_lots or state.filled_lots)}","p":"{tick(state.price_ticks)}",'
        f'"P":"{tick(state.stop_price_ticks)}","F":"0.00000000",'
        f'"g":{state.list_id or -1},"C":"{original}",'
        f'"x":"{EXECUTIONS[state.execution]}","X":"{STATUSES[state.status]}","r":"NONE",'
        f'"i":{state.order_id},"l":"{lot(last_lots)}","z":"{lot(state.filled_lots)}",'
        f'"L":"{tick(last_price)}","n":{fee_text},"N":{fee_asset},"T":{stamp_ms},'
        f'"t":{trade_id},"I":{state.seq << 10 | (offset >> 3) & 1023},'
        f'"w":{"true" if state.status in OPEN and state.working_us else "false"},'
        f'"m":{"true" if is_maker else "false"},"M":{"true" if kind == FILL else "false"},'
        f'"O":{made_ms},"Z":"{quote(state.filled_quote)}","Y":"{quote(last_quote)}",'
        f'"Q":"{quote(state.quote_quantity)}","W":{working_ms(state)},'
        f'"V":"{PREVENTION_TEXTS[state.self_trade]}"{wait_text(state, events, offset)}}}'
    )


class UserStream:
    """Turns the events of accounts that somebody listens to into messages."""

    def __init__(self, edge: Edge, topics: Topics) -> None:
        self._edge = edge
        self._topics = topics
        self._balances: dict[int, dict[int, tuple[int, int]]] = {}  # account -> asset -> held
        self._command: tuple[int, int] = (0, 0)  # seq and stamp of the balances

    def take(self, account: int, events: bytes, offset: int, kind: int) -> None:
        """Take one event of an account: ORDER, FILL, CANCEL, LIST or BALANCE."""
        topic = self._topics.get(topic_of(account))
        if topic is None:
            return
        seq = int.from_bytes(events[offset + 8 : offset + 16], "little")
        if seq != self._command[0]:
            self.flush()
            stamp = int.from_bytes(events[offset + 16 : offset + 24], "little")
            self._command = (seq, stamp)
        if kind == LIST:
            number = list_row(events, offset).instrument
            instrument = self._edge.catalogue.instruments[number]
            topic.publish(list_status_json(events, offset, instrument))
            return
        if kind != BALANCE:
            topic.publish(report_json(events, offset, kind, self._edge))
            return
        asset, free, held, change, cause = memoryview(events)[offset + 40 : offset + 80].cast("q")
        self._balances.setdefault(account, {})[asset] = (free, held)
        if cause in MOVED:
            moved = self._edge.catalogue.assets[asset]
            stamp_ms = self._command[1] // 1000
            topic.publish(
                f'{{"e":"balanceUpdate","E":{stamp_ms},"a":"{moved.code}",'
                f'"d":"{moved.text(change)}","T":{stamp_ms}}}'
            )

    def take_venue(self, market: Market, words: list[int]) -> None:
        """Tell whose orders are part of a venue order what became of it: a VENUE_ORDER or _PART."""
        number = words[6]
        if words[0] & 0xFFFF == VENUE_PART:
            self._tell_venue(market, words[2], words[3], [words[7]], VenueStatus.PENDING, number)
            return
        orders: dict[int, list[int]] = {}
        for order_id, account in market.outside.parts.get(number, {}).items():
            if account in self._topics.accounts:
                orders.setdefault(account, []).append(order_id)
        for account, ids in orders.items():
            self._tell_venue(market, words[2], account, ids, VenueStatus(words[7]), number)

    def _tell_venue(
        self,
        market: Market,
        time_us: int,
        account: int,
        orders: list[int],
        status: VenueStatus,
        number: int,
    ) -> None:
        topic = self._topics.get(topic_of(account))
        if topic is not None:
            topic.publish(
                f'{{"e":"venueOrder","E":{time_us // 1000},"s":"{market.instrument.symbol}",'
                f'"venue_order":{number},"status":"{status.name}","orders":{orders}}}'
            )

    def flush(self) -> None:
        """Tell the balances of the command that is behind."""
        if not self._balances:
            return
        stamp_ms = self._command[1] // 1000
        assets = self._edge.catalogue.assets
        for account, held in self._balances.items():
            topic = self._topics.get(topic_of(account))
            if topic is None:
                continue
            parts = [
                f'{{"a":"{assets[number].code}","f":"{assets[number].text(free)}",'
                f'"l":"{assets[number].text(locked)}"}}'
                for number, (free, locked) in held.items()
            ]
            topic.publish(
                f'{{"e":"outboundAccountPosition","E":{stamp_ms},"u":{stamp_ms},'
                f'"B":[{",".join(parts)}]}}'
            )
        self._balances.clear()


Owner = tuple[int, int, str]  # account, API key number, session


class Listener(NamedTuple):
    """Whom a listen key lets listen, and until when (monotonic seconds)."""

    account: int
    key: int  # 0 = made by a session
    session: str
    until: float

    @property
    def owner(self) -> Owner:
        """Who made the listen key."""
        return self.account, self.key, self.session


class Terms(Protocol):
    """identity.listen_keys, which all edges share; called in threads."""

    def terms(self, texts: Iterable[str]) -> Mapping[str, int]: ...

    def lengthen(self, text: str, until_s: int) -> None: ...

    def end(self, text: str) -> None: ...


class ListenKeys:
    """The listen keys that this edge has met; one that another edge made is taken over.

    A key is text: account, API key number, the second of its making, 16 random bytes, the session
    that made it (sealed, if one did), and an HMAC over them by the house's secret. What became of
    it later stands in the terms: who admits a key reads them, and check() does for those in use.
    """

    def __init__(
        self,
        secret: bytes,
        key_lives: Callable[[int], bool],
        signed_in: Callable[[str], Awaitable[Caller | None]],
        terms: Terms,
    ) -> None:
        self._secret = hashlib.blake2b(secret, person=b"listen keys").digest()
        self._key_lives = key_lives
        self._signed_in = signed_in
        self._terms = terms
        self._known: dict[str, Listener] = {}
        self._by_owner: dict[Owner, str] = {}

    async def start(self, call: Call) -> bytes:
        """Make a key, or lengthen the one that the caller got from this edge."""
        owner = (call.who.account, call.who.key, call.who.session)
        text = self._by_owner.get(owner)
        if call.who.key and not self._key_lives(call.who.key):
            raise Fault(*faults.BAD_KEY, status=401)  # too old, or its account is frozen
        if text is None or await self.admit(text) is None:
            text = self._make(*owner)
            self._put(text, Listener(*owner, time.monotonic() + LISTEN_KEY_S))
            self._by_owner[owner] = text
        else:
            await self._lengthen(text)
        return b'{"listenKey":"%s"}' % text.encode()

    async def keep(self, call: Call) -> bytes:
        """Lengthen a key; whose it is stays as it was."""
        await self._lengthen(await self._owned(call))
        return b"{}"

    async def close(self, call: Call) -> bytes:
        text = await self._owned(call)
        await asyncio.to_thread(self._terms.end, text)
        self._end(text)
        return b"{}"

    async def _owned(self, call: Call) -> str:
        text = call.need("listenKey")
        listener = await self.admit(text)
        if listener is None or listener.account != call.who.account:
            raise Fault(*faults.INVALID_LISTEN_KEY)
        return text

    async def admit(self, text: str) -> Listener | None:
        """Return whom a key lets listen, as find() does, by the terms and sessions of now."""
        await self.check([text])
        return self.find(text)

    async def check(self, texts: Iterable[str]) -> None:
        """Read the terms of these keys, and end those whose session is no more."""
        known = [text for text in texts if self._meet(text) is not None]
        if not known:
            return
        terms = await asyncio.to_thread(self._terms.terms, known)
        for text, until_s in terms.items():
            if until_s:
                self._live_until(text, until_s)
            else:
                self._end(text)
        for text in known:
            listener = self.find(text)
            if listener is None or not listener.session:
                continue
            caller = await self._signed_in(listener.session)
            if caller is None or caller.account != listener.account:
                self._end(text)

    def find(self, text: str) -> Listener | None:
        """Return whom a key lets listen, None if it is unknown, expired or its API key revoked."""
        listener = self._meet(text)
        if listener is None or listener.until < time.monotonic():
            return None
        if listener.key and not self._key_lives(listener.key):
            return None
        return listener

    def is_cut(self, text: str) -> bool:
        """Whether a listen key ended because its API key may listen no more."""
        listener = self._known.get(text)
        if listener is None or listener.until == ENDED:
            return False
        return listener.key > 0 and not self._key_lives(listener.key)

    async def _lengthen(self, text: str) -> None:
        until_s = int(time.time() + LISTEN_KEY_S)
        await asyncio.to_thread(self._terms.lengthen, text, until_s)
        self._live_until(text, until_s)

    def _live_until(self, text: str, until_s: int) -> None:
        listener = self._meet(text)
        if listener is not None and listener.until != ENDED:
            until = time.monotonic() + until_s - time.time()
            self._known[text] = listener._replace(until=until)

    def _end(self, text: str) -> None:
        listener = self._meet(text)
        if listener is not None:
            self._known[text] = listener._replace(until=ENDED)
            if self._by_owner.get(listener.owner) == text:
                del self._by_owner[listener.owner]

    def _put(self, text: str, listener: Listener) -> None:
        if len(self._known) >= LISTEN_KEYS_MAX:
            now = time.monotonic()
            self._known = {each: kept for each, kept in self._known.items() if kept.until >= now}
            self._by_owner = {
                owner: each for owner, each in self._by_owner.items() if each in self._known
            }
        self._known[text] = listener

    def _make(self, account: int, key: int, session: str) -> str:
        body = f"{account:x}-{key:x}-{int(time.time()):x}-{secrets.token_hex(16)}"
        hidden = seal_secret(session, bound_to=body).hex() if session else ""
        body = f"{body}-{hidden}"
        return f"{body}-{self._seal(body)}"

    def _seal(self, body: str) -> str:
        return hmac.digest(self._secret, body.encode(), "sha256").hex()[:32]

    def _meet(self, text: str) -> Listener | None:
        """Return what is known of a key, or else what the key itself says; None: it is none."""
        known = self._known.get(text)
        if known is not None:
            return known
        body, _, seal = text.rpartition("-")
        if not text.isascii() or not hmac.compare_digest(seal, self._seal(body)):
            return None
        bound_to, _, hidden = body.rpartition("-")
        account, key, made, _ = bound_to.split("-")
        session = open_secret(bytes.fromhex(hidden), bound_to=bound_to) if hidden else ""
        left = LISTEN_KEY_S - (time.time() - int(made, 16))
        listener = Listener(int(account, 16), int(key, 16), session, time.monotonic() + left)
        self._put(text, listener)
        return listener

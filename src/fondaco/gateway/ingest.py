"""`POST /api/v1/strategy/`: what strategies report from elsewhere, in the words of the seed.

Promises: 201 {"status":true} leaves after the commit that holds the report, and a report that was
stored before is 201, too. Errors are {"status":false,"error":"…"} and name the field: 400 without
`data`, 404 for a token that isn't live, 422 for values that can't be kept, 429 past a token's
limit. Any origin may ask; there is no session, the token is the credential. Numbers come as JSON
numbers or as text and never go through a float.

A report in its plain shape takes a short way, as orders do (lane.py): the server's protocol hands
its body to take(), which gives None for whatever it has no quick answer to, having counted nothing;
that goes the long way, by __call__.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

import msgspec
from django.db import DatabaseError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from fondaco.gateway.bodies import Disconnected, read_body
from fondaco.gateway.faults import Fault
from fondaco.gateway.lane import Asker, Passing
from fondaco.gateway.limits import MINUTE_S, Limits, Windows
from fondaco.gateway.native import Counters
from fondaco.gateway.report_writer import ReportsWaiting, ReportWriter
from fondaco.gateway.swift_report import Reading
from fondaco.strategies.amounts import AmountUnfit, units_of
from fondaco.strategies.models import SYMBOL_LENGTH_MAX, VALUES
from fondaco.strategies.reports import Incoming
from fondaco.strategies.services import digest_of, digest_of_bytes

__all__ = ["PATHS", "Ingest"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PATHS: Final = frozenset({"/api/v1/strategy", "/api/v1/strategy/"})
TOKEN_LIMIT_1M: Final = 600  # ten a second; a report a minute is usual
TOKEN_LENGTH_MAX: Final = 256
AHEAD_US: Final = 300 * 1_000_000
SECOND_US: Final = 1_000_000
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ORIGIN: Final = (b"access-control-allow-origin", b"*")
JSON: Final = (b"content-type", b"application/json")
DONE: Final = b'{"status":true}'
STORED: Final = {
    "type": "http.response.start",
    "status": 201,
    "headers": [JSON, ORIGIN, (b"content-length", b"%d" % len(DONE))],
}
STORED_BODY: Final = {"type": "http.response.body", "body": DONE}
STORED_HEAD: Final = (
    b"%bcontent-type: application/json\r\naccess-control-allow-origin: *\r\n" % (STATUS_LINE[201])
)
PREFLIGHT: Final[Headers] = [
    ORIGIN,
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"86400"),
]


class Unfit(Exception):
    """A request that isn't taken: its status, what is said, and headers."""

    def __init__(self, status: int, text: str, headers: Headers | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or []


class Words(msgspec.Struct):
    strategy_access_token: str
    last_price: Decimal
    margin_balance: Decimal
    wallet_balance: Decimal
    realised_pnl: Decimal
    positions: Decimal
    symbol: str
    average_entry_price: Decimal
    created_at: str | None = None


class Body(msgspec.Struct):
    data: Words


class Ingest:
    """The route of one edge. `now_us` is the house's clock."""

    def __init__(
        self, writer: ReportWriter, limits: Limits, counters: Counters, now_us: Callable[[], int]
    ) -> None:
        self._writer = writer
        self._limits = limits
        self._counters = counters
        self._now_us = now_us
        self._by_token = Windows(MINUTE_S)
        self._read = msgspec.json.Decoder(Body).decode
        self._reading = Reading()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if scope["method"] != "POST":
                raise _other_method(scope["method"])
            client = scope["client"]
            self._limits.take_request(client[0] if client else "", int(time.time()))
            report = self.incoming(await read_body(receive))
            self._take(report.digest)
            _check(await self._writer.submit(report))
            status = 201
            await send(STORED)
            await send(STORED_BODY)
        except Disconnected:
            return
        except (Unfit, Fault, ReportsWaiting, DatabaseError) as error:
            refusal = refusal_of(error)
            status = refusal.status
            await send(
                {"type": "http.response.start", "status": status, "headers": refusal.headers}
            )
            await send({"type": "http.response.body", "body": refusal.body()})
        self.count(status)

    def take(self, asker: Asker, address: str, body: bytes) -> Passing | None:
        """Serve a report in its plain shape and return it on its way; None: the long way."""
        reading = self._reading
        if not reading.read(body):
            return None
        passage = ReportPassage(self, asker)
        try:
            self._limits.take_request(address, int(time.time()))
            created_us = self._now_us()
            created_at = reading.created_at
            if created_at:
                created_us = _not_ahead(created_at.decode(), created_us)
            digest = digest_of_bytes(reading.token)
            self._take(digest)
            values = cast("tuple[int, int, int, int, int, int]", tuple(reading.units))
            symbol = reading.symbol.decode()
            self._writer.put(Incoming(digest, created_us, not created_at, values, symbol), passage)
        except (Unfit, Fault, ReportsWaiting) as error:
            passage.set_exception(error)
        return passage

    def count(self, status: int) -> None:
        """Count an answer."""
        mark = ("/api/v1/strategy/", status)
        requests = self._counters.requests
        requests[mark] = requests.get(mark, 0) + 1

    def _take(self, digest: str) -> None:
        """Count a report of a token; raises Unfit, 429."""
        if not self._limits.enforced:
            return
        now_s = self._limits.now_s()
        if self._by_token.add(digest, 1, now_s) > TOKEN_LIMIT_1M:
            left = self._by_token.left_s(now_s)
            raise Unfit(
                429,
                f"more than {TOKEN_LIMIT_1M} reports of this token in a minute; wait {left} s",
                [(b"retry-after", b"%d" % left)],
            )

    def incoming(self, body: bytes) -> Incoming:
        """Return the report that a body holds; raises Unfit."""
        try:
            words = self._read(body).data
        except msgspec.ValidationError as error:
            raise _unfit_words(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _unfit_json(body, error) from None
        token, symbol = words.strategy_access_token, words.symbol
        if not 0 < len(token) <= TOKEN_LENGTH_MAX:
            raise Unfit(422, f"strategy_access_token must have 1 to {TOKEN_LENGTH_MAX} characters")
        if len(symbol) > SYMBOL_LENGTH_MAX or "\0" in symbol:
            raise Unfit(422, f"symbol must have at most {SYMBOL_LENGTH_MAX} characters")
        try:
            values = (
                units_of(words.last_price),
                units_of(words.margin_balance),
                units_of(words.wallet_balance),
                units_of(words.realised_pnl),
                units_of(words.positions),
                units_of(words.average_entry_price),
            )
        except AmountUnfit:
            raise _unfit_amount(words) from None
        created_us = self._now_us()
        if words.created_at is not None:
            created_us = _not_ahead(words.created_at, created_us)
        return Incoming(digest_of(token), created_us, words.created_at is None, values, symbol)


class ReportPassage(Passing):
    """One report on its way: what the writer of reports resolves, as it would a future."""

    __slots__ = ("_ingest",)

    def __init__(self, ingest: Ingest, asker: Asker) -> None:
        super().__init__(asker)
        self._ingest = ingest

    def set_result(self, strategy: int) -> None:
        if strategy:
            self._ingest.count(201)
            self.answer(STORED_HEAD, DONE)
        else:
            self.set_exception(_unknown())

    def set_exception(self, error: Exception) -> None:
        refusal = refusal_of(error)
        self._ingest.count(refusal.status)
        lines = [b"%b: %b\r\n" % each for each in refusal.headers if each[0] != b"content-length"]
        self.answer(STATUS_LINE[refusal.status] + b"".join(lines), refusal.body())


def _not_ahead(text: str, now_us: int) -> int:
    """Return a time in microseconds; raises Unfit, also if it is yet to come."""
    found = time_us(text)
    if found > now_us + AHEAD_US:
        raise Unfit(422, f"created_at {text} is more than 5 minutes ahead of the house")
    return found


def time_us(text: str) -> int:
    """Return an ISO 8601 time in microseconds; without a zone it is UTC. Raises Unfit."""
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        since = moment - EPOCH
    except (ValueError, OverflowError):
        since = dt.timedelta(days=-1)
    found = (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
    if found < 0:
        raise Unfit(
            422, f"created_at is {text[:64]!r}; write a time like 2026-05-01T12:00:00Z, after 1970"
        )
    return found


def _unfit_words(error: msgspec.ValidationError) -> Unfit:
    """Say which field is wrong: without `data` it is 400."""
    what, _, place = str(error).partition(" - at `$")
    field = place.rstrip("`").lstrip(".")
    if what == "Object missing required field `data`":
        return Unfit(400, "data is missing; send an object with the report in data")
    if not field:
        return Unfit(400, f"the body must be a JSON object: {what}")
    if field == "data":
        if not what.startswith("Object missing required field"):
            return Unfit(400, f"data must be an object: {what}")
        return Unfit(422, f"{what.rpartition(' ')[2].strip('`')} is missing in data")
    return Unfit(422, f"{field.removeprefix('data.')}: {what[:1].lower()}{what[1:]}")


def _unfit_json(body: bytes, error: Exception) -> Unfit:
    """Say what is wrong with a text that is no JSON; NaN and infinities by their field."""
    found: list[str] = []

    def named(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found.extend(name for name, value in pairs if value is found)
        return dict(pairs)

    try:
        json.loads(body, object_pairs_hook=named, parse_constant=lambda _text: found)
    except (ValueError, RecursionError):
        return Unfit(400, f"the body is not JSON: {error}")
    if not found:
        return Unfit(400, f"the body is not JSON: {error}")
    return Unfit(422, f"{', '.join(found)} must be a finite number")


def _unfit_amount(words: Words) -> Unfit:
    """Name the first value that can't be kept."""
    for name in VALUES:
        try:
            units_of(getattr(words, name))
        except AmountUnfit as unfit:
            return Unfit(422, f"{name} {unfit}")
    raise AssertionError("every value can be kept")


def _check(strategy: int) -> None:
    """Raise Unfit for a report that nobody may make."""
    if not strategy:
        raise _unknown()


def _unknown() -> Unfit:
    return Unfit(404, "strategy_access_token is unknown or was revoked")


def _other_method(method: str) -> Unfit:
    if method == "OPTIONS":
        return Unfit(204, "", PREFLIGHT)
    return Unfit(405, "only POST is served here", [(b"allow", b"POST, OPTIONS")])


class Refusal(NamedTuple):
    """An answer that says why nothing was stored."""

    status: int
    text: str
    headers: Headers

    def body(self) -> bytes:
        return b"" if self.status == 204 else _told(self.text)


def refusal_of(error: Exception) -> Refusal:
    """Return how an error is answered."""
    if isinstance(error, Unfit):
        status, text, headers = error.status, error.text, error.headers
    elif isinstance(error, Fault):
        status, text, headers = error.status, error.text, list(error.headers)
    else:
        status, headers = 503, [(b"retry-after", b"1")]
        text = f"not stored, send it again: {error}"
    if status != 204:
        headers = [JSON, ORIGIN, (b"content-length", b"%d" % len(_told(text))), *headers]
    return Refusal(status, text, headers)


def _told(text: str) -> bytes:
    return msgspec.json.encode({"status": False, "error": text})

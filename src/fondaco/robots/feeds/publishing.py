"""Sending price messages to a broker: recorded trades as a stream, and the demo's stocks.

Promises: what publish() was given is at the broker when finish() returns, or BrokerAway says that
it isn't; no more than WINDOW messages wait for the broker's word. Prices leave as they were
written, character by character.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import ssl
from collections import deque
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fondaco.house.feeds import Address
from fondaco.projections.imports import ImportFault, lines_of

__all__ = ["BrokerAway", "Publisher", "message", "messages_of_trades"]

WINDOW: Final = 500
ANSWER_S: Final = 15.0
QOS: Final = 1
HEAD: Final = "ts_ms,price,qty,buyer_is_maker"
_PRICE: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?\Z", re.ASCII)


class BrokerAway(Exception):
    """The broker can't be reached, refuses us, or went away: one sentence."""


def message(
    stock_id: str, name: str, *, price: str, availability: int, moment: dt.datetime
) -> bytes:
    """Return one message; `price` is a plain decimal, `moment` a time of UTC."""
    time = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return (
        f'{{"stock_id":"{stock_id}","name":"{name}","price":{price},'
        f'"availability":{availability},"timestamp":"{time}"}}'
    ).encode()


def messages_of_trades(
    source: Path, *, stock_id: str, name: str, now: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield (ts_ms, message) of each recorded trade: rows ts_ms,price,qty,buyer_is_maker.

    The quantity, rounded up to whole shares, is the availability. `now`: messages tell the time at
    which they are made, not the trade's. Raises ImportFault with the line.
    """
    for number, line in lines_of(source):
        fields = [field.strip() for field in line.split(",")]
        if number == 1 and ",".join(fields) == HEAD:
            continue
        if len(fields) < 3:
            raise ImportFault(f"{source} line {number} is no row of {HEAD}")
        if not fields[0].isdecimal() or len(fields[0]) > 14:
            raise ImportFault(f"{source} line {number}: ts_ms {fields[0][:40]!r} is no time")
        if not _PRICE.match(fields[1]):
            raise ImportFault(f"{source} line {number}: price {fields[1][:40]!r} is no decimal")
        try:
            availability = math.ceil(Decimal(fields[2]))
        except (InvalidOperation, ValueError, OverflowError):
            raise ImportFault(
                f"{source} line {number}: qty {fields[2][:40]!r} is no number"
            ) from None
        ts_ms = int(fields[0])
        moment = dt.datetime.fromtimestamp(ts_ms / 1000, dt.UTC)
        if now:
            moment = dt.datetime.now(dt.UTC)
        yield (
            ts_ms,
            message(stock_id, name, price=fields[1], availability=availability, moment=moment),
        )


class Publisher:
    """A connection that publishes with QoS 1 on one topic."""

    def __init__(self, address: Address, topic: str) -> None:
        self._address = address
        self._topic = topic
        self._sent: deque[MQTTMessageInfo] = deque()
        self._refusal = ""
        self._client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self._client.on_connect = self._connected
        if address.tls:
            self._client.tls_set_context(ssl.create_default_context())
        if address.username:
            self._client.username_pw_set(address.username, address.password)

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._address.host, self._address.port)
        except OSError as error:
            raise BrokerAway(f"{self._address.text} can't be reached: {error}") from error
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, payload: bytes) -> None:
        """Send a message, waiting for the broker where too many are on their way."""
        found = self._client.publish(self._topic, payload, QOS)
        if found.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            raise BrokerAway(f"{self._address.text} took no message ({found.rc.name})")
        self._sent.append(found)
        if len(self._sent) > WINDOW:
            self._await(self._sent.popleft())

    def finish(self) -> None:
        """Wait until the broker has all messages. Raises BrokerAway."""
        while self._sent:
            self._await(self._sent.popleft())

    def _await(self, sent: MQTTMessageInfo) -> None:
        try:
            sent.wait_for_publish(ANSWER_S)
        except (ValueError, RuntimeError) as error:
            raise BrokerAway(f"{self._address.text}: {error}") from error
        if not sent.is_published():
            why = self._refusal or f"no answer within {ANSWER_S:.0f} s"
            raise BrokerAway(f"{self._address.text}: {why}")

    def _connected(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refused us: {reason}"

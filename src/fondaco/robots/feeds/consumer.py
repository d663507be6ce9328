"""One feed's consumer: an MQTT session that outlives us, read by one worker at a time.

Promises: QoS 1 under a fixed client id, so that the broker keeps what comes while we are away; a
message is acknowledged only after the journal has its quote, or the table of what is set aside has
it with the reason. A broker that is away, refuses us or goes is tried again, ever later up to
BACK_OFF_S_MAX, and holds up nothing else. All of it runs in the thread that calls run(): what is
acknowledged belongs to the connection that it came by.
"""

from __future__ import annotations

import contextlib
import select
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fondaco.house.feeds import Address
from fondaco.robots.feeds.intake import Notes, NotTaken, Waiting
from fondaco.robots.feeds.wire import Malformed, Wire, WireClient

__all__ = ["BATCH_MAX", "Away", "Consumer"]

BATCH_MAX: Final = 64  # read before they are sent on
POLL_S: Final = 0.25  # how soon `stop` is seen
KEEP_ALIVE_S: Final = 15
CONNECT_S: Final = 5.0
BACK_OFF_S: Final = 0.25
BACK_OFF_S_MAX: Final = 15.0
QOS: Final = 1


class Away(Exception):
    """The broker can't be had now: one sentence."""


class Flight(Protocol):
    """What is on its way inside: intake.Flight of prices, signals.SignalFlight."""

    @property
    def room(self) -> int: ...

    def fileno(self) -> int: ...

    def launch(self, messages: Sequence[tuple[int, bytes]], stop: Waiting) -> None: ...

    def landed(self, stop: Waiting) -> list[int]: ...

    def close(self) -> None: ...


class Consumer:
    """A feed's session at its broker."""

    def __init__(
        self,
        address: Address,
        topic: str,
        client_id: str,
        intake: Notes,
        make_flight: Callable[[], Flight],
    ) -> None:
        self._make_flight = make_flight
        self.address = address
        self.topic = topic
        self.client_id = client_id
        self.intake = intake
        self._refusal = ""
        self._is_connected = False

    def run(self, stop: Waiting) -> None:
        """Follow the stream until told to stop."""
        back_off_s = BACK_OFF_S
        while not stop.is_set():
            try:
                self._follow(stop)
            except NotTaken:
                break
            except (Away, OSError) as error:
                if self._is_connected:
                    back_off_s = BACK_OFF_S
                self._note(is_connected=False, fault=f"{self.address.text}: {error}")
                stop.wait(back_off_s)
                back_off_s = min(back_off_s * 2, BACK_OFF_S_MAX)
        self._note(is_connected=False, fault="")

    # ---- one connection

    def _follow(self, stop: Waiting) -> None:
        """Connect and take what comes. Raises Away, OSError and NotTaken."""
        self._refusal, self._is_connected = "", False
        client = self._client()
        client.connect(self.address.host, self.address.port, KEEP_ALIVE_S)
        wire = client.wire
        flight = self._make_flight()
        try:
            while not stop.is_set():
                self._wait(wire, flight)
                came = self._gather(client, wire, flight.room) if flight.room > 0 else []
                if came:
                    flight.launch(came, stop)
                done = flight.landed(stop)
                if done:
                    wire.acknowledge([number for number in done if number])
                if client.want_write():  # of paho's own packets, those of its callbacks
                    _done(client.loop_write())
                self.intake.tell()
                _done(client.loop_misc())
        finally:
            flight.close()
            with contextlib.suppress(OSError, ValueError):
                client.disconnect()
                client.loop_write()

    def _client(self) -> WireClient:
        client = WireClient(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        if self.address.tls:
            client.tls_set_context(ssl.create_default_context())
        if self.address.username:
            client.username_pw_set(self.address.username, self.address.password)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        return client

    def _wait(self, wire: Wire, flight: Flight) -> None:
        """Wait a moment for a message or an answer."""
        if wire.has_read_ahead and flight.room > 0:
            return
        poll = select.poll()
        reading = select.POLLIN if flight.room > 0 else 0
        writing = select.POLLOUT if wire.wants_write else 0
        if reading or writing:
            poll.register(wire, reading | writing)
        answers = flight.fileno()
        if answers >= 0:
            poll.register(answers, select.POLLIN)
        poll.poll(POLL_S * 1000)

    def _gather(self, client: WireClient, wire: Wire, room: int) -> list[tuple[int, bytes]]:
        """Read what has come: the messages, and what is paho's."""
        wire.flush()
        wire.read()
        limit = min(room, BATCH_MAX)
        try:
            came = wire.messages(limit)
            while len(came) < limit and wire.offers():
                code = client.loop_read()
                if self._refusal:
                    raise Away(self._refusal)
                _done(code)
                came += wire.messages(limit - len(came))
        except Malformed as error:
            raise Away(str(error)) from error
        return came

    # ---- what paho calls

    def _connected(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refused us: {reason}"
            return
        client.subscribe(self.topic, QOS)

    def _subscribed(
        self,
        _client: Client,
        _data: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = f'the broker refused topic "{self.topic}": {reasons[0]}'
            return
        self._is_connected = True
        self._note(is_connected=True, fault="")

    def _note(self, *, is_connected: bool, fault: str) -> None:
        state = self.intake.state
        if is_connected and not state.is_connected:
            state.reconnects += 1
        state.is_connected, state.fault = is_connected, fault[:300]
        self.intake.tell(at_once=True)


def _done(code: MQTTErrorCode) -> None:
    """Raise Away for what ended the connection."""
    if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
        raise Away(f"the connection was lost ({MQTTErrorCode(code).name})")

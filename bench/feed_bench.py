"""How many messages a second become journaled fills, against a bare consumer that parses JSON?

    python -m bench.feed_bench [--messages 20000] [--rounds 3]

What is measured: QoS 1 messages that wait at mosquitto for a durable session. `bare`: a paho
consumer, acknowledging by itself, that parses each message with json and counts. `house`: a real
house, whose feed (stopped by a signal while the messages come to the broker) takes them to the
journal, where each fills a member's order; it acknowledges after the sync. From the first moment to
the last message: at the consumer, or in the core. Rounds are interleaved. That each message filled
is checked at the end; `in SQL too` ends when the projections have everything as well, `without the
edge` is the same with the edge standing still. The bar is 0.5 of the bare consumer.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fondaco.core import records  # noqa: E402
from fondaco.link.address import writer_socket  # noqa: E402
from fondaco.link.blocking import BlockingClient  # noqa: E402
from tests.acceptance.dealer_house import buy, open_dealer, user  # noqa: E402
from tests.mosquitto_fixture import TOPIC, Mosquitto, price  # noqa: E402

LOTS: Final = 2  # that each message fills
POLL_S: Final = 0.003
END_S: Final = 120.0
BAR: Final = 0.5


def messages(count: int) -> list[bytes]:
    """Return messages of one stock, each a millisecond after the one before."""
    return [
        price(20 + n % 100 / 100, LOTS, f"2022-12-05 00:{n // 60_000:02}:{n / 1000 % 60:06.3f}")
        for n in range(count)
    ]


def bare(broker: Mosquitto, sent: list[bytes]) -> float:
    """Return the messages a second of a consumer that does nothing but parse them."""
    name = f"bare-{time.monotonic_ns()}"
    got = 0

    def begin() -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.connect("127.0.0.1", broker.port)
        return client

    def take(client: Client, _data: object, message: MQTTMessage) -> None:
        nonlocal got
        found = json.loads(message.payload)
        assert found["availability"] == LOTS
        got += 1
        if got == len(sent):
            client.disconnect()

    first = begin()
    first.on_connect = lambda client, *_: client.subscribe(TOPIC, 1)
    first.on_subscribe = lambda client, *_: client.disconnect()
    first.loop_forever()
    broker.publish(sent)
    second = begin()
    second.on_message = take
    begun_s = time.perf_counter()
    second.loop_forever()
    return len(sent) / (time.perf_counter() - begun_s)


def newest(client: BlockingClient) -> dict[str, int]:
    answer = client.query(records.pack(records.Query.QUOTES))
    found = [records.unpack(each) for each in records.split(bytes(answer.records))]
    return found[0] if found else {"position_lots": 0}


def house(broker: Mosquitto, sent: list[bytes], *, alone: bool = False) -> tuple[float, float]:
    """Return the messages a second of a house that fills an order by each: journaled, and in SQL.

    `alone`: its edge stands still meanwhile, as if it ran on another machine.
    """
    with open_dealer(broker, settings="rate_limits = false") as running:
        buyer = user(running, "buyer", 100_000_000)
        buy(running, buyer, LOTS * len(sent), 0, 22)
        feeds = running.child("feeds")
        if alone:
            os.kill(running.child("edge"), signal.SIGSTOP)
        os.kill(feeds, signal.SIGSTOP)
        broker.publish(sent)
        with BlockingClient(writer_socket(running.data), role="bench") as client:
            before = client.status()["commands"]
            os.kill(feeds, signal.SIGCONT)
            begun_s = time.perf_counter()
            while client.status()["commands"] - before < len(sent):
                if time.perf_counter() - begun_s > END_S:
                    raise SystemExit(f"not done in {END_S:.0f} s")
                time.sleep(POLL_S)
            seconds = time.perf_counter() - begun_s
            while client.status()["lag"]:
                if time.perf_counter() - begun_s > END_S:
                    raise SystemExit(f"not projected in {END_S:.0f} s")
                time.sleep(POLL_S)
            projected_s = time.perf_counter() - begun_s
            found = newest(client)
        os.kill(running.child("edge"), signal.SIGCONT)
        if found["position_lots"] != -LOTS * len(sent):
            raise SystemExit(f"{-found['position_lots']} of {LOTS * len(sent)} shares were filled")
    return len(sent) / seconds, len(sent) / projected_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sent = messages(options.messages)
    names = ("bare", "house", "house, in SQL too", "house without the edge")
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(options.rounds):
        for name in ("bare", "house", "house without the edge"):
            folder = Path(tempfile.mkdtemp(prefix="fondaco-mqtt-"))
            broker = Mosquitto(
                folder, "allow_anonymous true\nmax_inflight_messages 20", saves=False
            )
            try:
                broker.start()
                if name == "bare":
                    rates[name].append(bare(broker, sent))
                else:
                    journaled, projected = house(broker, sent, alone=name != "house")
                    rates[name].append(journaled)
                    if name == "house":
                        rates["house, in SQL too"].append(projected)
            finally:
                broker.stop(signal.SIGKILL)
                shutil.rmtree(folder, ignore_errors=True)
            print(f"round {number + 1}: {name} {rates[name][-1]:,.0f}/s", file=sys.stderr)
    print("| consumer | messages a second, median | lowest | highest |")
    print("|---|---|---|---|")
    for name, found in rates.items():
        middle = statistics.median(found)
        print(f"| {name} | {middle:,.0f} | {min(found):,.0f} | {max(found):,.0f} |")
    ratio = statistics.median(rates["house"]) / statistics.median(rates["bare"])
    print(f"\nhouse / bare: {ratio:.2f} (bar {BAR}).")
    print(
        f"\n{options.messages:,} messages, {options.rounds} interleaved rounds, mosquitto with its "
        "default of 20 messages in flight to a client."
    )


if __name__ == "__main__":
    main()

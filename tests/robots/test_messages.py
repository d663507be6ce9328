"""A message of the stream is read exactly, or set aside with one reason."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core import records
from fondaco.house.errors import HouseFault
from fondaco.house.feeds import address_of
from fondaco.robots.feeds import intake
from fondaco.robots.feeds.messages import Fault, SetAside, read, time_us, whole
from tests.mosquitto_fixture import price

AT = "2019-12-15 14:36:33.462393"
CENT = Fraction(1, 100)


def test_the_seeds_message_is_read() -> None:
    """The message of the old system, word for word, gives its numbers and its time in UTC."""
    message = read(
        b'{"stock_id":"6ffb8e62-92c1-40c7-9d38-5b976a346b62","name":"CIB","price":28,'
        b'"availability":46,"timestamp":"2019-12-15 14:36:33.462393"}'
    )
    assert whole(message.price, CENT, Fault.PRICE, "price", "tick size") == 2800
    assert message.availability == 46
    assert time_us(message.timestamp) == 1_576_420_593_462_393


@pytest.mark.parametrize(
    "payload, fault",
    [
        (b"", Fault.BODY),
        (b"\xff\xfe", Fault.BODY),
        (b"[]", Fault.BODY),
        (b"{}", Fault.BODY),
        (b'{"stock_id":"a","price":NaN,"availability":1,"timestamp":"2019-12-15"}', Fault.BODY),
        (price(28, 46, AT)[:-1], Fault.BODY),
        (price(True, 46, AT), Fault.BODY),
        (price(28, 46, AT, stock_id=""), Fault.BODY),
        (price(28, 46, AT, stock_id="a/b"), Fault.BODY),
        (price(28, 46, AT, name="x" * 65), Fault.BODY),
        (price(28, 46, AT, name="x" * 5000), Fault.BODY),
        (b'{"stock_id":"a","x":' + b"[" * 2000 + b"]" * 2000 + b"}", Fault.BODY),
        (price(0, 46, AT), Fault.PRICE),
        (price(-28, 46, AT), Fault.PRICE),
        (price("NaN", 46, AT), Fault.PRICE),
        (price("Infinity", 46, AT), Fault.PRICE),
        (price("1e99", 46, AT), Fault.PRICE),
        (price(20.555, 46, AT), Fault.PRICE),
        (price(28, 0, AT), Fault.AVAILABILITY),
        (price(28, -1, AT), Fault.AVAILABILITY),
        (price(28, 1.5, AT), Fault.AVAILABILITY),
        (price(28, 46, "yesterday"), Fault.TIME),
        (price(28, 46, ""), Fault.TIME),
    ],
)
def test_what_cannot_be_taken_has_one_reason(payload: bytes, fault: Fault) -> None:
    """Broken bodies, prices off the tick, no availability, no time: each is named."""
    with pytest.raises(SetAside) as caught:
        message = read(payload)
        time_us(message.timestamp)
        whole(message.price, CENT, Fault.PRICE, "price", "tick size")
        whole(message.availability, Fraction(1), Fault.AVAILABILITY, "availability", "lot size")
    assert caught.value.fault == fault
    assert str(caught.value)


@given(st.integers(1, 10**24), st.integers(0, 12))
def test_prices_are_exact(units: int, places: int) -> None:
    """What is sent is what is counted, to the last of any number of digits: no float between."""
    text = format(Decimal(units).scaleb(-places), "f")
    payload = price(0, 1, AT).replace(b'"price": 0', b'"price": ' + text.encode())
    found = whole(read(payload).price, Fraction(1, 10**places), Fault.PRICE, "price", "tick")
    assert found == units
    if units > 2**60:  # planted: reading by float is caught
        assert int(float(text) * 10**places) != units or units % 2**8 == 0


def test_a_zone_is_heeded() -> None:
    """A time with a zone is that moment; one without is UTC."""
    assert time_us("2022-12-05T02:00:00+02:00") == time_us("2022-12-05 00:00:00")
    assert time_us("2022-12-05T00:00:00Z") == time_us("2022-12-05")


def test_the_intake_reads_the_words_of_the_layouts() -> None:
    """Where the intake looks for a verdict, a time, fills and a reason is where they stand."""
    quote = records.LAYOUTS[records.Event.QUOTE]
    places = {name: place + records.HEAD_WORDS for place, name in enumerate(quote)}
    assert places["message_us"] == intake.MESSAGE_AT
    assert places["verdict"] == intake.VERDICT_AT
    assert (places["bought_lots"], places["sold_lots"]) == (intake.BOUGHT_AT, intake.BOUGHT_AT + 1)
    refused = records.LAYOUTS[records.Event.REFUSED]
    assert refused.index("reason") + records.HEAD_WORDS == intake.REASON_AT


def test_an_address_has_its_parts_and_hides_its_password() -> None:
    """Host, port, TLS and credentials come from one URL; what is shown has no password."""
    found = address_of("mqtts://feed:p%40ss@broker.example:8884")
    assert (found.host, found.port, found.tls) == ("broker.example", 8884, True)
    assert (found.username, found.password) == ("feed", "p@ss")
    assert found.text == "mqtts://broker.example:8884"
    assert address_of("mqtt://[::1]").text == "mqtt://[::1]:1883"
    for wrong in ("http://a", "mqtt://", "mqtt://a:port", "mqtt://a/topic", "broker"):
        with pytest.raises(HouseFault):
            address_of(wrong)
    with pytest.raises(HouseFault) as caught:
        address_of("http://feed:secret@broker.example")
    assert "secret" not in str(caught.value)

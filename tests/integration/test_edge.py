"""The front of an edge: whom a house with loosened rules answers, and how it starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fondaco import cli
from fondaco.asgi import Application, Disconnected, is_from_outside, not_ready, whole_body
from fondaco.house.file import load

OWN = (b"host", b"127.0.0.1:8000")


@pytest.mark.parametrize(
    "headers, expected",
    [
        ([OWN], False),
        ([(b"host", b"localhost")], False),
        ([(b"host", b"LOCALHOST:8000")], False),
        ([(b"host", b"[::1]:8000")], False),
        ([(b"host", b"[::1]")], False),
        ([OWN, (b"x-mbx-apikey", b"k"), (b"x-real-forwarded", b"")], False),
        ([], True),
        ([(b"host", b"")], True),
        ([(b"host", b"evil.com")], True),
        ([(b"host", b"127.0.0.1.evil.com:8000")], True),
        ([(b"host", b"evil.com"), OWN], True),
        ([OWN, (b"host", b"evil.com")], True),
        ([OWN, (b"forwarded", b"for=1.2.3.4")], True),
        ([OWN, (b"x-forwarded-for", b"1.2.3.4")], True),
        ([OWN, (b"x-forwarded-port", b"443")], True),
        ([OWN, (b"x-forwarded-anything", b"")], True),
    ],
)
def test_a_request_from_outside_is_told(headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    """Another host in any place, no host, or a trace of a proxy: not from this machine."""
    assert is_from_outside(headers) is expected


@pytest.mark.parametrize(
    "path, status, content",
    [
        ("/health/live", 200, b"ok"),
        ("/trade/", 503, b"the house is starting"),
        ("/api/v1/accounts/", 503, b'{"error":"The house is starting. Please'),
        ("/api/v3/order", 503, b'{"code":-1008,"msg":"The house is starting. Please'),
    ],
)
async def test_a_starting_house_answers_in_the_words_of_the_path(
    path: str, status: int, content: bytes
) -> None:
    """Alive at once; 503 elsewhere, on Binance's routes with the code that says not executed."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await not_ready({"type": "http", "path": path}, send)
    assert sent[0]["status"] == status
    assert content in sent[1]["body"]
    headers = dict(sent[0]["headers"])
    assert int(headers[b"content-length"]) == len(sent[1]["body"])
    assert headers[b"content-type"].startswith(b"application/json" if b"{" in content else b"t")


async def test_a_form_that_was_cut_short_is_not_read_as_whole() -> None:
    """A client that goes before the end of its body has sent nothing."""
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": b"username=ann&pass", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    with pytest.raises(Disconnected):
        await whole_body(receive)


class Unfit:
    """A gateway that will never be ready, and the link that it would have."""

    lane = ingest = None
    failure = RuntimeError("a market could not be loaded")

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def connect(self, *_: object, **__: object) -> None:
        pass

    async def start(self) -> None:
        pass

    def why_not_ready(self) -> str:
        return "a part of the gateway has failed"


async def test_an_edge_that_cannot_become_ready_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raises what failed, so that its process ends and the parent starts another."""
    monkeypatch.setattr("fondaco.asgi.WriterClient", Unfit)
    monkeypatch.setattr("fondaco.asgi.Gateway", Unfit)
    house = load(Path(cli.__file__).with_name("demo.toml"))
    edge = Application(
        address=tmp_path, house=house, base_url="http://127.0.0.1", prepared=tmp_path
    )
    with pytest.raises(RuntimeError, match="could not be loaded"):
        await edge._start()

"""A real HTTP server that takes webhooks, answers as told and keeps what came."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

__all__ = ["Came", "Receiver"]

WAIT_S = 30


class Came(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def delivery(self) -> str:
        return self.headers["Fondaco-Delivery"]

    def is_signed_by(self, secret: str) -> bool:
        """Check the signature as a receiver's own program does."""
        parts = dict(each.split("=", 1) for each in self.headers["Fondaco-Signature"].split(","))
        signed = parts["t"].encode() + b"." + self.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(parts["v1"], expected)


class Receiver:
    """Answers 200, or what `answers` says next: (status, headers)."""

    def __init__(self) -> None:
        self.came: queue.Queue[Came] = queue.Queue()
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.put(Came(self.path, dict(self.headers), body))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def next(self, within_s: float = WAIT_S) -> Came:
        return self.came.get(timeout=within_s)

    def all(self) -> list[Came]:
        """Return what has come and was not taken yet."""
        return list(self._drain())

    def _drain(self) -> Iterator[Came]:
        while not self.came.empty():
            yield self.came.get()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

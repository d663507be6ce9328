"""A person with a browser that runs no scripts: cookies, forms, no redirects followed."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any

from tests.house_fixture import Reply, RunningHouse

__all__ = ["Visitor"]


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class Visitor:
    """One browser's cookies at one house."""

    def __init__(self, house: RunningHouse) -> None:
        self.house = house
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar), _Stay()
        )

    def cookie(self, name: str) -> str:
        return next((each.value or "" for each in self.jar if each.name == name), "")

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if method not in {"GET", "HEAD"}:
            named.setdefault("X-CSRFToken", self.cookie("csrftoken"))
            named.setdefault("Origin", self.house.url)
        asked = urllib.request.Request(self.house.url + path, body, named, method=method)
        try:
            with self._opener.open(asked, timeout=60) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def post(self, path: str, **fields: object) -> Reply:
        """Send a form, as the page at that address does."""
        return self.ask("POST", path, urllib.parse.urlencode(fields).encode())

    def sign_in(self, username: str, password: str) -> Reply:
        self.get("/login")
        return self.post("/login", username=username, password=password)

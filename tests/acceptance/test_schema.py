"""The OpenAPI schema: valid, without a warning, and of every route that the house serves."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from fondaco.gateway import described
from fondaco.gateway.app import NATIVE
from fondaco.gateway.call import Call
from fondaco.gateway.faults import Fault
from fondaco.gateway.routes import Security
from tests.acceptance.office_people import endpoints
from tests.gateway.stand_ins import small_house

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    make: Any = SchemaGenerator  # it has no types
    found: dict[str, Any] = make().get_schema(request=None, public=True)
    return found


def test_the_schema_is_valid_without_a_warning() -> None:
    """`spectacular --validate --fail-on-warn` has nothing to say."""
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=io.StringIO())


def plain(pattern: str) -> str:
    """Return a pattern as the schema writes it."""
    text = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"{\1}", pattern)
    for mark, plain_text in (("^", "/"), ("\\Z", ""), ("/?", "/"), ("\\.", ".")):
        text = text.replace(mark, plain_text)
    return text


def test_every_route_of_both_tables_is_in_it(schema: dict[str, Any]) -> None:
    """The office's by its resolver, the gateway's by its table: none is missing."""
    there = {
        f"{method.upper()} {path}" for path, item in schema["paths"].items() for method in item
    }
    office = {plain(each.pattern) for each in endpoints() if each.pattern.startswith("^api/v1/")}
    assert office <= set(schema["paths"])
    assert {f"{each.method} {each.path}" for each in described.routes()} <= there
    assert {f"{method} {path}" for path, method in NATIVE.items()} <= {
        each.replace("/ledger/totals/", "/ledger/totals").replace("/test/clock/", "/test/clock")
        for each in there
    }


def test_a_route_tells_how_one_proves_oneself(schema: dict[str, Any]) -> None:
    """The gateway's by signature or session; the office's by token, too; public ones by nothing."""
    for route in described.routes():
        told = schema["paths"][route.path][route.method.lower()]
        assert ("security" in told) == (route.security is not Security.NONE), route
    ways = schema["paths"]["/api/v1/withdrawals/"]["post"]["security"]
    assert {frozenset(way) for way in ways} == {
        frozenset({"apiKey", "signature"}),
        frozenset({"bearerAuth"}),
        frozenset({"cookieAuth"}),
    }
    defined = schema["components"]["securitySchemes"]
    assert set(defined) >= {"apiKey", "signature", "bearerAuth", "cookieAuth"}


def test_every_native_route_tells_how_it_refuses(schema: dict[str, Any]) -> None:
    """404 of a path with a name is {"detail"}; all else {"error"} or of a field."""
    native = {path: item for path, item in schema["paths"].items() if path.startswith("/api/v1/")}
    assert len(native) > 60
    for path, item in native.items():
        for method, told in item.items():
            if path == "/api/v1/strategy/":
                continue
            assert "4XX" in told["responses"], (method, path)
            assert ("404" in told["responses"]) == ("{" in path), (method, path)
            if "{" in path:
                (missing,) = told["responses"]["404"]["content"].values()
                assert missing["schema"] == {"$ref": "#/components/schemas/Missing"}
    assert schema["components"]["schemas"]["Missing"]["required"] == ["detail"]


async def test_the_gateways_own_404_has_that_shape() -> None:
    """What the gateway serves below /api/v1/ says 404 as the office does."""
    house = await small_house()
    for method, path in (("POST", "/api/v1/test/clock/"), ("GET", "/api/v1/markets/NONE/")):
        reply = await house.http(method, path, body=b"{}")
        assert (reply.status, list(reply.json)) == (404, ["detail"]), path


class Recorder(dict[str, str]):
    """Parameters that note what was asked of them."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


async def test_no_handler_reads_what_is_not_told() -> None:
    """Each parameter that a handler asks for is in the schema."""
    house = await small_house()
    market = {"symbol": "BTCUSDT"}
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "9"}
    untold: dict[str, set[str]] = {}
    caller = house.gateway._keys.get(b"annKey")
    for route in house.gateway.routes:
        told = {name.rstrip("!") for name in described.parameters_of(route)}
        for more in ({}, market, {**market, "interval": "1m"}, {**market, **order}):
            parameters = Recorder(dict(more))
            with contextlib.suppress(Fault):  # refused for want of more
                await route.handler(Call(caller, parameters))
            if parameters.read - told:
                name = f"{route.method} {route.path}"
                untold.setdefault(name, set()).update(parameters.read - told)
    assert untold == {}


def test_the_page_shows_the_routes_without_a_script(schema: dict[str, Any]) -> None:
    """Every path is on it, and nothing that the policy would stop."""
    page = Client().get("/api/docs/").content.decode()
    assert all(path in page for path in schema["paths"])
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)

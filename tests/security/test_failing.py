"""What is said of a page that fails, and to whom."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from fondaco.office.urls import handler404, handler500  # noqa: F401 - Django looks for them here

SECRET = "a-token-in-an-address"


def fail(request: HttpRequest, token: str) -> HttpResponse:
    raise ZeroDivisionError(f"planted after {len(token)} characters")


urlpatterns = [path("hooks/<str:token>/", fail), path("api/fails/<str:token>/", fail)]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False, HTTP_HOST="127.0.0.1")


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("address", ["/hooks/", "/api/fails/"])
def test_a_failure_is_told_to_the_operator_without_the_address(
    client: Client, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stderr has the route and the traceback, and no token that stands in the address."""
    handler = logging.getLogger("django.request").handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(sys.stderr)
    try:
        reply = client.get(f"{address}{SECRET}/")
    finally:
        handler.setStream(before)
    said = capsys.readouterr().err
    assert reply.status_code == 500
    assert f"GET {address}<str:token>/ failed" in said
    assert "ZeroDivisionError: planted" in said
    assert SECRET not in said


@pytest.mark.urls(__name__)
def test_programs_hear_json(client: Client) -> None:
    """Under /api/ what is missing is 404 and what fails is 500, both in JSON."""
    missing = client.get("/api/nothing/here/")
    assert (missing.status_code, json.loads(missing.content)) == (404, {"detail": "Not found."})
    failed = client.get(f"/api/fails/{SECRET}/")
    assert failed.status_code == 500
    assert "the house failed" in json.loads(failed.content)["error"]

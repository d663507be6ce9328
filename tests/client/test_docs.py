"""docs/client.md, its notebook and the BitMEX example are run as they are printed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817 - a letter for a table
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fondaco_client import Client
from tests.house_fixture import RunningHouse, open_house

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "client.md"
NOTEBOOK = ROOT / "docs" / "notebooks" / "client.ipynb"
TOKEN = "reader-token-of-cat-for-the-docs-of-the-client"
STRATEGY_TOKEN = "strategy-token-of-cat-for-the-docs"
MORE = f"""
[[members]]
username = "cat"
email = "cat@example.com"
password = "cat-s long password"
membership_until = "2099-12-31"
balances = {{ USDT = "1000" }}
tokens = [{{ token = "{TOKEN}", scopes = ["read", "trade"] }}]
[[members.brokerage_accounts]]
name = "main"
[[members.strategies]]
name = "s1"
brokerage_account = "main"
symbol = "XBTUSD"
access_token = "{STRATEGY_TOKEN}"
"""


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house whose member cat has a strategy and a token to read it."""
    with open_house(more=MORE) as running:
        running.signed(
            *(running.ann, "POST", "/api/v3/order"), symbol="BTCUSDT", side="SELL", type="LIMIT",
            timeInForce="GTC", quantity="1", price="60000",
        )  # fmt: skip
        running.signed(
            *(running.bob, "POST", "/api/v3/order"), symbol="BTCUSDT", side="BUY", type="MARKET",
            quantity="0.1",
        )  # fmt: skip
        yield running


@pytest.fixture
def scope(house: RunningHouse, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a reader sets before; clients that a text in trouble left open are closed after."""
    names: dict[str, Any] = {
        "URL": house.url,
        "KEY": house.ann.key,
        "SECRET": house.ann.secret,
        "TOKEN": TOKEN,
        "STRATEGY_TOKEN": STRATEGY_TOKEN,
        "PATH": str(tmp_path / "reports.db"),
    }
    yield names
    for each in names.values():
        if isinstance(each, Client):
            each.close()


def run(text: str, scope: dict[str, Any]) -> str:
    """Run Python as a reader would; returns what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(text, "docs", "exec", dont_inherit=True), scope)
    return said.getvalue()


def test_the_page_does_what_it_says(scope: dict[str, Any]) -> None:
    """All blocks of docs/client.md run in order, and their reports are in the house."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    said = [run(block, scope) for block in blocks]
    assert said[0] == "ann\n"
    assert "400 -2010 Account has insufficient balance" in said[1]
    assert said[3] == "1200\n1200\n1200 0\n"
    assert said[4] == "0 None\n"
    assert said[5] == "2\n"
    assert said[6].endswith(" NEW\n")
    assert "60000" in said[7]


def test_the_notebook_runs_and_is_stripped(scope: dict[str, Any]) -> None:
    """Every cell of the notebook runs against a house; it is stored without outputs."""
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 4
    for cell in cells:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        run("".join(cell["source"]), scope)
    frame = scope["frame"]
    assert len(frame) == 60
    assert scope["stored"].wallet_balance == D("1000.59")
    assert frame["drawdown"].max() == pytest.approx(0)


@pytest.fixture(scope="module")
def reporter() -> ModuleType:
    path = ROOT / "examples" / "bitmex_reporter.py"
    spec = importlib.util.spec_from_file_location("bitmex_reporter", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bitmex_reporter_sends_the_seeds_payload(
    house: RunningHouse, reporter: ModuleType
) -> None:
    """Satoshi become USD to the cent at the last price, and the house takes the report."""
    report = reporter.report_of(
        "XBTUSD",
        instrument={"symbol": "XBTUSD", "lastPrice": D("64231.5")},
        margin={"marginBalance": 1_873_000, "walletBalance": 1_868_300},
        position={"currentQty": -100, "avgEntryPrice": D("64200.25"), "realisedPnl": -4_827},
    )
    words = report.words()
    assert words.pop("created_at").endswith("Z")
    assert words == {
        "symbol": "XBTUSD",
        "last_price": "64231.5",
        "margin_balance": "1203.06",
        "wallet_balance": "1200.04",
        "realised_pnl": "-3.10",
        "positions": "-100",
        "average_entry_price": "64200.25",
    }
    with Client(house.url, strategy_token=STRATEGY_TOKEN) as client:
        client.strategies.report(report)


def test_the_bitmex_reporter_reads_recorded_shapes(reporter: ModuleType, shared_data: Path) -> None:
    """BitMEX's recorded instrument and position become a report with exact numbers."""
    wire = shared_data / "wire" / "nautilus_bitmex"
    instrument = reporter._exact((wire / "http_get_instrument_xbtusd.json").read_bytes())
    position = reporter._exact((wire / "http_get_positions.json").read_bytes())[0]
    margin = {"marginBalance": 100_000_000, "walletBalance": 50_000_000}
    report = reporter.report_of("XBTUSD", instrument=instrument, margin=margin, position=position)
    assert report.margin_balance == D(instrument["lastPrice"]).quantize(D("0.01"))
    assert report.positions == position["currentQty"]
    assert report.average_entry_price == D(position["avgEntryPrice"])


def test_the_bitmex_reporter_signs_as_bitmex_documents(reporter: ModuleType) -> None:
    """Verb, path with query, and expiry are signed; numbers come back exact."""
    import hashlib
    import hmac

    import httpx

    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content=b'[{"lastPrice":0.1}]')

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        found = reporter.BitMex(http, "key", "secret").get("instrument", symbol="XBTUSD")
    headers = sent[0].headers
    text = f"GET/api/v1/instrument?symbol=XBTUSD{headers['api-expires']}"
    expected = hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()
    assert headers["api-signature"] == expected
    assert found == [{"lastPrice": D("0.1")}]

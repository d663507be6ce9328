"""What a starting house tells the person before it: where it is, and in the demo who may come in.

Promises: it speaks once, when /health/ready says so, on stdout; it waits in a thread of its own
and never holds the house up.
"""

from __future__ import annotations

import http.client
import threading
import time
from http import HTTPStatus
from typing import Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from fondaco.house.declared import House

__all__ = ["announce_when_ready"]

POLL_S: Final = 0.1
ANSWER_S: Final = 2.0


def announce_when_ready(
    base_url: str, host: str, port: int, house: House, *, is_demo: bool, broker: str = ""
) -> None:
    """Begin to wait for readiness, then print the welcome."""

    def wait() -> None:
        while not is_ready(host, port):
            time.sleep(POLL_S)
        show(base_url, house, is_demo=is_demo, broker=broker)

    threading.Thread(target=wait, name="welcome", daemon=True).start()


def is_ready(host: str, port: int) -> bool:
    """Ask /health/ready."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(reachable, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def show(base_url: str, house: House, *, is_demo: bool, broker: str = "") -> None:
    """Print the welcome."""
    console = Console(highlight=False)
    if not is_demo:
        console.print(f"{house.house.name} is open on {base_url}  (Ctrl-C ends it)", soft_wrap=True)
        return
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold")
    rows.add_column(overflow="fold")
    rows.add_row("Market", f"{base_url}/trade/")
    rows.add_row("Office", f"{base_url}/")
    rows.add_row("REST", f"{base_url}/api/v3/")
    rows.add_row("Streams", f"{base_url.replace('http', 'ws', 1)}/ws")
    if broker:
        rows.add_row("Prices", f"{broker}   topic  {house.feeds[0].topic}")
    rows.add_row("", "")
    for member in house.members:
        if not member.password:
            continue
        rows.add_row("Sign in", f"{member.username}   password  {member.password}")
        for key in member.api_keys:
            rows.add_row("API key", key.key)
            rows.add_row("Secret", key.secret)
        for token in member.tokens:
            rows.add_row("Token", token.token)
    console.print(
        Panel(
            rows,
            title=f"{house.house.name}: the market is open",
            subtitle="Ctrl-C ends it",
            expand=False,
            padding=(1, 2),
        )
    )

"""`fondaco feed publish`: recorded trades become the messages of a price feed.

Promises: every row goes to the broker with QoS 1 in the file's order and is there when the command
ends with 0; a broken row or a broker that is away ends it with one sentence, after what came
before was sent. No house is needed, and none is touched.
"""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from fondaco.cli.ending import stop
from fondaco.house.errors import HouseFault
from fondaco.house.feeds import MQTT_URL, address_of
from fondaco.projections.imports import ImportFault, lines_of
from fondaco.robots.feeds.publishing import BrokerAway, Publisher, messages_of_trades

__all__ = ["register"]

DEFAULT_URL: Final = "mqtt://127.0.0.1:1883"
WAIT_S_MAX: Final = 3600.0  # a longer gap in a recording is cut short


def register(app: typer.Typer) -> None:
    """Add the commands."""
    feed = typer.Typer(no_args_is_help=True, help="Price feeds over MQTT.")
    feed.command()(publish)
    feed.callback()(lambda: None)
    app.add_typer(feed, name="feed")


def publish(
    trades: Annotated[
        Path,
        typer.Option(help="CSV of ts_ms,price,qty,buyer_is_maker; plain, .gz or .xz."),
    ],
    url: Annotated[
        str, typer.Option(help=f"mqtt(s)://user:password@host:port; else {MQTT_URL}.")
    ] = "",
    topic: Annotated[str, typer.Option(help="The feed's topic.")] = "thndr-trading",
    stock_id: Annotated[
        str, typer.Option(help="How the feed knows the stock; else made of the name.")
    ] = "",
    name: Annotated[str, typer.Option(help="The stock's name; else the file's.")] = "",
    speed: Annotated[
        float, typer.Option(min=0, help="Times as fast as recorded; 0 = as fast as it goes.")
    ] = 0,
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Tell the present time instead of the trade's.")
    ] = False,
) -> None:
    """Publish recorded trades as messages of a price feed."""
    name = name or trades.name.partition(".")[0]
    stock_id = stock_id or str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    if not name.isprintable() or len(name) > 64 or {'"', "\\"} & set(name):
        stop(2, f"--name {name[:80]!r} must be at most 64 printable letters without quotes")
    try:
        address = address_of(url or os.environ.get(MQTT_URL) or DEFAULT_URL)
    except HouseFault as fault:
        stop(2, str(fault))
    try:
        total = sum(1 for _ in lines_of(trades))
        rows = messages_of_trades(trades, stock_id=stock_id, name=name, now=now)
        count = 0
        progress = Progress(console=Console(stderr=True), transient=True)
        with Publisher(address, topic) as publisher, progress:
            task = progress.add_task(f"{name} to {address.text}", total=total)
            begun_s, first_ms = time.monotonic(), 0
            for count, (ts_ms, payload) in enumerate(rows, 1):
                first_ms = first_ms or ts_ms
                if speed:
                    due_s = begun_s + (ts_ms - first_ms) / 1000 / speed
                    time.sleep(min(max(due_s - time.monotonic(), 0), WAIT_S_MAX))
                publisher.publish(payload)
                progress.update(task, completed=count)
            publisher.finish()
    except ImportFault as error:
        stop(2, str(error))
    except BrokerAway as error:
        stop(1, str(error))
    typer.echo(f"{count} messages of {name} ({stock_id}) published on {topic}")

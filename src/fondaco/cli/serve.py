"""`fondaco serve` and `fondaco demo`: check everything, then start the house or one role of it.

Promises: house file, secret, data directory and port are checked before anything starts, each
fault with its sentence and status; the demo is the same house with its own file, secret and
traders, on loopback only.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from fondaco.cli.children import Child
from fondaco.cli.faults import Misconfigured, OutOfSpace, one_sentence
from fondaco.cli.parent import Parent
from fondaco.cli.secret import VARIABLE, demo_secret, require_secret
from fondaco.core.money import parse_units
from fondaco.house.checks import loosened
from fondaco.house.declared import House
from fondaco.house.feeds import MQTT_URL, address_of
from fondaco.house.file import load
from fondaco.journal.faults import DataInUse
from fondaco.journal.lock import DataLock, lock_data

__all__ = ["DEMO_HOUSE", "Role", "Start", "register"]

DEMO_HOUSE: Final = Path(__file__).with_name("demo.toml")
# The children of a killed parent give up within 2 s, but not in the middle of a sync: the lock is
# waited for while they hold it. The port they let go of at the same moment.
LEFT_OVER_S: Final = 15.0
LAST_MOMENT_S: Final = 0.3
RETRY_S: Final = 0.02
BACKLOG: Final = 2048
SPACE_LEAST: Final = 16 << 20  # bytes: databases, segments and a snapshot of a new house
MQTT_PORT: Final = 1883
LISTENERS: Final = {"edge": "FONDACO_LISTENER", "stocks": "FONDACO_BROKER"}
DEFAULT_BASE_URL: Final = "http://127.0.0.1:8000"

DataOption = Annotated[Path, typer.Option("--data", help="The data directory of the house.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="The port of HTTP.")]


class Role(enum.StrEnum):
    ALL = "all"
    WRITER = "writer"
    EDGE = "edge"
    OFFICE = "office"
    WORKER = "worker"
    FEEDS = "feeds"
    TRADERS = "traders"
    STOCKS = "stocks"


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, checked."""

    house_path: Path
    house: House
    data_dir: Path
    host: str
    port: int
    secret: str
    is_demo: bool = False

    @property
    def base_url(self) -> str:
        """Where people reach the house; the house file's, unless it names none."""
        named = self.house.house.base_url.rstrip("/")
        if named != DEFAULT_BASE_URL:
            return named
        return f"http://{self.host if ':' not in self.host else f'[{self.host}]'}:{self.port}"

    @property
    def is_loose(self) -> bool:
        """Whether the house is a demo or has loosened rules, and so serves this machine only."""
        return self.is_demo or bool(loosened(self.house.house))

    def environment(self) -> dict[str, str]:
        """Return the environment of the children."""
        return {
            **os.environ,
            VARIABLE: self.secret,
            "FONDACO_DATA": str(self.data_dir),
            "FONDACO_BASE_URL": self.base_url,
            "FONDACO_HOUSE_NAME": self.house.house.name,
            "FONDACO_STAFF_MFA": "1" if self.house.house.staff_mfa else "0",
            "FONDACO_RATE_LIMITS": "1" if self.house.house.rate_limits else "0",
            "FONDACO_CASH": self.house.house.cash,
            "FONDACO_TIME_ZONE": self.house.house.time_zone,
            "FONDACO_REPORTS_DAYS": str(self.house.house.reports_days),
            "FONDACO_REPORT_HOURS_DAYS": str(self.house.house.report_hours_days),
            "FONDACO_OPEN_API": "1" if self.house.house.open_api else "0",
            "FONDACO_PAYMENTS": self.house.house.payments,
            "FONDACO_TREASURY": treasury_rules(self.house),
            "FONDACO_WEBHOOKS_TO_LOOPBACK": "1" if self.is_loose else "0",
            "FONDACO_TEST_CLOCK": "1" if self.house.house.clock == "test" else "0",
            "DJANGO_SETTINGS_MODULE": "fondaco.office.settings",
            "PYTHONUNBUFFERED": "1",
        }


def treasury_rules(house: House) -> str:
    """Return what the office must know of money in and out, as JSON."""
    limits = {
        asset.code: parse_units(asset.second_approver_above, asset.decimals)
        for asset in house.assets
        if asset.second_approver_above
    }
    return json.dumps({"delay_s": house.house.withdrawal_delay_s, "limits": limits})


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(demo)


def serve(
    house: Annotated[Path, typer.Option("--house", help="The house file.")],
    data: DataOption,
    host: Annotated[str, typer.Option(help="The address to serve on.")] = "127.0.0.1",
    port: PortOption = 8000,
    *,
    role: Annotated[Role, typer.Option(help="One role only, or all.")] = Role.ALL,
    is_demo: Annotated[bool, typer.Option("--demo", hidden=True)] = False,
) -> None:
    """Serve a house, in the foreground, until SIGTERM or Ctrl-C."""
    leave_at_once()
    with one_sentence():
        asked = Start(
            house_path=house,
            house=load(house, host=host),
            data_dir=data.absolute(),
            host=host,
            port=port,
            secret="" if role is Role.WRITER else require_secret(data.absolute()),
            is_demo=is_demo,
        )
        check_brokers(asked.house)
        if role is Role.ALL:
            raise typer.Exit(serve_all(asked))
        from fondaco.cli import roles

        roles.run(role.value, asked)


def demo(
    port: PortOption = 8000,
    data: DataOption = Path("var/demo"),
) -> None:
    """Open the demo house: a live market with simulated traders, on this machine only."""
    leave_at_once()
    with one_sentence():
        data_dir = data.absolute()
        asked = Start(
            house_path=DEMO_HOUSE,
            house=load(DEMO_HOUSE),
            data_dir=data_dir,
            host="127.0.0.1",
            port=port,
            secret="",
            is_demo=True,
        )
        raise typer.Exit(serve_all(asked))


def serve_all(asked: Start) -> int:
    """Lock, bind, start all roles and keep them; return the exit status."""
    from fondaco.cli import welcome

    with (
        lock_soon(asked.data_dir) as lock,
        bind_soon(asked.host, asked.port) as listener,
        contextlib.ExitStack() as stack,
    ):
        check_space(asked.data_dir)
        if asked.is_demo:
            asked = msgspec.structs.replace(asked, secret=demo_secret(asked.data_dir))
        prepared = prepared_mark(asked.data_dir)
        shared = ["--house", str(asked.house_path), "--data", str(asked.data_dir)]
        shared += ["--host", asked.host, "--port", str(asked.port)]
        shared += ["--demo"] if asked.is_demo else []

        def child(role: Role, *, is_vital: bool = True) -> Child:
            arguments = ["serve", "--role", role.value, *shared]
            return Child(role.value, arguments, is_vital=is_vital)

        children = [child(Role.WRITER), child(Role.WORKER)]
        has_feeds = any(feed.kind == "mqtt" for feed in asked.house.feeds)
        if has_feeds:
            children.append(child(Role.FEEDS))
        children += [child(Role.EDGE) for _ in range(asked.house.house.edges)]
        broker = ""
        listeners = {"edge": listener}
        if asked.is_demo:
            children.append(child(Role.TRADERS, is_vital=False))
            broker = os.environ.get(MQTT_URL, "")
            if not broker:
                listeners["stocks"] = stack.enter_context(bind_broker())
                broker = f"mqtt://127.0.0.1:{listeners['stocks'].getsockname()[1]}"
                children.append(child(Role.STOCKS, is_vital=False))
        environment = {
            **asked.environment(),
            **({MQTT_URL: broker} if broker else {}),
            **{LISTENERS[role]: str(each.fileno()) for role, each in listeners.items()},
            "FONDACO_PREPARED": str(prepared),
            "FONDACO_FEEDS_APART": "1" if has_feeds else "0",
        }
        parent = Parent(children, environment, lock=lock.fileno(), listeners=listeners)
        welcome.announce_when_ready(
            asked.base_url,
            asked.host,
            asked.port,
            asked.house,
            is_demo=asked.is_demo,
            broker=broker and address_of(broker).text,
        )
        return parent.run()


def check_brokers(house: House) -> None:
    """See that each feed has a broker's address, of the house file or of the environment."""
    named = os.environ.get(MQTT_URL, "")
    if named:
        address_of(named, (MQTT_URL,))
    for place, feed in enumerate(house.feeds):
        if not (named or feed.url):
            raise Misconfigured(
                f"feeds[{place}] has no url and {MQTT_URL} is not set; give one of them"
            )


def check_space(data_dir: Path) -> None:
    """See that the disk has room for a start. Raises OutOfSpace."""
    free = shutil.disk_usage(data_dir).free
    if free < SPACE_LEAST:
        raise OutOfSpace(
            f"the disk of {data_dir} has {free // 1024} kB left and a house needs "
            f"{SPACE_LEAST // 1024} kB to start; free some space or give another --data"
        )


def bind_broker() -> socket.socket:
    """Return where the demo's broker listens: the port that MQTT has, or one that is free.

    The socket is the house's from here on: two demos that start at once have one each.
    """
    for port in (MQTT_PORT, 0):
        with contextlib.suppress(Misconfigured):
            made = bind_soon("127.0.0.1", port)
            found: int = made.getsockname()[1]
            if found != MQTT_PORT:
                print(
                    f"fondaco: port {MQTT_PORT} is taken; the demo's broker is at "
                    f"mqtt://127.0.0.1:{found}",
                    file=sys.stderr,
                )
            return made
    raise Misconfigured("no port of loopback is free for the demo's broker; end something")


def prepared_mark(data_dir: Path) -> Path:
    """Return the file that the worker makes once the house file is applied, absent now."""
    run = data_dir / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    mark = run / "prepared"
    mark.unlink(missing_ok=True)
    return mark


def lock_soon(data_dir: Path) -> DataLock:
    """Lock the data directory; only the children of a killed parent are waited for.

    Raises DataInUse and Misconfigured.
    """
    deadline = time.monotonic() + LEFT_OVER_S
    while True:
        try:
            return lock_data(data_dir)
        except DataInUse as error:
            if not error.is_orphaned or time.monotonic() >= deadline:
                raise
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise Misconfigured(
                f"--data {data_dir} can't be a directory of this user ({error.strerror}: "
                f"{error.filename}); give another"
            ) from error
        time.sleep(RETRY_S)


def bind_soon(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises Misconfigured."""
    deadline = time.monotonic() + LAST_MOMENT_S
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Misconfigured(f"--host {host} is no address of this machine: {error}") from error
    family, kind, protocol, _, address = found[0]
    while True:
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
            made.listen(BACKLOG)
        except OSError as error:
            made.close()
            if time.monotonic() >= deadline:
                reason = error.strerror or str(error)
                raise Misconfigured(
                    f"port {port} of {host} can't be served ({reason}); "
                    "stop what uses it or choose another with --port"
                ) from error
        else:
            return made
        time.sleep(RETRY_S)


def leave_at_once() -> None:
    """Have SIGTERM end this process with 0 until something that must be ended has begun."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))

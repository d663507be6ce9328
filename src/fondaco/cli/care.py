"""The operator's commands on a data directory: verify, repair, snapshot, createadmin, keys.

Promises: verify writes nothing; repair and snapshot want the house stopped (status 4 otherwise);
createadmin and keys work beside a running house. Passwords come from stdin, secrets go to stdout
once. What is asked of the journal is the journal's own answer, in its own words.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fondaco.cli.ending import stop
from fondaco.cli.faults import Misconfigured, one_sentence
from fondaco.cli.secret import VARIABLE, require_secret

if TYPE_CHECKING:
    from fondaco.link.blocking import BlockingClient

__all__ = ["register"]

SCOPES: Final = {"read": 1, "trade": 2, "withdraw": 4}
PASSWORD_CHARS_MAX: Final = 4096

DataOption = Annotated[Path, typer.Option("--data", help="The data directory of the house.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(verify)
    app.command()(repair)
    app.command()(snapshot)
    app.command()(createadmin)
    app.command("security-log")(security_log)
    keys = typer.Typer(help="API keys of the members.", no_args_is_help=True)
    keys.command("list")(keys_list)
    keys.command("grant")(keys_grant)
    keys.command("revoke")(keys_revoke)
    app.add_typer(keys, name="keys")


# ---- the journal


def verify(
    data: DataOption,
    live: Annotated[bool, typer.Option("--live", help="Beside a running house.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read and replay everything on disk; 0 = whole, 3 = damaged. Writes nothing."""
    import msgspec
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    with one_sentence():
        existing(data)
        from fondaco.journal.verify import verify as verify_all

        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("reading the journal")
            report = verify_all(
                data,
                live,
                on_progress=lambda seq: bar.update(task, description=f"replayed to seq {seq}"),
            )
        if as_json:
            typer.echo(msgspec.json.encode(report).decode())
        else:
            typer.echo(f"whole: last seq {report.last_seq}, state {report.state_hash}")


def repair(
    data: DataOption,
    skip: Annotated[
        list[int] | None,
        typer.Option("--skip", metavar="SEQ", help="Pass over the command with this seq."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in DATA/repairs.log.")] = "",
    cut: Annotated[
        bool, typer.Option("--cut", help="Give up what stands at and after the damage.")
    ] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Do it, though acknowledged commands are lost.")
    ] = False,
) -> None:
    """Do what only an operator may decide: pass over a command, or cut at the damage."""
    with one_sentence():
        existing(data)
        if not (skip or cut):
            raise Misconfigured("say what to repair: --skip SEQ --reason TEXT, or --cut")
        if skip and not reason:
            raise Misconfigured("--skip wants --reason TEXT: who looks at the journal will ask")
        from fondaco.journal.repair import repair as repair_journal

        # The journal holds numbers only: the text's checksum there, the text beside it.
        number = int(reason) if reason.isdecimal() else zlib.crc32(reason.encode())
        said = repair_journal(
            data, skip_seqs=skip or (), reason=number, cut_damage=cut, accept_loss=accept_loss
        )
        if cut:  # they may hold what was lost; the next start makes them from the events
            for file in data.glob("projections.sqlite3*"):
                file.unlink()
        with (data / "repairs.log").open("a", encoding="utf-8") as log:
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            log.write(f"{at} {said} (reason {number}: {' '.join(reason.split())})\n")
        typer.echo(said)


def snapshot(data: DataOption) -> None:
    """Write a snapshot of a stopped house, so that its next start is quick."""
    with one_sentence():
        existing(data)
        from fondaco.journal.clock import SystemClock
        from fondaco.journal.lock import lock_data
        from fondaco.journal.recovery import open_sequencer

        with lock_data(data):
            sequencer = open_sequencer(data, SystemClock())
            try:
                sequencer.snapshot(wait=True)
                typer.echo(f"snapshot at seq {sequencer.seq}")
            finally:
                sequencer.close(snapshot=False)


def existing(data: Path) -> None:
    """Raise Misconfigured if there is no house in a directory."""
    if not (data / "journal").is_dir():
        raise Misconfigured(f"there is no house in {data}; give its directory with --data")


# ---- identity


def createadmin(
    data: DataOption,
    username: Annotated[str, typer.Option(help="The admin's user name.")],
    email: Annotated[str, typer.Option(help="The admin's e-mail address.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
) -> None:
    """Create a member who is an admin."""
    with one_sentence():
        password = read_password(from_stdin=password_stdin)
        with_office(data)
        from fondaco.identity import services

        member = services.create_admin(username=username, email=email, password=password)
        typer.echo(f"{member.username} is an admin")


def read_password(*, from_stdin: bool) -> str:
    """Return a password as a person gives it. Raises Misconfigured."""
    if from_stdin:
        password = sys.stdin.read(PASSWORD_CHARS_MAX + 3).rstrip("\r\n")
    elif sys.stdin.isatty():
        asked = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        password = str(asked)
    else:
        raise Misconfigured("there is no terminal to ask for the password; use --password-stdin")
    if len(password) > PASSWORD_CHARS_MAX:
        raise Misconfigured(f"the password has over {PASSWORD_CHARS_MAX} characters; shorten it")
    return password


def security_log(data: DataOption) -> None:
    """Verify the log of staff and security actions; 0 = whole, 1 = changed. Prints its end."""
    with one_sentence():
        with_office(data)
        from fondaco.identity import security_log as log

        try:
            found = log.verify()
        except log.Broken as broken:
            stop(1, f"the security log was tampered with: {broken}")
        typer.echo(f"{found.entries} entries, the last with digest {found.digest}")


def keys_list(data: DataOption) -> None:
    """List the keys: number, account, scopes, the beginning of the key."""
    with one_sentence():
        with_office(data)
        from fondaco.identity.models import ApiKey

        for row in ApiKey.objects.select_related("account__member").order_by("pk"):
            state = "revoked" if row.revoked_at else "granted" if row.granted_at else "waiting"
            scopes = ",".join(name for name, bit in SCOPES.items() if row.scopes & bit)
            owner = row.account.member.username
            typer.echo(f"{row.pk}\t{owner}\t{row.account_id}\t{scopes}\t{state}\t{row.key[:8]}…")


def keys_grant(
    data: DataOption,
    username: Annotated[str, typer.Option(help="Whose key it will be.")],
    scopes: Annotated[str, typer.Option(help="As read,trade.")] = "read,trade",
) -> None:
    """Grant a new key to a member's spot account; prints key and secret, once."""
    with one_sentence():
        named = [name.strip() for name in scopes.split(",")]
        unknown = [name for name in named if name not in SCOPES]
        if unknown:
            raise Misconfigured(f"there is no scope {unknown[0]}; there are {', '.join(SCOPES)}")
        with_office(data)
        from fondaco.identity import services
        from fondaco.identity.models import Account

        account = Account.objects.filter(member__username__iexact=username).first()
        if account is None:
            raise Misconfigured(f"{username} has no account in this house")
        with writer_of(data) as client:
            bits = sum(SCOPES[name] for name in set(named))
            row, secret = services.grant_key(client, account=account, scopes=bits)
        typer.echo(f"key     {row.key}")
        typer.echo(f"secret  {secret}")


def keys_revoke(
    data: DataOption,
    number: Annotated[int, typer.Argument(help="The key's number, as `keys list` shows it.")],
) -> None:
    """Revoke a key: no command of it comes after."""
    with one_sentence():
        with_office(data)
        from fondaco.identity import services
        from fondaco.identity.models import ApiKey

        if not ApiKey.objects.filter(pk=number).exists():
            stop(2, f"there is no key {number}; `fondaco keys list` shows them")
        with writer_of(data) as client:
            services.revoke_key(client, key_number=number)
        typer.echo(f"key {number} is revoked")


def with_office(data: Path) -> None:
    """Set Django up on a data directory, its tables up to date."""
    data = data.absolute()
    secret = require_secret(data)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[VARIABLE] = secret
    os.environ["FONDACO_DATA"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "fondaco.office.settings"
    import django

    django.setup()
    from fondaco.office.services import prepare_databases

    prepare_databases()


def writer_of(data: Path) -> BlockingClient:
    """Return a client of the running house's writer. Raises Overloaded if none runs."""
    from fondaco.link.address import writer_socket
    from fondaco.link.blocking import BlockingClient

    client = BlockingClient(writer_socket(data), role="cli")
    client.wait_until_connected(1.0)
    return client

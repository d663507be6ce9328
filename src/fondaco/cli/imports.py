"""`fondaco import`: recorded trades become trades and candles of an instrument.

Promises: the whole file is checked before anything is kept; no balance moves; the house must not
be running, and takes the trades in at its next start. See projections.imports for the rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fondaco.cli.ending import stop
from fondaco.core.records import Command, InstrumentBody, unpack_body
from fondaco.house.commands import Definitions, commands
from fondaco.house.errors import HouseFileError
from fondaco.house.file import House, load
from fondaco.journal.faults import DataInUse
from fondaco.journal.lock import lock_data
from fondaco.projections.imports import ImportFault, keep_trades

__all__ = ["declared_instruments", "register"]


def declared_instruments(house: House) -> dict[str, InstrumentBody]:
    """Return the instruments of a house file by symbol, as a fresh house would define them."""
    bodies = [
        msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
        for record in commands(house, Definitions({}, {}))
        if int.from_bytes(record[:2], "little") == Command.DEFINE_INSTRUMENT
    ]
    return {body.symbol: body for body in bodies}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="import")(import_command)


def import_command(
    trades: Annotated[
        Path, typer.Argument(help="CSV of ts_ms,price,qty,buyer_is_maker; plain, .gz or .xz.")
    ],
    house: Annotated[Path, typer.Option(help="The house file.")],
    data: Annotated[Path, typer.Option(help="The data directory; its house must not be running.")],
    symbol: Annotated[str, typer.Option(help="The instrument that was traded.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on the last line.")
    ] = False,
) -> None:
    """Turn recorded trades into trades and candles of an instrument."""
    try:
        instruments = declared_instruments(load(house))
    except HouseFileError as error:
        stop(2, str(error))
    if symbol not in instruments:
        known = ", ".join(sorted(instruments)) or "none"
        stop(2, f"the house file declares no instrument {symbol}; it declares {known}")
    try:
        with lock_data(data):
            kept = keep_trades(trades, data_dir=data, instrument=instruments[symbol])
    except DataInUse as error:
        stop(error.status, str(error))
    except ImportFault as error:
        stop(2, str(error))
    except OSError as error:
        stop(1, f"{error.filename or data}: {error.strerror or error}; --data names a folder")
    found = {
        "symbol": symbol,
        "rows": kept.rows,
        "first_ms": kept.first_us // 1000,
        "last_ms": kept.last_us // 1000,
    }
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        typer.echo(f"{kept.rows} trades of {symbol} kept; they show from the next start")

"""Recorded trades from outside: exact, refused by line, there again after a rebuild."""

from __future__ import annotations

import csv
import gzip
import lzma
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fondaco.core import records
from fondaco.journal.events import EventLog
from fondaco.projections import candles, imports, selectors, services
from fondaco.projections.bars import INTERVALS
from fondaco.projections.services import ImportFault, Writer
from tests.projections import packed
from tests.projections.conftest import dump

Renew = Callable[[], None]
XRPETH = records.InstrumentBody(
    number=packed.BTCUSDT,
    symbol="XRPETH",
    base=1,
    quote=2,
    tick_size="0.00000001",
    lot_size="1",
    base_per_lot=10**8,
    quote_per_lot_tick=1,
)
LINES = "1600000000000,0.5,2,true\n1600000060000,0.6,3,False\n1600000060000,0.4,1,0\n"


def defined(body: records.InstrumentBody) -> bytes:
    return records.pack_body(records.Event.INSTRUMENT, body, seq=1, time_us=packed.NOON_US)


def kept(tmp_path: Path, text: str, name: str = "trades.csv") -> imports.KeptFile:
    path = tmp_path / name
    path.write_text(text)
    return services.import_trades(path, data_dir=tmp_path, instrument=XRPETH)


def test_recorded_trades_rebuild_the_recorded_candles(
    tables: Renew, tmp_path: Path, shared_data: Path
) -> None:
    """5,929 recorded trades give the 1,022 recorded bars, exactly in all five columns."""
    source = tmp_path / "xrpeth.csv.gz"
    with (
        gzip.open(shared_data / "trades" / "binance_XRPETH_aggtrades.csv.gz", "rt") as recorded,
        gzip.open(source, "wt") as made,
    ):
        for row in csv.DictReader(recorded):
            maker = str(row["taker_side"] == "sell").lower()
            made.write(f"{row['ts_ms']},{row['price']},{row['amount']},{maker}\n")
    file = services.import_trades(source, data_dir=tmp_path, instrument=XRPETH)
    assert file.rows == 5929
    Writer().apply_events(defined(XRPETH), 1)
    found = candles.stored(XRPETH.number, INTERVALS["1m"], start_us=0, end_us=1 << 60)
    ours = {
        bar.start_us // 1000: (
            Decimal(bar.open_ticks).scaleb(-8),
            Decimal(bar.high_ticks).scaleb(-8),
            Decimal(bar.low_ticks).scaleb(-8),
            Decimal(bar.close_ticks).scaleb(-8),
            Decimal(bar.volume_lots),
        )
        for bar in found
    }
    with gzip.open(shared_data / "candles" / "binance_XRPETH_1m.csv.gz", "rt") as recorded:
        theirs = {
            int(row["ts_ms"]): tuple(
                Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")
            )
            for row in csv.DictReader(recorded)
        }
    assert len(theirs) == 1022
    assert ours == theirs


def test_a_rebuild_has_the_imported_files_again(tables: Renew, tmp_path: Path) -> None:
    """Imported before, between or after: the tables are those of a rebuild."""
    kept(tmp_path, LINES)
    writer = Writer()
    writer.apply_imports()  # the instrument is not known yet: nothing to do
    assert selectors.trades(XRPETH.number) == []
    writer.apply_events(defined(XRPETH) + packed.trade(1, 1), 1)
    kept(tmp_path, LINES.replace("1600000", "1650000"), "later.csv")
    writer = Writer()
    writer.apply_imports()
    writer.apply_imports()  # once is enough
    writer.apply_events(packed.trade(2, 2), 2)
    before = dump()
    assert [row.trade_id for row in selectors.trades(XRPETH.number)] == [
        *range(1, 7),
        packed.KEPT + 1,
        packed.KEPT + 2,
    ]
    times = [row.time_us for row in selectors.trades(XRPETH.number)]
    assert times == sorted(times)
    tables()
    writer = Writer()
    writer.apply_imports()
    writer.apply_events(defined(XRPETH) + packed.trade(1, 1) + packed.trade(2, 2), 2)
    assert dump() == before


def test_imports_of_one_instrument_are_not_taken_for_trades_of_another(
    tables: Renew, tmp_path: Path
) -> None:
    """A projector that begins again beside a neighbour's imported trades goes on at its own."""
    neighbour = msgspec.structs.replace(XRPETH, number=XRPETH.number + 1, symbol="NEXT")
    path = tmp_path / "next.csv"
    path.write_text(LINES)
    services.import_trades(path, data_dir=tmp_path, instrument=neighbour)
    writer = Writer()
    writer.apply_events(defined(XRPETH) + defined(neighbour) + packed.trade(1, 1), 1)
    Writer().apply_events(packed.trade(2, 2), 2)
    assert [row.trade_id - packed.KEPT for row in selectors.trades(XRPETH.number)] == [1, 2]
    assert len(selectors.trades(neighbour.number)) == 3


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_plain_and_compressed_files_give_the_same(tmp_path: Path, suffix: str) -> None:
    """A head line or none, compressed or not: the kept rows are equal."""
    path = tmp_path / f"trades.csv{suffix}"
    packers: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.compress,
        ".xz": lzma.compress,
    }
    text = f"ts_ms,price,qty,buyer_is_maker\n{LINES}".encode()
    path.write_bytes(packers[suffix](text))
    found = services.import_trades(path, data_dir=tmp_path, instrument=XRPETH)
    assert list(imports.rows_of(found)) == [
        (1_600_000_000_000_000, 50_000_000, 2, 100_000_000, 2),
        (1_600_000_060_000_000, 60_000_000, 3, 180_000_000, 1),
        (1_600_000_060_000_000, 40_000_000, 1, 40_000_000, 1),
    ]


@pytest.mark.parametrize(
    "line, said",
    [
        ("1600000060001,0.5,2", "line 4 has 3 fields"),
        ("soon,0.5,2,true", "line 4: ts_ms 'soon' is no time"),
        ("9000000000000,0.5,2,true", "line 4: ts_ms 9000000000000 lies in the future"),
        ("1500000000000,NaN,2,true", "line 4: price NaN"),
        ("1600000050000,0.5,2,true", "line 4 is older than the trade before it"),
        ("1600000060001,0.123456789,2,true", "no positive multiple of the tick_size 0.00000001"),
        ("1600000060001,0.5,1.5,true", "line 4: qty 1.5 is no positive multiple of the lot_size 1"),
        ("1600000060001,-1,2,true", "line 4: price -1 is no positive multiple"),
        ("1600000060001,NaN,2,true", "line 4: price NaN"),
        ("1600000060001,0.5,ten,true", "line 4: qty 'ten' is no number"),
        ("1600000060001,0.5,0,true", "line 4: qty 0 is no positive multiple"),
        ("1600000060001,9999999999,9999999999,true", "too large for the ledger"),
        ("1600000060001,0.5,2,maybe", "buyer_is_maker 'maybe' is neither true nor false"),
        ("x" * 401, "line 4 is over 400 characters"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_kept(tmp_path: Path, line: str, said: str) -> None:
    """The whole file is checked before any of it counts."""
    with pytest.raises(ImportFault, match=said):
        kept(tmp_path, LINES + line + "\n")
    assert list((tmp_path / "imports").iterdir()) == []


@pytest.mark.parametrize("line", ["1e12,0.5,2,true", "a,b,c,d", "ts_ms,price,qty"])
def test_a_damaged_first_row_is_no_head_line(tmp_path: Path, line: str) -> None:
    """Only the head line itself is passed over."""
    with pytest.raises(ImportFault, match="line 1"):
        kept(tmp_path, f"{line}\n{LINES}")
    assert list((tmp_path / "imports").iterdir()) == []


def test_an_import_older_than_an_earlier_one_is_refused(tmp_path: Path) -> None:
    """Files come oldest first, so that their trade ids follow time; the same file twice is one."""
    kept(tmp_path, LINES)
    with pytest.raises(ImportFault, match="an earlier import of XRPETH"):
        kept(tmp_path, LINES)
    assert len(imports.kept_files(tmp_path, "XRPETH")) == 1


def test_an_import_newer_than_the_houses_own_trades_is_refused(tmp_path: Path) -> None:
    """It would stand before them by number and after them by time; older rows are taken."""
    (tmp_path / "events").mkdir()
    log = EventLog(str(tmp_path / "events"))
    log.recover(b"h" * 16)
    other = msgspec.structs.replace(XRPETH, number=XRPETH.number + 1, symbol="NEXT")
    own_us, ms = packed.NOON_US, packed.NOON_US // 1000
    log.append(defined(XRPETH) + defined(other), 1, 1)
    earlier = packed.trade(2, 1, time_us=own_us - 9_000_000, instrument=other.number)
    log.append(earlier + packed.trade(2, 1, time_us=own_us), 2, 2)
    log.append(packed.trade(3, 2, time_us=own_us + 60_000_000), 3, 3)
    log.close()
    with pytest.raises(ImportFault, match=f"leave out its rows with a ts_ms above {ms}$"):
        kept(tmp_path, f"{ms - 1},0.5,2,true\n{ms + 1},0.5,2,true\n")
    assert list((tmp_path / "imports").iterdir()) == []
    assert kept(tmp_path, f"{ms - 1},0.5,2,true\n{ms},0.5,2,true\n").rows == 2
    segment = next((tmp_path / "events").iterdir())
    segment.write_bytes(segment.read_bytes()[:-8])  # a torn end is cut at the next start
    with pytest.raises(ImportFault, match="the house itself has traded"):
        kept(tmp_path, f"{ms + 1},0.5,2,true\n")


def test_what_cannot_be_read_says_where_and_what_to_do(tmp_path: Path) -> None:
    """The line of a foreign letter, the packing that isn't one; never a decoder's own words."""
    for name, content, said in (
        ("a.csv", f"{LINES}\u00e9,1,1,true\n".encode(), "line 4 has letters or bytes beyond ASCII"),
        ("a.csv.gz", LINES.encode(), "line 0: it can't be unpacked as .gz; pack it again"),
        ("a.csv.xz", LINES.encode(), "line 0: it can't be unpacked as .xz; pack it again"),
        ("a.csv.gz", gzip.compress(LINES.encode())[:-9], "ends too early; pack or copy it again"),
        ("none.csv", None, "none.csv can't be read: No such file or directory; name a file"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ImportFault, match=said):
            services.import_trades(path, data_dir=tmp_path, instrument=XRPETH)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00", b"1600000000000,1,1,tru\xc3"])
def test_an_empty_or_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What holds no trades is said to, and a missing file too."""
    path = tmp_path / "trades.csv"
    path.write_bytes(content)
    with pytest.raises(ImportFault):
        services.import_trades(path, data_dir=tmp_path, instrument=XRPETH)
    path.rename(tmp_path / "trades.csv.gz")
    with pytest.raises(ImportFault):
        services.import_trades(tmp_path / "trades.csv.gz", data_dir=tmp_path, instrument=XRPETH)
    with pytest.raises(ImportFault, match="can't be read"):
        services.import_trades(tmp_path / "none.csv", data_dir=tmp_path, instrument=XRPETH)

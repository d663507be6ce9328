"""The house file: what it declares, and how each fault is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fondaco.core.records import (
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    pack_body,
    split,
    unpack_body,
)
from fondaco.house import markets
from fondaco.house.commands import Definitions, commands
from fondaco.house.errors import HouseFault
from fondaco.house.file import HouseFileError, load, loads, located
from fondaco.house.lines import line_of

PEM = (
    "-----BEGIN PUBLIC KEY-----\\n"
    "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\\n"
    "-----END PUBLIC KEY-----"
)
HOUSE = """\
[house]
name = "Rialto"                       # line 2
cash = "USD"

[[assets]]
code = "USDT"
decimals = 6                          # line 7

[[instruments]]
symbol = "BTCUSDT"
base = "BTC"                          # line 11
quote = "USDT"
market = "book"
tick_size = "0.01"                    # line 14
lot_size = "0.0001"                   # line 15
min_notional = "5"
maker_fee = "0.001"                   # line 17
taker_fee = "0.002"

[[instruments]]
symbol = "ACMEUSD"
base = "ACME"
quote = "USD"
market = "book"
tick_size = "0.01"
lot_size = "1"

[[members]]
username = "ann"                      # line 29
email = "ann@example.com"
balances = { USDT = "100.5", EUR = "7" }

[[members.api_keys]]
key = "ka"
secret = "sa"

[[members.robots]]
id = "robot-1"
config = { operation_stop_loss = 50.0, symbols = ["BTC"] }
allotment = { USD = 1000 }

[[members]]
username = "bob"
email = "bob@example.com"

[[members.api_keys]]
key = "kb"                            # line 47
public_key = "PEM"
""".replace("PEM", PEM)


def bodies(records: list[bytes]) -> list[InstrumentBody]:
    return [
        msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
        for record in records
        if int.from_bytes(record[:2], "little") == Command.DEFINE_INSTRUMENT
    ]


def as_answer(records: list[bytes]) -> bytes:
    """Definition commands as the core would answer them."""
    answers = {Command.DEFINE_ASSET: Event.ASSET, Command.DEFINE_INSTRUMENT: Event.INSTRUMENT}
    out = b""
    for record in records:
        kind = Command(int.from_bytes(record[:2], "little"))
        body = msgspec.msgpack.decode(unpack_body(record))
        out += pack_body(answers[kind], msgspec.Raw(msgspec.msgpack.encode(body)))  # type: ignore[arg-type]
    return out


def test_assets_are_those_that_are_named_anywhere() -> None:
    """Declared ones first, then what instruments, balances, allotments and cash name, with 8."""
    found = [(asset.code, asset.decimals) for asset in markets.assets(loads(HOUSE))]
    assert found == [("USDT", 6), ("BTC", 8), ("ACME", 8), ("USD", 8), ("EUR", 8)]


def test_instruments_come_in_the_core_s_own_units() -> None:
    """Lots, ticks, fees and the fee's side are exact integers of the declared decimals."""
    btc, acme = bodies(commands(loads(HOUSE), b""))
    assert (btc.number, btc.base, btc.quote) == (1, 2, 1)
    assert (btc.base_per_lot, btc.quote_per_lot_tick) == (10_000, 1)
    assert (btc.maker_fee_ppm, btc.taker_fee_ppm, btc.min_notional) == (1000, 2000, 5_000_000)
    assert btc.stop_band_ppm == 50_000
    assert not btc.fee_in_quote
    assert acme.base_per_lot == 100_000_000


def test_whole_shares_pay_their_fee_in_quote() -> None:
    """Where a lot is worth less than 1,000 units of the base, the fee is in quote."""
    text = HOUSE + '[[assets]]\ncode = "ACME"\ndecimals = 0\n'
    _, acme = bodies(commands(loads(text), b""))
    assert acme.base_per_lot == 1
    assert acme.fee_in_quote


def test_nothing_is_asked_when_all_is_there() -> None:
    """Applied to its own outcome, a house file gives no command."""
    house = loads(HOUSE)
    assert commands(house, as_answer(commands(house, b""))) == []


def test_fees_and_limits_follow_numbers_stay() -> None:
    """A changed fee is one command with the old number; a new instrument gets the next ones."""
    before = as_answer(commands(loads(HOUSE), b""))
    changed = HOUSE.replace('maker_fee = "0.001"', 'maker_fee = "0"').replace(
        '[[instruments]]\nsymbol = "ACMEUSD"',
        '[[instruments]]\nsymbol = "NEWUSD"\nbase = "NEW"\nquote = "USD"\nmarket = "book"\n'
        'tick_size = "1"\nlot_size = "1"\n[[instruments]]\nsymbol = "ACMEUSD"',
    )
    made = commands(loads(changed), before)
    assert [int.from_bytes(record[:2], "little") for record in made] == [
        Command.DEFINE_ASSET,
        Command.DEFINE_INSTRUMENT,
        Command.DEFINE_INSTRUMENT,
    ]
    btc, new = bodies(made)
    assert (btc.symbol, btc.number, btc.maker_fee_ppm) == ("BTCUSDT", 1, 0)
    assert (new.symbol, new.number, new.base) == ("NEWUSD", 3, 6)


@pytest.mark.parametrize(
    "old, new, path",
    [
        ('tick_size = "0.01"     ', 'tick_size = "0.1"      ', "tick_size"),
        ('lot_size = "0.0001"', 'lot_size = "0.001" ', "lot_size"),
        ("decimals = 6", "decimals = 8", "decimals"),
        ('base = "BTC" ', 'base = "EUR" ', "base"),
    ],
)
def test_what_never_changes_names_its_line(tmp_path: Path, old: str, new: str, path: str) -> None:
    """Another tick, lot, decimals or base of what exists is refused with the line of the key."""
    before = as_answer(commands(loads(HOUSE), b""))
    file = tmp_path / "house.toml"
    file.write_text(HOUSE.replace(old, new, 1))
    with pytest.raises(HouseFault) as caught:
        commands(load(file), before)
    error = located(file, caught.value)
    assert path in file.read_text().splitlines()[error.line - 1]
    assert "never change" in str(error)


@pytest.mark.parametrize(
    "old, new, line, said",
    [
        ('name = "Rialto"', 'nam = "Rialto"', 2, 'house has an unknown key "nam"; known are name'),
        ('name = "Rialto"', "", 1, 'house lacks the key "name"'),
        ('username = "ann"', "username = 3", 29, "members[1].username: expected `str`, got `int`"),
        (
            'market = "book"',
            'market = "bok"',
            13,
            "instruments[1].market: invalid enum value 'bok'; write one of book, dealer, agency",
        ),
        (
            'username = "ann"',
            'username = "ann"\nroles = ["boss"]',
            30,
            "write one of member, moderator, admin",
        ),
        ('cash = "USD"', 'cash = "USD"\nclock = "no"', 4, "write one of system, test"),
        ('key = "kb"', 'key = "kb"\n[[widgets]]', 48, 'unknown key "widgets"'),
        ("decimals = 6", "decimals = 9", 7, "it must be 0 to 8"),
        ('"0.0001"', '"0.00001"', 15, "nearest valid pair is tick size 0.01 and lot size 0.0001"),
        ('"0.01"', '"0"', 14, "tick_size of BTCUSDT must be above 0"),
        ('"0.01"', '"-1"', 14, 'write a plain decimal like "0.01"'),
        ('"0.01"', '"1e2"', 14, 'write a plain decimal like "0.01"'),
        ('maker_fee = "0.001"', 'maker_fee = "1"', 17, "a rate is below 1"),
        ('maker_fee = "0.001"', 'maker_fee = "0.0000001"', 17, "at most 6 decimals"),
        ('base = "BTC"', 'base = "USDT"', 12, "as base and as quote"),
        ('base = "BTC"', 'base = "btc"', 11, "1 to 12 capitals or digits"),
        ('USDT = "100.5"', 'USDT = "0.1234567"', 31, "has more than 6 decimals"),
        ('username = "bob"', 'username = "Ann"', 43, 'username "ann" stands twice'),
        ('key = "kb"', 'key = "ka"', 47, "api_keys key stands twice"),
        (f'public_key = "{PEM}"', "", 46, "either secret or public_key"),
        (f'public_key = "{PEM}"', 'public_key = "pb"', 48, "must be an Ed25519 public key in PEM"),
        ('key = "kb"', 'key = "kb"\naddresses = ["10.0.0.1/8"]', 48, "has host bits set"),
        ('key = "kb"', 'key = "kb"\nexpires_at = "soon"', 48, "invalid RFC3339"),
        ('key = "kb"', 'key = "kb"\naccount = ""', 48, "must be 1 to 64 characters"),
        ('key = "kb"', 'key = "kb"\nscopes = []', 48, "one or more scopes"),
        ('symbol = "ACMEUSD"', 'symbol = "BTCUSDT"', 21, 'symbol "BTCUSDT" stands twice'),
        ('cash = "USD"', 'cash = "USD"\nstaff_mfa = 1', 4, "expected `bool`, got `int`"),
        ('cash = "USD"', 'cash = "USD"\ntime_zone = "Mars"', 4, 'time_zone "Mars" is unknown'),
        ('cash = "USD"', 'cash = "USD"\nedges = 0', 4, "it must be 1 to 64"),
        ('cash = "USD"', 'cash = "USD"\nbase_url = "x"', 4, "write it as"),
        ('cash = "USD"', "cash = ", 3, "is not TOML"),
    ],
)
def test_a_fault_names_its_line_and_what_to_do(old: str, new: str, line: int, said: str) -> None:
    """Every fault is one sentence with the file, the line, what was found and what to do."""
    assert old in HOUSE
    with pytest.raises(HouseFileError) as caught:
        loads(HOUSE.replace(old, new, 1), name="h.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"house file h.toml line {line}: ")
    assert "\n" not in str(caught.value)


def test_too_much_of_an_asset_says_which_decimals_would_do() -> None:
    """Balances over 2^62 units of an asset are refused with the decimals that would hold them."""
    text = HOUSE.replace('EUR = "7"', 'EUR = "46000000000"')
    loads(text)
    with pytest.raises(HouseFileError, match="declare EUR with decimals = 7"):
        loads(
            text.replace(
                'username = "bob"', 'username = "bob"\nbalances = { EUR = "120000000" }'
            ).replace("46000000000", "46100000000")
        )


@pytest.mark.parametrize(
    "key", ["rate_limits = false", "open_api = true", "staff_mfa = false", 'clock = "test"']
)
@pytest.mark.parametrize(
    "host, base_url, may",
    [
        ("127.0.0.1", "http://127.0.0.1:8000", True),
        ("::1", "http://localhost:8000", True),
        ("0.0.0.0", "http://127.0.0.1:8000", False),
        ("127.0.0.1", "https://house.example", False),
    ],
)
def test_what_is_loosened_stays_on_loopback(key: str, host: str, base_url: str, may: bool) -> None:
    """rate_limits, open_api, staff_mfa and clock may be loosened only where nobody else comes."""
    text = HOUSE.replace('cash = "USD"', f'cash = "USD"\nbase_url = "{base_url}"\n{key}')
    if may:
        loads(text, host=host)
        return
    with pytest.raises(HouseFileError, match="only on loopback"):
        loads(text, host=host)


def test_amounts_may_be_written_as_numbers_exactly() -> None:
    """An amount without quotes is taken as written, digit for digit; other numbers stay numbers."""
    house = loads(HOUSE.replace('USDT = "100.5"', "USDT = 0.1000001").replace("decimals = 6", ""))
    assert house.members[0].balances["USDT"] == "0.1000001"
    assert house.members[0].robots[0].allotment == {"USD": "1000"}
    assert house.members[0].robots[0].config["operation_stop_loss"] == 50.0


@pytest.mark.parametrize("content, said", [(b"\xff\xfe", "is not UTF-8"), (None, "cannot be read")])
def test_a_file_that_is_none_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A missing file, or one that isn't text, is one sentence too."""
    path = tmp_path / "house.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HouseFileError, match=said):
        load(path)


ASSETS_OF_THE_DEMO = ("USDT", "BTC", "ETH", "CIB", "ABAN", "USD")


def test_the_demo_s_house_file_stands() -> None:
    """The file of `fondaco demo` loads: four books, a coin bought outside, robots that can act."""
    import fondaco.cli
    from fondaco.house.robots import read_config
    from fondaco.robots.rules.plan import Figure, plan_rule
    from fondaco.robots.rules.validation import read_rule

    house = load(Path(fondaco.cli.__file__).with_name("demo.toml"))
    books = [each.symbol for each in house.instruments if each.market == "book"]
    assert books == ["BTCUSDT", "ETHUSDT", "ETHBTC", "BTCUSD"]
    follower, seller = house.members[0].robots
    assert read_config(follower.config, decimals=8).symbols == ("BTC",)
    plan = plan_rule(read_rule(seller.rule))
    assert plan.traded == ("BTC",)
    bands = [look.b for step in plan.steps for look in step.looks]
    assert [band.output for band in bands if isinstance(band, Figure)] == [
        "upperband", "lowerband",
    ]  # fmt: skip
    assert house.house.own_signals
    assert [each.symbol for each in house.instruments if each.venue] == ["ABANUSD"]
    made = split(b"".join(commands(house, Definitions({}, {}))))
    assert len(made) == len(house.instruments) + len(ASSETS_OF_THE_DEMO)


def test_lines_are_found_past_text_of_many_lines() -> None:
    """A key inside a string of many lines is no key."""
    text = "[a]\nrule = '''\nx = 1\n[b]\n'''\nx = 2\n"
    assert line_of(text, ("a", "x")) == 6
    assert line_of(text, ("b",)) == 1


ASSET_NUMBERS = (("CIB", 1), ("USD", 2), ("ABAN", 3))
OUTSIDE = """
[house]
name = "Rialto"
[[instruments]]
symbol = "CIBUSD"
base = "CIB"
quote = "USD"
market = "dealer"
stock_id = "6ffb8e62-92c1-40c7-9d38-5b976a346b62"
name = "CIB"
tick_size = "0.01"
lot_size = "1"
inventory_limit = "500"
[[instruments]]
symbol = "ABANUSD"
base = "ABAN"
quote = "USD"
market = "agency"
venue = "outside"
reference_price = "10"
tick_size = "0.01"
lot_size = "0.0001"
[[venues]]
name = "outside"
slippage = "0.02"
min_notional = "10"
pool_timeout_s = 1.5
pool_timeout = "flush"
"""


def test_dealer_and_agency_markets_become_definitions() -> None:
    """Stock, limit, venue, reference and minimum reach the core in its own units, once."""
    made = split(b"".join(commands(loads(OUTSIDE), Definitions({}, {}))))
    bodies = [
        msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
        for record in made
        if record[0] == Command.DEFINE_INSTRUMENT
    ]
    assert [(b.market, b.stock_id[:8], b.name, b.inventory_lots_max) for b in bodies] == [
        (2, "6ffb8e62", "CIB", 500),
        (3, "", "", 0),
    ]
    aban = bodies[1]
    assert (aban.venue, aban.reference_ticks, aban.slippage_ppm) == ("outside", 1000, 20_000)
    assert aban.pool_min_notional == 10 * 10**8
    assert (aban.pool_timeout_us, aban.pool_flush) == (1_500_000, True)
    known = Definitions(
        {code: AssetBody(number=n, code=code, decimals=8) for code, n in ASSET_NUMBERS},
        {body.symbol: body for body in bodies},
    )
    assert commands(loads(OUTSIDE), known) == []
    dearer = commands(loads(OUTSIDE.replace('"10"\ntick', '"11"\ntick')), known)
    (again,) = (msgspec.msgpack.decode(unpack_body(r), type=InstrumentBody) for r in dearer)
    assert again.reference_ticks == 1100


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('venue = "outside"', 'venue = "other"', 'venue "other" is not declared'),
        ('reference_price = "10"', "", "lacks reference_price"),
        ('name = "CIB"', 'name = "CIB"\nvenue = "outside"', "is a dealer market and has no venue"),
        ('venue = "outside"', 'venue = "outside"\nstock_id = "x"', "has no stock_id"),
        ('inventory_limit = "500"', 'inventory_limit = "0.5"', "write a multiple above 0"),
        ('"0.02"', '"1"', "a rate is below 1"),
        ("pool_timeout_s = 1.5", "pool_timeout_s = 9e9", "at most a year"),
    ],
)
def test_what_a_market_does_not_know_is_told(old: str, new: str, said: str) -> None:
    """A venue that isn't there, a key of another market, a limit off the lot: one sentence."""
    with pytest.raises(HouseFileError, match=said):
        loads(OUTSIDE.replace(old, new, 1))

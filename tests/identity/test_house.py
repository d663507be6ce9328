"""A house file applied: what is missing is made, once, whatever happens on the way."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import authenticate

from fondaco.core.records import Command, Scope
from fondaco.house import file
from fondaco.identity import selectors, services
from fondaco.identity.models import Account, ApiKey, Member, SecurityEntry
from fondaco.identity.services import IdentityConflict
from fondaco.link.answers import Unanswered
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db

HOUSE = """
[house]
name = "Rialto"
cash = "USDT"
[[assets]]
code = "USDT"
decimals = 6
[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.0001"
[[members]]
username = "ann"
email = "ann@example.com"
password = "a password of ann"
roles = ["member", "moderator"]
membership_until = 2027-12-31
balances = { USDT = "100000.5", BTC = "10" }
[[members.api_keys]]
key = "key-of-ann"
secret = "secret-of-ann"
scopes = ["read", "trade"]
order_limit_10s = 0
[[members]]
username = "bob"
email = "bob@example.com"
password = "a password of bob"
"""


def test_a_house_file_makes_members_accounts_and_keys(core: StandInCore) -> None:
    """Balances are in the command that opens the account, in units; keys come with limits."""
    services.apply_house(file.loads(HOUSE), core)
    ann = Member.objects.get(username="ann")
    (account,) = selectors.accounts_of(ann.pk)
    assert account.number == 16
    opened = core.accounts[16]
    assert opened.member == ann.pk
    numbers = {1: 100_000_500_000, 2: 10 * 10**8}
    assert dict(opened.opening) == numbers
    (grant,) = selectors.api_keys()
    assert (grant.key, grant.secret, grant.account) == ("key-of-ann", "secret-of-ann", 16)
    assert (grant.scopes, grant.order_limit_10s) == (Scope.READ | Scope.TRADE, 0)
    assert core.keys == {grant.number: (16, Scope.READ | Scope.TRADE)}
    assert selectors.roles_of(ann.pk) == {"member", "moderator"}
    assert authenticate(username="ann@example.com", password="a password of ann") == ann
    assert core.accounts[17].opening == []


def test_a_second_application_sends_no_command_and_changes_nothing(core: StandInCore) -> None:
    """Passwords, balances and keys of what exists stay, whatever the file says now."""
    services.apply_house(file.loads(HOUSE), core)
    sent = list(core.commands)
    changed = (HOUSE.replace("a password of ann", "another one").replace("100000.5", "7")).replace(
        "secret-of-ann", "another secret"
    )
    services.apply_house(file.loads(changed), core)
    assert core.commands == sent
    assert authenticate(username="ann", password="a password of ann") is not None
    assert selectors.api_keys()[0].secret == "secret-of-ann"


@pytest.mark.parametrize(
    "lost",
    [Command.DEFINE_ASSET, Command.DEFINE_INSTRUMENT, Command.OPEN_ACCOUNT, Command.GRANT_KEY],
)
def test_a_lost_answer_is_made_good_by_the_next_start(core: StandInCore, lost: Command) -> None:
    """The command was executed and its answer lost: the next start finishes, nothing is doubled."""
    core.lose = {lost}
    house = file.loads(HOUSE)
    with pytest.raises(Unanswered):
        services.apply_house(house, core)
    services.apply_house(house, core)
    assert len(core.accounts) == Account.objects.filter(opened_at__isnull=False).count() == 2
    assert len(core.keys) == ApiKey.objects.filter(granted_at__isnull=False).count() == 1
    assert dict(core.accounts[16].opening)[1] == 100_000_500_000


def test_a_lost_office_database_is_not_replaced_by_new_members(core: StandInCore) -> None:
    """Accounts that the journal has and identity hasn't stop the start: no balance twice."""
    house = file.loads(HOUSE)
    services.apply_house(house, core)
    ApiKey.objects.all().delete()
    Account.objects.all().delete()
    SecurityEntry.objects.all().delete()
    Member.objects.all().delete()
    with pytest.raises(IdentityConflict, match="account 16 belongs to member"):
        services.apply_house(house, core)
    assert not Member.objects.exists()


def test_a_lost_key_row_stops_the_start(core: StandInCore) -> None:
    """A key number of the journal is never given to another key."""
    house = file.loads(HOUSE)
    services.apply_house(house, core)
    ApiKey.objects.all().delete()
    with pytest.raises(IdentityConflict, match="API key 1 of the journal is missing"):
        services.apply_house(house, core)


def test_a_key_of_another_member_is_refused(core: StandInCore) -> None:
    """The house file can't move a key to another account."""
    services.apply_house(file.loads(HOUSE), core)
    moved = HOUSE.replace("[[members.api_keys]]\n", "").replace('key = "key-of-ann"\n', "")
    moved = moved.replace('secret = "secret-of-ann"\n', "").replace("order_limit_10s = 0\n", "")
    moved = moved.replace('scopes = ["read", "trade"]\n', "")
    moved += '[[members.api_keys]]\nkey = "key-of-ann"\nsecret = "mine"\n'
    with pytest.raises(IdentityConflict, match="belongs to account 16"):
        services.apply_house(file.loads(moved), core)


def test_a_key_may_be_bounded_and_of_a_sub_account(core: StandInCore) -> None:
    """Addresses, end and account of a key in the file are those of the grant; made once."""
    more = 'addresses = ["10.0.0.0/8", "192.0.2.7"]\nexpires_at = 2027-12-31T12:00:00\n'
    text = HOUSE.replace("order_limit_10s = 0\n", f'{more}account = "second"\n')
    for _ in range(2):
        services.apply_house(file.loads(text), core)
    (grant,) = selectors.api_keys()
    ann = Member.objects.get(username="ann")
    assert [(row.number, row.name) for row in selectors.accounts_of(ann.pk)] == [
        (16, "spot"),
        (17, "second"),
    ]
    assert grant.account == 17
    assert [str(each) for each in grant.addresses] == ["10.0.0.0/8", "192.0.2.7/32"]
    assert grant.expires_us == dt.datetime(2027, 12, 31, 12, tzinfo=dt.UTC).timestamp() * 10**6
    assert core.commands.count(Command.GRANT_KEY) == 1

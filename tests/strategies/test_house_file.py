"""Brokerage accounts and strategies of a house file: made once, never changed."""

from __future__ import annotations

import pytest

from fondaco.house.declared import House
from fondaco.house.file import HouseFileError, loads
from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.identity.services import IdentityConflict
from fondaco.strategies import services
from fondaco.strategies.models import BrokerageAccount, Strategy

pytestmark = pytest.mark.django_db


def house(*members: str) -> House:
    text = '[house]\nname = "Test"\n'
    for member in members:
        text += f'[[members]]\nusername = "{member}"\nemail = "{member}@example.com"\n'
        text += f"""
[[members.brokerage_accounts]]
name = "main"
[[members.strategies]]
name = "s1"
brokerage_account = "main"
symbol = "XBTUSD"
access_token = "token-of-{member}-0000000000"
[[members.strategies]]
name = "s2"
"""
    return loads(text)


def test_s1_4_a_house_file_declares_accounts_and_strategies(member: Member) -> None:
    """S1-4: declared rows are made once; what its member changed since stays changed."""
    declared = house("ann")
    services.apply_house(declared)
    services.apply_house(declared)
    first, second = Strategy.objects.filter(member=member).order_by("name")
    assert [each.name for each in BrokerageAccount.objects.all()] == ["main"]
    assert (first.account.name, first.symbol) == ("main", "XBTUSD")
    assert first.token_digest == services.digest_of("token-of-ann-0000000000")
    assert (second.account.name, second.token_digest) == ("main", None)
    token = services.make_token(first)
    services.archive_strategy(second, archived=True)
    services.apply_house(declared)
    first, second = Strategy.objects.filter(member=member).order_by("name")
    assert first.token_digest == services.digest_of(token)
    assert second.archived_at is not None


def test_a_token_belongs_to_one_strategy(member: Member) -> None:
    """A token that stands twice, in the file or in the tables, is refused by name."""
    with pytest.raises(HouseFileError, match="strategies access_token stands twice"):
        loads(
            '[house]\nname = "Test"\n'
            + "".join(
                f'[[members]]\nusername = "{name}"\nemail = "{name}@example.com"\n'
                '[[members.strategies]]\nname = "s"\naccess_token = "the same"\n'
                for name in ("ann", "bob")
            )
        )
    bob = identity.create_member(username="bob", email="bob@example.com", password="long enough")
    services.apply_house(house("bob"))
    Strategy.objects.filter(member=bob, name="s1").update(
        token_digest=services.digest_of("token-of-ann-0000000000")
    )
    with pytest.raises(IdentityConflict, match="strategy s1 of ann in the house file"):
        services.apply_house(house("ann"))

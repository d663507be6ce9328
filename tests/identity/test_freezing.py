"""A frozen member: orders cancelled, no trading, no guests; all of it told and taken back."""

from __future__ import annotations

import pytest

from fondaco.core.records import Command
from fondaco.identity import freezing, invites, security_log, services
from fondaco.identity.models import Member
from fondaco.link.answers import Unanswered
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db


def ann(core: StandInCore) -> Member:
    member = services.create_member(username="ann", email="ann@example.com", password="")
    services.open_account(core, member=member)
    services.open_account(core, member=member, name="second")
    return member


def test_every_account_is_frozen_before_its_orders_are_cancelled(core: StandInCore) -> None:
    """No order can come in between; a second call sends nothing."""
    member = ann(core)
    del core.commands[:]
    freezing.set_frozen(core, member, frozen=True)
    pair = [Command.CONFIGURE_ACCOUNT, Command.CANCEL_ALL]
    assert core.commands == [*pair, *pair]
    assert [body.frozen for body in core.accounts.values()] == [True, True]
    freezing.set_frozen(core, member, frozen=True)
    assert len(core.commands) == 4
    freezing.set_frozen(core, member, frozen=False)
    assert [body.frozen for body in core.accounts.values()] == [False, False]
    told = [entry.action for entry in security_log.of_member(member, 2)]
    assert told == ["unfrozen", "frozen"]


def test_a_lost_answer_is_finished_by_calling_again(core: StandInCore) -> None:
    """The row is marked only when all is acknowledged."""
    member = ann(core)
    core.lose.add(Command.CANCEL_ALL)
    with pytest.raises(Unanswered):
        freezing.set_frozen(core, member, frozen=True)
    assert Member.objects.get(pk=member.pk).frozen_at is None
    freezing.set_frozen(core, member, frozen=True)
    assert Member.objects.get(pk=member.pk).frozen_at is not None


def test_an_account_of_a_frozen_member_is_born_frozen(core: StandInCore) -> None:
    """A sub-account is no way around."""
    member = ann(core)
    freezing.set_frozen(core, member, frozen=True)
    account = services.open_account(core, member=member, name="third")
    assert core.accounts[account.number].frozen


def test_a_frozen_member_invites_nobody(core: StandInCore) -> None:
    """The invite counts as used up until the member is free again."""
    member = ann(core)
    freezing.set_frozen(core, member, frozen=True)
    with pytest.raises(invites.InviteUsedUp):
        invites.open_invite(member.invite.code)
    freezing.set_frozen(core, member, frozen=False)
    assert invites.open_invite(member.invite.code).member == member

"""What is told of the security log, of sign-ins and memberships: each once, and to whom."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from fondaco.core.records import AccountKind
from fondaco.identity import invites, services, tokens
from fondaco.identity.models import Member
from fondaco.office.billing.reminders import send_reminders, tell_ended
from fondaco.office.notices import gathering
from fondaco.office.notices import services as notices
from fondaco.office.notices.gathering import gather
from fondaco.office.notices.kinds import CHOOSABLE, TABLE, Kind
from fondaco.office.notices.models import Happening
from fondaco.robots.bots import services as bots
from fondaco.robots.models import Robot, RobotKind, RuleDecision
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PASSWORD = "a password that nobody has"


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    core = StandInCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    settings.ACCOUNT_RATE_LIMITS = False
    settings.STAFF_MFA = False


def curious(name: str = "ann") -> Member:
    """Return a member who wants to hear of everything, by mail."""
    member = services.create_member(username=name, email=f"{name}@example.com", password=PASSWORD)
    member.email_confirmed_at = timezone.now()
    member.save()
    notices.choose(member, dict.fromkeys(CHOOSABLE, (True, False)))
    gather()  # what was before isn't told
    return member


def told(member: Member) -> list[tuple[str, dict[str, Any]]]:
    rows = Happening.objects.filter(member=member).order_by("pk")
    return [(row.kind, json.loads(row.body)["data"]) for row in rows]


def test_what_a_rule_bot_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """$notify reaches its owner once, with robot and mode; past a day's bound it is only logged."""
    ann = curious()
    robot = Robot.objects.create(
        id="dip", member=ann, kind=RobotKind.RULE, changed_us=0,
        account=services.account_row(ann, "robot dip", AccountKind.ROBOT),
    )  # fmt: skip
    run = bots.begin_run(robot, mode="paper")

    def say(*texts: str) -> None:
        said = tuple((1_700_000_000_000_000, bots.NOTICE, text) for text in texts)
        looked = (1_700_000_000_000_000, "CONDITION_FALSE", "{}")
        kept = bots.Kept(
            run=run.pk, state="{}", outbox="[]", position=None, began=None, orders=(),
            decisions=(looked, *said),
        )  # fmt: skip
        bots.keep([kept], seq=1, confirm=lambda: None)
        gather()
        gather()

    say("Bought {the} dip.")
    details = {"robot": "dip", "mode": "paper", "message": "Bought {the} dip."}
    assert told(ann) == [("robot.says", details)]
    body = json.loads(Happening.objects.get().body)
    assert body["text"] == "Your robot dip (paper) says: Bought {the} dip."
    assert body["time"].startswith("2023-11-14T22:13:20")
    monkeypatch.setattr(gathering, "SAID_A_DAY_MAX", 3)
    say("two", "three", "four")
    assert [data["message"] for _, data in told(ann)][1:] == ["two", "three"]
    assert RuleDecision.objects.filter(code=bots.NOTICE).count() == 4


def test_tokens_are_told_when_made_and_revoked() -> None:
    """With the prefix, never the text; looking again tells nothing again."""
    ann = curious()
    row, text = tokens.make(ann, scopes=["read"])
    tokens.revoke(row, actor=ann)
    gather()
    gather()
    assert [kind for kind, _ in told(ann)] == ["token.made", "token.revoked"]
    assert text not in str(list(Happening.objects.values()))
    assert told(ann)[0][1]["prefix"] == row.prefix


def test_what_was_before_the_first_look_is_not_told() -> None:
    """A house that is brought up to date floods nobody."""
    ann = services.create_member(username="ann", email="ann@example.com", password="")
    tokens.make(ann, scopes=["read"])
    assert gather() == 0
    assert told(ann) == []


def test_an_invite_that_is_used_is_told_to_its_owner() -> None:
    """The host hears the new member's name."""
    ann = curious()
    invites.join(code=ann.invite.code, username="bob", email="bob@example.com", password=PASSWORD)
    gather()
    assert told(ann) == [("invite.used", {"username": "bob"})]


def test_an_api_key_is_told_when_made_and_revoked(client: Client) -> None:
    """Made and revoked on the page; the secret is not in what is told."""
    ann = curious()
    client.post("/login", {"username": "ann", "password": PASSWORD})
    client.post("/account/reauthenticate/?next=/profile/keys", {"password": PASSWORD})
    account = ann.accounts.get().pk
    page = client.post("/profile/keys", {"account": account, "scopes": ["1"]})
    secret = page.content.decode().split("data-secret>")[1].split("<")[0]
    client.post("/profile/keys", {"revoke": page.context["made"][0].pk})
    gather()
    kinds = [kind for kind, _ in told(ann) if kind.startswith("api_key")]
    assert kinds == ["api_key.made", "api_key.revoked"]
    assert secret not in str(list(Happening.objects.values()))


def test_a_new_browser_is_told_once(client: Client) -> None:
    """The cookie tells browsers apart: a known one signs in unnoticed, a new or forged one not."""
    ann = curious()
    secrets = {"username": "ann", "password": PASSWORD}
    client.post("/login", secrets)
    client.post("/logout")
    client.post("/login", secrets)
    assert len(told(ann)) == 1
    kind, details = told(ann)[0]
    assert (kind, details["address"]) == ("sign_in.new_device", "127.0.0.1")
    other = Client()
    other.cookies["device"] = "forged"
    other.post("/login", secrets)
    assert other.cookies["device"].value != "forged"
    assert len(told(ann)) == 2


def test_two_members_of_one_browser_keep_one_cookie(client: Client) -> None:
    """Neither is told of the other's next sign-in."""
    people = [curious("ann"), curious("bob")]
    for _ in range(2):
        for member in people:
            client.post("/login", {"username": member.username, "password": PASSWORD})
            client.post("/logout")
    assert [len(told(member)) for member in people] == [1, 1]


def test_joining_is_no_sign_in_from_a_new_browser(client: Client) -> None:
    """Whoever has just joined needs no warning of it; their browser is known from then on."""
    ann = curious()
    answer = client.post(
        f"/invite/{ann.invite.code}",
        {"username": "bob", "email": "bob@example.com", "password": PASSWORD},
    )
    assert answer.status_code == 302
    bob = Member.objects.get(username="bob")
    bob.email_confirmed_at = timezone.now()
    bob.save()
    client.post("/logout")
    client.post("/login", {"username": "bob", "password": PASSWORD})
    assert told(bob) == []


def test_the_end_of_a_membership_is_told_once_a_span_and_once_after() -> None:
    """Ending at each reminder, ended once; an end of long ago is no news."""
    ann = curious()
    today = timezone.localdate()
    ann.membership_until = today + dt.timedelta(days=3)
    ann.save()
    notices.choose(ann, {Kind.MEMBERSHIP_ENDING: (False, False)})
    assert send_reminders() == 1  # the mail that is always sent
    assert told(ann) == []
    ann.membership_until = today - dt.timedelta(days=1)
    ann.save()
    assert (tell_ended(), tell_ended()) == (1, 0)
    assert told(ann) == [("membership.ended", {"until": ann.membership_until.isoformat()})]
    ann.membership_until = today - dt.timedelta(days=30)
    ann.save()
    assert tell_ended() == 0


def test_what_happens_and_its_deliveries_stand_or_fall_together() -> None:
    """A transaction that fails takes the happening along."""
    from django.db import transaction

    ann = curious()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        notices.tell(ann, Kind.INVITE_USED, reference="1", details={"username": "bob"})
        raise ZeroDivisionError
    assert told(ann) == []


def test_every_kind_has_its_words() -> None:
    """Each has a title and a sentence, and a kind with the house's own mail has no second one."""
    assert set(TABLE) == set(Kind)
    assert all(terms.title and terms.sentence for terms in TABLE.values())
    assert not any(terms.mailed and terms.always_mailed for terms in TABLE.values())

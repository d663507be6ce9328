"""The outbox: signed, tried again ever later, given up, replayed; each under one id."""

from __future__ import annotations

import datetime as dt
import smtplib
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.identity.services import create_member
from fondaco.office.notices import outside, sending, services
from fondaco.office.notices.kinds import Kind
from fondaco.office.notices.models import Delivery, Endpoint, Happening
from fondaco.office.notices.sending import ATTEMPTS_MAX, forget_old, send_due, wait_s
from fondaco.office.notices.services import NoticeRefused
from tests.notices.receiver import Receiver

pytestmark = pytest.mark.django_db


class Clock:
    def __init__(self) -> None:
        self.now = timezone.now() + dt.timedelta(seconds=1)

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def _loose(settings: Any) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


def member(name: str = "ann", *, confirmed: bool = True) -> Member:
    made = create_member(username=name, email=f"{name}@example.com", password="")
    made.email_confirmed_at = timezone.now() if confirmed else None
    made.save()
    return made


def hooked(receiver: Receiver, name: str = "ann") -> tuple[Member, Endpoint, str]:
    """Return a member with a webhook that hears of used invites, and its secret."""
    made = member(name)
    services.choose(made, {Kind.INVITE_USED: (False, True)})
    endpoint, secret = services.add_endpoint(made, receiver.url)
    return made, endpoint, secret


def tell(made: Member, reference: str = "1") -> Happening | None:
    details = {"username": "bob"}
    return services.tell(made, Kind.INVITE_USED, reference=reference, details=details)


def test_a_webhook_is_signed_and_says_what_happened(receiver: Receiver) -> None:
    """The body is JSON, signed with its time under the webhook's secret; another's doesn't fit."""
    made, _, secret = hooked(receiver)
    tell(made)
    clock = Clock()
    assert send_due(clock=clock) == 1
    came = receiver.next()
    assert came.is_signed_by(secret)
    assert not came.is_signed_by(secret + "x")
    assert f"t={int(clock().timestamp())}," in came.headers["Fondaco-Signature"]
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["Fondaco-Event"] == came.json["kind"] == "invite.used"
    assert came.json["data"] == {"username": "bob"}
    assert came.json["text"] == "bob joined the house by your invite."
    assert send_due(clock=clock) == 0
    assert Delivery.objects.get().state == "delivered"


def test_the_same_happening_is_told_once(receiver: Receiver) -> None:
    """Found again by whatever looks again, it makes no second delivery."""
    made, *_ = hooked(receiver)
    assert tell(made) is not None
    assert tell(made) is None
    assert tell(made, "2") is not None
    assert Delivery.objects.count() == 2


def test_who_did_not_choose_hears_nothing() -> None:
    """No row is written for it."""
    assert tell(member()) is None
    assert not Happening.objects.exists()


def test_attempts_lie_ever_further_apart_and_end(receiver: Receiver) -> None:
    """Each failure waits four times longer, to a bound; after ATTEMPTS_MAX it is given up."""
    made, *_ = hooked(receiver)
    tell(made)
    receiver.answers = [(500, {})] * ATTEMPTS_MAX
    clock = Clock()
    for attempt in range(1, ATTEMPTS_MAX):
        assert send_due(clock=clock) == 1
        row = Delivery.objects.get()
        assert (row.state, row.attempts, row.last_status) == ("waiting", attempt, 500)
        clock.advance(wait_s(attempt) - 1)
        assert send_due(clock=clock) == 0
        clock.advance(1)
    assert send_due(clock=clock) == 1
    row = Delivery.objects.get()
    assert (row.state, row.attempts, row.last_error) == ("given up", ATTEMPTS_MAX, "answered 500")
    clock.advance(10 * 24 * 3600)
    assert send_due(clock=clock) == 0
    waits = [wait_s(each) for each in range(1, ATTEMPTS_MAX)]
    assert waits == [30, 120, 480, 1920, 7680, 30720, 43200, 43200]
    assert len({came.delivery for came in receiver.all()}) == 1


@pytest.mark.parametrize(
    "status, state", [(200, "delivered"), (204, "delivered"), (302, "waiting")]
)
def test_only_2xx_is_delivered(receiver: Receiver, status: int, state: str) -> None:
    """A redirect is an answer that is not followed, and no delivery."""
    made, *_ = hooked(receiver)
    tell(made)
    receiver.answers = [(status, {"Location": receiver.url})]
    send_due(clock=Clock())
    assert Delivery.objects.get().state == state
    assert len(receiver.all()) == 1


def test_a_replay_sends_the_same_under_the_same_id(receiver: Receiver) -> None:
    """Same id and body, a new time in the signature; also of one that was given up."""
    made, _, secret = hooked(receiver)
    tell(made)
    clock = Clock()
    send_due(clock=clock)
    first = receiver.next()
    row = Delivery.objects.get()
    services.replay(row)
    with pytest.raises(NoticeRefused):
        services.replay(row)
    clock.advance(100)
    assert send_due(clock=clock) == 1
    second = receiver.next()
    assert (second.delivery, second.body) == (first.delivery, first.body)
    assert second.headers["Fondaco-Signature"] != first.headers["Fondaco-Signature"]
    assert second.is_signed_by(secret)


def test_a_death_before_the_note_sends_again_under_the_same_id(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: the receiver tells the double by its id."""
    made, *_ = hooked(receiver)
    tell(made)
    clock = Clock()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(sending, "_record", die)
        with pytest.raises(KeyboardInterrupt):
            send_due(clock=clock)
    assert send_due(clock=clock) == 0  # claimed by the dead one, for a while
    clock.advance(sending.LEASE_S)
    assert send_due(clock=clock) == 1
    first, second = receiver.all()
    assert first.delivery == second.delivery


def test_a_row_is_claimed_by_one_sender(receiver: Receiver) -> None:
    """Two processes that read the same row: the second finds it taken."""
    made, *_ = hooked(receiver)
    tell(made)
    clock = Clock()
    mine, other = Delivery.objects.get(), Delivery.objects.get()
    assert sending._claim(mine, clock)
    assert not sending._claim(other, clock)


def test_a_dead_receiver_holds_up_nobody_else(receiver: Receiver) -> None:
    """Its deliveries wait together; those of others arrive in the same turn."""
    with Receiver() as gone:
        dead, *_ = hooked(gone, "dead")
    for each in ("1", "2", "3"):
        tell(dead, each)
    made, *_ = hooked(receiver)
    tell(made)
    clock = Clock()
    assert send_due(clock=clock) == 2
    assert len(receiver.all()) == 1
    rows = Delivery.objects.filter(happening__member=dead).order_by("pk")
    assert [row.attempts for row in rows] == [1, 0, 0]
    assert len({row.next_at for row in rows}) == 1
    assert rows[0].last_error.startswith("ConnectionRefusedError")
    assert send_due(clock=clock) == 0


def test_one_receiver_gets_its_deliveries_in_order(receiver: Receiver) -> None:
    """More than one turn takes arrive in the next, none lost, none twice."""
    made, *_ = hooked(receiver)
    count = sending.OF_ONE_MAX + 5
    for each in range(count):
        tell(made, str(each))
    clock = Clock()
    assert send_due(clock=clock) == sending.OF_ONE_MAX
    assert send_due(clock=clock) == 5
    expected = [str(row.key) for row in Delivery.objects.order_by("pk")]
    assert [came.delivery for came in receiver.all()] == expected


def test_a_removed_webhook_gets_nothing_more(receiver: Receiver) -> None:
    """What waited is given up and can't be replayed; the member hears no more through it."""
    made, endpoint, _ = hooked(receiver)
    tell(made)
    services.remove_endpoint(endpoint)
    assert send_due(clock=Clock()) == 0
    row = Delivery.objects.select_related("endpoint").get()
    assert (row.state, row.last_error) == ("given up", "the webhook was removed")
    with pytest.raises(NoticeRefused):
        services.replay(row)
    assert tell(made, "2") is None


def test_too_many_waiting_are_written_as_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outbox of one webhook is bounded, and what didn't fit is shown."""
    monkeypatch.setattr(services, "WAITING_MAX", 2)
    made, *_ = hooked(receiver)
    for each in ("1", "2", "3"):
        tell(made, each)
    states = [row.state for row in Delivery.objects.order_by("pk")]
    assert states == ["waiting", "waiting", "given up"]


def test_mail_goes_to_confirmed_addresses_only() -> None:
    """One mail with the sentence; none to an address that nobody has confirmed."""
    ann, bob = member(), member("bob", confirmed=False)
    for each in (ann, bob):
        services.choose(each, {Kind.INVITE_USED: (True, False)})
        tell(each)
    assert send_due(clock=Clock()) == 1
    assert [each.to for each in mail.outbox] == [["ann@example.com"]]
    assert "bob joined the house by your invite." in mail.outbox[0].body


def test_a_mail_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail server's refusal is kept beside the delivery."""
    ann = member()
    services.choose(ann, {Kind.INVITE_USED: (True, False)})
    tell(ann)
    clock = Clock()

    def refuse(*_: object, **__: object) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    with monkeypatch.context() as failing:
        failing.setattr(sending, "send_mail", refuse)
        send_due(clock=clock)
    assert Delivery.objects.get().last_error == "gone"
    clock.advance(wait_s(1))
    assert send_due(clock=clock) == 1
    assert len(mail.outbox) == 1


def test_a_private_address_is_shown_as_refused(settings: Any) -> None:
    """A name that turned private after it was added is never asked; the member sees why."""
    settings.WEBHOOKS_TO_LOOPBACK = False
    made = member()
    services.choose(made, {Kind.INVITE_USED: (False, True)})
    services.add_endpoint(made, "https://hooks.example/")
    tell(made)

    def connect(*_: object) -> Any:
        raise AssertionError("connected")

    through = outside.doors(may_loopback=False)._replace(
        resolve=lambda *_: ["169.254.169.254"], connect=connect
    )
    send_due(clock=Clock(), doors=through)
    row = Delivery.objects.get()
    assert row.last_error == "169.254.169.254 is not an address of the public internet"


def test_old_deliveries_are_forgotten(receiver: Receiver) -> None:
    """After KEPT_DAYS, but never what still waits."""
    made, *_ = hooked(receiver)
    tell(made)
    clock = Clock()
    clock.advance((sending.KEPT_DAYS + 1) * 24 * 3600)
    forget_old(clock=clock)
    assert Happening.objects.count() == 1
    send_due(clock=clock)
    forget_old(clock=clock)
    assert not Happening.objects.exists()

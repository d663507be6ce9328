"""Sending what waits in the outbox: mails and signed webhooks.

    Fondaco-Signature: t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>.<body>" under the secret>
    Fondaco-Delivery:  the delivery's id: the same at every attempt and replay, to tell doubles
    Fondaco-Event:     the kind

Promises: a delivery ends as delivered (any 2xx) or, after ATTEMPTS_MAX attempts that lie ever
further apart, as given up; both are shown with what was answered. A death between sending and
writing that down sends again, under the same id. Several processes may send at once: each row is
claimed first. A slow receiver holds up its own deliveries only, and those of few others for
seconds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import msgspec
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from fondaco.identity.seal import SealBroken
from fondaco.office.notices import outside, services
from fondaco.office.notices.kinds import TABLE, Kind
from fondaco.office.notices.models import Delivery, Happening

__all__ = ["ATTEMPTS_MAX", "forget_old", "send_due", "signature", "wait_s"]

ATTEMPTS_MAX: Final = 9  # over about a day and a half
WAIT_FIRST_S: Final = 30
WAIT_FACTOR: Final = 4
WAIT_MAX_S: Final = 12 * 3600
AT_ONCE_MAX: Final = 200  # a turn
OF_ONE_MAX: Final = 20  # a turn, of one webhook or of mails
OF_ONE_S: Final = 15.0  # after which none more of one webhook begins in a turn
LEASE_S: Final = 120  # a claimed row is nobody else's for so long: more than all of the above
SENDERS: Final = 4
KEPT_DAYS: Final = 30
State: Final = Delivery.State
Clock = Callable[[], dt.datetime]


class Job(NamedTuple):
    """One delivery, ready to be sent without a database."""

    row: Delivery
    send: Callable[[], int]  # returns the status; raises what SEND_FAULTS names


class Outcome(NamedTuple):
    row: Delivery
    status: int
    error: str


SEND_FAULTS: Final = (outside.NoAnswer, outside.Refused, OSError)  # smtplib's errors are OSErrors


def signature(secret: str, body: str, seconds: int) -> str:
    """Return the value of Fondaco-Signature."""
    signed = f"{seconds}.{body}".encode()
    return f"t={seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def wait_s(attempts: int) -> int:
    """Return how long to wait after so many failed attempts."""
    return min(int(WAIT_FIRST_S * WAIT_FACTOR ** (attempts - 1)), WAIT_MAX_S)


def send_due(*, clock: Clock = timezone.now, doors: outside.Doors | None = None) -> int:
    """Send what is due; return how many attempts were made."""
    through = doors or outside.doors(may_loopback=settings.WEBHOOKS_TO_LOOPBACK)
    groups: dict[int | None, list[Job]] = {}
    due = Delivery.objects.filter(state=State.WAITING, next_at__lte=clock())
    rows = due.select_related("happening__member", "endpoint").order_by("next_at", "pk")
    for row in rows[:AT_ONCE_MAX]:
        group = groups.setdefault(row.endpoint_id, [])
        if len(group) < OF_ONE_MAX and _claim(row, clock):
            group.append(_job(row, through, clock))
    count = 0
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="notices") as pool:
        for jobs, outcomes in zip(
            groups.values(), pool.map(_send_in_order, groups.values()), strict=True
        ):
            _release([job.row for job in jobs[len(outcomes) :]], clock)
            for outcome in outcomes:
                _record(outcome, clock)
            count += len(outcomes)
    return count


def _claim(row: Delivery, clock: Clock) -> bool:
    """Take a row for this turn, unless another process has."""
    until = clock() + dt.timedelta(seconds=LEASE_S)
    mine = Delivery.objects.filter(pk=row.pk, state=State.WAITING, next_at=row.next_at)
    row.next_at = until
    return bool(mine.update(next_at=until))


def _release(rows: Sequence[Delivery], clock: Clock) -> None:
    """Give back what was claimed and not tried."""
    for row in rows:
        Delivery.objects.filter(pk=row.pk, next_at=row.next_at).update(next_at=clock())


def _job(row: Delivery, through: outside.Doors, clock: Clock) -> Job:
    happening, endpoint = row.happening, row.endpoint
    if endpoint is None:
        return Job(row, lambda: _mail(happening))
    url = endpoint.url
    try:
        secret = services.secret_of(endpoint)
    except SealBroken:
        return Job(row, _sealed)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Fondaco",
        "Fondaco-Event": happening.kind,
        "Fondaco-Delivery": str(row.key),
    }

    def hook() -> int:
        signed = signature(secret, happening.body, int(clock().timestamp()))
        sent = {**headers, "Fondaco-Signature": signed}
        return outside.post(url, happening.body.encode(), sent, through)

    return Job(row, hook)


def _sealed() -> int:
    raise outside.Refused("the secret of this webhook can't be opened; remove it and add another")


def _mail(happening: Happening) -> int:
    text = msgspec.json.decode(happening.body)["text"]
    title = TABLE[Kind(happening.kind)].title
    send_mail(
        f"[{settings.HOUSE_NAME}] {title}",
        f"Hello {happening.member.username},\n\n{text}\n\n"
        f"What you hear of: {settings.BASE_URL}/profile/notices\n",
        None,
        [happening.member.email],
    )
    return 0


def _send_in_order(jobs: Sequence[Job]) -> list[Outcome]:
    """Send the deliveries of one receiver, up to the first failure. Runs without a database."""
    found: list[Outcome] = []
    deadline = time.monotonic() + OF_ONE_S
    for job in jobs:
        if time.monotonic() > deadline:
            break
        try:
            status, error = job.send(), ""
        except SEND_FAULTS as fault:
            status, error = 0, str(fault)[:200] or type(fault).__name__
        if status and not 200 <= status < 300:
            error = f"answered {status}"
        found.append(Outcome(job.row, status, error))
        if error:
            break
    return found


def _record(outcome: Outcome, clock: Clock) -> None:
    row, now = outcome.row, clock()
    attempts = row.attempts + 1
    state, next_at = State.DELIVERED, now
    if outcome.error:
        state = State.GIVEN_UP if attempts >= ATTEMPTS_MAX else State.WAITING
        next_at = now + dt.timedelta(seconds=wait_s(attempts))
    claimed = Delivery.objects.filter(pk=row.pk, state=State.WAITING, next_at=row.next_at)
    claimed.update(
        state=state,
        attempts=attempts,
        next_at=next_at,
        last_at=now,
        last_status=outcome.status,
        last_error=outcome.error,
    )
    if outcome.error and not outcome.status and row.endpoint_id is not None:
        # Nobody is there: what else is due would only knock in vain. Its turn comes with this one.
        others = Delivery.objects.filter(endpoint=row.endpoint_id, state=State.WAITING)
        others.filter(next_at__lte=now).update(next_at=next_at)


def forget_old(*, clock: Clock = timezone.now) -> None:
    """Forget happenings of more than KEPT_DAYS ago, with their deliveries."""
    before = clock() - dt.timedelta(days=KEPT_DAYS)
    old = Happening.objects.filter(created_at__lt=before).exclude(deliveries__state=State.WAITING)
    Happening.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:AT_ONCE_MAX])).delete()

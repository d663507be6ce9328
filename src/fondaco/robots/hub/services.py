"""Every write of the hub but the worker's: signals and alerts in, hooks, locks by staff.

Promises: take_signal(), take_alert() and take_alerts() return after the commit; the same signal,
key or alert is one however often it comes and by however many at once. A hook's token is shown once
and kept as its SHA-256. What an alert becomes is written at it, with the reason.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.identity.networks import contains, networks_of, read_networks
from fondaco.identity.security_log import Action, note
from fondaco.robots.hub.alerts import Alert, check_template, read_alert, untimely
from fondaco.robots.hub.messages import Incoming, Unfit
from fondaco.robots.hub.refusals import BUY_WAIT_S
from fondaco.robots.hub.roster import SHARES
from fondaco.robots.models import (
    Decision,
    Hook,
    HookAlert,
    HubCursor,
    Operation,
    Robot,
    RobotMode,
    RobotRun,
    Signal,
)

__all__ = [
    "ALERT_BYTES_MAX",
    "Came",
    "add_hook",
    "alert_text",
    "edit_hook",
    "forget_old",
    "hooks_at",
    "is_open_to",
    "lock_client",
    "remove_hook",
    "replay_alert",
    "rotate_hook",
    "settle_alerts",
    "take_alert",
    "take_alerts",
    "take_signal",
    "unlock_client",
]

KEPT_US: Final = 400 * 86_400_000_000  # decisions and signals: a year and a month of reasons
FORGOTTEN_MAX: Final = 20_000  # rows of a turn
SIGNALS_LOCK: Final = 7_330_001  # an advisory lock
ALERT_BYTES_MAX: Final = 1 << 14
HOOKS_MAX: Final = 50  # of a member
ALERTS_KEPT: Final = 10_000  # of a hook
ALERTS_A_TURN: Final = 500
ALERTS_TOGETHER: Final = 50  # settled by one commit: others have to write, too
TOKEN_BYTES: Final = 32
SAME_TEXT_US: Final = 60_000_000  # an alert without key and time is the same again so long
REASON_MAX: Final = 300
State: Final = HookAlert.State


def wall_us() -> int:
    """Return the time of day: when a message came in, whatever the house's clock is."""
    return time.time_ns() // 1000


# ---- signals


def take_signal(
    incoming: Incoming, *, source: str, member: int = 0, key: str = "", received_us: int = 0
) -> tuple[Signal, bool]:
    """Store a signal; return it and whether it is new. `member` 0: for every client.

    `key` is an idempotency key with who sent it: the first signal under it stands. `received_us`
    is when it came in, 0 for now.
    """
    digest = hashlib.sha256(key.encode()).hexdigest() if key else None
    once = {
        "symbol": incoming.symbol,
        "timestamp_us": incoming.timestamp_us,
        "strength": incoming.strength,
        "member": member,
    }
    for _ in range(2):
        found = Signal.objects.filter(key=digest).first() if digest else None
        found = found or Signal.objects.filter(**once).first()
        if found is not None:
            return found, False
        try:
            with transaction.atomic():
                _wait_for_turn()
                row = Signal.objects.create(
                    **once,
                    key=digest,
                    source=source[:64],
                    analysis=incoming.analysis,
                    received_us=received_us or wall_us(),
                )
        except IntegrityError:
            continue  # it came by another way at the same moment: now it is there
        return row, True
    raise AssertionError("a signal was refused as known, and is not")


def _wait_for_turn() -> None:
    """Have signals be committed in the order of their numbers, until this transaction ends.

    A worker goes on by numbers: one that is committed after its follower would be left out. SQLite
    has one writer at a time by itself.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SIGNALS_LOCK])


def forget_old(now_us: int) -> int:
    """Let go of signals that came long ago, with their decisions, a piece at a time."""
    past = Signal.objects.filter(received_us__lt=now_us - KEPT_US).order_by("pk").first()
    if past is None:
        return 0
    first = list(Decision.objects.order_by("pk").values_list("pk", "signal")[:FORGOTTEN_MAX])
    old = [pk for pk, signal in first if signal <= past.pk]
    if not old:
        past.delete()
        return 1
    Decision.objects.filter(pk__lte=old[-1], signal__lte=past.pk).delete()
    return len(old)


# ---- hooks


@transaction.atomic
def add_hook(
    member: Member,
    *,
    name: str,
    symbol: str = "",
    template: str = "",
    addresses: str = "",
    checks_position: bool = False,
    address: str = "",
) -> tuple[Hook, str]:
    """Make a hook; return it and its token, to be shown once. Raises Unfit, ValueError."""
    Member.objects.select_for_update().get(pk=member.pk)
    if Hook.objects.filter(member=member, revoked_at__isnull=True).count() >= HOOKS_MAX:
        raise Unfit("name", f"you have {HOOKS_MAX} hooks; remove one")
    if Hook.objects.filter(member=member, name=name).exists():
        raise Unfit("name", f"you had a hook {name}; choose another name")
    check_template(template)
    token, digest = _new_token()
    row = Hook.objects.create(
        member=member,
        name=name,
        digest=digest,
        symbol=symbol,
        template=template,
        addresses=_networks(addresses),
        checks_position=checks_position,
    )
    note(Action.HOOK_ADDED, actor=member, subject=member, address=address, hook=name)
    return row, token


@transaction.atomic
def edit_hook(row: Hook, **fields: str | bool) -> None:
    """Change what a hook reads by; raises Unfit."""
    check_template(str(fields.get("template", row.template)))
    if "addresses" in fields:
        fields["addresses"] = _networks(str(fields["addresses"]))
    for field, value in fields.items():
        setattr(row, field, value)
    row.save(update_fields=list(fields))


@transaction.atomic
def rotate_hook(row: Hook, *, address: str = "") -> str:
    """Give a hook a new address, the one before ends at once; return its token, shown once."""
    token, row.digest = _new_token()
    row.save(update_fields=["digest"])
    owner = row.member
    note(Action.HOOK_ROTATED, actor=owner, subject=owner, address=address, hook=row.name)
    return token


@transaction.atomic
def remove_hook(row: Hook, *, address: str = "") -> None:
    """End a hook: its address is unknown from now on. What came by it stays."""
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        note(
            Action.HOOK_REMOVED,
            actor=row.member,
            subject=row.member,
            address=address,
            hook=row.name,
        )


def _new_token() -> tuple[str, str]:
    """Return a token that nobody guesses, and what is kept of it."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, hashlib.sha256(token.encode()).hexdigest()


def _networks(text: str) -> str:
    try:
        return "\n".join(networks_of(text))
    except ValueError as error:
        raise Unfit("addresses", f"{error}; write addresses or networks, one a line") from error


# ---- alerts


class Came(NamedTuple):
    """An alert that came to an address: the digest of its token, the sender's address, its text."""

    digest: str
    address: str
    text: str
    received_us: int


def alert_text(raw: bytes) -> str | None:
    """Return a body as an alert's text, None for one that is empty or too long."""
    if not 0 < len(raw) <= ALERT_BYTES_MAX:
        return None
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def hooks_at(digests: Collection[str]) -> dict[str, Hook]:
    """Return the hooks at some addresses that take alerts."""
    rows = Hook.objects.filter(digest__in=digests, revoked_at__isnull=True, member__is_active=True)
    return {row.digest: row for row in rows}


def is_open_to(hook: Hook, address: str) -> bool:
    """Say whether a hook takes alerts from a network address."""
    return not hook.addresses or contains(read_networks(hook.addresses), address)


def take_alerts(came: Sequence[Came]) -> list[int | None]:
    """Store alerts in one commit, in their order; return their numbers, None: no such address."""
    hooks = hooks_at({each.digest for each in came})
    rows = [
        HookAlert(hook=hook, received_us=each.received_us, body=each.text, dedupe="")
        if (hook := hooks.get(each.digest)) is not None and is_open_to(hook, each.address)
        else None
        for each in came
    ]
    with transaction.atomic():
        HookAlert.objects.bulk_create([row for row in rows if row is not None])
    return [None if row is None else row.pk for row in rows]


def take_alert(hook: Hook, body: str, *, is_replay: bool = False) -> HookAlert:
    """Store an alert as it came; the hub's worker reads it."""
    return HookAlert.objects.create(
        hook=hook, received_us=wall_us(), body=body, dedupe="", is_replay=is_replay
    )


def replay_alert(row: HookAlert) -> HookAlert:
    """Have an alert that was refused or lost read once more, as a new one."""
    return take_alert(row.hook, row.body, is_replay=True)


def settle_alerts(cash: str, age_s_max: int = 0) -> int:
    """Read the alerts that wait, oldest first, and make signals of them; return how many.

    An alert whose own time was more than `age_s_max` seconds ago when it came is refused; 0: none.
    One that expects a position waits, and its hook's next, until what came before it is judged.
    """
    waiting = HookAlert.objects.filter(state=State.WAITING).order_by("id").select_related("hook")
    tried = count = 0
    held: set[int] = set()  # hooks of whose alerts the next can't be told yet
    settled: set[int] = set()
    while tried < ALERTS_A_TURN:
        rows = waiting.exclude(hook__in=held)[:ALERTS_TOGETHER]  # who is held takes nobody's place
        if not rows.exists():
            break
        with transaction.atomic():
            _wait_for_turn()  # another worker may be at the same: what it settled waits no more
            for row in rows:
                if row.hook_id in held:
                    continue
                tried += 1
                if _settle(row, cash, age_s_max):
                    count += 1
                    settled.add(row.hook_id)
                else:
                    held.add(row.hook_id)
    for hook in settled:
        _forget_alerts(hook)
    return count


def _forget_alerts(hook: int) -> None:
    """Let go of a hook's oldest settled alerts."""
    rows = HookAlert.objects.filter(hook=hook).exclude(state=State.WAITING)
    old = rows.order_by("-id").values_list("id", flat=True)[ALERTS_KEPT : ALERTS_KEPT + 1].first()
    if old is not None:
        rows.filter(id__lte=old).delete()


def _settle(row: HookAlert, cash: str, age_s_max: int) -> bool:
    """Make of an alert what it says; False if what it expects can't be told yet."""
    hook = row.hook
    try:
        alert = read_alert(row.body, template=hook.template, symbol=hook.symbol, cash=cash)
    except Unfit as fault:
        field = f"{fault.field} " if fault.field else ""
        _end(row, State.REFUSED, f"{field}{fault}")
        return True
    named = f"key {alert.key}" if alert.key else f"text {row.body}"
    row.dedupe = hashlib.sha256(named.encode()).hexdigest()
    same = HookAlert.objects.filter(hook=hook, dedupe=row.dedupe, state=State.TAKEN)
    if not alert.key and not alert.timestamp_us:
        same = same.filter(received_us__gte=row.received_us - SAME_TEXT_US)
    first = None if row.is_replay and not alert.key else same.order_by("id").first()
    if first is not None:
        _end(row, State.DUPLICATE, f"the same as alert {first.pk}", signal=first.signal)
        return True
    unfit = ""
    if alert.timestamp_us and not row.is_replay:  # by hand any time is meant so
        said_us, bar_us = alert.timestamp_us, alert.bar_us
        unfit = untimely(said_us, row.received_us, age_s_max, bar_us=bar_us)
    if not unfit and hook.checks_position and alert.is_long is not None:
        asked = _asked(hook, alert.symbol)
        if _has_unjudged(row) or _is_untried(row, asked, alert.symbol):
            return False
        unfit = _unexpected(asked, alert)
    if unfit:
        _end(row, State.REFUSED, unfit)
        return True
    signal, is_new = _signal_of(alert, row, alert.timestamp_us or row.received_us)
    at_us = row.received_us
    while alert.key and not is_new:  # another key, or another hook's: it is another signal
        signal, is_new = _signal_of(alert, row, at_us)
        at_us += 1
    state = State.TAKEN if is_new else State.DUPLICATE
    _end(row, state, "" if is_new else f"the same as signal {signal.pk}", signal=signal.pk)
    return True


def _signal_of(alert: Alert, row: HookAlert, at_us: int) -> tuple[Signal, bool]:
    """Return the signal that an alert makes at that time, and whether it is new."""
    return take_signal(
        Incoming(symbol=alert.symbol, strength=alert.strength, timestamp_us=at_us),
        source=f"hook {row.hook_id}",
        member=row.hook.member_id,
        received_us=row.received_us,
    )


def _has_unjudged(row: HookAlert) -> bool:
    """Say whether a signal that came before may yet change what the member's robots have."""
    judged = dict(HubCursor.objects.values_list("share", "signal"))
    return Signal.objects.filter(
        pk__gt=min(judged.get(share, 0) for share in range(SHARES)),
        member__in=(0, row.hook.member_id),
        received_us__lte=row.received_us,
    ).exists()


def _is_untried(row: HookAlert, asked: list[str], symbol: str) -> bool:
    """Say whether some robots have yet to try what an earlier signal has them do.

    It is stored with the mark of the judging, and driven after. What was tried has a note or got
    on; what nobody drives any more is waited for no longer than a purchase may take.
    """
    if wall_us() - row.received_us >= BUY_WAIT_S * 1_000_000:
        return False
    buying = Q(status=Operation.Status.AWAITING_BUY)
    selling = Q(status=Operation.Status.AWAITING_SELL, is_selling=True, sold_lots=0)
    untried = Operation.objects.filter(buying | selling, note="", symbol=symbol)
    return untried.filter(robot__in=asked).exists()


def _asked(hook: Hook, symbol: str) -> list[str]:
    """Return the robots that say how the member stands in a symbol."""
    robots = Robot.objects.filter(member=hook.member_id, is_active=True, closed_at__isnull=True)
    runs = RobotRun.objects.filter(robot__in=robots.values("pk"), is_over=False)
    on_paper = set(runs.filter(mode=RobotMode.PAPER).values_list("robot_id", flat=True))
    chosen = [each.pk for each in robots.order_by("pk") if symbol in each.config.get("symbols", ())]
    # An alert is of the money; only where there is none do robots on paper say how it stands.
    return [each for each in chosen if each not in on_paper] or chosen


def _unexpected(asked: list[str], alert: Alert) -> str:
    """Return what is otherwise than the alert expects of some robots, "" for nothing."""
    open_for = set(
        Operation.objects.filter(
            robot__in=asked,
            symbol=alert.symbol,
            status=Operation.Status.AWAITING_SELL,
        ).values_list("robot", flat=True)
    )
    for robot in asked:
        if (robot in open_for) != alert.is_long:
            wanted, is_so = ("long", "flat") if alert.is_long else ("flat", "long")
            return f"it expects {wanted}, and {robot} is {is_so} in {alert.symbol}"
    return ""


def _end(row: HookAlert, state: str, reason: str, *, signal: int = 0) -> None:
    # PostgreSQL takes no NUL, which an alert may write as an escape and a reason may quote.
    row.state, row.reason, row.signal = state, reason[:REASON_MAX].replace("\0", "\ufffd"), signal
    row.save(update_fields=["state", "reason", "signal", "dedupe"])


# ---- locks by staff


def lock_client(robot: Robot, *, until_us: int = 0, actor: Member | None, address: str) -> None:
    """Lock a client, until it is unlocked, or until a time; nothing triggers it."""
    _set_lock(robot, is_locked=until_us == 0, until_us=until_us, actor=actor, address=address)


def unlock_client(robot: Robot, *, actor: Member | None, address: str) -> None:
    """Take away what staff or a loss limit has locked; the core's own limits stay."""
    _set_lock(robot, is_locked=False, until_us=0, actor=actor, address=address)


@transaction.atomic
def _set_lock(
    robot: Robot, *, is_locked: bool, until_us: int, actor: Member | None, address: str
) -> None:
    robot.is_locked, robot.locked_until_us, robot.changed_us = is_locked, until_us, wall_us()
    robot.save(update_fields=["is_locked", "locked_until_us", "changed_us"])
    what = "locked" if is_locked or until_us else "unlocked"
    note(
        Action.ROBOT_CHANGED,
        actor=actor,
        subject=robot.member,
        address=address,
        robot=robot.pk,
        what=what,
    )

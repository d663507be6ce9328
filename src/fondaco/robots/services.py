"""Every write of the robots but leases and the hub's: robots, allotments, feeds, disputes.

Promises: a robot's row and those of its transfers are durable before the core hears of them, and
calling again goes on where a crash or a lost answer stopped it: no allotment is paid twice. A
robot's money moves between its account and its member's spot account, and only by the core. One
that is opened on paper is there with its run or not at all, so nobody takes it for live. What
is kept of a feed has a bound, however much of its stream can't be read.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from fondaco.core import records
from fondaco.core.money import parse_units
from fondaco.house.declared import House, MemberEntry, RobotEntry
from fondaco.house.errors import HouseFault
from fondaco.house.robots import RobotConfig, read_config
from fondaco.identity import core_door
from fondaco.identity import services as identity
from fondaco.identity.core_door import Asked, CommandRefused, Core
from fondaco.identity.models import Account, Member
from fondaco.identity.security_log import Action, note
from fondaco.identity.services import IdentityConflict
from fondaco.robots.bots.services import begin_run
from fondaco.robots.models import (
    FeedState,
    Operation,
    Robot,
    RobotKind,
    RobotMode,
    RobotTransfer,
    SetAsideMessage,
    VenueDispute,
)
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import RuleError, read_rule
from fondaco.robots.terms import terms_of as terms_of_config

__all__ = [
    "PAPER_CASH",
    "SET_ASIDE_MAX",
    "AllotmentRefused",
    "Aside",
    "RobotRefused",
    "allot",
    "allotted",
    "apply_house",
    "check_free",
    "check_rests",
    "close",
    "configure",
    "dispute",
    "open_robot",
    "resume",
    "set_aside",
    "set_mode",
    "tell_feed",
    "terms_of",
]

RESUMED_MAX: Final = 100  # a turn
ROBOTS_MAX: Final = 1_000  # of a member; each is an account
ACCOUNT_NAME_MAX: Final = 64
ALL_INSTRUMENTS: Final = 0
SPOT: Final = records.AccountKind.SPOT
PAPER_CASH: Final = "10000"  # of the house's cash: what paper begins with if nothing else is said

SET_ASIDE_MAX: Final = 1_000  # of a feed; older ones go
PAYLOAD_LETTERS_MAX: Final = 2_048
REASON_LETTERS_MAX: Final = 300


class RobotRefused(Exception):
    """What was asked of a robot can't be done: one sentence; `field` is what it is about, or ""."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class AllotmentRefused(RobotRefused):
    """The spot account, or of what it gives back the robot, has less than that free."""

    def __init__(self, asset: int, *, is_return: bool = False) -> None:
        giver = "robot" if is_return else "spot account"
        super().__init__(f"the {giver} has less than that free", field="allotment")
        self.asset = asset


class Aside(msgspec.Struct, frozen=True):
    """One message that could not be taken."""

    fault: str
    reason: str
    payload: bytes


@transaction.atomic
def set_aside(feed: str, messages: Sequence[Aside], *, now_us: int) -> None:
    """Keep messages with their reasons, and of all of the feed's the newest."""
    SetAsideMessage.objects.bulk_create(
        SetAsideMessage(
            feed=feed,
            received_us=now_us,
            fault=each.fault,
            reason=each.reason[:REASON_LETTERS_MAX].replace("\0", "\\x00"),
            payload=_shown(each.payload),
        )
        for each in messages[-SET_ASIDE_MAX:]
    )
    kept = SetAsideMessage.objects.filter(feed=feed).order_by("-id")
    last = kept.values_list("id", flat=True)[SET_ASIDE_MAX : SET_ASIDE_MAX + 1].first()
    if last is not None:
        SetAsideMessage.objects.filter(feed=feed, id__lte=last).delete()


def tell_feed(state: FeedState) -> None:
    """Write how a feed stands."""
    state.save()


def dispute(
    venue: str,
    venue_order: int,
    *,
    reason: str,
    filled_base: int,
    filled_quote: int,
    is_final: bool,
    now_us: int,
) -> None:
    """Keep what a venue says of an order and the core doesn't take, the last of it."""
    VenueDispute.objects.update_or_create(
        venue_order=venue_order,
        defaults={
            "venue": venue,
            "reason": reason,
            "filled_base": filled_base,
            "filled_quote": filled_quote,
            "is_final": is_final,
            "reported_us": now_us,
        },
    )


def _shown(payload: bytes) -> str:
    text = payload[:PAYLOAD_LETTERS_MAX].decode("utf-8", "backslashreplace")
    return text.replace("\0", "\\x00")


# ---- robots


def open_robot(
    core: Core,
    *,
    member: Member,
    cash: records.AssetBody,
    id: str,  # noqa: A002 - the contract's word
    kind: str,
    config: RobotConfig | None = None,
    rule: str = "",
    allotment: Mapping[int, int] | None = None,
    paper: Mapping[str, str] | None = None,
    is_active: bool = True,
    is_locked: bool = False,
    locked_until_us: int = 0,
    actor: Member | None = None,
    address: str = "",
) -> Robot:
    """Open a robot's account and move its allotment there: (asset number -> units).

    With `paper` it begins on paper, by these terms of its run. Calling again with the same id and
    member goes on where it stopped, and pays what was refused for want of money. Raises
    RobotRefused for an id that is another's, AllotmentRefused, and what the client raises.
    """
    robot = Robot.objects.select_related("member", "account").filter(pk=id).first()
    if robot is None:
        with transaction.atomic():
            Member.objects.select_for_update().get(pk=member.pk)
            if Robot.objects.filter(member=member).count() >= ROBOTS_MAX:
                raise RobotRefused(f"you have {ROBOTS_MAX} robots; use one of them")
            account = identity.account_row(member, _account_name(id), records.AccountKind.ROBOT)
            try:
                with transaction.atomic():
                    robot = Robot.objects.create(
                        id=id,
                        member=member,
                        account=account,
                        kind=RobotKind(kind),
                        config=msgspec.to_builtins(config or RobotConfig()),
                        rule=rule,
                        is_active=is_active,
                        is_locked=is_locked,
                        locked_until_us=locked_until_us,
                        changed_us=time.time_ns() // 1000,
                    )
            except IntegrityError as error:
                raise RobotRefused(f"robot {id} exists; choose another id", field="id") from error
            if paper is not None:
                begin_run(robot, mode=RobotMode.PAPER, terms=paper)
            note(Action.ROBOT_OPENED, actor=actor, subject=member, address=address, robot=id)
    if robot.member_id != member.pk or robot.closed_at is not None:
        raise RobotRefused(f"robot {id} exists; choose another id", field="id")
    _declare_transfers(robot, allotment or {})
    _open_account(core, robot, cash)
    _pay(core, robot)
    return robot


def configure(
    core: Core,
    robot: Robot,
    *,
    cash: records.AssetBody,
    config: RobotConfig | None = None,
    is_active: bool | None = None,
    rule: str | None = None,
    actor: Member | None = None,
    address: str = "",
) -> None:
    """Change what a robot is told; its limits are changed in the core first.

    Raises CommandRefused, and what the client raises: then the row is as it was, and calling again
    does both.
    """
    wanted = {
        "config": None if config is None else msgspec.to_builtins(config),
        "is_active": is_active,
        "rule": rule,
    }
    changed = [
        name
        for name, value in wanted.items()
        if value is not None and value != getattr(robot, name)
    ]
    if not changed:
        return
    for name in changed:
        setattr(robot, name, wanted[name])
    if "config" in changed:  # not in the transaction: nobody's writing waits for the core
        body = records.AccountBody(
            member=robot.member_id,
            kind=robot.account.kind,
            frozen=robot.member.frozen_at is not None,
            robot=terms_of(robot, cash),
        )
        command = records.Command.CONFIGURE_ACCOUNT
        core_door.submit(core, records.pack_body(command, body, account=robot.account_id))
    with transaction.atomic():
        robot.changed_us = time.time_ns() // 1000
        robot.save(update_fields=[*changed, "changed_us"])
        note(
            Action.ROBOT_CHANGED,
            actor=actor,
            subject=robot.member,
            address=address,
            robot=robot.pk,
            what=" ".join(changed),
        )


def check_free(core: Core, member: Member, allotment: Mapping[int, int]) -> None:
    """Raise AllotmentRefused where a member's spot account has less than that free."""
    spot = Account.objects.get(member=member, kind=SPOT.value)
    free = {asset: units for asset, units, _ in balances(core, spot.pk)}
    for asset, amount in allotment.items():
        if amount > free.get(asset, 0):
            raise AllotmentRefused(asset)


def check_rests(robot: Robot) -> None:
    """Raise RobotRefused while a signal robot has an operation of money open."""
    rows = Operation.objects.filter(account=robot.account_id, is_paper=False)
    held = rows.filter(status__lte=Operation.Status.AWAITING_SELL).first()
    if held is not None:
        raise RobotRefused(
            f"its operation of {held.symbol} is open; wait until a SELL signal or its stop has "
            "sold it, and then put it on paper"
        )


@transaction.atomic
def set_mode(
    robot: Robot,
    *,
    mode: str,
    terms: Mapping[str, str],
    actor: Member | None = None,
    address: str = "",
) -> None:
    """Begin another run of a signal robot; no money moves.

    `terms` are what it begins with on paper: (asset code -> decimal text). Raises RobotRefused for
    paper while an operation of money is open.
    """
    Robot.objects.select_for_update().get(pk=robot.pk)
    if mode == RobotMode.PAPER:
        check_rests(robot)
    begin_run(robot, mode=mode, terms=terms)
    note(
        Action.ROBOT_CHANGED,
        actor=actor,
        subject=robot.member,
        address=address,
        robot=robot.pk,
        what="run on paper" if mode == RobotMode.PAPER else "run live",
    )


def allot(core: Core, robot: Robot, allotment: Mapping[int, int]) -> None:
    """Make what a robot was given of these assets so much: the difference moves, either way.

    What it won is not counted, and what it lost isn't made good. Raises AllotmentRefused where the
    giver has less than that free; then nothing has moved.
    """
    _pay(core, robot)
    spot = Account.objects.get(member=robot.member_id, kind=SPOT.value)
    free = {
        is_return: {asset: units for asset, units, _ in balances(core, account)}
        for is_return, account in ((False, spot.pk), (True, robot.account_id))
    }
    with transaction.atomic():
        Robot.objects.select_for_update().get(pk=robot.pk)
        given = allotted(robot)
        for asset, amount in allotment.items():
            more = amount - given.get(asset, 0)
            if abs(more) > free[more < 0].get(asset, 0):
                raise AllotmentRefused(asset, is_return=more < 0)
            if more:
                RobotTransfer.objects.create(
                    robot=robot, asset=asset, amount=abs(more), is_return=more < 0
                )
    _pay(core, robot)


def allotted(robot: Robot) -> dict[int, int]:
    """Return what a robot was given and has not given back, by asset; what is on its way counts."""
    found: dict[int, int] = {}
    for row in RobotTransfer.objects.filter(robot=robot, reason=0).order_by("pk"):
        amount = -row.amount if row.is_return else row.amount
        found[row.asset] = found.get(row.asset, 0) + amount
    return found


def resume(core: Core, cash: records.AssetBody) -> None:
    """Go on with the robots whose opening or transfers have no answer yet.

    What is refused stays so, with its reason at the row, until its member asks again.
    """
    waiting = Robot.objects.filter(
        Q(account__opened_at__isnull=True) | Q(transfers__seq=0, transfers__reason=0)
    )
    for robot in waiting.select_related("member", "account").distinct()[:RESUMED_MAX]:
        _open_account(core, robot, cash)
        with contextlib.suppress(RobotRefused):
            _pay(core, robot)


def close(core: Core, robot: Robot, *, actor: Member | None = None, address: str = "") -> None:
    """End a robot: its orders cancelled, all that it has given back to the spot account.

    Raises RobotRefused while something of it is held or on its way; calling again goes on.
    """
    if robot.closed_at is not None:
        return
    if robot.is_active:
        robot.is_active, robot.changed_us = False, time.time_ns() // 1000
        robot.save(update_fields=["is_active", "changed_us"])
    account = robot.account_id
    everything = records.pack(
        records.Command.CANCEL_ALL, account=account, instrument=ALL_INSTRUMENTS
    )
    try:
        core_door.submit(core, everything)
    except CommandRefused as refusal:
        if refusal.reason is not records.Reason.UNKNOWN_ORDER:  # it has none open
            raise
    _pay(core, robot)
    for asset, free, held in balances(core, account):
        if held:
            raise RobotRefused("something of the robot is still held; try again")
        if free:
            RobotTransfer.objects.create(robot=robot, asset=asset, amount=free, is_return=True)
    _pay(core, robot)
    with transaction.atomic():
        robot.closed_at, robot.changed_us = timezone.now(), time.time_ns() // 1000
        robot.save(update_fields=["closed_at", "changed_us"])
        note(
            Action.ROBOT_CLOSED,
            actor=actor,
            subject=robot.member,
            address=address,
            robot=robot.pk,
        )


def balances(core: Asked, account: int) -> list[tuple[int, int, int]]:
    """Return (asset, free, held) of what an account has now."""
    answer = core.query(records.pack(records.Query.BALANCES, account=account))
    found = []
    for record in records.split(bytes(answer.records)):
        if core_door.kind_of(record) == records.Event.BALANCE:
            words = records.unpack(record)
            found.append((words["asset"], words["free"], words["held"]))
    return found


def _account_name(robot_id: str) -> str:
    name = f"robot {robot_id}"
    if len(name) <= ACCOUNT_NAME_MAX:
        return name
    return f"robot {hashlib.blake2b(robot_id.encode(), digest_size=16).hexdigest()}"


@transaction.atomic
def _declare_transfers(robot: Robot, allotment: Mapping[int, int]) -> None:
    """Write the rows of an allotment; one that was refused for want of money may be another."""
    for asset, amount in allotment.items():
        if not amount:
            continue
        row = RobotTransfer.objects.filter(robot=robot, asset=asset, is_return=False).first()
        if row is None:
            RobotTransfer.objects.create(robot=robot, asset=asset, amount=amount)
        elif row.reason == records.Reason.INSUFFICIENT_BALANCE:
            row.reason, row.amount = 0, amount
            row.save(update_fields=["reason", "amount"])


def _open_account(core: Core, robot: Robot, cash: records.AssetBody) -> None:
    is_new = robot.account.opened_at is None
    identity.open_account(
        core,
        member=robot.member,
        name=robot.account.name,
        kind=records.AccountKind.ROBOT,
        terms=terms_of(robot, cash),
    )
    if is_new:  # workers look for what has changed of late, and see it only now
        Robot.objects.filter(pk=robot.pk).update(changed_us=time.time_ns() // 1000)


def terms_of(robot: Robot, cash: records.AssetBody) -> records.RobotTerms:
    """Return the limits that a robot's config has the core keep."""
    config = msgspec.convert(robot.config, RobotConfig)
    return terms_of_config(config, cash=cash.number, decimals=cash.decimals)


def _pay(core: Core, robot: Robot) -> None:
    """Carry out the transfers of a robot that have no answer. Raises AllotmentRefused."""
    waiting = RobotTransfer.objects.filter(robot=robot, seq=0, reason=0)
    if not waiting:
        return
    spot = Account.objects.get(member=robot.member_id, kind=SPOT.value)
    for row in waiting.order_by("pk"):
        giver, taker = spot.pk, robot.account_id
        if row.is_return:
            giver, taker = taker, giver
        command = records.pack(
            records.Command.TRANSFER,
            account=giver,
            to_account=taker,
            asset=row.asset,
            amount=row.amount,
            entry=row.entry,
        )
        try:
            events = core_door.submit(core, command)
        except CommandRefused as refusal:
            if refusal.reason is records.Reason.DUPLICATE_ENTRY:  # done, the answer was lost
                row.seq = refusal.detail[0]
            else:
                row.reason = refusal.reason.value
        else:
            row.seq = records.HEAD.unpack_from(events[0])[1]
        row.save(update_fields=["seq", "reason"])
        if row.reason == records.Reason.INSUFFICIENT_BALANCE:
            raise AllotmentRefused(row.asset, is_return=row.is_return)
        if row.reason:
            reason = records.Reason(row.reason)
            raise RobotRefused(f"the core refused the transfer ({reason.name})", field="allotment")


# ---- the house file


def apply_house(house: House, core: Core) -> None:
    """Open the robots that the house file declares and are missing. Idempotent.

    What exists keeps its config, switch and money. Raises HouseFault for an allotment that its
    member can't pay, IdentityConflict for an id that is another member's, and what the client
    raises.
    """
    if not any(entry.robots for entry in house.members):
        return
    assets = {}
    for kind, record in core_door.definitions(core):
        if kind == records.Event.ASSET:
            body = msgspec.msgpack.decode(records.unpack_body(record), type=records.AssetBody)
            assets[body.code] = body
    cash = assets[house.house.cash]
    done = set(Robot.objects.filter(account__opened_at__isnull=False).values_list("pk", flat=True))
    done -= set(
        RobotTransfer.objects.exclude(seq__gt=0).values_list("robot_id", flat=True).distinct()
    )
    for place, entry in enumerate(house.members):
        for number, robot in enumerate(entry.robots):
            if robot.id not in done:
                _apply_robot(core, entry, robot, ("members", place, "robots", number), assets, cash)


def _apply_robot(
    core: Core,
    entry: MemberEntry,
    robot: RobotEntry,
    path: tuple[str | int, ...],
    assets: Mapping[str, records.AssetBody],
    cash: records.AssetBody,
) -> None:
    until = identity.in_utc(robot.locked_until)
    paper = _paper_terms(robot, cash.code) if robot.mode == "paper" else None
    allotment = {
        assets[code].number: parse_units(amount, assets[code].decimals)
        for code, amount in robot.allotment.items()
        if paper is None
    }
    try:
        open_robot(
            core,
            member=Member.objects.get(username__iexact=entry.username),
            cash=cash,
            id=robot.id,
            kind=robot.kind,
            config=read_config(robot.config, decimals=cash.decimals),
            rule=robot.rule,
            allotment=allotment,
            paper=paper,
            is_active=robot.active,
            is_locked=robot.locked,
            locked_until_us=int(until.timestamp() * 1_000_000) if until is not None else 0,
        )
    except AllotmentRefused as refusal:
        code = next(each.code for each in assets.values() if each.number == refusal.asset)
        raise HouseFault(
            (*path, "allotment"),
            f"allotment of robot {robot.id} is {robot.allotment[code]} {code}, and "
            f"{entry.username} has less than that free; give less, or deposit first",
        ) from refusal
    except RobotRefused as refusal:
        raise IdentityConflict(f"robot {robot.id} of the house file: {refusal}") from refusal


def _paper_terms(robot: RobotEntry, cash: str) -> dict[str, str]:
    """Return what a declared robot begins with on paper: its allotment as a figure."""
    money = {cash: PAPER_CASH, **robot.allotment}
    if robot.kind != "rule":
        return money
    try:
        coin = plan_rule(read_rule(robot.rule)).paper_ticker
    except RuleError:  # told by the worker that would run it
        coin = ""
    return {"cash": money[cash], "coins": money.get(coin, "0")}

"""Every write of members' robots of both kinds: opening one, changing what it does, ending it.

Promises: a rule, or a config, is read before anything moves, and what is wrong with it names the
place. The allotment moves by the core; on paper it is a figure only. Another rule, or another mode,
is another run: the open orders of the one before are cancelled, and its reasons stay to be read.
A signal robot goes on paper only when it has no operation of money open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from fondaco.core.records import AssetBody, Command, Event, Reason, pack, split, unpack
from fondaco.house.robots import LIMITS, ConfigFault, RobotConfig, read_config
from fondaco.identity.core_door import CommandRefused, Core, kind_of, submit
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note
from fondaco.link.answers import LinkError
from fondaco.projections.selectors import InstrumentRow, asset_codes, instruments
from fondaco.robots import services as robots
from fondaco.robots.bots import services as bots
from fondaco.robots.bots.selectors import current_run
from fondaco.robots.hub.locks import Many
from fondaco.robots.models import Robot, RobotKind, RobotMode
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.validation import RuleError, read_rule
from fondaco.robots.rules.view import plain
from fondaco.robots.services import RobotRefused

__all__ = [
    "ConfigRefused",
    "change",
    "change_signals",
    "end",
    "limits_of",
    "markets",
    "open_rule",
    "open_signals",
    "read",
    "switch_kill",
    "switch_kills",
]

BOOK: Final = 1
KILLED_AT_ONCE: Final = 500  # robots whose switch is thrown in one piece
IDS: Final = re.compile(r"[A-Za-z0-9_-]{1,24}")
RESERVED: Final = frozenset({"clients", "new", "overview", "rule-schema", "backtests"})


class ConfigRefused(RobotRefused):
    """A word of a signal robot's config can't stand; `name` is the word."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name} {text}", field="config")
        self.name = name
        self.text = text


def markets() -> dict[str, InstrumentRow]:
    """Return the order books in the house's cash, by the coin that rules call them by."""
    codes = {number: code for number, (code, _) in asset_codes().items()}
    found: dict[str, InstrumentRow] = {}
    for row in instruments():
        if row.market == BOOK and codes.get(row.quote) == settings.CASH:
            found.setdefault(codes[row.base], row)
    return found


def open_rule(
    core: Core,
    *,
    member: Member,
    id: str,  # noqa: A002 - the contract's word
    rule: str,
    allotment: Mapping[str, Decimal],
    active: bool = True,
    mode: str = RobotMode.LIVE,
    limits: Mapping[str, Any] | None = None,
    address: str = "",
) -> Robot:
    """Open a rule bot; its allotment moves from the member's spot account, but on paper.

    Raises RobotRefused and what the client raises.
    """
    _check_id(id)
    plan = read(rule)
    units = _units(allotment)
    terms = _terms(plan, allotment, mode)
    config = _config({}, limits or {})
    on_paper = mode == RobotMode.PAPER
    robot = _open(
        core,
        member,
        id,
        {} if on_paper else units,
        kind=RobotKind.RULE,
        rule=rule,
        config=config,
        paper=terms if on_paper else None,
        is_active=on_paper and active,  # live: once its run is there
        address=address,
    )
    if not on_paper:
        bots.begin_run(robot, mode=mode)
        if active:
            robot.is_active = True
            robot.save(update_fields=["is_active"])
    return robot


def open_signals(
    core: Core,
    *,
    member: Member,
    id: str,  # noqa: A002 - the contract's word
    config: Mapping[str, Any],
    allotment: Mapping[str, Decimal],
    active: bool = True,
    mode: str = RobotMode.LIVE,
    address: str = "",
) -> Robot:
    """Open a signal robot; its allotment moves from the member's spot account, but on paper.

    Raises RobotRefused, of a config ConfigRefused, and what the client raises.
    """
    _check_id(id)
    units = _units(allotment)
    told = _signals({}, config)
    on_paper = mode == RobotMode.PAPER
    return _open(
        core,
        member,
        id,
        {} if on_paper else units,
        kind=RobotKind.SIGNAL,
        config=told,
        paper=_paper({}, allotment) if on_paper else None,
        is_active=active,
        address=address,
    )


def _check_id(text: str) -> None:
    if not IDS.fullmatch(text) or text in RESERVED:
        raise RobotRefused("write 1 to 24 letters, digits, _ or -", field="id")


def _open(
    core: Core,
    member: Member,
    name: str,
    allotment: Mapping[int, int],
    **words: Any,  # noqa: ANN401 - as open_robot() has them
) -> Robot:
    """Open a robot that its member can pay for; one that can't be paid leaves nothing behind."""
    if Robot.objects.filter(pk=name).exists():
        raise RobotRefused(f"robot {name} exists; choose another id", field="id")
    robots.check_free(core, member, allotment)
    try:
        return robots.open_robot(
            core, member=member, cash=_cash(), id=name, allotment=allotment, actor=member, **words
        )
    except robots.AllotmentRefused:  # what was free is gone meanwhile
        row = Robot.objects.get(pk=name)
        robots.close(core, row, actor=member, address=words["address"])
        raise


def change(
    core: Core,
    robot: Robot,
    *,
    actor: Member,
    rule: str | None = None,
    active: bool | None = None,
    mode: str | None = None,
    allotment: Mapping[str, Decimal] | None = None,
    limits: Mapping[str, Any] | None = None,
    address: str = "",
) -> None:
    """Change a bot; another rule or mode, or on paper another allotment, begins another run.

    A live allotment is what the bot has of the member's: the difference moves, and nothing else
    of it does. Raises RobotRefused.
    """
    plan = read(robot.rule if rule is None else rule)
    run = current_run(robot)
    was = run.mode if run is not None else RobotMode.LIVE
    now = mode or was
    units = _units(allotment or {})
    config = _config(robot.config, limits) if limits else None
    asked = _terms(plan, allotment or {}, now)  # of every rule, also of one that was there
    terms = dict(run.terms) if run is not None and run.terms else asked
    if "coins" in terms and plan.paper_ticker != read(robot.rule, of_house=False).paper_ticker:
        terms["coins"] = asked.get("coins", "0")  # what it had are another market's
    if allotment and now == RobotMode.PAPER:
        words = {settings.CASH: "cash", plan.paper_ticker: "coins"}
        terms |= {words[code]: asked[words[code]] for code in allotment if code in words}
    if now == RobotMode.LIVE and allotment is not None:
        robots.allot(core, robot, units)
    elif now == RobotMode.LIVE and was != now:
        member, kind = robot.member, RobotKind.RULE
        robots.open_robot(core, member=member, cash=_cash(), id=robot.pk, kind=kind)
        given = robots.allotted(robot)
        began = _units(_allotted(plan, terms))
        robots.allot(core, robot, {one: began[one] for one in began if not given.get(one)})
    by: dict[str, Any] = {"cash": _cash(), "actor": actor, "address": address}
    robots.configure(core, robot, config=config, **by)
    with transaction.atomic():  # no worker ever finds a rule with another's state
        robots.configure(core, robot, is_active=active, rule=rule, **by)
        if rule is not None or now != was or (now == RobotMode.PAPER and allotment):
            bots.begin_run(robot, mode=now, terms=terms)


def change_signals(
    core: Core,
    robot: Robot,
    *,
    actor: Member,
    config: Mapping[str, Any] | None = None,
    active: bool | None = None,
    mode: str | None = None,
    allotment: Mapping[str, Decimal] | None = None,
    address: str = "",
) -> None:
    """Change a signal robot; another mode, or on paper another allotment, begins another run.

    What a config or an allotment doesn't name stays. Who goes live without an allotment has what
    paper began with, but of assets that it has an allotment of already. Raises RobotRefused: of a
    config ConfigRefused, and without a field while an open operation keeps it from paper.
    """
    run = current_run(robot)
    was = run.mode if run is not None else RobotMode.LIVE
    now = mode or was
    units = _units(allotment or {})
    told = _signals(robot.config, config) if config else None
    if now != was and now == RobotMode.PAPER:
        robots.check_rests(robot)
    if run is not None and now != was and now == RobotMode.LIVE and allotment is None:
        given = robots.allotted(robot)
        began = _units({code: Decimal(text) for code, text in run.terms.items()})
        units = {asset: amount for asset, amount in began.items() if not given.get(asset)}
    if now == RobotMode.LIVE and units:
        robots.allot(core, robot, units)
    robots.configure(
        core, robot, cash=_cash(), config=told, is_active=active, actor=actor, address=address
    )
    if now != was or (now == RobotMode.PAPER and allotment):
        before = run.terms if run is not None and was == RobotMode.PAPER else {}
        terms = _paper(before, allotment or {}) if now == RobotMode.PAPER else {}
        robots.set_mode(robot, mode=now, terms=terms, actor=actor, address=address)


def end(core: Core, robot: Robot, *, actor: Member, address: str = "") -> None:
    """End a bot: its orders cancelled, what it has given back. Raises RobotRefused."""
    robots.close(core, robot, actor=actor, address=address)


def switch_kill(
    core: Core, robot: Robot, *, on: bool, actor: Member | None, address: str = ""
) -> None:
    """Cancel all that a robot has open and let it reduce only, or let it be again."""
    try:
        submit(core, pack(Command.KILL_ROBOT, account=robot.account_id, on=int(on)))
    except CommandRefused as refusal:
        raise RobotRefused(f"the core refused it ({refusal.reason.name})") from refusal
    except LinkError:
        _note_kill(robot, on=on, actor=actor, address=address, is_sure=False)
        raise
    _note_kill(robot, on=on, actor=actor, address=address)


def _note_kill(
    robot: Robot, *, on: bool, actor: Member | None, address: str, is_sure: bool = True
) -> None:
    """Write down who threw a kill switch; without the core's answer that is said, too."""
    action = Action.ROBOT_KILLED if on else Action.ROBOT_UNKILLED
    unsure = {} if is_sure else {"outcome": "not answered"}
    note(action, actor=actor, subject=robot.member, address=address, robot=robot.pk, **unsure)


def switch_kills(
    core: Many, robots: Sequence[Robot], *, on: bool, actor: Member, address: str = ""
) -> None:
    """Throw or take back the kill switches of many, KILLED_AT_ONCE with one write of the journal.

    Raises RobotRefused, when all were tried, with how many are as they were, and why the first is.
    """
    left: list[str] = []
    for first in range(0, len(robots), KILLED_AT_ONCE):
        some = robots[first : first + KILLED_AT_ONCE]
        commands = [pack(Command.KILL_ROBOT, account=each.account_id, on=int(on)) for each in some]
        answers = core.submit_many(commands)
        with transaction.atomic():
            for robot, answer in zip(some, answers, strict=True):
                if isinstance(answer, LinkError):
                    left.append(f"{robot.pk}: {answer}")
                    _note_kill(robot, on=on, actor=actor, address=address, is_sure=False)
                    continue
                told = [unpack(each) for each in split(answer) if kind_of(each) == Event.REFUSED]
                left += [f"{robot.pk}: {Reason(each['reason']).name}" for each in told]
                if not told:
                    _note_kill(robot, on=on, actor=actor, address=address)
    if left:
        raise RobotRefused(f"{len(left)} of {len(robots)} are as they were; {left[0]}")


def read(rule: str, *, of_house: bool = True) -> Plan:
    """Return the plan of a rule, on the house's markets if it is to run there.

    Raises RobotRefused with the place.
    """
    try:
        plan = plan_rule(read_rule(rule))
    except RuleError as error:
        raise RobotRefused(str(error), field="rule") from error
    if not of_house:
        return plan
    there = markets()
    for ticker in (*plan.tickers, *plan.traded):
        if ticker not in there:
            known = ", ".join(sorted(there)) or "none"
            raise RobotRefused(
                f"$: no order book of {ticker} in {settings.CASH}; there are {known}", field="rule"
            )
    return plan


def limits_of(robot: Robot) -> dict[str, str]:
    """Return the limits of a robot that the core keeps; those that it has."""
    found = {name: str(robot.config.get(name, "0")) for name in LIMITS}
    return {name: text for name, text in found.items() if text != "0"}


def _config(kept: Mapping[str, Any], limits: Mapping[str, Any]) -> RobotConfig:
    """Return a rule bot's config with these limits; what isn't named stays. Raises RobotRefused."""
    said = {name: kept[name] for name in LIMITS if name in kept}
    try:
        return read_config({**said, **limits}, decimals=_cash().decimals, known=LIMITS)
    except ConfigFault as fault:
        raise RobotRefused(f"{fault.field} {fault}", field="limits") from fault


def _signals(kept: Mapping[str, Any], said: Mapping[str, Any]) -> RobotConfig:
    """Return a signal robot's config with these words; what isn't named stays.

    Raises ConfigRefused, also for a symbol that has no book in the house's cash and is new to it.
    """
    try:
        config = read_config({**kept, **said}, decimals=_cash().decimals)
    except ConfigFault as fault:
        raise ConfigRefused(fault.field, str(fault)) from fault
    there = markets()
    for symbol in config.symbols:
        if symbol not in there and symbol not in kept.get("symbols", ()):
            known = ", ".join(sorted(there)) or "none"
            text = f"has {symbol}, and there is no order book of it in {settings.CASH}"
            raise ConfigRefused("symbols", f"{text}; there are {known}")
    return config


def _paper(before: Mapping[str, str], allotment: Mapping[str, Decimal]) -> dict[str, str]:
    """Return what a signal robot on paper begins with; what isn't named is as before."""
    told = {code: f"{plain(amount):f}" for code, amount in allotment.items()}
    return {settings.CASH: robots.PAPER_CASH, **before, **told}


def _cash() -> AssetBody:
    for number, (code, decimals) in asset_codes().items():
        if code == settings.CASH:
            return AssetBody(number=number, code=code, decimals=decimals)
    raise RobotRefused(f"the house has no {settings.CASH}", field="allotment")


def _units(allotment: Mapping[str, Decimal]) -> dict[int, int]:
    """Return an allotment in units. Raises RobotRefused."""
    known = {code: (number, decimals) for number, (code, decimals) in asset_codes().items()}
    found = {}
    for code, amount in allotment.items():
        if code not in known:
            raise RobotRefused(f"the house has no {code}", field="allotment")
        number, decimals = known[code]
        units = amount.scaleb(decimals)
        if units != units.to_integral_value() or not 0 <= units < 1 << 62:
            raise RobotRefused(
                f"{code} has {decimals} decimals and {amount} more, or less than nothing",
                field="allotment",
            )
        found[number] = int(units)
    return found


def _terms(plan: Plan, allotment: Mapping[str, Decimal], mode: str) -> dict[str, str]:
    """Return what a bot on paper begins with."""
    if mode != RobotMode.PAPER:
        return {}
    coin = plan.paper_ticker
    if not coin:
        named = ", ".join(plan.traded) or "none"
        raise RobotRefused(f"on paper a rule trades one market; this names {named}", field="mode")
    return {
        "cash": f"{plain(allotment.get(settings.CASH, Decimal(10_000))):f}",
        "coins": f"{plain(allotment.get(coin, Decimal(0))):f}",
    }


def _allotted(plan: Plan, terms: Mapping[str, str]) -> dict[str, Decimal]:
    """Return what a bot on paper was given, for its live account; a rule may name no coin now."""
    pairs = {settings.CASH: terms.get("cash", "0"), plan.paper_ticker: terms.get("coins", "0")}
    return {code: Decimal(text) for code, text in pairs.items() if code and Decimal(text)}

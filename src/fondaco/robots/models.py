"""What our own clients keep between two starts. Nothing here is money: that is the core's.

Promises: these rows are the office's (backed up with it), never the projections'. A robot's row and
those of its transfers are durable before the core hears of them. Times are in microseconds.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from fondaco.identity.models import Account, Member

__all__ = [
    "ENTRY_FIRST",
    "Backtest",
    "Decision",
    "FeedState",
    "Hook",
    "HookAlert",
    "HouseMark",
    "HubCursor",
    "Lease",
    "Operation",
    "Rating",
    "Robot",
    "RobotKind",
    "RobotMode",
    "RobotRun",
    "RobotTransfer",
    "RuleCheckpoint",
    "RuleDecision",
    "RuleOrder",
    "SetAsideMessage",
    "Signal",
    "VenueDispute",
]

ENTRY_FIRST: Final = 1 << 60  # the core's entries of robots' transfers; the treasury's begin at 1


class RobotKind(models.TextChoices):
    SIGNAL = "signal"
    RULE = "rule"


class Robot(models.Model):
    """A client of ours: an account with an allotment of its member's funds, and what it is to do.

    `config` is a house.robots.RobotConfig as JSON, `rule` the JSON text of a rule. What it has and
    what it lost is the core's.
    """

    id = models.CharField(max_length=64, primary_key=True)  # the client id, unique in the house
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="robots")
    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="robot")
    kind = models.CharField(max_length=8, choices=RobotKind)
    is_active = models.BooleanField(default=True)
    config = models.JSONField(default=dict)
    rule = models.TextField(default="", blank=True)
    is_locked = models.BooleanField(default=False)
    locked_until_us = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, editable=False)  # gone; its id is never used again
    changed_us = models.BigIntegerField(default=0, db_index=True)  # when this row last changed

    def __str__(self) -> str:
        return self.id


class RobotTransfer(models.Model):
    """Money on its way from the member's spot account to a robot, or back.

    `seq` is where the journal has it, `reason` why the core refused it; both 0: not answered yet.
    """

    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="transfers")
    asset = models.IntegerField()
    amount = models.BigIntegerField()
    is_return = models.BooleanField(default=False)
    seq = models.BigIntegerField(default=0)
    reason = models.SmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="allotment_above_0"),
        ]

    def __str__(self) -> str:
        return f"entry {self.entry}"

    @property
    def entry(self) -> int:
        """The core's number of it."""
        return ENTRY_FIRST + self.pk


class RobotMode(models.TextChoices):
    LIVE = "live"
    PAPER = "paper"


class RobotRun(models.Model):
    """One run of a robot: from its beginning until the rule or the mode is another.

    `state`, `outbox` and `position` are what a rule bot remembers, written in one transaction with
    what came of it, and true up to `seq` of the house's events. JSON but `position`. A robot by
    signals has a run where it is, or was, on paper; of it are `position`, with `seq` counting how
    often it was written, and until when a loss has locked it as `state`.
    """

    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="runs")
    number = models.IntegerField(default=1)  # of the robot's
    mode = models.CharField(max_length=8, choices=RobotMode, default=RobotMode.LIVE)
    # Of paper, decimal text: of a rule cash, coins, depth, queue; by signals what it has, by asset.
    terms = models.JSONField(default=dict)
    state = models.TextField(default="")  # "": it has not begun
    outbox = models.TextField(default="[]")
    position = models.BinaryField(default=b"")  # of paper
    seq = models.BigIntegerField(default=0)
    began_seq = models.BigIntegerField(default=0)
    began_us = models.BigIntegerField(default=0)
    told = models.IntegerField(default=0)  # decisions and notices ever
    newest = models.TextField(default="")  # where it waits: a decision of now and then, none kept
    fault = models.CharField(max_length=500, default="")  # why it can't work
    is_over = models.BooleanField(default=False)  # another run has taken its place

    class Meta:
        constraints = [models.UniqueConstraint("robot", "number", name="robot_run_once")]

    def __str__(self) -> str:
        return f"{self.robot_id}, run {self.number} ({self.mode})"


class RuleOrder(models.Model):
    """One order of a run as it stands; `line` is a backtest.result.OrderLine as JSON."""

    run = models.ForeignKey(RobotRun, on_delete=models.PROTECT, related_name="orders")
    client_order_id = models.CharField(max_length=36)
    time_us = models.BigIntegerField()
    is_open = models.BooleanField()
    line = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint("run", "client_order_id", name="rule_order_once")]

    def __str__(self) -> str:
        return self.client_order_id


class RuleDecision(models.Model):
    """What a run decided, and why; `text` is a rules.state.Decision as JSON, or a notice's text."""

    run = models.ForeignKey(RobotRun, on_delete=models.PROTECT, related_name="decisions")
    number = models.IntegerField()  # of the run's, from 1
    seq = models.BigIntegerField()
    time_us = models.BigIntegerField()
    code = models.CharField(max_length=24)  # NOTICE for a notice
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint("run", "number", name="rule_decision_once")]

    def __str__(self) -> str:
        return f"{self.run_id}, {self.number}: {self.code}"


class Backtest(models.Model):
    """A backtest that a member asked for; a worker runs it, `result` is its JSON.

    Files that the member sent, of the tape and of signals, are kept until then.
    """

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="backtests")
    rule = models.TextField(default="")
    config = models.JSONField(default=dict)  # of a signal robot; of a rule its limits
    signals = models.CharField(max_length=8, default="")  # that it hears: stored, file or ratings
    ratings = models.CharField(max_length=24, default="")  # hub.messages.KINDS, of candles of
    interval = models.CharField(max_length=3, default="")
    signals_name = models.CharField(max_length=100, default="")
    signals_file = models.BinaryField(default=b"")
    ticker = models.CharField(max_length=20)
    source = models.CharField(max_length=8, default="journal")  # or trades, candles: of a file
    file_name = models.CharField(max_length=100, default="")
    file = models.BinaryField(default=b"")
    settings = models.JSONField(default=dict)  # walk, and figures as text
    asked_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)  # by the worker that has it
    result = models.TextField(default="")
    fault = models.CharField(max_length=500, default="")

    def __str__(self) -> str:
        return f"backtest {self.pk}"


class RuleCheckpoint(models.Model):
    """One row: what the rule bots saw of the markets at a seq, to go on from after a restart."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField(default=0)
    time_us = models.BigIntegerField(default=0)
    seen = models.BinaryField(default=b"")

    def __str__(self) -> str:
        return f"seq {self.seq}"


class Lease(models.Model):
    """Who does a piece of work now, of all worker processes; robots.lease reads and writes it."""

    name = models.CharField(max_length=128, primary_key=True)
    owner = models.CharField(max_length=128, default="")
    fence = models.BigIntegerField(default=0)  # one more at each taking
    until_us = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.owner} ({self.fence})"


class FeedState(models.Model):
    """What came of a feed's messages so far, as its consumer last wrote it: about once a second."""

    name = models.CharField(max_length=64, primary_key=True)  # the client id at the broker
    address = models.CharField(max_length=300, default="")  # without the password
    topic = models.CharField(max_length=1024, default="")
    is_connected = models.BooleanField(default=False)
    fault = models.CharField(max_length=300, default="")  # why it isn't
    received = models.BigIntegerField(default=0)
    current = models.BigIntegerField(default=0)  # became the price
    older = models.BigIntegerField(default=0)  # counted by their own time
    duplicate = models.BigIntegerField(default=0)
    set_aside = models.BigIntegerField(default=0)
    filled = models.BigIntegerField(default=0)  # messages that filled an order
    reconnects = models.BigIntegerField(default=0)
    message_us = models.BigIntegerField(default=0)  # time of the newest message
    updated_us = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {'connected' if self.is_connected else 'away'}"


class SetAsideMessage(models.Model):
    """A message that could not be taken, with the reason; the newest of each feed are kept."""

    feed = models.CharField(max_length=64)
    received_us = models.BigIntegerField()
    fault = models.CharField(max_length=16)  # feeds.messages.Fault
    reason = models.CharField(max_length=300)
    payload = models.TextField()  # its beginning; what is no text as \\xNN

    class Meta:
        indexes = [models.Index("feed", "id", name="set_aside_of_feed")]

    def __str__(self) -> str:
        return f"{self.feed}: {self.fault}"


class VenueDispute(models.Model):
    """What a venue last said of an outside order and the core did not take: somebody must look.

    Of an order that is done it means nothing any more.
    """

    venue_order = models.BigIntegerField(primary_key=True)  # the core's number
    venue = models.CharField(max_length=64)
    reason = models.CharField(max_length=32)  # records.Reason
    filled_base = models.BigIntegerField()  # units, at most UNITS_MAX
    filled_quote = models.BigIntegerField()
    is_final = models.BooleanField()
    reported_us = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.venue} {self.venue_order}: {self.reason}"


class HouseMark(models.Model):
    """One row: what outside orders are named after; robots.venues.mark reads and writes it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    text = models.CharField(max_length=16)

    def __str__(self) -> str:
        return self.text


class Signal(models.Model):
    """A signal that came in. Two of one symbol, time and strength are one, and so are two of a key.

    `member` 0: it is for every client of the house; else for that member's.
    """

    symbol = models.CharField(max_length=12)
    strength = models.SmallIntegerField()  # 2 STRONG_BUY, 1, 0 NEUTRAL, -1, -2 STRONG_SELL
    timestamp_us = models.BigIntegerField()  # its own time
    member = models.BigIntegerField(default=0)
    key = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - unique, so that none is null; who and their key
    source = models.CharField(max_length=64)
    analysis = models.TextField(default="[]")  # JSON, as sent
    received_us = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "symbol", "timestamp_us", "strength", "member", name="signal_once"
            ),
        ]

    def __str__(self) -> str:
        return f"signal {self.pk}: {self.symbol} {self.strength}"


class Rating(models.Model):
    """What our own analysis says of a book at a closed bar; hub.ratings writes it."""

    symbol = models.CharField(max_length=20)  # of the instrument
    interval = models.CharField(max_length=3)
    kind = models.CharField(max_length=24)
    bar_us = models.BigIntegerField()  # when the bar began
    strength = models.SmallIntegerField()  # as a signal's
    value = models.FloatField()
    detail = models.TextField()  # JSON

    class Meta:
        constraints = [
            models.UniqueConstraint("symbol", "interval", "kind", "bar_us", name="rating_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.symbol} {self.interval}"


class HubCursor(models.Model):
    """Up to which signal the clients of a share have been judged; written with their decisions.

    The signal after it may be judged in part: `part_signal`, for accounts up to `part_account`.
    """

    share = models.SmallIntegerField(primary_key=True)
    signal = models.BigIntegerField(default=0)
    part_signal = models.BigIntegerField(default=0)
    part_account = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"share {self.share}: signal {self.signal}"


class Decision(models.Model):
    """What was decided for one client at one signal, and the numbers: hub.judging names them.

    No foreign keys: a house of 100,000 clients writes as many of these for each signal.
    """

    signal = models.BigIntegerField()
    account = models.BigIntegerField()  # the robot's
    time_us = models.BigIntegerField()
    side = models.SmallIntegerField()  # records.Side; 0: neither
    reason = models.SmallIntegerField()  # hub.judging.Reason
    had = models.BigIntegerField()
    needed = models.BigIntegerField()
    price_ticks = models.BigIntegerField()
    refused = models.SmallIntegerField(null=True)  # records.Reason, where the core refused; 0: none
    is_paper = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index("account", "id", name="decision_of_account"),
            models.Index(
                "signal", "account", name="trigger_of_signal", condition=models.Q(reason=0)
            ),
        ]

    def __str__(self) -> str:
        return f"decision {self.pk}"


class Operation(models.Model):
    """A robot's buying and then selling of one symbol. Its id names its orders."""

    class Status(models.IntegerChoices):
        AWAITING_BUY = 1
        AWAITING_SELL = 2
        CLOSED = 3
        FAILED = 4  # nothing was bought

    id = models.CharField(max_length=32, primary_key=True)  # "<signal>-<account>"
    account = models.BigIntegerField()
    robot = models.CharField(max_length=64)
    symbol = models.CharField(max_length=12)
    instrument = models.IntegerField()
    status = models.SmallIntegerField(choices=Status)
    fence = models.BigIntegerField(default=0)  # of the lock under which it was begun
    available = models.BigIntegerField()  # cash units that it may spend
    spent = models.BigIntegerField(default=0)
    bought = models.BigIntegerField(default=0)  # coin units, fees taken off
    bought_lots = models.BigIntegerField(default=0)
    stop_ticks = models.BigIntegerField(default=0)
    sold_lots = models.BigIntegerField(default=0)
    proceeds = models.BigIntegerField(default=0)
    tries = models.IntegerField(default=0)  # orders of the present step, each with its own id
    is_selling = models.BooleanField(default=False)  # a signal said so, or its stop was passed
    sell_signal = models.BigIntegerField(default=0)
    note = models.CharField(
        max_length=64, default="", blank=True
    )  # how it ended, or what it waits for
    started_us = models.BigIntegerField()
    buy_us = models.BigIntegerField(default=0)
    closed_us = models.BigIntegerField(default=0)
    is_paper = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index("account", "started_us", name="operation_of_account"),
            models.Index(
                "account", "symbol", name="operation_open", condition=models.Q(status__lte=2)
            ),
        ]

    def __str__(self) -> str:
        return f"operation {self.id}"


class Hook(models.Model):
    """An address to which charts send alerts; its token is kept as a SHA-256 only."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="hooks")
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    symbol = models.CharField(max_length=12, default="", blank=True)  # of alerts that name none
    template = models.CharField(max_length=300, default="", blank=True)  # of a text's words
    addresses = models.TextField(default="", blank=True)  # networks, one a line; none = any
    checks_position = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint("member", "name", name="hook_name_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.member}"


class HookAlert(models.Model):
    """One alert as it came, and what became of it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        TAKEN = "taken"  # it is a signal
        DUPLICATE = "duplicate"
        REFUSED = "refused"

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="alerts")
    received_us = models.BigIntegerField()
    body = models.TextField()
    dedupe = models.CharField(max_length=64)  # digest of its key, or of all of it
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=300, default="", blank=True)
    signal = models.BigIntegerField(default=0)
    is_replay = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index("hook", "id", name="alert_of_hook"),
            models.Index("hook", "dedupe", name="alert_by_key"),
            models.Index("id", name="alert_waiting", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"alert {self.pk}: {self.state}"

"""Every write of the backtests that members ask for, and what their runner reads beside them.

Promises: the newest BACKTESTS_MAX of a member are kept. A row has its result or its fault once; the
files that were sent for it are kept until it is through for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.robots.backtest import signal_file
from fondaco.robots.backtest.signal_file import SIGNALS_MAX
from fondaco.robots.backtest.tape import Upload
from fondaco.robots.models import Backtest, Signal

__all__ = [
    "BACKTESTS_MAX",
    "FAULT_LETTERS_MAX",
    "REPEATABLE",
    "ask_backtest",
    "begin_backtest",
    "cancel_backtest",
    "forget_begun",
    "keep_backtest",
    "repeat_backtest",
    "state_of",
    "stored_signals",
]

BACKTESTS_MAX: Final = 20  # of a member
FAULT_LETTERS_MAX: Final = 500
REPEATABLE: Final = (Q(source="journal") | ~Q(file=b"")) & (
    ~Q(signals="file") | ~Q(signals_file=b"")
)


@transaction.atomic
def ask_backtest(
    member: Member,
    *,
    ticker: str,
    settings: Mapping[str, str],
    rule: str = "",
    config: Mapping[str, Any] | None = None,
    signals: str = "",
    ratings: str = "",
    interval: str = "",
    signals_file: Upload | None = None,
    source: str = "journal",
    file: Upload | None = None,
) -> Backtest:
    """Ask for a backtest of a rule, or of a signal robot's config with its signals."""
    row = Backtest.objects.create(
        member=member,
        rule=rule,
        config=dict(config or {}),
        signals=signals,
        ratings=ratings,
        interval=interval,
        signals_name=signals_file.name if signals_file is not None else "",
        signals_file=signals_file.content if signals_file is not None else b"",
        ticker=ticker,
        settings=dict(settings),
        source=source,
        file_name=file.name if file is not None else "",
        file=file.content if file is not None else b"",
    )
    kept = Backtest.objects.filter(member=member).order_by("-pk")
    old = kept.values_list("pk", flat=True)[BACKTESTS_MAX:]
    Backtest.objects.filter(pk__in=list(old)).delete()
    return row


def state_of(row: Backtest, *, is_done: bool) -> str:
    """Return how far a backtest is: waiting, running, done or failed."""
    if row.fault:
        return "failed"
    if is_done:
        return "done"
    return "running" if row.started_at is not None else "waiting"


def stored_signals(row: Backtest) -> tuple[signal_file.Signal, ...]:
    """Return what robots of the member heard of a coin, as it came in; the newest SIGNALS_MAX.

    A house judges signals in the order in which they came; their own times order nothing.
    """
    heard = Signal.objects.filter(symbol=row.ticker, member__in=(0, row.member_id))
    found = heard.order_by("-pk").values_list("received_us", "symbol", "strength")[:SIGNALS_MAX]
    return tuple(signal_file.Signal(*one) for one in reversed(found))


def begin_backtest(number: int) -> None:
    """Note that a worker has begun one."""
    Backtest.objects.filter(pk=number).update(started_at=timezone.now())


def forget_begun() -> None:
    """Have wait what a worker that is gone had begun."""
    begun = Backtest.objects.filter(started_at__isnull=False, result="", fault="")
    begun.update(started_at=None)


def keep_backtest(number: int, *, result: str = "", fault: str = "", is_final: bool = True) -> None:
    """Keep what came of a backtest that waits, and if that is final its files no longer."""
    waiting = Backtest.objects.filter(pk=number, result="", fault="")
    files = {"file": b"", "signals_file": b""} if is_final else {}
    waiting.update(result=result, fault=fault[:FAULT_LETTERS_MAX], **files)


def cancel_backtest(number: int) -> bool:
    """Give up a backtest that waits or runs; its process ends soon. False if it is through."""
    waiting = Backtest.objects.filter(pk=number, result="", fault="")
    return bool(waiting.update(fault="You canceled it."))


def repeat_backtest(number: int) -> bool:
    """Have one that failed run again, on the files that it had. False if it can't."""
    failed = Backtest.objects.exclude(fault="").filter(REPEATABLE, pk=number)
    return bool(failed.update(fault="", started_at=None))

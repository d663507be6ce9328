"""Money commands whose answers get lost, or that are never heard: each moves its money once."""

from __future__ import annotations

import random

import pytest
from django.utils import timezone

from fondaco.core import records
from fondaco.core.exchange import Exchange
from fondaco.identity import services as identity
from fondaco.identity.models import HOLDING_NAME, Account, Member, Role
from fondaco.link.answers import Answer, Overloaded, Unanswered
from fondaco.office.treasury import services
from fondaco.office.treasury.models import Approval, Deposit, MoneyCommand, Withdrawal

pytestmark = pytest.mark.django_db
USDT = 1
OPENING = 1_000_000


@pytest.fixture(autouse=True)
def one_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    """One asset of two decimals."""
    monkeypatch.setattr(services, "asset_codes", lambda: {USDT: ("USDT", 2)})


class Unreliable:
    """The real exchange behind a door that forgets commands and answers."""

    def __init__(self, seed: int) -> None:
        self.exchange = Exchange()
        self.chance = random.Random(seed)
        self.loses = False
        self.lost = 0
        asset = records.AssetBody(number=USDT, code="USDT", decimals=2)
        self.submit(records.pack_body(records.Command.DEFINE_ASSET, asset))

    def submit(self, record: bytes) -> bytes:
        dice = self.chance.random() if self.loses else 1.0
        if dice < 0.25:
            self.lost += 1
            raise Overloaded("not heard")
        run = bytearray(record)
        seq = self.exchange.seq + 1
        self.exchange.stamp(run, seq, seq * 1_000_000)
        events = bytes(self.exchange.apply(bytes(run)))
        if dice < 0.5:
            self.lost += 1
            raise Unanswered("the answer was lost")
        return events

    def query(self, record: bytes) -> Answer:
        return Answer(self.exchange.seq, bytes(self.exchange.query(record)))

    def free(self, account: int) -> int:
        answer = self.query(records.pack(records.Query.BALANCES, account=account))
        rows = [records.unpack(each) for each in records.split(bytes(answer.records))]
        return sum(row["free"] for row in rows)


def settle_all(core: Unreliable) -> None:
    """Let the chores go on until nothing is half done."""
    for _ in range(500):
        try:
            services.resume(core)
        except (Overloaded, Unanswered):
            continue
        halfway = Withdrawal.objects.filter(state__in=["asked", "settling", "cancelling"])
        if not halfway.exists() and not Deposit.objects.filter(state="moving").exists():
            return
    raise AssertionError("the chores never ended")


def people(core: Unreliable) -> tuple[Account, Member, Member, Member]:
    made = [
        identity.create_member(
            username=name, email=f"{name}@example.com", password="x", roles=roles
        )
        for name, roles in (
            ("bob", [Role.MEMBER]),
            ("ann", [Role.MEMBER, Role.ADMIN]),
            ("mia", [Role.MEMBER, Role.MODERATOR]),
        )
    ]
    account = identity.open_account(core, member=made[0], opening=[(USDT, OPENING)])
    identity.open_account(core, member=made[0], name=HOLDING_NAME, kind=records.AccountKind.SUB)
    return account, made[0], made[1], made[2]


def live(seed: int) -> Unreliable:
    """Deposit, withdraw, approve and cancel behind the unreliable door; check where money is."""
    core = Unreliable(seed)
    account, bob, ann, mia = people(core)
    core.loses = True
    for _ in range(40):
        waiting = list(Withdrawal.objects.filter(state="held").values_list("pk", flat=True))
        number = core.chance.choice(waiting) if waiting else 0
        amount = core.chance.randint(1, OPENING // 8)
        try:
            dice = core.chance.randrange(4)
            if dice == 0:
                services.ask_deposit(
                    core, account=account, asset=USDT, amount=amount, note="", by=ann
                )
            elif dice == 1 or not number:
                services.ask_withdrawal(
                    core, account=account, asset=USDT, amount=amount, destination="x", by=bob
                )
            elif dice == 2:
                Withdrawal.objects.filter(pk=number).update(due_at=timezone.now())
                services.approve_withdrawal(core, number=number, by=mia)
            else:
                services.cancel_withdrawal(core, number=number, by=bob)
        except (Overloaded, Unanswered, services.MoneyRefused):
            pass
    settle_all(core)
    holding = Account.objects.get(name=HOLDING_NAME)

    def total(state: str) -> int:
        return sum(row.amount for row in Withdrawal.objects.filter(state=state))

    came = sum(row.amount for row in Deposit.objects.filter(state="done"))
    assert core.free(holding.pk) == total("held")
    assert core.free(account.pk) == OPENING + came - total("settled") - total("held")
    return core


@pytest.mark.parametrize("seed", range(6))
def test_lost_commands_and_answers_move_money_once(seed: int) -> None:
    """After 40 wishes with half the messages lost, what is where is what the rows say."""
    core = live(seed)
    assert core.lost >= 20
    states = set(Withdrawal.objects.values_list("state", flat=True))
    assert {"settled", "cancelled"} <= states
    assert MoneyCommand.objects.filter(seq=0, reason=0).count() == 0
    assert Approval.objects.exists()


def test_the_counting_catches_a_command_that_is_not_keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: each try under a new entry moves the money twice, and the sums say so."""
    entries = iter(range(1_000_000, 2_000_000))
    honest = records.pack

    def planted(kind: int, **words: int) -> bytes:
        if "entry" in words:
            words["entry"] = next(entries)
        return honest(kind, **words)

    monkeypatch.setattr(records, "pack", planted)
    with pytest.raises(AssertionError):
        live(0)

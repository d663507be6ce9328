"""Everyone who may ask the office, what belongs to one of them, and every endpoint to ask at.

Promises: endpoints come from Django's own resolver; a path is made with the numbers of things that
are really there and belong to `member`, so that `other member` asks for what is another's. What an
ask changes is rolled back before the next. Not a running house: the core is a stand-in.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import re
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db import models, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from fondaco.core import records
from fondaco.core.records import Command, Event, Query, Scope
from fondaco.identity import services, tokens
from fondaco.identity.models import Account, Member
from fondaco.link.answers import Answer
from fondaco.office.notices.models import Delivery, Happening
from fondaco.office.notices.models import Endpoint as Webhook
from fondaco.office.proofs.models import Proof
from fondaco.office.treasury.models import Deposit, Withdrawal
from fondaco.office.treasury.services import ask_withdrawal
from fondaco.projections.models import Asset, Cursor, Instrument, Order
from fondaco.robots import services as robots
from fondaco.robots.bots.backtest_rows import ask_backtest
from fondaco.robots.bots.services import begin_run
from fondaco.robots.hub import services as hub
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.models import Robot, RobotKind
from fondaco.strategies import services as strategies
from tests.identity.stand_in import StandInCore

__all__ = ["COLUMNS", "Endpoint", "House", "answer_of", "endpoints"]

COLUMNS: Final = (
    *("stranger", "unpaid", "member", "other member", "moderator", "admin"),
    *("read token", "trade token", "read key", "trade key"),
)
PASSWORD: Final = "a password that nobody has"
PAGE_METHODS: Final = ("GET", "POST")
API_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
PASSKEY: Final = 77
RULE: Final = '{"$do": {"$notify": "here"}}'
ORDER: Final = 700
MONEY: Final = {Command.DEPOSIT, Command.WITHDRAW, Command.TRANSFER}
# What stands in a path: for a route that holds the first text, the second is the thing's number.
THINGS: Final = (
    ("withdrawals/", "withdrawal"),
    ("deposits/", "deposit"),
    ("webhooks/", "webhook"),
    ("hooks/", "hook"),
    ("signals/", "signal"),
    ("deliveries/", "delivery"),
    ("webauthn/keys/", "passkey"),
    ("keys/", "key"),
    ("tokens/", "token"),
    ("sessions/", "session"),
    ("proofs/", "proof"),
    ("brokerage-accounts/", "brokerage account"),
    ("dashboard/accounts/", "brokerage account"),
    ("strategies/", "strategy"),
    ("backtests/", "backtest"),
    ("members/", "member"),
    ("api/users/", "member"),
    ("customer/", "member"),
    ("orders/", "order"),
)
NUMBERS: Final = {"number", "seq", "pk", "object_id"}
WORDS: Final = {
    "code": "unknown",
    "robot": "rule-1",
    "text": "unfit",
    "session_id": "cs_unknown",
    "month": "2026-01",
    "year": "2026",
    "uidb36": "1",
    "key": "set-password",
    "content_type_id": "1",
    "app_label": "identity",
    "url": "nothing-here",
    "stock_id": "a-stock",
    "venue": "outside",
    "alert": "1",
    "client": "robot-1",
    "symbol": "BTCUSDT",
    "token": "unknown-" * 5,
    "name": "mark-1",
}


class Endpoint(NamedTuple):
    method: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}"


def routes() -> Iterator[str]:
    """Yield the pattern of every route, the admin's own included."""

    def walk(found: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
        for each in found:
            whole = before + str(each.pattern)
            if isinstance(each, URLPattern):
                yield re.sub(r"\(\?P<app_label>[a-z|_]*\)", "(?P<app_label>[a-z_]+)", whole)
            else:
                yield from walk(each.url_patterns, whole)

    yield from walk(get_resolver().url_patterns, "")


def endpoints() -> Iterator[Endpoint]:
    """Yield each route with each method that may be asked of it."""
    for pattern in routes():
        methods = API_METHODS if pattern.startswith("^api/") else PAGE_METHODS
        for method in methods:
            yield Endpoint(method, pattern)


class MoneyCore(StandInCore):
    """A core that knows no balances, lets money move, and takes and cancels every order."""

    def query(self, record: bytes) -> Answer:
        if int.from_bytes(record[:2], "little") == Query.DEFINITIONS:
            return super().query(record)
        return Answer(self.seq, b"")

    def status(self) -> dict[str, Any]:
        return {"time_us": time.time_ns() // 1000}

    def submit(self, record: bytes) -> bytes:
        if int.from_bytes(record[:2], "little") in {Command.UNLOCK_ROBOT, Command.KILL_ROBOT}:
            return records.pack(Event.ROBOT)
        if int.from_bytes(record[:2], "little") in MONEY:
            self.seq += 1
            return records.pack(Event.POSTING, account=0, seq=self.seq)
        if int.from_bytes(record[:2], "little") == Command.NEW_ORDER:
            return records.pack(Event.ORDER, account=0, order_id=ORDER)
        if int.from_bytes(record[:2], "little") == Command.CANCEL_ORDER:
            return records.pack(Event.CANCEL, account=0, order_id=ORDER)
        return super().submit(record)


class House:
    """People, the things of `member`, and a way for each of the COLUMNS to ask."""

    def __init__(self, core: MoneyCore) -> None:
        Asset.objects.create(number=1, code="USDT", decimals=8)
        Cursor.objects.get_or_create(
            pk=1, defaults={"seq": 10**6, "time_us": time.time_ns() // 1000}
        )
        dealer_market()
        self._core = core
        self.people = {
            "unpaid": person("unpaid"),
            "member": person("paid", paid=True),
            "other member": person("other", paid=True),
            "moderator": person("moderator", "moderator"),
            "admin": person("admin", "admin"),
        }
        accounts = {
            name: services.open_account(core, member=member) for name, member in self.people.items()
        }
        self.things = self._things(accounts["member"])
        self._cookies = {name: signed_in(member) for name, member in self.people.items()}
        member = self.people["member"]
        self._tokens = {
            f"{scope} token": tokens.make(member, scopes=[scope])[1] for scope in ("read", "trade")
        }
        self._keys = {
            f"{scope.name.lower()} key": services.grant_key(
                core, account=accounts["member"], scopes=scope
            )
            for scope in (Scope.READ, Scope.TRADE)
        }

    def _things(self, account: Account) -> dict[str, Any]:
        """Return the number of one of each thing, all of them `member`'s."""
        member = account.member
        sub = services.open_account(
            self._core, member=member, name="sub", kind=records.AccountKind.SUB
        )
        by: dict[str, Any] = {"asset": 1, "amount": 5, "by": member}
        withdrawal = ask_withdrawal(self._core, account=account, destination="bank", **by)
        assert withdrawal.state == Withdrawal.State.HELD
        deposit = Deposit.objects.create(account=account, asset=1, amount=5, asked_by=member)
        key, _ = services.grant_key(self._core, account=account, scopes=Scope.READ)
        token, _ = tokens.make(member, scopes=["read"])
        session = UserSession.objects.create(
            user=member, session_key=signed_in(member), ip="127.0.0.1", user_agent="", data={}
        )
        proof = Proof.objects.create(seq=7, made_at="2026-01-01", house="", root="", made_by=member)
        webhook = Webhook.objects.create(member=member, url="https://a.example", secret=b"")
        happening = Happening.objects.create(
            member=member, kind="withdrawal", reference="1", body="{}", created_at=timezone.now()
        )
        brokerage = strategies.add_account(member, "main")
        strategy, _ = strategies.add_strategy(brokerage, name="momentum")
        delivery = Delivery.objects.create(
            happening=happening, endpoint=webhook, state="delivered", next_at=timezone.now()
        )
        market_and_order(account)
        cash = records.AssetBody(number=1, code="USDT", decimals=8)
        robots.open_robot(self._core, member=member, cash=cash, id="robot-1", kind="signal")
        hook, _ = hub.add_hook(member, name="chart")
        hub.take_alert(hook, "buy")
        made = {"kind": RobotKind.RULE, "rule": RULE, "is_active": False}
        robot_account = Account.objects.create(number=9_000, member=member, kind=4, name="robot")
        backtest = ask_backtest(member, rule=RULE, ticker="BTC", settings={})
        begin_run(Robot.objects.create(id="rule-1", member=member, account=robot_account, **made))
        signal, _ = hub.take_signal(Incoming(symbol="BTC", strength=1, timestamp_us=1), source="a")
        return {
            "hook": hook.pk,
            "backtest": backtest.pk,
            "signal": signal.pk,
            "order": ORDER,
            "webhook": webhook.pk,
            "delivery": delivery.pk,
            "brokerage account": brokerage.pk,
            "strategy": strategy.pk,
            "account": account.pk,
            "sub": sub.pk,
            "withdrawal": withdrawal.pk,
            "deposit": deposit.pk,
            "key": key.pk,
            "token": token.pk,
            "session": session.pk,
            "proof": proof.pk,
            "passkey": PASSKEY,
            "member": member.pk,
            **rows_of_the_admin(),
        }

    def path(self, pattern: str) -> str:
        """Return a path that the pattern matches, naming what is there."""
        text = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: f"<{m[1]}>", pattern)
        text = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", text)
        thing = next((name for part, name in THINGS if part in pattern), "")
        if pattern.startswith("admin/"):
            thing = "/".join(pattern.split("/")[1:3])
        for name in re.findall(r"<(\w+)>", text):
            value = str(self.things.get(thing, 999)) if name in NUMBERS else WORDS[name]
            text = text.replace(f"<{name}>", value)
        for mark, plain in (("^", ""), ("\\Z", ""), ("/?", ""), ("\\.", "."), ("$", "")):
            text = text.replace(mark, plain)
        return f"/{text}"

    def ask(
        self,
        who: str,
        endpoint: Endpoint,
        fields: dict[str, Any] | None = None,
        **headers: str,
    ) -> Any:
        """Return the answer to one of the COLUMNS; what it changed is undone."""
        path = self.path(endpoint.pattern)
        is_api = path.startswith("/api/")
        kind = "application/json" if is_api else "application/x-www-form-urlencoded"
        body = b""
        if fields and endpoint.method != "GET":
            body = (json.dumps(fields) if is_api else urlencode(fields, doseq=True)).encode()
        client = Client(raise_request_exception=False)
        client.defaults.update(HTTP_HOST="localhost", **headers)
        query = ""
        if who in self._cookies:
            client.cookies["sessionid"] = self._cookies[who]
        elif who in self._tokens:
            client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self._tokens[who]}"
        elif who in self._keys:
            row, secret = self._keys[who]
            client.defaults["HTTP_X_MBX_APIKEY"] = row.key
            query = f"timestamp={time.time_ns() // 1_000_000}"
            proof = hmac.digest(secret.encode(), query.encode() + body, "sha256").hex()
            query = f"{query}&signature={proof}"
        with transaction.atomic(), transaction.atomic(using="projections"):
            if "webauthn/keys/" in path:  # only here: it would be a second factor of `member`
                self._add_passkey()
            answer = client.generic(endpoint.method, path, body, kind, QUERY_STRING=query)
            transaction.set_rollback(True)
            transaction.set_rollback(True, using="projections")
        return answer

    def _add_passkey(self) -> None:
        Authenticator.objects.create(
            pk=PASSKEY,
            user=self.people["member"],
            type=Authenticator.Type.WEBAUTHN,
            data={"name": "a key", "credential": {}},
        )


def dealer_market() -> None:
    """Make a stock that a stream prices, and a book."""
    Asset.objects.create(number=9, code="STOCK", decimals=0)
    sizes = {"tick_size": "0.01", "lot_size": "1", "base_per_lot": 1, "quote_per_lot_tick": 10**6}
    names = {"symbol": "STOCKUSDT", "name": "A stock", "stock_id": "a-stock"}
    Instrument.objects.create(number=9, base=9, quote=1, market=2, status=1, **sizes, **names)
    Instrument.objects.create(  # a book, which is rated
        number=8, symbol="BTCUSDT", base=9, quote=1, market=1, status=1, **sizes
    )


def market_and_order(account: Account) -> None:
    """Make an agency market, and an order on it."""
    Asset.objects.create(number=2, code="ABAN", decimals=8)
    sizes = {
        "tick_size": "0.01",
        "lot_size": "1",
        "base_per_lot": 10**8,
        "quote_per_lot_tick": 10**6,
    }
    Instrument.objects.create(
        number=1, symbol="ABANUSD", base=2, quote=1, market=3, status=1, venue="outside", **sizes
    )
    given = {"account": account.pk, "instrument": 1, "status": 1, "side": 1, "order_type": 9}
    fields = {field.name: 0 for field in Order._meta.concrete_fields}
    Order.objects.create(**{**fields, **given, "id": ORDER, "quantity_lots": 1})


def rows_of_the_admin() -> dict[str, int | str]:
    """Make a row of each model that the admin shows; return "app/model" -> its primary key."""
    found: dict[str, int | str] = {}
    for model in admin.site._registry:
        label = f"{model._meta.app_label}/{model._meta.model_name}"
        row = model._default_manager.first()
        if row is None:
            row = model._default_manager.create(**filled(model))
        found[label] = row.pk
    return found


def filled(model: type[models.Model]) -> dict[str, Any]:
    """Return a value for each field that must have one."""
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.null or field.has_default() or isinstance(field, models.AutoField):
            continue
        if isinstance(field, models.ForeignKey):
            values[field.name] = field.related_model._default_manager.first()
        elif isinstance(field, models.DateTimeField):
            values[field.name] = timezone.now()
        else:
            values[field.name] = (
                "1" if isinstance(field, models.CharField | models.TextField) else 1
            )
    return values


def person(name: str, *roles: str, paid: bool = False) -> Member:
    return services.create_member(
        username=name,
        email=f"{name}@example.com",
        password=PASSWORD,
        roles=("member", *roles),
        membership_until=dt.date(2099, 12, 31) if paid else None,
    )


def signed_in(member: Member) -> str:
    """Return the cookie of a session that has given the password again just now."""
    client = Client()
    client.force_login(member)
    session = client.session
    session.update(
        {
            "account_authentication_methods_user": str(member.pk),
            "account_authentication_methods": [
                {"method": "password", "at": time.time(), "reauthenticated": True}
            ],
        }
    )
    session.save()
    return client.cookies["sessionid"].value


def answer_of(answer: Any) -> str:
    """Say an answer in the words of the table."""
    status = int(answer.status_code)
    place = answer.headers.get("Location", "")
    if status == 302:
        if place.startswith(("/login?next=", "/admin/login/")):
            return "login"
        if place.startswith("/memberships/checkout"):
            return "pay"
        if place.startswith("/account/reauthenticate/"):
            return "again"
    faulty = status >= 500 and status != 503  # 503: let in, but this core knows no balances
    return str(status) if faulty or status in {401, 403, 404, 405} else "in"

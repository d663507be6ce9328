"""Who changed which field of which row, by django-auditlog: every row of identity and the office.

Promises: a change through a model is told in its own transaction with the old and the new value,
who asked, and from where (the connection's own address: forwarded headers are not believed); what
SECRET names is told as changed, never shown. A row changed by the house itself has no actor.

It is not the security log: these entries are not chained, and what is counted in the database
(invite uses, the state of a withdrawal that is due) passes them by; identity.security_log tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.apps import apps
from django.db.models import BinaryField, Model
from django.db.models.signals import pre_save
from django.http import HttpRequest, HttpResponse

from fondaco.identity.models import Member
from fondaco.office.callers import address_of

__all__ = ["NOT_TOLD", "SECRET", "AuditActor", "hide", "start"]

APPS: Final = (
    *("identity", "office", "billing", "treasury", "proofs", "notices", "robots", "strategies"),
)
SECRET: Final = frozenset(
    {"password", "secret", "digest", "key", "code", "token", "token_digest", "url"}
)
UNTOLD_FIELDS: Final = {"identity.member": ["last_login"]}  # the security log tells of sign-ins
NOT_TOLD: Final = {
    "identity.securityentry": "is a log itself, and chained",
    "identity.securityhead": "is the end of that log",
    "billing.paymentevent": "is written once, by the provider",
    "billing.sandboxsession": "is the pretended provider's",
    "billing.sandboxdelivery": "is the pretended provider's",
    "notices.happening": "tells what another row has told",
    "notices.delivery": "changes at every attempt, by the house alone",
    "notices.position": "is how far the house has read",
    "notices.device": "is told by the security log",
    "robots.lease": "is who works now",
    "robots.backtest": "is a question and its answer",
    "robots.robotrun": "is what a rule, or a robot on paper, remembers, written by its worker",
    "robots.ruleorder": "is how an order stands, as the core told",
    "robots.ruledecision": "is a log itself",
    "robots.rulecheckpoint": "is what a worker saw",
    "robots.feedstate": "is what a consumer counts",
    "robots.setasidemessage": "is a message as it came",
    "robots.housemark": "is made once, by the house",
    "robots.signal": "is a message as it came",
    "robots.rating": "is made of candles",
    "robots.hubcursor": "is how far the hub has judged",
    "robots.decision": "is made of a signal, for every client",
    "robots.operation": "is a robot's, step by step",
    "robots.hookalert": "is a message as it came",
    "strategies.arrival": "is messages as they came",
    "strategies.report": "is a message as it came",
    "strategies.period": "is made of the reports",
    "strategies.standing": "is the newest of the reports",
}
HIDDEN: Final = "(hidden)"

_asked: ContextVar[HttpRequest | None] = ContextVar("asked", default=None)


def start() -> None:
    """Follow every model of the house's apps but those of NOT_TOLD."""
    for model in (each for label in APPS for each in models_of(label)):
        name = model._meta.label_lower  # noqa: SLF001 - Django's documented door
        if name in NOT_TOLD or auditlog.contains(model):
            continue
        fields = [each for each in model._meta.get_fields() if each.concrete]  # noqa: SLF001
        auditlog.register(
            model,
            exclude_fields=[
                *UNTOLD_FIELDS.get(name, []),
                *(each.name for each in fields if isinstance(each, BinaryField)),
            ],
            mask_fields=[each.name for each in fields if each.name in SECRET],
            mask_callable=f"{__name__}.{hide.__name__}",
        )
    pre_save.connect(name_actor, sender=LogEntry, dispatch_uid="fondaco.office.audit")


def models_of(label: str) -> list[type[Model]]:
    """Return the models of an app that this house may have or not."""
    if label not in apps.app_configs:
        return []
    return list(apps.get_app_config(label).get_models())


def hide(_value: object) -> str:
    """Stand for a secret: nothing of it is kept, not even how long it is."""
    return HIDDEN


def name_actor(instance: LogEntry, **_words: Any) -> None:  # noqa: ANN401 - Django's
    """Say who asked for the change, as far as a request did."""
    request = _asked.get()
    if request is None:
        return
    instance.remote_addr = address_of(request) or None
    if isinstance(request.user, Member):
        instance.actor, instance.actor_email = request.user, request.user.email


class AuditActor:
    """Keeps the request at hand while it is answered; who asks may be known late (a token)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        before = _asked.set(request)
        try:
            return self._get_response(request)
        finally:
            _asked.reset(before)

"""Who changed which field of which row: django-auditlog over identity and the office."""

from __future__ import annotations

import json

import pytest
from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.apps import apps
from django.test import Client

from fondaco.identity import services, tokens
from fondaco.identity.models import ApiKey, Member
from fondaco.office.audit import APPS, HIDDEN, NOT_TOLD
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PASSWORD = "a password that nobody has"
CANARY = "canary-secret-that-no-log-may-show-0123456789"


def person(name: str, *roles: str) -> Member:
    address = f"{name}@example.com"
    given = ["member", *roles]
    return services.create_member(username=name, email=address, password=PASSWORD, roles=given)


def written() -> str:
    """Return all that the entries say, as one text."""
    rows = LogEntry.objects.values_list("object_repr", "changes", "serialized_data", "changes_text")
    return "\n".join(json.dumps(row) for row in rows)


def make_secrets(core: StandInCore) -> list[str]:
    """Make one of each secret that a row may hold; return their texts."""
    ann = person("ann")
    account = services.open_account(core, member=ann)
    services.grant_key(core, account=account, key=CANARY, secret=CANARY[::-1], scopes=1)
    _, text = tokens.make(ann, scopes=["read"])
    ann.refresh_from_db()
    return [CANARY, CANARY[::-1], text, ann.password, ann.invite.code]


def test_a_change_names_who_where_and_both_values() -> None:
    """Forbidden to sign in by the admin's form: the field, old and new, the admin, the address."""
    root, bob = person("root", "admin"), person("bob")
    client = Client()
    client.force_login(root)
    client.post(
        f"/admin/identity/member/{bob.pk}/change/",
        {"roles": ["member"]},
        headers={"X-Forwarded-For": "203.0.113.9"},  # believed by nobody
    )
    entry = LogEntry.objects.get_for_object(bob).latest("timestamp")
    assert entry.changes_dict == {"is_active": ["True", "False"]}
    assert (entry.actor, entry.remote_addr) == (root, "127.0.0.1")
    shown = client.get(f"/admin/auditlog/logentry/{entry.pk}/change/").content.decode()
    assert "is_active: True → False" in shown


def test_a_change_by_a_token_names_its_member(
    core: StandInCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks is known only inside the view, and is named all the same."""
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    ann = person("ann")
    _, text = tokens.make(ann, scopes=["read", "trade"])
    answer = Client().post(
        "/api/v1/accounts",
        {"name": "savings"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {text}"},
    )
    assert answer.status_code == 201, answer.content
    entry = LogEntry.objects.filter(object_repr__contains="savings").earliest("timestamp")
    assert entry.actor == ann


def test_what_the_house_does_itself_has_no_actor() -> None:
    """Nor does what one request did colour what comes after it."""
    Client().get("/")
    entry = LogEntry.objects.get_for_object(person("ann")).latest("timestamp")
    assert (entry.actor, entry.remote_addr) == (None, None)


def test_no_secret_is_written_down(core: StandInCore) -> None:
    """Passwords, keys, tokens and invite codes are told as changed, and never shown."""
    secrets = make_secrets(core)
    text = written()
    assert [each for each in secrets if each in text] == []
    assert HIDDEN in text


def test_a_mask_that_is_forgotten_is_caught(core: StandInCore) -> None:
    """The planted bug: API keys registered without their mask."""
    before = auditlog.get_model_fields(ApiKey)
    auditlog.unregister(ApiKey)
    auditlog.register(ApiKey, exclude_fields=["secret"])
    try:
        secrets = make_secrets(core)
        text = written()
        assert [each for each in secrets if each in text] == [CANARY]
    finally:
        auditlog.unregister(ApiKey)
        auditlog.register(
            ApiKey,
            exclude_fields=before["exclude_fields"],
            mask_fields=before["mask_fields"],
            mask_callable=before["mask_callable"],
        )


def test_every_model_is_followed_or_says_why_not() -> None:
    """A new model is followed without a word; an exception names a model that there is."""
    models = [each for label in APPS for each in apps.get_app_config(label).get_models()]
    ours = {each.label for each in apps.get_app_configs() if each.name.startswith("fondaco.")}
    assert ours - {"projections"} == set(APPS)  # history is rebuilt from events
    names = {each._meta.label_lower for each in models}
    assert set(NOT_TOLD) <= names
    untold = {each._meta.label_lower for each in models if not auditlog.contains(each)}
    assert untold == set(NOT_TOLD)


def test_the_entries_are_for_admins_to_read() -> None:
    """A moderator may not see them; nobody adds, changes or deletes one."""
    admin, moderator = Client(), Client()
    admin.force_login(person("root", "admin"))
    moderator.force_login(person("mod", "moderator"))
    assert moderator.get("/admin/auditlog/logentry/").status_code == 403
    assert admin.get("/admin/auditlog/logentry/").status_code == 200
    assert admin.get("/admin/auditlog/logentry/add/").status_code == 403
    number = LogEntry.objects.latest("timestamp").pk
    assert admin.post(f"/admin/auditlog/logentry/{number}/delete/").status_code == 403

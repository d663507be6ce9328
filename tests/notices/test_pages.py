"""The page and the routes of notices: choices, webhooks, deliveries, each member's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from fondaco.identity import security_log, services, tokens
from fondaco.identity.models import Member
from fondaco.office.notices import services as notices
from fondaco.office.notices.kinds import CHOOSABLE, Kind
from fondaco.office.notices.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PAGE = "/profile/notices"
API = "/api/v1/notices"
URL = "https://hooks.example/fondaco"


def person(name: str) -> tuple[Member, Client]:
    member = services.create_member(username=name, email=f"{name}@example.com", password="")
    client = Client()
    client.force_login(member)
    return member, client


def delivered(client: Client) -> tuple[Endpoint, Delivery]:
    """Add a webhook by the page, send it a test, and return both rows."""
    client.post(PAGE, {"add": "webhook", "url": URL})
    endpoint = Endpoint.objects.latest("pk")
    client.post(PAGE, {"test": endpoint.pk})
    row = Delivery.objects.latest("pk")
    Delivery.objects.filter(pk=row.pk).update(state=Delivery.State.DELIVERED, last_status=200)
    return endpoint, row


def test_choices_are_saved_as_ticked() -> None:
    """What is ticked is chosen, what isn't is not; kinds with the house's own mail say so."""
    _, ann = person("ann")
    before = ann.get(PAGE).context["choices"]
    assert {wish.kind for wish in before} == set(CHOOSABLE)
    ann.post(PAGE, {"save": "choices", "mail": ["invite.used"], "webhook": ["order.filled"]})
    after = {wish.kind: wish for wish in ann.get(PAGE).context["choices"]}
    assert [kind for kind, wish in after.items() if wish.by_mail] == [Kind.INVITE_USED]
    assert [kind for kind, wish in after.items() if wish.by_webhook] == [Kind.ORDER_FILLED]
    assert after[Kind.MEMBERSHIP_ENDING].always_mailed


def test_a_secret_is_shown_once_and_sealed() -> None:
    """On the answer to its making; not on the page after, and not readable in the database."""
    member, ann = person("ann")
    made = ann.post(PAGE, {"add": "webhook", "url": URL})
    secret = made.content.decode().split("data-secret>")[1].split("<")[0]
    row = Endpoint.objects.get()
    assert notices.secret_of(row) == secret
    assert secret.startswith("fws_")
    assert secret.encode() not in bytes(row.secret)
    assert secret not in ann.get(PAGE).content.decode()
    assert secret not in ann.get(f"{API}/webhooks/").content.decode()
    assert [entry.action for entry in security_log.of_member(member, 1)] == ["webhook added"]


@pytest.mark.parametrize(
    "url", ["http://hooks.example/", "https://127.0.0.1/", "https://10.1.1.1/", "x", ""]
)
def test_an_unfit_address_is_refused_with_a_sentence(url: str) -> None:
    """400 on the page, 409 or a field error by the API; nothing is added."""
    _, ann = person("ann")
    assert ann.post(PAGE, {"add": "webhook", "url": url}).status_code == 400
    answer = ann.post(f"{API}/webhooks/", {"url": url}, content_type="application/json")
    assert answer.status_code == (409 if url else 400)
    assert set(answer.json()) == ({"error"} if url else {"url"})
    assert not Endpoint.objects.exists()


def test_a_member_has_at_most_five_webhooks_and_none_twice() -> None:
    """The sixth and a double are refused; a removed one makes room."""
    member, ann = person("ann")
    for number in range(notices.ENDPOINTS_MAX):
        notices.add_endpoint(member, f"{URL}/{number}")
    assert ann.post(PAGE, {"add": "webhook", "url": URL}).status_code == 400
    ann.post(PAGE, {"remove": Endpoint.objects.earliest("pk").pk})
    assert ann.post(PAGE, {"add": "webhook", "url": f"{URL}/1"}).status_code == 400
    assert ann.post(PAGE, {"add": "webhook", "url": URL}).status_code == 200


def test_test_and_replay_by_their_buttons() -> None:
    """A test waits to be sent; a delivered one goes back to waiting by Replay."""
    _, ann = person("ann")
    _, row = delivered(ann)
    page = ann.get(PAGE).content.decode()
    assert "delivered" in page
    assert f'name="replay" value="{row.pk}"' in page
    assert ann.post(PAGE, {"replay": row.pk}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.happening.kind) == ("waiting", "test")
    assert ann.post(PAGE, {"replay": row.pk}).status_code == 400


def test_tests_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many an hour, then a sentence."""
    monkeypatch.setattr(notices, "TESTS_1H_MAX", 1)
    _, ann = person("ann")
    endpoint, _ = delivered(ann)
    assert ann.post(PAGE, {"test": endpoint.pk}).status_code == 400
    assert ann.post(f"{API}/webhooks/{endpoint.pk}/test/").status_code == 409


def test_what_is_anothers_is_404() -> None:
    """By the page and by the API, for webhooks and deliveries; and it isn't listed."""
    _, ann = person("ann")
    _, bob = person("bob")
    endpoint, row = delivered(ann)
    for form in ({"remove": endpoint.pk}, {"test": endpoint.pk}, {"replay": row.pk}):
        assert bob.post(PAGE, form).status_code == 404
    assert bob.delete(f"{API}/webhooks/{endpoint.pk}/").status_code == 404
    assert bob.post(f"{API}/webhooks/{endpoint.pk}/test/").status_code == 404
    assert bob.post(f"{API}/deliveries/{row.pk}/replay/").status_code == 404
    assert bob.get(f"{API}/deliveries/").json() == {"deliveries": []}
    assert bob.get(f"{API}/webhooks/").json() == {"webhooks": []}
    assert URL not in bob.get(PAGE).content.decode()


def test_the_api_does_what_the_page_does() -> None:
    """Choices, a webhook with its secret once, a test, its delivery, a replay, the removal."""
    _, ann = person("ann")
    put = {"choices": [{"kind": "order.filled", "mail": False, "webhook": True}]}
    changed = ann.put(f"{API}/choices/", json.dumps(put), content_type="application/json")
    assert {
        "kind": "order.filled",
        "title": "An order is filled",
        "mail": False,
        "webhook": True,
    } in (changed.json()["choices"])
    made = ann.post(f"{API}/webhooks/", {"url": URL}, content_type="application/json")
    assert (made.status_code, made.json()["secret"][:4]) == (201, "fws_")
    number = made.json()["id"]
    tested = ann.post(f"{API}/webhooks/{number}/test/")
    assert (tested.status_code, tested.json()["state"]) == (202, "waiting")
    Delivery.objects.update(state=Delivery.State.GIVEN_UP)
    replayed = ann.post(f"{API}/deliveries/{tested.json()['id']}/replay/")
    assert (replayed.status_code, replayed.json()["delivery"]) == (202, tested.json()["delivery"])
    assert ann.delete(f"{API}/webhooks/{number}/").status_code == 204
    assert ann.get(f"{API}/webhooks/").json() == {"webhooks": []}


@pytest.mark.parametrize(
    "choices",
    [
        [],
        "x",
        [{"kind": "test", "mail": True, "webhook": True}],
        [{"kind": "order.filled", "mail": "perhaps", "webhook": True}],
        [{"kind": "order.filled"}],
        [{"kind": "order.filled", "mail": True, "webhook": True}] * (len(CHOOSABLE) + 1),
    ],
)
def test_unfit_choices_change_nothing(choices: Any) -> None:
    """400 with the field."""
    _, ann = person("ann")
    before = ann.get(f"{API}/choices/").json()
    answer = ann.put(
        f"{API}/choices/", json.dumps({"choices": choices}), content_type="application/json"
    )
    assert (answer.status_code, set(answer.json())) == (400, {"choices"})
    assert ann.get(f"{API}/choices/").json() == before


def test_a_token_needs_its_scope() -> None:
    """It reads with `read`, changes with `trade`."""
    member, _ = person("ann")
    _, reading = tokens.make(member, scopes=["read"])
    _, trading = tokens.make(member, scopes=["trade"])
    body = {"url": URL}

    def ask(text: str, method: str) -> int:
        client = Client(headers={"Authorization": f"Bearer {text}"})
        if method == "GET":
            return int(client.get(f"{API}/webhooks/").status_code)
        return int(
            client.post(f"{API}/webhooks/", body, content_type="application/json").status_code
        )

    assert [ask(reading, "GET"), ask(reading, "POST")] == [200, 403]
    assert [ask(trading, "GET"), ask(trading, "POST")] == [403, 201]

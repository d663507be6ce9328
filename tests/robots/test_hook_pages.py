"""The hooks' pages: an address shown once, alerts with what became of them, another's are 404."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import pytest
from django.contrib.admin.utils import quote
from django.test import Client

from fondaco.identity import services as identity
from fondaco.identity.models import Account, Member, SecurityEntry
from fondaco.robots.hub import services
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.reasons import tell
from fondaco.robots.models import Decision, Hook, HookAlert, Operation, Robot, Signal

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
ADDRESS: Final = re.compile(r"data-address>[^<]*(/api/v1/hooks/in/([^/<]+)/)<")


@pytest.fixture
def ann() -> Member:
    return identity.create_member(username="ann", email="ann@example.com", password="")


@pytest.fixture
def browser(ann: Member) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def text_of(client: Client, path: str, status: int = 200, **fields: Any) -> str:
    answer = client.post(path, fields, follow=True) if fields else client.get(path)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def made(browser: Client, **fields: Any) -> tuple[Hook, str, str]:
    """Make a hook on its page; return it, the path of its address and its token."""
    page = text_of(browser, "/hooks/", name="chart", **fields)
    found = ADDRESS.search(page)
    assert found, page
    return Hook.objects.latest("pk"), found[1], found[2]


def test_an_address_is_on_the_page_that_made_it_and_nowhere_after(browser: Client) -> None:
    """A digest is kept; another address ends the one before; an ended hook takes nothing."""
    hook, address, token = made(browser)
    assert token not in f"{hook.digest} {[row.details for row in SecurityEntry.objects.all()]}"
    for path in ("/hooks/", f"/hooks/{hook.pk}/"):
        assert token not in text_of(browser, path)
    assert Client().post(address, "buy", content_type="text/plain").status_code == 202
    asked = text_of(browser, f"/hooks/{hook.pk}/?sure=rotate")
    assert 'name="do" value="rotate"' in asked
    assert 'name="do" value="rotate"' not in text_of(browser, f"/hooks/{hook.pk}/")
    assert 'name="do" value="remove"' in text_of(browser, f"/hooks/{hook.pk}/?sure=remove")
    page = text_of(browser, f"/hooks/{hook.pk}/", do="rotate")
    found = ADDRESS.search(page)
    assert found
    assert found[2] != token
    sent = [
        Client().post(path, "buy", content_type="text/plain").status_code
        for path in (address, found[1])
    ]
    assert sent == [404, 202]
    page = text_of(browser, f"/hooks/{hook.pk}/", do="remove")
    assert "its address is unknown from now on" in page
    assert Client().post(found[1], "buy", content_type="text/plain").status_code == 404
    text_of(browser, f"/hooks/{hook.pk}/", 404)
    said = [row.action for row in SecurityEntry.objects.order_by("number")]
    assert said[1:] == ["hook added", "hook address renewed", "hook removed"]


def test_an_address_is_shown_after_a_redirect_and_once(browser: Client) -> None:
    """Neither the POST's answer nor a URL has it; its cookie is this hook's alone."""
    other, _, _ = made(browser)
    before = other.digest
    for path, fields in (("/hooks/", {"name": "two"}), ("/hooks/{}", {"do": "rotate"})):
        answer = browser.post(path.format(other.pk + 1), fields)
        hook = Hook.objects.get(name="two")
        assert answer.status_code == 302
        cookie = answer.cookies["shown_once"]
        assert (cookie["path"], cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (
            *("/hooks", True, "Strict", 60),
        )
        token = cookie.value.partition(":")[0]
        assert hashlib.sha256(token.encode()).hexdigest() == hook.digest
        assert token not in f"{answer['Location']} {answer.content.decode()}"
        assert "data-address" not in text_of(browser, f"/hooks/{other.pk}")
        assert token in text_of(browser, answer["Location"])
        assert "data-address" not in text_of(browser, answer["Location"])
    other.refresh_from_db()
    assert other.digest == before


def test_the_api_renews_an_address_as_the_page_does(browser: Client, ann: Member) -> None:
    """201 with the new address; the one before is unknown."""
    hook, address, token = made(browser)
    from fondaco.identity import tokens

    _, text = tokens.make(ann, scopes=("read", "trade"))
    owner = Client(headers={"Authorization": f"Bearer {text}"})
    renewed = owner.post(f"/api/v1/hooks/{hook.pk}/rotate/")
    assert (renewed.status_code, renewed.json()["id"]) == (201, hook.pk)
    assert token not in renewed.json()["url"]
    assert Client().post(address, "buy", content_type="text/plain").status_code == 404


def test_what_became_of_each_alert_is_told_with_each_robot_s_reason(
    browser: Client, ann: Member
) -> None:
    """Taken: what each robot decided; duplicate and refused: why; a waiting one says so."""
    hook, address, _ = made(browser, symbol="BTC")
    for number, name in ((100, "poor"), (101, "idle")):
        account = Account.objects.create(number=number, member=ann, kind=4, name=f"robot {name}")
        Robot.objects.create(id=name, member=ann, account=account, kind="signal")
    for body in ('{"action": "buy", "key": "1"}', '{"action": "buy", "key": "1"}', "<b>up</b>"):
        Client().post(address, body, content_type="text/plain")
    assert text_of(browser, f"/hooks/{hook.pk}/").count("not read yet") == 3
    services.settle_alerts("USD")
    (signal,) = {row.signal for row in HookAlert.objects.all() if row.signal}
    for number, reason, had in ((100, Reason.CASH_TOO_LOW, 3), (101, Reason.INACTIVE, 0)):
        Decision.objects.create(
            signal=signal,
            account=number,
            time_us=1,
            side=1,
            reason=reason.value,
            had=had,
            needed=20,
            price_ticks=0,
        )
    page = text_of(browser, f"/hooks/{hook.pk}/")
    assert "<strong>poor</strong> did not buy: cash 3.00, minimum 20.00" in page
    assert "<strong>idle</strong> did not buy: it is switched off" in page
    first, _, unread = HookAlert.objects.order_by("pk")
    assert f"the same as alert {first.pk}" in page
    assert f">alert {first.pk}<" in page
    assert re.findall(r'name="replay" value="(\d+)"', page) == [str(unread.pk)]
    assert "&lt;b&gt;up&lt;/b&gt;" in page
    page = text_of(browser, f"/hooks/{hook.pk}/", replay=str(first.pk))
    assert f"Alert {first.pk} is read once more." in page
    text_of(browser, f"/hooks/{hook.pk}/", do="take", body="sell BTC")
    services.settle_alerts("USD")
    newest = [(row.state, row.is_replay) for row in HookAlert.objects.order_by("-pk")[:2]]
    assert newest == [("taken", True), ("duplicate", True)]
    offered = re.findall(r'name="replay" value="(\d+)"', text_of(browser, f"/hooks/{hook.pk}/"))
    assert offered == [str(unread.pk + 2), str(unread.pk)]


def test_what_a_form_says_wrongly_is_told_at_its_field_and_changes_nothing(
    browser: Client,
) -> None:
    """400 with the text; the hook reads as before."""
    hook, _, _ = made(browser)
    path = f"/hooks/{hook.pk}/"
    for fields, said in (
        ({"do": "change", "template": "{what}"}, "{what} is unknown"),
        ({"do": "change", "template": "{summary}", "addresses": "here"}, "here"),
        ({"do": "change", "symbol": "b t"}, "1 to 12 capitals or digits"),
        ({"do": "take", "body": ""}, "This field is required"),
    ):
        assert said in text_of(browser, path, 400, **fields)
    assert "you had a hook chart" in text_of(browser, "/hooks/", 400, name="chart").lower()
    hook.refresh_from_db()
    assert (hook.template, hook.addresses, hook.symbol) == ("", "", "")
    text_of(browser, path, do="change", template="{summary} {symbol}", symbol="ETH")
    hook.refresh_from_db()
    assert (hook.template, hook.symbol) == ("{summary} {symbol}", "ETH")
    text_of(browser, path, 404, replay="99")


def test_another_member_s_hook_is_unknown(browser: Client) -> None:
    """Neither seen nor changed by bob."""
    hook, address, _ = made(browser)
    bob = identity.create_member(username="bob", email="bob@example.com", password="")
    other = Client()
    other.force_login(bob)
    text_of(other, f"/hooks/{hook.pk}/", 404)
    text_of(other, f"/hooks/{hook.pk}/", 404, do="remove")
    assert "data-hooks" not in text_of(other, "/hooks/")
    assert Client().post(address, "buy", content_type="text/plain").status_code == 202


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words_with_its_numbers(reason: Reason) -> None:
    """No reason is without a sentence, on either side, and none shows needless zeros."""
    numbers = {
        **dict.fromkeys(("cash", "minimum", "coin", "loss", "limit", "sold", "cap"), "10.500"),
        **dict.fromkeys(("stop", "proceeds"), "10.500"),
        "weight": 1,
        "level": 2,
        "until": "2026-05-01T00:00:00Z",
        "age_s": 9,
        "age_s_max": 5,
    }
    for side in ("BUY", "SELL"):
        text = tell(reason, side, "BTC", numbers)
        assert text
        assert "{" not in text
        assert "10.500" not in text


def test_staff_see_in_the_admin_what_came_and_why_nothing_happened(
    browser: Client, ann: Member, settings: Any
) -> None:
    """Signals, decisions with their robot and reason, operations, hooks without their digest."""
    hook, address, token = made(browser, symbol="BTC")
    account = Account.objects.create(number=100, member=ann, kind=4, name="robot tide")
    Robot.objects.create(id="tide", member=ann, account=account, kind="signal")
    Client().post(address, "sell", content_type="text/plain")
    services.settle_alerts("USD")
    (signal,) = Signal.objects.all()
    numbers = {"had": 3, "needed": 20, "price_ticks": 0, "time_us": 1}
    decision = Decision.objects.create(
        signal=signal.pk, account=100, side=2, reason=Reason.COIN_TOO_LOW.value, **numbers
    )
    words = {"robot": "tide", "symbol": "BTC", "instrument": 1, "note": "STOP_LOSS"}
    Operation.objects.create(id="1-100", account=100, status=3, available=0, started_us=1, **words)
    settings.STAFF_MFA = False
    staff = Client(headers={"host": "127.0.0.1"})
    mo: dict[str, Any] = {"username": "mo", "email": "mo@example.com", "password": ""}
    staff.force_login(identity.create_member(**mo, roles=("member", "moderator")))
    alert = HookAlert.objects.get()
    for model, row, shown in (
        ("signal", signal.pk, ("SELL", f"hook {hook.pk}", f"member {ann.pk}")),
        ("decision", decision.pk, ("tide", "COIN_TOO_LOW", "SELL")),
        ("operation", "1-100", ("tide", "STOP_LOSS", "Closed")),
        ("hook", hook.pk, ("chart", "ann")),
        ("hookalert", alert.pk, ("chart of ann", "taken")),
    ):
        page = text_of(staff, f"/admin/robots/{model}/")
        assert [each for each in shown if each not in page] == []
        one = text_of(staff, f"/admin/robots/{model}/{quote(row)}/change/")
        assert not any(secret in page + one for secret in (token, hook.digest, alert.dedupe))
        assert 'name="_save"' not in one
        text_of(staff, f"/admin/robots/{model}/add/", 403)

"""Signing in: throttled, by a second factor, required of staff, and told in the log."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core import mail
from django.core.cache import cache
from django.test import Client

from fondaco.identity import addresses, security_log, selectors, services, signing_in
from fondaco.identity.models import Member, SecurityEntry
from tests.identity.stand_in import StandInCore

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PASSWORD = "a password that nobody has"


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch, core: StandInCore) -> None:
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    cache.clear()


def person(name: str = "ann", *roles: str) -> Member:
    return services.create_member(
        username=name,
        email=f"{name}@example.com",
        password=PASSWORD,
        roles=("member", *roles),
    )


def sign_in(client: Client, name: str = "ann", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/login", {"username": name, "password": password, **more})


def totp(secret: str, steps: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def confirm_access(client: Client) -> None:
    """Give the password again, as the pages of second factors ask."""
    asked = client.get("/account/mfa/totp/activate/")
    assert asked["Location"].startswith("/account/reauthenticate/")
    assert client.get(asked["Location"]).status_code == 200
    assert client.post(asked["Location"], {"password": "wrong"}).status_code == 200
    assert client.post(asked["Location"], {"password": PASSWORD}).status_code == 302


def set_up_totp(client: Client) -> str:
    """Turn an authenticator app on, after the password again; return its secret."""
    confirm_access(client)
    page = client.get("/account/mfa/totp/activate/")
    assert page.status_code == 200, page.headers
    found = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page.content.decode())
    assert found
    done = client.post("/account/mfa/totp/activate/", {"code": totp(found[1])})
    assert done.status_code == 302, done.content
    return found[1]


def actions(member: Member) -> list[str]:
    return [entry.action for entry in reversed(security_log.of_member(member, 100))]


def test_a_name_is_closed_after_five_wrong_passwords(client: Client, settings: Any) -> None:
    """429 with Retry-After at every door, for the right password too; other names go on."""
    settings.ACCOUNT_RATE_LIMITS = {}
    person()
    person("bob")
    for _ in range(5):
        assert sign_in(client, password="wrong").status_code == 200
    refused = sign_in(client)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    late = {"username": "ANN", "password": PASSWORD}
    assert client.post("/login/", late).status_code == 429
    other_door = client.post("/admin/login/", late)
    assert other_door.status_code != 200
    assert "_auth_user_id" not in client.session
    assert sign_in(Client(), "bob").status_code == 302


def test_an_address_is_slowed_down(client: Client, settings: Any) -> None:
    """Thirty posts of /login a minute, whatever the names."""
    settings.ACCOUNT_RATE_LIMITS = {"login": "3/m/ip", "login_failed": "100/m/ip"}
    for place in range(3):
        assert sign_in(client, f"nobody{place}").status_code == 200
    assert sign_in(client, "nobody").status_code == 429
    assert client.get("/login").status_code == 200


def test_signing_in_rotates_the_session_and_is_told(client: Client) -> None:
    """A session id from before is worth nothing after; success and failure are in the log."""
    member = person()
    client.get("/login")
    session = client.session
    session["before"] = "1"
    session.save()
    old = session.session_key
    assert sign_in(client, password="wrong").status_code == 200
    assert sign_in(client).status_code == 302
    assert client.session.session_key != old
    key = client.session.session_key
    assert key is not None
    assert selectors.session_member(key) is not None
    assert actions(member)[-2:] == ["sign-in failed", "signed in"]
    assert selectors.accounts_of(member.pk)


def test_signing_out_is_told(client: Client) -> None:
    """The log has it, once; a stranger's sign-out is nobody's."""
    member = person()
    sign_in(client)
    assert client.post("/logout").status_code == 302
    assert actions(member)[-2:] == ["signed in", "signed out"]
    client.post("/logout")
    assert actions(member).count("signed out") == 1


def test_whoever_may_not_sign_in_does_not(client: Client) -> None:
    """An excluded member gets the one sentence."""
    services.allow_sign_in(person(), allowed=False)
    answer = sign_in(client)
    assert answer.status_code == 200
    assert b"do not go together" in answer.content


@pytest.mark.django_db(transaction=True, databases=["default", "projections"])
def test_an_authenticator_app_is_asked_for_at_the_next_sign_in(client: Client) -> None:
    """The password alone opens no session; the code does, and leads to where one was going."""
    member = person()
    sign_in(client)
    secret = set_up_totp(client)
    assert "second factor added" in actions(member)
    assert [message.to for message in mail.outbox] == [["ann@example.com"]]
    other = Client()
    first = sign_in(other, next="/profile/")
    assert (first.status_code, first["Location"]) == (302, "/account/mfa/authenticate/")
    assert other.get("/profile/").status_code == 302
    assert selectors.session_member(other.session.session_key or "") is None
    assert b"code" in other.get("/account/mfa/authenticate/").content
    wrong = other.post("/account/mfa/authenticate/", {"code": "000000"})
    assert wrong.status_code == 200
    second = other.post("/account/mfa/authenticate/", {"code": totp(secret)})
    assert (second.status_code, second["Location"]) == (302, "/profile/"), second.content
    assert other.get("/profile/").status_code == 200
    assert selectors.session_member(other.session.session_key or "") is not None


@pytest.mark.django_db(transaction=True, databases=["default", "projections"])
def test_a_code_is_good_for_three_half_minutes_and_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last code and the next, each once at all edges; none older than one that was spent."""
    now = time.time() // 30 * 30 + 29.5
    monkeypatch.setattr(time, "time", lambda: now)
    person()
    sign_in(client)
    secret = set_up_totp(client)

    def tried(steps: int) -> int:
        cache.clear()  # another edge's memory knows nothing of this one's
        other = Client()
        sign_in(other)
        status: int = other.post(
            "/account/mfa/authenticate/", {"code": totp(secret, steps)}
        ).status_code
        return status

    assert [tried(steps) for steps in (-2, 2)] == [200, 200]
    assert [tried(steps) for steps in (-1, -1, 0, -1, 0, 1, 0, 1)] == [
        *(302, 200, 302, 200, 200, 302, 200, 200)
    ]
    now += 60
    assert [tried(steps) for steps in (-1, 0)] == [200, 302]


def test_a_spent_code_confirms_nothing(client: Client) -> None:
    """Where access is to be confirmed a code of the sign-in is wrong, the next one right."""
    person()
    sign_in(client)
    secret = set_up_totp(client)
    other = Client()
    sign_in(other)
    assert other.post("/account/mfa/authenticate/", {"code": totp(secret)}).status_code == 302
    for steps, expected in ((0, 200), (1, 302)):
        cache.clear()
        code = {"code": totp(secret, steps)}
        assert other.post("/account/mfa/reauthenticate/", code).status_code == expected


def test_a_spent_code_is_counted_as_a_wrong_one(client: Client, settings: Any) -> None:
    """It gives no further guesses: after five in all the right one is refused."""
    settings.ACCOUNT_RATE_LIMITS = {}
    settings.MFA_RATE_LIMITS = {}
    person()
    sign_in(client)
    secret = set_up_totp(client)
    other = Client()
    sign_in(other)
    spent = totp(secret)
    assert other.post("/account/mfa/authenticate/", {"code": spent}).status_code == 302
    cache.clear()
    guesser = Client()
    sign_in(guesser)
    for code in ("000000", "111111", spent, "222222", "333333", totp(secret, 1)):
        answer = guesser.post("/account/mfa/authenticate/", {"code": code})
        assert answer.status_code == 200
    cache.clear()
    right = {"code": totp(secret, 1)}
    assert guesser.post("/account/mfa/authenticate/", right).status_code == 302


def test_of_two_who_use_one_code_at_once_one_gets_in(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found it right and unspent, at edges that know nothing of each other."""
    monkeypatch.setattr(TOTP, "_mark_code_used", lambda *_: True)
    monkeypatch.setattr(signing_in, "_refuse_spent", lambda _: None)
    person()
    sign_in(client)
    code = {"code": totp(set_up_totp(client))}
    for expected in (302, 200):
        visitor = Client()
        sign_in(visitor)
        answer = visitor.post("/account/mfa/authenticate/", code)
        assert answer.status_code == expected


def test_the_secret_of_an_authenticator_app_is_sealed(client: Client) -> None:
    """The database holds nothing that makes codes."""
    person()
    sign_in(client)
    secret = set_up_totp(client)
    for row in Authenticator.objects.all():
        assert secret not in str(row.data)


def test_recovery_codes_work_once_each(client: Client) -> None:
    """A code in place of the app; the same one again is refused."""
    person()
    sign_in(client)
    set_up_totp(client)
    shown = client.get("/account/mfa/recovery-codes/").content.decode()
    codes = re.findall(
        r"^\s*(\d{8})\s*$", shown.replace("<", "\n<").replace(">", ">\n"), re.MULTILINE
    )
    assert len(codes) == 10, shown
    for expected in (302, 200):
        other = Client()
        sign_in(other)
        answer = other.post("/account/mfa/authenticate/", {"code": codes[0]})
        assert answer.status_code == expected


def test_staff_reach_nothing_before_a_second_factor(client: Client, settings: Any) -> None:
    """A moderator or admin is led to where one is set up; programs get 403; then all is open."""
    settings.STAFF_MFA = True
    admin = person("root", "admin")
    sign_in(client, "root")
    for path in ("/profile/", "/admin/", "/trade/", "/admin/identity/member/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, "/account/mfa/")
    refused = client.post(f"/api/v1/members/{admin.pk}/roles/", {}, "application/json")
    assert refused.status_code == 403
    page = client.get("/account/mfa/")
    assert page.status_code == 200
    assert b"Staff need a second factor" in page.content
    set_up_totp(client)
    assert client.get("/admin/").status_code == 200
    assert client.get("/profile/").status_code == 200
    person("bob")
    plain = Client()
    sign_in(plain, "bob")
    assert plain.get("/profile/").status_code == 200


def test_the_admin_has_no_sign_in_of_its_own(client: Client) -> None:
    """Its form would not ask for the second factor."""
    answer = client.post("/admin/login/", {"username": "root", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/login?next=/admin/")


def test_the_password_is_changed_with_the_old_one(client: Client) -> None:
    """A wrong old password changes nothing; the change is told and ends other sessions."""
    member = person()
    sign_in(client)
    other = Client()
    sign_in(other)
    new = "another password of ann"
    form = {"oldpassword": "wrong", "password1": new, "password2": new}
    assert client.post("/account/password/change/", form).status_code == 200
    done = client.post("/account/password/change/", {**form, "oldpassword": PASSWORD})
    assert done.status_code == 302
    assert "password changed" in actions(member)
    assert sign_in(Client()).status_code == 200
    assert sign_in(Client(), password=new).status_code == 302
    assert other.get("/profile/").status_code == 302


def test_an_address_is_confirmed_by_its_link(client: Client) -> None:
    """The mail of a join carries it; it works once for good, not changed, not for others."""
    host = person("host")
    form = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
    assert client.post(f"/invite/{host.invite.code}", form).status_code == 302
    (message,) = mail.outbox
    assert message.to == ["ann@example.com"]
    found = re.search(r"http://127\.0\.0\.1:8000(/profile/confirm/\S+)", str(message.body))
    assert found
    path = found[1]
    assert b"not confirmed yet" in client.get("/profile/").content
    assert client.get(path[:-1] + ("A" if path[-1] != "A" else "B")).status_code == 410
    assert client.get(path)["Location"] == "/profile"
    assert b">confirmed<" in client.get("/profile/").content
    assert Client().get(path)["Location"] == "/login"
    member = Member.objects.get(username="ann")
    assert actions(member).count("e-mail address confirmed") == 1
    text = addresses.link_text(member)
    Member.objects.filter(pk=member.pk).update(email="new@example.com")
    assert client.get(f"/profile/confirm/{text}").status_code == 410


def test_another_confirming_mail_can_be_asked_for(client: Client) -> None:
    """Until the address is confirmed."""
    member = person()
    sign_in(client)
    assert client.post("/profile/").status_code == 302
    assert len(mail.outbox) == 1
    addresses.confirm(addresses.link_text(member))
    client.post("/profile/")
    assert len(mail.outbox) == 1


def test_sessions_are_listed_and_ended_one_by_one_or_all(client: Client) -> None:
    """The ended one is out at once; another member's number does nothing."""
    member = person()
    sign_in(client)
    second, third, foreign = Client(), Client(), Client()
    sign_in(second)
    sign_in(third)
    person("bob")
    sign_in(foreign, "bob")
    page = client.get("/profile/sessions").content.decode()
    numbers = re.findall(r'name="session" value="(\d+)"', page)
    assert len(numbers) == 2
    assert page.count("This one") == 1
    foreign.post("/profile/sessions", {"session": numbers[0]})
    assert second.get("/profile/").status_code == 200
    client.post("/profile/sessions", {"session": "others"})
    assert second.get("/profile/").status_code == 302
    assert third.get("/profile/").status_code == 302
    assert client.get("/profile/").status_code == 200
    assert foreign.get("/profile/").status_code == 200
    assert "session ended" in actions(member)


def test_a_member_sees_their_own_log_and_no_other(client: Client) -> None:
    """What concerns them, newest first."""
    ann, bob = person(), person("bob")
    security_log.note(security_log.Action.FROZEN, actor=None, subject=bob, address="192.0.2.66")
    sign_in(client)
    page = client.get("/profile/log").content.decode()
    assert "signed in" in page
    assert "192.0.2.66" not in page
    assert SecurityEntry.objects.filter(subject=ann).exists()
    security_log.verify()


@pytest.mark.parametrize(
    "path",
    [
        "/profile/",
        "/profile/invites",
        "/profile/sessions",
        "/profile/log",
        "/account/mfa/",
        "/account/mfa/totp/activate/",
        "/account/mfa/webauthn/",
        "/account/mfa/webauthn/add/",
        "/account/password/change/",
    ],
)
def test_the_pages_of_a_member_keep_the_strict_headers(client: Client, path: str) -> None:
    """No inline script or style, and no stranger: they are sent to sign in."""
    away = client.get(path)
    assert away.status_code == 302
    assert away["Location"].startswith("/login")
    person()
    sign_in(client)
    confirm_access(client)
    shown = client.get(path)
    assert shown.status_code == 200
    assert "unsafe" not in shown["Content-Security-Policy"]
    text = shown.content.decode()
    assert not re.search(r"<script>|<script [^>]*(?<!application/)javascript|style=|onclick=", text)

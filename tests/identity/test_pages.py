"""The first pages: sign-in, the terminal behind it, the headers of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from fondaco.identity import services
from fondaco.office import environment
from fondaco.office import selectors as office

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PASSWORD = "a password that nobody has"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A terminal as the web build leaves it."""
    path = tmp_path / "index.html"
    path.write_text("<!doctype html><title>Terminal</title>")
    monkeypatch.setattr(office, "TERMINAL", path)
    return path


def test_the_terminal_asks_for_a_sign_in_and_comes_back(client: Client, page: Path) -> None:
    """A stranger is sent to /login and, once signed in, to the page with a CSRF cookie."""
    services.create_member(username="ann", email="ann@example.com", password=PASSWORD)
    asked = client.get("/trade/")
    assert (asked.status_code, asked["Location"]) == (302, "/login?next=/trade/")
    form = {"username": "ann", "password": PASSWORD, "next": "/trade/"}
    done = client.post("/login", form)
    assert (done.status_code, done["Location"]) == (302, "/trade/")
    shown = client.get("/trade/")
    assert shown.status_code == 200
    assert shown.content == page.read_bytes()
    assert shown.cookies["csrftoken"]["samesite"] == "Lax"
    assert not shown.cookies["csrftoken"]["httponly"]
    assert "no-store" in shown["Cache-Control"]


def test_the_terminal_has_the_houses_name(page: Path, settings: Any) -> None:
    """In the title and for its own script, whatever letters the name has."""
    names = '<meta name="application-name" content="Fondaco" /><title>Fondaco</title>'
    page.write_text(names)
    settings.HOUSE_NAME = 'Bar & "Sons" <Ltd>'
    told = "Bar &amp; &quot;Sons&quot; &lt;Ltd&gt;"
    assert office.terminal_page() == names.replace("Fondaco", told).encode()
    built = Path(office.__file__).parent / "static" / "terminal" / "index.html"
    assert names.replace(" /><", " />\n    <") in built.read_text()


def test_a_terminal_that_was_not_built_says_so(client: Client, page: Path) -> None:
    """503 with what to do, not a traceback."""
    member = services.create_member(username="ann", email="a@example.com", password=PASSWORD)
    client.force_login(member)
    page.unlink()
    answer = client.get("/trade/")
    assert answer.status_code == 503
    assert b"make web" in answer.content


def test_a_wrong_password_gives_one_sentence_for_every_cause(client: Client) -> None:
    """Unknown name and wrong password can't be told apart."""
    services.create_member(username="ann", email="ann@example.com", password=PASSWORD)
    said = [
        client.post("/login", {"username": name, "password": "wrong"}).content
        for name in ("ann", "nobody")
    ]
    assert all(b"That name and password do not go together." in content for content in said)


def test_sign_out_needs_a_post_with_a_token(page: Path) -> None:
    """GET only asks; a POST without the CSRF token is refused."""
    client = Client(enforce_csrf_checks=True)
    member = services.create_member(username="ann", email="a@example.com", password=PASSWORD)
    client.force_login(member)
    assert client.get("/logout").status_code == 200
    assert client.post("/logout").status_code == 403
    assert client.get("/trade/").status_code == 200
    token = client.cookies["csrftoken"].value
    assert client.post("/logout", {"csrfmiddlewaretoken": token}).status_code == 302
    assert client.get("/trade/").status_code == 302


def test_a_sign_in_leads_to_no_other_site(client: Client) -> None:
    """A next that leaves the house is dropped."""
    services.create_member(username="ann", email="ann@example.com", password=PASSWORD)
    form = {"username": "ann", "password": PASSWORD, "next": "https://example.net/"}
    assert client.post("/login", form)["Location"] == "/trade/"


@pytest.mark.parametrize("path", ["/", "/login", "/logout", "/static/house.css"])
def test_every_page_carries_the_strict_headers(client: Client, path: str) -> None:
    """Nothing inline runs, nothing frames us, nothing is sniffed."""
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in answer.getvalue().decode()
    assert " style=" not in answer.getvalue().decode()


def test_the_admin_is_for_staff(client: Client) -> None:
    """A member is sent away, an admin sees the lists and can't add or change money's rows."""
    member = services.create_member(username="ann", email="a@example.com", password=PASSWORD)
    client.force_login(member)
    assert client.get("/admin/").status_code == 302
    admin = services.create_admin(username="root", email="r@example.com", password=PASSWORD)
    client.force_login(admin)
    assert client.get("/admin/").status_code == 200
    for path in ("identity/member", "identity/account", "projections/order", "projections/posting"):
        shown = client.get(f"/admin/{path}/")
        assert shown.status_code == 200
        assert "unsafe" not in shown["Content-Security-Policy"]
        text = shown.content.decode()
        assert [
            word for word in ("<script>", "<style", " style=", " onclick=") if word in text
        ] == []
        assert client.get(f"/admin/{path}/add/").status_code == 403


@pytest.mark.parametrize(
    "url, loopback",
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:8000", True),
        ("http://127.8.8.8", True),
        ("https://house.example", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback_is_told_from_the_rest(url: str, loopback: bool) -> None:
    """Plain cookies depend on it."""
    assert environment.is_loopback(url) is loopback


@pytest.mark.parametrize("value, said", [("", "is not set"), ("short", "has 5 bytes")])
def test_a_missing_or_short_secret_key_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    """There is no default."""
    monkeypatch.setenv("FONDACO_SECRET_KEY", value)
    with pytest.raises(ImproperlyConfigured, match=said):
        environment.secret_key()


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql://host", "nonsense"])
def test_a_database_url_of_another_kind_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, tmp_path: Path
) -> None:
    """One sentence says the form."""
    monkeypatch.setenv("FONDACO_DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="postgresql://user"):
        environment.databases(tmp_path)


def test_settings_outside_loopback_pass_the_deploy_check() -> None:
    """With an https address cookies are __Host- and Django's own check finds nothing."""
    import os
    import subprocess
    import sys

    environ: dict[str, Any] = {
        **os.environ,
        "FONDACO_BASE_URL": "https://house.example",
        "FONDACO_SECRET_KEY": "".join(chr(33 + place) for place in range(90)),
    }
    code = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        "from django.core.management import call_command\n"
        "assert settings.SESSION_COOKIE_NAME == '__Host-sessionid'\n"
        "assert settings.CSRF_COOKIE_NAME == '__Host-csrftoken'\n"
        "call_command('check', deploy=True, fail_level='WARNING')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr

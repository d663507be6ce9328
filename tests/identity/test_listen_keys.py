"""The terms of listen keys, in SQL."""

from __future__ import annotations

import time

import pytest

from fondaco.identity import listen_keys
from fondaco.identity.models import ListenKeyTerm

pytestmark = pytest.mark.django_db


def test_terms_are_what_was_last_said_and_an_end_is_final() -> None:
    """A key never touched has none; lengthened it has the new end; ended it stays ended."""
    listen_keys.lengthen("kept", 100)
    listen_keys.lengthen("kept", 200)
    listen_keys.end("ended")
    listen_keys.lengthen("ended", 300)
    assert listen_keys.terms(["kept", "ended", "untouched"]) == {"kept": 200, "ended": 0}
    assert not ListenKeyTerm.objects.filter(digest__contains="kept").exists()


def test_many_keys_are_asked_for_in_pieces() -> None:
    """More keys than one question holds are all answered."""
    texts = [f"key{number}" for number in range(listen_keys.ASKED_AT_ONCE + 1)]
    for text in (texts[0], texts[-1]):
        listen_keys.lengthen(text, 7)
    assert listen_keys.terms(texts) == {texts[0]: 7, texts[-1]: 7}


def test_rows_of_keys_that_are_gone_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hours after its last change a key has expired by its own text; its row goes."""
    now = time.time()
    listen_keys.end("old")
    monkeypatch.setattr(time, "time", lambda: now + listen_keys.KEPT_S - 60)
    listen_keys.end("new")
    assert listen_keys.terms(["old", "new"]) == {"old": 0, "new": 0}
    monkeypatch.setattr(time, "time", lambda: now + listen_keys.KEPT_S + 60)
    listen_keys.end("newest")
    assert listen_keys.terms(["old", "new"]) == {"new": 0}

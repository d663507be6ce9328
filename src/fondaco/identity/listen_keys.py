"""Until when a listen key lives, where that is no longer the hour that began with its making.

Promises: all edges of a house, and those that are started later, read the same; what was ended
stays ended. A row holds no key, only its digest, and goes once the key's own text has expired.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from fondaco.identity.models import ListenKeyTerm

__all__ = ["end", "lengthen", "terms"]

ENDED: Final = 0
KEPT_S: Final = 2 * 3600  # past its end: by then the key is older than any may be
ASKED_AT_ONCE: Final = 500


def terms(texts: Iterable[str]) -> dict[str, int]:
    """Return the Unix second until which each of these keys lives, 0 = ended; unchanged: absent."""
    by_digest = {_digest(text): text for text in texts}
    found: dict[str, int] = {}
    digests = list(by_digest)
    for start in range(0, len(digests), ASKED_AT_ONCE):
        rows = ListenKeyTerm.objects.filter(pk__in=digests[start : start + ASKED_AT_ONCE])
        found |= {by_digest[digest]: until for digest, until in rows.values_list("pk", "until_s")}
    return found


def lengthen(text: str, until_s: int) -> None:
    """Have a key live until then, unless it was ended."""
    _set(text, until_s)


def end(text: str) -> None:
    """End a key for ever."""
    _set(text, ENDED)


@transaction.atomic
def _set(text: str, until_s: int) -> None:
    now_s = int(time.time())
    row, made = ListenKeyTerm.objects.get_or_create(
        digest=_digest(text), defaults={"until_s": until_s, "changed_s": now_s}
    )
    if not made:
        live = ListenKeyTerm.objects.filter(pk=row.pk).exclude(until_s=ENDED)
        live.update(until_s=until_s, changed_s=now_s)
    ListenKeyTerm.objects.filter(changed_s__lt=now_s - KEPT_S).delete()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Where a request comes from, and whether its sender shows again that it is them.

Promises: the address of the connection itself; forwarded headers are not believed. Wrong passwords
and codes are counted by the member, together with those of the page that asks for them: after
five in a row (ACCOUNT_RATE_LIMITS) nothing is right for RETRY_S, on whichever page or route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from allauth.core import ratelimit
from django.http import HttpRequest

from fondaco.identity.models import Member

__all__ = ["RETRY_S", "TooManyTries", "address_of", "is_proven"]

COUNTED: Final = "reauthenticate"  # the name of the count in django-allauth
RETRY_S: Final = 300


class TooManyTries(Exception):
    """Too many wrong passwords or codes of one member; a right one doesn't count now either."""

    def __init__(self) -> None:
        super().__init__(f"too many wrong passwords or codes; try again in {RETRY_S // 60} minutes")


def address_of(request: HttpRequest) -> str:
    """Return the address of whoever asks, as text."""
    return str(request.META.get("REMOTE_ADDR", ""))


def is_proven(request: HttpRequest, member: Member, is_right: Callable[[], bool]) -> bool:
    """Return whether a password or code is right; raises TooManyTries without having looked."""
    if not ratelimit.consume(request, action=COUNTED, user=member):
        raise TooManyTries
    if not is_right():
        return False
    ratelimit.clear(request, action=COUNTED, user=member)
    return True

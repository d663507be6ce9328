"""Where a request comes from.

Promises: the address of the connection itself; forwarded headers are not believed.
"""

from __future__ import annotations

from django.http import HttpRequest

__all__ = ["address_of"]


def address_of(request: HttpRequest) -> str:
    """Return the address of whoever asks, as text."""
    return str(request.META.get("REMOTE_ADDR", ""))

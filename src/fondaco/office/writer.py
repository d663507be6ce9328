"""The office's door to the core: one connection to the writer for all its threads.

Promises: made at the first use and again after a loss; commands of several pages take turns. What
can go wrong is named in link.answers. It keeps nothing and asks nothing by itself.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from fondaco.link.address import writer_socket
from fondaco.link.blocking import BlockingClient

__all__ = ["core"]


@lru_cache(maxsize=1)
def core() -> BlockingClient:
    """Return the client of this process."""
    return BlockingClient(writer_socket(settings.DATA), role="office")

"""What a token or key must be able to do, by method: the views of members build on it."""

from __future__ import annotations

from rest_framework.views import APIView

__all__ = ["ScopedView"]


class ScopedView(APIView):
    """A token or key reads with the scope `reads` and changes something with `writes`."""

    reads = "read"
    writes = "withdraw"

    @property
    def scope(self) -> str:
        return self.reads if self.request.method in {"GET", "HEAD", "OPTIONS"} else self.writes

"""The gate in front of the members' pages.

Promises: every path under /dashboard leads a member without a membership to the checkout; no
other path is touched, so trading, cancelling and withdrawing never stop for a lapsed one.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from fondaco.identity.models import Member
from fondaco.identity.selectors import passes_gate

__all__ = ["MembershipGate"]

GATED = "/dashboard"
CHECKOUT = "/memberships/checkout"


class MembershipGate:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path == GATED or path.startswith(f"{GATED}/"):
            member = request.user
            if isinstance(member, Member) and not passes_gate(member):
                return HttpResponseRedirect(CHECKOUT)
        return self._get_response(request)

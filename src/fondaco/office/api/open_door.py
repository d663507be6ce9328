"""The door of the S3 and S4 routes, and of signals: open on this machine alone, or the usual one.

Promises: in a house with `open_api` who asks on loopback needs no credentials and sees all; what
names another host, comes through a proxy (Forwarded, X-Forwarded-*) or from another site's page is
a stranger there as in a closed house. Otherwise the rules are those of every route under /api: a
stranger gets 401, a member their own and 404 for another's, staff see all. A person may send the
forms of these routes from their page; the page runs under the house's one policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from fondaco.core.records import AccountKind
from fondaco.house.checks import is_loopback
from fondaco.identity.models import Account, ApiKey, Member
from fondaco.identity.permissions import Permission, may
from fondaco.office.api.bodies import PlainJSON
from fondaco.office.api.callers import Allowed, holds_staff_scope
from fondaco.office.api.scoped import ScopedView

__all__ = ["OpenDoor", "OpenView", "is_free", "sees_all"]

NUMBER_MAX: Final = (1 << 63) - 1  # what a database can look for


def is_free(request: Request) -> bool:
    """Return whether this request needs no credentials."""
    return bool(settings.OPEN_API) and _is_from_here(request.META)


def _is_from_here(meta: Mapping[str, Any]) -> bool:
    if not is_loopback(_host_in(f"//{meta.get('HTTP_HOST', '')}")):
        return False
    if any(name == "HTTP_FORWARDED" or name.startswith("HTTP_X_FORWARDED_") for name in meta):
        return False
    origin = meta.get("HTTP_ORIGIN")  # a browser's, when a page of somebody's sends this
    return origin is None or is_loopback(_host_in(origin))


def _host_in(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # such as http://[
        return ""


def sees_all(request: Request) -> bool:
    """Return whether the asker may see and do what is everybody's: an open door, or staff."""
    if is_free(request):
        return True
    member = request.user
    if not isinstance(member, Member) or not may(member, Permission.SEE_MEMBERS):
        return False
    return request.auth is None or holds_staff_scope(request)


class OpenDoor(BasePermission):
    """Who comes in: everybody where the door is open, or whom the view allows."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_free(request) or Allowed().has_permission(request, view)


class FormPage(BrowsableAPIRenderer):
    """The page of a route, with its form; office/templates/rest_framework/api.html dresses it."""

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - DRF's own
        return {**super().get_context(*args, **kwargs), "code_style": ""}  # it would be inline


class OpenView(ScopedView):
    """A route behind the open door. `form` is what its page asks a person for.

    Staff see what is a member's, and change it only where the view says `staff_writes`.
    """

    permission_classes = (OpenDoor,)
    parser_classes = (PlainJSON, FormParser, MultiPartParser)
    renderer_classes = (JSONRenderer, FormPage)
    writes = "trade"
    form: type[Serializer] | None = None
    staff_writes = False

    def get_serializer(self, *args: Any, **kwargs: Any) -> Serializer:  # noqa: ANN401 - DRF's own
        """Return the form, as the page's renderer asks for it."""
        assert self.form is not None, f"{type(self).__name__} has no form"
        return self.form(*args, **kwargs)

    def is_trusted(self) -> bool:
        """Return whether the asker may do this for any member: by an open door, or as staff."""
        reads = str(self.request.method) in {"GET", "HEAD", "OPTIONS"}
        return sees_all(self.request) if reads or self.staff_writes else is_free(self.request)

    def theirs(self, number: int, what: str) -> Account:
        """Return the spot account of a member that the asker may act for.

        Raises Http404 for another's and for none; `what` is what the caller calls a member.
        """
        spot = Account.objects.filter(kind=AccountKind.SPOT.value, opened_at__isnull=False)
        spot = spot.filter(member__left_at__isnull=True)
        spot = spot.select_related("member").order_by("number")
        account = spot.filter(member_id=min(number, NUMBER_MAX)).first()
        request: Request = self.request
        mine = account is not None and (self.is_trusted() or account.member == request.user)
        if mine and isinstance(request.auth, ApiKey):
            mine = account is not None and request.auth.account_id == account.pk
        if account is None or not mine:
            raise Http404(f"No {what} matches the given query.")
        return account

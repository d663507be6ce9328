"""The pages of proofs: anyone sees the roots, a member gets their own branch, staff publish."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from fondaco.identity.permissions import Permission, may
from fondaco.identity.selectors import member_of
from fondaco.link.answers import LinkError
from fondaco.office import writer
from fondaco.office.proofs import selectors, services

__all__ = ["branch", "proofs", "publish"]

PERMISSION = Permission.MOVE_MONEY
PAGE = "/proofs/"


@require_safe
@never_cache
def proofs(request: HttpRequest) -> HttpResponse:
    shown = {"proofs": selectors.published(), "may_publish": may(request.user, PERMISSION)}
    return render(request, "office/proofs/list.html", shown)


@require_POST
@login_required
def publish(request: HttpRequest) -> HttpResponse:
    member = member_of(request.user)
    if not may(member, PERMISSION):
        raise PermissionDenied
    try:
        proof = services.publish(writer.core(), by=member)
    except services.ProofRefused as refusal:
        messages.error(request, f"Nothing was published: {refusal}.")
    except LinkError:
        messages.error(request, "The house didn't answer. Nothing was published.")
    else:
        messages.success(request, f"Published at position {proof.seq} of the journal.")
    return HttpResponseRedirect(PAGE)


@require_safe
@never_cache
@login_required
def branch(request: HttpRequest, seq: str) -> HttpResponse:
    found = selectors.branch(member_of(request.user), int(seq))
    if found is None:
        raise Http404
    response = HttpResponse(found, content_type="application/json")
    name = f"balance-{seq}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response

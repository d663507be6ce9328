"""Joining by an invite, and the pages that a member has about themselves.

Promises: views only translate. An invite that is unknown is 404, one that is used up 410, on GET
and on POST, and neither shows a form.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from fondaco.identity import invites
from fondaco.identity.models import Member
from fondaco.identity.selectors import joined_by, member_of
from fondaco.identity.services import IdentityConflict
from fondaco.office.callers import address_of
from fondaco.office.members import services
from fondaco.office.members.forms import JoinForm

__all__ = ["invitation", "own_invite"]

PASSWORD_BACKEND = "fondaco.identity.backends.NameOrEmailBackend"  # noqa: S105 - a path


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, code: str) -> HttpResponse:
    """Show the form of an invite; a POST joins the house."""
    try:
        invite = invites.open_invite(code)
        form = JoinForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            member = _join(request, code, form)
            if member is not None:
                services.open_first_account(member)
                login(request, member, backend=PASSWORD_BACKEND)
                return redirect(settings.LOGIN_REDIRECT_URL)
    except invites.InviteUnknown:
        return render(request, "office/members/invite_unknown.html", status=404)
    except invites.InviteUsedUp:
        return render(request, "office/members/invite_used_up.html", status=410)
    status = 400 if form.is_bound else 200
    return render(
        request, "office/members/join.html", {"form": form, "host": invite.member}, status=status
    )


def _join(request: HttpRequest, code: str, form: JoinForm) -> Member | None:
    try:
        return invites.join(code=code, address=address_of(request), **form.cleaned_data)
    except IdentityConflict as conflict:
        form.add_error(None, f"{str(conflict)[:1].upper()}{str(conflict)[1:]}.")
        return None


@require_safe
@never_cache
@login_required
def own_invite(request: HttpRequest) -> HttpResponse:
    """Show a member's invite and who joined by it."""
    member = member_of(request.user)
    shown = {"invite": member.invite, "joined": joined_by(member), "base_url": settings.BASE_URL}
    return render(request, "office/members/invites.html", shown)

"""Joining by an invite, and the pages that a member has about themselves.

Promises: views only translate. An invite that is unknown is 404, one that is used up 410, on GET
and on POST, and neither shows a form.
"""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.decorators import rate_limit
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from fondaco.identity import addresses, invites, security_log
from fondaco.identity.models import Member
from fondaco.identity.selectors import granted_roles, joined_by, member_of
from fondaco.identity.services import IdentityConflict
from fondaco.identity.signing_in import has_second_factor
from fondaco.office.callers import address_of
from fondaco.office.members import services
from fondaco.office.members.forms import JoinForm

__all__ = ["confirm_address", "invitation", "own_invite", "profile", "security", "sessions"]

SECURITY_ROWS = 200  # that a member sees of their own log

PASSWORD_BACKEND = "fondaco.identity.backends.NameOrEmailBackend"  # noqa: S105 - a path


@never_cache
@rate_limit(action="signup")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, code: str) -> HttpResponse:
    """Show the form of an invite; a POST joins the house."""
    try:
        invite = invites.open_invite(code)
        form = JoinForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            member = _join(request, code, form)
            if member is not None:
                services.send_confirmation(member)
                member.backend = PASSWORD_BACKEND
                entering = Login(user=member, signup=True)
                answer: HttpResponse = perform_login(request, entering)
                return answer
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


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show who the member is here; a POST sends the mail that confirms their address."""
    member = member_of(request.user)
    if request.method == "POST":
        if member.email_confirmed_at is None:
            services.send_confirmation(member)
            messages.success(request, f"A link is on its way to {member.email}.")
        return redirect("profile")
    shown = {"roles": sorted(granted_roles(member)), "has_second_factor": has_second_factor(member)}
    return render(request, "office/members/profile.html", shown)


@never_cache
@require_safe
def confirm_address(request: HttpRequest, text: str) -> HttpResponse:
    """Follow the link of a confirming mail."""
    try:
        addresses.confirm(text, address=address_of(request))
    except addresses.LinkUnfit as unfit:
        shown = {"reason": f"{str(unfit)[:1].upper()}{str(unfit)[1:]}."}
        return render(request, "office/members/link_unfit.html", shown, status=410)
    messages.success(request, "Your e-mail address is confirmed.")
    return redirect("profile" if request.user.is_authenticated else "account_login")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    """List where the member is signed in; a POST ends one of the sessions, or all others."""
    member = member_of(request.user)
    listed = UserSession.objects.purge_and_list(member)
    if request.method == "POST":
        number = request.POST.get("session", "")
        ended = [row for row in listed if str(row.pk) == number]
        if number == "others":
            ended = [row for row in listed if not row.is_current()]
        services.end_sessions_noted(member, len(ended), address_of(request))
        end_sessions(request, ended)
        return redirect("sessions")
    listed.sort(key=lambda row: row.last_seen_at, reverse=True)
    return render(request, "office/members/sessions.html", {"sessions": listed})


@require_safe
@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    """Show a member what the security log holds about them."""
    entries = security_log.of_member(member_of(request.user), SECURITY_ROWS)
    return render(request, "office/members/security.html", {"entries": entries})

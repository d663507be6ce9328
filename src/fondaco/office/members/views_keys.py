"""API keys and tokens of a member: made, listed, revoked.

Promises: a secret or token is on the page that answers its making and nowhere after; both pages
ask for the password again, and reach only what is the member's own: other numbers are 404.
"""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fondaco.identity import tokens
from fondaco.identity.models import AccessToken, ApiKey, Member
from fondaco.identity.selectors import member_of
from fondaco.link.answers import LinkError
from fondaco.office.callers import address_of
from fondaco.office.members import services
from fondaco.office.members.forms import KeyForm, TokenForm

__all__ = ["keys", "own_tokens"]

BUSY = "The house does not answer just now, so that nothing is known to be done. Look again soon."


@never_cache
@login_required
@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """List the member's API keys; a POST makes one, or revokes the one that it names."""
    member = member_of(request.user)
    made: tuple[ApiKey, str] | None = None
    form = KeyForm(member)
    try:
        if "revoke" in request.POST:
            services.revoke_own_key(member, _own_key(member, request.POST["revoke"]), request)
            return redirect("keys")
        if request.method == "POST":
            form = KeyForm(member, request.POST)
            if form.is_valid():
                made = services.make_key(member, form.cleaned_data, request)
                form = KeyForm(member)
    except LinkError:
        messages.error(request, BUSY)
    rows = ApiKey.objects.filter(account__member=member).order_by("-pk")
    shown = {"keys": rows, "form": form, "made": made, "now": timezone.now()}
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "office/members/keys.html", shown, status=status)


@never_cache
@login_required
@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def own_tokens(request: HttpRequest) -> HttpResponse:
    """List the member's tokens; a POST makes one, or revokes the one that it names."""
    member = member_of(request.user)
    made = ""
    form = TokenForm(member)
    if "revoke" in request.POST:
        number = request.POST["revoke"]
        row = AccessToken.objects.filter(pk=_number(number), member=member).first()
        if row is None:
            raise Http404("You have no token of that number.")
        tokens.revoke(row, actor=member, address=address_of(request))
        return redirect("tokens")
    if request.method == "POST":
        form = TokenForm(member, request.POST)
        if form.is_valid():
            asked = form.cleaned_data
            _, made = tokens.make(
                member,
                scopes=asked["scopes"],
                label=asked["label"],
                addresses=asked["addresses"],
                expires_at=services.in_days(asked["days"]),
                address=address_of(request),
            )
            form = TokenForm(member)
    rows = member.tokens.order_by("-pk")
    shown = {"tokens": rows, "form": form, "made": made, "now": timezone.now()}
    status = 400 if form.is_bound else 200
    return render(request, "office/members/tokens.html", shown, status=status)


def _own_key(member: Member, number: str) -> ApiKey:
    row = ApiKey.objects.filter(pk=_number(number), account__member=member).first()
    if row is None:
        raise Http404("You have no API key of that number.")
    return row


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

"""The page on which a member says what they want to hear of, and sees what was sent.

Promises: the view only translates; what is another member's is 404, as what isn't there. A
webhook's secret is on the page that answers its making and nowhere after.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fondaco.identity.models import Member
from fondaco.identity.selectors import member_of
from fondaco.office.callers import address_of
from fondaco.office.notices import selectors, services
from fondaco.office.notices.kinds import CHOOSABLE, Kind
from fondaco.office.notices.models import Delivery, Endpoint
from fondaco.office.notices.services import NoticeRefused

__all__ = ["notices", "own_delivery", "own_endpoint"]


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def notices(request: HttpRequest) -> HttpResponse:
    """Show choices, webhooks and deliveries; a POST does what its button names."""
    member = member_of(request.user)
    made: tuple[Endpoint, str] | None = None
    status = 200
    if request.method == "POST":
        try:
            if "add" in request.POST:
                url = request.POST.get("url", "").strip()
                made = services.add_endpoint(member, url, address=address_of(request))
            else:
                messages.success(request, _act(request, member))
                return redirect("notices")
        except NoticeRefused as refusal:
            messages.error(request, f"{str(refusal)[:1].upper()}{str(refusal)[1:]}.")
            status = 400
    shown = {
        "choices": selectors.choices(member),
        "endpoints": selectors.endpoints(member),
        "deliveries": selectors.deliveries(member),
        "made": made,
        "url": request.POST.get("url", "") if status == 400 else "",
    }
    return render(request, "office/notices/notices.html", shown, status=status)


def _act(request: HttpRequest, member: Member) -> str:
    """Do what the pressed button names; return what to say of it."""
    asked = request.POST
    if "save" in asked:
        services.choose(member, _chosen(asked))
        return "Your choices are saved."
    if "remove" in asked:
        services.remove_endpoint(own_endpoint(member, asked["remove"]), address=address_of(request))
        return "The webhook is removed."
    if "test" in asked:
        services.test(own_endpoint(member, asked["test"]))
        return "The test is on its way."
    if "replay" in asked:
        services.replay(own_delivery(member, asked["replay"]))
        return "It is sent again."
    raise NoticeRefused("nothing was asked for")


def _chosen(asked: QueryDict) -> dict[Kind, tuple[bool, bool]]:
    mails, hooks = set(asked.getlist("mail")), set(asked.getlist("webhook"))
    return {kind: (kind.value in mails, kind.value in hooks) for kind in CHOOSABLE}


def own_endpoint(member: Member, text: str) -> Endpoint:
    """Return a standing webhook of the member, or 404."""
    number = _number(text)
    found = Endpoint.objects.filter(pk=number, member=member, removed_at__isnull=True).first()
    if found is None:
        raise Http404("You have no webhook of that number.")
    return found


def own_delivery(member: Member, text: str) -> Delivery:
    """Return a delivery of the member, or 404."""
    rows = Delivery.objects.select_related("happening", "endpoint")
    found = rows.filter(pk=_number(text), happening__member=member).first()
    if found is None:
        raise Http404("You have no delivery of that number.")
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

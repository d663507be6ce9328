"""The pages of membership: checkout and the provider's webhook.

Promises: the page that a member comes back to proves nothing: only a verified webhook makes a
membership. The webhook needs no session and no CSRF token; its signature is its credential.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from fondaco.identity.models import Member
from fondaco.identity.selectors import is_paid_up
from fondaco.office.billing import selectors, services
from fondaco.office.billing.payments import AMOUNT_CENTS, EventForged, PaymentsDown

__all__ = ["checkout", "webhook"]

STRIPE_PAGE: Final = "https://checkout.stripe.com"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def checkout(request: HttpRequest) -> HttpResponse:
    """Show what a membership costs; POST leads to the provider's page."""
    member = request.user
    assert isinstance(member, Member), "login_required let a stranger in"
    if request.method == "POST":
        try:
            purchase = services.open_checkout(member, services.provider())
        except PaymentsDown:
            messages.error(request, "The payment page can't be opened just now. Try again later.")
            return render(request, "office/billing/checkout.html", _shown(member), status=503)
        response: HttpResponse = HttpResponseRedirect(purchase.url)
        response.status_code = 303
        return response
    response = render(request, "office/billing/checkout.html", _shown(member))
    if settings.PAYMENTS.provider == "stripe":
        # Browsers hold form-action against redirects too, and this form ends at Stripe's page.
        policy = {**settings.CONTENT_SECURITY_POLICY}
        policy["form-action"] = ["'self'", STRIPE_PAGE]
        text = "; ".join(f"{name} {' '.join(values)}" for name, values in policy.items())
        response.headers["Content-Security-Policy"] = text
    return response


def _shown(member: Member) -> dict[str, object]:
    return {
        "price": f"{AMOUNT_CENTS // 100}.{AMOUNT_CENTS % 100:02d}",
        "days": services.PERIOD_DAYS,
        "is_paid_up": is_paid_up(member),
        "until": member.membership_until,
        "purchases": selectors.purchases(member),
    }


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Take one event of the provider."""
    payments = services.provider()
    try:
        event = payments.event(request.body, request.headers.get("Stripe-Signature", ""))
    except EventForged as error:
        return JsonResponse({"error": str(error)}, status=400)
    services.receive(event, provider_name=payments.name)
    return JsonResponse({"received": True})

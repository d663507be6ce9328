"""The sandbox's doors: its page, and an API that Stripe's own SDK speaks to.

Promises: both exist only in a house whose payments are the sandbox's (404 otherwise). The API
takes Bearer or Basic with FONDACO_SANDBOX_SECRET as the key, form-encoded bodies and
Idempotency-Key, and answers errors in Stripe's shape.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fondaco.office.billing import sandbox
from fondaco.office.billing.deliveries import deliver_due
from fondaco.office.billing.models import SandboxSession

__all__ = ["page", "refunds", "session", "sessions"]

AMOUNT_CENTS_MAX: Final = 99_999_999  # Stripe's own bound

View = Callable[..., HttpResponse]


def _require_sandbox() -> None:
    if settings.PAYMENTS.provider != "sandbox":
        raise Http404("this house takes no sandbox payments")


# ---- the page


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def page(request: HttpRequest, session_id: str) -> HttpResponse:
    """Show a session with one Pay and one Cancel button, and carry out either."""
    _require_sandbox()
    found = get_object_or_404(SandboxSession, pk=session_id)
    declined = False
    if request.method == "POST":
        if "cancel" in request.POST:
            return HttpResponseRedirect(sandbox.cancel(found.pk).cancel_url)
        outcome = request.POST.get("outcome", "success")
        if outcome not in sandbox.OUTCOMES:
            return HttpResponse("There is no such outcome.\n", status=400)
        found = sandbox.pay(found.pk, outcome)
        deliver_due()
        declined = outcome == "decline" and found.status == "open"
        if not declined:
            return HttpResponseRedirect(found.success_url)
    shown = {
        "session": found,
        "amount": f"{found.amount_total // 100}.{found.amount_total % 100:02d}",
        "currency": found.currency.upper(),
        "outcomes": sandbox.OUTCOMES.items(),
        "declined": declined,
    }
    status = 402 if declined else 200 if found.status == "open" else 410
    return render(request, "office/billing/sandbox.html", shown, status=status)


# ---- the API


def _error(status: int, kind: str, message: str, *, code: str = "") -> JsonResponse:
    error = {"type": kind, "message": message, **({"code": code} if code else {})}
    return JsonResponse({"error": error}, status=status)


def _refusal(request: HttpRequest) -> JsonResponse | None:
    """Return the answer to a caller without the key, None to one with it."""
    _require_sandbox()
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    expected = settings.PAYMENTS.sandbox_secret
    if given and hmac.compare_digest(given.encode(), expected.encode()):
        return None
    return _error(401, "invalid_request_error", "Invalid API Key provided: give the sandbox's")


@csrf_exempt
@require_POST
def sessions(request: HttpRequest) -> HttpResponse:
    """Create a session: POST /v1/checkout/sessions."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    form = request.POST
    if form.get("mode") != "payment":
        return _error(
            400, "invalid_request_error", "mode must be payment", code="parameter_invalid"
        )
    amount, quantity = form.get("line_items[0][price_data][unit_amount]", ""), "1"
    quantity = form.get("line_items[0][quantity]", quantity)
    currency = form.get("line_items[0][price_data][currency]", "").lower()
    if not (amount.isdecimal() and quantity.isdecimal() and len(currency) == 3):
        return _error(
            400,
            "invalid_request_error",
            "Missing required param: line_items[0] with price_data and quantity",
            code="parameter_missing",
        )
    total = int(amount) * int(quantity)
    if not 0 < total <= AMOUNT_CENTS_MAX:
        return _error(
            400, "invalid_request_error", "amount is out of range", code="amount_too_large"
        )
    try:
        made, is_new = sandbox.create_session(
            idempotency_key=request.headers.get("Idempotency-Key") or None,
            amount_total=total,
            currency=currency,
            success_url=form.get("success_url", ""),
            cancel_url=form.get("cancel_url", ""),
            client_reference_id=form.get("client_reference_id", ""),
        )
    except sandbox.IdempotencyConflict:
        return _error(
            400,
            "idempotency_error",
            "Keys for idempotent requests can only be used with the same parameters",
        )
    response = JsonResponse(sandbox.session_object(made))
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@require_safe
def session(request: HttpRequest, session_id: str) -> HttpResponse:
    """Retrieve a session: GET /v1/checkout/sessions/<id>."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    found = SandboxSession.objects.filter(pk=session_id).first()
    if found is None:
        return _error(
            404,
            "invalid_request_error",
            f"No such checkout.session: '{session_id}'",
            code="resource_missing",
        )
    return JsonResponse(sandbox.session_object(found))


@csrf_exempt
@require_POST
def refunds(request: HttpRequest) -> HttpResponse:
    """Refund a payment: POST /v1/refunds."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    made = sandbox.refund(request.POST.get("payment_intent", ""))
    if made is None:
        return _error(
            404, "invalid_request_error", "No such payment_intent", code="resource_missing"
        )
    deliver_due()
    return JsonResponse(made)

"""The pages of hooks: a member's own, made and ended, and one with its alerts.

Promises: views only translate; another member's hook is 404, as what isn't there. A hook's address
is on the page to which its making or its renewal leads, once: no answer to a POST has it, and until
then only the browser that asked keeps it, in a cookie that lasts SHOWN_S. Renewing and ending ask
back first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fondaco.identity.models import Member
from fondaco.identity.selectors import member_of
from fondaco.office.api.hooks import address_url
from fondaco.office.callers import address_of
from fondaco.office.hooks import selectors
from fondaco.office.hooks.forms import AlertForm, HookForm, NewHookForm
from fondaco.robots.hub import services
from fondaco.robots.hub.messages import Unfit
from fondaco.robots.models import Hook, HookAlert

__all__ = ["hook", "hooks", "own_hook"]

SHOWN_ONCE: Final = "shown_once"  # the cookie of an address on its way to the page that shows it
SHOWN_S: Final = 60
COOKIE_PATH: Final = "/hooks"
# What a chart's alert may say; the words in double braces are the chart's to fill in.
MESSAGE: Final = """{
  "action": "{{strategy.order.action}}",
  "ticker": "{{ticker}}",
  "order_id": "{{strategy.order.id}}",
  "time": "{{timenow}}"
}"""


def own_hook(member: Member, text: str) -> Hook:
    """Return a standing hook of the member, or 404."""
    found = selectors.hook_of(member, _number(text))
    if found is None:
        raise Http404("You have no hook of that number.")
    return found


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def hooks(request: HttpRequest) -> HttpResponse:
    """List the member's hooks; a POST makes one and leads to its page."""
    member = member_of(request.user)
    form = NewHookForm(request.POST or None)
    made: list[tuple[Hook, str]] = []
    if form.is_valid():
        fields = {**form.cleaned_data, "address": address_of(request)}
        if _done(form, lambda: made.append(services.add_hook(member, **fields))):
            return _show_once(*made[0])
    shown = {"form": form, "rows": selectors.hooks(member)}
    return render(request, "office/hooks/list.html", shown, status=400 if form.is_bound else 200)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def hook(request: HttpRequest, number: str) -> HttpResponse:
    """Show a hook and its alerts; a POST does what its button names."""
    member = member_of(request.user)
    row = own_hook(member, number)
    asked = request.POST.get("do", "")
    names = ("symbol", "template", "addresses", "checks_position")
    form = HookForm(
        request.POST if asked == "change" else None,
        initial={name: getattr(row, name) for name in names},
    )
    alert = AlertForm(request.POST if asked == "take" else None)
    shown: dict[str, Any] = {"message": MESSAGE}
    if request.method == "POST":
        if asked == "rotate":
            return _show_once(row, services.rotate_hook(row, address=address_of(request)))
        if _act(request, row, form, alert):
            return redirect("hooks" if asked == "remove" else "hook", *_path(row, asked))
    token = _shown_now(request, row) if request.method == "GET" else ""
    shown |= {"hook": row, "form": form, "by_hand": alert, "alerts": selectors.alerts(row)}
    shown |= {"url": address_url(token) if token else "", "sure": request.GET.get("sure", "")}
    status = 400 if form.is_bound or alert.is_bound else 200
    answer = render(request, "office/hooks/hook.html", shown, status=status)
    if token:
        answer.delete_cookie(SHOWN_ONCE, path=COOKIE_PATH, samesite="Strict")
    return answer


def _show_once(row: Hook, token: str) -> HttpResponse:
    """Lead to a hook's page, which shows its new address."""
    answer = redirect("hook", row.pk)
    answer.set_signed_cookie(
        SHOWN_ONCE,
        token,
        salt=_salt(row),
        max_age=SHOWN_S,
        path=COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


def _shown_now(request: HttpRequest, row: Hook) -> str:
    """Return the token that this page is to show, "" for none or one that is not this hook's."""
    return str(
        request.get_signed_cookie(SHOWN_ONCE, default="", salt=_salt(row), max_age=SHOWN_S) or ""
    )


def _salt(row: Hook) -> str:
    return f"hook {row.pk} of {row.member_id}, {row.digest}"


def _path(row: Hook, asked: str) -> tuple[int, ...]:
    return () if asked == "remove" else (row.pk,)


def _act(request: HttpRequest, row: Hook, form: HookForm, alert: AlertForm) -> bool:
    """Do what the pressed button names; False where a form says what is wrong."""
    asked = request.POST.get("do", "")
    said = ""
    if form.is_bound:
        if not (form.is_valid() and _done(form, lambda: _edit(row, form))):
            return False
        said = "The next alerts are read so."
    elif alert.is_bound:
        if not alert.is_valid():
            return False
        services.take_alert(row, alert.cleaned_data["body"], is_replay=True)
        said = "The alert is taken."
    elif asked == "remove":
        services.remove_hook(row, address=address_of(request))
        said = f"{row.name} has ended; its address is unknown from now on."
    elif "replay" in request.POST:
        found = HookAlert.objects.filter(hook=row, pk=_number(request.POST["replay"])).first()
        if found is None:
            raise Http404("This hook has no alert of that number.")
        services.replay_alert(found)
        said = f"Alert {found.pk} is read once more."
    if said:
        messages.success(request, said)
    return True


def _edit(row: Hook, form: HookForm) -> None:
    services.edit_hook(row, **form.cleaned_data)


def _done(form: Form, act: Callable[[], object]) -> bool:
    """Do what a form asks; a refusal stands at its field."""
    try:
        act()
    except Unfit as unfit:
        text = str(unfit)
        field = unfit.field if unfit.field in form.fields else None
        form.add_error(field, f"{text[:1].upper()}{text[1:]}.")
        return False
    return True


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

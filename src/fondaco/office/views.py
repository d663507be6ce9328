"""The first pages: landing, sign-in and -out, the terminal's index, the house's state.

Promises: views only translate between HTTP and services or selectors. The terminal is the page
that the web build put beside us; it trades by the public API under the session's cookie.
"""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.decorators import rate_limit
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from fondaco.identity import maintenance
from fondaco.identity.permissions import Permission, may
from fondaco.identity.selectors import member_of
from fondaco.link.answers import LinkError
from fondaco.office import selectors, writer
from fondaco.office.callers import address_of
from fondaco.office.forms import SignInForm

__all__ = ["SignIn", "SignOut", "house_state", "landing", "terminal"]

RETRY_S = "300"  # after which a locked name may be tried again: ACCOUNT_RATE_LIMITS


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "office/landing.html", {"instruments": selectors.listed_symbols()})


@method_decorator(rate_limit(action="login"), name="dispatch")
class SignIn(LoginView):
    """The first step of signing in; allauth asks for the second factor of whoever has one."""

    template_name = "office/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        name = {"username": form.cleaned_data["username"]}
        entering = Login(user=form.get_user(), redirect_url=self.get_success_url())
        try:
            answer: HttpResponse = perform_password_login(self.request, name, entering)
        except ImmediateHttpResponse as at_once:
            answer = at_once.response
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_invalid(form)
        if form.has_error("__all__", "too_many_login_attempts"):
            answer.status_code = 429
            answer.headers["Retry-After"] = RETRY_S
        return answer


class SignOut(LogoutView):
    """POST signs out; GET asks first, so that no foreign page can do it."""

    http_method_names = ["get", "post", "options"]  # noqa: RUF012 - Django's

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "office/logout.html")

    def post(self, request: HttpRequest, *_: str, **__: str) -> HttpResponse:
        get_adapter(request).logout(request)  # it writes the log, too
        return super().post(request)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def house_state(request: HttpRequest) -> HttpResponse:
    """Show staff whether the house is open; a POST puts it in maintenance or takes it out."""
    member = member_of(request.user)
    if not may(member, Permission.MAINTENANCE):
        raise PermissionDenied
    if request.method == "POST":
        wanted = request.POST.get("maintenance") == "1"
        try:
            maintenance.set_maintenance(
                writer.core(), maintenance=wanted, actor=member, address=address_of(request)
            )
        except LinkError as error:
            messages.error(request, f"The house did not answer ({error}). Ask again.")
        return redirect("house-state")
    return render(request, "office/house_state.html")


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def terminal(_request: HttpRequest) -> HttpResponse:
    page = selectors.terminal_page()
    if page is None:
        text = "The terminal is not built into this installation: run make web.\n"
        return HttpResponse(text, status=503, content_type="text/plain; charset=utf-8")
    return HttpResponse(page)

"""The first pages: landing, sign-in and -out, and the terminal's index.

Promises: views only translate between HTTP and services or selectors. The terminal is the page
that the web build put beside us; it trades by the public API under the session's cookie.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from fondaco.office import selectors
from fondaco.office.forms import SignInForm

__all__ = ["SignIn", "SignOut", "landing", "terminal"]


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "office/landing.html", {"instruments": selectors.listed_symbols()})


class SignIn(LoginView):
    template_name = "office/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """POST signs out; GET asks first, so that no foreign page can do it."""

    http_method_names = ["get", "post", "options"]  # noqa: RUF012 - Django's

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "office/logout.html")


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

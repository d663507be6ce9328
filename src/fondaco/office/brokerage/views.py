"""The dashboard, and the pages of brokerage accounts and strategies.

Promises: views only translate; what is another member's is 404, as what isn't there. A token is on
the page that answers its making and nowhere after.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fondaco.identity.models import Member
from fondaco.identity.selectors import member_of
from fondaco.office.brokerage import figures, tracks
from fondaco.office.brokerage.forms import AccountForm, StrategyForm
from fondaco.office.callers import address_of
from fondaco.projections import selectors as history
from fondaco.strategies import selectors, services, words
from fondaco.strategies.models import BrokerageAccount, Strategy
from fondaco.strategies.services import StrategyRefused
from fondaco.strategies.tracks import BASES, PRESETS, SpanUnfit

__all__ = [
    "account_archive",
    "account_edit",
    "account_new",
    "accounts",
    "compare",
    "dashboard",
    "own_account",
    "own_strategy",
    "strategies",
    "strategy",
    "strategy_archive",
    "strategy_edit",
    "strategy_new",
    "strategy_revoke",
    "strategy_rotate",
]

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """Make a view one for signed-in members that no cache keeps."""
    return never_cache(login_required(view))


def own_account(member: Member, number: str) -> BrokerageAccount:
    """Return an account of the member, or 404."""
    found = BrokerageAccount.objects.filter(pk=int(number), member=member, robot="").first()
    if found is None:
        raise Http404("You have no brokerage account of that number.")
    return found


def own_strategy(member: Member, number: str) -> Strategy:
    """Return a strategy of the member, or 404."""
    found = selectors.strategy(member, int(number))
    if found is None:
        raise Http404("You have no strategy of that number.")
    return found


# ---- the dashboard


@require_safe
@page
@ensure_csrf_cookie
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show how a member's accounts stand, and the way to everything that is theirs."""
    member = member_of(request.user)
    found = selectors.dashboard(member, now_us=time.time_ns() // 1000, hours=0)
    shown = {
        **words.dashboard_words(found),
        "has_strategies": bool(found.strategies),
        "rows": _rows(found.strategies),
        "robots": _rows(found.robots),
        "until": member.membership_until,
        "invite": member.invite,
        "base_url": settings.BASE_URL,
    }
    return render(request, "office/brokerage/dashboard.html", shown)


def _rows(found: list[Strategy]) -> list[dict[str, object]]:
    return [{"strategy": each, "last": _told(each)} for each in found]


def _told(row: Strategy) -> dict[str, object] | None:
    told = words.last_words(row)
    if told is not None:
        told["at"] = words.moment_of(row.standing.created_us)
        told["is_late"] = row.is_late(time.time_ns() // 1000)
    return told


# ---- accounts


@require_safe
@page
def accounts(request: HttpRequest) -> HttpResponse:
    member = member_of(request.user)
    shown = {
        "accounts": selectors.accounts(member),
        "archived": selectors.accounts(member, archived=True),
    }
    return render(request, "office/brokerage/accounts.html", shown)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def account_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new account's name; a POST makes it."""
    member = member_of(request.user)
    form = AccountForm(request.POST or None)
    if form.is_valid() and _done(form, lambda: services.add_account(member, **form.cleaned_data)):
        messages.success(request, f"The account {form.cleaned_data['name']} is made.")
        return redirect("brokerage-accounts")
    return _form(request, form, "A new account", "Make the account")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def account_edit(request: HttpRequest, number: str) -> HttpResponse:
    """Ask for an account's other name; a POST gives it."""
    row = own_account(member_of(request.user), number)
    form = AccountForm(request.POST or None, initial={"name": row.name})
    if form.is_valid() and _done(form, lambda: services.edit_account(row, **form.cleaned_data)):
        return redirect("brokerage-accounts")
    return _form(request, form, f"Account {row.name}", "Save")


@require_POST
@page
def account_archive(request: HttpRequest, number: str) -> HttpResponse:
    """Put an account away, or with `restore` take it back."""
    row = own_account(member_of(request.user), number)
    archived = "restore" not in request.POST
    services.archive_account(row, archived=archived, address=address_of(request))
    messages.success(request, f"The account {row} is {'archived' if archived else 'back'}.")
    return redirect("brokerage-accounts")


# ---- strategies


@require_safe
@page
def strategies(request: HttpRequest) -> HttpResponse:
    member = member_of(request.user)
    shown = {
        "rows": _rows(selectors.strategies(member)),
        "robots": _rows(selectors.robots(member)),
        "archived": selectors.strategies(member, archived=True),
        "has_accounts": bool(selectors.accounts(member)),
    }
    return render(request, "office/brokerage/strategies.html", shown)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def strategy_new(request: HttpRequest) -> HttpResponse:
    """Ask for a new strategy; a POST makes it and shows its token, this once."""
    member = member_of(request.user)
    if not selectors.accounts(member):
        messages.info(request, "A strategy trades on an account: make one first.")
        return redirect("brokerage-account-new")
    form = StrategyForm(member, request.POST or None)
    made: list[tuple[Strategy, str]] = []

    def make() -> None:
        made.append(services.add_strategy(**form.cleaned_data, address=address_of(request)))

    if form.is_valid() and _done(form, make):
        row, token = made[0]
        return _strategy_page(request, own_strategy(member, str(row.pk)), token)
    return _form(request, form, "A new strategy", "Make the strategy")


@require_safe
@page
@ensure_csrf_cookie
def strategy(request: HttpRequest, number: str) -> HttpResponse:
    """Show how a strategy stands, its curve and its newest reports."""
    return _strategy_page(request, own_strategy(member_of(request.user), number))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def strategy_edit(request: HttpRequest, number: str) -> HttpResponse:
    """Ask for a strategy's other name, account or symbol; a POST gives them."""
    member = member_of(request.user)
    row = own_strategy(member, number)
    if row.account.robot:
        raise Http404("A robot of this house is not edited here.")
    initial = {
        "name": row.name,
        "account": row.account_id,
        "symbol": row.symbol,
        "report_every_s": row.report_every_s,
    }
    form = StrategyForm(member, request.POST or None, initial=initial)
    if form.is_valid() and _done(form, lambda: services.edit_strategy(row, **form.cleaned_data)):
        return redirect("strategy", number=row.pk)
    return _form(request, form, f"Strategy {row.name}", "Save")


@require_POST
@page
def strategy_rotate(request: HttpRequest, number: str) -> HttpResponse:
    """Give a strategy a new token and show it, this once; the one before ends."""
    row = own_strategy(member_of(request.user), number)
    try:
        token = services.make_token(row, address=address_of(request))
    except StrategyRefused as refusal:
        raise Http404(str(refusal)) from refusal
    return _strategy_page(request, row, token)


@require_POST
@page
def strategy_revoke(request: HttpRequest, number: str) -> HttpResponse:
    """End a strategy's token."""
    row = own_strategy(member_of(request.user), number)
    services.revoke_token(row, address=address_of(request))
    messages.success(request, "The token is revoked.")
    return redirect("strategy", number=row.pk)


@require_POST
@page
def strategy_archive(request: HttpRequest, number: str) -> HttpResponse:
    """Put a strategy away, or with `restore` take it back."""
    row = own_strategy(member_of(request.user), number)
    archived = "restore" not in request.POST
    try:
        services.archive_strategy(row, archived=archived, address=address_of(request))
    except StrategyRefused as refusal:
        raise Http404(str(refusal)) from refusal
    messages.success(request, f"The strategy {row} is {'archived' if archived else 'back'}.")
    return redirect("strategies")


def _strategy_page(request: HttpRequest, row: Strategy, token: str = "") -> HttpResponse:
    page_of_track = _track_page(request, [f"strategy:{row.pk}"])
    shown = {
        **page_of_track,
        "strategy": row,
        "token": token,
        "last": _told(row),
        "reports": [
            {"at": words.moment_of(each.created_us), **words.report_words(each, each.created_us)}
            for each in selectors.reports(row)
        ],
        "ingest_url": f"{settings.BASE_URL}/api/v1/strategy/",
    }
    status = 400 if page_of_track["refusal"] else 200
    return render(request, "office/brokerage/strategy.html", shown, status=status)


# ---- comparing


@require_safe
@page
@ensure_csrf_cookie
def compare(request: HttpRequest) -> HttpResponse:
    """Show records side by side, and what there is to choose from."""
    member = member_of(request.user)
    page_of_track = _track_page(request, None)
    chosen = set(request.GET.getlist("of"))
    shown = {
        **page_of_track,
        "choices": [
            (f"strategy:{row.pk}", row, f"strategy:{row.pk}" in chosen)
            for row in [*selectors.strategies(member), *selectors.robots(member)]
        ],
        "most": tracks.ASKED_MAX,
    }
    status = 400 if page_of_track["refusal"] else 200
    return render(request, "office/brokerage/compare.html", shown, status=status)


def _track_page(request: HttpRequest, keys: list[str] | None) -> dict[str, Any]:
    """Return what the pages of records share; beside `keys` one market may be asked for.

    A span that can't be is said and the default one shown; what is unknown is 404.
    """
    now_us = time.time_ns() // 1000
    refusal = ""
    query = request.GET
    try:
        asked = tracks.asked_of(query, now_us=now_us)
    except SpanUnfit as unfit:
        refusal = f"{str(unfit)[:1].upper()}{str(unfit)[1:]}."
        kept = query.copy()
        for word in ("span", "from", "to", "equity"):
            kept.pop(word, None)
        kept.setlist("of", kept.getlist("of")[: tracks.ASKED_MAX])
        asked = tracks.asked_of(kept, now_us=now_us)
    if keys is not None:
        beside = [key for key in asked.keys if key.startswith("market:")]
        asked = asked._replace(keys=[*keys, *beside[:1]])
    try:
        found = tracks.shown(member_of(request.user), asked)
    except tracks.Unknown as unknown:
        raise Http404(str(unknown)) from unknown
    chosen = set(asked.keys)
    return {
        "refusal": refusal,
        "asked": asked,
        "zone": str(settings.HOUSE_ZONE),
        "presets": [(name, _query(query, span=name)) for name in PRESETS],
        "bases": [(name, _query(query, equity=name)) for name in BASES],
        "kept": [(word, text) for word in ("equity", "of") for text in query.getlist(word)],
        "is_log": query.get("scale") == "log",
        "scales": [(name, _query(query, scale=name)) for name in ("linear", "log")],
        "records": found,
        "figures": figures.rows_of(found),
        "months": figures.months_of(found[0].track) if found else [],
        "curves": figures.curves_of(found, as_growth=keys is None or len(found) > 1),
        "markets": [
            (f"market:{row.symbol}", row.symbol, f"market:{row.symbol}" in chosen)
            for row in history.instruments()
        ],
    }


def _query(query: QueryDict, **changed: str) -> str:
    """Return the address's query with some words changed."""
    found = query.copy()
    for word, text in changed.items():
        found[word] = text
    if "span" in changed:
        for word in ("from", "to"):
            found.pop(word, None)
    return f"?{found.urlencode()}"


def _done(form: Form, act: Callable[[], object]) -> bool:
    """Do what a form asks; a refusal stands at its field."""
    try:
        act()
    except StrategyRefused as refusal:
        text = str(refusal)
        form.add_error(refusal.field or None, f"{text[:1].upper()}{text[1:]}.")
        return False
    return True


def _form(request: HttpRequest, form: Form, title: str, button: str) -> HttpResponse:
    status = 400 if form.is_bound else 200
    shown = {"form": form, "title": title, "button": button}
    return render(request, "office/brokerage/form.html", shown, status=status)

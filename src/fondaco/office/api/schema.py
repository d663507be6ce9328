"""How drf-spectacular tells the office's ways of asking, and the page that shows the schema.

Promises: the page is drawn from the schema itself, without any script, under the house's policy.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

__all__ = ["docs"]


class SignedScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "fondaco.office.api.callers.Signed"
    name = ["apiKey", "signature"]  # noqa: RUF012 - both at once

    def get_security_requirement(self, _auto_schema: AutoSchema) -> dict[str, list[str]]:
        return {"apiKey": [], "signature": []}

    def get_security_definition(self, _auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-MBX-APIKEY"},
            {"type": "apiKey", "in": "query", "name": "signature"},
        ]


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "fondaco.office.api.callers.Session"
    name = "cookieAuth"

    def get_security_definition(self, _auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "fondaco.office.api.callers.Bearer"
    name = "bearerAuth"

    def get_security_definition(self, _auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


@lru_cache(maxsize=1)
def operations() -> list[tuple[str, list[dict[str, Any]]]]:
    """Return tag -> operations, as the page shows them. The routes never change while we run."""
    make: Any = SchemaGenerator  # it has no types
    schema: dict[str, Any] = make().get_schema(request=None, public=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for path, item in schema["paths"].items():
        for method, told in item.items():
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            reference = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            shape = schema["components"]["schemas"].get(reference, {})
            found.setdefault(told.get("tags", ["api"])[0], []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "told": told.get("description", ""),
                    "ways": [" + ".join(way) or "nobody" for way in told.get("security", [])],
                    "parameters": told.get("parameters", []),
                    "fields": [
                        {"name": name, "required": name in shape.get("required", ()), **field}
                        for name, field in shape.get("properties", {}).items()
                    ],
                }
            )
    return sorted(found.items())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show every route of the house."""
    return render(request, "office/api_docs.html", {"groups": operations()})

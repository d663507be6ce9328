"""The one schema of the house: the gateway's routes put beside the office's.

Promises: drf-spectacular calls it last (office.settings names it), so that neither room knows the
other. It adds paths and says how one signs; it changes nothing of what the office told.
"""

from __future__ import annotations

from typing import Any

from fondaco.gateway.described import SECURITY_SCHEMES, path_items

__all__ = ["add_gateway"]


def add_gateway(result: dict[str, Any], **_more: Any) -> dict[str, Any]:  # noqa: ANN401 - a hook's
    """Return the schema with the gateway's routes in it."""
    paths: dict[str, Any] = result["paths"]
    for path, item in path_items().items():
        assert path not in paths, f"{path} is the office's and the gateway's"
        paths[path] = item
    schemes = result.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes.update(SECURITY_SCHEMES)
    result["paths"] = dict(sorted(paths.items()))
    return result

"""The one schema of the house: the gateway's routes put beside the office's.

Promises: drf-spectacular calls it last (office.settings names it), so that neither room knows the
other. It adds paths and says how one signs and how the native routes refuse: one shape for what is
not there, one for a field, one for all else. It changes nothing of what the office told.
"""

from __future__ import annotations

from typing import Any, Final

from fondaco.gateway.described import SECURITY_SCHEMES, path_items

__all__ = ["add_gateway"]

NATIVE: Final = "/api/v1/"
OTHER_SHAPES: Final = {"/api/v1/strategy/"}  # {"status": false, "error"}: it tells its own
TEXT: Final = {"type": "string"}
ERRORS: Final[dict[str, dict[str, Any]]] = {
    "Missing": {
        "type": "object",
        "description": "404: what is not there, or another's.",
        "required": ["detail"],
        "properties": {"detail": TEXT},
    },
    "Refused": {
        "type": "object",
        "description": "Every refusal but 404 and those of a field.",
        "required": ["error"],
        "properties": {"error": TEXT},
    },
    "FieldsRefused": {
        "type": "object",
        "description": "400: what is wrong with which field.",
        "additionalProperties": {"type": "array", "items": TEXT},
    },
}


def add_gateway(result: dict[str, Any], **_more: Any) -> dict[str, Any]:  # noqa: ANN401 - a hook's
    """Return the schema with the gateway's routes in it."""
    paths: dict[str, Any] = result["paths"]
    for path, item in path_items().items():
        assert path not in paths, f"{path} is the office's and the gateway's"
        paths[path] = item
    components = result.setdefault("components", {})
    components.setdefault("securitySchemes", {}).update(SECURITY_SCHEMES)
    shapes = components.setdefault("schemas", {})
    assert not shapes.keys() & ERRORS.keys(), "a serializer has the name of an error's shape"
    shapes.update(ERRORS)
    for path, item in paths.items():
        if path.startswith(NATIVE) and path not in OTHER_SHAPES:
            _say_errors(path, item)
    result["paths"] = dict(sorted(paths.items()))
    return result


def _say_errors(path: str, item: dict[str, Any]) -> None:
    """Add to each operation of a native path how it refuses."""
    for operation in item.values():
        responses = operation["responses"]
        responses["4XX"] = _shaped("A refusal.", "FieldsRefused", "Refused")
        if "{" in path:
            responses["404"] = _shaped("There is none of that name or number.", "Missing")


def _shaped(text: str, *names: str) -> dict[str, Any]:
    shapes = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return {"description": text, "content": {"application/json": {"schema": schema}}}

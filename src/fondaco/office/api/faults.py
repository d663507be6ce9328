"""Errors as the native routes say them.

Promises: fields are {"<field>": ["…"]}, an unknown thing is {"detail": "…"}, all else
{"error": "…"}; a refusal of identity is 409 with its own sentence.
"""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.response import Response

from fondaco.identity.services import IdentityConflict

__all__ = ["answer_fault"]


def answer_fault(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error, or None for what is a fault of ours."""
    if isinstance(error, IdentityConflict):
        return Response({"error": str(error)}, status=status.HTTP_409_CONFLICT)
    from rest_framework.views import exception_handler  # it reads the setting that names us

    answer: Response | None = exception_handler(error, context)
    if answer is None or answer.status_code == status.HTTP_404_NOT_FOUND:
        return answer
    if isinstance(error, APIException) and not isinstance(error, ValidationError | NotFound):
        answer.data = {"error": str(error.detail)}
    return answer

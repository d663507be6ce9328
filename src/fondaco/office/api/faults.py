"""Errors as the native routes say them.

Promises: fields are {"<field>": ["…"]}, an unknown thing is {"detail": "…"}, all else
{"error": "…"}; a refusal of identity is 409 with its own sentence, too many wrong proofs 429.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, Throttled, ValidationError
from rest_framework.response import Response

from fondaco.identity.core_door import CommandRefused
from fondaco.identity.services import IdentityConflict
from fondaco.link.answers import LinkError, Overloaded
from fondaco.office.callers import RETRY_S, TooManyTries
from fondaco.office.treasury.commands import FieldRefused, MoneyRefused

__all__ = ["answer_fault", "writer_asked"]


class NotDone(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE


class OutcomeUnknown(APIException):
    status_code = status.HTTP_504_GATEWAY_TIMEOUT


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


@contextlib.contextmanager
def writer_asked() -> Iterator[None]:
    """Turn what can come of a command into an answer: 400, 409, 503 not done, 504 unknown."""
    try:
        yield
    except FieldRefused as refusal:
        raise ValidationError({refusal.field: [f"{refusal}."]}) from refusal
    except (MoneyRefused, CommandRefused) as refusal:
        raise Conflict(str(refusal)) from refusal
    except Overloaded as error:
        raise NotDone(str(error)) from error
    except LinkError as error:
        raise OutcomeUnknown(str(error)) from error


def answer_fault(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error, or None for what is a fault of ours."""
    if isinstance(error, IdentityConflict):
        return Response({"error": str(error)}, status=status.HTTP_409_CONFLICT)
    if isinstance(error, TooManyTries):
        throttled = Throttled(wait=RETRY_S)
        throttled.detail = f"{error}."
        error = throttled
    from rest_framework.views import exception_handler  # it reads the setting that names us

    answer: Response | None = exception_handler(error, context)
    if answer is None or answer.status_code == status.HTTP_404_NOT_FOUND:
        return answer
    if isinstance(error, APIException) and not isinstance(error, ValidationError | NotFound):
        answer.data = {"error": str(error.detail)}
    return answer

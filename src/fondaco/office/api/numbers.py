"""Amounts as programs send them: JSON numbers or texts, exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

__all__ = ["PlainDecimal"]


class PlainDecimal(serializers.DecimalField):
    """A decimal in ASCII digits; Python would read those of any script, and 1_000."""

    def to_internal_value(self, data: Any) -> Decimal:  # noqa: ANN401 - whatever was sent
        if isinstance(data, bool) or not str(data).isascii() or "_" in str(data):
            self.fail("invalid")
        found: Decimal = super().to_internal_value(data)
        return found

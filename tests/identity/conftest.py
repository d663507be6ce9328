"""Identity's tests: Django set up, and a core that remembers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.projections.django_ready import set_up

set_up()

from tests.identity.stand_in import StandInCore  # noqa: E402 - after set_up


@pytest.fixture
def core() -> StandInCore:
    """A core that keeps definitions, accounts and keys, and counts commands."""
    return StandInCore()


@pytest.fixture(autouse=True)
def relaxed(settings: Any) -> None:
    """Most tests sign in often and as staff; those of the limits put them back."""
    settings.ACCOUNT_RATE_LIMITS = False
    settings.MFA_RATE_LIMITS = False
    settings.STAFF_MFA = False

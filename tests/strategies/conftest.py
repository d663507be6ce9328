"""Strategies' tests: Django set up, and a member with an account."""

from __future__ import annotations

import pytest

from tests.projections.django_ready import set_up

set_up()

from fondaco.identity import services as identity  # noqa: E402 - after set_up
from fondaco.identity.models import Member  # noqa: E402
from fondaco.strategies import services  # noqa: E402
from fondaco.strategies.models import BrokerageAccount  # noqa: E402


@pytest.fixture
def member() -> Member:
    return identity.create_member(username="ann", email="ann@example.com", password="long enough")


@pytest.fixture
def account(member: Member) -> BrokerageAccount:
    return services.add_account(member, "main")

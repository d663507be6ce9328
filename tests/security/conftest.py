"""Security's tests: Django set up, and a receiver of webhooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.projections.django_ready import set_up

set_up()

from tests.notices.receiver import Receiver  # noqa: E402 - after set_up


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as standing:
        yield standing

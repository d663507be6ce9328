"""Tests of the robots: Django set up."""

from __future__ import annotations

from tests.projections.django_ready import set_up

set_up()

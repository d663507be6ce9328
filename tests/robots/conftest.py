"""Tests of the robots: Django set up, and tables of the projections for those that ask for them."""

from __future__ import annotations

from tests.projections.conftest import tables

__all__ = ["tables"]

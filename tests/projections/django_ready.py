"""Django for tests: settings from a throw-away environment, set up once for the whole run."""

from __future__ import annotations

import os
import tempfile

import django

__all__ = ["set_up"]


def set_up() -> None:
    """Configure Django unless the run has it already."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fondaco.office.settings")
    os.environ.setdefault("FONDACO_SECRET_KEY", "a key for tests that guards nothing at all")
    if "FONDACO_DATA" not in os.environ:
        os.environ["FONDACO_DATA"] = tempfile.mkdtemp(prefix="fondaco-tests-")
    django.setup()

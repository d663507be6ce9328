"""The office's settings for mypy's Django plugin, which reads models and needs no secret."""

import os

os.environ.setdefault("FONDACO_SECRET_KEY", "a key for the type checker, not a secret")
os.environ.setdefault("FONDACO_DATA", os.devnull)

from fondaco.office.settings import *  # noqa: F403

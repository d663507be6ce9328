"""How the house sends mail, from its environment.

    FONDACO_MAIL_URL   smtp://user:password@host:587 (STARTTLS), smtps://…:465, console:, or
                       absent: files under mail/ in the data directory
    FONDACO_MAIL_FROM  the sender; house@ the host of the base URL by default

Promises: a URL of another kind stops the start with one sentence.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

__all__ = ["mail_settings"]

TIMEOUT_S = 10


def mail_settings(data: Path, host: str) -> dict[str, Any]:
    """Return Django's settings for mail."""
    sender = os.environ.get("FONDACO_MAIL_FROM") or f"house@{host}"
    found: dict[str, Any] = {"DEFAULT_FROM_EMAIL": sender, "EMAIL_TIMEOUT": TIMEOUT_S}
    url = os.environ.get("FONDACO_MAIL_URL", "")
    if not url:
        backend = "django.core.mail.backends.filebased.EmailBackend"
        return {**found, "EMAIL_BACKEND": backend, "EMAIL_FILE_PATH": str(data / "mail")}
    parts = urlsplit(url)
    if parts.scheme == "console":
        return {**found, "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured(
            "FONDACO_MAIL_URL is not of the form smtp://user:password@host:587, smtps://… or "
            "console:"
        )
    is_tls = parts.scheme == "smtps"
    return {
        **found,
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if is_tls else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": is_tls,
        "EMAIL_USE_TLS": not is_tls,
    }

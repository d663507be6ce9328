"""Secrets at rest: AES-256-GCM under a key derived from FONDACO_SECRET_KEY.

Promises: a sealed secret opens only with the same secret key and for the same API key text, and a
changed byte is noticed. It does not protect against someone who holds both the database and the
environment of the process.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

__all__ = ["SealBroken", "open_secret", "seal_secret"]

NONCE_BYTES: Final = 12  # AES-GCM's own; random, far below 2**32 secrets a house
FORMAT: Final = b"\x01"
INFO: Final = b"fondaco identity: secrets of API keys"


class SealBroken(Exception):
    """A stored secret doesn't open: another FONDACO_SECRET_KEY, or a changed row."""


@lru_cache(maxsize=4)
def _cipher(secret_key: str) -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=INFO)
    return AESGCM(derive.derive(secret_key.encode()))


def seal_secret(secret: str, *, bound_to: str) -> bytes:
    """Return the secret encrypted, bound to the text of its API key."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(settings.SECRET_KEY).encrypt(nonce, secret.encode(), bound_to.encode())
    return FORMAT + nonce + sealed


def open_secret(sealed: bytes, *, bound_to: str) -> str:
    """Return the secret; raises SealBroken."""
    nonce, rest = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    assert sealed[:1] == FORMAT, f"a sealed secret begins with {sealed[:1]!r}"
    try:
        return _cipher(settings.SECRET_KEY).decrypt(nonce, rest, bound_to.encode()).decode()
    except InvalidTag as error:
        raise SealBroken(
            f"the secret of API key {bound_to[:8]}… doesn't open: start the house with the "
            "FONDACO_SECRET_KEY under which the key was made, or revoke the key"
        ) from error

"""How a request proves who sends it: an API key that signs, or a bearer token.

Promises: signatures are over the bytes that are sent, query then body; a secret is in no repr and
no exception. It opens no connection and knows no clock: the timestamp is handed in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias
from urllib.parse import quote

__all__ = ["ApiKey", "Credentials", "Ed25519Key", "Token", "credentials_from"]

TOKEN: Final = "FONDACO_TOKEN"  # noqa: S105 - a name of the environment
KEY: Final = "FONDACO_API_KEY"
SECRET: Final = "FONDACO_API_SECRET"  # noqa: S105 - as TOKEN


class _Signer(Protocol):
    def sign(self, message: bytes, /) -> bytes: ...


class Token:
    """A bearer token, as made on the house's page of tokens."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Token(…)"

    def header(self) -> tuple[str, str]:
        """Return the header that carries it."""
        return "Authorization", f"Bearer {self._text}"


class ApiKey:
    """An API key with its secret: signs by HMAC-SHA256."""

    def __init__(self, key: str, secret: str) -> None:
        self.key = key
        self._secret = secret.encode()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key[:8]!r}…)"

    def header(self) -> tuple[str, str]:
        """Return the header that names it."""
        return "X-MBX-APIKEY", self.key

    def sign(self, payload: bytes) -> str:
        """Return the signature of the bytes: hexadecimal."""
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()


class Ed25519Key:
    """An API key whose public half the house knows; the private one stays here, as PEM (PKCS 8)."""

    def __init__(self, key: str, private_key_pem: bytes, password: bytes | None = None) -> None:
        """Read the private key. Raises TypeError if it is of another kind."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self.key = key
        found = load_pem_private_key(private_key_pem, password)
        if not isinstance(found, Ed25519PrivateKey):
            raise TypeError(f"the private key is {type(found).__name__}; an Ed25519 key is needed")
        self._private: _Signer = found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key[:8]!r}…)"

    def header(self) -> tuple[str, str]:
        """Return the header that names it."""
        return "X-MBX-APIKEY", self.key

    def sign(self, payload: bytes) -> str:
        """Return the signature of the bytes: base64."""
        return base64.b64encode(self._private.sign(payload)).decode()


Credentials: TypeAlias = Token | ApiKey | Ed25519Key


def credentials_from(environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """Return what the environment holds: FONDACO_API_KEY with _API_SECRET, or FONDACO_TOKEN."""
    key, secret = environment.get(KEY), environment.get(SECRET)
    if key and secret:
        return ApiKey(key, secret)
    if key or secret:
        raise ValueError(f"{KEY} and {SECRET} belong together; one of them is not set")
    token = environment.get(TOKEN)
    return Token(token) if token else None


def signed_query(credentials: ApiKey | Ed25519Key, query: str, body: bytes) -> str:
    """Return the query with the signature of query and body at its end."""
    signature = credentials.sign(query.encode() + body)
    return f"{query}&signature={quote(signature, safe='')}"

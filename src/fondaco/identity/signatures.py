"""The signed style: an API key, a fresh timestamp, and a signature over the bytes as they came.

Promises: one reading of it for every door. The signed bytes are the raw query followed by the raw
body, without the signature; comparisons take constant time; nothing is parsed before the proof.
HMAC-SHA256 in hexadecimal, or Ed25519 in base64. It knows no HTTP and no spelling of a refusal:
the doors say them.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
from collections.abc import Callable
from enum import Enum
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

__all__ = ["KEY_BYTES_MAX", "Proof", "Unfit", "proof_of", "split_signature", "unfit_window"]

Proof = Callable[[bytes, bytes], bool]  # (payload, signature) -> genuine

RECEIVE_WINDOW_MS: Final = 5_000
RECEIVE_WINDOW_MS_MAX: Final = 60_000
AHEAD_US_MAX: Final = 1_000_000
MICROSECONDS_FROM: Final = 10**14  # a timestamp above it is in microseconds
KEY_BYTES_MAX: Final = 128
_SIGNATURE: Final = b"signature="


class Unfit(Enum):
    """What is wrong with a timestamp or a receive window."""

    NO_TIMESTAMP = "the timestamp is missing"
    TIMESTAMP = "the timestamp is no whole number of milliseconds"
    WINDOW = "recvWindow is no number of milliseconds"
    WINDOW_TOO_LONG = "recvWindow is above 60000"
    AHEAD = "the timestamp is more than 1000 ms ahead of the house's clock"
    OUTSIDE = "the timestamp is older than recvWindow allows"


def proof_of(*, secret: str, public_key: str) -> Proof:
    """Return what tells a genuine signature of a key: by its HMAC secret, else its Ed25519 PEM."""
    return _hmac_proof(secret) if secret else _ed25519_proof(public_key)


def _hmac_proof(secret: str) -> Proof:
    key = secret.encode()
    digest = hmac.digest
    compare = hmac.compare_digest

    def genuine(payload: bytes, signature: bytes) -> bool:
        return compare(digest(key, payload, "sha256").hex().encode(), signature)

    return genuine


def _ed25519_proof(pem: str) -> Proof:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, Ed25519PublicKey), type(key)

    def genuine(payload: bytes, signature: bytes) -> bool:
        try:
            text = unquote_to_bytes(signature)
            decoded = base64.b64decode(text, validate=True)
            if base64.b64encode(decoded) != text:  # bits beyond the last byte: one way to write it
                return False
            key.verify(decoded, payload)
        except (InvalidSignature, binascii.Error):
            return False
        return True

    return genuine


def split_signature(query: bytes, body: bytes) -> tuple[bytes, bytes] | None:
    """Return (the signed bytes, the signature): query + body, without the signature parameter.

    None where there is none.
    """
    for place, part in enumerate((query, body)):
        at = part.rfind(_SIGNATURE)
        if at < 0 or (at > 0 and part[at - 1] != 38):  # 38: "&"
            continue
        end = part.find(b"&", at)
        if end < 0:
            signature = part[at + 10 :]
            rest = part[: at - 1] if at else b""
        else:
            signature = part[at + 10 : end]
            rest = part[:at] + part[end + 1 :]
        return (rest + body, signature) if place == 0 else (query + rest, signature)
    return None


def unfit_window(timestamp: str | None, window: str | None, *clocks_us: int) -> Unfit | None:
    """Return why a timestamp isn't fresh by any of the clocks, None if it is by one."""
    if not timestamp:
        return Unfit.NO_TIMESTAMP
    if len(timestamp) > 20 or not (timestamp.isascii() and timestamp.isdigit()):
        return Unfit.TIMESTAMP
    window_us = RECEIVE_WINDOW_MS * 1000
    if window is not None:
        window_us = _window_us(window)
        if window_us < 0:
            return Unfit.WINDOW
        if window_us > RECEIVE_WINDOW_MS_MAX * 1000:
            return Unfit.WINDOW_TOO_LONG
    stamp = int(timestamp)
    stamp_us = stamp if stamp > MICROSECONDS_FROM else stamp * 1000
    early = False
    for now_us in clocks_us:
        if stamp_us >= now_us + AHEAD_US_MAX:
            early = True
        elif now_us - stamp_us <= window_us:
            return None
    return Unfit.AHEAD if early else Unfit.OUTSIDE


@functools.lru_cache(maxsize=256)
def _window_us(window: str) -> int:
    """Return a window in microseconds, -1 if it can't be read."""
    whole, _, fraction = window.partition(".")
    readable = window.isascii() and whole.isdigit() and len(whole) <= 20 and len(fraction) <= 20
    if not readable or (fraction and not fraction.isdigit()) or window.endswith("."):
        return -1
    return int(whole) * 1000 + int(f"{fraction}000"[:3])

"""Client order ids as four words.

Promises: encode() and decode() are exact inverses for 1 to 36 characters of A-Z a-z 0-9 _ and -.
The characters are the 64 of URL-safe base64, so 36 of them are 27 bytes; then comes a byte with
the length. All words 0 mean no id.
"""

from __future__ import annotations

import base64
import re
import struct
from typing import Final

__all__ = ["LENGTH_MAX", "decode", "encode"]

LENGTH_MAX: Final = 36
_ALLOWED: Final = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_WORDS: Final = struct.Struct("<4q")


def encode(text: str) -> tuple[int, int, int, int]:
    """Return a client order id as four words.

    Raises:
        ValueError: it is empty, too long or has another character.
    """
    if _ALLOWED.fullmatch(text) is None:
        raise ValueError(
            f"client order id {text[:40]!r}: write 1 to 36 characters of A-Z, a-z, 0-9, _ and -"
        )
    packed = base64.urlsafe_b64decode(text.ljust(LENGTH_MAX, "A"))
    words: tuple[int, int, int, int] = _WORDS.unpack(packed.ljust(31, b"\0") + bytes([len(text)]))
    return words


def decode(words: tuple[int, int, int, int]) -> str:
    """Return the client order id that these words stand for, or "" for none.

    Raises:
        ValueError: no client order id has these words.
    """
    if not any(words):
        return ""
    packed = _WORDS.pack(*words)
    length = packed[31]
    text = base64.urlsafe_b64encode(packed[:27]).decode("ascii")[:length]
    if not 1 <= length <= LENGTH_MAX or encode(text) != tuple(words):
        raise ValueError(f"{tuple(words)!r} are not the words of a client order id")
    return text

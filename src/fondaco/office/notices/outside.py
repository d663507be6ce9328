"""Posting to an address that a member gave, without becoming their hand inside our network.

Promises: https only (to loopback also http, and only where the house allows loopback at all); the
name is resolved once, every address it has must be a public one, and the connection goes to the
very address that was checked, so that a name that changes its mind in between reaches nothing. No
redirect is followed; of the answer only the status line is read; all of it ends within TIMEOUT_S
of the look-up's end. The look-up itself takes as long as the machine's resolver waits.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Doors", "NoAnswer", "Refused", "is_public", "post", "target_of"]

TIMEOUT_S: Final = 10.0
STATUS_LINE_MAX: Final = 1024
URL_MAX: Final = 500
PORT_HTTPS: Final = 443
PRINTABLE: Final = re.compile(r"[!-~]+")  # ASCII without spaces
STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Not public, by the registries of special-purpose addresses (RFC 6890 and after), and one address
# that answers virtual machines of a large host although it looks public.
CLOSED_4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
)
# Of IPv6 only global unicast is open, less what is not routed or carries an IPv4 address inside:
# mapped, NAT64 and local ones lie outside of it; Teredo, documentation and 6to4 within.
OPEN_6: Final = ipaddress.IPv6Network("2000::/3")
CLOSED_6: Final = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class Refused(Exception):
    """The house does not post there: one sentence that says why."""


class NoAnswer(Exception):
    """Nothing came back that is an answer of HTTP."""


class Target(NamedTuple):
    """An address as written, taken apart."""

    is_https: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = PORT_HTTPS if self.is_https else 80
        return host if self.port == usual else f"{host}:{self.port}"


class Doors(NamedTuple):
    """The ways out, so that tests may stand in them."""

    resolve: Callable[[str, int], list[str]]
    connect: Callable[[str, int, float], socket.socket]
    context: Callable[[], ssl.SSLContext]
    may_loopback: bool


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name; raises NoAnswer."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"the name {host} has no address") from error
    return [str(each[4][0]) for each in found]


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection to an address, which is no name."""
    return socket.create_connection((address, port), timeout=timeout_s)


@lru_cache(maxsize=1)
def verifying() -> ssl.SSLContext:
    """Return the context that checks certificates against the machine's roots."""
    return ssl.create_default_context()


def doors(*, may_loopback: bool) -> Doors:
    return Doors(resolve, connect, verifying, may_loopback)


# ---- what may be asked


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in CLOSED_4)
    if address.scope_id is not None:
        return False
    return address in OPEN_6 and not any(address in network for network in CLOSED_6)


def target_of(url: str, *, may_loopback: bool) -> Target:
    """Take an address apart; raises Refused for one that no webhook goes to."""
    if len(url) > URL_MAX or PRINTABLE.fullmatch(url) is None:
        raise Refused(f"write the address in at most {URL_MAX} ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("this is no address; write one like https://example.org/hook") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        raise Refused("this is no address; write one like https://example.org/hook")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("leave name, password and #fragment out of the address")
    is_https = parts.scheme == "https"
    if not is_https and not may_loopback:
        raise Refused("the address must begin with https://")
    literal = _literal(host)
    if literal is not None:
        _check(literal, may_loopback=may_loopback, is_https=is_https)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_https, host, port or (PORT_HTTPS if is_https else 80), path)


def _literal(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _check(address: Address, *, may_loopback: bool, is_https: bool) -> None:
    if may_loopback and address.is_loopback:
        return
    if not is_https:
        raise Refused("the address must begin with https://")
    if not is_public(address):
        raise Refused(f"{address} is not an address of the public internet")


def checked_address(target: Target, through: Doors) -> str:
    """Resolve a target's name, once, and return the address to connect to; raises Refused."""
    found = [_literal(text) for text in through.resolve(target.host, target.port)]
    if not found:
        raise NoAnswer(f"the name {target.host} has no address")
    for address in found:
        if address is None:
            raise Refused(f"the name {target.host} has an address that can't be read")
        _check(address, may_loopback=through.may_loopback, is_https=target.is_https)
    return str(found[0])


# ---- asking


def post(url: str, body: bytes, headers: Mapping[str, str], through: Doors) -> int:
    """Post a body and return the status of the answer; raises Refused and NoAnswer."""
    target = target_of(url, may_loopback=through.may_loopback)
    address = checked_address(target, through)
    deadline = time.monotonic() + TIMEOUT_S
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    try:
        with through.connect(address, target.port, TIMEOUT_S) as plain:
            plain.settimeout(_left(deadline))
            if target.is_https:
                with through.context().wrap_socket(plain, server_hostname=target.host) as sealed:
                    return _exchange(sealed, lines, body, deadline)
            return _exchange(plain, lines, body, deadline)
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"the certificate of {target.host}: {error.verify_message}") from error
    except OSError as error:  # ssl's errors and time-outs are OSErrors, too
        raise NoAnswer(f"{type(error).__name__}: {error.strerror or error}"[:200]) from error


def _exchange(line: socket.socket, lines: list[str], body: bytes, deadline: float) -> int:
    line.settimeout(_left(deadline))
    line.sendall("\r\n".join([*lines, "", ""]).encode("ascii") + body)
    got = b""
    while b"\r\n" not in got:
        line.settimeout(_left(deadline))
        part = line.recv(STATUS_LINE_MAX)
        if not part or len(got) > STATUS_LINE_MAX:
            raise NoAnswer("what came back is no answer of HTTP")
        got += part
    found = STATUS_LINE.match(got)
    if found is None:
        raise NoAnswer("what came back is no answer of HTTP")
    return int(found[1])


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise NoAnswer(f"no answer within {TIMEOUT_S:.0f} s")
    return left

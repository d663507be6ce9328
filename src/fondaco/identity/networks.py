"""From where something may be used: lists of addresses and networks, IPv4 and IPv6.

Promises: an empty list is everywhere; an IPv4 address that came over an IPv6 socket is the IPv4
address; what is no address is nowhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

__all__ = ["Network", "contains", "networks_of", "read_networks"]

NETWORKS_MAX: Final = 50
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(text: str) -> list[str]:
    """Return the networks of a list of addresses, one a line; raises ValueError that names one."""
    found = [str(ipaddress.ip_network(line.strip())) for line in text.splitlines() if line.strip()]
    if len(found) > NETWORKS_MAX:
        raise ValueError(f"{len(found)} networks; at most {NETWORKS_MAX}")
    return found


def read_networks(lines: str) -> tuple[Network, ...]:
    """Return what networks_of() wrote, one a line."""
    return tuple(ipaddress.ip_network(line) for line in lines.splitlines())


def contains(networks: Iterable[Network], address: str) -> bool:
    """Return whether an address is in one of the networks."""
    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(asked, ipaddress.IPv6Address) and asked.ipv4_mapped is not None:
        asked = asked.ipv4_mapped
    return any(asked in network for network in networks)

"""Counts a limited resource: its use by all clients, and by each client address."""

from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from starlette.requests import HTTPConnection

IPV6_NETWORK_BITS = 64
"""A client usually owns a whole network of this prefix length."""


class Shares:
    def __init__(self, limit: int, share_per_address: float) -> None:
        self.limit = limit
        self.limit_per_address = max(1, int(limit * share_per_address))
        self._taken: Counter[str] = Counter()
        self.total = 0

    def is_full(self) -> bool:
        return self.total >= self.limit

    def is_full_for(self, address: str) -> bool:
        return self._taken[client_network(address)] >= self.limit_per_address

    def take(self, address: str) -> None:
        self._taken[client_network(address)] += 1
        self.total += 1

    def give_back(self, address: str) -> None:
        key = client_network(address)
        self._taken[key] -= 1
        self.total -= 1
        if not self._taken[key]:
            del self._taken[key]


def client_address(request: HTTPConnection) -> str:
    """Return the client's address, or "" for a Unix socket."""
    return request.client.host if request.client else ""


@lru_cache(4096)
def client_network(address: str) -> str:
    """Return the address itself, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:  # the address of a Unix socket, or a value from a proxy's header
        return address
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return address
    return str(int(parsed) >> (128 - IPV6_NETWORK_BITS))

"""The hosts with private addresses that webhooks may be sent to: the setting WEBHOOK_ALLOWED_HOSTS."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Self
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """A host name, or a network of addresses. If `port` is None, every port is allowed."""

    host: str | Network
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Parse one entry of the setting. Raises ValueError."""
        try:
            return cls(ip_network(entry), None)
        except ValueError:
            pass
        parts = urlsplit(f"//{entry}")
        is_host = parts.netloc == entry and not any(char.isspace() or char == "@" for char in entry)
        if not parts.hostname or not is_host:
            raise ValueError(f"{entry!r} is not a host, host:port, address or network")
        try:
            return cls(ip_network(parts.hostname), parts.port)
        except ValueError:
            return cls(parts.hostname, parts.port)

    def allows(self, host: str, port: int, address: Address) -> bool:
        if self.port not in (None, port):
            return False
        return host.lower() == self.host if isinstance(self.host, str) else address in self.host


class AllowedHosts:
    def __init__(self, text: str | None) -> None:
        """Parse the setting. Raises ValueError for an entry that is not a host, host:port, address or network."""
        entries: Iterable[str] = (entry.strip() for entry in (text or "").split(","))
        self._allowed = [AllowedHost.parse(entry) for entry in entries if entry]

    def allow(self, host: str, port: int, address: Address) -> bool:
        """Return True if the setting allows a request to `host`, which has this address."""
        return any(each.allows(host, port, address) for each in self._allowed)

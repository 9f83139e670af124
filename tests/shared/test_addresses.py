"""Addresses that webhooks may reach."""

import pytest

from shared import addresses
from shared.allowed_hosts import AllowedHosts

PUBLIC = ("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1")
REFUSED = {
    "this network": "0.0.0.0",
    "loopback": "127.0.0.1",
    "all of loopback": "127.255.255.254",
    "private A": "10.1.2.3",
    "private B": "172.31.255.255",
    "private C": "192.168.1.1",
    "link-local, metadata": "169.254.169.254",
    "metadata of Azure": "168.63.129.16",
    "carrier-grade NAT": "100.64.0.1",
    "documentation": "203.0.113.7",
    "benchmarks": "198.18.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 unspecified": "::",
    "IPv6 loopback": "::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped private": "::ffff:10.0.0.1",
    "IPv4-compatible loopback": "::127.0.0.1",
    "IPv4-translated loopback": "::ffff:0:127.0.0.1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "local NAT64 of a private one": "64:ff9b:1::a00:1",
    "6to4 of loopback": "2002:7f00:1::",
    "Teredo": "2001::1",
    "IPv6 documentation": "2001:db8::1",
    "unique local": "fd00::1",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_recognised(address: str) -> None:
    assert addresses.is_public(addresses.parse(address))


@pytest.mark.parametrize("kind", REFUSED)
def test_special_addresses_are_not_public(kind: str) -> None:
    assert not addresses.is_public(addresses.parse(REFUSED[kind]))


@pytest.mark.parametrize(
    ("setting", "host", "port", "address", "is_allowed"),
    [
        (None, "10.0.0.1", 80, "10.0.0.1", False),
        ("", "10.0.0.1", 80, "10.0.0.1", False),
        ("10.0.0.1", "10.0.0.1", 80, "10.0.0.1", True),
        ("10.0.0.1", "name.example", 80, "10.0.0.1", True),
        ("10.0.0.1:9000", "10.0.0.1", 9000, "10.0.0.1", True),
        ("10.0.0.1:9000", "10.0.0.1", 80, "10.0.0.1", False),
        ("10.0.0.0/24", "10.0.0.77", 80, "10.0.0.77", True),
        ("10.0.0.0/24", "10.0.1.1", 80, "10.0.1.1", False),
        ("fd00::/8", "fd00::1", 80, "fd00::1", True),
        ("[fd00::1]:81", "fd00::1", 81, "fd00::1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, "::ffff:127.0.0.1", True),
        ("Receiver.internal", "receiver.INTERNAL", 80, "10.0.0.1", True),
        ("receiver.internal:81", "receiver.internal", 81, "10.0.0.1", True),
        ("receiver.internal:81", "receiver.internal", 80, "10.0.0.1", False),
        ("receiver.internal", "evil.receiver.internal", 80, "10.0.0.1", False),
        (" a , 10.0.0.1 ,", "10.0.0.1", 80, "10.0.0.1", True),
    ],
)
def test_the_setting_allows_hosts_and_networks(
    setting: str | None, host: str, port: int, address: str, *, is_allowed: bool
) -> None:
    assert AllowedHosts(setting).allow(host, port, addresses.parse(address)) == is_allowed


@pytest.mark.parametrize(
    "setting", ["http://a", "a/b", "user@host", "host:port", "10.0.0.0/33", "a b"]
)
def test_a_malformed_setting_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"is not a|Port|port"):
        AllowedHosts(setting)

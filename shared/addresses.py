"""Checks if an address is public. Others lead into a network of the operator, or nowhere.

The ranges come from the AntiSSRF library. Those of the standard library depend on Python's version, and include
addresses that a gateway translates into private ones, such as 64:ff9b::7f00:1.
"""

from ipaddress import IPv6Address, ip_address, ip_network

from AntiSSRF import IPAddressRanges

from shared.allowed_hosts import Address

OTHER_FORMS_OF_IPV4 = ("::/96", "::ffff:0:0:0/96")
"""IPv4-compatible (RFC 4291, 2.5.5.1) and IPv4-translated (RFC 2765) addresses. Both are obsolete."""
REFUSED = [ip_network(each) for each in (*IPAddressRanges.recommended_latest, *OTHER_FORMS_OF_IPV4)]


def parse(text: str) -> Address:
    """Return the address. An IPv4-mapped IPv6 address becomes IPv4. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    return address.is_global and not any(address in network for network in REFUSED)

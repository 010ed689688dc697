"""Which IP addresses belong to the public internet."""

import ipaddress

# What `is_global` has wrongly let through in one Python version or another, and what embeds another address.
_SPECIAL: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
    *map(ipaddress.IPv4Network, ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")),
    *map(ipaddress.IPv4Network, ("224.0.0.0/4", "240.0.0.0/4")),
    *map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20")),
    *map(ipaddress.IPv6Network, ("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")),
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, judged by what it reaches (IPv4 inside IPv6 included)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    special = any(ip in block for block in _SPECIAL if block.version == ip.version)
    return ip.is_global and not (special or ip.is_multicast or ip.is_reserved or ip.is_private)

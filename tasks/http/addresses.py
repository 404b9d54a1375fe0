"""Which addresses a fetch may connect to: those of the public internet, judged one by one. Pure.

What is listed here is refused; of IPv6 only 2000::/3 is public at all, so an IPv4 address that is written as an IPv6 one (mapped,
NAT64, 6to4, Teredo) is refused whatever it stands for. The lists are IANA's registries of special-purpose addresses, and what
clouds serve their secrets at. Python's own ``is_global`` is not asked: it differs between versions, and takes multicast for public.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

KNOWN_MAX: Final = 4_096  # addresses whose judgement is remembered

_V4: Final = tuple(
    (ipaddress.IPv4Network(net), why)
    for net, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private"),  # behind a provider's NAT; 100.100.100.200 is a cloud's metadata
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),  # of a cloud, though it looks public
        ("169.254.0.0/16", "link-local"),  # 169.254.169.254 is the metadata of most clouds
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),  # 192.0.0.192 is a cloud's metadata
        ("192.0.2.0/24", "reserved"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "private"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6: Final = tuple(
    (ipaddress.IPv6Network(net), why)
    for net, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("fc00::/7", "private"),  # fd00:ec2::254 is a cloud's metadata
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # Teredo, benchmarks, ORCHID
        ("2001:db8::/32", "reserved"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "reserved"),
        ("3fff::/20", "reserved"),
    )
)
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")


@lru_cache(KNOWN_MAX)
def refusal(address: str) -> str | None:
    """Why nothing is fetched from this address; None if it is public. What is no address in its usual form is refused, too."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "malformed"
    if isinstance(found, ipaddress.IPv4Address):
        return next((why for network, why in _V4 if found in network), None)
    if found.scope_id is not None:
        return "link-local"
    why = next((why for network, why in _V6 if found in network), None)
    return why or (None if found in _PUBLIC_V6 else "reserved")

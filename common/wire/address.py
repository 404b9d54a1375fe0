"""Where a master is, ``host:port`` as people write it, and where those of one cluster are. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief

DEFAULT_PORT: Final = 5000
HTTP_PORT: Final = 5002  # of health and metrics, when they are asked for
WEB_PORT: Final = 15672  # of the page, where people look for one: RabbitMQ's stands there
ADDRESSES_MAX: Final = 16  # of the masters of one cluster: each is tried in turn


class Address(NamedTuple):
    host: str  # empty: every interface, for listening only
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, *, listen: bool = False, default_port: int = DEFAULT_PORT) -> Address:
    """The address in ``host``, ``host:port``, ``tq://host:port`` or ``[::1]:port``; raises InvalidArgument."""
    rest = text.strip().removeprefix("tq://").rstrip("/")
    host, colon, port = rest.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or rest.endswith("]"):
        host, port = rest, str(default_port)
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    example = "write host:5000, tq://host:5000 or [::1]:5000"
    is_number = host.isdigit()  # a port alone: it would be taken for a host
    if is_number or any(character in host for character in "/@ ?#,") or (not host and not listen):
        raise InvalidArgument(f"{brief(text, 80)} is not an address; {example}")
    if not port.isascii() or not port.isdigit() or not (0 if listen else 1) <= int(port) <= 65_535:
        raise InvalidArgument(
            f"{brief(text, 80)}: the port {brief(port, 20)} is not a number from 1 to 65535; {example}"
        )
    return Address(host, int(port))


def parse_addresses(text: str) -> tuple[Address, ...]:
    """The addresses of one cluster's masters, ``tq://a:5000,b:5000``, each once and in this order; raises InvalidArgument."""
    parts = [part for part in text.strip().removeprefix("tq://").split(",") if part.strip()]
    addresses = tuple(dict.fromkeys(map(parse_address, parts or [text])))
    if len(addresses) > ADDRESSES_MAX:
        raise InvalidArgument(f"{len(addresses)} masters are named; at most {ADDRESSES_MAX}")
    return addresses


def url_of(addresses: Iterable[Address]) -> str:
    """As ``parse_addresses`` reads it."""
    return f"tq://{','.join(map(str, addresses))}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return host == "localhost" or (is_ip(host) and ipaddress.ip_address(host).is_loopback)


def is_ip(host: str) -> bool:
    """Whether it is an address of the network itself, and not a name to be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""What a page is started with, checked before anything starts. Pure.

A page that only this machine can reach needs nothing. Any other needs TLS, its own or that of a proxy before it, and the names by
which browsers reach it: a request for another name is refused, so that a foreign page cannot reach this one under a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..common.errors import InvalidArgument
from ..common.wire.address import WEB_PORT, Address, is_loopback, parse_address

DEFAULT_BIND: Final = f"127.0.0.1:{WEB_PORT}"
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSettings:
    """``names``: the names of this page in a browser, without a port. ``behind_proxy``: a proxy before it has TLS, and says whose a
    request is."""

    bind: Address
    master: str
    names: frozenset[str]
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False

    @property
    def has_tls(self) -> bool:
        return self.certificate is not None

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it over TLS, so that its cookie is sent over nothing else."""
        return self.has_tls or self.behind_proxy

    def url(self, port: int) -> str:
        host = "localhost" if not self.bind.host else self.bind.host
        return f"{'https' if self.has_tls else 'http'}://{Address(host, port)}"


def page_settings(
    *,
    bind: str,
    master: str,
    names: tuple[str, ...] = (),
    certificate: Path | None = None,
    key: Path | None = None,
    behind_proxy: bool = False,
) -> PageSettings:
    """Raises InvalidArgument for what would be unsafe."""
    address = parse_address(bind, listen=True, default_port=WEB_PORT)
    if (certificate is None) != (key is None):
        raise InvalidArgument("--tls-cert and --tls-key go together: the certificate chain and its key")
    is_local = bool(address.host) and is_loopback(address.host)
    if not is_local and certificate is None and not behind_proxy:
        raise InvalidArgument(
            f"--bind {bind}: others can reach that address, and keys would cross the network in the clear; give --tls-cert and "
            "--tls-key, or --behind-proxy if a proxy before it has TLS, or bind to 127.0.0.1"
        )
    shown = f"[{address.host}]" if ":" in address.host else address.host
    known = {_name(name) for name in names} | ({shown.lower()} if address.host else set())
    if is_local:
        known |= LOOPBACK_NAMES
    if not names and (behind_proxy or not address.host):
        raise InvalidArgument(
            "give --host NAME: the name of this page in a browser, as in --host queue.example.org; a request for any other name "
            "is refused"
        )
    return PageSettings(
        bind=address,
        master=master,
        names=frozenset(known),
        certificate=certificate,
        key=key,
        behind_proxy=behind_proxy,
    )


def _name(text: str) -> str:
    name = text.strip().lower()
    if not name or any(character in name for character in "/@ ?#") or (":" in name and "[" not in name):
        raise InvalidArgument(
            f"--host {text!r:.80}: write the name alone, without scheme and port: queue.example.org"
        )
    return name

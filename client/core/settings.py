"""The addresses of an App's masters and the App's credentials: from arguments, or else by discovery on first use.

Arguments are validated at once. What is missing is looked up (common/runtime/discovery.py) when a connection is needed,
so that a module with an App can be imported where nothing is configured, for instance by a worker.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ...common.domain.model import Role
from ...common.errors import InvalidArgument

if TYPE_CHECKING:
    from pathlib import Path

    from .io_thread import ClientLink
    from .transports import OpenerOf

CONNECT_SECONDS: Final = 10.0
NETWORK_STREAM: Final = "default"  # a session over our own connection has this one stream


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    url: str | None
    authkey: str | None = field(repr=False)
    role: Role
    connect_seconds: float | None
    ca_file: str | Path | None
    certificate_file: str | Path | None

    @classmethod
    def of(
        cls,
        url: str | None,
        authkey: str | None,
        role: str = Role.CLIENT,
        connect_timeout: float | None = None,
        ca_file: str | Path | None = None,
        certificate_file: str | Path | None = None,
    ) -> Settings:
        """Validate the arguments of an App; raises InvalidArgument."""
        if url is not None:
            from ...common.wire.address import parse_addresses

            # Only to validate it: the address is parsed again when a connection is needed.
            parse_addresses(url)
        if role not in tuple(Role):
            raise InvalidArgument(f"role={role!r:.40} is unknown; one of: {', '.join(Role)}")
        if connect_timeout is not None:
            _check_seconds("connect_timeout", connect_timeout)
        return cls(
            url=url,
            authkey=authkey,
            role=Role(role),
            connect_seconds=connect_timeout,
            ca_file=ca_file,
            certificate_file=certificate_file,
        )

    @property
    def shown_url(self) -> str:
        return self.url or "of the master that is found"

    def make_link(self) -> ClientLink:
        """A link: over the supervisor's connection inside a task, over our own elsewhere. The heavy imports happen here."""
        from ...common.wire.caller import ambient
        from .transports import network_openers, supervisor_openers

        seconds = self._connect_seconds()
        # Inside a task: a thousand children need no connection and no key of their own.
        supervisor = ambient()
        if supervisor is not None:  # all children share the worker's session, so each names its own stream
            return _link(supervisor_openers(supervisor), os.urandom(8).hex(), seconds)
        from ...common.auth.keys import Credential
        from ...common.runtime.discovery import discover
        from ...common.wire.address import parse_addresses
        from ...common.wire.tls import OwnCa

        found = discover(self.url, self.authkey, self.role)
        if found.url is None:
            raise InvalidArgument(_no_url(found.looked))
        addresses = parse_addresses(found.url)
        if found.authkey is None:
            raise InvalidArgument(_no_key(found.url, found.looked))
        own_ca = OwnCa(_path(self.ca_file, "TQ_CA_FILE"), _path(self.certificate_file, "TQ_CERTIFICATE_FILE"))
        openers = network_openers(addresses, Credential.parse(found.authkey), self.role, own_ca)
        return _link(openers, NETWORK_STREAM, seconds)

    def _connect_seconds(self) -> float:
        if self.connect_seconds is not None:
            return self.connect_seconds
        text = os.environ.get("TQ_CONNECT_TIMEOUT")
        if not text:
            return CONNECT_SECONDS
        try:
            return _check_seconds("TQ_CONNECT_TIMEOUT", float(text))
        except ValueError:
            raise InvalidArgument(f"TQ_CONNECT_TIMEOUT={text!r:.40} is not a number of seconds") from None


def _no_url(looked: tuple[str, ...]) -> str:
    """The two remedies, the easier one first."""
    # The command as the reader can paste it.
    program = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0].endswith(".py") else "FILE.py"
    return (
        f"no master is named, and none was found: {'; '.join(looked)}. In another terminal, in this directory:\n"
        f"    tq dev {program}\n"
        "or name one: in the environment as TQ_URL and TQ_AUTHKEY, for a command with --url and --authkey-file, in a program:\n"
        "    app = tq.App('tq://host:5000', authkey=…)"
    )


def _no_key(url: str, looked: tuple[str, ...]) -> str:
    return (
        f"no key for {url}: {'; '.join(looked)}. Name one: in the environment as TQ_AUTHKEY, for a command with "
        "--authkey-file, in a program with tq.App(url, authkey=…). tq-master names its keys when it starts, and "
        "`tq keys add --role client` makes one"
    )


def _link(openers: OpenerOf, stream: str, connect_seconds: float) -> ClientLink:
    """A link; one that records a history when TQ_HISTORY is set."""
    if os.environ.get("TQ_HISTORY"):
        from ...common.runtime.history import open_history
        from .recording import RecordingLink

        note = open_history("client")
        if note is not None:
            return RecordingLink(
                openers(0), stream=stream, connect_seconds=connect_seconds, of_shard=openers, note=note
            )
    from .io_thread import ClientLink

    return ClientLink(openers(0), stream=stream, connect_seconds=connect_seconds, of_shard=openers)


def _path(given: str | Path | None, variable: str) -> Path | None:
    from pathlib import Path

    text = given or os.environ.get(variable)
    return Path(text) if text else None


def _check_seconds(name: str, seconds: float) -> float:
    if (
        # bool is an int: connect_timeout=True would be one second.
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not math.isfinite(seconds)
        or seconds <= 0
    ):
        raise InvalidArgument(f"{name} must be a positive number of seconds, not {seconds!r:.40}")
    return float(seconds)

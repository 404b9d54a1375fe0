"""Where a master keeps its state, if not in a file, and how it names itself to others. Nothing is opened here."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ..common.auth.certificate import CERTIFICATE_FILE, certificate_der
from ..common.auth.leaf import shown_by
from ..common.runtime.config import MasterSettings
from ..common.version import VERSION
from ..common.wire.address import Address

if TYPE_CHECKING:
    from .store.postgres.address import DatabaseAddress
    from .store.postgres.masters import Me


def database_of(settings: MasterSettings) -> DatabaseAddress | None:
    """Where the state is, if not in a file; nothing is opened."""
    if settings.store is None:
        return None
    from .store.postgres.address import read_address  # most masters have none

    return read_address(settings.store)


def advertised(settings: MasterSettings, port: int) -> Address:
    """Where others are sent to this master. ``port``: the one that is bound."""
    if settings.advertise is not None:
        return settings.advertise
    host = settings.bind.host
    everywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
    return Address(socket.gethostname() if everywhere else host, port)


def me_of(settings: MasterSettings, port: int | None = None) -> Me:
    """How this master names itself to the others of its database. ``port``: once it is bound."""
    from .store.postgres.masters import Me
    from .store.postgres.store import new_id

    certificate = settings.data / CERTIFICATE_FILE
    leaf = shown_by(certificate_der(certificate)).leaf if certificate.exists() else None
    address = advertised(settings, settings.bind.port if port is None else port)
    until = "" if leaf is None else leaf.until.isoformat()
    # By that name it can be revoked.
    name = socket.gethostname() if leaf is None else leaf.name
    return Me(new_id(), name, str(address), VERSION, until)


def refuse_shown_password(option: str | None) -> None:
    """``option``: the store as the command line names it, which every user of the machine can read. Raises ConfigError."""
    if option is not None:
        from .store.postgres.address import refuse_password

        refuse_password(option)

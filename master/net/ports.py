"""Why a port cannot be listened on, with the remedy."""

from __future__ import annotations

import errno
import socket

from ...common.wire.address import Address


def why_not_listening(bind: Address, error: OSError, option: str = "--bind") -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{bind} is in use; another tq-master may run there: stop it, or choose another port with {option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine does not have the address {bind.host}; use 0.0.0.0 for all of its addresses"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {bind.port}; choose one above 1023 with {option}"
    if isinstance(error, socket.gaierror):
        return f"the host name {bind.host} cannot be resolved; use one of this machine's, or 0.0.0.0 for all"
    return f"cannot listen on {bind}: {error.strerror or error}"

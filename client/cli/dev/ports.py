"""A port for the master: the usual one if it is free, else one that the system chooses."""

from __future__ import annotations

import socket


def free_port(usual: int) -> int:
    """0 lets the system choose; the master then reports its port."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", usual))
        except OSError:
            return 0
    return usual

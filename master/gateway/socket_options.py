"""Socket options for stock clients, which set none themselves: they have no heartbeat, and their small writes wait."""

from __future__ import annotations

import socket
from typing import Final

# Within two minutes: a peer whose host is gone without a word, by the first three when nothing is on its way to it, by the
# last when something is, for then the system would try for a quarter of an hour. That one also ends who takes nothing of
# a reply for as long.
NOTICED: Final = {
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPINTVL": 15,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 120_000,
}


def notice_its_end(plug: socket.socket) -> None:
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in NOTICED.items():
        if hasattr(socket, name):  # not on every system
            plug.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def acknowledge_at_once(plug: socket.socket) -> None:
    """What came last is not answered, and a stock client's system keeps its request back until it is acknowledged, for
    which ours would take 40 ms: each of the four connections that one queue needs."""
    if hasattr(socket, "TCP_QUICKACK"):
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

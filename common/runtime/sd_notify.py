"""What a service manager is told (sd_notify): one datagram to the socket it named. Without one, nothing.

The variables are taken out of the environment: a task's process must not be able to speak for its worker.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

WATCHDOG_SHARE = 0.5  # of the time the service manager waits: it asks for a sign in half of it


class Notifier:
    """``tell("READY=1")``. Never blocks and never fails: who manages the service is not who needs it."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        path = environment.pop("NOTIFY_SOCKET", "")
        microseconds, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path  # @: the abstract namespace
        mine = bool(path) and pid in ("", str(os.getpid())) and microseconds.isdigit()
        self.watchdog_seconds = int(microseconds) / 1e6 * WATCHDOG_SHARE if mine else None

    @property
    def listened_to(self) -> bool:
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)

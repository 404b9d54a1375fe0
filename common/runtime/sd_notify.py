"""Messages to a service manager (sd_notify): one datagram each, to the socket that it named, if it named one.

The variables are removed from the environment, so that the process of a task cannot send messages for its worker.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

WATCHDOG_SHARE = 0.5  # of the time that the service manager waits: sd_watchdog_enabled(3) recommends half


class Notifier:
    """``notify("READY=1")``. Never blocks and never fails: the service must work without its manager."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        path = environment.pop("NOTIFY_SOCKET", "")
        microseconds, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path  # @: the abstract namespace
        mine = bool(path) and pid in ("", str(os.getpid())) and microseconds.isdigit()
        self.watchdog_seconds = int(microseconds) / 1e6 * WATCHDOG_SHARE if mine else None

    @property
    def listened_to(self) -> bool:
        return bool(self._address)

    def notify(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)

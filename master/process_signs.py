"""Signs of life of the processes of one master: each gives them to its guard, which ends one that lives and gives none.

::

    Pulse, on the loop of the engines ─► WATCHDOG=1 as long as nothing is sick ─► a socket that the process inherited ─► MissedSigns

A sign is that of a service manager (``common/runtime/health.py``): the loop that decides has had its turn, and transactions end. The
socket is never waited for, on either side.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from ..common.runtime.sd_notify import Notifier

VARIABLE: Final = "TQ_MASTER_SIGNS"  # the number of the descriptor
LOOK_SECONDS: Final = 1.0
# As long as a transaction may take before its process counts as stuck (``observe/health.py``). A disk that stalls for half a minute is
# no reason to end a process, and to load its stores again.
SILENT_SECONDS_MAX: Final = 60.0
SIGN: Final = b"WATCHDOG=1"
SIGN_BYTES_MAX: Final = 4_096
STOPPED: Final = "Tt"  # states of a Linux process: by a signal, by a debugger


class SignsOfLife(Notifier):
    """What a process says to its guard in the place of a service manager. ``descriptor``: of the socket."""

    def __init__(self, descriptor: int) -> None:
        super().__init__({})
        self.watchdog_seconds = SILENT_SECONDS_MAX
        self._line = socket.socket(fileno=descriptor)
        self._line.setblocking(False)
        self._line.set_inheritable(False)

    @property
    def listened_to(self) -> bool:
        return True

    def notify(self, *lines: str) -> None:
        with contextlib.suppress(OSError):  # the guard reads late, or is gone: and so is this process, then
            self._line.send("\n".join(lines).encode()[:SIGN_BYTES_MAX])

    def close(self) -> None:
        self._line.close()


def notifier_of(environment: MutableMapping[str, str]) -> Notifier:
    """To the guard of this process, or else to a service manager."""
    descriptor = environment.pop(VARIABLE, "")
    return SignsOfLife(int(descriptor)) if descriptor else Notifier(environment)


class MissedSigns:
    """How long a process has given no sign, counted in looks and by no clock: while the machine stands still or has no time for the
    guard, nothing is counted. It begins with the first sign, for a start may take long. Pure."""

    def __init__(self, looks_max: int = int(SILENT_SECONDS_MAX / LOOK_SECONDS)) -> None:
        self._looks_max, self._has_begun, self._looks = looks_max, False, 0

    def look(self, *, has_come: bool, is_stopped: bool) -> bool:
        """Whether it is to be ended. Who has stopped a process wants it back as it is."""
        self._has_begun |= has_come
        self._looks = 0 if has_come or is_stopped or not self._has_begun else self._looks + 1
        return self._looks >= self._looks_max


class SignSocket:
    """The guard's side, for one run of a process. ``descriptor``: for that process, which inherits it."""

    def __init__(self) -> None:
        self._own, self._other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._own.setblocking(False)

    @property
    def descriptor(self) -> int:
        return self._other.fileno()

    def started(self) -> None:
        """The process has it."""
        self._other.close()

    def has_come(self) -> bool:
        """Whether a sign has come since the last look."""
        found = False
        with contextlib.suppress(
            OSError
        ):  # there is nothing more; or the process has ended, which is seen elsewhere
            while data := self._own.recv(SIGN_BYTES_MAX):
                found |= SIGN in data.split(b"\n")
        return found

    def close(self) -> None:
        self._own.close()
        self._other.close()


def is_stopped(pid: int) -> bool:
    """Whether this process was stopped, by a signal or with a debugger. Elsewhere than on Linux it is not known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    state = stat.rpartition(")")[2].split()
    return bool(state) and state[0] in STOPPED

"""Remembers that a server refused a login, so that a wrong password is tried a few times and not once for each message.

All processes of this user on this host share what is known of one server, user and password, in a small file::

    unknown ──► one process tries, the others wait for it ─┬─ accepted ──► accepted: each logs in when it wants
                        ▲                                  └─ refused ───► refused: no one tries until the pause is over
                        └────────── the pause is over: 1 min, doubling up to 1 h ───────────────┘

The file's name is computed from all three, so a corrected password is tried at once. It holds no secret: a count, and when. A
directory that cannot be written leaves each process with what it knows itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

# After the first refusal: many servers lock an account after five within minutes
PAUSE_SECONDS_MIN: Final = 60.0
PAUSE_SECONDS_MAX: Final = 3_600.0
SCRYPT_N: Final = 2**14  # the password cannot be guessed from the name of the file: some 50 ms for each try


class LoginPaused(Exception):
    """The login was refused before, and its pause is not over."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class Refusals(NamedTuple):
    """``tries`` 0: the login was accepted. ``at``: the last one, Unix seconds."""

    tries: int
    at: float

    def pause_left(self, now: float) -> float:
        """A clock that was set back makes no pause longer than it was."""
        if not self.tries:
            return 0.0
        pause = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_MIN * 2.0 ** min(self.tries - 1, 10))
        return max(0.0, min(pause, self.at + pause - now))


class LoginBreaker:
    """Of one server, user and password, in one process."""

    def __init__(self, server: str, user: str, password: str, clock: Callable[[], float] = time.time) -> None:
        self._what, self._password, self._clock = f"{user}@{server}", password, clock
        self._name: str | None = None
        self._known: Refusals | None = None  # where there is no file

    @contextmanager
    def guarded(self, refused: type[Exception]) -> Iterator[None]:
        """Log in inside the block. Raises LoginPaused in place of a try that is too early. ``refused``: what a refusal raises."""
        with self._alone() as file:
            known = self._read(file)
            if known is not None and not known.tries:  # it was accepted: others need not wait
                if file is not None:
                    fcntl.flock(file, fcntl.LOCK_UN)
            elif known is not None and (left := known.pause_left(self._clock())) > 0:
                raise LoginPaused(left)
            try:
                yield
            except refused:
                tries = known.tries if known is not None else 0
                self._write(file, Refusals(tries + 1, self._clock()))
                raise
            if known is None or known.tries:
                self._write(file, Refusals(0, self._clock()))

    def pause_left(self) -> float:
        """Seconds until the next try; 0 if it may be now."""
        with self._alone() as file:
            known = self._read(file)
        return 0.0 if known is None else known.pause_left(self._clock())

    @contextmanager
    def _alone(self) -> Iterator[int | None]:
        file = self._open()
        try:
            if file is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            if file is not None:
                os.close(file)  # releases the lock, as the end of the process does

    def _open(self) -> int | None:
        if self._name is None:
            salt = hashlib.sha256(self._what.encode()).digest()
            secret = hashlib.scrypt(self._password.encode(), salt=salt, n=SCRYPT_N, r=8, p=1, dklen=16)
            self._name = secret.hex()
        try:
            folder = _folder()
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(folder / self._name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except (OSError, RuntimeError):  # no home, or it cannot be written
            return None

    def _read(self, file: int | None) -> Refusals | None:
        if file is None:
            return self._known
        try:
            tries, at = json.loads(os.pread(file, 1_000, 0))
            return Refusals(int(tries), float(at))
        except (OSError, ValueError, TypeError):  # new, or cut off by the end of a process
            return None

    def _write(self, file: int | None, known: Refusals) -> None:
        self._known = known
        if file is not None:
            text = json.dumps(known).encode()
            try:
                os.ftruncate(file, 0)
                os.pwrite(file, text, 0)
            except OSError:  # the disk is full: this process knows it still, and the next try is one more
                return


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "tq" / "smtp-logins"

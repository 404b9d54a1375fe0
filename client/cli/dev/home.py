"""``./.tq``: the state of a ``tq dev`` in its working directory, and the lock that shows that it is running.

::

    .tq/.gitignore   one line, *: keeps all of this out of version control
    .tq/live         locked as long as a tq dev runs here; its address, once there is one
    .tq/state/       the master's data directory: tasks, certificate, keys
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Final, Self

from ....common.errors import ConfigError
from ....common.runtime.discovery import DEV_FOLDER, LIVE_BYTES_MAX, LIVE_FILE, STATE_FOLDER

LOCK_SECONDS: Final = 1.0  # programs that check for a running tq dev hold the lock for a moment
POLL_SECONDS: Final = 0.02


OPENING: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class StateDirectory:
    """A context in which this process owns the directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / DEV_FOLDER
        self.state = self.folder / STATE_FOLDER
        self._live = -1

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._refuse_what_is_not_ours()
            # The directory may have been made with other rights before: there are keys in it.
            self.folder.chmod(0o700)
            (self.folder / ".gitignore").write_text("*\n", "utf-8")
            self._live = os.open(self.folder / LIVE_FILE, OPENING, 0o600)
        except OSError as error:
            raise ConfigError(
                f"cannot keep state in {self.folder}: {error.strerror}; start tq dev in a directory of your own"
            ) from error
        if not self._lock():
            raise ConfigError(self._who_is_here())
        # The address of a tq dev that was killed.
        self.withdraw()
        return self

    def _refuse_what_is_not_ours(self) -> None:
        """Refuse links and files of other users: they could make us truncate and overwrite files elsewhere."""
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise ConfigError(
                f"{self.folder} is a link, or belongs to another user; remove it, or start tq dev in a directory of your own"
            )
        live = self.folder / LIVE_FILE
        if os.path.lexists(live) and not stat.S_ISREG(live.lstat().st_mode):
            raise ConfigError(f"{live} is not a regular file; remove it: rm {live}")

    def __exit__(self, *error: object) -> None:
        if self._live >= 0:
            self.withdraw()
            os.close(self._live)
            self._live = -1

    def announce(self, url: str) -> None:
        """Publish the address: from now on programs in this directory find the master."""
        text = json.dumps({"url": url, "pid": os.getpid()}).encode()
        os.ftruncate(self._live, 0)
        os.pwrite(self._live, text, 0)

    def withdraw(self) -> None:
        os.ftruncate(self._live, 0)

    def forget(self) -> bool:
        """Remove the state; returns whether there was any."""
        try:
            shutil.rmtree(self.state)
        except FileNotFoundError:
            return False
        return True

    def _lock(self) -> bool:
        import fcntl

        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._live, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(POLL_SECONDS)
            else:
                return True

    def _who_is_here(self) -> str:
        text = os.pread(self._live, LIVE_BYTES_MAX, 0)
        os.close(self._live)
        self._live = -1
        who = ""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            live = json.loads(text)
            who = f" (process {live['pid']}, {live['url']})"
        return (
            f"another tq dev{who} runs in {self.folder.parent}; use it, stop it with Ctrl-C, or start this one "
            "in another directory. One serves several files: tq dev a.py b.py"
        )

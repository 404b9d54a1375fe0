"""A PostgreSQL of one's own: from Debian's programs, in a directory of its own, on a socket in it, as a user that may run it.

It can be killed, stopped and started again, as no server of a system can be by a test. It outlives no process of tests: a shell waits for the
end of a pipe that only the process which made the server holds, and then ends the server and removes its directory.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

DEBIAN: Final = Path(
    "/usr/lib/postgresql"
)  # has the programs of each version in a folder that is not in PATH
SOCKET_PORT: Final = 5432  # a part of its socket's name
USER: Final = "postgres"  # runs it if root tests: PostgreSQL refuses root
START_SECONDS_MAX: Final = 30.0
END_SECONDS_MAX: Final = 60.0  # a loaded machine removes forty megabytes in twenty
# $1: its directory, $2: the folder of its programs. A server that stands still has to be woken to end.
END_WITH_PARENT: Final = """
exec 2>/dev/null
cat >/dev/null
kill -CONT "$(head -n 1 "$1/data/postmaster.pid")"
"$2/pg_ctl" -D "$1/data" -m immediate stop >/dev/null
rm -rf "$1"
"""


def installed() -> Path | None:
    """The folder of the programs of the newest version."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    versions = [folder for folder in DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    return max(versions, key=lambda folder: int(folder.parent.name), default=None)


class Home:
    """A directory of the user that runs PostgreSQL. It is gone with this process, with a server that still runs in it."""

    def __init__(self, parent: Path | None = None) -> None:
        found = installed()
        assert found is not None
        self.programs = found
        self.user = USER if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="tq-postgres-", dir=parent))
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        # In a session of its own: what ends this process's whole group is to be outlived by it.
        words = ["sh", "-c", END_WITH_PARENT, "sh", str(self.folder), str(found)]
        self._end = subprocess.Popen(
            words, stdin=subprocess.PIPE, user=self.user, cwd="/", start_new_session=True
        )

    def run(self, program: str, *words: str) -> None:
        ours = self.programs / program
        subprocess.run(
            [str(ours) if ours.exists() else program, *words],
            check=True,
            capture_output=True,
            user=self.user,
            cwd=self.folder,
        )

    def remove(self) -> None:
        self._end.communicate(timeout=END_SECONDS_MAX)  # which closes its pipe


@functools.cache
def made(initdb: tuple[str, ...]) -> Home:
    """What ``initdb`` makes, once for all servers of this process: it computes half a second, a copy a tenth of that."""
    home = Home()
    atexit.register(home.remove)
    options = ["-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", *initdb]
    home.run("initdb", "-D", str(home.folder / "data"), *options)
    return home


class PostgresServer:
    """Started by ``start``; ``close`` removes all of it. ``durable``: every commit is synced, as it is by default. ``primary``: it
    follows that one, which runs, until ``promote``. ``parent``: where its directory is made. ``port``: of loopback; None: on its socket only."""

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: tuple[str, ...] = (),
        primary: PostgresServer | None = None,
        parent: Path | None = None,
        port: int | None = None,
        initdb: tuple[str, ...] = (),
    ) -> None:
        self._durable, self._settings, self.port = durable, settings, port
        self._home = Home(parent)
        self.folder, self._run = self._home.folder, self._home.run
        self._server: subprocess.Popen[bytes] | None = None
        if primary is not None:
            options = [*primary._where, "-U", USER, "-R", "-X", "stream", "--no-sync", "-c", "fast"]
            self._run("pg_basebackup", "-D", str(self.folder / "data"), *options)
            return
        self._run("cp", "-a", str(made(initdb).folder / "data"), str(self.folder))

    def url(self, database: str = "postgres", user: str = USER) -> str:
        if self.port is not None:
            return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def start(self) -> None:
        sync = "on" if self._durable else "off"
        settings = [
            "listen_addresses=" if self.port is None else "listen_addresses=127.0.0.1",
            f"port={self.port or SOCKET_PORT}",
            f"unix_socket_directories={self.folder}",
            f"fsync={sync}",
            f"full_page_writes={sync}",
            "max_connections=60",
            *self._settings,
        ]
        words = [word for one in settings for word in ("-c", one)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._home.programs / "postgres"), "-D", str(self.folder / "data"), *words],
                stdout=log,
                stderr=log,
                user=self._home.user,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(0.02)

    @property
    def _where(self) -> list[str]:
        return ["-h", str(self.folder), "-p", str(self.port or SOCKET_PORT)]

    def promote(self) -> None:
        """A standby that becomes the primary."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "promote")

    def create(self, database: str) -> str:
        """A new database; its URL."""
        self._run("createdb", *self._where, "-U", USER, database)
        return self.url(database)

    def sql(self, text: str, database: str = "postgres") -> None:
        self._run(
            "psql",
            "-qX",
            "-v",
            "ON_ERROR_STOP=1",
            *self._where,
            "-U",
            USER,
            "-d",
            database,
            "-c",
            text,
        )

    @property
    def is_running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def kill(self) -> None:
        """As a machine that loses power would: all of its processes, at once."""
        server = self._started
        os.kill(server.pid, signal.SIGSTOP)  # it starts no other, and those that end keep their numbers
        children = self._children()
        with contextlib.ExitStack() as stack:
            ends = [os.pidfd_open(child) for child in children]
            for end in ends:
                stack.callback(os.close, end)
            for process in (server.pid, *children):
                os.kill(process, signal.SIGKILL)
            server.wait(END_SECONDS_MAX)
            # A start is refused while one of them is left, for they have memory in common.
            for end in ends:
                if not select.select([end], [], [], END_SECONDS_MAX)[0]:
                    raise RuntimeError("a process of the killed server does not end")
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)

    def signal_all(self, number: signal.Signals) -> None:
        """SIGSTOP: it stands still with all its processes, until SIGCONT."""
        for process in (self._started.pid, *self._children()):
            os.kill(process, number)

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._server is None:
            raise RuntimeError("start it first")
        return self._server

    def _children(self) -> list[int]:
        """Each is the leader of a session of its own."""
        found: list[int] = []
        for task in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = task.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._started.pid:
                found.append(int(task.parent.name))
        return found

    def close(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)  # which ends its clients' connections
            self._server.wait(END_SECONDS_MAX)
        self._home.remove()

    def _answers(self) -> bool:
        asking = [str(self._home.programs / "pg_isready"), "-q", "-U", USER, *self._where]
        return subprocess.run(asking, check=False, capture_output=True).returncode == 0

"""A PostgreSQL of the tests' own: from Debian's programs, in a directory of its own, on a socket in it, as a user that may run it.

It can be killed, stopped and started again, as no server of a system can be by a test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import pytest

DEBIAN: Final = Path(
    "/usr/lib/postgresql"
)  # has the programs of each version in a folder that is not in PATH
USER: Final = "postgres"  # runs it if root tests: PostgreSQL refuses root
START_SECONDS_MAX: Final = 30.0
END_SECONDS_MAX: Final = 20.0


def programs() -> Path | None:
    """The folder of the programs of the newest version."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    versions = [folder for folder in DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    return max(versions, key=lambda folder: int(folder.parent.name), default=None)


def why_not() -> str | None:
    """Why no test can have one."""
    try:
        import psycopg  # noqa: F401 - whether it is there
    except ImportError:
        return "psycopg is not installed: pip install 'tq[postgres]'"
    return None if programs() is not None else "PostgreSQL is not installed: apt-get install postgresql"


def require() -> None:
    """Skip the test where there is none. With CI set it fails instead."""
    reason = why_not()
    if reason is not None and os.environ.get("CI"):
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


class PostgresServer:
    """Started by ``start``; ``close`` removes all of it. ``durable``: every commit is synced, as it is by default."""

    def __init__(self, *, durable: bool = False, settings: tuple[str, ...] = ()) -> None:
        found = programs()
        assert found is not None
        self._programs, self._durable, self._settings = found, durable, settings
        self._user = USER if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="tq-postgres-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._server: subprocess.Popen[bytes] | None = None
        options = ["-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", "-D", str(self.folder / "data"), *options)

    def url(self, database: str = "postgres", user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def start(self) -> None:
        sync = "on" if self._durable else "off"
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            f"fsync={sync}",
            f"full_page_writes={sync}",
            "max_connections=60",
            *self._settings,
        ]
        words = [word for one in settings for word in ("-c", one)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *words],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            assert self._server.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(0.02)

    def create(self, database: str) -> str:
        """A new database; its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", USER, database)
        return self.url(database)

    def sql(self, text: str, database: str = "postgres") -> None:
        self._run(
            "psql",
            "-qX",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.folder),
            "-U",
            USER,
            "-d",
            database,
            "-c",
            text,
        )

    def kill(self) -> None:
        """As a machine that loses power would: all of its processes, at once."""
        assert self._server is not None
        os.killpg(self._server.pid, signal.SIGKILL)
        for child in self._children():
            os.kill(child, signal.SIGKILL)
        self._server.wait(END_SECONDS_MAX)
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)

    def signal_all(self, number: signal.Signals) -> None:
        """SIGSTOP: it stands still with all its processes, until SIGCONT."""
        assert self._server is not None
        for process in (self._server.pid, *self._children()):
            os.kill(process, number)

    def _children(self) -> list[int]:
        """Each is the leader of a session of its own."""
        assert self._server is not None
        found: list[int] = []
        for task in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = task.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._server.pid:
                found.append(int(task.parent.name))
        return found

    def close(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)  # which ends its clients' connections
            self._server.wait(END_SECONDS_MAX)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        asking = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder), "-U", USER]
        return subprocess.run(asking, check=False, capture_output=True).returncode == 0

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [str(self._programs / program), *words],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.folder,
        )

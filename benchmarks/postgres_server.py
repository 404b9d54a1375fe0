"""A PostgreSQL of the benchmark's own, where its programs are installed: a directory of its own, reached by a socket in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .cluster import await_true

DEBIAN: Final = Path(
    "/usr/lib/postgresql"
)  # has the programs of each version in a folder that is not in PATH
USER: Final = "postgres"  # runs it if root measures: PostgreSQL refuses root
START_SECONDS_MAX: Final = 30.0
END_SECONDS_MAX: Final = 20.0


def installed() -> Path | None:
    """The folder of the programs of the newest version."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    versions = [folder for folder in DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    return max(versions, key=lambda folder: int(folder.parent.name), default=None)


@contextmanager
def postgres(*, durable: bool) -> Iterator[str]:
    """Its URL. ``durable``: with the settings that it comes with, which sync every commit; else nothing is synced."""
    programs = installed()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    user = USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        if user is not None:
            shutil.chown(name, user)
        data, log = Path(name) / "data", Path(name) / "log"
        options = ["-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync"]
        making = [str(programs / "initdb"), "-D", str(data), *options]
        subprocess.run(making, check=True, capture_output=True, user=user, cwd=name)  # noqa: S603 - a program of the system
        sync = "on" if durable else "off"
        settings = ["listen_addresses=", f"unix_socket_directories={name}", f"fsync={sync}"]
        command = [
            str(programs / "postgres"),
            "-D",
            str(data),
            *(word for one in settings for word in ("-c", one)),
        ]
        with log.open("wb") as file:
            server = subprocess.Popen(command, stdout=file, stderr=file, user=user, cwd=name)  # noqa: S603 - likewise
        try:
            asking = [str(programs / "pg_isready"), "-q", "-h", name, "-U", USER]
            await_true(
                lambda: subprocess.run(asking, check=False).returncode == 0,  # noqa: S603 - likewise
                START_SECONDS_MAX,
            )
            yield f"postgresql://{USER}@/postgres?host={name}"
        finally:
            server.terminate()  # which waits for its clients: they have ended
            server.wait(END_SECONDS_MAX)

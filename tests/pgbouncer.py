"""A PgBouncer in transaction mode before a PostgreSQL of the tests: each transaction may get another connection."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from .cluster.programs import END_SECONDS, eventually, free_port
from .postgres_server import USER, PostgresServer

CONFIGURATION: Final = """
[databases]
{database} = host={folder} port=5432 user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_round_robin = 1
default_pool_size = {connections}
logfile = {home}/log
pidfile = {home}/pid
"""


def installed() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pooling(server: PostgresServer, database: str, connections: int = 8) -> Iterator[str]:
    """The address of a database behind it; skips where it is not installed."""
    program = installed()
    if program is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    user = USER if os.geteuid() == 0 else None  # it refuses root
    port, home = free_port(), server.folder / f"pgbouncer-{database}"
    home.mkdir()
    file = home / "pgbouncer.ini"
    file.write_text(
        CONFIGURATION.format(
            database=database,
            folder=server.folder,
            user=USER,
            port=port,
            connections=connections,
            home=home,
        )
    )
    file.chmod(0o644)  # whatever this process lets others read
    if user is not None:
        shutil.chown(home, user)
    with (server.folder / f"{home.name}.said").open("wb") as said:
        process = subprocess.Popen([program, str(file)], cwd="/", user=user, stdout=said, stderr=said)
    try:
        eventually(lambda: (home / "pid").exists() or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError(Path(said.name).read_text())
        yield f"postgresql://{USER}@127.0.0.1:{port}/{database}?sslmode=disable"
    finally:
        process.kill()
        process.wait(END_SECONDS)

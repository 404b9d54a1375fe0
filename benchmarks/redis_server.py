"""A Redis of the benchmark's own, where ``redis-server`` is installed: a free port of 127.0.0.1, a directory of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from .cluster import accepts, await_true, free_port


def installed() -> str | None:
    return shutil.which("redis-server")


@contextmanager
def redis(*, durable: bool) -> Iterator[str]:
    """Its URL. ``durable``: every write is synced before it is answered (``appendfsync always``), which is
    what a task queue has to ask of it to promise what tq promises; else nothing is ever written."""
    program, port = installed(), free_port()
    if program is None:
        raise FileNotFoundError("redis-server is not installed: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as directory:
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        common = ["--bind", "127.0.0.1", "--port", str(port), "--dir", directory, "--save", ""]
        server = subprocess.Popen([program, *common, *kept], stdout=subprocess.DEVNULL)  # noqa: S603 - a program of the system
        try:
            await_true(lambda: accepts(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()

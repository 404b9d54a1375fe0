"""A cluster for as long as a test takes: a real master and a real worker, which nobody has to start by hand.

Both are processes of ours on loopback, with state in a temporary directory; they end with the block, and with
us, however we end. Programs of the package are started by name: nothing of them is imported here.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..common.errors import InvalidArgument, TqError
from .app import App

START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 10.0
POLL_SECONDS: Final = 0.02  # between looks at a log that another process writes
LOG_CHARS: Final = 4_000


@contextlib.contextmanager
def throwaway_cluster(app: App, *, slots: int = 2) -> Iterator[App]:
    """A master and a worker that serves the tasks of ``app``, which talks to them inside the block::

        with tq.throwaway_cluster(app):
            assert square.submit(7).result(timeout=10) == 49

    Wherever the app sends its tasks otherwise, here they go nowhere else. Raises TqError, with what the
    worker said, when it cannot load your code.
    """
    modules = _modules(app)
    with tempfile.TemporaryDirectory(prefix="tq-throwaway-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        arguments = ["--bind", "127.0.0.1:0", "--data", str(folder / "state"), "--durability", "memory"]
        with _started("master", folder, *arguments) as log:
            address = _await(log, r"master\.started .*address=(\S+)")
            arguments = ["--connect", address, "--authkey-file", str(folder / "state" / "worker.key")]
            arguments += ["--slots", str(slots), "--", *modules]
            log = stack.enter_context(_started("worker", folder, *arguments))
            _await(log, r"(worker\.connected)")
            key = (folder / "state" / "client.key").read_text("ascii").strip()
            stack.enter_context(app.redirected(f"tq://{address}", key))
            try:
                yield app
            finally:
                stack.close()  # the worker before its master


class _Log:
    def __init__(self, process: subprocess.Popen[bytes], file: Path) -> None:
        self.process, self._file = process, file

    @property
    def text(self) -> str:
        return self._file.read_text("utf-8", "replace")


@contextlib.contextmanager
def _started(room: str, folder: Path, *arguments: str) -> Iterator[_Log]:
    """A program of the package, on a leash; ended in good order, or else at once."""
    file = folder / f"{room}.log"
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TQ_")}
    command = [sys.executable, "-P", "-m", "tq.common.leash", str(os.getpid()), f"tq.{room}.cli", *arguments]
    with (
        file.open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own modules
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=ours,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield _Log(process, file)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(log: _Log, pattern: str) -> str:
    """What the pattern finds in the log, once it does."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        ended = log.process.poll() is not None
        found = re.search(pattern, log.text)
        if found:
            return found[1]
        if ended or time.monotonic() > deadline:
            raise TqError(f"the throwaway cluster did not start:\n{log.text[-LOG_CHARS:].rstrip()}")
        time.sleep(POLL_SECONDS)


def _modules(app: App) -> list[str]:
    """What a worker has to be given to serve the tasks of an app: files for what is no part of a package."""
    names = sorted({task.function.__module__ for task in app.__tq_tasks__.values()})
    if not names:
        raise InvalidArgument(f"{app!r} has no tasks: mark functions with @app.task before the block begins")
    return [_source(name) for name in names]


def _source(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return str(Path(file).resolve()) if file and "." not in module else module

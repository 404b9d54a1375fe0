"""The process whose copies are a worker's children: it imports modules once, and each child that is forked from it shares their memory.

::

    supervisor ──[module, arguments], descriptors──► Copying ─ fork ─► a child, as if it was started by itself
               ◄──["started", pid], its pidfd───────     │
               ◄──["died", pid, code, peak memory]──────  ◄─ SIGCHLD

What a fork would break is refused when the modules are imported: threads (which are not in the copy, and what they hold locked stays so)
and open sockets (which all copies would write to). It runs no tasks, and it has no thread and no key itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import stat
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ...common.domain import context
from ...common.errors import ConfigError
from ...common.runtime.parent_death import die_with
from ...common.values.failure import Failure
from ...common.wire.frames import pack, unpack
from . import concurrent, loop

MESSAGE_BYTES_MAX: Final = 128 * 1024
DESCRIPTORS_MAX: Final = 16
MAINS: Final = {"tq.worker.child.loop": loop.main, "tq.worker.child.concurrent": concurrent.main}


class Importing:
    """See ``common.domain.context.Surroundings``: no task runs here, and none ever will."""

    owns_process = True

    def context(self) -> None:
        return None

    def is_cancelled(self) -> bool:
        return False

    def progress(self, done: float, total: float | None, note: str) -> None: ...

    def steps(self) -> Any:
        return None

    def lend_slot(self, runs: Sequence[Any]) -> None:
        return None


def preload(modules: Sequence[str]) -> int:
    """Import them. Returns how many threads of libraries in C there are. Raises ConfigError, and what the modules raise."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as children do
    # The one to the supervisor is open before any module is imported.
    before = _sockets()
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            # A module that it imports is missing: its traceback says more than a sentence of ours.
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise
            raise ConfigError(
                f"--preload {name}: there is no module {name!r} (looked in {os.getcwd()} and sys.path); is it installed?"
            ) from None
    threads = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
    if threads:
        raise ConfigError(
            f"--preload {','.join(modules)}: importing starts the thread {threads[0]!r}, which copies of the process would not have; "
            "start it in @app.on_child_start, or preload only modules that start none"
        )
    if _sockets() - before:
        raise ConfigError(
            f"--preload {','.join(modules)}: importing opens a connection, which all children would write to; open it in an @app.resource "
            "or in @app.on_child_start, or preload only modules that open none"
        )
    with contextlib.suppress(OSError):
        return len(list(Path("/proc/self/task").iterdir())) - 1
    return 0


def _sockets() -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that the list was read with
            about = os.fstat(int(name))
            if stat.S_ISSOCK(about.st_mode):
                found.add((about.st_dev, about.st_ino))
    return found


class Copying:
    """``control``: to the supervisor, message by message."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._alive: set[int] = set()
        self._wake, wake = os.pipe()
        # ``set_wakeup_fd`` refuses a descriptor that blocks.
        for descriptor in (self._wake, wake):
            os.set_blocking(descriptor, False)
        # With a handler of Python's, or no byte is written to the pipe.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._wake_end = wake

    def serve(self) -> str | None:
        """Until the supervisor is gone: None. In a child: the module that it is; ``sys.argv`` are its arguments."""
        watched: list[Any] = [self._control, self._wake]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            if self._control in ready:
                message, descriptors, _, _ = socket.recv_fds(
                    self._control, MESSAGE_BYTES_MAX, DESCRIPTORS_MAX
                )
                if not message:
                    return None
                if (module := self._fork(unpack(message), descriptors)) is not None:
                    return module

    def _fork(self, order: list[Any], descriptors: list[int]) -> str | None:
        module, rest = order
        *passed, output = descriptors
        try:
            pid = os.fork()
        except OSError as error:
            self._control.send(pack(["refused", str(error)]))
        else:
            if not pid:
                self._become(passed, output, rest)
                return str(module)
            self._alive.add(pid)
            handle = os.pidfd_open(pid)  # not reaped yet: it is no other process
            socket.send_fds(self._control, [pack(["started", pid])], [handle])
            os.close(handle)
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _become(self, passed: list[int], output: int, rest: list[str]) -> None:
        template = os.getppid()
        # Its pipe is closed below: a signal's byte would go to whatever opens next with its number.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        os.close(self._wake)
        os.close(self._wake_end)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        # As if it was started by itself; the template takes the place of the supervisor, with which it dies.
        sys.argv = [sys.argv[0], str(template), *map(str, passed), *rest]
        numbers: Any = sys.modules.get("numpy.random")
        if numbers is not None:  # Python's own random numbers are others in a fork by themselves
            numbers.seed()

    def _reap(self) -> None:
        # Several deaths may be one signal.
        for pid in list(self._alive):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                self._alive.discard(pid)
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):  # the supervisor is gone: the next look ends this process
                    self._control.send(pack(["died", pid, code, usage.ru_maxrss]))


def main() -> None:
    supervisor, control, *modules = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles Ctrl-C
    die_with(int(supervisor))
    connection = socket.socket(fileno=int(control))
    connection.set_inheritable(False)
    context.provide(Importing())
    try:
        threads = preload(modules)
    except BaseException as error:  # an import may raise anything: all of it is reported
        known = issubclass(type(error), ConfigError)
        connection.send(
            pack([known, str(error) if known else Failure.of(error).traceback])[:MESSAGE_BYTES_MAX]
        )
        return
    template = Copying(connection)
    # Before the freeze: garbage would stay in every child for good.
    gc.collect()
    gc.freeze()  # what is here is not looked at by children's collections, which would copy its pages
    connection.send(pack(["ready", threads]))
    module = template.serve()
    if module is not None:
        MAINS[module]()


if __name__ == "__main__":
    main()

"""Only the process that was started to run tasks writes to its pipes; a process that a task forks does not.

::

    task ─ os.fork() ─┬─► the task goes on, and is reported
                      └─► the fork: its pipes are closed at once; when it leaves the task's function (returns, raises,
                          sys.exit) it ends with the status that a script would have ended with

Without this the fork would report the task a second time, and read from the same pipes as a second process of the slot. A
fork by C code runs no hook of Python, so there is a mark in memory that the kernel wipes in a fork; where there is no such
memory, the process id is compared. A fork that ends by itself (``os._exit``, as all
of multiprocessing does) never gets here. What it prints belongs to the task; calls of an App in it are refused, because their
answers would go to the task's process.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import sys
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from ...common.errors import InvalidArgument
from ...common.values.exception_text import ask
from ...common.values.failure import Failure

FAILED: Final = 1  # the exit status of a script that raises
WIPE_ON_FORK: Final = 18  # MADV_WIPEONFORK of Linux: a fork reads zeros there
# Kept here, because a task may replace functions of the modules ``os`` and ``time``.
_getpid, _exit, _close, _fstat = os.getpid, os._exit, os.close, os.fstat


class ForkGuard:
    """``descriptors``: those of its pipes. They are closed in a fork, and in programs that are executed from here."""

    def __init__(self, descriptors: Iterable[int] = ()) -> None:
        self.pid = _getpid()
        self.at_fork: list[Callable[[], object]] = []  # called in a fork, before its descriptors are closed
        self.is_ours = _make_mark(
            self.pid
        )  # called with 0, it gives 0 in a fork: for who asks after every task
        self._descriptors = [(one, _identity(one)) for one in descriptors]
        for one, _ in self._descriptors:
            # A program that a task executes must not hold the worker's pipes.
            os.set_inheritable(one, False)
        if self._descriptors:
            os.register_at_fork(after_in_child=self._forked)

    @property
    def is_original(self) -> bool:
        """False in a fork."""
        return bool(self.is_ours(0))

    def check(self) -> None:
        """Raises InvalidArgument in a fork, which has no connection to the master."""
        if not self.is_original:
            raise InvalidArgument(
                "this process was forked by a task; only the task's own process is connected to the master: make the "
                "call there, and pass the result"
            )

    def exit_if_forked(self, error: BaseException | None = None) -> None:
        """Called when a task's function has returned, or has raised ``error``. Does not return in a fork."""
        if not self.is_ours(0):
            leave(error)

    def _forked(self) -> None:
        for step in self.at_fork:
            step()
        for descriptor, identity in self._descriptors:
            if (
                _identity(descriptor) == identity
            ):  # else the task has closed it, and its number belongs to another file
                _close(descriptor)


def _make_mark(pid: int) -> Callable[[int], int]:
    """A look that costs no system call: called with 0, it gives 0 in a fork. It is made after every task."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a kernel older than 4.14
            page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            page.madvise(WIPE_ON_FORK)
            page[0] = 1
            # The method itself: no frame of Python for a look after every task.
            return memoryview(page).__getitem__
    getpid = _getpid
    return lambda _: getpid() == pid


def leave(error: BaseException | None) -> NoReturn:
    """End this process as a script ends, without the exit handlers, which are for the task's process."""
    try:
        status = 0 if error is None else _status(error)
    except BaseException:
        # An exception of the task may raise when it is looked at.
        status = FAILED
    for stream in (sys.stdout, sys.stderr):
        ask(stream.flush, None)
    _exit(status)


def _status(error: BaseException) -> int:
    code: object = 0
    if issubclass(type(error), SystemExit):
        code = vars(SystemExit)["code"].__get__(error)
        if code is None or type(code) is int:
            # As the kernel cuts an exit status.
            return (code or 0) & 0xFF
    text = f"{code}\n" if code != 0 else Failure.of(error).traceback
    ask(lambda: sys.stderr.write(text), 0)
    return FAILED


def _identity(descriptor: int) -> tuple[int, int, int] | None:
    with contextlib.suppress(OSError):
        found = _fstat(descriptor)
        return found.st_dev, found.st_ino, stat.S_IFMT(found.st_mode)
    return None

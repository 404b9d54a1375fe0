"""The child processes of a forked worker, forked as well, from a process that has imported what they need: their template.

A child costs a sixth of a second of imports, and the suite starts some hundreds. A worker starts each by ``Popen``; here that asks the
template, which the worker has forked before its own first line. A child has to be the worker's own, whose death it shares and which
reaps it: the template forks a process that forks the child and ends, and the worker adopts what is left of that.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Final

import tq.worker.pools.processes

MODULES: Final = ("tq.worker.child.loop", "tq.worker.child.concurrent")  # what a child may run
NAME: Final = "tq-template"
NUMBER: Final = struct.Struct("!i")  # a process id, or the number of an error below zero
REQUEST_BYTES_MAX: Final = 1 << 17
DESCRIPTORS_MAX: Final = 1 << 16
PR_SET_NAME: Final = 15
PR_SET_CHILD_SUBREAPER: Final = 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def with_template(main: Callable[[], Any]) -> Callable[[], Any]:
    """Fork the template. What this process is to run then: the worker itself, or, in a child of it, what a child runs."""
    connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        connection.close()
        return _serve(theirs)
    theirs.close()

    setattr(tq.worker.pools.processes, "subprocess", forking(connection, lambda: True))  # noqa: B010 - it is no name of ours
    return main


def forking(connection: socket.socket, may: Callable[[], bool]) -> types.SimpleNamespace:
    """In place of the one name by which a worker starts processes. ``may``: whether the next child can be a fork."""

    def popen(words: Sequence[str], **how: Any) -> Any:
        is_child = words[2] in MODULES and may()
        return (functools.partial(ForkedChild, connection) if is_child else subprocess.Popen)(words, **how)

    # Where it has another name, no child would be forked, and no test would show it.
    assert vars(tq.worker.pools.processes)["subprocess"] is subprocess
    return types.SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL)


class ForkedChild:
    """A child process, as the worker's ``Popen`` shows it."""

    def __init__(
        self,
        connection: socket.socket,
        words: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        pass_fds: Sequence[int],
    ) -> None:
        assert list(words[:2]) == [sys.executable, "-m"]
        assert stdin == subprocess.DEVNULL
        self.returncode: int | None = None
        request = json.dumps([words[2], words[3:], os.getcwd(), dict(os.environ), list(pass_fds)]).encode()
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # while it asks: what tasks leave behind is not for it
        try:
            socket.send_fds(connection, [request], [stdout, stderr, *pass_fds])
            [self.pid] = NUMBER.unpack(connection.recv(NUMBER.size))
        finally:
            _prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if self.pid < 0:
            raise OSError(-self.pid, os.strerror(-self.pid))

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)  # the worker sends none to one that it has reaped

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def _serve(connection: socket.socket) -> Callable[[], Any]:
    """In the template: until its worker is gone. Returns in each child, with what that is to run."""
    _prctl(PR_SET_NAME, NAME.encode(), 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 32)
        if not request:
            os._exit(0)
        try:
            pid = _fork_orphan()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            connection.detach()
            return _become_child(*json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(NUMBER.pack(pid))


def _fork_orphan() -> int:
    """In the new process 0, as soon as its parent is gone. An OSError of either fork comes out here."""
    adopted, adopt = os.pipe()
    answer, answered = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            pid = os.fork()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            os.close(adopt)
            os.read(adopted, 1)
            return 0  # what else is open is closed as the child begins
        os.write(answered, NUMBER.pack(pid))
        os._exit(0)
    os.waitpid(between, 0)
    [pid] = NUMBER.unpack(os.read(answer, NUMBER.size))
    for descriptor in (adopted, adopt, answer, answered):
        os.close(descriptor)
    return int(pid)


def _become_child(
    module: str,
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    numbers: list[int],
    descriptors: list[int],
) -> Callable[[], Any]:
    """As ``python -m`` would begin it: the descriptors that it is passed under their numbers, and no others."""
    numbers = [1, 2, *numbers]
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, max(numbers) + 1) for descriptor in descriptors]
    for descriptor, number in zip(moved, numbers, strict=True):
        os.dup2(descriptor, number)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    first = 3
    for number in sorted({*numbers, DESCRIPTORS_MAX} - {1, 2}):
        os.closerange(first, number)
        first = number + 1
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    _prctl(PR_SET_NAME, os.path.basename(sys.executable).encode(), 0, 0, 0)
    sys.path.insert(0, folder)
    sys.argv[:] = ["-m", *arguments]
    sys.modules.pop(module, None)  # which is to be `__main__`, and nothing else
    return lambda: _run_child(module)


def _run_child(module: str) -> None:
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if (
    __name__ == "__main__"
):  # for the tests that are a worker themselves: their process is large, and has threads
    for module in MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1])))())

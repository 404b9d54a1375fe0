"""The processes that a forked program starts, forked as well, from a process that has imported what they need: its template.

A child of a worker costs a sixth of a second of imports, a master or a worker of ``tq.local()`` or ``tq dev`` twice that, and the suite
starts some hundreds. A program starts each by ``Popen``; here what that asks of the system, a fork and an exec, is asked of the template,
which the program has forked before its own first line. What it starts has to be its own, whose death it shares and which it reaps: the
template forks a process that forks the new one and ends, and the program adopts what is left of that.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

CHILDREN: Final = ("tq.worker.child.loop", "tq.worker.child.concurrent")
GUARD: Final = "tq.common.runtime.parent_death"  # starts the module that is its second argument
WORKER: Final = "tq.worker.cli"
PROGRAMS: Final = ("tq.master.cli", WORKER)
# Read by an interpreter when it starts: where these differ from the template's, a process is started by exec.
READ_AT_START: Final = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC_", "UV_")
NAME: Final = "tq-template"
NUMBER: Final = struct.Struct("!i")  # a process id, or the number of an error below zero
REQUEST_BYTES_MAX: Final = 1 << 17
DESCRIPTORS_OF_REQUEST: Final = 32
DESCRIPTORS_MAX: Final = 1 << 16
# Of Popen: no group of processes, group, groups, user and mask of its own, and nothing to be run before.
PLAIN: Final = (-1, None, None, None, -1, None)
PR_SET_NAME: Final = 15
PR_SET_CHILD_SUBREAPER: Final = 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl
_fork_exec: Final = vars(subprocess)["_fork_exec"]


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def with_template(main: Callable[[], Any]) -> Callable[[], Any]:
    """Fork the template. What this process is to run then: its program, or, in what it starts later, what that runs."""
    connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        connection.close()
        return serve(theirs)
    theirs.close()
    setattr(subprocess, "_fork_exec", forking(connection, read_at_start(os.environ)))  # noqa: B010 - a name of Python's
    return main


def is_known(words: Sequence[str]) -> bool:
    """Whether ``python -m`` of one of our modules is started."""
    match words:
        case [sys.executable, "-m", module, *_]:
            return module in (*CHILDREN, *PROGRAMS)
        case [sys.executable, "-P", "-m", module, _, started, *_]:
            return module == GUARD and started in PROGRAMS
    return False


def forking(connection: socket.socket, known: Mapping[str, str]) -> Callable[..., int]:
    """In place of what ``Popen`` calls. ``known``: what the template's interpreter has read at its start."""

    lock, owner = threading.Lock(), os.getpid()

    def fork_exec(
        words: Sequence[Any], executables: Any, close: bool, passed: Sequence[int], folder: Any, given: Any,
        stdin: int, _stdin: int, _stdout: int, stdout: int, _stderr: int, stderr: int,
        failed: int, fail: int, restore: bool, session: bool, *others: Any,
    ) -> int:  # fmt: skip
        texts = [os.fsdecode(word) for word in words]
        pairs = os.environ.items() if given is None else (os.fsdecode(one).split("=", 1) for one in given)
        environment = dict(pairs)
        place = os.getcwd() if folder is None else os.fsdecode(folder)
        numbers = [number for number in passed if number != fail]
        streams = [own if one < 0 else one for own, one in enumerate((stdin, stdout, stderr))]
        request = json.dumps([texts, place, environment, numbers, session]).encode()
        is_plain = close and others[: len(PLAIN)] == PLAIN and read_at_start(environment) == known
        fits = len(request) <= REQUEST_BYTES_MAX and len(streams + numbers) <= DESCRIPTORS_OF_REQUEST
        is_ours = os.getpid() == owner  # a fork of it adopts nothing that the template leaves
        if not (is_known(texts) and is_plain and fits and is_ours):
            return int(
                _fork_exec(
                    words, executables, close, passed, folder, given, stdin, _stdin, _stdout, stdout, _stderr, stderr,
                    failed, fail, restore, session, *others,
                )
            )  # fmt: skip
        with lock:
            _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # while it asks: what tasks leave behind is not for it
            try:
                socket.send_fds(connection, [request], [*streams, *numbers])
                [pid] = NUMBER.unpack(connection.recv(NUMBER.size))
            finally:
                _prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    return fork_exec


def serve(connection: socket.socket) -> Callable[[], Any]:
    """In the template: until its program is gone. Returns in each process that is forked, with what that is to run."""
    _prctl(PR_SET_NAME, NAME.encode(), 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, DESCRIPTORS_OF_REQUEST)
        if not request:
            os._exit(0)
        try:
            pid = _fork_orphan()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            connection.detach()
            return _become(*json.loads(request), descriptors)
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


def _become(
    words: list[str],
    folder: str,
    environment: dict[str, str],
    passed: list[int],
    session: bool,
    descriptors: list[int],
) -> Callable[[], Any]:
    """As ``python -m`` would begin it: the descriptors that it is passed under their numbers, and no others."""
    numbers = [0, 1, 2, *passed]
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, max(numbers) + 1) for descriptor in descriptors]
    for descriptor, number in zip(moved, numbers, strict=True):
        os.dup2(descriptor, number)
    first = 3
    for number in sorted({*numbers, DESCRIPTORS_MAX} - {0, 1, 2}):
        os.closerange(first, number)
        first = number + 1
    if session:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    open_streams()
    _prctl(PR_SET_NAME, os.path.basename(sys.executable).encode(), 0, 0, 0)
    options, (module, *arguments) = words[1 : words.index("-m")], words[words.index("-m") + 1 :]
    if "-P" not in options:
        sys.path.insert(0, folder)
    sys.argv[:] = ["-m", *arguments]
    started = arguments[1] if module == GUARD else module
    for name in {module, started}:
        sys.modules.pop(name, None)  # which is to be `__main__`, and nothing else

    def run() -> None:
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    return with_template(run) if started == WORKER else run


def open_streams() -> None:
    """As an interpreter does when it starts: those of the template know whether what they write to is a terminal, or can be searched."""
    is_unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        mode, buffered = ("wb", 0 if is_unbuffered else -1) if number else ("rb", -1)
        binary = os.fdopen(number, mode, buffered, closefd=False)
        by_lines = number == 2 or (number == 1 and not is_unbuffered and binary.isatty())
        through = number > 0 and is_unbuffered
        stream = io.TextIOWrapper(binary, before.encoding, before.errors, "\n", by_lines, through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":  # for a process that is no forked program
    for module in (GUARD, *CHILDREN, *PROGRAMS):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1])))())

"""A process that has imported the programs of the package, and becomes one of them for each request, by fork.

Run by ``forked_programs``, with the descriptor of a Unix socket. A request is the length of a JSON text with four
descriptors (standard input, output, error, and a pipe), then the text. Into the pipe go the process id and, later, the status.
When the other end of the socket is gone, however that came, all programs that still run are killed.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import io
import json
import os
import select
import signal
import socket
import struct
import sys
import types
from collections.abc import Callable
from typing import Any, Final

import tq.client.app
import tq.client.cli
import tq.master.cli
import tq.worker.cli

if __name__ == "__main__":  # a script with -P does not find what is beside it
    here = os.path.dirname(__file__)
    sys.path += [here, os.path.dirname(here)]
    from child_template import open_streams, with_template
    from new_tables import copy_tables

    del sys.path[-2:]

LENGTH: Final = struct.Struct("!I")  # before a request
NUMBER: Final = struct.Struct("!i")  # a process id, an exit status
DESCRIPTORS_MAX: Final = 1 << 16
MAINS: Final[dict[str, Callable[[], Any]]] = {
    "tq-master": tq.master.cli.main,
    "tq-worker": tq.worker.cli.main,
    "tq": tq.client.cli.main,
}
STARTERS: Final = (["dev"], ["demo"])  # commands of tq that start masters and workers


def is_known(words: list[str]) -> bool:
    """A program of the package, or one of a user that imports it."""
    return os.path.basename(words[0]) in MAINS or (words[0] == sys.executable and words[1].endswith(".py"))


def serve(connection: socket.socket) -> Callable[[], Any] | None:
    """In this process None, at the end; in each that is forked, the program that it is to be."""
    ended, end = os.pipe()
    for descriptor in (ended, end):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}  # process id to the pipe of its request
    while True:
        ready, _, _ = select.select([connection.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _reap(running)
        if connection.fileno() in ready:
            request = _receive(connection)
            if request is None:
                break
            (words, folder, environment), descriptors = request
            pid = os.fork()
            if pid == 0:
                connection.detach()
                return _become(words, folder, environment, descriptors)
            running[pid] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            _answer(running[pid], pid)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return None


def _receive(connection: socket.socket) -> tuple[Any, list[int]] | None:
    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 4)
    if not head:
        return None
    left = LENGTH.unpack(head)[0]
    text = b""
    while len(text) < left:
        text += connection.recv(left - len(text))
    return json.loads(text), descriptors


def _reap(running: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = found
            _answer(running[pid], status)
            os.close(running.pop(pid))


def _answer(pipe: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the test did not wait for it
        os.write(pipe, NUMBER.pack(number))


def _become(
    words: list[str], folder: str, environment: dict[str, str], descriptors: list[int]
) -> Callable[[], Any]:
    """As it would be after an exec: its own streams, folder, environment, arguments and signals, and nothing of ours."""
    os.setpgid(0, 0)  # no Ctrl-C of the terminal
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    os.closerange(3, DESCRIPTORS_MAX)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    open_streams()
    if main := MAINS.get(os.path.basename(words[0])):
        sys.argv[:] = words
        starts_processes = main is tq.worker.cli.main or words[1:2] in STARTERS
        return with_template(main) if starts_processes else main
    sys.argv[:] = words[1:]
    return with_template(functools.partial(_run_script, os.path.abspath(words[1])))


def _run_script(path: str) -> None:
    """As an interpreter does: also what ends after the last line finds the script's module as the main one."""
    sys.path.insert(0, os.path.dirname(path))
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=builtins)
    sys.modules["__main__"] = main
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec")
    try:
        exec(code, main.__dict__)  # noqa: S102
    except Exception as error:
        sys.excepthook(
            type(error), error, error.__traceback__ and error.__traceback__.tb_next
        )  # ours is no part of it
        sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    copy_tables()
    gc.collect()
    gc.freeze()  # pages that no collection writes to stay shared
    main = serve(socket.socket(fileno=int(sys.argv[1])))
    if main is not None:
        sys.exit(main())

"""Tasks for children driven without a supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import logging
import multiprocessing
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import tq
from tq.common.errors import TimeLimit
from tq.common.wire import caller as link

app = tq.App()


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
def wait_for(path: str) -> int:
    """Runs until the other end of a named pipe was opened and closed."""
    with open(path, "rb") as gate:
        gate.read()
    return os.getpid()


@app.task
def signalled(number: int) -> None:
    signal.raise_signal(number)


@app.task
def abort() -> None:
    os.abort()


@app.task
def exit_now(code: int) -> None:
    os._exit(code)


@app.task
def sys_exit(code: int) -> None:
    sys.exit(code)


@app.task
def close_everything() -> None:
    """What a careless daemonizing library does."""
    os.closerange(3, 256)


@app.task
def close_standard_streams() -> str:
    os.closerange(0, 3)
    return "still here"


@app.task
def spin(path: str) -> None:
    """Says through a named pipe that it runs; then an endless loop in C."""
    with open(path, "wb"):
        pass
    sum(itertools.repeat(0))


@app.task
def until_struck(path: str) -> str:
    """Says through a named pipe that it runs; then until something is raised in it."""
    try:
        with open(path, "wb"):
            pass
        threading.Event().wait()
    except BaseException as struck:
        return type(struck).__name__
    return "never"


@app.task
def sleep_after(path: str) -> None:
    """Says through a named pipe that it runs; then runs without end."""
    with open(path, "wb"):
        pass
    threading.Event().wait()


@app.task
def fork_and_leave(path: str) -> None:
    """Dies, and leaves a process behind that has all its descriptors."""
    if os.fork():
        os._exit(7)
    with open(path, "rb"):
        os._exit(0)


@app.task
def fork_and(how: str) -> int:
    """Forks a process that does not end by itself; its exit status."""
    pid = ctypes.CDLL(None).fork() if how == "c" else os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if how == "exit":
        sys.exit(3)
    if how == "words":
        sys.exit("the fork has words")
    if how == "raise":
        raise RuntimeError("the fork raises")
    if how == "ask":
        with contextlib.suppress(tq.InvalidArgument):
            line = link.ambient()
            assert line is not None
            line.call(("get_tasks",), "states", [])
            os._exit(9)  # it was let
    return 77


@app.task
async def fork_in_a_coroutine() -> int:
    return fork_and.function("return")


@app.task
def fork_after_closing(path: str) -> bytes:
    """The numbers of the worker's descriptors are this task's own by now."""
    reader, writer = os.pipe()
    for number in range(3, 1024):
        with contextlib.suppress(OSError):
            if not os.get_inheritable(number) and number not in (reader, writer):
                os.dup2(writer, number, inheritable=False)
    if not (pid := os.fork()):
        for number in range(3, 1024):
            with contextlib.suppress(OSError):
                if number not in (reader, writer) and os.fstat(number).st_ino == os.fstat(writer).st_ino:
                    os.write(number, b"x")
        os._exit(0)
    os.waitpid(pid, 0)
    Path(path).write_bytes(os.read(reader, 100))
    os._exit(0)  # nothing can be reported any more


def _double(number: int) -> int:
    return 2 * number


@app.task
def double_in_a_pool(numbers: list[int]) -> list[int]:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(_double, numbers)


@app.task
def replace_everything() -> None:
    """What a library for tests does, and forgets to undo."""
    for module, names in (
        (time, ["time", "monotonic", "perf_counter", "time_ns"]),
        (os, ["read", "write", "close", "getpid", "urandom", "fstat"]),
        (random, ["random", "uniform"]),
        (socket.socket, ["send", "sendall", "recv"]),
    ):
        for name in names:
            setattr(module, name, lambda *_, **__: "replaced")


class Wish(tq.Retry):
    """Its time is judged when it is made; this one is made otherwise afterwards."""

    def __init__(self, after: Any) -> None:
        super().__init__("again")
        self.after = after


@app.task
def retry_after(after: Any) -> None:
    raise tq.Retry(after=after)


@app.task
def retry_by_another_class(after: Any) -> None:
    raise Wish(after)


@app.task
def snooze(seconds: Any) -> None:
    raise tq.Snooze(seconds)


@app.task
def write_to_every_socket(data: bytes) -> None:
    """What a task does that takes a number for its own."""
    for number in range(3, 1024):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.write(number, data)
    threading.Event().wait()


@app.task
def recurse(depth: int) -> int:
    return recurse(depth + 1)


class Undescribable(Exception):
    @property
    def args(self) -> Any:
        raise AttributeError("response")

    @property  # type: ignore[override]
    def __class__(self) -> Any:
        raise KeyboardInterrupt

    def __str__(self) -> str:
        sys.exit(3)


@app.task
def raise_undescribable() -> None:
    raise Undescribable


@app.task
def raise_chain(links: int) -> None:
    error = ValueError("the first")
    for number in range(links):
        later = ValueError(number)
        later.__context__, error = error, later
    raise error


@app.task
def raise_own_limit() -> None:
    raise TimeLimit


@app.task
def unsendable() -> Any:
    return object()


@app.task
async def later(value: int) -> int:
    return value


@app.task
def talk(words: str) -> None:
    """Says the words in every way there is, in this order."""
    print(words, "printed")
    print(words, "to stderr", file=sys.stderr)
    warnings.warn(f"{words} warned", stacklevel=1)
    logging.getLogger("mine").info("%s logged", words)
    context = tq.current()
    assert context is not None
    context.log.warning("%s by the context", words)
    os.write(1, f"{words} by descriptor\n".encode())
    subprocess.run([sys.executable, "-c", f"print('{words} by a subprocess')"], check=True)
    print(words, "without an end", end="")


@app.task
def printed(text: str) -> None:
    print(text)


@app.task
def by_descriptor(text: str, seconds: float) -> None:
    """Nothing of Python's takes part in this output."""
    os.write(1, text.encode())
    threading.Event().wait(seconds)


@app.task
def advance(steps: int) -> None:
    context = tq.current()
    assert context is not None
    for step in range(steps):
        context.progress(step + 1, steps, f"step {step + 1}")


@app.task
def talk_and_die(path: str, number: int) -> None:
    """Says a line, and how far it is; when the gate is passed it dies."""
    context = tq.current()
    assert context is not None
    context.progress(7, 9)
    print("the last words")
    with open(path, "wb"):
        pass
    signal.raise_signal(number)


@app.task
def break_down() -> None:
    ctypes.string_at(0)


@app.task
def with_context(ctx: tq.Context) -> list[Any]:
    current = tq.current()
    assert current is not None
    return [ctx.id == current.id, ctx.cancelled, ctx.deadline]


@app.task
def context_first(ctx: tq.Context, a: int, b: int) -> list[int]:
    return [a, b, ctx.attempt]


@app.task
def context_last(a: int, b: int, ctx: tq.Context) -> list[int]:
    return [a, b, ctx.attempt]


@app.task
def context_by_name(a: int, b: int, *, ctx: tq.Context) -> list[int]:
    return [a, b, ctx.attempt]

"""Tasks for children driven without a supervisor."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from typing import Any

import tq

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
    """Says through a named pipe that it runs; then for ever."""
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
def recurse(depth: int) -> int:
    return recurse(depth + 1)


@app.task
def unsendable() -> Any:
    return object()


@app.task
async def later(value: int) -> int:
    return value

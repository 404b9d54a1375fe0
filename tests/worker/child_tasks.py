"""Tasks for children driven without a supervisor."""

from __future__ import annotations

import ctypes
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from typing import Any

import tq
from tq.common.errors import TimeLimit

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
    for link in range(links):
        later = ValueError(link)
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

"""Tasks for every kind of pool: each as a function, and as a coroutine function that does the same."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Generator
from typing import Any

import tq
from tq.common.domain.indexes import GPU_VARIABLE

app = tq.App()
Steps = Generator[float, None, Any]


def add_steps(a: int, b: int) -> Steps:
    yield 0
    return a + b


def end_by_steps(how: str) -> Steps:
    yield 0
    match how:
        case "error":
            raise ValueError("its own")
        case "exit":
            sys.exit(3)
        case "retry":
            raise tq.Retry("again", after=7)
        case "snooze":
            raise tq.Snooze(8)
        case "discard":
            raise tq.Discard("of no use")
    return object()


def hold_steps(path: str) -> Steps:
    """Says through a named pipe that it runs; then runs without end."""
    with open(path, "wb"):
        pass
    while True:
        yield 0.002


def catch_steps(path: str) -> Steps:
    """As ``hold_steps``, but it gives the name of what ends it."""
    try:
        yield from hold_steps(path)
    except BaseException as struck:
        return type(struck).__name__


def clean_steps(path: str, left: str) -> Steps:
    """As ``hold_steps``; what it does at its end takes some steps, too."""
    try:
        yield from hold_steps(path)
    finally:
        yield 0.001
        with open(left, "w") as file:
            file.write("cleaned up")
        yield 0.001
    return None


def units_steps() -> Steps:
    """Which units of resources are its own, by its context and by its environment."""
    yield 0
    context = tq.current()
    assert context is not None
    return {name: list(units) for name, units in context.indexes.items()}, os.environ.get(GPU_VARIABLE)


def die_steps(code: int) -> Steps:
    yield 0
    os._exit(code)


def talk_steps(name: str, lines: int) -> Steps:
    """Says lines, in two portions each, and how far it is."""
    context = tq.current()
    assert context is not None
    for number in range(lines):
        print(name, end=" ")
        yield 0.001
        print(number)
        context.progress(number + 1, lines, name)


def _offer(steps: Any) -> None:
    """Both forms of a task."""

    def function(*args: Any) -> Any:
        return _drive(steps(*args))

    async def coroutine(*args: Any) -> Any:
        going = steps(*args)
        try:
            seconds = next(going)
            while True:
                try:
                    await _later(seconds)
                except BaseException as error:
                    seconds = going.throw(error)
                else:
                    seconds = next(going)
        except StopIteration as end:
            return end.value

    for form, ending in ((function, ""), (coroutine, "_later")):
        form.__name__ = form.__qualname__ = steps.__name__.removesuffix("_steps") + ending
        globals()[form.__name__] = app.task(form)


async def _later(seconds: float) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, done.set)
    await done.wait()


def _drive(going: Steps) -> Any:
    try:
        seconds = next(going)
        while True:
            try:
                threading.Event().wait(seconds)
            except BaseException as error:
                seconds = going.throw(error)
            else:
                seconds = next(going)
    except StopIteration as end:
        return end.value


for _steps in (
    add_steps,
    end_by_steps,
    hold_steps,
    catch_steps,
    clean_steps,
    units_steps,
    die_steps,
    talk_steps,
):
    _offer(_steps)


@app.task
async def block_later(path: str) -> None:
    """Says that it runs, and then keeps the loop for itself."""
    os.close(os.open(path, os.O_WRONLY))
    threading.Event().wait(60)


@app.task
async def count_ends_later(least: int) -> int:
    """How many tasks of the loop ended between two of its turns, at most; until fewer than ``least`` are left."""
    most, before = 0, len(asyncio.all_tasks())
    while before >= least:
        await asyncio.sleep(0)
        left = len(asyncio.all_tasks())
        most, before = max(most, before - left), left
    return most


@app.task
async def fill_later(size_bytes: int) -> bytes:
    return bytes(size_bytes)


def _stand(path: str) -> None:
    for mode in ("wb", "rb"):
        with open(path, mode):  # gevent's ``os.close`` closes later
            pass


@app.task
async def end_slowly_later(path: str) -> None:
    """Says that its report is made, and stands there until it may go on: a machine that is slow just then."""
    from tq.worker.child.concurrent_job import ConcurrentJob

    over = ConcurrentJob.over

    def slow(job: ConcurrentJob) -> None:
        ConcurrentJob.over = over  # type: ignore[method-assign]
        over(job)
        _stand(path)

    ConcurrentJob.over = slow  # type: ignore[method-assign]


@app.task
def end_slowly(path: str) -> None:
    """As ``end_slowly_later``, in a greenlet, behind its function."""
    from tq.worker.child.greenlets import GreenletJob

    leave = GreenletJob.leave_thread

    def slow(job: GreenletJob) -> None:
        GreenletJob.leave_thread = leave  # type: ignore[method-assign]
        leave(job)
        _stand(path)

    GreenletJob.leave_thread = slow  # type: ignore[method-assign]


@app.task
async def stay_later() -> None:
    """Until it is asked to end."""
    await asyncio.Event().wait()


_here = 0


def _meet(others: int) -> Steps:
    """Until as many of these run at a time."""
    global _here
    _here += 1
    while _here < others:
        yield 0.001


@app.task
def meet(others: int) -> None:
    _drive(_meet(others))


@app.task
async def meet_later(others: int) -> None:
    for seconds in _meet(others):
        await _later(seconds)

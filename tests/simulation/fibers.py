"""Code that waits, in the simulated time: the threads of a shipped part run under the scheduler, one at a time.

::

    scheduler ─► resume ─► the code runs ─► it waits ─► scheduler ─► … ─► what it waits for, or its time ─► resume

A fiber has a thread of its own, but the scheduler stands still while it runs, and it while the scheduler does: what happens, and in
which order, is decided by the seed alone.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from .world import SECOND, Process, World

# What is imported in simulated time may keep its clock for good: this does.
with suppress(ImportError):
    import psycopg.waiting  # noqa: F401

RealThread, RealEvent = threading.Thread, threading.Event
MONOTONIC: Final = 1_000.0  # what the clocks of all hosts begin with


class Gone(BaseException):
    """The run is over: what still waits ends. No Exception: nothing of tq is to handle it."""


class Fiber:
    """``target`` begins at the next turn of the process."""

    def __init__(self, process: Process, target: Callable[[], object]) -> None:
        self._process, self._target = process, target
        self._turn, self._back = threading.Lock(), threading.Lock()
        self._turn.acquire()
        self._back.acquire()
        self._wait_number = 0  # a wake-up for an earlier wait is none
        self._ends = False
        self._error: BaseException | None = None
        self.is_over = False
        self.over = Event()
        process.world.fibers.append(self)
        self._thread: threading.Thread | None = None
        process.later(0, self._resume)

    def wait(self, seconds: float | None) -> None:
        """Called by its own code: until ``wake``, or for so long."""
        self._wait_number += 1
        number = self._wait_number
        if seconds is not None:
            self._process.later(int(seconds * SECOND), lambda: self._woken(number))
        self._back.release()
        self._turn.acquire()
        if self._ends:
            raise Gone

    def wake(self) -> None:
        number = self._wait_number
        self._process.later(0, lambda: self._woken(number))

    def end(self) -> None:
        """Whatever it waits for will not come."""
        if self._thread is not None and not self.is_over:
            self._ends = True
            self._resume()

    def _woken(self, number: int) -> None:
        if number == self._wait_number and not self.is_over:
            self._wait_number += 1
            self._resume()

    def _resume(self) -> None:
        world = self._process.world
        before, world.fiber = world.fiber, self
        if self._thread is None:
            self._thread = _real_thread(self._run)
            self._thread.start()
        else:
            self._turn.release()
        self._back.acquire()
        world.fiber = before
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            self._target()
        except Gone:
            pass
        except BaseException as error:  # raised where the scheduler is
            self._error = error
        self.is_over = True
        if not self._ends:
            self.over.set()
        self._back.release()


class Event:
    """In the place of ``threading.Event``."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Fiber] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for fiber in self._waiting:
            fiber.wake()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        fiber = _world().fiber
        if not self._is_set:
            assert fiber is not None, "the loop of a simulated process waits for a thread"
            self._waiting.append(fiber)
            try:
                fiber.wait(timeout)
            finally:
                self._waiting.remove(fiber)
        return self._is_set


class Thread:
    """In the place of ``threading.Thread``: of the process whose code makes it."""

    def __init__(self, *, target: Callable[[], object], name: str = "", daemon: bool = False) -> None:
        self._target = target
        self._fiber: Fiber | None = None

    def start(self) -> None:
        process = _world().process
        assert process is not None
        self._fiber = Fiber(process, self._target)

    def is_alive(self) -> bool:
        return self._fiber is not None and not self._fiber.is_over

    def join(self, timeout: float | None = None) -> None:
        if self._fiber is not None and self.is_alive() and _world().fiber is not None:
            self._fiber.over.wait(timeout)


def _real_thread(target: Callable[[], None]) -> threading.Thread:
    replaced = threading.Event
    threading.Event = RealEvent  # type: ignore[misc]
    try:  # it makes an event of its own by that name
        return RealThread(target=target, daemon=True)
    finally:
        threading.Event = replaced  # type: ignore[misc]


_worlds: list[World] = []


def _world() -> World:
    return _worlds[-1]


def pause_for(seconds: float) -> None:
    fiber = _world().fiber
    assert fiber is not None, "the loop of a simulated process sleeps"
    fiber.wait(seconds)


def seconds_passed(*_: Any) -> float:
    """By the clock of the process whose code asks."""
    world = _world()
    rate = 1.0 if world.process is None else world.process.clock_rate
    return MONOTONIC + world.now / SECOND * rate


def process_here() -> Process:
    """Whose code asks."""
    process = _world().process
    assert process is not None, "no process of the simulation runs"
    return process


@contextmanager
def in_simulated_time() -> Iterator[Callable[[World], None]]:
    """Threads, events and clocks are those of the world that is begun, while the context lasts; what still waits then is ended."""
    number = len(_worlds)
    replaced = [
        (threading, "Thread", Thread),
        (threading, "Event", Event),
        (time, "sleep", pause_for),
        (time, "monotonic", seconds_passed),
        (time, "clock_gettime", seconds_passed),
        (secrets, "token_hex", _token),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    try:
        yield _worlds.append
    finally:
        for world in _worlds[number:]:
            for fiber in world.fibers:
                fiber.end()
        for owner, name, value in before:
            setattr(owner, name, value)
        del _worlds[number:]


def _token(size: int) -> str:
    """Of an owner: it only has to be another one each time."""
    world = _world()
    world.tokens += 1
    return f"{world.tokens:0{2 * size}x}"

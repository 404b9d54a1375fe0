"""Outcomes of tasks in this process, and the box in which they wait for their reader.

::

    I/O thread: put(slices) ──► OutcomeBox ──► one reader: take_leading(run), take_arrived(), await future(id)

A box has one reader, which removes what it takes: results of any number of tasks stream through bounded memory. A box
knows nothing of connections. The reader decodes bodies in its own thread, so that the I/O thread never does.

One lock guards all boxes. It is held across a fork, so that a child never inherits it locked by a thread that does not
exist there. Code that runs under it must not free a handle.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ...common.contract.tasks import OutcomeSlice
from ...common.domain.id_runs import PLACE_BYTES, IdRun
from ...common.domain.model import StateNumber
from ...common.errors import TaskError, TqError, UnknownTask
from ..core.fork import guard

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..core.session import ClientSession

SUCCEEDED: Final = int(StateNumber.SUCCEEDED)  # compared a hundred thousand times a second: not as an enum
UNKNOWN: Final = -1  # the master's answer for a task that it does not know

_lock = guard(threading.Lock())


class TaskOutcome(NamedTuple):
    """How a task ended; the body is still encoded."""

    state: int
    body: bytes | None

    def value(self, id: bytes, session: ClientSession | None = None) -> Any:
        """The result; raises TaskError, or UnknownTask when there is no such task. ``session`` fetches the content of its
        blobs."""
        if self.state != SUCCEEDED:
            raise cast(TaskError, self.error(id))
        if self.body is None:
            return None
        return _decoder()(session, self.body, id)

    def error(self, id: bytes) -> TaskError | None:
        if self.state == SUCCEEDED:
            return None
        if self.state == UNKNOWN:
            raise unknown_task(id)
        from ...common.values.failure import Failure, to_error

        return to_error(StateNumber(self.state), Failure.decode(self.body))


@functools.cache
def _decoder() -> Callable[[ClientSession | None, bytes, bytes], Any]:
    """Imported for the first result and cached: an import statement for each result would take as long as decoding."""
    from ..blobs.blobs import decode_result

    return decode_result


def unknown_task(id: bytes) -> UnknownTask:
    from ...common.domain.ids import show_id

    return UnknownTask(
        f"no task has the id {show_id(id)}: it was never submitted to this master, or its result was kept no longer; "
        "a flow is found by app.get_flow(id)"
    )


class OutcomeBox:
    """Outcomes that have arrived and were not taken yet, in slices as they came.

    A reader waits for one task, by its id, or for a number of outcomes of any tasks.
    """

    __slots__ = ("__weakref__", "_arrived", "_changed", "_count", "_error", "_futures", "_places", "_readers")

    def __init__(self) -> None:
        self._arrived: dict[bytes, OutcomeSlice] = {}  # by first ids, in the order of arrival
        self._places: dict[
            bytes, list[int]
        ] = {}  # where slices of several tasks begin, in order, by what the ids of a block have in common
        self._count = 0  # of tasks
        self._changed = threading.Condition(_lock)
        self._futures: dict[bytes | int, list[Future[None]]] = {}
        self._readers = 0
        self._error: TqError | None = None

    # the I/O thread's side

    def put(self, slices: Sequence[OutcomeSlice]) -> None:
        with _lock:
            for one in slices:
                self._add(one)
            woken = self._take_woken() if self._futures else ()
            if self._readers:
                self._changed.notify_all()
        # Outside the lock: completing a future runs its callbacks, which may use this or another box.
        _wake(woken)

    def fail(self, error: TqError) -> None:
        """Outcomes that have not arrived yet never will."""
        with _lock:
            self._error = error
            woken = [future for futures in self._futures.values() for future in futures]
            self._futures.clear()
            self._changed.notify_all()
        _wake(woken)

    def _add(self, one: OutcomeSlice) -> None:
        tasks = len(one.bodies)
        known = self._arrived.get(one.first)
        if known is not None:  # watched again by another link: what came last counts
            self._remove(known)
        self._arrived[one.first] = one
        self._count += tasks
        if tasks > 1:
            insort(self._places.setdefault(one.first[:-PLACE_BYTES], []), _place(one.first))

    def _take_woken(self) -> list[Future[None]]:
        wants = [want for want in self._futures if self._is_here(want)]
        return [future for want in wants for future in self._futures.pop(want)]

    # the reader's side

    def restart(self) -> None:
        """Forget an earlier failure, before the tasks are watched again."""
        self._error = None

    def __len__(self) -> int:
        return self._count

    def peek(self, id: bytes) -> TaskOutcome | None:
        """The outcome of a task if it has arrived."""
        with _lock:
            one = self._slice_with(id)
        if one is None:
            return None
        place = 0 if one.first == id else _place(id) - _place(one.first)
        return TaskOutcome(one.state, one.bodies[place])

    def take_leading(self, run: IdRun) -> list[OutcomeSlice]:
        """Take the outcomes of a run from its first task on, up to the first one that is missing."""
        taken: list[OutcomeSlice] = []
        begun = 0
        with _lock:
            while begun < run.length:
                one = self._slice_with(run.id(begun))
                if one is None:
                    break
                start = run.place - _place(one.first) + begun
                stop = min(len(one.bodies), start + run.length - begun)
                self._remove(one)
                # What is before and behind the wanted part stays, as slices of its own.
                if start:
                    self._add(one.part(0, start))
                if stop < len(one.bodies):
                    self._add(one.part(stop, len(one.bodies)))
                taken.append(one.part(start, stop))
                begun += stop - start
        return taken

    def take_arrived(self) -> list[OutcomeSlice]:
        """Take all outcomes, in the order of arrival."""
        with _lock:
            slices = list(self._arrived.values())
            self._arrived.clear()
            self._places.clear()
            self._count = 0
        return slices

    def _remove(self, one: OutcomeSlice) -> None:
        tasks = len(one.bodies)
        del self._arrived[one.first]
        self._count -= tasks
        if tasks > 1:
            common = one.first[:-PLACE_BYTES]
            places = self._places[common]
            del places[bisect_left(places, _place(one.first))]
            if not places:
                del self._places[common]

    def _slice_with(self, id: bytes) -> OutcomeSlice | None:
        """The slice that has the outcome of this task."""
        one = self._arrived.get(id)
        if one is None and self._places:
            places = self._places.get(id[:-PLACE_BYTES], ())
            before = bisect_left(places, _place(id)) - 1
            if before >= 0:
                first = id[:-PLACE_BYTES] + places[before].to_bytes(PLACE_BYTES, "big")
                one = self._arrived[first]
                if _place(id) >= places[before] + len(one.bodies):
                    return None
        return one

    def wait(self, want: bytes | int, deadline: float | None) -> bool:
        """Block until the wanted outcomes have arrived; False when the (monotonic) deadline passed before."""
        with _lock:
            self._readers += 1
            try:
                while not self.check(want):
                    rest = None if deadline is None else deadline - time.monotonic()
                    if rest is not None and rest <= 0:
                        return False
                    self._changed.wait(rest)
            finally:
                self._readers -= 1
        return True

    async def wait_async(self, want: bytes | int, deadline: float | None) -> bool:
        """``wait`` for an event loop, without blocking."""
        import asyncio

        while not self.check(want):
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(self._future(want)), rest)
        return True

    def check(self, want: bytes | int) -> bool:
        """Whether the wanted outcomes have arrived; raises the error that the box failed with."""
        # Before the error: what has arrived is still good.
        if self._is_here(want):
            return True
        if self._error is not None:
            raise self._error
        return False

    def _future(self, want: bytes | int) -> Future[None]:
        """Completes when ``check`` would return True or raise."""
        from concurrent.futures import Future

        future: Future[None] = Future()
        with _lock:
            # Checked again under the lock: an outcome that arrived since ``check`` would wake no future.
            ready = self._is_here(want) or self._error is not None
            if not ready:
                self._futures.setdefault(want, []).append(future)
        if ready:
            future.set_result(None)
        return future

    def _is_here(self, want: bytes | int) -> bool:
        return self._count >= want if isinstance(want, int) else self._slice_with(want) is not None


def _place(id: bytes) -> int:
    return int.from_bytes(id[-PLACE_BYTES:], "big")


def _wake(futures: Sequence[Future[None]]) -> None:
    for future in futures:
        if future.set_running_or_notify_cancel():  # else its `await` was cancelled
            future.set_result(None)

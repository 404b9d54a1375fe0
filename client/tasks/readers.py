"""Readers: outcomes of many tasks as a stream, for ``for`` and ``async for`` alike.

::

    OutcomeReading: watch ahead ─► OutcomeBox ─► Results (in order of submission) | Completed (as the tasks end)

Readers remove what they yield, so any number of tasks streams through bounded memory. The results can be read again from
the master as long as it keeps them. A reader belongs to one thread.

Invariant: a task is watched once per reading, before it is waited for.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from ...common.contract.tasks import OutcomeRow, OutcomeSlice
from ...common.domain.id_runs import IdRun
from ...common.values.batches import decode_plain_values
from .outcomes import SUCCEEDED, OutcomeBox, TaskOutcome
from .stalls import Stall

if TYPE_CHECKING:
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .handle import Handle

T = TypeVar("T")

ASK_TASKS: Final = 5_000  # watched at a time
AHEAD_TASKS: Final = 10_000  # watched before they are needed: hides the round trip, bounds the memory


class OutcomeReading:
    """One reader's box, and how many of its tasks are watched so far. ``runs(start, stop)``: the ids of that range."""

    def __init__(
        self,
        links: Sequence[ClientLink],
        box: OutcomeBox,
        runs: Callable[[int, int], list[IdRun]],
        total: int,
        asked: int,
    ) -> None:
        self._links, self.box, self.runs, self.total, self._asked = links, box, runs, total, asked
        self.taken = 0

    @property
    def missing(self) -> int:
        return self.total - self.taken

    def ask_ahead(self) -> None:
        """Watch the next tasks before they are needed. Only a reading with a single link has tasks left to watch."""
        # Counted from what was taken: a reader that pauses does not fill memory with results.
        while self._asked < self.total and self._asked - self.taken < AHEAD_TASKS:
            stop = min(self.total, self._asked + ASK_TASKS)
            self._links[0].watch(self.box, self.runs(self._asked, stop))
            self._asked = stop

    def __del__(self) -> None:
        # A reader that is dropped early: the loop was left by ``break``, or by an error.
        if self.taken < self.total:
            for link in self._links:
                link.forget(self.box)


class _TaskReader(Generic[T]):
    """The common part of both readers."""

    def __init__(self, session: ClientSession | None, reading: OutcomeReading, timeout: float | None) -> None:
        """``session``: of the tasks, or of one of them; None: there are none."""
        self._session, self._reading, self._timeout = session, reading, timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._reason = ""

    def _awaited(self) -> bytes | None:
        """A task that is waited for. The one that was submitted last, as a rule: it ends late."""
        last = self._reading.runs(self._reading.total - 1, self._reading.total)
        return last[0].first if last else None

    def _wait(self, want: bytes | int) -> bool:
        stall = self._stall()
        arrived = stall.wait(self._reading.box, want, self._deadline)
        self._reason = stall.reason
        return arrived

    async def _wait_async(self, want: bytes | int) -> bool:
        stall = self._stall()
        arrived = await stall.wait_async(self._reading.box, want, self._deadline)
        self._reason = stall.reason
        return arrived

    def _stall(self) -> Stall:
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        return Stall(cast("ClientSession", self._session), self._awaited, left, runs=self._named)

    def _named(self) -> list[IdRun]:
        """All that it waits for, ended ones among them."""
        return self._reading.runs(0, self._reading.total)

    def _late(self) -> TimeoutError:
        because = f". Of one of them: {self._reason}" if self._reason else ""
        return TimeoutError(
            f"{self._reading.missing:,} tasks did not end within {self._timeout:g} s; they go on{because}"
        )


class Results(_TaskReader[T], Iterator[T], AsyncIterator[T]):
    """See ``Handles.results``."""

    def __init__(
        self,
        session: ClientSession,
        reading: OutcomeReading,
        timeout: float | None,
        return_exceptions: bool,
        received: Callable[[Any], Any] | None = None,
    ) -> None:
        """``received``: makes each result of plain data."""
        super().__init__(session, reading, timeout)
        self._received = received
        self._return_exceptions = return_exceptions
        self._runs: deque[IdRun] = deque()  # to read next; the reader waits for the first of them
        self._slices: deque[OutcomeSlice] = deque()  # taken, not decoded yet
        self._ready: deque[Any] = deque()  # the next to yield; an OutcomeRow must be opened first

    def __iter__(self) -> Results[T]:
        return self

    def __aiter__(self) -> Results[T]:
        return self

    def __next__(self) -> T:
        # A local name: this runs for each of a million results.
        ready = self._ready
        while not ready:
            if self._fill():
                break
            if not self._runs:
                raise StopIteration
            if not self._wait(self._runs[0].first):
                raise self._late()
        value = ready.popleft()
        return self._opened(value) if type(value) is OutcomeRow else value

    async def __anext__(self) -> T:
        while not self._ready:
            if self._fill():
                break
            if not self._runs:
                raise StopAsyncIteration
            if not await self._wait_async(self._runs[0].first):
                raise self._late()
        value = self._ready.popleft()
        return self._opened(value) if type(value) is OutcomeRow else cast(T, value)

    def _awaited(self) -> bytes | None:
        return self._runs[0].first if self._runs else None

    def _named(self) -> list[IdRun]:
        return list(self._runs)

    def _fill(self) -> bool:
        """Decode the next outcomes that have arrived; False when there are none."""
        if not self._slices:
            self._take()
            if not self._slices:
                return False
        some = self._slices.popleft()
        is_plain = some.state == SUCCEEDED and self._received is None
        values = decode_plain_values(some.bodies) if is_plain else None
        # What is not plain is opened one by one in its turn: that may raise, or run code of the program.
        self._ready.extend(some.rows() if values is None else values)
        return True

    def _take(self) -> None:
        """Take what has arrived of the next tasks without a gap."""
        reading = self._reading
        if not self._runs and reading.missing:
            reading.ask_ahead()
            self._runs.extend(reading.runs(reading.taken, reading.taken + ASK_TASKS))
        while self._runs:
            run = self._runs[0]
            slices = reading.box.take_leading(run)
            taken = sum(len(one.bodies) for one in slices)
            self._slices.extend(slices)
            reading.taken += taken
            # A gap: what has come behind it waits in the box for its turn.
            if taken < run.length:
                self._runs[0] = run.part(taken, run.length)
                break
            self._runs.popleft()

    def _opened(self, row: OutcomeRow) -> T:
        outcome = TaskOutcome(row.state, row.body)
        if self._return_exceptions and row.state != SUCCEEDED:
            # Returned, as by asyncio.gather(return_exceptions=True).
            return cast(T, outcome.error(row.id))
        value = outcome.value(row.id, self._session)
        return cast(T, value if self._received is None else self._received(value))


class Completed(_TaskReader[T], Iterator["Handle[T]"], AsyncIterator["Handle[T]"]):
    """See ``tq.as_completed``. ``seen`` returns the handles for an outcome; they are made as they are read."""

    def __init__(
        self,
        session: ClientSession | None,
        reading: OutcomeReading,
        timeout: float | None,
        seen: Callable[[bytes, TaskOutcome], list[Handle[T]]],
    ) -> None:
        super().__init__(session, reading, timeout)
        self._seen = seen
        self._slices: deque[OutcomeSlice] = deque()  # taken, without handles yet
        self._ready: Iterator[Handle[T]] = iter(())

    def __iter__(self) -> Completed[T]:
        return self

    def __aiter__(self) -> Completed[T]:
        return self

    def __next__(self) -> Handle[T]:
        while True:
            for handle in self._ready:
                return handle
            if self._fill():
                continue
            if not self._reading.missing:
                raise StopIteration
            if not self._wait(1):
                raise self._late()

    async def __anext__(self) -> Handle[T]:
        while True:
            for handle in self._ready:
                return handle
            if self._fill():
                continue
            if not self._reading.missing:
                raise StopAsyncIteration
            if not await self._wait_async(1):
                raise self._late()

    def _fill(self) -> bool:
        """Go on with the next outcomes that have arrived; False when there are none."""
        if not self._slices:
            self._reading.ask_ahead()
            self._slices.extend(self._reading.box.take_arrived())
            if not self._slices:
                return False
        some = self._slices.popleft()
        self._reading.taken += len(some.bodies)
        outcomes = map(TaskOutcome, repeat(some.state), some.bodies)
        self._ready = chain.from_iterable(map(self._seen, some.run.ids(), outcomes))
        return True

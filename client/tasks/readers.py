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
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from ...common.contract.tasks import OutcomeRow
from ...common.values.batches import decode_plain_values
from .outcomes import SUCCEEDED, OutcomeBox, TaskOutcome
from .stalls import Stall

if TYPE_CHECKING:
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .handle import Handle

T = TypeVar("T")

_state_of, _body_of = attrgetter("state"), attrgetter("body")  # of rows, without a call of Python for each

ASK_TASKS: Final = 5_000  # watched at a time
AHEAD_TASKS: Final = 10_000  # watched before they are needed: hides the round trip, bounds the memory


class OutcomeReading:
    """One reader's box, and how many of its tasks are watched so far. ``ids(start, stop)``: the ids of that range."""

    def __init__(
        self,
        links: Sequence[ClientLink],
        box: OutcomeBox,
        ids: Callable[[int, int], list[bytes]],
        total: int,
        asked: int,
    ) -> None:
        self._links, self.box, self.ids, self.total, self._asked = links, box, ids, total, asked
        self.taken = 0

    @property
    def missing(self) -> int:
        return self.total - self.taken

    def ask_ahead(self) -> None:
        """Watch the next tasks before they are needed. Only a reading with a single link has tasks left to watch."""
        while self._asked < self.total and self._asked - self.taken < AHEAD_TASKS:
            stop = min(self.total, self._asked + ASK_TASKS)
            self._links[0].watch(self.box, self.ids(self._asked, stop))
            self._asked = stop

    def __del__(self) -> None:
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
        last = self._reading.ids(self._reading.total - 1, self._reading.total)
        return last[0] if last else None

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
        return Stall(cast("ClientSession", self._session), self._awaited, left)

    def _late(self) -> TimeoutError:
        because = f". Of one of them: {self._reason}" if self._reason else ""
        return TimeoutError(
            f"{self._reading.missing:,} tasks did not end within {self._timeout:g} s; they go on{because}"
        )


class Results(_TaskReader[T], Iterator[T], AsyncIterator[T]):
    """See ``Handles.results``."""

    def __init__(
        self, session: ClientSession, reading: OutcomeReading, timeout: float | None, return_exceptions: bool
    ) -> None:
        super().__init__(session, reading, timeout)
        self._return_exceptions = return_exceptions
        self._next: bytes | None = None  # the task to wait for, and those behind it
        self._ids: Iterator[bytes] = iter(())
        self._ready: deque[Any] = deque()  # the next to yield; an OutcomeRow must be opened first

    def __iter__(self) -> Results[T]:
        return self

    def __aiter__(self) -> Results[T]:
        return self

    def __next__(self) -> T:
        ready = self._ready
        while not ready:
            if self._fill():
                break
            if self._next is None:
                raise StopIteration
            if not self._wait(self._next):
                raise self._late()
        value = ready.popleft()
        return self._opened(value) if type(value) is OutcomeRow else value

    async def __anext__(self) -> T:
        while not self._ready:
            if self._fill():
                break
            if self._next is None:
                raise StopAsyncIteration
            if not await self._wait_async(self._next):
                raise self._late()
        value = self._ready.popleft()
        return self._opened(value) if type(value) is OutcomeRow else cast(T, value)

    def _awaited(self) -> bytes | None:
        return self._next

    def _fill(self) -> bool:
        """Take the next outcomes that have arrived; False when there are none."""
        reading = self._reading
        if self._next is None and reading.missing:
            reading.ask_ahead()
            self._ids = iter(reading.ids(reading.taken, reading.taken + ASK_TASKS))
            self._next = next(self._ids)
        if self._next is None:
            return False
        rows, self._next = reading.box.take_leading(self._next, self._ids)
        reading.taken += len(rows)
        values = _plain_results(rows)
        self._ready.extend(rows if values is None else values)
        return bool(rows)

    def _opened(self, row: OutcomeRow) -> T:
        outcome = TaskOutcome(row.state, row.body)
        if self._return_exceptions and row.state != SUCCEEDED:
            return cast(T, outcome.error(row.id))
        return cast(T, outcome.value(row.id, self._session))


def _plain_results(rows: Sequence[OutcomeRow]) -> list[Any] | None:
    """The results of tasks that all succeeded with small plain ones; None for any others, which are opened one by one in
    their turn: that may raise, or run code of the program."""
    if set(map(_state_of, rows)) != {SUCCEEDED}:
        return None
    return decode_plain_values(list(map(_body_of, rows)))


class Completed(_TaskReader[T], Iterator["Handle[T]"], AsyncIterator["Handle[T]"]):
    """See ``tq.as_completed``. ``seen`` returns the handles for an outcome."""

    def __init__(
        self,
        session: ClientSession | None,
        reading: OutcomeReading,
        timeout: float | None,
        seen: Callable[[bytes, TaskOutcome], list[Handle[T]]],
    ) -> None:
        super().__init__(session, reading, timeout)
        self._seen = seen
        self._arrived: deque[OutcomeRow] = deque()
        self._ready: deque[Handle[T]] = deque()

    def __iter__(self) -> Completed[T]:
        return self

    def __aiter__(self) -> Completed[T]:
        return self

    def __next__(self) -> Handle[T]:
        while not self._ready:
            if self._fill():
                continue
            if not self._reading.missing:
                raise StopIteration
            if not self._wait(1):
                raise self._late()
        return self._ready.popleft()

    async def __anext__(self) -> Handle[T]:
        while not self._ready:
            if self._fill():
                continue
            if not self._reading.missing:
                raise StopAsyncIteration
            if not await self._wait_async(1):
                raise self._late()
        return self._ready.popleft()

    def _fill(self) -> bool:
        """Make the handles of one outcome that has arrived; False when there is none."""
        if not self._arrived:
            self._reading.ask_ahead()
            self._arrived.extend(self._reading.box.take_arrived())
            if not self._arrived:
                return False
        id, state, body = self._arrived.popleft()
        self._reading.taken += 1
        self._ready.extend(self._seen(id, TaskOutcome(state, body)))
        return True

"""The handles of a map with ``unique=`` or ``cache=``: places may share a task, which is waited for once.

::

    places    0   1   2   3          the calls of the map, in their order, without those that were skipped
    tasks     A   B       C          each once, in the order of their first places: what is read from the master
                  └───◄── 2          place 2 has the task of place 1
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ...common.errors import TaskError, UnknownTask
from .handle import FoundHandle, Handle
from .handles import Handles
from .id_runs import IdRuns
from .outcomes import OutcomeBox, TaskOutcome
from .readers import OutcomeReading, Results

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...common.domain.id_runs import IdRun
    from ..core.session import ClientSession

T = TypeVar("T")


class UniqueHandles(Handles[T]):
    """See ``Handles``. Each handle says whether its task was there before: ``handle.cached``."""

    def __init__(self, session: ClientSession, received: Callable[[Any], Any] | None = None) -> None:
        super().__init__(session, received=received)
        self._tasks = IdRuns()  # each once
        self._task_of = array("Q")  # by place, which of these
        self._was_there = bytearray()  # by place
        self._known: dict[bytes, int] = {}
        self._places: Counter[int] = Counter()  # how many have a task, if several do

    def add(self, id: bytes, *, was_there: bool) -> None:
        """Append the task of the next place."""
        number = int.from_bytes(id, "big")
        task = self._known.setdefault(id, len(self._tasks))
        if task == len(self._tasks):
            self._tasks.append(number, 1)
        else:
            # Counts from the second place on; most tasks have one, and no entry.
            self._places[task] = max(1, self._places[task]) + 1
        self._ids.append(number, 1)
        self._task_of.append(task)
        self._was_there.append(was_there)

    def answered(self, runs: Sequence[IdRun], others: Sequence[Any], *, skips: bool) -> None:
        """Append the tasks of one call. ``others``: ``[place, id]`` of those that were there instead. ``skips``: these are left out."""
        instead = dict(others)
        for place, id in enumerate(id for run in runs for id in run.ids()):
            other = instead.get(place)
            if other is None or not skips:
                self.add(other or id, was_there=other is not None)

    @overload
    def __getitem__(self, index: int) -> Handle[T]: ...
    @overload
    def __getitem__(self, index: slice) -> Handles[T]: ...
    def __getitem__(self, index: int | slice) -> Handle[T] | Handles[T]:
        if isinstance(index, int):
            return self._at(range(len(self))[index])
        chosen: UniqueHandles[T] = UniqueHandles(self._session, self._received)
        for place in range(len(self))[index]:
            chosen.add(self._ids.id(place), was_there=bool(self._was_there[place]))
        return chosen

    def __iter__(self) -> Iterator[Handle[T]]:
        return map(self._at, range(len(self)))

    def _at(self, place: int) -> Handle[T]:
        kind = FoundHandle if self._was_there[place] else Handle
        return kind(self._session, self._ids.id(place), received=self._received)

    def results(self, timeout: float | None = None, *, return_exceptions: bool = False) -> Results[T]:
        if not self._places:
            return super().results(timeout, return_exceptions=return_exceptions)
        how = timeout, return_exceptions, self._received
        return SharedResults(self._session, self._reading(), *how, self._task_of, self._places)

    def _reading(self) -> OutcomeReading:
        return OutcomeReading([self._session.link], OutcomeBox(), self._tasks.between, len(self._tasks), 0)

    def _handle(self, id: bytes, outcome: TaskOutcome) -> list[Handle[T]]:
        task = self._known[id]
        # Found by a search only for what several places have: the rest costs nothing.
        first = self._task_of.index(task) if task in self._places else None
        if first is None:
            return super()._handle(id, outcome)
        places = [place for place in range(first, len(self)) if self._task_of[place] == task]
        handles = [self._at(place) for place in places]
        for handle in handles:
            handle._outcome = outcome
        return handles


class SharedResults(Results[T]):
    """The results in the order of the places; what several places have is kept from its first one to its last."""

    def __init__(
        self,
        session: ClientSession,
        reading: OutcomeReading,
        timeout: float | None,
        return_exceptions: bool,
        received: Callable[[Any], Any] | None,
        task_of: array[int],
        places: Counter[int],
    ) -> None:
        super().__init__(session, reading, timeout, return_exceptions, received)
        self._task_of, self._left = task_of, Counter(places)
        self._place = self._read = 0
        self._kept: dict[int, tuple[T | None, Exception | None]] = {}

    def __next__(self) -> T:
        if self._place == len(self._task_of):
            raise StopIteration
        if self._is_new:
            try:
                self._keep(super().__next__(), None)
            except (TaskError, UnknownTask) as error:
                self._keep(None, error)
        return self._of_place()

    async def __anext__(self) -> T:
        if self._place == len(self._task_of):
            raise StopAsyncIteration
        if self._is_new:
            try:
                self._keep(await super().__anext__(), None)
            except (TaskError, UnknownTask) as error:
                self._keep(None, error)
        return self._of_place()

    @property
    def _is_new(self) -> bool:
        """Whether the task of this place is the next one to be read: they are in the order of their first places."""
        return self._task_of[self._place] == self._read

    def _keep(self, value: T | None, error: Exception | None) -> None:
        self._kept[self._read] = value, error
        self._read += 1

    def _of_place(self) -> T:
        task = self._task_of[self._place]
        self._place += 1
        self._left[task] -= 1
        # Dropped at its last place, so that results still stream through bounded memory.
        value, error = self._kept[task] if self._left[task] > 0 else self._kept.pop(task)
        if error is not None:
            raise error
        return cast(T, value)

"""Sends tasks to the master in calls of about a thousand, and receives their outcomes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ....common.contract.rows import all_from_wire
from ....common.contract.tasks import LastRun, OutcomeRow, OutcomeSlice, rows_of
from ....common.domain.id_runs import runs_of
from ....common.domain.shards import shard_of_id
from ....common.errors import InvalidArgument, TaskConflict, TqError
from ....common.values.codec import encode_call
from ...app import App
from ...tasks.answers import TASKS
from ...tasks.handles import CALL_TASKS_MAX
from ...tasks.options import Choice
from ...tasks.outcomes import OutcomeBox
from ...tasks.payloads import CHUNK_BYTES, CHUNK_TASKS
from ...tasks.submission import Tasks, runs_of_tasks, submit_many
from .item_ids import ItemIds
from .item_lanes import ItemLanes, Keys
from .printing import AttemptFacts
from .stopping import Wakeup

FACTS_TASKS_MAX: Final = 1_000  # as the master answers at a time
FACTS_SECONDS_MAX: Final = 30.0


class _WakingBox(OutcomeBox):
    """Rings for everything that comes in. Its errors are kept for the loop, which knows what was refused alone."""

    __slots__ = ("_wakeup", "errors")

    def __init__(self, wakeup: Wakeup) -> None:
        super().__init__()
        self._wakeup, self.errors = wakeup, list[TqError]()

    def put(self, slices: Sequence[OutcomeSlice]) -> None:
        super().put(slices)
        self._wakeup.wake()

    def fail(self, error: TqError) -> None:
        self.errors.append(error)
        self._wakeup.wake()


@dataclass(slots=True)
class _Gathered:
    """Tasks that are about to be sent."""

    tasks: Tasks
    bytes: int = 0


class ItemSubmission:
    """Submits any number of tasks of one callable with one set of options."""

    def __init__(self, app: App, name: str, choice: Choice, wakeup: Wakeup) -> None:
        self._app, self._name, self._choice, self._wakeup = app, name, choice, wakeup
        self._box = _WakingBox(wakeup)
        self.lanes = ItemLanes(choice, name)
        self._keys: dict[bytes, Keys] = {}  # of tasks that may be sent once more, if their keys differ
        self._gathered: dict[int, _Gathered] = {}  # by shard: a call is to one
        self._under_way: deque[tuple[Tasks, Future[Any]]] = deque()
        self._cancelled: list[Future[Any]] = []
        self.has_stored = False  # anything; before, there is nothing to go on with

    @cached_property
    def ids(self) -> ItemIds:
        """Asks for the number of shards: what is refused without it is refused without a master."""
        return ItemIds(self._app.session, self._choice, self.lanes)

    @property
    def calls_under_way(self) -> int:
        return len(self._under_way)

    def add(self, id: bytes, args: tuple[Any, ...], kwargs: dict[str, Any], keys: Keys = ()) -> int:
        """One more task; the bytes of its payload. ``keys``: those of its item. Raises NotSerializable."""
        payload = encode_call(args, kwargs)
        if keys:
            self._keys[id] = keys
        shard = shard_of_id(id)
        gathered = self._gathered.get(shard)
        if gathered is None:
            gathered = self._gathered[shard] = _Gathered([])
        gathered.tasks.append((id, payload))
        gathered.bytes += len(payload)
        if len(gathered.tasks) >= CHUNK_TASKS or gathered.bytes >= CHUNK_BYTES:
            self._call(self._gathered.pop(shard).tasks)
        return len(payload)

    def send(self) -> None:
        """Send what is gathered."""
        gathered, self._gathered = self._gathered, {}
        for one in gathered.values():
            self._call(one.tasks)

    def settle(self) -> list[tuple[bytes, str]]:
        """Look at the calls that are answered; tasks that the master refused, with its words.

        A call is refused as a whole: then its tasks are sent again one by one, to find the faulty ones. Raises errors that
        no task caused.
        """
        refused: list[tuple[bytes, str]] = []
        # In order: the oldest first, so that refusals come in the order of the items.
        while self._under_way and self._under_way[0][1].done():
            tasks, answer = self._under_way.popleft()
            error = answer.exception()
            if error is None:
                self.has_stored = True
                self._forget_keys(tasks)
                continue
            # No task's own fault (a lost key, a full store): sending them one by one would fail a thousand times.
            if not tasks or not isinstance(error, (InvalidArgument, TaskConflict)):
                raise error
            if len(tasks) == 1:
                refused.append((tasks[0][0], str(error)))
                self._forget_keys(tasks)
            for task in tasks if len(tasks) > 1 else ():
                self._call([task])
        while self._box.errors:
            failure = self._box.errors.pop()
            # The refused call, above, has reported errors of single tasks already.
            if not isinstance(failure, (InvalidArgument, TaskConflict)):
                raise failure
        return refused

    def take_outcomes(self) -> list[OutcomeRow]:
        return rows_of(self._box.take_arrived()) if len(self._box) else []

    def stop_watching(self) -> None:
        """Stop receiving results; they stay with the master until they are requested."""
        self._app.session.link.forget(self._box)

    def watch(self, ids: list[bytes]) -> None:
        """Request results; those of ended tasks arrive at once."""
        self._app.session.link.watch(self._box, list(runs_of(ids)))

    def retry(self, ids: list[bytes]) -> None:
        """Run tasks again that ended without success, and watch them again."""
        link = self._app.session.link
        for start in range(0, len(ids), CALL_TASKS_MAX):
            some = ids[start : start + CALL_TASKS_MAX]
            answer = link.call(
                TASKS, "retry", [some], repeatable=True
            )  # twice is as good: a ready task stays ready
            self._under_way.append(([], answer))
            link.watch(self._box, list(runs_of(some)))

    def cancel(self, ids: list[bytes]) -> None:
        """Cancel tasks that have not ended."""
        self.send()
        for start in range(0, len(ids), CALL_TASKS_MAX):
            some = ids[start : start + CALL_TASKS_MAX]
            answer = self._app.session.link.call(TASKS, "cancel", [some], repeatable=True)
            # The loop sleeps in poll(), and a future rings nothing by itself.
            answer.add_done_callback(lambda _: self._wakeup.wake())
            self._cancelled.append(answer)

    @property
    def is_cancel_acknowledged(self) -> bool:
        return all(answer.done() for answer in self._cancelled)

    def facts(self, ids: Sequence[bytes]) -> dict[bytes, AttemptFacts]:
        """Who ran them and how long their last attempt took; of those the master still knows."""
        found: dict[bytes, AttemptFacts] = {}
        for start in range(0, len(ids), FACTS_TASKS_MAX):
            some = list(ids[start : start + FACTS_TASKS_MAX])
            answer = self._app.call(TASKS, "last_runs", some, timeout=FACTS_SECONDS_MAX)
            for run in all_from_wire(LastRun, answer):
                known = run.started is not None and run.finished is not None
                seconds = round(run.finished - run.started, 3) if known else None  # type: ignore[operator]
                found[run.id] = AttemptFacts(run.worker, seconds)
        return found

    def progress(self, ids: list[bytes]) -> Future[Any]:
        """How far those are that run; see ``progress.py``. Rings nothing: the bar can wait."""
        return self._app.session.link.call(TASKS, "progress", [ids], repeatable=True)

    def show(self, id: bytes) -> Future[Any]:
        """Everything about one; see ``stall_warning.py``."""
        return self._app.session.link.call(TASKS, "show", [id], repeatable=True)

    def _forget_keys(self, tasks: Tasks) -> None:
        for id, _ in tasks if self._keys else ():
            self._keys.pop(id, None)

    def _call(self, tasks: Tasks) -> None:
        session = self._app.session
        choice = self.lanes.choice([self._keys.get(id, ()) for id, _ in tasks])
        stored = submit_many(
            session, self._name, choice, runs_of_tasks(tasks), self._box, session.link, parent=None
        )
        stored.add_done_callback(lambda _: self._wakeup.wake())
        self._under_way.append((tasks, stored))

"""What other shards need of this one: it is kept until they release it, and they get to know how it ends.

::

    NEED ─► promised ─► answered: what has ended, or is not there, in portions ─► Endings.ended of the rest, as it comes ─► RELEASE

What is not there, or is in a queue that the key over there may not use, has ended in the state -1. ``answered`` of a promise stands in its row:
what ends behind that place is in the answer, which comes to it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ...common.domain.globs import fits_any
from ...common.domain.id_runs import IdRun, disjoint
from ...common.domain.model import StateNumber
from ..dependencies.dependent import UNKNOWN
from ..dependencies.needed_tasks import NeededTasks
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.overlaps import Overlaps
from ..store.interface.edges import ElsewhereRow, PromiseRow
from ..store.interface.store import Store
from ..tasks.routes import Routes
from .bodies import EdgeKind, EndedSpan, pack_runs, unpack_queues
from .lines import ROW_BYTES, ROW_TASKS, EdgeLines

DOUBTED: Final = -1  # ``answered`` of a promise that was not asked for again yet
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)


class PromisedRun(NamedTuple):
    """Which run, by which shard, and by whose rights."""

    to_shard: int
    queues: bytes
    run: IdRun


class Promise:
    def __init__(self, asked: PromisedRun, number: int, answered: int) -> None:
        self.asked, self.number, self.answered = asked, number, answered
        self.shows = False  # whether any of its tasks is there for that key

    @property
    def row(self) -> PromiseRow:
        return PromiseRow(*self.asked, self.answered)


class Promises:
    def __init__(self, store: Store, routes: Routes, tasks: NeededTasks, lines: EdgeLines) -> None:
        self._tasks, self._store, self._routes, self._lines = tasks, store, routes, lines
        self._known: dict[PromisedRun, Promise] = {}
        self._by_run: Overlaps[Promise] = Overlaps()
        self._by_shard: Counter[int] = Counter()
        self._answers: deque[Promise] = deque()  # to be given
        self._next_number = 0

    def load(self) -> None:
        self._known.clear()
        self._by_run.clear()
        self._by_shard.clear()
        self._answers.clear()
        for row in self._store.edges.promises():
            promise = self._add(PromisedRun(*row[:3]), row.answered)
            promise.shows = True  # what was answered before is not known
            if 0 <= row.answered < row.run.length:
                self._answers.append(promise)

    @property
    def shards(self) -> set[int]:
        """Those to which something is promised."""
        return {shard for shard, promises in self._by_shard.items() if promises}

    @property
    def has_answers(self) -> bool:
        return bool(self._answers)

    def is_promised(self, run: IdRun) -> bool:
        return self._by_run.has(run)

    # what other shards say

    def shards_of(self, run: IdRun) -> set[int]:
        """The shards that need any of these tasks."""
        return {promise.asked.to_shard for _, _, promise in self._by_run.over(run)}

    def asked(self, of_shard: int, rows: Sequence[ElsewhereRow]) -> None:
        changed: list[PromiseRow] = []
        for row in rows:
            asked = PromisedRun(of_shard, *row)
            promise = self._known.get(asked) or self._add(asked, 0)
            promise.answered = 0
            changed.append(promise.row)
            self._answers.append(promise)
        self._store.edges.promise(changed)

    def released(self, of_shard: int, rows: Iterable[ElsewhereRow]) -> None:
        self._forget(
            [self._known[asked] for row in rows if (asked := PromisedRun(of_shard, *row)) in self._known]
        )

    def doubt(self, of_shard: int) -> None:
        """It says again what it needs."""
        changed = [promise for asked, promise in self._known.items() if asked.to_shard == of_shard]
        for promise in changed:
            promise.answered = DOUBTED
        self._store.edges.promise([promise.row for promise in changed])

    def all_said(self, of_shard: int) -> None:
        self._forget(
            [
                promise
                for asked, promise in self._known.items()
                if asked.to_shard == of_shard and promise.answered == DOUBTED
            ]
        )

    def answer_again(self, to_shard: int) -> None:
        """It may lack what was said to it."""
        mine = (one for one in self._known.values() if one.asked.to_shard == to_shard)
        self.asked(to_shard, [ElsewhereRow(*one.asked[1:]) for one in mine if one.answered != DOUBTED])

    def _add(self, asked: PromisedRun, answered: int) -> Promise:
        self._next_number += 1
        promise = self._known[asked] = Promise(asked, self._next_number, answered)
        self._by_run.add(asked.run, promise.number, promise)
        self._by_shard[asked.to_shard] += 1
        return promise

    def _forget(self, promises: Sequence[Promise]) -> None:
        for promise in promises:
            del self._known[promise.asked]
            self._by_run.forget(promise.asked.run, promise.number)
            self._by_shard[promise.asked.to_shard] -= 1
        self._store.edges.forget_promises([promise.row for promise in promises])

    # what happens to tasks

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        if not self._known:
            return
        for run, route, _, state, bodies, _ in tasks:
            to_say: dict[tuple[int, bytes], list[IdRun]] = {}
            for part, place, promise in self._by_run.over(run):
                answered = promise.answered - place
                if answered > 0 and self._shows(promise.asked.queues, route):
                    to = promise.asked.to_shard, promise.asked.queues
                    to_say.setdefault(to, []).append(part.part(0, min(part.length, answered)))
            for (to_shard, queues), parts in to_say.items():
                for part in disjoint(parts):
                    start = run.place_of(part.first)
                    some = list(bodies[start : start + part.length])
                    self._lines.say_ended(
                        to_shard, queues, EndedSpan(part.first, state, self._task(route), some)
                    )

    def again(self, id: bytes, route: int) -> None:
        """A task that had ended is to run again."""
        if not self._known:
            return
        run, to_say = IdRun(id, 1), dict[tuple[int, bytes], None]()
        for _, _, promise in self._by_run.over(run):
            if self._shows(promise.asked.queues, route):
                to_say[promise.asked.to_shard, promise.asked.queues] = None
        for to_shard, queues in to_say:
            self._lines.say(to_shard, EdgeKind.AGAIN, pack_runs([ElsewhereRow(queues, run)]))

    # answers

    def answer(self, tasks: int, size: int) -> None:
        """So many at most, and bytes of results; of one run at least."""
        if self._answers:
            self._store.settle()  # what was submitted is there
        changed: dict[Promise, None] = {}
        unseen: list[Promise] = []
        while self._answers and tasks > 0 and size > 0:
            promise = self._answers[0]
            run, start = promise.asked.run, promise.answered
            if self._known.get(promise.asked) is not promise or not 0 <= start < run.length:
                self._answers.popleft()
                continue
            part = run.part(start, min(run.length, start + min(tasks, ROW_TASKS)))
            given, said = self._answer(promise, part, min(size, ROW_BYTES))
            tasks, size = tasks - given, size - said
            promise.answered += given
            changed[promise] = None
            if promise.answered == run.length:
                self._answers.popleft()
                if not promise.shows:  # nothing is kept for who may not see it
                    unseen.append(promise)
        self._store.edges.promise([promise.row for promise in changed])
        self._forget(unseen)

    def _answer(self, promise: Promise, run: IdRun, room: int) -> tuple[int, int]:
        """How many of these were looked at, and the bytes of their results."""
        to_shard, queues, _ = promise.asked
        looked = size = 0
        for span in self._tasks.states(run, None):
            if span.state == UNKNOWN or not self._shows(queues, span.route):
                hidden = EndedSpan(span.first, UNKNOWN, "", span.length)
                self._lines.say_ended(to_shard, queues, hidden)
                looked += span.length
                continue
            promise.shows = True
            if span.state < SUCCEEDED:
                looked += span.length
                continue
            for bodies in self._bodies(IdRun(span.first, span.length), room - size):
                first = run.id(looked)
                self._lines.say_ended(
                    to_shard, queues, EndedSpan(first, span.state, self._task(span.route), bodies)
                )
                looked += len(bodies)
                size += sum(len(body or b"") for body in bodies)
                if size >= room:
                    return looked, size
        return looked, size

    def _bodies(self, run: IdRun, room: int) -> Iterator[list[bytes | None]]:
        """Of tasks that ended alike: few at first, and as many then as may fit."""
        start, step = 0, 1
        while start < run.length:
            part = run.part(start, min(run.length, start + step))
            found = {row.id: row.body for row in self._store.outcomes(part.ids())}
            bodies = [found.get(id) for id in part.ids()]
            yield bodies
            size, start = sum(len(body or b"") for body in bodies), start + part.length
            room -= size
            step = max(1, min(start, max(0, room) * part.length // max(1, size)))

    def _task(self, route: int) -> str:
        return self._routes.by_number[route].task

    def _shows(self, queues: bytes, route: int) -> bool:
        """Whether a key with these rights may know of tasks of this route."""
        return not queues or fits_any(self._routes.by_number[route].queue.name, unpack_queues(queues))

"""Queues of tasks with a bound, and keys with a quota: which submits are accepted at once, which wait for room, and which are refused.
Pure.

::

    submit ─► there is room ───────────────────────────► accepted
           └► full ─┬► on_full="raise" ────────────────► Full
                    ├► by a task of this very queue ───► WouldDeadlock
                    └► waits, behind those that came before ─(tasks were leased, ended)─► accepted, in portions as there is room

A submit with a key that has a quota (key_quotas.py) waits in the same way until there is room in both, in a line of its key: it keeps
no other key's submits waiting.

What waits in a queue are its tasks that no worker has: ready, scheduled or blocked. A submit of more tasks than there is room for is
stored in portions, and answered when all of it is; its ids are known, so a program that lost its connection meanwhile sends it again
and nothing is stored twice. Submits of which all is stored already, as after a lost connection, are answered whatever the bound.

The bound is of submits: what the master puts into a queue itself (retries, tasks of schedules, callbacks of flows, items that become
tasks) is never refused, because no caller is there that could wait.

Invariants: 1. a submit brings no queue above its bound; 2. submits to one queue with one quota, or none, are accepted in
the order of their calls; 3. every
submit is answered, or its session is gone.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from ...common.domain.id_runs import runs_of
from ...common.domain.ids import show_id
from ...common.domain.on_full import RAISE
from ...common.domain.quota_parts import QuotaHere
from ...common.errors import Full, InvalidArgument, TqError, WouldDeadlock
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.refusals import voids
from ..engine.session import LATER, Session
from ..store.interface.store import Picture, Store
from .dispatch import SUBMIT_TASKS_MAX, Dispatch
from .key_quotas import KeyQuotas, KeyUse
from .known_tasks import new_tasks
from .leases import LeasedTasks
from .plan import Submission, SubmitCall
from .route import Queue, Route
from .routes import Routes
from .submitted import NewRun, only, split
from .subscriptions import Subscriptions

MAXSIZE_MAX: Final = 1_000_000_000  # a bound beyond it is none
PORTION_TASKS: Final = 10_000  # accepted by one transaction of what waits, of all queues together
TASK_BYTES: Final = 160  # of memory for each task of a submit that waits, besides its arguments


@dataclass(slots=True, eq=False)
class WaitingSubmit:
    """``all``: its tasks. ``new``: those of them that were not stored when they were looked up, of which the first ``done`` are by now.
    ``judged``: all of it, as it was judged last; ``rest``: what of that is not stored yet. If it names what may be gone, it is judged
    once more for each portion: what was right when the call came may not be by then."""

    said: SubmitCall
    all: list[NewRun]
    new: frozenset[bytes]
    counted: int  # how many were new when the call came
    done: int = 0
    parent: bytes | None = None  # the task that submits, if one does
    is_sure: bool = True  # False: a transaction failed, so that what is new has to be looked up
    size: int = 0  # of the arguments of the next one
    judged: Submission | None = None
    rest: list[NewRun] = field(default_factory=list)

    @property
    def is_lasting(self) -> bool:
        """Whether it names nothing that may be gone by the next portion: judging ten thousand tasks takes milliseconds."""
        said = self.said
        return said.blobs is None and said.flow is None and not (self.all and self.all[0].needs)

    @property
    def left(self) -> int:
        return len(self.new) - self.done


class _Bounds(NamedTuple):
    """What a submit must have room in: a queue, and the quota of a key; empty: it has none."""

    queue: str
    owner: str


@dataclass(slots=True)
class _WaitingLine:
    """The submits that wait for room within the same bounds."""

    queue: Queue
    owner: str
    submits: dict[WaitingSubmit, None] = field(default_factory=dict)  # in the order of their calls


class FullQueues(Part):
    def __init__(
        self,
        store: Store,
        routes: Routes,
        dispatch: Dispatch,
        running: LeasedTasks,
        subscriptions: Subscriptions,
        quotas: KeyQuotas,
    ) -> None:
        self._store, self._routes, self._dispatch, self._running = store, routes, dispatch, running
        self._subscriptions, self._quotas = subscriptions, quotas
        self._lines: dict[_Bounds, _WaitingLine] = {}

    # calls

    def submit(self, said: SubmitCall, runs: list[NewRun]) -> object:
        """A submit to a queue with a bound, or with a key that has a quota. Raises Full, WouldDeadlock and InvalidArgument."""
        submission = self._judged(said, runs)
        queue, owner = submission.route.queue, submission.owner
        bounds = _Bounds(queue.name, owner)
        # Behind another submit of the same bounds even if this one would fit: small ones would starve a large one.
        is_first = not any(
            line.queue is queue and (line.owner == owner or self._quota_room(line) > 0)
            for line in self._lines.values()
        )
        if is_first and self._fits(submission, submission.tasks, submission.size):
            return self._dispatch.accept(submission)
        new = self._new(submission)  # the look has written what was submitted in this transaction before
        sizes = [
            len(payload)
            for one in submission.runs
            for id, payload in zip(one.run.ids(), one.payloads, strict=True)
            if id in new
        ]
        # Only what is new needs room: a repeat after a lost connection is answered however full it is.
        if not new or (is_first and self._fits(submission, len(new), sum(sizes))):
            return self._dispatch.accept(submission)
        # Before it waits: what never fits must be refused, or its sender waits without end.
        if owner:
            _check_ever_fits(owner, self._quotas.here(owner), max(sizes))
        if said.on_full == RAISE:
            raise Full(self._words(queue, owner, len(new), sum(sizes), others_wait=not is_first))
        self._check_parent(submission, queue)
        call = said.call
        # The arguments stay in the master's memory while they wait: charged to whom they belong to.
        call.hold(sum(len(payload) + TASK_BYTES for one in runs for payload in one.payloads))
        waiting = WaitingSubmit(said, runs, new, len(new), parent=submission.parent, size=sizes[0])
        self._lines.setdefault(bounds, _WaitingLine(queue, owner)).submits[waiting] = None
        call.abandon = lambda: self._forget(bounds, waiting)
        # What is stored may end while the rest waits: watched from now on.
        if said.stream is not None and (known := [id for id in submission.ids() if id not in new]):
            self._subscriptions.watch_known(call.session, said.stream, list(runs_of(known)))
        return LATER

    def waiting_in(self, queue: str) -> tuple[int, int]:
        """How many submits wait for room in a queue, and how many tasks they have left."""
        every = [one for line in self._lines.values() if line.queue.name == queue for one in line.submits]
        return len(every), sum(one.left for one in every)

    def waiting_inside(self, workers: Container[int]) -> dict[bytes, str]:
        """The tasks which these workers run that wait for room in a queue, and which."""
        found: dict[bytes, str] = {}
        for line in self._lines.values():
            for one in line.submits:
                held = None if one.parent is None else self._running.get(one.parent)
                if one.parent is not None and held is not None and held.worker in workers:
                    found[one.parent] = line.queue.name
        return found

    def coming(self, session: Session) -> set[bytes]:
        """The tasks of submits of this session that wait."""
        every = (waiting for line in self._lines.values() for waiting in line.submits)
        return set[bytes]().union(*(one.new for one in every if one.said.call.session is session))

    def bound(self, name: str, maxsize: int) -> None:
        """Change the bound of a queue; 0: none. What waits there stays."""
        queue = self._routes.queue(name)
        self._store.bound_queue(name, maxsize)
        queue.maxsize = maxsize

    def _judged(self, said: SubmitCall, runs: list[NewRun]) -> Submission:
        return self._dispatch.judge.submission(said, self._routes.route(said.queue, said.task), runs)

    def _new(self, submission: Submission) -> frozenset[bytes]:
        """Those of its tasks that are not stored. Raises TaskConflict."""
        known: dict[bytes, tuple[int, int | bytes]] = {
            found.id: (self._routes.plain_number(found.route), found.seq)
            for found in self._store.find(submission.ids())
        }
        return frozenset(new_tasks(submission, known, self._store.payload))

    def _check_parent(self, submission: Submission, queue: Queue) -> None:
        """A task of the queue itself must not wait for room in it: it holds the slot that would make some."""
        parent = submission.parent
        held = None if parent is None else self._running.get(parent)
        if parent is None or held is None:
            return
        lane = self._routes.by_number[held.route]
        if submission.owner and lane.key.owner == submission.owner:
            raise WouldDeadlock(
                f"task {show_id(parent)} submits with the key that it was submitted with, whose quota is used up: if it waited for room, it "
                "would not end, and so not make any. Write using(on_full='raise') and do something else at tq.Full, or raise the quota: "
                f"tq keys set {submission.owner} --max-queued N"
            )
        is_full = queue.maxsize and (not submission.owner or self._dispatch.room_in(queue) < submission.tasks)
        if lane.queue is queue and is_full:
            raise WouldDeadlock(
                f"task {show_id(parent)} submits to its own queue {queue.name}, which is full ({queue.waiting:,} of {queue.maxsize:,} "
                "tasks wait): if it waited for room, it would keep the slot that makes room. Submit to another queue, write "
                f"using(on_full='raise') and do something else at tq.Full, or raise the bound: tq queues set {queue.name} --maxsize N"
            )

    # room

    def _fits(self, submission: Submission, tasks: int, size: int) -> bool:
        owner = submission.owner
        # Includes what this transaction has accepted and not written yet.
        if tasks > self._dispatch.room_in(submission.route.queue):
            return False
        return not owner or tasks <= self._quotas.room(owner, size)

    def _quota_room(self, line: _WaitingLine) -> int:
        if not line.owner:
            return SUBMIT_TASKS_MAX
        return self._quotas.room(line.owner, next(iter(line.submits)).size)

    def _room(self, line: _WaitingLine) -> int:
        """How many tasks of the first submit that waits have room."""
        return min(self._dispatch.room_in(line.queue), self._quota_room(line))

    def _forget(self, bounds: _Bounds, waiting: WaitingSubmit) -> None:
        line = self._lines.get(bounds)
        if line is not None and waiting in line.submits:
            del line.submits[waiting]
            if not line.submits:
                del self._lines[bounds]

    # one transaction

    def load(self, picture: Picture, now: Now) -> None:
        for bounds, line in self._lines.items():
            line.queue = self._routes.queue(bounds.queue)
            for waiting in line.submits:
                # Its portions may be among what was rolled back.
                waiting.is_sure = False

    def closed(self, session: Session, now: Now) -> None:
        for bounds, line in list(self._lines.items()):
            for waiting in [one for one in line.submits if one.said.call.session is session]:
                self._forget(bounds, waiting)

    def give_out(self, now: Now) -> None:
        if not self._lines:
            return
        left = PORTION_TASKS
        for bounds, line in list(self._lines.items()):
            self._lines[bounds] = self._lines.pop(bounds)  # in turn
            self._refuse_what_never_fits(line, bounds)
            while line.submits and left > 0 and (room := self._room(line)) > 0:
                left -= self._accept(next(iter(line.submits)), min(room, left), bounds)
            if left <= 0:
                break
        # Something was accepted: leased in this same transaction, like any other submit.
        if left < PORTION_TASKS:
            self._dispatch.give_out(now)

    def _accept(self, waiting: WaitingSubmit, most: int, bounds: _Bounds) -> int:
        """Accept so many tasks of a submit; how many it were. The last portion answers the call."""
        try:
            submission = self._portion(waiting, most)
            tasks, submission.stored_before = submission.tasks, waiting.counted - waiting.left
            if waiting.rest:
                submission.call = None
            self._dispatch.accept(submission)
        except TqError as error:
            if voids(error):
                raise
            self._refuse(waiting, bounds, error)
            return 1
        waiting.done += tasks
        if not waiting.rest:
            self._leave(waiting, bounds)
        return max(1, tasks)

    def _refuse_what_never_fits(self, line: _WaitingLine, bounds: _Bounds) -> None:
        """There was room for it under the quota that its key had when it came, and the one that it has now is less."""
        while line.owner and line.submits:
            waiting = next(iter(line.submits))
            try:
                _check_ever_fits(line.owner, self._quotas.here(line.owner), waiting.size)
            except InvalidArgument as error:
                self._refuse(waiting, bounds, error)
            else:
                break

    def _refuse(self, waiting: WaitingSubmit, bounds: _Bounds, error: TqError) -> None:
        call = waiting.said.call
        self._leave(waiting, bounds)
        call.refuse(error)
        self._subscriptions.never_come(call.session, list(runs_of(sorted(waiting.new))))

    def _portion(self, waiting: WaitingSubmit, most: int) -> Submission:
        """The next so many of its tasks; what is left is noted. Raises what judging it raises."""
        judged = waiting.judged
        if judged is None or not waiting.is_sure or not waiting.is_lasting:
            judged = waiting.judged = self._judged(waiting.said, waiting.all)
            if not waiting.is_sure:
                waiting.new, waiting.done, waiting.is_sure = self._new(judged), 0, True
            is_whole = len(waiting.new) == judged.tasks
            _, waiting.rest = split(judged.runs if is_whole else only(judged.runs, waiting.new), waiting.done)
        if judged.owner and (room := self._quotas.bytes_left(judged.owner)) is not None:
            most = _within(waiting.rest, most, room)
        runs, waiting.rest = split(waiting.rest, most)
        if waiting.rest:
            # What the quota has to have room for before the next portion is worth a try.
            waiting.size = len(waiting.rest[0].payloads[0])
        return self._in_lanes(waiting.said, judged, runs)

    def _in_lanes(self, said: SubmitCall, judged: Submission, runs: list[NewRun]) -> Submission:
        """Some tasks of a judged submit. A lane that has had no task was forgotten meanwhile, and is made once more."""
        session, route = said.call.session, self._routes.route(said.queue, said.task)

        def lane(before: Route) -> Route:
            return self._routes.lane(route, before.key, session.account)

        def made(new: NewRun) -> NewRun:
            mixture = None if new.mixture is None else new.mixture.made_by(lane)
            return new if new.lane is None else new._replace(lane=lane(new.lane), mixture=mixture)

        if judged.stream is not None:
            # Before they are stored: a watch that has no room refuses the rest of the submit.
            self._subscriptions.check_room(session, judged.stream, (new.run for new in runs))
        return replace(
            judged,
            route=lane(judged.route),
            runs=[made(new) for new in runs],
            # Its parent may have ended while it waited.
            parent=self._dispatch.consulted.parents.of(said.parent),
        )

    def _leave(self, waiting: WaitingSubmit, bounds: _Bounds) -> None:
        waiting.said.call.abandon = None
        self._forget(bounds, waiting)

    def has_more(self) -> bool:
        return any(self._room(line) > 0 for line in self._lines.values())

    def _words(self, queue: Queue, owner: str, tasks: int, size: int, *, others_wait: bool) -> str:
        room = self._dispatch.room_in(queue)
        if owner and (others_wait or tasks <= room):
            return _words_of_quota(owner, self._quotas.here(owner), self._quotas.use(owner), tasks, size)
        return _words(queue, room, tasks, others_wait)


def _check_ever_fits(owner: str, here: QuotaHere, size: int) -> None:
    """A task that has no room under its key's quota when nothing else is there would wait without end."""
    quota, whole, over = here
    most = quota.max_queued_bytes
    if quota.max_queued == 0 or most == 0:
        raise InvalidArgument(
            f"the quota of key {owner} is divided over {over:,} shards, which leaves none of it for this one: raise it to {over:,} at "
            f"least: tq keys set {owner} --max-queued {over} --max-queued-bytes SIZE"
        )
    if most is not None and size > most:
        raise InvalidArgument(
            f"the arguments of a task have {size:,} bytes, and key {owner} may have {most:,} bytes of all its tasks "
            f"together{_division(whole.max_queued_bytes, over)}; send less, put large content into a tq.Blob, or raise the quota: tq keys "
            f"set {owner} --max-queued-bytes SIZE"
        )


def _words_of_quota(owner: str, here: QuotaHere, use: KeyUse, tasks: int, size: int) -> str:
    quota, whole, over = here
    what, option, bound = (
        f"{use.tasks:,} of at most {quota.tasks:,} tasks that have not ended{_division(whole.max_queued, over)}",
        "--max-queued N",
        tasks,
    )
    if quota.max_queued_bytes is not None and use.tasks + tasks <= quota.tasks:
        what = f"{use.bytes:,} of at most {quota.max_queued_bytes:,} bytes of arguments of tasks that have not ended"
        what += _division(whole.max_queued_bytes, over)
        option, bound = "--max-queued-bytes SIZE", size
    return (
        f"the quota of key {owner} has no room for {bound:,} more: it has {what}; try again later, leave out on_full to wait for "
        f"room, or raise the quota: tq keys set {owner} {option}"
    )


def _division(whole: int | None, over: int) -> str:
    """Of what a shard has a part of."""
    return (
        "" if over == 1 or whole is None else f" (the part here of {whole:,}, divided over {over:,} shards)"
    )


def _within(runs: Sequence[NewRun], most: int, room: int) -> int:
    """How many of the first so many tasks have arguments that fit so many bytes, at least one."""
    fit = 0
    for payload in (payload for new in runs for payload in new.payloads):
        room -= len(payload)
        if fit == most or (room < 0 and fit):
            break
        fit += 1
    return fit


def _words(queue: Queue, room: int, tasks: int, others_wait: bool) -> str:
    first = f"queue {queue.name} is full: {queue.waiting:,} of at most {queue.maxsize:,} tasks wait in it"
    if others_wait and room > 0:
        first = f"other submits wait for room in queue {queue.name}"
    elif room > 0:
        first = f"queue {queue.name} has room for {room:,} of these {tasks:,} tasks: at most {queue.maxsize:,} may wait in it"
    return f"{first}; try again later, leave out on_full to wait for room, or raise the bound: tq queues set {queue.name} --maxsize N"

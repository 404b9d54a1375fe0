"""The objects every master exposes. Each method says which role may call it, judges its arguments, and
hands on to the engine's parts; it runs inside a transaction and its answer waits for the commit.

``call`` is the call being performed; methods that answer later return ``LATER``. Arguments come from the
wire: nothing about them is certain until it is checked here.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.contract.rows import to_wire
from ...common.contract.tasks import StateRow
from ...common.domain.model import Role, StateNumber, TaskOptions, check_name
from ...common.errors import InvalidArgument, ProtocolError
from ..api.validation import (
    EngineObject,
    allow_queue,
    judge_flag,
    judge_list,
    judge_seconds,
    judge_text,
    judge_whole,
)
from ..blobs.keeper import check_named
from ..data.calls import NamedData, NamedDatum
from ..engine.engine import Engine
from ..engine.session import Call, Session
from ..items.calls import ItemQueueObject, NamedItemQueue
from ..items.consumers import Feed
from ..keys.calls import Keys
from ..locks.admin import Locks, Queues
from ..locks.calls import Barrier, Event, Lock
from ..observe.overview import running_rows, snapshot, worker_rows
from ..store.interface.queries import TaskFilter
from ..workers.worker_info import WorkerInfo
from . import reach
from .dispatch import LEASE_TASKS_MAX
from .queries import details, last_run, summaries, told_progress
from .reach import check_ids
from .routes import ParkedLease
from .selection import (
    CANCELLABLE,
    CHANGED_MAX,
    PURGEABLE,
    REVIVABLE,
    VISITED_MAX,
    Portion,
    portion,
    purge,
)
from .shown import begun, shown_state
from .subscriptions import UNKNOWN

LIST_TASKS_MAX: Final = 2_000  # each row costs some 20 µs
LAST_RUNS_TASKS_MAX: Final = 1_000  # each is read whole from the store
HELD_MAX: Final = 100_000  # leases that a worker announces again
PROGRESS_TASKS_MAX: Final = 200  # asked every other second by every bar

Rows = list[list[Any]]  # spelled out here, for some objects have a method called list


class TaskQueue(ItemQueueObject):
    """``get_task_queue(name)``: where tasks go in; and, as in the tutorial, a queue of plain values."""

    def __init__(self, engine: Engine, name: str = "default") -> None:
        super().__init__(engine)
        self.name = self.item_queue = check_name("queue", name)

    @exposed(Role.CLIENT)
    def submit(
        self,
        call: Call,
        task: str,
        options: dict[str, Any],
        tasks: list[Any],
        stream: str | None = None,
        blobs: list[Any] | None = None,
        proofs: list[Any] | None = None,
    ) -> object:
        """Accept tasks ``[[id, payload], …]`` of one callable; answers how many were new. ``blobs``: the content
        they name, ``[[id, [hash, …]], …]``; it is here for as long as they are. ``proofs``: of ids that were computed from a key,
        ``[[id, proof], …]``."""
        allow_queue(call, self.name)
        if not isinstance(options, dict):
            raise InvalidArgument("options must be a map")
        if stream is not None:
            check_name("stream", stream)
        lane = self.engine.lanes.lane(self.name, judge_text("task", task), call.session.account)
        numbers = self.engine.blobs.numbers
        named = {id: numbers(hashes) for id, hashes in check_named(blobs)} if blobs else None
        return self.engine.intake.submit(
            call, lane, TaskOptions.from_wire(options), tasks, stream, named, proofs
        )

    @exposed(Role.ADMIN)
    def pause(self, call: Call, reason: str = "") -> None:
        """Nothing of this queue, tasks or items, is handed out until ``resume``; what runs goes on."""
        self._set(call, True, judge_text("reason", reason))

    @exposed(Role.ADMIN)
    def resume(self, call: Call) -> None:
        self._set(call, False, "")

    def _set(self, call: Call, paused: bool, reason: str) -> None:
        allow_queue(call, self.name)
        queue = self.engine.lanes.queue(self.name)
        since = self.engine.now.steady if paused else None
        if paused and queue.paused:
            since = queue.since  # paused again, for another reason
        self.engine.store.put_queue(self.name, paused, reason, since)
        queue.paused, queue.reason, queue.since = paused, reason, since
        if not paused:
            self.engine.items.resumed(self.name)


class ResultQueue(ItemQueueObject):
    """``get_result_queue(stream)``: where outcomes come out, for those who watch; and, as in the tutorial, a queue
    of plain values, whose name is the stream's, or ``results``."""

    def __init__(self, engine: Engine, stream: str = "default") -> None:
        super().__init__(engine)
        self.stream = check_name("stream", stream)
        self.item_queue = "results" if stream == "default" else stream

    @exposed(Role.CLIENT)
    def watch(self, call: Call, ids: list[bytes]) -> None:
        """Be told of these tasks' ends, through ``collect``; a task nobody knows is told as state -1."""
        self.engine.watches.watch(call.session, self.stream, check_ids(ids))

    @exposed(Role.CLIENT)
    def unwatch(self, call: Call, ids: list[bytes]) -> None:
        self.engine.watches.unwatch(call.session, self.stream, check_ids(ids))

    @exposed(Role.CLIENT)
    def collect(self, call: Call, tasks_max: int = 1_000) -> object:
        """Outcomes ``[[id, state, body], …]``, at least one; waits for it."""
        return self.engine.watches.collect(call, self.stream, judge_whole("tasks_max", tasks_max, 1, 2**31))


class Dispatcher(EngineObject):
    """``get_dispatcher()``: a worker's side of everything."""

    @exposed(Role.WORKER)
    def announce(self, call: Call, info: dict[str, Any], held: list[Any]) -> dict[str, Any]:
        engine = self.engine
        told = WorkerInfo.from_wire(info)
        feeds = Feed.from_wire(told.apply)
        for queue in (name for feed in feeds for name in (feed.queue, feed.results) if name is not None):
            allow_queue(call, queue)
        dropped = engine.roster.announce(call.session, told, _judge_held(held), engine.now)
        engine.feeds.announce(call.session.node, feeds, call.session.account)
        return {"lease_seconds": engine.limits.lease_ms / 1000, "dropped": dropped}

    @exposed(Role.WORKER)
    def lease(self, call: Call, want: int) -> object:
        """Up to ``want`` tasks, at least one; waits for it."""
        worker = self.engine.roster.of(call.session)
        capability = worker.capability
        if capability is None:
            raise ProtocolError("announce must be a worker's first call on every connection")
        want = min(judge_whole("want", want, 1, 2**31), LEASE_TASKS_MAX)
        return self.engine.intake.park(ParkedLease(call, want, worker.number), capability)

    @exposed(Role.WORKER)
    def finish(self, call: Call, rows: list[Any], blobs: list[Any] | None = None) -> list[int]:
        """Reports of ended attempts; the indices of those that came too late. ``blobs``: the content that
        results name, ``[[index of the row, [hash, …]], …]``."""
        self.engine.roster.of(call.session)
        stale = self.engine.ends.finish(judge_list("rows", rows), self.engine.now, blobs)
        self.engine.roster.ended(call.session, len(rows) - len(stale), self.engine.now)
        return stale

    @exposed(Role.WORKER)
    def release(self, call: Call, rows: list[Any], begun: bool = False) -> None:
        """Hand back attempts that were not started, or (``begun``) that were and did not end."""
        self.engine.roster.of(call.session)
        self.engine.ends.release(judge_list("rows", rows), self.engine.now, begun=judge_flag("begun", begun))

    @exposed(Role.WORKER)
    def leave(self, call: Call) -> None:
        """The worker ends: nothing more is leased to it, and what it still holds is handed to others."""
        self.engine.roster.leave(call.session, self.engine.now)
        self.engine.feeds.forget(call.session.node)

    @exposed(Role.WORKER)
    def starting(self, call: Call, ids: list[bytes]) -> None:
        """These suspects are about to start; answered before they do."""
        self.engine.roster.starting(call.session, check_ids(ids))

    @exposed(Role.WORKER)
    def beat(self, call: Call, started: list[Any], facts: dict[str, Any] | None = None) -> None:
        """What is running, ``[[id, attempt, lease, seconds], …]``, and ``{"memory_bytes": …}`` of the worker and its
        children: for people to look at."""
        self.engine.roster.beat(call.session, judge_list("started", started), facts, self.engine.now)

    @exposed(Role.WORKER)
    def observe(self, call: Call, rows: list[Any]) -> None:
        """What running attempts say: ``[[id, attempt, lease, size, text, progress], …]``."""
        self.engine.roster.of(call.session)
        self.engine.observations.observe(judge_list("rows", rows), self.engine.now)

    @exposed(Role.WORKER)
    def orders(self, call: Call) -> object:
        """What the worker is to do: ``["cancel", id, attempt]``, ``["drain"]``; waits for one."""
        return self.engine.roster.orders(call)


class Tasks(EngineObject):
    """``get_tasks()``: single tasks, by id."""

    @exposed(Role.VIEWER)
    def states(self, call: Call, ids: list[bytes]) -> Rows:
        engine = self.engine
        found = {
            one.id: shown_state(engine, one.id, one.state) for one in reach.tasks(engine, call.session, ids)
        }
        return [to_wire(StateRow(id, found.get(id, UNKNOWN))) for id in ids]

    @exposed(Role.VIEWER)
    def show(self, call: Call, id: bytes) -> dict[str, Any]:
        """Everything known of a task, and why it waits if it does."""
        return details(self.engine, reach.full(self.engine, call.session, id))

    @exposed(Role.VIEWER)
    def log(self, call: Call, id: bytes, attempt: int | None = None, offset: int = 0) -> dict[str, Any]:
        """What an attempt (None: the latest) printed, from byte ``offset`` on, as far as it is kept."""
        if attempt is not None:
            judge_whole("attempt", attempt, 1, 2**31)
        judge_whole("offset", offset, 0, 2**53)
        return self.engine.observations.log(reach.full(self.engine, call.session, id), attempt, offset)

    @exposed(Role.VIEWER)
    def last_runs(self, call: Call, ids: list[bytes]) -> Rows:
        """``[id, worker, started, finished]`` of the last attempt of each of these that is known."""
        engine = self.engine
        if len(check_ids(ids)) > LAST_RUNS_TASKS_MAX:
            raise InvalidArgument(f"at most {LAST_RUNS_TASKS_MAX:,} ids at a time")
        found = (engine.store.brief(one.seq) for one in reach.tasks(engine, call.session, ids))
        return [last_run(engine, task) for task in found if task is not None]

    @exposed(Role.VIEWER)
    def progress(self, call: Call, ids: list[bytes]) -> Rows:
        """``[id, started, done, total, note]`` of those of these that run and have told it."""
        if len(check_ids(ids)) > PROGRESS_TASKS_MAX:
            raise InvalidArgument(f"at most {PROGRESS_TASKS_MAX:,} ids at a time")
        return told_progress(self.engine, reach.tasks(self.engine, call.session, ids))

    @exposed(Role.CLIENT)
    def cancel(self, call: Call, ids: list[bytes], running: bool = True) -> Rows:
        """Cancel; the state each task is in now: RUNNING means that its worker has been told, or, without
        ``running``, that it is left alone."""
        engine = self.engine
        found = reach.tasks(engine, call.session, ids)
        reached = engine.ends.cancel(found, engine.now, running=judge_flag("running", running))
        for one in reached:
            if running and one.state == StateNumber.RUNNING:
                engine.roster.order_cancel(one.id)
        return [to_wire(StateRow(one.id, one.state)) for one in reached]

    @exposed(Role.CLIENT)
    def retry(self, call: Call, ids: list[bytes]) -> Rows:
        """Make failed, dead, cancelled, expired or lost tasks ready again."""
        reached = self.engine.ends.revive(reach.tasks(self.engine, call.session, ids))
        return [to_wire(StateRow(id, state)) for id, state in reached]

    @exposed(Role.VIEWER)
    def list(
        self, call: Call, filter: dict[str, Any], limit: int = 100, before: bytes | None = None
    ) -> list[dict[str, Any]]:
        """The newest tasks that fit, newest first, as far as they fit one answer; ``before``: those older than that task."""
        engine = self.engine
        before_seq = None if before is None else reach.task(engine, call.session, before).seq
        rows = engine.store.listing(
            _filter(engine, filter, before_seq), judge_whole("limit", limit, 1, LIST_TASKS_MAX)
        )
        allows = call.session.allows_queue
        return summaries(engine, (row for row in rows if allows(row.queue)))

    # many tasks by a filter: each call does a portion and says where the next one begins

    @exposed(Role.VIEWER)
    def select(
        self, call: Call, filter: dict[str, Any], limit: int = 0, before: int | None = None
    ) -> dict[str, Any]:
        """How many of a portion fit, by state, and the first ``limit`` of them; looks at 5,000 tasks at most."""
        engine = self.engine
        limit = judge_whole("limit", limit, 0, VISITED_MAX)
        found = self._portion(call, filter, before, frozenset(StateNumber), limit or VISITED_MAX)
        shown = found.rows if limit else []
        rows = summaries(engine, (engine.store.brief(row.seq) for row in shown))
        if rows and len(rows) < len(shown):  # as many as fit an answer
            found = Portion(shown[: len(rows)], shown[len(rows) - 1].seq)
        return {
            "states": [
                list(one)
                for one in Counter(shown_state(engine, row.id, row.state) for row in found.rows).items()
            ],
            "rows": rows,
            "newest": engine.intake.last_seq + 1 if before is None else before,
            "before": found.before,
        }

    @exposed(Role.CLIENT)
    def cancel_where(self, call: Call, filter: dict[str, Any], before: int | None = None) -> dict[str, Any]:
        found = self._portion(call, filter, before, CANCELLABLE, CHANGED_MAX)
        reached = self.cancel(call, [row.id for row in found.rows])
        return {"tasks": len(reached), "before": found.before}

    @exposed(Role.CLIENT)
    def retry_where(self, call: Call, filter: dict[str, Any], before: int | None = None) -> dict[str, Any]:
        found = self._portion(call, filter, before, REVIVABLE, CHANGED_MAX)
        reached = self.retry(call, [row.id for row in found.rows])
        return {"tasks": len(reached), "before": found.before}

    @exposed(Role.ADMIN)
    def purge(self, call: Call, filter: dict[str, Any], before: int | None = None) -> dict[str, Any]:
        """Delete what does not run; who watches one that waited is told that it was cancelled."""
        found = self._portion(call, filter, before, PURGEABLE, CHANGED_MAX)
        purge(self.engine, found.rows)
        return {"tasks": len(found.rows), "before": found.before}

    def _portion(self, call: Call, *what: Any) -> Portion:
        return portion(self.engine, call.session.allows_queue, *what)


class Blobs(EngineObject):
    """``get_blobs()``: content too large for messages, by its hash. Who knows a hash has seen the content."""

    @exposed(Role.CLIENT)
    def ask(self, call: Call, hash: bytes, size: int) -> object:
        return self.engine.blobs.ask(call, hash, size)

    @exposed(Role.CLIENT)
    def put(self, call: Call, hash: bytes, size: int, offset: int, data: bytes) -> object:
        return self.engine.blobs.put(call, hash, size, offset, data)

    @exposed(Role.CLIENT)
    def get(self, call: Call, hash: bytes, offset: int, length: int) -> object:
        return self.engine.blobs.get(call, hash, offset, length)


class Workers(EngineObject):
    """``get_workers()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call) -> list[dict[str, Any]]:
        return worker_rows(self.engine)

    @exposed(Role.VIEWER)
    def serving(self, call: Call, queue: str, task: str) -> tuple[int, int]:
        """How many connected workers serve this callable in this queue, and how many are connected."""
        allow_queue(call, judge_text("queue", queue))
        self.engine.work.glanced(len(self.engine.roster.by_node))
        return self.engine.roster.serving(judge_text("queue", queue), judge_text("task", task))

    @exposed(Role.VIEWER)
    def running(self, call: Call, node: str) -> Rows:
        """What a worker (its whole node) holds, longest first, at most fifty: as in a listing of tasks."""
        self.engine.work.glanced(len(self.engine.running))
        return running_rows(self.engine, judge_text("node", node), call.session.allows_queue)

    @exposed(Role.ADMIN)
    def drain(self, call: Call, node: str) -> dict[str, Any]:
        """Have a worker finish what it runs, hand back the rest and end; its host, or its node's start."""
        return self.engine.roster.drain(judge_text("node", node), call.session.verifier)


class Master(EngineObject):
    """``get_master()``"""

    @exposed(Role.VIEWER)
    def info(self, call: Call) -> dict[str, Any]:
        engine = self.engine
        engine.work.glanced(len(engine.lanes.by_number))
        return {
            **engine.facts,
            "wall": engine.now.wall / 1000,
            "damage": engine.store.damage,
            "tasks": _tasks_of(engine, call.session),
            "sessions": len(engine.connections),
            "trouble": engine.trouble.told(engine.now),
            "you": {
                "key": call.session.verifier.key_id,
                "role": str(call.session.verifier.role),
                "queues": list(call.session.verifier.queues),
            },
            **engine.shell_facts(),
        }

    @exposed(Role.VIEWER)
    def snapshot(self, call: Call) -> dict[str, Any]:
        """What `tq top` shows: queues, workers, what runs longest, what failed last, and the master itself."""
        return snapshot(self.engine, call.session.allows_queue)


def _tasks_of(engine: Engine, session: Session) -> int:
    """How many tasks there are in the queues that the session's key may use."""
    engine.work.glanced(len(engine.lanes.by_number))
    queues = (queue for name, queue in engine.lanes.queues.items() if session.allows_queue(name))
    return sum(sum(lane.counts) for queue in queues for lane in queue.lanes)


def _judge_held(held: Any) -> list[Any]:
    if len(judge_list("held", held)) > HELD_MAX:
        raise InvalidArgument(f"announce: {len(held):,} held leases; at most {HELD_MAX:,}")
    return list(held)


def _filter(engine: Engine, given: Any, before_seq: int | None) -> TaskFilter:
    match given:
        case dict() if given.keys() <= {"states", "queue", "name", "since"}:
            states = tuple(
                judge_whole("state", state, 0, 15)
                for state in judge_list("states", given.get("states") or [])
            )
            queue, task, since = given.get("queue"), given.get("name"), given.get("since")
            return TaskFilter(
                states=states,
                begun=frozenset(held.seq for held in begun(engine)) if states else frozenset(),
                queue=None if queue is None else judge_text("queue", queue),
                task=None if task is None else judge_text("name", task),
                since=None if since is None else int(judge_seconds("since", since) * 1000) - engine.now.shift,
                before_seq=before_seq,
            )
    raise InvalidArgument("a filter is a map of states, queue, name, since")


BUILT_IN: Final[dict[str, type[EngineObject]]] = {
    "get_task_queue": TaskQueue,
    "get_result_queue": ResultQueue,
    "get_queue": NamedItemQueue,
    "get_lock": Lock,
    "get_event": Event,
    "get_barrier": Barrier,
    "get_datum": NamedDatum,
    "get_dispatcher": Dispatcher,
    "get_tasks": Tasks,
    "get_blobs": Blobs,
    "get_queues": Queues,
    "get_locks": Locks,
    "get_data": NamedData,
    "get_workers": Workers,
    "get_keys": Keys,
    "get_master": Master,
}

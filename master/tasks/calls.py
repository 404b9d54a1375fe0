"""The objects for tasks that every master exposes, and the rules of all exposed objects. Each method declares the role that may
call it, validates its arguments and calls the engine's parts; it runs inside a transaction, and its answer waits for the commit.

``call`` is the call being performed; methods that answer later return ``LATER``. Arguments come from the
wire: nothing about them is certain until it is checked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.contract.rows import to_wire
from ...common.contract.tasks import StateRow
from ...common.domain.id_runs import IdRun
from ...common.domain.id_text import check_prefix, check_tail
from ...common.domain.model import Role, StateNumber, TaskOptions, check_name
from ...common.domain.on_full import WAIT, check_on_full
from ...common.domain.unique import UniqueTerms
from ...common.errors import InvalidArgument
from ..api.validation import (
    EngineObject,
    allow_queue,
    moment_after,
    validate_flag,
    validate_list,
    validate_seconds,
    validate_text,
    validate_whole,
)
from ..blobs.blobs import Blobs
from ..engine.clock import Now
from ..engine.engine import Engine
from ..engine.long_calls import LongCalls
from ..engine.session import Call, NilOrLater, Session
from ..items.calls import ItemQueueObject
from ..store.interface.queries import TaskFilter
from . import lookup
from .abbreviations import Meanings
from .attempt_output import AttemptOutput
from .completion import Completion
from .dispatch import Dispatch
from .lines import LINES_MAX, LineListing
from .lookup import check_ids, check_runs
from .named_blobs import check_named
from .parents import cancel_tree, parent_of
from .pauses import Pauses
from .plan import SubmitCall
from .queries import details, last_run, reason, reported_progress, summaries
from .routes import Routes
from .selection import (
    CANCELLABLE,
    CHANGED_MAX,
    PURGEABLE,
    REVIVABLE,
    VISITED_MAX,
    Portion,
    counted,
    portion,
    purge,
)
from .shown import begun, shown_state
from .subscriptions import UNKNOWN, Subscriptions

LIST_TASKS_MAX: Final = 2_000  # each row costs some 20 µs
# A run may be thousands of neighbours, which cost little; single ids do not.
RUNS_TOGETHER: Final = 1_000  # of ids that are watched, cancelled or retried in one transaction
LAST_RUNS_TASKS_MAX: Final = 1_000  # each is read whole from the store
PROGRESS_TASKS_MAX: Final = 200  # every progress bar asks every two seconds

Rows = list[list[Any]]  # an alias, because some objects have a method called list
Place = list[Any] | None  # where an answer goes on


class TaskQueue(ItemQueueObject):
    """``get_task_queue(name)``: the queue to submit tasks to; also, as in the tutorial of ``multiprocessing.managers``, an item queue."""

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
        flow: bytes | None = None,
        parent: list[Any] | None = None,
        columns: dict[str, Any] | None = None,
        on_full: str = WAIT,
        unique: list[Any] | None = None,
    ) -> object:
        """Accept tasks of one callable, ``[id, payload]`` each, or ``[first id, [payload, …]]`` where ids are consecutive;
        answers how many were new. ``blobs``: the content
        they name, ``[[id, [hash, …]], …]``; it is kept as long as the tasks are. ``proofs``: of ids that were computed from a key,
        ``[[id, proof], …]``. ``flow``: the id of the flow that they become part of. ``parent``: ``[id, lease]`` of
        the task that submits them. ``columns``: their limits, with the key of each task in each, and their tenants.
        ``on_full``: ``wait``, the call is answered when the queue has had room for all of them; or ``raise``, it is refused if the
        queue has none. ``unique``: ``[key, states, milliseconds or nil, on_conflict, milliseconds or nil]``; of one task the answer is the id of the
        other one if it is not stored because of that; of several, with a column of their keys, ``[[place, id], …]`` of those others."""
        allow_queue(call, self.name)
        # Before anything is read of the call: a full disk is the first thing that its sender has to know.
        self.engine.core.room.check()
        if not isinstance(options, dict):
            raise InvalidArgument("options must be a map")
        if stream is not None:
            check_name("stream", stream)
        route = self.engine.part(Routes).route(self.name, validate_text("task", task), call.session.account)
        # Later, where it is judged: a submit that waits for room may outlive the content that it names.
        named = partial(_numbered, self.engine, check_named(blobs)) if blobs else None
        chosen = TaskOptions.from_wire(options)
        terms = None if unique is None else UniqueTerms.from_wire(unique)
        said = SubmitCall(
            call,
            self.name,
            task,
            chosen,
            stream,
            named,
            proofs,
            flow,
            parent,
            columns,
            check_on_full(on_full),
            terms,
        )
        return self.engine.part(Dispatch).submit(said, route, tasks)

    @exposed(Role.ADMIN)
    def pause(self, call: Call, reason: str = "", seconds: float | None = None) -> None:
        """Pause the queue: none of its tasks or items is handed out until ``resume``, or for so long; running tasks continue."""
        allow_queue(call, self.name)
        until = moment_after(self.engine.now, seconds)
        key = call.session.verifier.key_id
        self.engine.part(Pauses).pause(
            self.name, validate_text("reason", reason), until, key, self.engine.now
        )

    @exposed(Role.ADMIN)
    def resume(self, call: Call) -> None:
        allow_queue(call, self.name)
        self.engine.part(Pauses).resume(self.name)


class ResultQueue(ItemQueueObject):
    """``get_result_queue(stream)``: the outcomes of watched tasks; also, as in the tutorial of ``multiprocessing.managers``, an item
    queue, with the name of the stream, or ``results``."""

    def __init__(self, engine: Engine, stream: str = "default") -> None:
        super().__init__(engine)
        self.stream = check_name("stream", stream)
        # The tutorial of multiprocessing.managers has no name for it, and the item queue "default" is that of tasks.
        self.item_queue = "results" if stream == "default" else stream

    @exposed(Role.CLIENT)
    def watch(self, call: Call, ids: list[Any]) -> NilOrLater:
        """Watch these tasks: ``collect`` answers their outcomes. An unknown task has state -1."""
        subscriptions, runs = self.engine.part(Subscriptions), list(dict.fromkeys(check_runs(ids)))
        # Once for all portions: one that fails midway would leave half of them watched.
        subscriptions.check_room(call.session, self.stream, runs)

        def some(portion: Sequence[IdRun], now: Now) -> None:
            subscriptions.watch(call.session, self.stream, portion)

        return self._in_portions(call, runs, some)

    @exposed(Role.CLIENT)
    def unwatch(self, call: Call, ids: list[Any]) -> NilOrLater:
        subscriptions = self.engine.part(Subscriptions)

        def some(portion: Sequence[IdRun], now: Now) -> None:
            subscriptions.unwatch(call.session, self.stream, portion)

        return self._in_portions(call, list(dict.fromkeys(check_runs(ids))), some)

    def _in_portions(
        self, call: Call, runs: list[IdRun], do: Callable[[Sequence[IdRun], Now], None]
    ) -> NilOrLater:
        return self.engine.part(LongCalls).perform(call, runs, do, self.engine.now, most=RUNS_TOGETHER)

    @exposed(Role.CLIENT)
    def collect(self, call: Call, tasks_max: int = 1_000) -> object:
        """Outcomes ``[id, state, body]``, or ``[first id, state, [body, …]]`` where ids are consecutive; at least one, and waits
        until there is one."""
        return self.engine.part(Subscriptions).collect(
            call, self.stream, validate_whole("tasks_max", tasks_max, 1, 2**31)
        )


class Tasks(EngineObject):
    """``get_tasks()``: tasks by id or by a filter."""

    @exposed(Role.VIEWER)
    def states(self, call: Call, ids: list[Any]) -> Rows:
        engine = self.engine
        found = {
            one.id: shown_state(engine, one.id, one.state) for one in lookup.tasks(engine, call.session, ids)
        }
        return [to_wire(StateRow(id, found.get(id, UNKNOWN))) for id in check_ids(ids)]

    @exposed(Role.VIEWER)
    def show(self, call: Call, id: bytes) -> dict[str, Any]:
        """All that is known about a task, and why it waits if it does."""
        found = lookup.full(self.engine, call.session, id)
        return {**details(self.engine, found), "parent": parent_of(self.engine, call.session, found.seq)}

    @exposed(Role.VIEWER)
    def why(self, call: Call, id: bytes) -> dict[str, Any]:
        """Why a task waits, without what it was given and what it has done: for a program that waits for it."""
        found = self.engine.store.brief(lookup.task(self.engine, call.session, id).seq)
        return {} if found is None else reason(self.engine, found)

    @exposed(Role.VIEWER)
    def log(self, call: Call, id: bytes, attempt: int | None = None, offset: int = 0) -> dict[str, Any]:
        """The output of an attempt (None: the latest) from byte ``offset`` on, as far as it is kept."""
        if attempt is not None:
            validate_whole("attempt", attempt, 1, 2**31)
        validate_whole("offset", offset, 0, 2**53)
        return self.engine.part(AttemptOutput).log(
            lookup.full(self.engine, call.session, id), attempt, offset
        )

    @exposed(Role.VIEWER)
    def last_runs(self, call: Call, ids: list[Any]) -> Rows:
        """``[id, worker, started, finished]`` of the last attempt of each of these tasks that is known."""
        engine = self.engine
        if len(check_ids(ids)) > LAST_RUNS_TASKS_MAX:
            raise InvalidArgument(f"at most {LAST_RUNS_TASKS_MAX:,} ids at a time")
        found = (engine.store.brief(one.seq) for one in lookup.tasks(engine, call.session, ids))
        return [last_run(engine, task) for task in found if task is not None]

    @exposed(Role.VIEWER)
    def progress(self, call: Call, ids: list[Any]) -> Rows:
        """``[id, started, done, total, note]`` of each of these tasks that runs and has reported its progress."""
        if len(check_ids(ids)) > PROGRESS_TASKS_MAX:
            raise InvalidArgument(f"at most {PROGRESS_TASKS_MAX:,} ids at a time")
        return reported_progress(self.engine, lookup.tasks(self.engine, call.session, ids))

    @exposed(Role.CLIENT)
    def cancel(self, call: Call, ids: list[Any], running: bool = True, tree: bool = False) -> object:
        """Cancel tasks; returns the state of each. RUNNING: its worker is ordered to cancel it, or, without
        ``running``, it was left running. ``tree``: with what they have submitted, in turn; running ones, too."""
        validate_flag("running", running)
        if validate_flag("tree", tree):
            return cancel_tree(self.engine, call, ids)
        return self._in_portions(call, ids, partial(self._cancel, call.session, running=running))

    def _cancel(self, session: Session, ids: Sequence[bytes], now: Now, *, running: bool = True) -> Rows:
        found = lookup.tasks(self.engine, session, ids)
        reached = self.engine.part(Completion).cancel(found, now, running=running)
        return [to_wire(StateRow(one.id, one.state)) for one in reached]

    def _in_portions(self, call: Call, ids: Any, do: Callable[[Sequence[bytes], Now], Rows]) -> object:
        """Consecutive ids are cheap, and ids far from each other take a tenth of a millisecond each."""
        runs = list(dict.fromkeys(check_runs(ids)))

        def some(portion: Sequence[IdRun], now: Now) -> Rows:
            return do([id for run in portion for id in run.ids()], now)

        if not runs:
            return []
        return self.engine.part(LongCalls).perform(call, runs, some, self.engine.now, most=RUNS_TOGETHER)

    @exposed(Role.CLIENT)
    def retry(self, call: Call, ids: list[Any]) -> object:
        """Make failed, dead, cancelled, expired or lost tasks ready again."""
        return self._in_portions(call, ids, partial(self._retry, call.session))

    def _retry(self, session: Session, ids: Sequence[bytes], now: Now) -> Rows:
        reached = self.engine.part(Completion).revive(lookup.tasks(self.engine, session, ids))
        return [to_wire(StateRow(id, state)) for id, state in reached]

    @exposed(Role.VIEWER)
    def list(
        self, call: Call, filter: dict[str, Any], limit: int = 100, before: bytes | None = None
    ) -> list[dict[str, Any]]:
        """The newest tasks that match the filter, newest first, as many as fit in one answer; ``before``: only tasks older than
        this one."""
        engine = self.engine
        # By an id, which stays good when newer tasks are accepted between two pages.
        before_seq = None if before is None else lookup.task(engine, call.session, before).seq
        rows = engine.store.listing(
            _filter(engine, filter, before_seq), validate_whole("limit", limit, 1, LIST_TASKS_MAX)
        )
        allows = call.session.allows_queue
        return summaries(engine, (row for row in rows if allows(row.queue)))

    @exposed(Role.VIEWER)
    def lines(
        self,
        call: Call,
        filter: dict[str, Any],
        limit: int = 100,
        before: Place = None,
        short: bool = True,
        flows: bool = False,
    ) -> dict[str, Any]:
        """The newest arrays and tasks, an array as one row with its tasks that match counted by state; looks at 5,000 rows at
        most. ``short``: with the shortest ids that are unique. ``flows``: each flow as one row; with a filter, its tasks instead."""
        limit = validate_whole("limit", limit, 1, LINES_MAX)
        # Counts in memory answer the frequent question whether there is any, without reading a row.
        counts = counted(self.engine, call.session.allows_queue, filter) if before is None else None
        if counts is not None and not counts:
            return {"rows": [], "before": None}
        short, flows = validate_flag("short", short), validate_flag("flows", flows)
        listing = LineListing(self.engine, call.session, filter, short=short, flows=flows)
        return listing.answer(limit, before)

    @exposed(Role.VIEWER)
    def meant(self, call: Call, prefix: str, tail: str = "") -> dict[str, Any]:
        """The arrays and tasks whose ids begin with these hexadecimal digits, or the tasks whose ids end with others, too."""
        prefix, tail = check_prefix(validate_text("prefix", prefix)), check_tail(validate_text("tail", tail))
        return Meanings(self.engine, call.session).answer(prefix, tail)

    # many tasks by a filter: each call does a bounded portion and answers where the next one begins

    @exposed(Role.VIEWER)
    def select(
        self, call: Call, filter: dict[str, Any], limit: int = 0, before: int | None = None
    ) -> dict[str, Any]:
        """How many tasks of a portion match, by state, and the first ``limit`` of them; looks at 5,000 tasks at most."""
        engine = self.engine
        limit = validate_whole("limit", limit, 0, VISITED_MAX)
        newest = engine.part(Dispatch).last_seq + 1
        if before is None:
            counts = counted(engine, call.session.allows_queue, filter)
            # What is asked for is known from memory: no rows are wanted, or none match.
            if counts is not None and not (limit and counts):
                return {
                    "states": [list(one) for one in counts.items()],
                    "rows": [],
                    "newest": newest,
                    "before": None,
                }
        found = self._portion(call, filter, before, frozenset(StateNumber), limit or None)
        shown = list(found.rows) if limit else []
        rows = summaries(engine, (engine.store.brief(row.seq) for row in shown))
        states = found.states
        if rows and len(rows) < len(shown):  # as many as fit an answer
            states = Counter(shown_state(engine, row.id, row.state) for row in shown[: len(rows)])
            found = Portion([], shown[len(rows) - 1].seq)
        return {
            "states": [list(one) for one in states.items()],
            "rows": rows,
            "newest": newest if before is None else before,
            "before": found.before,
        }

    @exposed(Role.CLIENT)
    def cancel_where(self, call: Call, filter: dict[str, Any], before: int | None = None) -> dict[str, Any]:
        found = self._portion(call, filter, before, CANCELLABLE, CHANGED_MAX)
        reached = self._cancel(call.session, [row.id for row in found.rows], self.engine.now)
        return {"tasks": len(reached), "before": found.before}

    @exposed(Role.CLIENT)
    def retry_where(self, call: Call, filter: dict[str, Any], before: int | None = None) -> dict[str, Any]:
        found = self._portion(call, filter, before, REVIVABLE, CHANGED_MAX)
        reached = self._retry(call.session, [row.id for row in found.rows], self.engine.now)
        return {"tasks": len(reached), "before": found.before}

    @exposed(Role.ADMIN)
    def purge(self, call: Call, filter: dict[str, Any], before: int | None = None) -> dict[str, Any]:
        """Delete tasks that do not run; watchers of a task that waited get the outcome CANCELLED. A task whose result is needed by
        another stays."""
        found = self._portion(call, filter, before, PURGEABLE, CHANGED_MAX)
        return {"tasks": purge(self.engine, list(found.rows)), "before": found.before}

    def _portion(
        self, call: Call, filter: Any, before: Any, possible: frozenset[StateNumber], most: int | None
    ) -> Portion:
        flows = self.engine.part(Dispatch).consulted.flows

        def origin_of_flow(id: bytes) -> int:
            return flows.origin_of(call.session, id)

        allows = call.session.allows_queue
        return portion(self.engine, allows, filter, before, possible, most, origin_of_flow)


def _filter(engine: Engine, given: Any, before_seq: int | None) -> TaskFilter:
    match given:
        case dict() if given.keys() <= {"states", "queue", "name", "since"}:
            states = tuple(
                validate_whole("state", state, 0, 15)
                for state in validate_list("states", given.get("states") or [])
            )
            queue, task, since = given.get("queue"), given.get("name"), given.get("since")
            return TaskFilter(
                states=states,
                begun=frozenset(held.seq for held in begun(engine)) if states else frozenset(),
                queue=None if queue is None else validate_text("queue", queue),
                task=None if task is None else validate_text("name", task),
                since=None
                if since is None
                else int(validate_seconds("since", since) * 1000) - engine.now.shift,
                before_seq=before_seq,
            )
    raise InvalidArgument("a filter is a map of states, queue, name, since")


def _numbered(engine: Engine, named: Sequence[tuple[bytes, Sequence[bytes]]]) -> dict[bytes, list[int]]:
    """The rows of the content that tasks name. Raises UnknownBlob."""
    numbers = engine.part(Blobs).numbers
    return {id: numbers(hashes) for id, hashes in named}

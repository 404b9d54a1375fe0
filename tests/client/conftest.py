"""A master in memory, behind the seam an App has anyway: the line a worker lends to its child."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from itertools import groupby
from operator import itemgetter
from typing import Any

import pytest
import tq
from tq.common.domain.columns import LaneColumns
from tq.common.domain.id_runs import IdRun, ids_named, runs_of
from tq.common.domain.ids import COMPUTED, id_of_proof
from tq.common.domain.model import StateNumber
from tq.common.errors import TqError, Unreachable
from tq.common.values.codec import EACH, decode_call, decode_work, encode
from tq.common.values.failure import Failure
from tq.common.wire.caller import set_ambient

from tests.postgres import PostgresServer, serving

Row = list[Any]


def each(tasks: list[Any]) -> list[tuple[bytes, bytes]]:
    """The tasks of a submit one by one."""
    found: list[tuple[bytes, bytes]] = []
    for first, payload in tasks:
        payloads = payload if isinstance(payload, list) else [payload]
        found += zip(IdRun(first, len(payloads)).ids(), payloads, strict=True)
    return found


def joined(rows: list[Row]) -> list[Row]:
    """Neighbours in the same state as one row, as the master answers."""
    answer: list[Row] = []
    for state, some in groupby(rows, key=itemgetter(1)):
        bodies = {id: body for id, _, body in some}
        for run in runs_of(bodies):
            of_run = [bodies[id] for id in run.ids()]
            answer.append([run.first, state, of_run if run.length > 1 else of_run[0]])
    return answer


class MasterInMemory:
    """Answers like a master; runs tasks at once or on request. Its connection can be lost."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.tasks: dict[bytes, dict[str, Any]] = {}
        self.functions: dict[str, Callable[..., Any]] = {}
        self.lanes: list[tuple[str | None, tuple[tuple[str, str, int], ...]]] = []  # of tasks as they came
        self.same: dict[str, bytes] = {}  # by the key of ``unique``, the first task
        self.calls: list[tuple[tuple[Any, ...], str, tuple[Any, ...]]] = []
        self.runs_at_once = True
        self.workers = 0  # connected ones that serve nothing
        self.refusals: dict[str, TqError] = {}  # by method
        self.losses: dict[str, int] = {}  # by method: so many calls are performed and their answers lost
        self.collected = threading.Event()  # a collect is parked
        self._watched: dict[str, set[bytes]] = {}
        self._outcomes: dict[str, list[Row]] = {}
        self._collects: dict[str, Future[Any]] = {}

    # the line

    def call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self.calls.append((tuple(target), method, args))
            try:
                if method in self.refusals:
                    raise self.refusals[method]
                answer = getattr(self, f"_{target[0]}_{method}")(future, *target[1:], *args)
            except TqError as error:
                future.set_exception(error)
                return future
            if self.losses.get(method, 0):
                self.losses[method] -= 1
                self.lose_connection()
                future.set_exception(Unreachable("the line broke"))
            elif answer is not future:
                future.set_result(answer)
        return future

    def close(self) -> None:
        pass

    def lose_connection(self) -> None:
        """The session is gone: what it watched, and every parked call."""
        with self._lock:
            self._watched.clear()
            self._outcomes.clear()
            collects, self._collects = self._collects, {}
        for future in collects.values():
            future.set_exception(Unreachable("the line broke"))

    # what it exposes

    def _get_task_queue_submit(
        self,
        _: Future[Any],
        queue: str,
        name: str,
        options: dict[str, Any],
        tasks: list[Any],
        stream: str | None,
        blobs: list[Any] | None = None,
        proofs: list[Any] | None = None,
        flow: bytes | None = None,
        parent: list[Any] | None = None,
        columns: dict[str, Any] | None = None,
        on_full: str | None = None,
        unique: list[Any] | None = None,
    ) -> Any:
        shown, new = dict(proofs or []), 0
        tasks = each(tasks)
        others: list[Any] = []  # with ``unique``: of the tasks that are not stored
        if unique is not None:
            texts, codes = unique[0]
            for place, (id, _) in enumerate(tasks):
                if (first := self.same.setdefault(texts[codes[place]], id)) != id:
                    others.append([place, first])
            tasks = [task for place, task in enumerate(tasks) if place not in dict(others)]
        said = LaneColumns.from_wire(columns, len(tasks))
        self.lanes += [tuple(said.at(place)) for place in range(len(tasks))]
        for id in (id for id, _ in tasks if id >= COMPUTED):
            assert id_of_proof(queue, name, shown[id]) == id
        for id, payload in tasks:
            known = self.tasks.setdefault(
                id,
                {"id": id, "name": name, "queue": queue, "payload": payload, "options": options, "state": 0},
            )
            if (known["name"], known["queue"], known["payload"]) != (name, queue, payload):
                raise tq.TaskConflict("submitted before with other arguments")
            new += known["options"] is options
        if stream is not None:
            self._get_result_queue_watch(_, stream, [id for id, _ in tasks])
        if self.runs_at_once:
            for id, _payload in tasks:
                self.run(id)
        return new if unique is None else others

    def _get_result_queue_watch(self, _: Future[Any], stream: str, ids: list[Any]) -> None:
        for id in ids_named(ids):
            task = self.tasks.get(id)
            if task is None or task["state"] >= 10:
                row = [id, -1, None] if task is None else [id, task["state"], task["body"]]
                self._outcomes.setdefault(stream, []).append(row)
            else:
                self._watched.setdefault(stream, set()).add(id)
        self._answer_collects()

    def _get_result_queue_unwatch(self, _: Future[Any], stream: str, ids: list[Any]) -> None:
        self._watched.get(stream, set()).difference_update(ids_named(ids))

    def _get_result_queue_collect(self, future: Future[Any], stream: str, tasks_max: int) -> Future[Any]:
        assert stream not in self._collects, "two collects at once"
        self._collects[stream] = future
        self.collected.set()
        self._answer_collects()
        return future

    def _get_tasks_states(self, _: Future[Any], ids: list[Any]) -> list[Row]:
        return [[id, self.tasks[id]["state"] if id in self.tasks else -1] for id in ids_named(ids)]

    def _get_tasks_cancel(
        self, _: Future[Any], ids: list[Any], running: bool = True, tree: bool = False
    ) -> list[Row]:
        for id in ids_named(ids):
            if id in self.tasks and self.tasks[id]["state"] < (10 if running else StateNumber.RUNNING):
                self.end(id, StateNumber.CANCELLED, None)
        return [row for row in self._get_tasks_states(_, ids) if row[1] >= 0]

    def _get_tasks_retry(self, _: Future[Any], ids: list[Any]) -> list[Row]:
        for id in ids_named(ids):
            self.tasks[id]["state"] = int(StateNumber.READY)
        return self._get_tasks_states(_, ids)

    def _get_tasks_show(self, _: Future[Any], id: bytes) -> dict[str, Any]:
        task = self.tasks[id]
        attempt = {
            "attempt": 1,
            "worker": "here",
            "outcome": 0,
            "started": 1.0,
            "ended": 2.0,
            "body": None,
            "log": None,
        }
        if task["state"] == StateNumber.FAILED:
            attempt |= {"outcome": 1, "body": task["body"]}
        return {**task, "attempts": [attempt], "attempts_left_out": 0}

    def _get_workers_serving(self, _: Future[Any], queue: str, task: str) -> tuple[int, int]:
        return (1, 1) if task in self.functions else (0, self.workers)

    def _get_counter_add(self, _: Future[Any], name: str, payload: bytes) -> bytes:
        [amount], kwargs = decode_call(payload)
        return encode([name, amount, kwargs])

    # workers

    def run(self, id: bytes) -> None:
        """IdRun a task here and now."""
        task = self.tasks[id]
        args, kwargs, style = decode_work(task["payload"])
        try:
            function = self.functions[task["name"]]
            if style is None:
                result = function(*args, **kwargs)
            elif style == EACH:
                result = [[], []]
                for item in args:
                    try:
                        result[0].append(function(item))
                    except Exception as error:
                        result[1].append([len(result[0]), Failure.of(error).encode()])
                        result[0].append(None)
            else:
                result = [function(*item) if style == "starmap" else function(item) for item in args]
        except Exception as error:
            self.end(id, StateNumber.FAILED, Failure.of(error).encode())
        else:
            self.end(id, StateNumber.SUCCEEDED, encode(result))

    def end(self, id: bytes, state: StateNumber, body: bytes | None) -> None:
        with self._lock:
            self.tasks[id] |= {"state": int(state), "body": body}
            for stream, ids in self._watched.items():
                if id in ids:
                    ids.discard(id)
                    self._outcomes.setdefault(stream, []).append([id, int(state), body])
            self._answer_collects()

    def run_all(self) -> None:
        with self._lock:
            for id, task in list(self.tasks.items()):
                if task["state"] < 10:
                    self.run(id)

    def _answer_collects(self) -> None:
        for stream in list(self._collects):
            if self._outcomes.get(stream):
                self._collects.pop(stream).set_result(joined(self._outcomes.pop(stream)))

    def made(self, method: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of a method."""
        return [args for _, name, args in self.calls if name == method]


@pytest.fixture
def master() -> Iterator[MasterInMemory]:
    master = MasterInMemory()
    set_ambient(master)
    yield master
    set_ambient(None)


@pytest.fixture
def app(master: MasterInMemory) -> Iterator[tq.App]:
    with tq.App() as app:
        yield app


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of the tests' own, one for all of them; each makes databases of its own."""
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_address(postgres_server: PostgresServer) -> str:
    """Of a database in which each test makes its own schema."""
    return postgres_server.create("outboxes")

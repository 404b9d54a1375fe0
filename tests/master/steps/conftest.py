"""A task that runs: real attempts' steps over a real engine, with the calls between them made, lost or repeated as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from tq.common.domain.directives import Suspended
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber
from tq.common.errors import LeaseLost, TqError
from tq.common.values.codec import encode
from tq.master.store.sqlite.store import SqliteStore
from tq.worker.child.shard_routes import OF_TASK
from tq.worker.child.steps import AttemptSteps
from tq.worker.child.verdict import verdict

from ..conftest import Bench, Peer

Body = Callable[[AttemptSteps], Any]


class BenchLink:
    """A link of a worker's child to the engine of a bench. ``before``, ``after``: called with each call's method, may raise.

    Steps of a coroutine that run side by side call from threads of their own; a bench runs one transaction at a time."""

    def __init__(self, life: TaskLife) -> None:
        self._life, self._lock = life, threading.RLock()
        self.before: Callable[[str], object] = lambda method: None
        self.after: Callable[[str], object] = lambda method: None

    def call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            with self._lock:
                self.before(method)
                # In front: the task for which a worker asks.
                answer = self._life.client.call(
                    tuple(target[2:] if target[0] == OF_TASK else target), method, *args
                )
                self.after(method)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(answer)
        return future

    def close(self) -> None:
        """It is the test's."""


class TaskLife:
    """One task in a master, and the attempts of it."""

    def __init__(self, store: SqliteStore, size: int = 1, **options: Any) -> None:
        """``size``: of the array that it is the first task of."""
        self.store = store
        self.link = BenchLink(self)
        self.start()
        self.id = new_ids()
        self.client.call("get_task_queue/q", "submit", "m:f", options, [[self.id, [b"payload"] * size]])

    def start(self) -> None:
        """A master on the store."""
        self.bench = Bench(self.store)
        self.client, self.worker = self.bench.client(), self.bench.worker("m:f")

    def restart(self, token: tuple[bytes, int, bytes] | None) -> None:
        """The master is killed and started again; the worker still has the attempt of the token."""
        now = self.bench.now
        self.store.rollback()
        self.bench = Bench(self.store)
        self.bench.now = now
        self.bench.engine.start(now)
        self.client = self.bench.client()
        self.worker = self.bench.worker("m:f", held=[list(token)] if token else [])

    def lease(self) -> AttemptSteps:
        """The next attempt of the task."""
        lease, [(_, _, _, [(id, attempt, *_), *_])] = self.worker.call("get_dispatcher", "lease", 1)
        assert id == self.id
        return AttemptSteps(self.link, (id, attempt, lease))

    def run(self, body: Body) -> Any:
        """An attempt from lease to report; what it returned or raised."""
        return self.end(self.lease(), body)

    def end(self, steps: AttemptSteps, body: Body) -> Any:
        try:
            value = body(steps)
        except (TqError, Suspended, LeaseLost, ArithmeticError, OSError) as error:
            outcome, packed, after = verdict(error)
            self.report(steps, outcome, packed, after)
            return error
        self.report(steps, OutcomeNumber.SUCCESS, encode(value), None)
        return value

    def report(self, steps: AttemptSteps, outcome: int, body: bytes | None, after: float | None) -> Any:
        row = [*steps.token, int(outcome), body, 0.0, 0.5, after]
        return self.worker.call("get_dispatcher", "finish", [row])

    def show(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.client.call("get_tasks", "show", self.id)
        return shown

    @property
    def state(self) -> int:
        return int(self.show()["state"])

    @property
    def names(self) -> list[str]:
        return [row[2] for row in self.show()["steps"]]

    def lose(self) -> Peer:
        """The worker vanishes; another takes its place."""
        gone, self.worker = self.worker, self.bench.worker("m:f")
        gone.close()
        self.bench.advance(60)
        return gone


@pytest.fixture
def make_life(new_store: Callable[[], SqliteStore]) -> Callable[..., TaskLife]:
    def make(size: int = 1, **options: Any) -> TaskLife:
        return TaskLife(new_store(), size, **options)

    return make


@pytest.fixture
def life(make_life: Callable[..., TaskLife]) -> TaskLife:
    return make_life(retries=20, backoff=0.0)

"""Who waits for a task gets its end, or an error, wherever in the course the disk fails: the shipped engine and the shipped client's
``PendingCalls``, with a store of which one statement after the other fails, and then one commit after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
from tq.client.core.pending_calls import PendingCalls
from tq.common.contract.tasks import rows_of
from tq.common.domain.id_runs import IdRun, runs_of
from tq.common.domain.ids import IdSource, consecutive_ids, new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.errors import StoreError, TqError
from tq.master.tasks.subscriptions import Subscriptions

from tests.master.leased import each

from ..conftest import Bench, Peer
from ..new_store import NewStore

QUEUE: Final = ("get_task_queue", "q")
# Of the bench, a second each when nothing happens: a lost worker's tasks come back after a lease
TURNS_MAX: Final = 80
SUCCESS: Final = int(OutcomeNumber.SUCCESS)
OPEN: Final = StateNumber.SUCCEEDED


class FailingStore(NewStore):
    """``fail_at``: the number of the statement or commit that fails, with so many behind it. ``met``: how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self.fail_at, self.times, self.met, self.in_commits, self.is_armed = -1, 1, 0, False, False

    def _meet(self) -> None:
        self.met += 1
        if self.is_armed and 0 <= self.met - self.fail_at < self.times and self.fail_at >= 0:
            raise StoreError("the disk does not answer")

    def _all(self, name: str, values: Any = ()) -> list[Any]:
        if not self.in_commits:
            self._meet()
        return super()._all(name, values)

    def _many(self, name: str, rows: Sequence[Any]) -> int:
        if not self.in_commits and rows:
            self._meet()
        return super()._many(name, rows)

    def commit(self) -> None:
        if self.in_commits:
            self._meet()
        super().commit()


class Program:
    """A client's pending calls on the bench. It submits again and watches again after an error, as a program's next wait does."""

    def __init__(self, bench: Bench, ids: Sequence[bytes]) -> None:
        self.bench, self.ids = bench, ids
        self.pending = PendingCalls("outcomes")
        self.peer: Peer | None = None
        self._calls: dict[int, int] = {}
        self.ends: dict[bytes, int] = {}
        self.again: list[Any] = []  # what is done again in the next turn

    def submit(self) -> None:
        run = IdRun(self.ids[0], len(self.ids))
        rows = [[run.first, [b"p"] * run.length]] if run.length > 1 else [[run.first, b"p"]]
        args = ["m:f", {}, rows, self.pending.stream]
        self.pending.call("submit", QUEUE, "submit", args, repeatable=True, runs=[run], listener=self)

    def watch(self) -> None:
        self.pending.watch(self, list(runs_of([id for id in self.ids if id not in self.ends])))

    def send(self) -> None:
        for again in self.again:
            again()
        self.again.clear()
        if self.peer is None or not self.peer.session.open:
            if self.peer is not None:
                self.pending.disconnected()
            self._calls.clear()
            self.peer = self.bench.client(role=Role.CLIENT)
            self.pending.connected()
        for call in self.pending.take_outgoing():
            self._calls[call.number] = self.peer.ask(tuple(call.target), call.method, *call.args)

    def receive(self) -> None:
        assert self.peer is not None
        for number, asked in list(self._calls.items()):
            if asked in self.peer.answers:
                value, error = self.peer.answers.pop(asked)
                del self._calls[number]
                if error is None:
                    self.pending.answered(number, value)
                else:
                    self.pending.refused(number, error)
        for ticket, _, error in self.pending.take_settled():
            if ticket == "submit" and error is not None:
                self.again.append(self.submit)
        for delivery in self.pending.take_deliveries():
            if delivery.error is not None:
                self.again.append(self.watch)
            for id, state, _ in rows_of(delivery.slices):
                if state >= OPEN:
                    self.ends[id] = state
                else:  # it is not there yet: it is asked for again
                    self.again.append(self.watch)


class Runner:
    """A worker that runs whatever it is given at once."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.node = bench, new_ids()
        self.peer: Peer | None = None
        self._lease: int | None = None
        self._report: int | None = None
        self._rows: list[Any] = []

    def send(self) -> None:
        if self.peer is None or not self.peer.session.open:
            self.peer = self._lease = self._report = None
            try:
                self.peer = self.bench.worker("m:f", node=self.node, held=[])
            except (TqError, KeyError):
                return
        if self._rows and self._report is None:
            self._report = self.peer.ask("get_dispatcher", "finish", self._rows)
        if self._lease is None:
            self._lease = self.peer.ask("get_dispatcher", "lease", 5)

    def receive(self) -> None:
        if self.peer is None:
            return
        if self._report in self.peer.answers:
            _, error = self.peer.answers.pop(self._report)
            self._report, self._rows = None, self._rows if error is not None else []
        if self._lease in self.peer.answers:
            value, error = self.peer.answers.pop(self._lease)
            self._lease = None
            if error is None and value[0]:
                self._rows += [
                    [id, attempt, value[0], SUCCESS, b"\xc0", 0.0, 0.0, None]
                    for id, attempt, *_ in each(value[1])
                ]


def course(store: FailingStore, *, is_bounded: bool) -> None:
    """Run it to its end. ``is_bounded``: the queue has no room for all, so that the submit waits for some."""
    bench = Bench(store)
    if is_bounded:
        bench.client(role=Role.ADMIN).call("get_queues", "set", "q", 2)
    store.met, store.is_armed = 0, True
    ids = consecutive_ids(IdSource().take(3), 3)
    submitter, watcher, runner = Program(bench, ids), Program(bench, ids), Runner(bench)
    submitter.submit()
    watcher.watch()
    for turn in range(TURNS_MAX):
        for one in (submitter, watcher, runner):
            one.send()
        bench.step()
        for one in (submitter, watcher, runner):
            one.receive()
        if len(submitter.ends) == len(watcher.ends) == len(ids):
            return
        if turn > 3:
            bench.advance(1)
            for one in (submitter, watcher, runner):
                one.receive()
    pytest.fail(
        f"the disk failed at {store.fail_at}: the submitter has {len(submitter.ends)} ends, the watcher {len(watcher.ends)}, of {len(ids)}; "
        f"watched {submitter.pending.watched_tasks} and {watcher.pending.watched_tasks}"
    )


@pytest.fixture
def stores() -> Iterator[list[FailingStore]]:
    made: list[FailingStore] = []
    yield made
    for store in made:
        store.close()


@pytest.mark.parametrize("in_commits", [False, True], ids=["statements", "commits"])
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("is_bounded", [False, True], ids=["any number", "a full queue"])
def test_each_who_waits_gets_the_end_wherever_the_disk_has_failed(
    in_commits: bool, times: int, is_bounded: bool, stores: list[FailingStore]
) -> None:
    def store_that_fails(at: int) -> FailingStore:
        stores.append(FailingStore())
        stores[-1].in_commits, stores[-1].fail_at, stores[-1].times = in_commits, at, times
        return stores[-1]

    whole = store_that_fails(-1)
    course(whole, is_bounded=is_bounded)
    assert whole.met >= (3 if in_commits else 20)
    for at in range(1, whole.met + 1):
        course(store_that_fails(at), is_bounded=is_bounded)


def test_a_master_that_kept_such_sessions_would_leave_them_waiting(
    monkeypatch: pytest.MonkeyPatch, stores: list[FailingStore]
) -> None:
    monkeypatch.setattr(Subscriptions, "must_reconnect", lambda self, session: False)
    missed = 0
    for at in range(1, 8):
        stores.append(FailingStore())
        stores[-1].in_commits, stores[-1].fail_at = True, at
        try:
            course(stores[-1], is_bounded=False)
        except pytest.fail.Exception:
            missed += 1
    assert missed

"""Every way in which a task can end, walked with a task that was an item: nothing is lost, and each listener is notified once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Delivery, OutcomeNumber, Role, StateNumber, TaskOptions
from tq.common.values.failure import Failure
from tq.master.engine.endings import Ended, joined
from tq.master.items import consumers
from tq.master.observe.last_failures import LastFailures
from tq.master.observe.meters import count
from tq.master.tasks.leases import Leases
from tq.master.tasks.routes import Routes

from tests.master.leased import each

from ..conftest import GRACE_MS, Bench, OpenKept, Peer

DISPATCHER = "get_dispatcher"
Lease = list[Any]  # [id, attempt, lease]


@dataclass
class World:
    """A master with a worker that applies ``m:f`` to the items of ``jobs`` and puts results into ``done``."""

    bench: Bench
    client: Peer
    worker: Peer

    @classmethod
    def around(cls, bench: Bench) -> World:
        return cls(bench, bench.client(), applying(bench))

    def put(self) -> bytes:
        """One item, which becomes a task; its id."""
        self.client.call("get_queue/jobs", "put", b"p" * 16, new_ids.many(1)[0][-1] + 1, b"\x01", True, None)
        self.bench.step()
        [row] = self.client.call("get_tasks", "list", {"queue": "jobs"}, 1)
        return bytes(row["id"])

    def lease(self) -> Lease:
        lease, groups = self.worker.call(DISPATCHER, "lease", 1)
        [[id, attempt, *_]] = each(groups)
        return [id, attempt, lease]

    def report(self, held: Lease, outcome: OutcomeNumber, body: bytes | None = b"\x02") -> None:
        self.worker.call(DISPATCHER, "finish", [[*held, int(outcome), body, 0.0, 0.1, None]])

    def cancel(self, id: bytes) -> None:
        self.client.call("get_tasks", "cancel", [id])

    @property
    def unfinished(self) -> int:
        return int(self.client.call("get_queue/jobs", "size")[3])

    @property
    def results(self) -> int:
        return int(self.client.call("get_queue/done", "size")[0])


def applying(bench: Bench, results: str | None = "done") -> Peer:
    peer = Peer(bench, Role.WORKER, new_ids())
    info = {
        "host": "host",
        "pid": 1,
        "slots": 2,
        "labels": {},
        "tasks": ["m:f"],
        "queues": None,
        "version": "test",
        "allow": [],
        "apply": [["jobs", "m:f", results]],
    }
    peer.announced = peer.call(DISPATCHER, "announce", info, [])
    return peer


@pytest.fixture
def world(bench: Bench) -> World:
    return World.around(bench)


FAILURE = Failure("ValueError", "no").encode()


def succeeds(world: World, id: bytes) -> None:
    world.report(world.lease(), OutcomeNumber.SUCCESS)


def fails(world: World, id: bytes) -> None:
    world.report(world.lease(), OutcomeNumber.ERROR, FAILURE)


def is_discarded(world: World, id: bytes) -> None:
    world.report(world.lease(), OutcomeNumber.DISCARD, FAILURE)


def strikes_its_limit(world: World, id: bytes) -> None:
    world.report(world.lease(), OutcomeNumber.TIMEOUT, FAILURE)


def crashes_too_often(world: World, id: bytes) -> None:
    for _ in range(TaskOptions().max_crashes):
        world.report(world.lease(), OutcomeNumber.CRASH, FAILURE)


def is_cancelled_while_it_waits(world: World, id: bytes) -> None:
    world.cancel(id)


def is_cancelled_with_all_that_fit_a_filter(world: World, id: bytes) -> None:
    world.client.call("get_tasks", "cancel_where", {"queues": ["jobs"]})


def is_cancelled_before_it_begins(world: World, id: bytes) -> None:
    held = world.lease()
    world.cancel(id)
    world.worker.call(DISPATCHER, "release", [held])


def is_cancelled_while_it_runs(world: World, id: bytes) -> None:
    held = world.lease()
    world.cancel(id)
    world.report(held, OutcomeNumber.CANCELLED)


def is_cancelled_and_its_worker_says_goodbye(world: World, id: bytes) -> None:
    world.lease()
    world.cancel(id)
    world.worker.call(DISPATCHER, "leave")


def is_cancelled_and_its_worker_vanishes(world: World, id: bytes) -> None:
    world.lease()
    world.cancel(id)
    world.worker.close()
    world.bench.advance(GRACE_MS / 1000 + 1)


def is_purged_while_it_waits(world: World, id: bytes) -> None:
    admin = world.bench.client(role=Role.ADMIN)
    assert admin.call("get_tasks", "purge", {"queues": ["jobs"]})["tasks"] == 1


def expires(world: World, id: bytes) -> None:
    world.bench.advance(6)


def is_lost_with_its_worker(world: World, id: bytes) -> None:
    world.lease()
    world.worker.close()
    world.bench.advance(GRACE_MS / 1000 + 1)


def is_released_by_a_worker_that_ends_at_once(world: World, id: bytes) -> None:
    world.worker.call(DISPATCHER, "release", [world.lease()], True)


ONCE = TaskOptions(delivery=Delivery.AT_MOST_ONCE)
WAYS: list[tuple[Callable[[World, bytes], None], StateNumber, TaskOptions]] = [
    (succeeds, StateNumber.SUCCEEDED, TaskOptions()),
    (fails, StateNumber.FAILED, TaskOptions()),
    (is_discarded, StateNumber.FAILED, TaskOptions()),
    (strikes_its_limit, StateNumber.FAILED, TaskOptions()),
    (crashes_too_often, StateNumber.DEAD, TaskOptions()),
    (is_cancelled_while_it_waits, StateNumber.CANCELLED, TaskOptions()),
    (is_cancelled_with_all_that_fit_a_filter, StateNumber.CANCELLED, TaskOptions()),
    (is_cancelled_before_it_begins, StateNumber.CANCELLED, TaskOptions()),
    (is_cancelled_while_it_runs, StateNumber.CANCELLED, TaskOptions()),
    (is_cancelled_and_its_worker_says_goodbye, StateNumber.CANCELLED, TaskOptions()),
    (is_cancelled_and_its_worker_vanishes, StateNumber.CANCELLED, TaskOptions()),
    (is_purged_while_it_waits, StateNumber.CANCELLED, TaskOptions()),
    (expires, StateNumber.EXPIRED, TaskOptions(expires=5)),
    (is_lost_with_its_worker, StateNumber.LOST, ONCE),
    (is_released_by_a_worker_that_ends_at_once, StateNumber.LOST, ONCE),
]


def test_every_state_in_which_a_task_can_end_is_walked() -> None:
    assert {state for _, state, _ in WAYS} == {state for state in StateNumber if state.is_terminal}


@pytest.mark.parametrize(("way", "state", "options"), WAYS, ids=[way.__name__ for way, _, _ in WAYS])
def test_an_item_is_done_once_and_each_listener_is_called_once_however_its_task_ends(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[[World, bytes], None],
    state: StateNumber,
    options: TaskOptions,
) -> None:
    monkeypatch.setattr(consumers, "OPTIONS", options)
    engine = world.bench.engine
    meters = count(engine)
    id = world.put()
    watcher = world.bench.client()
    watcher.call("get_result_queue/s", "watch", [id])
    collected = watcher.ask("get_result_queue/s", "collect")
    joined = world.client.ask("get_queue/jobs", "join")
    world.bench.step()
    assert (world.unfinished, world.results) == (1, 0)
    assert joined not in world.client.answers

    way(world, id)

    assert world.unfinished == 0
    assert world.client.answer(joined) is None
    assert world.results == (state == StateNumber.SUCCEEDED)
    [[collected_id, ended, _]] = watcher.answer(collected)
    assert (collected_id, ended) == (id, state)
    assert meters.finished == {(("jobs", "m:f"), state): 1}
    failures = (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST)
    assert [failed.state for failed in engine.part(LastFailures).newest_first()] == [state] * (
        state in failures
    )
    assert not engine.part(Leases).running
    assert not engine.part(Leases).cancelling
    believed = {
        (route.number, one): n for route in engine.part(Routes) for one, n in enumerate(route.counts) if n
    }
    assert believed == {(route, one): n for route, one, n in engine.store.load().counts}


def test_a_plain_task_of_the_same_function_and_queue_is_no_item(world: World) -> None:
    getter = world.bench.client()
    getter.ask("get_queue/jobs", "get", b"t" * 16, True)
    world.bench.step()
    world.client.call("get_queue/jobs", "put", b"p" * 16, 1, b"\x01", True, None)  # the item is the getter's
    world.client.call("get_task_queue/jobs", "submit", "m:f", {}, [[new_ids(), b""]])
    world.report(world.lease(), OutcomeNumber.SUCCESS)
    assert (world.unfinished, world.results) == (1, 0)


def test_what_was_an_item_stays_one_over_a_restart_on_any_worker(
    make_bench: Callable[..., Bench], open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    World.around(bench).put()
    bench.engine.store.close()
    after = make_bench(open_kept())
    world = World(after, after.client(), after.worker("m:f"))  # which applies nothing
    assert world.unfinished == 1
    world.report(world.lease(), OutcomeNumber.SUCCESS)
    assert (world.unfinished, world.results) == (0, 1)


def test_a_cancel_asked_for_before_a_restart_ends_the_item_after_it(
    make_bench: Callable[..., Bench], open_kept: OpenKept
) -> None:
    before = World.around(make_bench(open_kept()))
    id = before.put()
    before.lease()
    before.cancel(id)
    before.bench.engine.store.close()
    bench = make_bench(open_kept())
    bench.advance(30)  # its worker does not come back
    assert World(bench, bench.client(), bench.worker("m:f")).unfinished == 0
    [[_, state]] = bench.client().call("get_tasks", "states", [id])
    assert state == StateNumber.CANCELLED


def test_a_failed_item_that_is_retried_is_counted_again_and_its_result_is_put(world: World) -> None:
    id = world.put()
    fails(world, id)
    assert (world.unfinished, world.results) == (0, 0)
    world.client.call("get_tasks", "retry", [id])
    assert world.unfinished == 1
    succeeds(world, id)
    assert (world.unfinished, world.results) == (0, 1)


def test_a_deleted_queues_items_do_not_count_in_one_of_the_same_name(world: World) -> None:
    world.put()
    held = world.lease()
    admin = world.bench.client(role=Role.ADMIN)
    admin.call("get_queues", "delete", "jobs")
    admin.call("get_task_queue/jobs", "pause")  # so that what is put there stays an item
    world.client.call("get_queue/jobs", "put", b"q" * 16, 1, b"\x01", True, None)
    world.report(held, OutcomeNumber.SUCCESS)
    assert (world.unfinished, world.results) == (1, 1)
    admin.call("get_task_queue/jobs", "resume")
    world.bench.step()
    world.report(world.lease(), OutcomeNumber.SUCCESS)
    assert (world.unfinished, world.results) == (0, 2)


def test_an_id_that_is_named_twice_is_cancelled_and_brought_back_once(world: World) -> None:
    id = world.put()
    [[_, state]] = world.client.call("get_tasks", "cancel", [id, id])
    assert state == StateNumber.CANCELLED
    [[_, state]] = world.client.call("get_tasks", "retry", [id, id])
    assert state == StateNumber.READY
    assert world.unfinished == 1


def test_what_comes_back_large_after_a_restart_is_measured(
    make_bench: Callable[..., Bench], open_kept: OpenKept
) -> None:
    """A route of which everything was leased has large payloads, too, as soon as a lease comes back."""
    bench = make_bench(open_kept())
    tasks = [[id, b"x" * 3 * 1024 * 1024] for id in new_ids.many(3)]
    bench.client().call("get_task_queue/q", "submit", "m:f", {}, tasks)
    for _ in tasks:
        bench.worker("m:f").call(DISPATCHER, "lease", 1)
    bench.engine.store.close()
    after = make_bench(open_kept())
    after.advance(30)
    _, groups = after.worker("m:f").call(DISPATCHER, "lease", 10)
    assert len(each(groups)) == 1


def test_only_one_module_ends_tasks() -> None:
    """Whatever else ended one would not tell of it."""
    verbs = re.compile(r"store\.(succeed|end_attempts|return_unstarted|cancel_waiting|expire)\(")
    root = Path(str(resources.files("tq.master")))
    found = [
        file
        for file in root.rglob("*.py")
        if file.parent.name != "store" and verbs.search(file.read_text("utf-8"))
    ]
    assert [str(file.relative_to(root)) for file in found] == ["tasks/completion.py"]


def test_neighbours_that_ended_alike_are_one_end() -> None:
    def end(place: int, state: int, body: bytes | None, count: int = 1) -> Ended:
        run = IdRun(bytes(12) + place.to_bytes(4, "big"), count)
        return run, 1, 3, state, [body] * count, None

    ends = joined(
        [end(1, 10, b"a"), end(2, 10, b"b", 2), end(4, 11, None), end(6, 11, None), end(5, 11, None)]
    )
    assert [(run.place, run.length, state, bodies) for run, _, _, state, bodies, _ in ends] == [
        (1, 3, 10, [b"a", b"b", b"b"]),
        (4, 1, 11, [None]),
        (6, 1, 11, [None]),
        (5, 1, 11, [None]),
    ]
    assert joined([]) == []

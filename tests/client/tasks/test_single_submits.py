"""Single submits that come together travel together, and each caller gets the answer of its own task."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tq
from tq.client.tasks.submission import WatchPrediction
from tq.common.domain.ids import parse_id

from .. import jobs
from ..conftest import MasterInMemory, each


@pytest.fixture
def double(app: tq.App, master: MasterInMemory) -> Any:
    task = app.task(jobs.double)
    master.functions[task.name] = jobs.double
    assert app.session.shards == 1  # the first submit of a session waits for that
    return task


class HeldUp:
    """The I/O thread of an app, which does nothing inside the block."""

    def __init__(self, app: tq.App) -> None:
        self._link, self._go_on, self._is_held = app.session.link, threading.Event(), threading.Event()

    def __enter__(self) -> None:
        def hold() -> None:
            self._is_held.set()
            self._go_on.wait(20)

        self._link.post(hold)
        assert self._is_held.wait(20)

    def __exit__(self, *error: object) -> None:
        self._go_on.set()


def submits(master: MasterInMemory) -> list[int]:
    """How many tasks each submit carried."""
    return [len(each(args[2])) for _, method, args in master.calls if method == "submit"]


def submit_together(app: tq.App, kinds: list[Any]) -> list[Any]:
    """One submit of each, while the I/O thread is busy, in this order. Their handles, or errors."""

    async def submit() -> list[Any]:
        with HeldUp(app):
            tasks = [asyncio.ensure_future(kind.asubmit(number)) for number, kind in enumerate(kinds)]
            await asyncio.sleep(0)  # each runs up to its wait
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(submit())


@pytest.mark.parametrize("watched", [False, True])
def test_submits_of_an_event_loop_that_come_together_are_one_call(
    app: tq.App, double: Any, master: MasterInMemory, watched: bool
) -> None:
    app.session.part(WatchPrediction).watch_next = watched
    handles = submit_together(app, [double] * 50)
    assert submits(master) == [50]
    assert [handle.result(timeout=20) for handle in handles] == [2 * number for number in range(50)]
    assert any(method == "watch" for _, method, _ in master.calls) is not watched


def test_submits_of_many_threads_that_come_together_are_one_call(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    begun = threading.Semaphore(0)

    def submit(number: int) -> Any:
        begun.release()
        return double.submit(number)

    with ThreadPoolExecutor(8) as threads:
        with HeldUp(app):
            futures = [threads.submit(submit, number) for number in range(8)]
            for _ in futures:
                assert begun.acquire(timeout=20)
            posted = threading.Event()
            while len(app.session.part(_part())._gathered) < 8 and not posted.wait(0.005):
                continue
        handles = [future.result(20) for future in futures]
    assert submits(master) == [8]
    assert [handle.result(timeout=20) for handle in handles] == [2 * number for number in range(8)]


@pytest.mark.parametrize("watched", [False, True])
def test_tasks_that_are_the_same_travel_together_and_each_caller_gets_the_one_that_is_there(
    app: tq.App, double: Any, master: MasterInMemory, watched: bool
) -> None:
    app.session.part(WatchPrediction).watch_next = watched
    unique = double.using(unique=tq.Unique(by="{x}"))
    skipping = double.using(unique=tq.Unique(by="{x}", on_conflict="skip"))

    async def submit() -> list[Any]:
        with HeldUp(app):
            tasks = [asyncio.ensure_future(unique.asubmit(x)) for x in (1, 2, 1, 3)]
            tasks += [asyncio.ensure_future(skipping.asubmit(x)) for x in (2, 4)]
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks)

    first, second, again, third, skipped, fourth = asyncio.run(submit())
    assert submits(master) == [4, 2]
    assert (again.id, again.cached, skipped) == (first.id, True, None)
    assert [one.result(timeout=20) for one in (first, second, again, third, fourth)] == [2, 4, 2, 6, 8]
    # What was not stored is not watched.
    assert app.session.link.watched_tasks == 0


def _part() -> Any:
    from tq.client.tasks.single_submits import SingleSubmits

    return SingleSubmits


def test_neighbours_of_other_kinds_and_tasks_with_a_key_travel_apart_in_their_order(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    urgent, keyed = double.using(priority=1), double.using(key="k")
    handles = submit_together(app, [double, double, urgent, urgent, double, keyed, double])
    assert submits(master) == [2, 2, 1, 1, 1]
    assert list(master.tasks) == [parse_id(handle.id) for handle in handles]


def test_a_refusal_reaches_the_caller_of_its_task_alone(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    app.session.part(WatchPrediction).watch_next = True
    first = double.submit(0)
    taken = (int.from_bytes(parse_id(first.id), "big") + 3).to_bytes(16, "big")
    master.tasks[taken] = {
        "id": taken,
        "name": "m:other",
        "queue": "default",
        "payload": b"",
        "options": {},
        "state": 0,
    }
    outcomes = submit_together(app, [double] * 5)
    assert [type(outcome) for outcome in outcomes] == [
        tq.Handle,
        tq.Handle,
        tq.TaskConflict,
        tq.Handle,
        tq.Handle,
    ]
    others = [outcome for outcome in outcomes if isinstance(outcome, tq.Handle)]
    assert [handle.result(timeout=20) for handle in others] == [0, 2, 6, 8]


def test_another_refusal_reaches_all_of_them_and_nothing_is_repeated(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    master.refusals["submit"] = tq.StoreError("the disk is full")
    outcomes = submit_together(app, [double] * 5)
    assert {type(outcome) for outcome in outcomes} == {tq.StoreError}
    assert submits(master) == [5]


def test_a_lost_connection_repeats_the_call_as_it_was(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    double.submit(0)
    master.losses["submit"] = 1
    handles = submit_together(app, [double] * 5)
    calls = [args[2] for _, method, args in master.calls if method == "submit"]
    assert [len(each(tasks)) for tasks in calls] == [1, 5, 5]
    assert calls[1] == calls[2]
    assert [handle.result(timeout=20) for handle in handles] == [0, 2, 4, 6, 8]


def test_a_handle_that_is_dropped_is_not_watched_any_more(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    master.runs_at_once = False
    app.session.part(WatchPrediction).watch_next = True
    handles = submit_together(app, [double] * 3)
    assert app.session.link.watched_tasks == 3
    del handles[1:]
    app.session.link.call(("get_tasks",), "states", [[]], repeatable=True).result(20)
    assert app.session.link.watched_tasks == 1
    assert handles

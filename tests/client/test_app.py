"""App, tasks and handles as a program uses them, against a master in memory."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import json
import os
import threading
import time
from functools import partial
from typing import Any

import pytest
import tq
from tq.client.tasks.submission import WatchPrediction
from tq.common.domain.callables import NamedCallable, offered
from tq.common.domain.id_runs import ids_named
from tq.common.domain.model import Outcome, State, StateNumber
from tq.common.errors import InvalidArgument

from . import jobs
from .conftest import MasterInMemory, each

UNKNOWN_ID = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"


def named(app: tq.App, master: MasterInMemory, function: Any, **options: Any) -> Any:
    """A function of ``jobs`` as a task that the master can run."""
    task = app.task(**options)(function)
    master.functions[task.name] = function
    return task


@pytest.fixture
def double(app: tq.App, master: MasterInMemory) -> Any:
    return named(app, master, jobs.double)


# tasks


def test_a_decorated_function_is_still_the_function(app: tq.App) -> None:
    task = app.task(jobs.double)
    assert task(4, plus=1) == 9
    assert task.__name__ == "double"
    assert task.function is jobs.double


def test_a_task_is_named_by_module_and_function(app: tq.App) -> None:
    assert app.task(jobs.double).name == f"{jobs.__name__}:double"
    assert app.task(name="other:name")(jobs.double).name == "other:name"


def test_a_function_no_worker_could_find_runs_here_but_is_refused_where_it_is_submitted(app: tq.App) -> None:
    @app.task
    def local(x: int) -> int:
        return x

    assert local(3) == 3
    for task in (local, app.task(lambda x: x), app.task(partial(jobs.add, 1))):
        with pytest.raises(tq.NotNamed):
            task.submit(1)


def test_a_worker_finds_a_task_and_the_tasks_of_an_app(app: tq.App) -> None:
    task = app.task(queue="img", retries=2)(jobs.double)
    offer = task.__tq_task__
    assert isinstance(offer, NamedCallable)
    assert (offer.function, offer.queue, offer.options.retries) == (jobs.double, "img", 2)
    assert dict(app.__tq_tasks__) == {offer.name: offer}
    assert {one.name for one in offered({"task": task, "app": app, "other": 3})} == {offer.name}


def test_options_of_the_decorator_and_of_using_travel_with_the_task(
    app: tq.App, master: MasterInMemory
) -> None:
    task = named(app, master, jobs.double, queue="img", retries=5, timeout=60)
    task.using(priority=7, timeout=None).submit(1)
    [(_, _, (name, options, [[_, _]], _))] = [call for call in master.calls if call[1] == "submit"]
    assert name == task.name
    assert options == {"retries": 5, "priority": 7}
    assert master.calls[0][0] == ("get_task_queue", "img")


def test_a_wrong_call_is_a_type_error_and_nothing_is_sent(double: Any, master: MasterInMemory) -> None:
    for submit in (
        lambda: double.submit(),
        lambda: double.submit(1, plos=2),
        lambda: double.starmap([(1, 2)]),
    ):
        with pytest.raises(TypeError, match="double"):
            submit()
    assert not master.calls


def test_a_value_that_cannot_travel_is_named_by_its_path(double: Any, master: MasterInMemory) -> None:
    with pytest.raises(tq.NotSerializable, match=r"argument x\[1\]\.when"):
        double.submit([0, {"when": object()}])
    with pytest.raises(tq.NotSerializable, match="argument plus"):
        double.submit(1, plus=object())
    assert not master.calls


def test_a_key_names_one_task(double: Any) -> None:
    once = double.using(key="k")
    assert once.submit(1).id == once.submit(1).id
    assert double.using(key="other").submit(1).id != once.submit(1).id
    with pytest.raises(tq.TaskConflict):
        once.submit(2)
    with pytest.raises(tq.InvalidArgument, match="names one task"):
        once.map([1])
    with pytest.raises(tq.InvalidArgument, match="non-empty"):
        double.using(key="")


def test_a_context_is_filled_in_for_a_plain_call_too(app: tq.App) -> None:
    task = app.task(jobs.where)
    assert task(5) == [1, 5, 0]
    assert task(x=5, y=6) == [1, 5, 6]
    with pytest.raises(TypeError):
        task()


def test_a_task_is_submitted_by_name_without_its_function(app: tq.App, master: MasterInMemory) -> None:
    master.functions["m:f"] = jobs.double
    assert app.submit("m:f", 4, plus=1).result(5) == 9
    assert app.named("m:f", queue="q").submit(4).result(5) == 8
    with pytest.raises(tq.InvalidArgument, match="module:function"):
        app.submit("f")


# handles


def test_a_handle_gives_the_result(double: Any) -> None:
    handle = double.submit(4)
    assert handle.result(timeout=5) == 8
    assert handle.result() == 8
    assert handle.state is State.SUCCEEDED
    assert handle.state == "succeeded"
    assert handle.done()
    assert handle.exception() is None
    assert "succeeded" in repr(handle)


def test_a_failure_arrives_with_type_message_and_traceback(app: tq.App, master: MasterInMemory) -> None:
    handle = named(app, master, jobs.fail).submit("bad")
    for _ in range(2):
        with pytest.raises(tq.TaskError) as raised:
            handle.result(5)
    assert (raised.value.type, raised.value.message) == ("ValueError", "bad")
    assert "raise ValueError" in raised.value.traceback
    assert isinstance(handle.exception(), tq.TaskError)
    [attempt] = handle.attempts
    assert (attempt.outcome, attempt.error) == (Outcome.ERROR, "ValueError: bad")
    assert json.dumps([handle.state, attempt.outcome]) == '["failed", "error"]'


def test_a_result_that_does_not_come_is_a_timeout_and_can_be_waited_for_again(
    double: Any, master: MasterInMemory
) -> None:
    master.runs_at_once = False
    handle = double.submit(4)
    with pytest.raises(TimeoutError, match=r"no result after 0\.01 s"):
        handle.result(timeout=0.01)
    assert handle.state is State.READY
    master.run_all()
    assert handle.result(5) == 8


def test_a_second_submit_is_watched_from_the_start_when_results_are_wanted(
    double: Any, master: MasterInMemory
) -> None:
    double.submit(1).result(5)
    assert double.submit(2).result(5) == 4
    assert [args[3] is None for args in master.made("submit")] == [True, False]
    assert len(master.made("watch")) == 1


def test_a_dropped_handle_is_no_longer_watched(app: tq.App, double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    app.session.part(WatchPrediction).watch_next = True
    handle = double.submit(1)
    del handle
    gc.collect()
    assert app.session.part(WatchPrediction).watch_next is False
    double.submit(2)
    assert len(master.made("unwatch")) == 1


def test_a_task_can_be_cancelled_and_made_ready_again(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    handle = double.submit(1)
    assert handle.cancel() is State.CANCELLED
    with pytest.raises(tq.TaskCancelled):
        handle.result(5)
    assert handle.retry() is State.READY
    assert handle.state is State.READY
    master.run_all()
    assert handle.result(5) == 2


def test_a_task_is_found_by_its_id_and_an_unknown_one_is_reported_at_once(app: tq.App, double: Any) -> None:
    handle = double.submit(1)
    assert app.get(handle.id) == handle
    assert app.get(handle.id).result(5) == 2
    assert len({handle, app.get(handle.id)}) == 1
    with pytest.raises(tq.UnknownTask, match=UNKNOWN_ID):
        app.get(UNKNOWN_ID)
    with pytest.raises(tq.InvalidArgument, match="not a task id"):
        app.get("something")


def test_several_threads_may_wait_for_one_handle(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    handle = double.submit(1)
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(handle.result(5))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert master.collected.wait(5)
    master.run_all()
    for thread in threads:
        thread.join(5)
    assert results == [2] * 5


# many


def test_a_map_gives_its_results_in_order_and_again(double: Any, master: MasterInMemory) -> None:
    handles = double.map(range(2_500))
    assert len(handles) == 2_500
    assert [len(each(args[2])) for args in master.made("submit")] == [1_000, 1_000, 500]
    expected = [2 * x for x in range(2_500)]
    assert list(handles.results(timeout=5)) == expected
    assert list(handles.results(timeout=5)) == expected
    assert len(set(handles.ids)) == 2_500


def test_a_map_reads_a_generator_no_faster_than_tasks_are_stored(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    most_ahead = 0

    def items() -> Any:
        nonlocal most_ahead
        for x in range(30_000):
            most_ahead = max(most_ahead, x - len(master.tasks))
            yield x

    master.functions[double.name] = lambda x: None
    assert len(double.map(items())) == 30_000
    assert most_ahead < 10_000


def test_large_payloads_travel_in_small_calls(app: tq.App, double: Any, master: MasterInMemory) -> None:
    master.functions[double.name] = len
    handles = double.map(b"x" * 400_000 for _ in range(7))
    assert [len(each(args[2])) for args in master.made("submit")] == [2, 2, 2, 1]
    assert list(handles.results(5)) == [400_000] * 7


def test_a_starmap_spreads_its_items(app: tq.App, master: MasterInMemory) -> None:
    add = named(app, master, jobs.add)
    assert list(add.starmap([(1, 2), [3, 4]]).results(5)) == [3, 7]


def test_a_map_over_a_function_with_a_context_in_front(app: tq.App, master: MasterInMemory) -> None:
    where = app.task(jobs.where)
    master.functions[where.name] = lambda x: x
    assert list(where.map([1, 2]).results(5)) == [1, 2]


def test_handles_are_a_sequence(double: Any) -> None:
    handles = double.map(range(10))
    assert handles[3].result(5) == 6
    assert handles[-1].result(5) == 18
    assert [handle.result(5) for handle in handles] == [2 * x for x in range(10)]
    assert list(handles[2:8:2].results(5)) == [4, 8, 12]
    assert handles[3] in handles
    with pytest.raises(IndexError):
        handles[10]


def test_a_failed_task_raises_in_its_turn_and_the_reader_goes_on(app: tq.App, master: MasterInMemory) -> None:
    task = named(app, master, jobs.double)
    master.functions[task.name] = lambda x: 1 // x
    handles = task.map([1, 0, 1])
    results = handles.results(5)
    assert next(results) == 1
    with pytest.raises(tq.TaskError, match="ZeroDivisionError"):
        next(results)
    assert list(results) == [1]
    [_, error, _] = handles.results(5, return_exceptions=True)
    assert isinstance(error, tq.TaskError)
    assert handles.states() == {State.SUCCEEDED: 2, State.FAILED: 1}


def test_handles_come_as_their_tasks_end(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    handles = double.map(range(3))
    ids = list(master.tasks)
    done = tq.as_completed(handles, timeout=5)
    for index in (2, 0, 1):
        master.run(ids[index])
        handle = next(done)
        assert handle == handles[index]
        assert handle.result() == 2 * index
    assert list(done) == []


def test_single_handles_come_as_they_end_each_as_often_as_it_was_given(
    double: Any, master: MasterInMemory
) -> None:
    seen = double.submit(5)
    seen.result(5)
    master.runs_at_once = False
    one, two = double.submit(1), double.submit(2)
    done = tq.as_completed([one, two, seen, one], timeout=5)
    assert next(done) is seen
    master.run_all()
    assert sorted(handle.result() for handle in done) == [2, 2, 4]


def test_as_completed_of_nothing_is_empty() -> None:
    assert list(tq.as_completed([])) == []


def test_reading_ends_at_its_timeout_and_can_be_taken_up_again(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    handles = double.map(range(3))
    with pytest.raises(TimeoutError, match="3 tasks"):
        next(handles.results(timeout=0.01))
    with pytest.raises(TimeoutError, match="3 tasks"):
        next(handles.as_completed(timeout=0.01))
    master.run_all()
    assert list(handles.results(5)) == [0, 2, 4]


def test_waiting_separates_done_from_not_done(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    one, two = double.submit(1), double.submit(2)
    master.run(next(iter(master.tasks)))
    assert tq.wait([one, two], timeout=0.05) == ([one], [two])
    assert tq.wait([two, one], return_when=concurrent.futures.FIRST_COMPLETED) == ([one], [two])
    with pytest.raises(tq.InvalidArgument, match="return_when='FIRST' is unknown; use 'ALL_COMPLETED'"):
        tq.wait([one], return_when="FIRST")
    handles = double.map(range(3))
    assert not handles.wait(timeout=0.01)
    master.run_all()
    assert handles.wait(5)
    assert handles.wait(5)
    assert list(handles.results(5)) == [0, 2, 4]
    assert handles.wait(5)


def test_a_wait_may_end_with_the_first_error(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    good, cancelled, bad, waiting = (double.submit(number) for number in range(4))
    ends = {good: StateNumber.SUCCEEDED, cancelled: StateNumber.CANCELLED, bad: StateNumber.FAILED}
    first = "FIRST_EXCEPTION"
    for handle in (good, cancelled):
        master.end(handle._id, ends[handle], None)
    assert tq.wait([good, cancelled], return_when=first) == ([good, cancelled], [])
    assert tq.wait([good, cancelled, bad, waiting], 0.05, first) == ([good, cancelled], [bad, waiting])
    master.end(bad._id, ends[bad], None)
    done, left = tq.wait([good, cancelled, bad, waiting], return_when=first)
    assert (bad in done, waiting in left) == (True, True)


def test_a_map_can_be_cancelled_as_a_whole(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    handles = double.map(range(3))
    master.run(next(iter(master.tasks)))
    assert handles.cancel() == 2


def test_more_tasks_than_are_watched_from_the_start_are_asked_for_while_reading(
    double: Any, master: MasterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.client.tasks.mapping.WATCHED_TASKS_MAX", 2_000)
    for read in (
        lambda handles: list(handles.results(10)),
        lambda handles: sorted(handle.result() for handle in handles.as_completed(10)),
    ):
        handles = double.map(range(25_000))
        assert read(handles) == [2 * x for x in range(25_000)]
    assert sum(args[3] is not None for args in master.made("submit")) == 4


def test_dropped_handles_are_no_longer_watched(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    double.map(range(3))
    gc.collect()
    double.submit(1)
    assert [len(ids_named(args[0])) for args in master.made("unwatch")] == [3]


# event loops


def test_everything_works_inside_an_event_loop(double: Any, master: MasterInMemory, app: tq.App) -> None:
    async def main() -> None:
        async with app:
            handle = await double.asubmit(4)
            assert await handle == 8
            assert await handle == 8
            handles = await double.amap(range(1_500))
            assert [x async for x in handles.results(5)] == [2 * x for x in range(1_500)]
            assert sorted([await one async for one in handles.as_completed(5)]) == [
                2 * x for x in range(1_500)
            ]
            assert await asyncio.gather(*[await double.asubmit(x) for x in range(3)]) == [0, 2, 4]
            assert await app.acall(("get_tasks",), "states", []) == []
            master.runs_at_once = False
            slow = await double.asubmit(1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(slow, 0.01)
            late = await double.amap([1])
            with pytest.raises(TimeoutError):
                await anext(late.results(0.01))
            master.run_all()
            assert await slow == 2

    asyncio.run(main())


# the line


def test_answers_lost_with_the_line_are_asked_for_again_and_nothing_is_doubled(
    double: Any, master: MasterInMemory
) -> None:
    master.losses = {"submit": 2, "watch": 1}
    handle = double.submit(4)
    assert handle.result(5) == 8
    assert len(master.tasks) == 1
    assert len(master.made("submit")) == 3


def test_waiting_survives_a_lost_connection(double: Any, master: MasterInMemory) -> None:
    master.runs_at_once = False
    handles = double.map(range(3))
    assert master.collected.wait(5)
    master.collected.clear()
    master.lose_connection()
    assert master.collected.wait(5)
    master.run_all()
    assert list(handles.results(5)) == [0, 2, 4]


def test_what_the_master_refuses_is_raised_where_it_was_asked(double: Any, master: MasterInMemory) -> None:
    master.refusals = {"submit": tq.Forbidden("not this queue")}
    with pytest.raises(tq.Forbidden, match="not this queue"):
        double.submit(1)
    with pytest.raises(tq.Forbidden, match="not this queue"):
        double.map([1])
    master.refusals = {"watch": tq.Forbidden("not you")}
    handle = double.submit(1)
    with pytest.raises(tq.Forbidden, match="not you"):
        handle.result(5)
    master.refusals = {}
    assert handle.result(5) == 2


def test_a_user_s_object_is_called_with_values_of_the_codec_and_never_twice(
    app: tq.App, master: MasterInMemory
) -> None:
    counter = app.object("get_counter", "visits")
    assert counter.add((1, {2}), by="me") == ["visits", (1, {2}), {"by": "me"}]
    assert repr(counter) == "<tq.RemoteObject get_counter('visits')>"
    master.losses = {"add": 1}
    with pytest.raises(tq.Unreachable, match="not repeated"):
        counter.add(1)


def test_a_built_in_object_is_called_with_plain_values(app: tq.App, double: Any) -> None:
    id = double.submit(1)._id
    assert app.object("get_tasks").states([id]) == [[id, State.SUCCEEDED.number]]
    with pytest.raises(TypeError, match="positional"):
        app.object("get_tasks").states(ids=[id])


def test_a_closed_app_connects_again_when_it_is_used_again(app: tq.App, double: Any) -> None:
    handles = double.map(range(3))
    handle = double.submit(1)
    app.close()
    app.close()
    assert handle.result(5) == 2
    assert list(handles.results(5)) == [0, 2, 4]


def test_a_dropped_app_ends_its_thread(master: MasterInMemory) -> None:
    app = tq.App()
    app.object("get_tasks").states([])
    thread = app.session.link._thread
    del app
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_a_call_can_be_given_up_after_a_time(app: tq.App, master: MasterInMemory) -> None:
    with pytest.raises(TimeoutError, match="collect"):
        app.call(("get_result_queue", "mine"), "collect", 1, timeout=0.01)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_a_line_of_its_own(app: tq.App, double: Any, master: MasterInMemory) -> None:
    before = double.map(range(3))
    parents = app.session.link
    child = os.fork()
    if child == 0:  # no assert here: an exception would run the rest of the suite twice
        good = False
        try:
            app.session.part(WatchPrediction).watch_next = True
            good = (
                double.submit(4).result(5) == 8
                and list(before.results(5)) == [0, 2, 4]
                and app.session.link is not parents
            )
        finally:
            os._exit(0 if good else 1)
    deadline = time.monotonic() + 20
    _, status = os.waitpid(child, 0)
    assert time.monotonic() < deadline
    assert status == 0
    assert app.session.link is parents
    assert list(before.results(5)) == [0, 2, 4]


@pytest.mark.parametrize("method", ["collect", "watch"])
def test_waiting_outlasts_a_store_that_fails(double: Any, master: MasterInMemory, method: str) -> None:
    master.refusals[method] = tq.StoreError("the disk is full")
    handle, results = double.submit(21), []
    waiting = threading.Thread(target=lambda: results.append(handle.result(timeout=10)))
    waiting.start()
    deadline = time.monotonic() + 10
    while [called for _, called, _ in master.calls].count(method) < 2:  # refused, and asked again
        assert time.monotonic() < deadline
        waiting.join(timeout=0.01)
    del master.refusals[method]
    waiting.join()
    assert results == [42]


@pytest.mark.parametrize("given", [len, lambda: 0, 7, None, b"jobs:f"])
def test_what_is_no_text_is_no_name_of_a_task_and_the_error_says_what_to_write(
    app: tq.App, given: Any
) -> None:
    for ask in (app.named, app.submit):
        with pytest.raises(InvalidArgument, match=r"'module:function', not .*@app\.task"):
            ask(given)

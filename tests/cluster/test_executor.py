"""``tq.Executor`` over real programs, by the ideas of CPython's own tests of ``concurrent.futures``."""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from pathlib import Path

import pytest
import tq

from .conftest import Cluster, WorkerFactory
from .programs import Master, run_script

sys.path.insert(0, str(Path(__file__).parent))
import plain_functions as plain  # type: ignore[import-not-found]

sys.path.pop(0)
SECONDS = 30


@pytest.fixture
def executor(doors: Cluster) -> Iterator[tq.Executor]:
    with tq.Executor(app=doors.app) as executor:
        yield executor


def test_functions_of_the_standard_library_run_where_they_are_allowed(
    master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory(options=("--allow", "math.*"))
    with tq.Executor(master.url, master.authkey) as executor:
        assert list(executor.map(math.sqrt, [4.0, 9.0])) == [2.0, 3.0]
        assert list(executor.map(math.pow, range(1_000), [2] * 1_000, chunksize=100)) == [
            number**2 for number in range(1_000)
        ]
        with pytest.raises(ValueError, match="math domain error"):
            executor.submit(math.sqrt, -1.0).result(20)
        with pytest.raises(tq.Forbidden, match=r"--allow 'cmath\.\*'|--allow 'cmath.sqrt'"):
            executor.submit(__import__("cmath").sqrt, -1.0)


def test_tasks_of_a_served_module_need_no_permission_and_outlive_a_killed_master(
    master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory()
    app = tq.App(master.url, master.authkey)
    add = app.task(name="cluster_tasks:add")(lambda a, b: a + b)
    with app, tq.Executor(app=app) as executor:
        results = [executor.submit(add, number, 1) for number in range(300)]
        assert results[0].result(20) == 1
        master.kill()
        master.start()
        assert sorted(one.result() for one in futures.as_completed(results, 30)) == list(range(1, 301))


def test_arguments_may_have_any_name(executor: tq.Executor) -> None:
    assert executor.submit(plain.multiply, 2, y=8).result(SECONDS) == 16
    named = executor.submit(plain.capture, 1, self=2, fn=3)
    assert named.result(SECONDS) == ((1,), {"self": 2, "fn": 3})
    for names in ({"fn": plain.capture, "arg": 1}, {"arg": 1}):
        with pytest.raises(TypeError):
            executor.submit(**names)  # type: ignore[call-arg]


@pytest.mark.parametrize("chunksize", [1, 6, 40, 50])
def test_map_gives_what_the_builtin_gives(executor: tq.Executor, chunksize: int) -> None:
    assert list(executor.map(pow, range(40), range(40), chunksize=chunksize)) == list(
        map(pow, range(40), range(40))
    )
    assert list(executor.map(abs, range(-40, 0), chunksize=chunksize)) == list(range(40, 0, -1))
    assert list(executor.map(pow, range(3), itertools.count(), chunksize=chunksize)) == [1, 1, 4]


def test_maps_exception_comes_in_its_turn(executor: tq.Executor) -> None:
    results = executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert (next(results), next(results)) == ((0, 1), (0, 1))
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_reads_its_iterables_before_it_returns_and_no_further_than_its_buffer(
    executor: tq.Executor,
) -> None:
    numbers = iter(range(4))
    executor.map(str, numbers)
    assert list(numbers) == []
    numbers = iter(range(4))
    results = executor.map(str, numbers, buffersize=2)
    assert next(numbers) == 2
    assert list(results) == ["0", "1", "3"]
    endless = executor.map(str, itertools.count(), buffersize=2, chunksize=3)
    assert list(itertools.islice(endless, 7)) == ["0", "1", "2", "3", "4", "5", "6"]
    endless.close()  # type: ignore[attr-defined]


def test_an_iterable_that_breaks_breaks_map_and_what_was_sent_is_cancelled(executor: tq.Executor) -> None:
    def numbers() -> Iterator[int]:
        yield from range(200)
        raise plain.Odd("no more")

    list(
        executor.map(plain.square, range(12), itertools.repeat(0.2))
    )  # so that the worker takes no more than it runs
    with pytest.raises(plain.Odd, match="no more"):
        executor.map(plain.square, numbers(), itertools.repeat(0.2))
    began = time.monotonic()
    executor.shutdown()
    assert time.monotonic() - began < 200 * 0.2 / 4 / 2


def test_map_ends_in_time_and_gives_what_came_before(executor: tq.Executor) -> None:
    results = []
    timed = executor.map(time.sleep, [0, 0, 3], timeout=1)
    with pytest.raises(futures.TimeoutError):
        results.extend(timed)
    assert results == [None, None]


def test_the_iterator_of_map_keeps_no_result(executor: tq.Executor) -> None:
    for result in executor.map(plain.one_set, range(10)):
        seen = weakref.ref(result)
        del result
        gc.collect()
        assert seen() is None


def test_wait_separates_done_from_pending(executor: tq.Executor) -> None:
    quick, slow = executor.submit(plain.multiply, 21, 2), executor.submit(time.sleep, 60)
    done, pending = futures.wait([quick, slow], SECONDS, return_when=futures.FIRST_COMPLETED)
    assert (done, pending) == ({quick}, {slow})
    failing = executor.submit(plain.fail_after, 0.1)
    done, pending = futures.wait([failing, slow], SECONDS, return_when=futures.FIRST_EXCEPTION)
    assert (done, pending) == ({failing}, {slow})
    assert futures.wait([quick, quick], SECONDS) == ({quick}, set())
    with pytest.raises(futures.TimeoutError, match=r"1 \(of 2\) futures unfinished"):
        list(futures.as_completed([quick, slow], timeout=0))
    assert list(futures.as_completed(itertools.repeat(quick, 3), SECONDS)) == [quick]
    assert slow.running()
    assert not slow.cancel()
    executor._app.call(("get_tasks",), "cancel", [slow.task])  # type: ignore[attr-defined]


def test_an_event_loop_takes_it_for_any_executor(executor: tq.Executor) -> None:
    async def in_a_loop() -> list[object]:
        loop = asyncio.get_running_loop()
        ran = loop.run_in_executor(executor, plain.multiply, 2, 3)
        wrapped = asyncio.wrap_future(executor.submit(plain.multiply, 4, 5))
        failing = loop.run_in_executor(executor, plain.fail_odd)
        return await asyncio.gather(ran, wrapped, failing, return_exceptions=True)

    six, twenty, error = asyncio.run(in_a_loop())
    assert (six, twenty) == (6, 20)
    assert isinstance(error, plain.Odd)


def test_a_traceback_shows_where_it_was_raised(executor: tq.Executor) -> None:
    error = executor.submit(plain.fail).exception(SECONDS)
    assert type(error) is RuntimeError
    assert error.args == (123,)
    cause = error.__cause__
    assert cause is not None
    assert "raise RuntimeError(123)  # some comment" in cause.tb  # type: ignore[attr-defined]
    assert str(cause).startswith('\n"""\nTraceback (most recent call last):')


def test_exceptions_are_of_their_own_class_where_that_can_be_made_safely(executor: tq.Executor) -> None:
    odd = executor.submit(plain.fail_odd).exception(SECONDS)
    assert type(odd) is plain.Odd
    assert odd.args == ("very", 1)
    fields = executor.submit(plain.fail_with, {"field": "email"}).exception(SECONDS)
    assert type(fields) is ValueError
    assert fields.args == ({"field": "email"},)
    coded = executor.submit(plain.fail_coded).exception(SECONDS)
    assert isinstance(coded, tq.TaskError)
    assert (coded.type, str(coded)) == ("plain_functions.Coded", "plain_functions.Coded: code 7")
    left = executor.submit(plain.leave, 3).exception(SECONDS)
    assert isinstance(left, tq.TaskError)
    assert left.type == "SystemExit"
    for error in (coded, left):
        assert "plain_functions.py" in str(error.__cause__)


def test_a_result_that_cannot_travel_is_the_futures_exception(executor: tq.Executor) -> None:
    with pytest.raises(tq.TaskError, match="result: a Thing cannot be sent; send a dict of its fields"):
        executor.submit(plain.a_thing).result(SECONDS)
    assert len(executor.submit(plain.megabytes, 8).result(SECONDS)) == 8 * 1024 * 1024
    with pytest.raises(tq.TaskError, match=r"large data travels with a task as a tq\.Blob"):
        executor.submit(plain.megabytes, 20).result(SECONDS)
    assert executor.submit(plain.multiply, 2, 2).result(SECONDS) == 4


def test_shutdown_waits_and_may_cancel_what_no_worker_has_begun(doors: Cluster) -> None:
    with tq.Executor(app=doors.app) as executor:
        sleeps = [executor.submit(time.sleep, 0.1) for _ in range(20)]
    assert all(one.done() for one in sleeps)
    executor = tq.Executor(app=doors.app)
    sleeps = [executor.submit(time.sleep, 0.1) for _ in range(50)]
    assert sleeps[0].result(SECONDS) is None
    executor.shutdown(cancel_futures=True)
    cancelled = [one for one in sleeps if one.cancelled()]
    assert 20 < len(cancelled) < 50
    assert all(one.exception() is None for one in sleeps if one not in cancelled)
    for call in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            call()


def test_one_that_is_cancelled_at_once_does_not_hold_up_the_end(doors: Cluster) -> None:
    executor = tq.Executor(app=doors.app)
    assert executor.submit(int).result(SECONDS) == 0
    executor.submit(int).cancel()
    executor.shutdown(wait=True)


def test_a_callback_cannot_wait_for_its_own_executor_and_gets_an_error(
    doors: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    executor = tq.Executor(app=doors.app)
    executor.submit(abs, 1).add_done_callback(lambda done: executor.shutdown(wait=True))
    executor.shutdown()
    assert "a callback cannot wait for the end of what calls it" in caplog.text


def test_a_callback_cannot_wait_for_another_result_and_gets_an_error(doors: Cluster) -> None:
    errors: list[str] = []

    def wait_for(result: Callable[[], object]) -> None:
        try:
            result()
        except RuntimeError as error:
            errors.append(str(error))

    with tq.Executor(app=doors.app) as executor, tq.Pool(1, app=doors.app) as pool:
        calls = [
            lambda: executor.submit(plain.square, 2, 0.1).result(),
            lambda: executor.submit(plain.square, 2, 0.1).exception(),
            lambda: list(executor.map(plain.square, [2], [0.1])),
        ]
        for call in calls:
            executor.submit(abs, 1).add_done_callback(lambda _, call=call: wait_for(call))
        calls = [
            lambda: pool.apply(plain.square, (2, 0.1)),
            lambda: pool.map(time.sleep, [0.1]),
            lambda: next(pool.imap(time.sleep, [0.1])),
        ]
        for call in calls:
            pool.apply_async(abs, (1,), callback=lambda _, call=call: wait_for(call)).get(SECONDS)
        executor.shutdown()
    assert len(errors) == 6
    assert all("give that one a callback, or wait in another thread" in words for words in errors)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: 1, "a lambda has no name that a worker could import"),
        (partial(abs, 1), r"a functools\.partial has no name"),
        (plain.Thing().method, "carries an object along"),
        (plain.Thing.make, r"def job\(…\): return Thing\.make\(…\)"),
        ("text".upper, "carries an object along"),
        (plain.Unhashable(), "a Unhashable has no name"),
    ],
)
def test_what_has_no_name_is_refused_with_the_line_to_write(
    executor: tq.Executor, function: object, words: str
) -> None:
    with pytest.raises(tq.NotNamed, match=words):
        executor.submit(function)  # type: ignore[arg-type]


def test_a_function_inside_another_is_refused(executor: tq.Executor) -> None:
    def inner() -> None: ...

    with pytest.raises(tq.NotNamed, match=r"move `def inner\(…\)` to the top of its module"):
        executor.submit(inner)


def test_methods_of_classes_run_by_their_names(executor: tq.Executor) -> None:
    assert executor.submit(plain.Thing.double, 4).result(SECONDS) == 8
    assert executor.submit(str.upper, "text").result(SECONDS) == "TEXT"


@pytest.mark.parametrize("options", [{"max_workers": 4}, {"initializer": print}, {"url": 4}])
def test_arguments_for_a_pools_own_processes_are_refused_and_the_error_names_whose_it_is(
    options: dict[str, object],
) -> None:
    with pytest.raises(tq.InvalidArgument, match=r"tq-worker --slots N"):
        tq.Executor(**options)  # type: ignore[arg-type]


def test_a_wrong_key_is_a_broken_executor(doors: Cluster) -> None:
    with (
        tq.Executor(doors.master.url, "a key that does not exist") as executor,
        pytest.raises(futures.BrokenExecutor, match="key"),
    ):
        executor.submit(abs, 1)


def test_a_master_that_stays_away_in_mid_call_breaks_what_waits(
    master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory(options=("--allow", "time.*"))
    with tq.Executor(master.url, master.authkey, master_timeout=1.0) as executor:
        waiting = executor.submit(time.sleep, 60)
        futures.wait([waiting], 0.5)
        master.kill()
        results = executor.map(time.sleep, [60])
        with pytest.raises(futures.BrokenExecutor, match=r"out of reach for . s; what it has stored goes on"):
            waiting.result(SECONDS)
        with pytest.raises(futures.BrokenExecutor):
            next(results)


def test_a_wait_without_workers_shows_how_to_start_one(
    master: Master,
    worker_factory: WorkerFactory,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tq.client.stdlib.submission_queue.IDLE_CHECK_SECONDS", 0.2)
    with tq.Executor(master.url, master.authkey) as executor:
        waiting = executor.submit(math.sqrt, 4)
        with pytest.raises(futures.TimeoutError):
            waiting.result(1)
        [record] = [one for one in caplog.records if "wait" in one.message]
        assert "1 task waits: no worker is connected to run math:sqrt in queue default" in record.message
        assert "start one with --allow 'math.sqrt' (or 'math.*')" in record.message
        worker_factory(options=("--allow", "math.*"))
        assert waiting.result(SECONDS) == 2.0


def test_a_forked_child_uses_it_as_its_parent_does(executor: tq.Executor) -> None:
    assert executor.submit(abs, -1).result(SECONDS) == 1
    sleeping = executor.submit(plain.square, 3, 1.0)
    child = os.fork()
    if child == 0:
        good = executor.submit(abs, -2).result(SECONDS) == 2 and list(executor.map(abs, [-3])) == [3]
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sleeping.result(SECONDS) == 9
    assert executor.submit(abs, -4).result(SECONDS) == 4


def test_a_forked_child_uses_a_pool_as_its_parent_does(doors: Cluster) -> None:
    with tq.Pool(2, app=doors.app) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
        results = pool.imap(plain.square, range(5))
        child = os.fork()
        if child == 0:
            good = pool.map_async(abs, [-3]).get(SECONDS) == [3] and pool.imap(abs, [-4]).next(SECONDS) == 4
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert list(results) == [0, 1, 4, 9, 16]


ENDING = """
import os, sys, tq
import plain_functions as plain

if __name__ == "__main__":
    executor = tq.Executor()
    executor.submit(plain.write, os.path.abspath("notes"), "done", 0.5)
    if sys.argv[1] == "shutdown":
        executor.shutdown(wait=False)
    if sys.argv[1] == "forget":
        del executor
"""
LATE_THREAD = """
import threading, tq

def work():
    threading.main_thread().join()
    print(app.call(("get_tasks",), "states", []))

app = tq.App()
threading.Thread(target=work).start()
"""
TOO_LATE = """
import atexit, tq

@atexit.register
def last():
    try:
        executor.submit(id, None)
    except RuntimeError as error:
        print(error)

executor = tq.Executor()
executor.submit(abs, 1).result()
"""
UNGUARDED = """
import tq

def double(number):
    return 2 * number

with tq.Executor() as executor:
    print(executor.submit(double, 1).result())
"""
GUARDED = UNGUARDED.replace("with tq", 'if __name__ == "__main__":\n  with tq').replace(
    "    print", "      print"
)


@pytest.mark.parametrize("how", ["nothing", "shutdown", "forget"])
def test_a_program_does_not_end_before_its_futures(doors: Cluster, home: Path, how: str) -> None:
    assert run_script(ENDING, home, doors.master, how) == (0, "", "")
    assert (home / "notes").read_text("utf-8") == "done"


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="starts no thread when its main one has ended")
def test_a_thread_that_outlives_the_main_one_may_be_the_first_to_connect(doors: Cluster, home: Path) -> None:
    assert run_script(LATE_THREAD, home, doors.master) == (0, "[]\n", "")


def test_at_the_end_of_the_interpreter_nothing_more_is_taken(doors: Cluster, home: Path) -> None:
    status, said, complaints = run_script(TOO_LATE, home, doors.master)
    assert (status, complaints) == (0, "")
    assert "cannot schedule new futures after shutdown" in said


def test_a_script_is_found_by_its_name_where_a_worker_can_import_it(
    master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    worker_factory(options=("--allow", "script.*"))
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    status, said, complaints = run_script(GUARDED, elsewhere, master)
    assert (status, said) == (1, "")
    assert (
        "cannot import script (No module named 'script'); is it installed, or its folder on PYTHON"
        in complaints
    )
    assert run_script(GUARDED, home, master) == (0, "2\n", "")


def test_a_script_that_starts_work_when_it_is_imported_fails_with_the_line_to_write(
    master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    worker_factory(options=("--allow", "script.*"))
    status, _, complaints = run_script(UNGUARDED, home, master)
    assert status == 1
    assert "put what starts the work under `if __name__ == '__main__':`" in complaints

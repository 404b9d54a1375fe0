"""The Executor as ``concurrent.futures`` documents it, over a master in memory."""

from __future__ import annotations

import asyncio
import concurrent.futures
import cProfile
import gc
import math
import pstats
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
import tq
from tq.client.stdlib.exceptions import RemoteTraceback
from tq.client.stdlib.executor import TaskFuture
from tq.client.stdlib.submission_queue import SubmissionQueue
from tq.common.domain.ids import new_ids
from tq.common.domain.model import StateNumber

from .. import jobs
from ..conftest import MasterInMemory

SECONDS = 10
CALLS_PER_SUBMIT_MAX = 30  # of functions, in the thread of the program


@pytest.fixture
def executor(master: MasterInMemory) -> Iterator[tq.Executor]:
    for function in (jobs.double, jobs.fail, math.sqrt, pow):
        master.functions[f"{function.__module__}:{function.__qualname__}"] = function
    with tq.Executor() as executor:
        yield executor
        master.run_all()  # what a test left: shutdown waits for it


def test_it_is_an_executor_and_gives_real_futures(executor: tq.Executor) -> None:
    assert isinstance(executor, concurrent.futures.Executor)
    future = executor.submit(jobs.double, 21)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(SECONDS) == 42
    assert (future.done(), future.running(), future.cancelled()) == (True, False, False)
    assert executor.submit(math.sqrt, 9.0).result(SECONDS) == 3.0
    assert executor.submit(pow, 2, 5).result(SECONDS) == 32


def test_map_gives_results_in_order_whatever_the_chunks(executor: tq.Executor) -> None:
    for chunksize in (1, 2, 3, 100):
        assert list(executor.map(pow, range(7), range(7), chunksize=chunksize)) == [a**a for a in range(7)]
    assert list(executor.map(jobs.double, [])) == []


SAME: dict[str, tq.Unique | float] = {"unique": tq.Unique(by="{x}"), "cache": 60}


@pytest.mark.parametrize("option", SAME)
@pytest.mark.parametrize("kind", [tq.Executor, partial(tq.Pool, 2)], ids=["Executor", "Pool"])
def test_a_task_that_may_be_that_of_another_call_is_refused_with_what_to_write(
    master: MasterInMemory, kind: Callable[..., Any], option: str
) -> None:
    app = tq.App()
    task = app.task(name="tests.client.jobs:double", **{option: SAME[option]})(jobs.double)
    master.functions["tests.client.jobs:double"] = jobs.double
    with (
        kind(app=app) as executor,
        pytest.raises(tq.InvalidArgument, match=rf"double: {option}= may give .*\(…, {option}=None\)"),
    ):
        executor.map(task, range(3))
    with pytest.raises(tq.InvalidArgument, match=f"{option}= may give the task of another call"):
        kind(app=app, **{option: SAME[option]})
    with kind(app=app, **{option: None}) as executor:
        assert list(executor.map(task, range(3))) == [0, 2, 4]


def test_map_with_a_buffer_reads_no_further_than_it(executor: tq.Executor) -> None:
    read = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    results = executor.map(jobs.double, numbers(), buffersize=3)
    assert read == [0, 1, 2]
    assert next(results) == 0
    assert read == [0, 1, 2, 3]
    assert list(results) == [2 * number for number in range(1, 10)]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunksize": 0}, ValueError),
        ({"buffersize": 0}, ValueError),
        ({"buffersize": 1.5}, TypeError),
    ],
)
def test_map_refuses_what_the_standard_library_refuses(
    executor: tq.Executor, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        executor.map(jobs.double, [1], **options)  # type: ignore[arg-type]


def test_map_in_time_or_timeout_error_and_the_rest_is_cancelled(
    executor: tq.Executor, master: MasterInMemory
) -> None:
    master.runs_at_once = False
    results = executor.map(jobs.double, range(3), timeout=0.05)
    with pytest.raises(TimeoutError):
        next(results)
    assert executor._submissions.join(SECONDS)
    assert {task["state"] for task in master.tasks.values()} == {StateNumber.CANCELLED}


def test_an_exception_is_of_its_own_type_with_the_remote_traceback_as_its_cause(
    executor: tq.Executor,
) -> None:
    future = executor.submit(jobs.fail, "no such thing")
    error = future.exception(SECONDS)
    assert type(error) is ValueError
    assert error.args == ("no such thing",)
    assert isinstance(error.__cause__, RemoteTraceback)
    assert "raise ValueError" in str(error.__cause__)
    with pytest.raises(ValueError, match="a"):
        list(executor.map(jobs.fail, ["a", "b"], chunksize=2))


def test_what_waits_is_cancelled_and_its_waiters_get_an_error(
    executor: tq.Executor, master: MasterInMemory
) -> None:
    master.runs_at_once = False
    first, second = executor.submit(jobs.double, 1), executor.submit(jobs.double, 2)
    assert not first.running()
    assert first.cancel()
    assert first.cancel()
    assert first.cancelled()
    with pytest.raises(concurrent.futures.CancelledError):
        first.result()
    master.run_all()
    done, pending = concurrent.futures.wait([first, second], SECONDS)
    assert (len(done), len(pending)) == (2, 0)
    assert not second.cancel()


def test_what_runs_is_not_cancelled(executor: tq.Executor, master: MasterInMemory) -> None:
    master.runs_at_once = False
    future = executor.submit(jobs.double, 1)
    assert isinstance(future, TaskFuture)
    assert not future.running()  # the answer comes after the submit: the task is stored
    master.tasks[future.task]["state"] = int(StateNumber.RUNNING)
    assert not future.cancel()
    assert future.running()
    master.run_all()
    assert future.result(SECONDS) == 2


def test_callbacks_are_called_with_the_future_and_their_errors_do_no_harm(
    executor: tq.Executor, caplog: pytest.LogCaptureFixture
) -> None:
    called = threading.Event()

    def broken(_: object) -> None:
        called.set()
        raise RuntimeError("in a callback")

    executor.submit(jobs.double, 1).add_done_callback(broken)
    assert called.wait(SECONDS)
    assert executor.submit(jobs.double, 2).result(SECONDS) == 4
    assert "in a callback" in caplog.text


def test_wait_as_completed_and_asyncio_take_its_futures(executor: tq.Executor) -> None:
    futures = [executor.submit(jobs.double, number) for number in range(5)]
    assert sorted(one.result() for one in concurrent.futures.as_completed(futures, SECONDS)) == [
        0, 2, 4, 6, 8,
    ]  # fmt: skip

    async def in_a_loop() -> list[int]:
        wrapped = await asyncio.wrap_future(executor.submit(jobs.double, 10))
        ran = await asyncio.get_running_loop().run_in_executor(executor, jobs.double, 20)
        return [wrapped, ran]

    assert asyncio.run(in_a_loop()) == [20, 40]


def test_after_shutdown_nothing_is_taken_and_what_was_sent_comes_home(
    executor: tq.Executor, master: MasterInMemory
) -> None:
    future = executor.submit(jobs.double, 4)
    executor.shutdown()
    assert future.done()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(jobs.double, 5)
    executor.shutdown()


def test_shutdown_may_cancel_what_no_worker_has_begun(executor: tq.Executor, master: MasterInMemory) -> None:
    master.runs_at_once = False
    futures = [executor.submit(jobs.double, number) for number in range(3)]
    assert not futures[-1].running()
    executor.shutdown(wait=True, cancel_futures=True)
    assert all(future.cancelled() for future in futures)


@pytest.mark.parametrize("function", [lambda: 1, "not callable"])
def test_what_cannot_be_named_is_refused_at_once(executor: tq.Executor, function: object) -> None:
    with pytest.raises((tq.NotNamed, TypeError)):
        executor.submit(function)  # type: ignore[arg-type]


def test_a_name_that_no_worker_allows_is_refused_with_the_flag(
    executor: tq.Executor, master: MasterInMemory
) -> None:
    master.workers = 2
    with pytest.raises(tq.Forbidden, match=r"--allow 'math\.cos' \(or 'math\.\*'\)"):
        executor.submit(math.cos, 0.0)


def test_bad_arguments_are_refused_before_anything_is_sent(
    executor: tq.Executor, master: MasterInMemory
) -> None:
    with pytest.raises(TypeError):
        executor.submit(jobs.double)  # type: ignore[call-arg]
    with pytest.raises(tq.NotSerializable):
        executor.submit(jobs.double, object())  # type: ignore[arg-type]
    assert master.made("submit") == []


def test_a_submit_that_is_refused_is_its_futures_exception_and_the_others_live(
    executor: tq.Executor, master: MasterInMemory
) -> None:
    good = executor.submit(jobs.double, 1)
    assert good.result(SECONDS) == 2
    master.refusals["submit"] = tq.StoreError("the disk is full")
    bad = executor.submit(jobs.double, 2)
    with pytest.raises(tq.StoreError, match="the disk is full"):
        bad.result(SECONDS)
    del master.refusals["submit"]
    assert executor.submit(jobs.double, 3).result(SECONDS) == 6


def test_a_cluster_that_cannot_be_reached_is_a_broken_executor() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    app = tq.App(f"tq://127.0.0.1:{port}", "a key for tests on loopback", connect_timeout=0.2)
    with (
        app,
        tq.Executor(app=app) as executor,
        pytest.raises(concurrent.futures.BrokenExecutor),
    ):
        executor.submit(math.sqrt, 2.0).result(SECONDS)


def test_an_executor_that_is_dropped_ends_its_thread(master: MasterInMemory) -> None:
    master.functions["tests.client.jobs:double"] = master.functions[f"{jobs.__name__}:double"] = jobs.double
    executor = tq.Executor()
    assert executor.submit(jobs.double, 1).result(SECONDS) == 2
    thread = executor._submissions._thread
    del executor
    gc.collect()
    assert thread is not None
    thread.join(SECONDS)
    assert not thread.is_alive()


def ended_futures(count: int) -> tuple[list[TaskFuture[int]], threading.Thread]:
    """Futures that a thread ends, one after the other."""
    submissions = cast(SubmissionQueue, SimpleNamespace(check_may_wait=lambda: None))
    futures: list[TaskFuture[int]] = [TaskFuture(submissions, new_ids()) for _ in range(count)]

    def end() -> None:
        for number, future in enumerate(futures):
            future.succeeded(number)

    return futures, threading.Thread(target=end)


def test_a_future_has_all_that_the_standard_librarys_has_as_soon_as_it_is_asked() -> None:
    [future], _ = ended_futures(1)
    standard = vars(concurrent.futures.Future())
    assert {name for name in standard if name not in ("_condition", "_waiters", "_done_callbacks")} <= set(
        vars(future)
    )
    assert type(future._condition) is type(standard["_condition"])
    assert all(getattr(future, name) == standard[name] for name in standard if name != "_condition")


def test_who_waits_for_a_future_while_it_ends_learns_of_it_once() -> None:
    waits: list[Callable[[TaskFuture[int]], int]] = [
        lambda future: future.result(SECONDS),
        lambda future: next(concurrent.futures.as_completed([future], SECONDS)).result(),
        lambda future: concurrent.futures.wait([future], SECONDS).done.pop().result(),
        lambda future: super(TaskFuture, future).result(SECONDS),
    ]
    futures, ending = ended_futures(4_000)
    called: list[int] = []
    ending.start()
    for number, future in enumerate(futures):
        future.add_done_callback(lambda future: called.append(future.result()))
        assert waits[number % len(waits)](future) == number
    ending.join()
    assert sorted(called) == list(range(4_000))


def test_code_of_the_garbage_collector_may_ask_for_a_future_in_the_midst_of_its_end() -> None:
    [future], _ = ended_futures(1)
    called: list[int] = []

    class Asking(TaskFuture[int]):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "_result" and value == 7:
                self.add_done_callback(lambda future: called.append(future.result()))

    Asking(future._submissions, new_ids()).succeeded(7)
    assert called == [7]


def test_a_submit_and_its_result_cost_a_few_calls_of_functions(executor: tq.Executor) -> None:
    assert executor.submit(jobs.double, 2).result(SECONDS) == 4  # what the first one costs more
    profile = cProfile.Profile()
    profile.enable()
    futures = [executor.submit(jobs.double, number) for number in range(2_000)]
    profile.disable()
    assert [future.result(SECONDS) for future in futures] == [2 * number for number in range(2_000)]
    assert pstats.Stats(profile).total_calls / 2_000 <= CALLS_PER_SUBMIT_MAX  # type: ignore[attr-defined]

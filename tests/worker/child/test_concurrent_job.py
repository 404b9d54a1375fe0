"""One job of many: whose code runs on the loop, and what is raised in a thread."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from contextvars import Context, ContextVar
from typing import Any, cast

import pytest
from tq.common.errors import TimeLimit
from tq.worker.child.blobs import ChildBlobs
from tq.worker.child.block import Block
from tq.worker.child.concurrent_job import ConcurrentJob, current, enter, task_factory
from tq.worker.child.start_page import HOLDER

SECONDS = 40  # of a busy machine


def job_of(ordinal: int) -> ConcurrentJob:
    block = Block(ordinal, "m:f", "q", b"lease", 1.0, False, [[bytes(16), 1, 1, 1]], [b""])
    return ConcurrentJob(block, 0, 0.0, 0.0, cast(ChildBlobs, None))


def test_while_a_step_of_its_tasks_runs_the_page_names_the_job() -> None:
    words = [0] * 64
    seen: list[int] = []

    async def inner() -> None:
        seen.append(words[HOLDER])
        await asyncio.sleep(0)
        seen.append(words[HOLDER])

    async def outer() -> None:
        await asyncio.gather(inner(), inner())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory(words))
        variables = Context()
        variables.run(enter, job_of(5))
        task = loop.create_task(outer(), context=variables)
        await asyncio.sleep(0)
        seen.append(words[HOLDER])
        await task

    asyncio.run(main())
    assert sorted(seen) == [0, 5, 5, 5, 5]


def test_what_is_over_is_freed_at_once_and_not_by_the_collector() -> None:
    class Mark:
        """Something in the variables of the job."""

    mark: ContextVar[Mark] = ContextVar("mark")
    freed: list[bool] = []

    async def run() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        job, variables, one = job_of(1), Context(), Mark()
        variables.run(mark.set, one)
        variables.run(enter, job)
        job.inner = run()
        job.task = asyncio.get_running_loop().create_task(job.inner, context=variables)
        await job.task
        found = weakref.ref(one)
        job.over()
        del job, variables, one
        await asyncio.sleep(0)
        freed.append(found() is None)

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
    assert freed == [True]


def test_what_it_leaves_behind_finds_no_job() -> None:
    job = job_of(1)

    def look() -> ConcurrentJob | None:
        enter(job)
        return current()

    variables = Context()
    assert variables.run(look) is job
    job.is_over = True
    assert variables.run(current) is None


def test_a_limit_is_raised_in_its_thread_and_nothing_after_it_has_left() -> None:
    job, running, ended = job_of(1), threading.Event(), list[Any]()

    def run() -> None:
        try:
            job.enter_thread()
            running.set()
            while True:
                pass
        except TimeLimit as error:
            ended.append(error)
        job.leave_thread()
        job.interrupt(TimeLimit)  # too late
        ended.append("it goes on")

    thread = threading.Thread(target=run)
    thread.start()
    assert running.wait(SECONDS)
    job.interrupt(TimeLimit)
    thread.join(SECONDS)
    assert [type(one) for one in ended] == [TimeLimit, str]


def test_what_was_raised_in_a_thread_leaves_no_other_thread_looking_for_it() -> None:
    """CPython 3.11 hangs in a call that is profiled while its flag of it is set. In a process of its own, which can be killed."""
    program = f"""
import cProfile, runpy, sys
sys.path[:] = {sys.path!r}
tests = runpy.run_path({__file__!r})
tests["test_a_limit_is_raised_in_its_thread_and_nothing_after_it_has_left"]()
profile = cProfile.Profile()
profile.enable()
sorted(range(3), key=lambda number: -number)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=SECONDS)


def test_a_job_that_was_to_end_before_its_thread_began_does_not_begin() -> None:
    job = job_of(1)
    job.interrupt(TimeLimit)
    with pytest.raises(TimeLimit):
        job.enter_thread()

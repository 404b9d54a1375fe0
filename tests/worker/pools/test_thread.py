"""A thread in place of a child process: what it runs, what is taken back from it, and what it tells its owner."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tq.client.core.session import ClientSession
from tq.client.core.settings import Settings
from tq.client.tasks.handle import Handle
from tq.common.domain import context
from tq.common.domain.model import OutcomeNumber
from tq.common.values.blob import Blob
from tq.common.values.codec import decode, encode_call
from tq.common.values.failure import Failure
from tq.common.wire.protocol import Request
from tq.worker.agent.jobs import Death
from tq.worker.agent.reports import JobReport, Report
from tq.worker.agent.runs import JobRun
from tq.worker.pools.interface import Runner
from tq.worker.pools.thread import ThreadChild

SECONDS = 45.0  # of a busy machine
TASK, LEASE = bytes(16), b"lease-of-16-byte"

begun, may_end = threading.Event(), threading.Event()


def add(left: int, right: int) -> int:
    return left + right


def wait() -> None:
    begun.set()
    may_end.wait(SECONDS)


def until_cancelled() -> bool:
    begun.set()
    task = context.current()
    assert task is not None
    task.progress(1, 2, "waiting")
    while not task.cancelled:
        may_end.wait(0.001)
    return True


def leave() -> None:
    raise SystemExit(3)


def give_handle(id: bytes) -> Any:
    return Handle(ClientSession(Settings.of("tq://127.0.0.1:1", "k")), id)


async def give_handle_later(id: bytes) -> Any:
    return give_handle(id)


class Undescribable(Exception):
    @property
    def args(self) -> Any:
        raise AttributeError("response")

    def __str__(self) -> str:
        raise SystemExit


def fork_and_return() -> int:
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 77


def raise_undescribable() -> None:
    raise Undescribable


def raise_chain() -> None:
    error = ValueError("the first")
    for link in range(5_000):
        later = ValueError(link)
        later.__context__, error = error, later
    raise error


def length(blob: Blob) -> int:
    return len(blob.read())


class RunnerOwner:
    """Everything one child tells, and a way to wait for it."""

    def __init__(self) -> None:
        self.reports: dict[int, JobReport] = {}
        self.progress: dict[int, list[Any]] = {}
        self.requests: list[Request] = []
        self.is_ready = False
        self._happened = asyncio.Event()
        self.child = ThreadChild(self, 1, [], ["*"])

    def child_hello(self, child: Runner, tasks: list[list[str]]) -> None:
        self.is_ready = True
        self._happened.set()

    def child_failed(self, child: Runner, known: bool, text: str) -> None:
        raise AssertionError("a thread imports nothing before it is asked to")

    def child_printed(self, child: Runner, ordinal: int, text: bytes, is_error: bool = False) -> None:
        raise AssertionError("what a thread prints is the program's")

    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None:
        self.progress[ordinal] = progress

    def child_reported(self, child: Runner, reports: list[Report]) -> None:
        for report in reports:
            assert isinstance(report, JobReport)
            assert report.ordinal not in self.reports
            self.reports[report.ordinal] = report
        self._happened.set()

    def child_distrusted(self, child: Runner, why: str) -> None:
        raise AssertionError("a thread says what it means")

    def child_called(self, child: Runner, request: Request) -> None:
        self.requests.append(request)
        self._happened.set()

    def broke(self, error: Exception) -> None:
        raise error

    def child_died(self, child: Runner, death: Death) -> None:
        raise AssertionError("a thread dies with its program")

    def send(self, ordinal: int, function: str, *arguments: Any) -> None:
        payload = encode_call(arguments, {}, (), [])
        run = JobRun(TASK, 1, LEASE, "q", f"{__name__}:{function}", None, [payload], ordinal=ordinal)
        self.child.send([run], is_swift=False)

    async def until(self, is_so: Any) -> None:
        async with asyncio.timeout(SECONDS):
            while not is_so():
                self._happened.clear()
                await self._happened.wait()

    async def report(self, ordinal: int) -> JobReport:
        await self.until(lambda: ordinal in self.reports)
        return self.reports[ordinal]


def in_a_loop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(scenario)
    def test(**given: Any) -> None:
        asyncio.run(scenario(**given))

    return test


@asynccontextmanager
async def hired() -> AsyncIterator[RunnerOwner]:
    begun.clear()
    may_end.clear()
    owner = RunnerOwner()
    await owner.until(lambda: owner.is_ready)
    try:
        yield owner
    finally:
        may_end.set()
        owner.child.end_input()


@in_a_loop
async def test_it_runs_one_job_after_the_other_and_reports_each() -> None:
    async with hired() as owner:
        for ordinal in range(1, 101):
            owner.send(ordinal, "add", ordinal, 1)
        await owner.report(100)
        assert [decode(owner.reports[one].body or b"") for one in range(1, 101)] == list(range(2, 102))
        assert context.current() is None


@in_a_loop
async def test_what_is_not_begun_can_be_taken_back_and_is_never_run() -> None:
    async with hired() as owner:
        owner.send(1, "wait")
        await asyncio.to_thread(begun.wait, SECONDS)
        owner.send(2, "add", 1, 1)
        owner.send(3, "add", 1, 1)
        assert owner.child.begun() == 1
        assert owner.child.take_back() == 1
        owner.send(4, "add", 2, 2)
        may_end.set()
        assert decode((await owner.report(4)).body or b"") == 4
        assert sorted(owner.reports) == [1, 4]


@in_a_loop
async def test_a_cancel_is_for_the_job_that_is_meant_and_is_seen_by_it() -> None:
    async with hired() as owner:
        owner.send(1, "until_cancelled")
        await asyncio.to_thread(begun.wait, SECONDS)
        owner.child.notify(7, "cancel")
        owner.child.notify(1, "timeout")
        owner.child.signal(kill=True)
        assert owner.reports == {}
        owner.child.notify(1, "cancel")
        report = await owner.report(1)
        assert (report.outcome, decode(report.body or b"")) == (OutcomeNumber.SUCCESS, True)
        assert owner.progress == {1: [1, 2, "waiting"]}


@in_a_loop
async def test_a_fork_that_leaves_a_tasks_function_ends_and_reports_nothing() -> None:
    async with hired() as owner:
        owner.send(1, "fork_and_return")
        assert decode((await owner.report(1)).body or b"") == 0


@pytest.mark.parametrize("function", ["give_handle", "give_handle_later"])
@in_a_loop
async def test_a_task_that_returns_a_handle_became_that_task(function: str) -> None:
    async with hired() as owner:
        owner.send(1, function, TASK)
        report = await owner.report(1)
        assert (report.outcome, report.body) == (OutcomeNumber.BECAME, TASK)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("leave", "SystemExit"),
        ("nothing_there", "tq.common.errors.NotNamed"),
        ("raise_undescribable", f"{__name__}.Undescribable"),
        ("raise_chain", "ValueError"),
    ],
)
@in_a_loop
async def test_whatever_a_task_raises_is_its_own_end_and_not_the_threads(function: str, kind: str) -> None:
    async with hired() as owner:
        owner.send(1, function)
        owner.send(2, "add", 1, 1)
        report = await owner.report(1)
        assert (report.outcome, Failure.decode(report.body).type) == (OutcomeNumber.ERROR, kind)
        assert (await owner.report(2)).outcome == OutcomeNumber.SUCCESS


@in_a_loop
async def test_the_content_of_a_blob_is_asked_of_the_owner() -> None:
    async with hired() as owner:
        blob = Blob.of(b"content")
        owner.send(1, "length", blob)
        await owner.until(lambda: owner.requests)
        [request] = owner.requests
        assert (request.target, request.method) == (("of_task", TASK, "get_blobs"), "get")
        owner.child.answer(request.call_id, b"content", None)
        assert decode((await owner.report(1)).body or b"") == len(b"content")

"""Children as real processes, each driven through its handle: what they say, how they die, what is left."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tq.common.contract.signatures import unpacked
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode, encode_call, encode_chunk
from tq.common.values.failure import Failure
from tq.common.wire.protocol import Request
from tq.worker.agent.jobs import Death
from tq.worker.agent.reports import JobReport, LeftReport, Report, SliceReport
from tq.worker.agent.runs import JobRun
from tq.worker.pools.interface import Runner
from tq.worker.pools.process import ChildHandle

TASKS_FILE = Path(__file__).with_name("child_tasks.py")
SECONDS = 45.0  # of a busy machine
LEASE = b"lease-of-16-byte"


class Nursery:
    """The owner of one child: everything it receives, in order, and the reports by ordinal."""

    def __init__(
        self,
        *sources: str,
        allow: tuple[str, ...] = (),
        handle: type[ChildHandle] = ChildHandle,
        module: str = "child_tasks",
    ) -> None:
        self.tasks: asyncio.Future[list[list[str]]] = asyncio.get_running_loop().create_future()
        self.failure: asyncio.Future[tuple[bool, str]] = asyncio.get_running_loop().create_future()
        self.death: asyncio.Future[Death] = asyncio.get_running_loop().create_future()
        self.reports: dict[int, JobReport] = {}
        self.is_swift = False  # how jobs are sent
        self.messages: list[int] = []  # how many reports there were after each message
        self._taken = 0
        self.distrusted: list[str] = []
        self.bugs: list[Exception] = []
        self.sent: list[int] = []  # ordinals
        self.left: list[int] = []  # that it came to and did not begin
        self.begun: list[int] = []  # of what was sent, when it died
        self.output: dict[int, bytes] = {}  # by the ordinal of the mark before it
        self.progress: dict[int, list[Any]] = {}
        self._happened = asyncio.Event()
        self._ordinals = 0
        self._module = module
        self.child = handle(self, 1, sources, allow)

    # child_handle.RunnerOwner

    def child_hello(self, child: Runner, tasks: list[list[str]]) -> None:
        self.tasks.set_result(tasks)

    def child_failed(self, child: Runner, known: bool, text: str) -> None:
        self.failure.set_result((known, text))

    def child_printed(self, child: Runner, ordinal: int, text: bytes, is_error: bool = False) -> None:
        self.output[ordinal] = self.output.get(ordinal, b"") + text

    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None:
        self.progress[ordinal] = progress

    def child_reported(self, child: Runner, reports: list[Report]) -> None:
        for report in reports:
            if isinstance(report, LeftReport):
                self.left.append(report.ordinal)
                continue
            for one in one_by_one(report):
                assert one.ordinal not in self.reports
                self.reports[one.ordinal] = one
        self.messages.append(len(self.reports))
        self._happened.set()

    def child_called(self, child: Runner, request: Request) -> None:
        raise AssertionError(f"no task here asks for anything: {request}")

    def child_distrusted(self, child: Runner, why: str) -> None:
        self.distrusted.append(why)
        child.signal(kill=True)

    def broke(self, error: Exception) -> None:
        self.bugs.append(error)

    def child_died(self, child: Runner, death: Death) -> None:
        self.begun = [ordinal for ordinal in self.sent if ordinal <= child.begun()]
        self.death.set_result(death)

    # what tests do

    def send_given(self, name: str, given: dict[str, list[str]]) -> int:
        """Hand over a job with units of resources; its ordinal."""
        self._ordinals += 1
        work = [encode_call((), {})]
        named = f"{self._module}:{name}"
        run = JobRun(bytes(16), 1, LEASE, "q", named, None, work, ordinal=self._ordinals, given=given)
        self.child.send([run], is_swift=self.is_swift)
        self.sent.append(self._ordinals)
        return self._ordinals

    def send(self, *calls: tuple[Any, ...], timeout: float | None = None) -> list[int]:
        """Hand over jobs ``(name, *arguments)`` in one batch; their ordinals."""
        return self.send_payloads(
            *((f"{self._module}:{name}", encode_call(tuple(arguments), {})) for name, *arguments in calls),
            timeout=timeout,
        )

    def send_payloads(self, *works: tuple[str, bytes], timeout: float | None = None) -> list[int]:
        ordinals: list[int] = []
        for name, some in itertools.groupby(works, lambda work: work[0]):
            payloads = [payload for _, payload in some]
            first = self._ordinals + 1
            id = first.to_bytes(16, "big")
            run = JobRun(id, 1, LEASE, "q", name, timeout, payloads, ordinal=first)
            ordinals += range(first, run.end)
            self._ordinals = run.end - 1
            middle = run.split([len(run) // 2])  # a block may have several runs
            self.child.send(middle, is_swift=self.is_swift)
        self.sent += ordinals
        return ordinals

    def take_back(self) -> list[int]:
        """What it has not begun, and now never will."""
        begun = self.child.take_back()
        taken = [ordinal for ordinal in self.sent if ordinal > max(begun, self._taken)]
        self._taken = self.sent[-1]
        return taken

    async def happens(self) -> None:
        """Until something more is reported."""
        self._happened.clear()
        await asyncio.wait_for(self._happened.wait(), SECONDS)

    async def report(self, ordinal: int) -> JobReport:
        while ordinal not in self.reports:
            await self.happens()
        return self.reports[ordinal]

    async def run(self, *call: Any) -> JobReport:
        [ordinal] = self.send(call)
        return await self.report(ordinal)

    async def run_chunk(self, name: str, items: list[Any], *, star: bool = False) -> JobReport:
        [ordinal] = self.send_payloads((name, encode_chunk(items, star=star)))
        return await self.report(ordinal)

    async def died(self) -> Death:
        self.remains = await asyncio.wait_for(self.death, SECONDS)
        return Death(self.remains.code)


def one_by_one(report: JobReport | SliceReport) -> list[JobReport]:
    if isinstance(report, JobReport):
        return [report]
    columns = zip(report.bodies, report.started, report.seconds, strict=True)
    return [
        JobReport(report.ordinal + index, 0, body, started, seconds, None)
        for index, (body, started, seconds) in enumerate(columns)
    ]


@asynccontextmanager
async def nursery(*sources: str, allow: tuple[str, ...] = ()) -> AsyncIterator[Nursery]:
    """A child that is ready, and is gone afterwards."""
    one = Nursery(*(sources or (str(TASKS_FILE),)), allow=allow)
    try:
        if not sources:
            await asyncio.wait_for(one.tasks, SECONDS)
        yield one
    finally:
        one.child.signal(kill=True)
        await one.died()


def with_child(test: Callable[[Nursery], Awaitable[None]], *, allow: tuple[str, ...] = ()) -> None:
    async def run() -> None:
        async with nursery(allow=allow) as one:
            await test(one)

    asyncio.run(run())


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A named pipe: opening one end waits for the other."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


async def pass_gate(path: Path, flags: int) -> None:
    """Open our end; returns once the other side has opened its own, and closed it if it is the writer's."""
    await asyncio.wait_for(asyncio.to_thread(_pass, path, flags), SECONDS)


def _pass(path: Path, flags: int) -> None:
    end = os.open(path, flags)
    try:
        if flags == os.O_RDONLY:
            os.read(
                end, 1
            )  # until it is closed: who opens the gate again would meet the same writer, not the next
    finally:
        os.close(end)


def failure(report: JobReport) -> Failure:
    return Failure.decode(report.body)


# how it starts


def test_a_child_says_what_it_serves() -> None:
    async def test(one: Nursery) -> None:
        [said] = [task for task in await one.tasks if task[0] == "child_tasks:add"]
        assert said[1:-1] == ["default", [], False, 1]
        assert [row.name for row in unpacked(said[-1])] == ["a", "b"]

    with_child(test)


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        ("", True, "offers no tasks"),
        ("import missing_module_of_a_test", False, "No module named 'missing_module_of_a_test'"),
        ("raise SystemExit(3)", False, "SystemExit: 3"),
        ("def f(:", False, "SyntaxError"),
    ],
)
def test_a_child_that_cannot_load_its_tasks_says_why_and_ends(
    tmp_path: Path, text: str, known: bool, words: str
) -> None:
    (tmp_path / "bad.py").write_text(text)

    async def test() -> None:
        async with nursery(str(tmp_path / "bad.py")) as one:
            assert await one.died() == Death(0)
            is_known, shown = await one.failure
            assert is_known == known
            assert words in shown

    asyncio.run(test())


def test_a_child_killed_by_its_own_import_says_nothing_and_is_buried(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os\nos.abort()")

    async def test() -> None:
        async with nursery(str(tmp_path / "bad.py")) as one:
            assert await one.died() == Death(-signal.SIGABRT)
            assert not one.tasks.done()
            assert not one.failure.done()

    asyncio.run(test())


# what it reports


def test_results_come_back_in_the_order_of_the_jobs() -> None:
    async def test(one: Nursery) -> None:
        ordinals = one.send(*(("add", number, 1) for number in range(200)))
        reports = [await one.report(ordinal) for ordinal in ordinals]
        assert [decode(report.body or b"") for report in reports] == list(range(1, 201))
        assert list(one.reports) == ordinals

    with_child(test)


ERRORS: list[tuple[tuple[Any, ...], str, str]] = [
    (("add", 1), "TypeError", "missing 1 required positional argument"),
    (("no_such_task",), "tq.common.errors.Forbidden", "--allow 'child_tasks.no_such_task'"),
    (("sys_exit", 3), "SystemExit", "3"),
    (("recurse", 0), "RecursionError", "maximum recursion depth"),
    (("unsendable",), "tq.common.errors.NotSerializable", "object cannot be sent"),
    (
        ("raise_undescribable",),
        "child_tasks.Undescribable",
        "its message could not be made: SystemExit(3)",
    ),
    (("raise_chain", 5_000), "ValueError", "4999"),
]


def test_an_error_is_the_tasks_own_and_the_child_lives() -> None:
    async def test(one: Nursery) -> None:
        for call, type, words in ERRORS:
            report = await one.run(*call)
            assert (call, report.outcome) == (call, OutcomeNumber.ERROR)
            assert failure(report).type == type
            assert words in failure(report).message
            assert decode((await one.run("add", 1, 2)).body or b"") == 3

    with_child(test)


def test_a_task_without_a_limit_that_raises_one_itself_is_reported_as_that() -> None:
    async def test(one: Nursery) -> None:
        report = await one.run("raise_own_limit")
        assert (report.outcome, failure(report).message) == (OutcomeNumber.TIMEOUT, "a time limit was raised")

    with_child(test)


def test_a_child_whose_standard_streams_are_closed_goes_on() -> None:
    async def test(one: Nursery) -> None:
        assert decode((await one.run("close_standard_streams")).body or b"") == "still here"
        assert decode((await one.run("later", 5)).body or b"") == 5

    with_child(test)


# how it dies


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("exit_now", 41), 41),
        (("exit_now", 0), 0),
        (("abort",), -signal.SIGABRT),
        (("signalled", int(signal.SIGKILL)), -signal.SIGKILL),
        (("signalled", int(signal.SIGSEGV)), -signal.SIGSEGV),
        (("signalled", int(signal.SIGTERM)), -signal.SIGTERM),
    ],
)
def test_a_death_is_known_with_its_code_and_what_was_not_begun(call: tuple[Any, ...], code: int) -> None:
    async def test(one: Nursery) -> None:
        first = await one.run("add", 1, 2)
        _, *after = one.send(call, ("add", 1, 1), ("add", 2, 2))
        assert await one.died() == Death(code)
        assert [ordinal for ordinal in one.sent if ordinal not in one.begun] == after
        assert list(one.reports) == [first.ordinal]

    with_child(test)


def test_a_child_that_closed_all_its_descriptors_dies_and_its_job_is_not_reported() -> None:
    async def test(one: Nursery) -> None:
        _, after = one.send(("close_everything",), ("add", 1, 1))
        assert (await one.died()).code != 0
        assert after not in one.begun
        assert one.reports == {}

    with_child(test)


def test_a_death_is_known_although_a_grandchild_keeps_the_descriptors_open(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        one.send(("fork_and_leave", str(gate)))
        assert await one.died() == Death(7)
        await pass_gate(gate, os.O_WRONLY)  # the grandchild was there all the time

    with_child(test)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no word from the kernel: a thread asks")
def test_a_child_whose_supervisor_is_not_its_parent_ends_at_once() -> None:
    async def test() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tq.worker.child.loop",
            "1",
            *"34567",
            "0" * 16,
            "",
            str(TASKS_FILE),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode == 1
        assert b"its parent, process 1, is gone" in said

    asyncio.run(test())


# what is taken back


def test_jobs_taken_back_are_never_begun_and_later_ones_are(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        held, *behind = one.send(("wait_for", str(gate)), ("abort",), ("abort",))
        writer = await asyncio.to_thread(os.open, gate, os.O_WRONLY)  # it has begun
        assert one.child.begun() == held
        assert one.take_back() == behind
        assert one.take_back() == []
        [last] = one.send(("add", 20, 22))
        os.close(writer)
        assert decode((await one.report(last)).body or b"") == 42
        assert set(one.reports) == {held, last}

    with_child(test)


# being asked to end


def test_what_is_over_is_reported_during_the_next_job_when_asked(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        await one.run("add", 1, 1)
        *over, running = one.send(*(("add", number, 1) for number in range(20)), ("wait_for", str(gate)))
        writer = await asyncio.to_thread(os.open, gate, os.O_WRONLY)
        one.child.notify(running, "flush")
        for ordinal in over:
            await one.report(ordinal)
        assert running not in one.reports
        os.close(writer)
        assert (await one.report(running)).outcome == OutcomeNumber.SUCCESS

    with_child(test)


def test_what_is_over_leaves_before_a_job_begins_that_may_take_long(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        *over, running = one.send(*(("add", number, 1) for number in range(3)), ("wait_for", str(gate)))
        writer = await asyncio.to_thread(os.open, gate, os.O_WRONLY)
        for ordinal in over:  # without being asked
            await one.report(ordinal)
        assert one.messages[:3] == [1, 2, 3], "each may have been the slow one"
        os.close(writer)
        assert (await one.report(running)).outcome == OutcomeNumber.SUCCESS

    with_child(test)


def test_results_of_short_jobs_travel_together() -> None:
    async def test(one: Nursery) -> None:
        one.is_swift = True
        ordinals = one.send(*(("add", number, 1) for number in range(1_000)))
        await one.report(ordinals[-1])
        assert list(one.reports) == ordinals
        assert len(one.messages) < 250

    with_child(test)


def test_a_loop_in_c_is_not_interrupted_and_is_killed(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        [ordinal] = one.send(("spin", str(gate)), timeout=0.1)
        await pass_gate(gate, os.O_RDONLY)
        one.child.notify(ordinal, "timeout")
        one.child.signal(kill=True)
        assert await one.died() == Death(-signal.SIGKILL)
        assert one.reports == {}

    with_child(test)


def test_a_chunk_is_many_calls_and_one_result() -> None:
    async def test(one: Nursery) -> None:
        report = await one.run_chunk("child_tasks:add", [(1, 2), [3, 4]], star=True)
        assert decode(report.body or b"") == [3, 7]
        report = await one.run_chunk("child_tasks:later", [1, 2, 3])
        assert decode(report.body or b"") == [1, 2, 3]
        report = await one.run_chunk("child_tasks:sys_exit", [3])
        assert failure(report).type == "SystemExit"

    with_child(test)

"""What a task leaves behind in its process is put back before the next task."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode, encode_call
from tq.worker.agent.reports import JobReport
from tq.worker.child.process_state import LOOK_SECONDS, ProcessState

from ..pools.test_process import SECONDS, Nursery, nursery

FILE = Path(__file__).with_name("leaving_tasks.py")


async def run(one: Nursery, name: str, *arguments: Any, timeout: float | None = None) -> JobReport:
    [ordinal] = one.send_payloads((f"leaving_tasks:{name}", encode_call(arguments, {})), timeout=timeout)
    return await one.report(ordinal)


async def found(one: Nursery) -> tuple[Any, list[str]]:
    """What a task finds, and the lines that it writes."""
    report = await run(one, "find")
    assert report.outcome == OutcomeNumber.SUCCESS, decode(report.body or b"")
    lines = one.output.get(report.ordinal, b"").decode().splitlines()
    return decode(report.body or b""), sorted(line.rpartition(": ")[2] for line in lines)


async def check_that_it_is_put_back(one: Nursery, leftovers: Iterable[str]) -> None:
    before = await found(one)
    assert len(before[1]) == 5, before[1]
    for what in leftovers:
        for _ in range(2):
            await run(one, "leave", what)
            assert await found(one) == before, what


def with_child(test: Callable[[Nursery], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with nursery(str(FILE)) as one:
            await asyncio.wait_for(one.tasks, SECONDS)
            await test(one)

    asyncio.run(scenario())


def test_short_tasks_of_one_message_find_nothing_of_one_another_once_their_function_is_known() -> None:
    async def test(one: Nursery) -> None:
        one.is_swift = True
        calls = [("leaving_tasks:leave_at_call", encode_call((1, "LEFT"), {}))] * 50
        reports = [await one.report(ordinal) for ordinal in one.send_payloads(*calls)]
        assert {decode(report.body or b"") for report in reports} == {"none"}

    with_child(test)


@pytest.mark.parametrize("name", ["LEFT", "tenant"])
def test_a_function_that_leaves_something_late_is_looked_at_after_each_task_from_then_on(name: str) -> None:
    async def test(one: Nursery) -> None:
        one.is_swift = True
        calls = [("leaving_tasks:leave_at_call", encode_call((10, name), {}))] * 50
        for ordinal in one.send_payloads(*calls):
            await one.report(ordinal)
        here, _ = await found(one)
        assert (here["tenant"], here["environment"].get(name)) == ("none", None), (
            "after the message at the latest"
        )
        later = one.send_payloads(*[("leaving_tasks:leave_at_call", encode_call((52, name), {}))] * 50)
        assert {decode((await one.report(ordinal)).body or b"") for ordinal in later} == {"none"}

    with_child(test)


class CountedPart:
    """A part that is looked at, and counts how often."""

    made_by_imports = False

    def __init__(self) -> None:
        self.looks, self.is_left = 0, False

    def note(self) -> None:
        pass

    def differs(self) -> bool:
        self.looks += 1
        return self.is_left

    def put_back(self) -> None:
        self.is_left = False


def test_tasks_of_one_function_that_follow_one_another_are_looked_at_as_one_until_one_leaves_something() -> (
    None
):
    part, now = CountedPart(), 100.0
    state = ProcessState([part])
    state.note()

    def looks_before_another(name: str, seconds: float) -> int:
        nonlocal now
        before, now = part.looks, now + seconds
        state.begin(name, now)
        return part.looks - before

    assert [looks_before_another("one", 0.001) for _ in range(4)] == [0, 1, 0, 0], "after its first task"
    assert looks_before_another("one", LOOK_SECONDS) == 1, "each that takes so long is looked at"
    assert looks_before_another("one", LOOK_SECONDS / 2) == 0
    assert looks_before_another("other", 0.001) == 1
    state.put_back()
    assert looks_before_another("one", 0.001) == 0, "it was looked at in the pause"
    part.is_left = True
    state.put_back()
    assert not part.is_left
    assert [looks_before_another("one", 0.001) for _ in range(3)] == [0, 1, 1], "from then on after each"


def test_what_a_module_does_when_a_task_imports_it_stays_but_not_where_the_process_is(tmp_path: Path) -> None:
    (tmp_path / "of_the_user.py").write_text("import os\nos.environ['BY_THE_MODULE'] = '1'\n")

    async def test(one: Nursery) -> None:
        before = (await found(one))[0]
        await run(one, "leave_in_a_directory", str(tmp_path), "of_the_user")
        after = (await found(one))[0]
        assert after["directory"] == before["directory"] == os.getcwd()
        assert after["environment"] == {**before["environment"], "BY_THE_MODULE": "1"}
        assert after["path"] == [str(tmp_path), *before["path"]]
        await run(one, "leave", "environment")
        assert (await found(one))[0] == after

    with_child(test)

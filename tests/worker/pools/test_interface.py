"""What every kind of pool does: the same jobs, in child processes of each kind, driven through their handles."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from tq.common.domain.indexes import GPU_VARIABLE
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode
from tq.worker.agent.jobs import Death
from tq.worker.pools.concurrent import ConcurrentHandle, GeventHandle
from tq.worker.pools.process import ChildHandle

from .test_process import SECONDS, Nursery, failure, gate, pass_gate

__all__ = ["gate"]

TASKS_FILE = Path(__file__).with_name("conformance_tasks.py")


class Kind(NamedTuple):
    handle: type[ChildHandle]
    is_coroutine: bool

    def call(self, name: str, *args: Any) -> tuple[Any, ...]:
        return (f"{name}_later" if self.is_coroutine else name, *args)


KINDS: Final = {
    "process": Kind(ChildHandle, False),
    "thread": Kind(ConcurrentHandle, False),
    "async": Kind(ConcurrentHandle, True),
    "gevent": Kind(GeventHandle, False),
    "a coroutine on the loop of gevent": Kind(GeventHandle, True),
    "a coroutine alone in a process": Kind(ChildHandle, True),
}

# Of these, who ran when the process died.
KINDS_THAT_KNOW: Final = tuple(
    kind for name, kind in KINDS.items() if name == "async" or kind.handle is GeventHandle
)


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def with_child(
    kind: Kind, test: Callable[[Nursery], Awaitable[None]], *, allow: tuple[str, ...] = ("math.*",)
) -> None:
    async def run() -> None:
        one = Nursery(str(TASKS_FILE), allow=allow, handle=kind.handle, module="conformance_tasks")
        try:
            await asyncio.wait_for(one.tasks, SECONDS)
            await test(one)
        finally:
            one.child.signal(kill=True)
            await one.died()

    asyncio.run(run())


def test_every_kind_of_end_is_reported_as_what_it_is(kind: Kind) -> None:
    async def test(one: Nursery) -> None:
        report = await one.run(*kind.call("add", 40, 2))
        assert (report.outcome, decode(report.body or b"")) == (OutcomeNumber.SUCCESS, 42)
        for how, outcome, type, after in (
            ("error", OutcomeNumber.ERROR, "ValueError", None),
            ("exit", OutcomeNumber.ERROR, "SystemExit", None),
            ("unsendable", OutcomeNumber.ERROR, "tq.common.errors.NotSerializable", None),
            ("discard", OutcomeNumber.DISCARD, "tq.common.domain.directives.Discard", None),
            ("retry", OutcomeNumber.RETRY, "tq.common.domain.directives.Retry", 7),
            ("snooze", OutcomeNumber.SNOOZE, "tq.common.domain.directives.Snooze", 8),
        ):
            report = await one.run(*kind.call("end_by", how))
            assert (how, report.outcome, failure(report).type, report.after) == (how, outcome, type, after)
        refused = failure(await one.run("nothing_of_this_name"))
        assert refused.type == "tq.common.errors.Forbidden"
        assert decode((await one.run_chunk("math:sqrt", [9.0])).body or b"") == [3.0]
        added = await one.run_chunk(f"conformance_tasks:{kind.call('add')[0]}", [(1, 2), (3, 4)], star=True)
        assert decode(added.body or b"") == [3, 7]

    with_child(kind, test)


def test_a_job_that_is_asked_to_end_ends_and_no_other_does(kind: Kind, gate: Path) -> None:
    async def test(one: Nursery) -> None:
        for why, outcome, type in (
            ("timeout", OutcomeNumber.TIMEOUT, "TimeLimit"),
            ("cancel", OutcomeNumber.CANCELLED, "CancelRequested"),
        ):
            over = (await one.run(*kind.call("add", 1, 1))).ordinal
            [ordinal] = one.send(kind.call("hold", str(gate)), timeout=1.5)
            await pass_gate(gate, os.O_RDONLY)
            one.child.notify(over, why)  # it has no effect any more
            one.child.notify(ordinal, why)
            report = await one.report(ordinal)
            assert (report.outcome, failure(report).type) == (outcome, type)
            assert "in hold_steps" in failure(report).traceback
        [ordinal] = one.send(kind.call("catch", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        one.child.notify(ordinal, "cancel")
        report = await one.report(ordinal)
        assert report.outcome == OutcomeNumber.SUCCESS
        assert decode(report.body or b"") in ("CancelRequested", "CancelledError")
        assert decode((await one.run(*kind.call("add", 1, 2))).body or b"") == 3

    with_child(kind, test)


def test_what_a_job_does_at_its_end_is_done_when_it_is_asked_to_end(
    kind: Kind, gate: Path, tmp_path: Path
) -> None:
    async def test(one: Nursery) -> None:
        for why, outcome in (("timeout", OutcomeNumber.TIMEOUT), ("cancel", OutcomeNumber.CANCELLED)):
            left = tmp_path / why
            [ordinal] = one.send(kind.call("clean", str(gate), str(left)), timeout=1.5)
            await pass_gate(gate, os.O_RDONLY)
            one.child.notify(ordinal, why)
            assert (await one.report(ordinal)).outcome == outcome
            assert left.read_text() == "cleaned up"

    with_child(kind, test)


def test_a_job_knows_which_units_of_resources_are_its_own(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its context; in a process of its own also by the variable of libraries for GPUs, which is as before behind it."""
    monkeypatch.setenv(GPU_VARIABLE, "of the worker")
    name, *_ = kind.call("units")
    alone = kind.handle is ChildHandle

    async def test(one: Nursery) -> None:
        one.is_swift = True
        for given, shown in (
            ({"gpu": ["1", "3"], "port": ["a"]}, "1,3" if alone else "of the worker"),
            ({"port": ["b"]}, "of the worker"),
            ({"gpu": ["0"]}, "0" if alone else "of the worker"),
        ):
            report = await one.report(one.send_given(name, given))
            assert decode(report.body or b"") == (given, shown)
        assert decode((await one.run(name)).body or b"") == ({}, "of the worker")

    with_child(kind, test)


def test_a_death_is_known_with_its_code_and_what_was_reported_before_arrives_before(kind: Kind) -> None:
    async def test(one: Nursery) -> None:
        first = await one.run(*kind.call("add", 1, 2))
        [killer] = one.send(kind.call("die", 41))
        received: list[int] = []
        one.death.add_done_callback(lambda _: received.extend(one.reports))
        assert (await one.died()).code == 41
        assert received == [first.ordinal]
        assert killer in one.begun
        assert one.remains.holder == (killer if kind in KINDS_THAT_KNOW else 0)
        one.send(kind.call("add", 1, 1))  # nothing can be done to a child that is gone
        one.child.notify(1, "timeout")
        one.child.end_input()
        assert list(one.reports) == [first.ordinal]

    with_child(kind, test)


def test_a_child_ends_by_itself_when_what_it_has_has_ended(kind: Kind) -> None:
    async def test(one: Nursery) -> None:
        ordinals = one.send(*(kind.call("add", number, 1) for number in range(50)))
        one.child.end_input()
        assert await one.died() == Death(0)
        assert sorted(one.reports) == ordinals
        assert [decode(one.reports[ordinal].body or b"") for ordinal in ordinals] == list(range(1, 51))

    with_child(kind, test)


def test_every_job_is_run_or_taken_back_however_often_it_is_asked_back(kind: Kind) -> None:
    async def test(one: Nursery) -> None:
        one.is_swift = True
        back: list[int] = []
        for number in range(100):
            first, *_ = one.send(*(kind.call("add", number, k) for k in range(10)))
            while number % 3 and one.child.begun() < first + number % 7:  # noqa: ASYNC110
                await asyncio.sleep(0)  # until it is in the middle of the block: only its page says so
            back += one.take_back()
        [last] = one.send(kind.call("add", 0, 0))
        await one.report(last)
        async with asyncio.timeout(SECONDS):
            while len(one.reports) + len(back) + len(set(one.left) - set(back)) < len(one.sent):
                await one.happens()
        left = [ordinal for ordinal in one.left if ordinal not in back]
        assert sorted([*one.reports, *back, *left]) == one.sent
        assert back

    with_child(kind, test)


def test_what_jobs_print_and_how_far_they_are_is_known_by_job(kind: Kind) -> None:
    async def test(one: Nursery) -> None:
        names = ["ada", "bob", "cyd"]
        ordinals = one.send(*(kind.call("talk", name, 30) for name in names))
        for ordinal, name in zip(ordinals, names, strict=True):
            await one.report(ordinal)
            expected = "".join(f"{name} {number}\n" for number in range(30))
            assert one.output[ordinal].decode() == expected
            assert one.progress[ordinal] == [30, 30, name]

    with_child(kind, test)

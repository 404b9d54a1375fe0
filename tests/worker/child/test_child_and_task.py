"""What a task can do to the process that runs it: fork, replace what it stands on, wish for the impossible, speak for it."""

from __future__ import annotations

import asyncio
import math
import signal
import struct
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode
from tq.common.wire.frames import HEADER, Kind, encode_frame, pack
from tq.worker.agent.jobs import Death
from tq.worker.pools import pipe

from ..pools.test_process import SECONDS, Nursery, failure, with_child


@pytest.mark.parametrize(
    ("how", "status"), [("return", 0), ("exit", 3), ("words", 1), ("raise", 1), ("c", 0), ("ask", 0)]
)
def test_a_fork_that_leaves_the_tasks_function_ends_and_reports_nothing(how: str, status: int) -> None:
    async def test(one: Nursery) -> None:
        first, *after = one.send(("fork_and", how), *(("add", number, 1) for number in range(50)))
        assert decode((await one.report(first)).body or b"") == status
        assert [decode((await one.report(one_after)).body or b"") for one_after in after] == list(
            range(1, 51)
        )
        assert list(one.reports) == [first, *after]

    with_child(test)


def test_a_fork_in_a_coroutine_reports_nothing() -> None:
    async def test(one: Nursery) -> None:
        assert decode((await one.run("fork_in_a_coroutine")).body or b"") == 0
        assert decode((await one.run("later", 5)).body or b"") == 5

    with_child(test)


def test_a_fork_that_raises_says_so_in_the_output_of_the_task() -> None:
    async def test(one: Nursery) -> None:
        ordinal = (await one.run("fork_and", "raise")).ordinal
        assert b"RuntimeError: the fork raises" in one.output[ordinal]

    with_child(test)


def test_a_fork_closes_no_descriptor_that_the_task_has_put_in_the_place_of_ours(tmp_path: Path) -> None:
    async def test(one: Nursery) -> None:
        one.send(("fork_after_closing", str(tmp_path / "read")))
        await one.died()
        assert len((tmp_path / "read").read_bytes()) >= 3, "work, notices, relay"

    with_child(test)


def test_multiprocessing_works_inside_a_task() -> None:
    async def test(one: Nursery) -> None:
        for _ in range(3):
            assert decode((await one.run("double_in_a_pool", [1, 2, 3])).body or b"") == [2, 4, 6]

    with_child(test)


def test_a_task_that_replaces_clocks_and_calls_of_the_system_does_not_reach_its_report() -> None:
    async def test(one: Nursery) -> None:
        reports = [
            await one.run("replace_everything"),
            await one.run("add", 1, 2),
            await one.run("printed", "x"),
        ]
        assert [report.outcome for report in reports] == [OutcomeNumber.SUCCESS] * 3
        for report in reports:
            assert abs(report.started - time.time()) < SECONDS
            assert 0 <= report.seconds < SECONDS
        assert one.output[reports[2].ordinal] == b"x\n"

    with_child(test)


@pytest.mark.parametrize("name", ["retry_after", "retry_by_another_class", "snooze"])
def test_a_retry_after_no_possible_time_fails_the_attempt_and_says_what_is_possible(name: str) -> None:
    values: list[Any] = [2.0**1000, math.inf, math.nan, -0.001, 4e8, "30", True, [1], 2**63 - 1]

    async def test(one: Nursery) -> None:
        for value in values:
            report = await one.run(name, value)
            shown = failure(report)
            assert (value, report.outcome, report.after) == (value, OutcomeNumber.ERROR, None)
            assert shown.type.endswith("InvalidArgument")
            assert ("tq.Snooze(…)" if name == "snooze" else "tq.Retry(after=…)") in shown.message
            assert "seconds from 0 to 316,224,000 (ten years), or a timedelta" in shown.message
            assert f"in {name}" in shown.traceback

    with_child(test)


def test_a_retry_after_a_time_that_a_delay_may_have_is_reported_in_seconds() -> None:
    async def test(one: Nursery) -> None:
        for value, seconds in ((0, 0), (1.5, 1.5), (timedelta(minutes=2), 120.0)):
            report = await one.run("retry_after", value)
            assert (report.outcome, report.after) == (OutcomeNumber.RETRY, seconds)
            assert (await one.run("snooze", value)).after == seconds

    with_child(test)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        encode_frame(Kind.RETURN, pack([[1, 0, b"\xc0", 0.0, float("nan"), None]])),
        encode_frame(Kind.RETURN, pack("no reports")),
        encode_frame(Kind.RETURN, pack([[1]])),
        encode_frame(Kind.RETURN, pack([[1, [b"\xc0"], bytes(15)]])),
        encode_frame(Kind.RETURN, pack([[1, [], b""]])),
        encode_frame(Kind.RETURN, pack([[1, ["text"], bytes(16)]])),
        encode_frame(Kind.RETURN, pack([[1, [b"\xc0"], struct.pack("2d", 0.0, -1.0)]])),
        encode_frame(Kind.RETURN, pack([[1, [b"\xc0"], struct.pack("2d", math.nan, 0.0)]])),
        encode_frame(Kind.HELLO, pack([])),
        encode_frame(Kind.REFUSED, pack([1, 2, 3])),
    ],
)
def test_a_child_that_says_what_it_cannot_say_is_not_believed(data: bytes) -> None:
    async def test(one: Nursery) -> None:
        one.send(("write_to_every_socket", data))
        assert await one.died() == Death(-signal.SIGKILL)
        assert len(one.distrusted) == 1
        assert one.reports == {}

    with_child(test)


def test_a_child_whose_frame_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that writes the head of a frame into its own pipe would have its report taken for the rest of it."""
    monkeypatch.setattr(pipe, "STUCK_SECONDS", 0.2)

    async def test(one: Nursery) -> None:
        one.send(
            ("write_to_every_socket", HEADER.pack(600 * 1024 * 1024, Kind.RETURN) + b"a few bytes of it")
        )
        while not one.distrusted:
            one.child.look()
            await asyncio.sleep(0)
        assert await one.died() == Death(-signal.SIGKILL)
        assert one.distrusted == ["it began a frame and did not end it"]

    with_child(test)


@pytest.mark.parametrize("depth", [65, 1_000])
def test_arguments_that_are_too_deep_fail_the_task_and_not_its_process(depth: int) -> None:
    """As a foreign client may send them: the master does not read them."""

    async def test(one: Nursery) -> None:
        payload = b"\x92\x92" + b"\x91" * depth + b"\x01\x01\x80"
        [ordinal] = one.send_payloads(("child_tasks:add", payload))
        shown = failure(await one.report(ordinal))
        assert (shown.type, "64" in shown.message) == ("tq.common.errors.DecodeError", True), shown
        assert decode((await one.run("add", 1, 2)).body or b"") == 3

    with_child(test)

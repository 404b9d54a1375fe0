"""What a task may change of its process, part by part."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tq.common.values.codec import decode, encode_call

from ..pools.test_process import Nursery, gate, pass_gate
from .leaving_tasks import parts
from .test_process_state import check_that_it_is_put_back, run, with_child

__all__ = ["gate"]


def test_each_part_of_its_process_is_for_a_task_as_the_first_one_found_it() -> None:
    with_child(lambda one: check_that_it_is_put_back(one, parts))


@pytest.mark.parametrize("what", ["signals", "logging", "closed descriptors"])
def test_a_time_limit_holds_after_a_task_that_has_changed_its_process(what: str, gate: Path) -> None:
    async def test(one: Nursery) -> None:
        await run(one, "leave", what)
        [ordinal] = one.send_payloads(
            ("leaving_tasks:loop_for_long", encode_call((str(gate),), {})), timeout=60
        )
        await pass_gate(gate, os.O_RDONLY)
        report = asyncio.ensure_future(one.report(ordinal))
        while not report.done():
            one.child.notify(ordinal, "timeout")
            await asyncio.wait([report], timeout=0.02)
        assert decode(report.result().body or b"") == "its limit"

    with_child(test)


def test_an_alarm_that_a_task_has_left_ends_no_other_task() -> None:
    async def test(one: Nursery) -> None:
        await run(one, "leave", "alarm")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(one.death), 1.5)
        await run(one, "leave", "nothing")

    with_child(test)

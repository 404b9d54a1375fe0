"""What real children print and tell of their progress, and what is found when they are dead."""

from __future__ import annotations

import asyncio
import mmap
import os
import select
import signal
from pathlib import Path

from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode
from tq.worker.child.output import OutputWriter
from tq.worker.child.output_marks import PAGE_BYTES

from ..pools.test_process import SECONDS, Nursery, gate, pass_gate, with_child

__all__ = ["gate"]  # a fixture


def test_all_output_of_a_task_arrives_in_order_and_is_attributed_to_it() -> None:
    async def test(one: Nursery) -> None:
        quiet, first, second = one.send(("add", 1, 1), ("talk", "one"), ("talk", "two"))
        await one.report(second)
        ways = (
            "printed", "to stderr", "warned", "logged", "by the context", "by descriptor", "by a subprocess",
            "without an end",
        )  # fmt: skip
        for ordinal, words in ((first, "one"), (second, "two")):
            text = one.output[ordinal].decode()
            places = [text.index(f"{words} {way}") for way in ways if way != "warned" or words == "one"]
            assert places == sorted(places), text
        assert "INFO mine: one logged" in one.output[first].decode()
        assert "WARNING tq.task: one by the context" in one.output[first].decode()
        assert quiet not in one.output

    with_child(test)


def test_what_was_printed_arrives_before_the_report() -> None:
    async def test(one: Nursery) -> None:
        ordinals = one.send(*(("printed", f"number {number}") for number in range(300)))
        await one.report(ordinals[-1])
        assert [one.output[ordinal] for ordinal in ordinals] == [
            b"number %d\n" % number for number in range(300)
        ]

    with_child(test)


def test_output_without_python_arrives_before_the_report_and_bears_no_mark() -> None:
    async def test(one: Nursery) -> None:
        await one.run("by_descriptor", "hello\n", 0.005)
        assert one.output == {0: b"hello\n"}

    with_child(test)


def test_the_last_progress_comes_with_the_report_and_the_present_one_is_seen(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        ordinals = one.send(("advance", 1_000), ("advance", 3))
        await one.report(ordinals[1])
        ordinals += one.send(("talk_and_die", str(gate), 15))
        await pass_gate(gate, os.O_RDONLY)
        await one.died()
        assert one.progress[ordinals[2]] == [7, 9, ""]
        assert one.progress[ordinals[0]] == [1_000, 1_000, "step 1000"]
        assert one.progress[ordinals[1]] == [3, 3, "step 3"]

    with_child(test)


def test_the_last_output_of_a_killed_child_arrives(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        [ordinal] = one.send(("talk_and_die", str(gate), int(signal.SIGKILL)))
        await pass_gate(gate, os.O_RDONLY)
        await one.died()
        assert (one.output[ordinal], one.progress[ordinal]) == (b"the last words\n", [7, 9, ""])
        assert one.remains.peak_bytes > 1024 * 1024
        assert not one.remains.is_ours
        assert "likely out of memory" in str(one.remains)

    with_child(test)


def test_a_segmentation_fault_leaves_the_python_stack() -> None:
    async def test(one: Nursery) -> None:
        one.send(("break_down",))
        await one.died()
        assert one.remains.signal_name == "SIGSEGV"
        assert "Segmentation fault" in one.remains.stacks
        assert "in break_down" in one.remains.stacks
        assert "worker/child/loop.py" not in one.remains.stacks

    with_child(test)


def test_stacks_are_written_out_of_a_loop_in_c(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        one.send(("spin", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        one.child.dump_stacks()
        stacks, said = one.child._output_reader._stacks, b""
        while b"in spin" not in said:
            await asyncio.to_thread(select.select, [stacks], [], [], SECONDS)
            said += os.read(stacks, 4096)

    with_child(test)


def test_a_task_knows_itself_by_its_parameter_and_by_current() -> None:
    async def test(one: Nursery) -> None:
        assert decode((await one.run("with_context")).body or b"") == [True, False, None]
        for context_place in ("context_first", "context_last", "context_by_name"):
            assert decode((await one.run(context_place, 1, 2)).body or b"") == [1, 2, 1]
        report = await one.run_chunk("child_tasks:context_first", [(1, 2)], star=True)
        assert decode(report.body or b"") == [[1, 2, 1]]

    with_child(test)


def test_a_child_without_descriptors_still_reports() -> None:
    async def test(one: Nursery) -> None:
        assert decode((await one.run("close_standard_streams")).body or b"") == "still here"
        assert (await one.run("printed", "no one reads it")).outcome == OutcomeNumber.SUCCESS

    with_child(test)


def test_a_million_progress_calls_are_cheap() -> None:
    """No system call is made: a page of memory is written."""
    writer = OutputWriter(b"n" * 8, mmap.mmap(-1, PAGE_BYTES), lambda: 5)
    for step in range(10_000):
        writer.progress(step, 10_000, "")
    assert writer.finish() == [9_999, 10_000, ""]
    assert writer.finish() is None

"""A child that runs many jobs: notices to one of them, and code that does not give its loop back."""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
from array import array
from pathlib import Path

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode
from tq.worker.child.notices import NOTICES_A_TURN

from ..pools.test_interface import KINDS, with_child
from ..pools.test_process import SECONDS, Nursery, failure, gate, pass_gate

__all__ = ["gate"]


def test_code_that_does_not_give_the_loop_back_is_struck_and_the_others_go_on(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        [other] = one.send(("hold_later", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        [blocking] = one.send(("block_later", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        async with asyncio.timeout(SECONDS):
            while one.child.beat()[1] != blocking:  # noqa: ASYNC110
                await asyncio.sleep(0)
        one.child.notify(blocking, "timeout")
        one.child.notify(blocking, "strike")
        report = await one.report(blocking)
        assert (report.outcome, failure(report).type) == (OutcomeNumber.TIMEOUT, "TimeLimit")
        assert "in block_later" in failure(report).traceback
        one.child.notify(other, "cancel")
        assert (await one.report(other)).outcome == OutcomeNumber.CANCELLED

    with_child(KINDS["async"], test)


def waits_for_room(one: Nursery) -> None:
    """Blocks this loop, which reads nothing meanwhile, until the child has begun to write and waits, or is dead."""
    there, state = array("i", [0]), Path(f"/proc/{one.child.pid}/stat")
    while not there[0] or state.read_text().rpartition(")")[2].split()[0] == "R":
        fcntl.ioctl(one.child._work._socket, termios.FIONREAD, there)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="says whether a process waits")
def test_a_report_for_which_there_is_no_room_waits_for_it() -> None:
    """On uvloop the child ended, with all that ran in it, whenever the supervisor was slower than its reports came."""

    async def test(one: Nursery) -> None:
        ordinals = one.send(("fill_later", 4_000_000), ("fill_later", 1))
        await asyncio.sleep(0)
        waits_for_room(one)
        for ordinal, size in zip(ordinals, (4_000_000, 1), strict=True):
            assert decode((await one.report(ordinal)).body or b"") == bytes(size)

    with_child(KINDS["async"], test)


@pytest.mark.parametrize("kind", ["async", "gevent", "a coroutine on the loop of gevent"])
def test_what_is_struck_when_its_report_is_made_is_reported_all_the_same(kind: str, gate: Path) -> None:
    """No one else would report it: its process was killed for it, with all others in it."""

    async def test(one: Nursery) -> None:
        [ending] = one.send(KINDS[kind].call("end_slowly", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        one.child.notify(ending, "timeout")
        one.child.notify(ending, "strike")
        await pass_gate(gate, os.O_WRONLY)
        assert (await one.report(ending)).outcome == OutcomeNumber.SUCCESS

    with_child(KINDS[kind], test)


def test_however_many_are_to_end_at_a_time_each_is_asked(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        staying = one.send(*[("stay_later",)] * 500)  # more than one reading of a small pipe takes
        [blocking] = one.send(("block_later", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        for ordinal in [*staying, blocking]:  # it reads none of them meanwhile
            one.child.notify(ordinal, "cancel")
        one.child.notify(blocking, "strike")
        for ordinal in [*staying, blocking]:
            assert (await one.report(ordinal)).outcome == OutcomeNumber.CANCELLED

    with_child(KINDS["async"], test)


def test_those_that_are_to_end_do_not_all_end_in_one_turn_of_the_loop(gate: Path) -> None:
    """What one takes for its traceback, others of the loop waited for five hundred times."""

    async def test(one: Nursery) -> None:
        staying = one.send(*[("stay_later",)] * 200)
        [counting] = one.send(("count_ends_later", 50))
        [blocking] = one.send(("block_later", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        for ordinal in [*staying, blocking]:
            one.child.notify(ordinal, "cancel")
        one.child.notify(blocking, "strike")
        ended = decode((await one.report(counting)).body or b"")
        assert 0 < ended <= 2 * NOTICES_A_TURN

    with_child(KINDS["async"], test)


def test_a_job_says_where_it_stands(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        ordinals: list[int] = []
        for name in ("hold_later", "hold"):
            ordinals += one.send((name, str(gate)))
            await pass_gate(gate, os.O_RDONLY)
        for ordinal in ordinals:
            one.child.notify(ordinal, "where")
        await one.run("add_later", 1, 1)  # it is answered behind the notices
        stacks = [one.child.stack(ordinal) for ordinal in ordinals]
        assert "in coroutine" in stacks[0]
        assert "in hold_steps" in stacks[1] or "in _drive" in stacks[1]

    with_child(KINDS["async"], test)

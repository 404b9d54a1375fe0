"""A block: runs that name its jobs, and what differs from job to job."""

from __future__ import annotations

import pytest
from tq.common.wire.frames import pack, unpack
from tq.worker.agent.runs import JobRun
from tq.worker.child.block import Block
from tq.worker.pools.process import block_of


def run(first: int, count: int, attempt: int, ordinal: int) -> JobRun:
    payloads = [b"p%d" % place for place in range(first, first + count)]
    id = first.to_bytes(16, "big")
    return JobRun(id, attempt, b"lease", "q", "m:f", 1.5, payloads, number=attempt + 1, ordinal=ordinal)


def test_a_child_reads_a_block_as_its_supervisor_made_it() -> None:
    runs = [run(3, 2, 7, 40), run(9, 1, 1, 42)]
    block = Block(*unpack(pack(block_of(runs, is_swift=True))))
    assert block[:6] == (40, "m:f", "q", b"lease", 1.5, True)
    jobs = [job for one in runs for job in one.jobs()]
    assert [block.job(place) for place in range(3)] == [(job.id, job.attempt, job.number) for job in jobs]
    assert block.payloads == [b"p3", b"p4", b"p9"]
    with pytest.raises(IndexError):
        block.job(3)

"""A block: columns of what differs from job to job."""

from __future__ import annotations

from tq.common.wire.frames import pack, unpack
from tq.worker.agent.jobs import Job
from tq.worker.child.block import Block
from tq.worker.pools.process import block_of


def test_a_child_reads_a_block_as_its_supervisor_made_it() -> None:
    jobs = [
        Job(bytes([n]) * 16, n, b"lease", "q", "m:f", 1.5, b"p%d" % n, number=n + 1, ordinal=40 + n)
        for n in range(3)
    ]
    block = Block(*unpack(pack(block_of(jobs, is_swift=True))))
    assert block[:6] == (40, "m:f", "q", b"lease", 1.5, True)
    assert [block.id(index) for index in range(3)] == [job.id for job in jobs]
    assert (block.attempts, block.numbers) == ([0, 1, 2], [1, 2, 3])
    assert block.payloads == [b"p0", b"p1", b"p2"]

"""A block: jobs that a child is handed in one message. They are of one lease and of one task, and have consecutive ordinals.

The columns hold what differs from job to job, so that a job costs a child no object of its own. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from ...common.domain.model import TASK_ID_BYTES


class Block(NamedTuple):
    """``is_swift``: each of these jobs is expected to be over so soon that the reports of those before it may wait for it."""

    first: int  # the ordinal of the first job
    name: str
    queue: str
    lease: bytes
    timeout: float | None
    is_swift: bool
    ids: bytes  # all of them, joined
    attempts: list[int]
    numbers: list[int]
    payloads: list[bytes]

    def id(self, index: int) -> bytes:
        return self.ids[index * TASK_ID_BYTES : (index + 1) * TASK_ID_BYTES]

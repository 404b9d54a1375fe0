"""What a child writes of its attempts into the history of a test, if one is asked for: see common/runtime/history.py."""

from __future__ import annotations

from ...common.runtime.history import Note, digest
from .block import BlockJob


def note_start(note: Note, job: BlockJob) -> None:
    note("started", id=job.id, attempt=job.attempt, number=job.number)


def note_end(note: Note, job: BlockJob, outcome: int, body: bytes | None) -> None:
    note("computed", id=job.id, attempt=job.attempt, outcome=int(outcome), digest=digest(body))

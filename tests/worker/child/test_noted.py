"""What a child notes of its attempts names the attempt, and its result by a digest."""

from __future__ import annotations

from typing import Any

from tq.common.domain.model import OutcomeNumber
from tq.common.runtime.history import digest
from tq.worker.child.block import BlockJob
from tq.worker.child.noted import note_end, note_start

JOB = BlockJob(b"i" * 16, 2, 3)


def test_a_start_and_an_end_name_the_attempt_and_the_end_the_digest_of_its_result() -> None:
    noted: list[tuple[str, dict[str, Any]]] = []

    def note(what: str, **facts: Any) -> None:
        noted.append((what, facts))

    note_start(note, JOB)
    note_end(note, JOB, OutcomeNumber.ERROR, b"secret")
    assert noted == [
        ("started", {"id": JOB.id, "attempt": 2, "number": 3}),
        (
            "computed",
            {"id": JOB.id, "attempt": 2, "outcome": int(OutcomeNumber.ERROR), "digest": digest(b"secret")},
        ),
    ]

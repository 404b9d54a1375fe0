"""Ids that are known already: a repeated submit, or a mistake. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...common.domain.ids import show_id
from ...common.errors import TaskConflict
from .plan import Submission


def new_tasks(
    submission: Submission,
    known: Mapping[bytes, tuple[int, int | bytes]],
    payload_of: Callable[[int], bytes | None],
) -> dict[bytes, bytes]:
    """The tasks of a submission that are new. ``known``: by id, the plain route and the payload, or the number of the row that has
    the payload. Raises TaskConflict for one that contradicts what is known."""
    new: dict[bytes, bytes] = {}
    payloads = (payload for run in submission.runs for payload in run.payloads)
    for id, payload in zip(submission.ids(), payloads, strict=True):
        before = known.get(id) or ((submission.route.plain.number, new[id]) if id in new else None)
        if before is None:
            new[id] = payload
            continue
        route, kept = before
        if route != submission.route.plain.number or payload != (
            kept if isinstance(kept, bytes) else payload_of(kept)
        ):
            if submission.call is None:  # the master's own: what is there stays, and the others are new
                continue
            raise TaskConflict(
                f"task {show_id(id)} was submitted before with another name, queue or arguments; "
                "use another key, or none"
            )
    return new

"""What the counts of a flow mean."""

from __future__ import annotations

from tq.client.flows.progress import progress_of

SHOWN = {
    "id": "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b", "name": "nightly", "state": "failed", "run": 2, "total": 10, "succeeded": 3,
    "failed": 1, "cancelled": 2, "running": 1, "reason": "", "first_failure": None, "on_error": "fail_fast",
}  # fmt: skip


def test_what_has_not_ended_and_does_not_run_waits() -> None:
    progress = progress_of(SHOWN)
    assert (progress.done, progress.waiting) == (6, 3)

"""The report on an attempt whose process died: a sentence, and the facts that were found. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...common.domain.model import OutcomeNumber
from ...common.values.failure import Failure, show_bytes
from .effects import ChildState
from .jobs import Death, Job


class Fate(NamedTuple):
    """What becomes of a job whose child died. RELEASED: it is handed back, uncharged."""

    job: Job
    since: float
    outcome: OutcomeNumber
    failure: Failure


def fates(child: ChildState, death: Death) -> Iterator[Fate]:
    """Of a child that runs one job after the other, and had begun all that it still has."""
    started = [job for run in child.jobs for job in run.jobs()]
    call = child.calls.with_job(started[-1].ordinal) if started else None
    for job in started:
        # One after the other: those before the last were over, and their reports were lost with the process.
        running = job is started[-1] or job.ordinal in (call or ())
        yield Fate(job, child.since, *post_mortem(job, death, child.why_ended, running=running))


def post_mortem(job: Job, death: Death, ending: str, *, running: bool) -> tuple[OutcomeNumber, Failure]:
    """The outcome of a job whose child died. ``ending``: why the job was being ended, if it was."""
    # The job after it was the one that ended the process.
    if not running:
        message = f"it was over, but its process {death} before the result was delivered"
        return OutcomeNumber.CRASH, Failure(
            "ChildDied", message, "", {"code": death.code, "outcome": "crash"}
        )
    detail = _found(death)
    match ending:
        case "timeout":
            message = (
                f"it took longer than its limit of {job.timeout:g} s and did not stop when asked; killed"
            )
            detail["outcome"] = "timeout"
            return OutcomeNumber.TIMEOUT, Failure("TimeLimit", message, death.stacks, detail)
        case "distrust":
            message = (
                "its process sent reports that cannot be its own (did the task write to a descriptor that it had not "
                "opened, or fork in C code?); killed"
            )
            detail["outcome"] = "crash"
            return OutcomeNumber.CRASH, Failure("ChildDied", message, death.stacks, detail)
        case "cancel" | "lost":
            what = "cancelled" if ending == "cancel" else "ended, because its lease was lost"
            message = f"{what}; it did not stop when asked, its process {death}"
            return OutcomeNumber.CANCELLED, Failure("CancelRequested", message, death.stacks, detail)
        case "memory":
            limit, peak = death.limit_bytes or 0, death.peak_bytes
            message = (
                f"its process had {show_bytes(peak)} of memory, the limit is {show_bytes(limit)} "
                "(max_memory_per_child); killed"
            )
            return OutcomeNumber.ERROR, Failure(
                "MemoryLimit", message, death.stacks, {**detail, "outcome": "memory"}
            )
    detail["outcome"] = "crash"
    return OutcomeNumber.CRASH, Failure("ChildDied", f"the process running it {death}", death.stacks, detail)


def _found(death: Death) -> dict[str, Any]:
    found = {
        "code": death.code,
        "signal": death.signal_name,
        "peak_memory_bytes": death.peak_bytes,
        "memory_limit_bytes": death.limit_bytes,
        "out_of_memory": death.memory_verdict,
        "last_lines": death.last_lines,
    }
    # Code 0 says something too: the task called os._exit(0).
    return {name: value for name, value in found.items() if value not in (None, "", 0) or name == "code"}

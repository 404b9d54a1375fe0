"""What becomes of the jobs of a child that ran many of them and died, and of a job that did not end. Pure.

::

    it was blocked, or code of one job ran when it died ─► that job is charged, if it was not given up before; the others are
                                                           handed back, uncharged
    which of them it was is unknown ─────────────────────► each is charged one crash, and is a suspect from then on
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ...common.domain.model import OutcomeNumber
from ...common.values.failure import Failure, show_bytes
from .concurrent_child import ConcurrentChild, UnderWay
from .effects import ChildState
from .jobs import Death, Job
from .post_mortem import Fate, fates, post_mortem

LEFT = "It was given up: what it still does is ignored, in a process that gets no more tasks and is killed when the others in it have ended"
SPARED: Final = Failure("Interrupted", "another task that ran in its process has ended that process")
LastLines = Callable[[Job], str]


def fates_of(child: ChildState, death: Death, last_lines: LastLines) -> Iterator[Fate]:
    """Of the jobs of a child of either kind."""
    return (
        concurrent_fates(child, death, last_lines)
        if isinstance(child, ConcurrentChild)
        else fates(child, death)
    )


def concurrent_fates(child: ConcurrentChild, death: Death, last_lines: LastLines) -> Iterator[Fate]:
    culprit = child.blocked_by if child.ending == "blocked" else death.holder
    is_known = child.runs_here(culprit) and not child.is_distrusted and child.ending != "memory"
    count = len(child.jobs)
    for job, about in list(child.each()):
        own = death._replace(last_lines=last_lines(job))
        # It was asked to end before: its own reason comes first, whatever ended the process.
        if about.ending and not child.is_distrusted:
            yield Fate(job, about.since, *post_mortem(job, own, about.ending, running=True))
        # Known who it was: the others are not charged with an attempt.
        elif is_known and job.ordinal != culprit:
            yield Fate(job, about.since, OutcomeNumber.RELEASED, SPARED)
        elif child.ending == "blocked" and is_known:
            yield Fate(job, about.since, OutcomeNumber.ERROR, _blocked(child.blocking_stack))
        # All are charged: which of them took the memory cannot be seen from outside.
        elif child.ending == "memory":
            yield Fate(job, about.since, OutcomeNumber.CRASH, _too_large(own, count))
        else:
            outcome, failure = post_mortem(
                job, own, child.why_ended if child.is_distrusted else "", running=True
            )
            yield Fate(job, about.since, outcome, failure if is_known else _among(failure, count))


def given_up(job: Job, about: UnderWay) -> tuple[OutcomeNumber, Failure]:
    """The report on a job that did not end when asked."""
    if about.ending == "timeout":
        text = f"it took longer than its limit of {job.timeout:g} s and did not stop when asked. {LEFT}"
        return OutcomeNumber.TIMEOUT, Failure("TimeLimit", text, about.stack, {"outcome": "timeout"})
    what = "cancelled" if about.ending == "cancel" else "ended, because its lease was lost"
    text = f"{what}; it did not stop when asked. {LEFT}"
    return OutcomeNumber.CANCELLED, Failure("CancelRequested", text, about.stack)


def _blocked(stack: str) -> Failure:
    text = (
        "it blocked the event loop that it shares with other tasks, which could not go on; its process was killed, and the others "
        "run again. In a coroutine, await what takes long: `await asyncio.to_thread(…)`; or write a plain function"
    )
    return Failure("LoopBlocked", text, stack, {"outcome": "blocked"})


def _too_large(death: Death, count: int) -> Failure:
    text = (
        f"its process, in which {count:,} tasks ran, had {show_bytes(death.peak_bytes)} of memory; the limit is "
        f"{show_bytes(death.limit_bytes or 0)} (max_memory_per_child); killed"
    )
    return Failure("MemoryLimit", text, death.stacks, {"outcome": "memory"})


def _among(failure: Failure, count: int) -> Failure:
    """Of one of many that ran in it."""
    if count < 2:
        return failure
    text = f"{failure.message}; {count:,} tasks ran in it, and which of them it was is not known"
    return Failure(failure.type, text, failure.traceback, failure.detail)

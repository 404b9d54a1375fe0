"""Calls that run as one in a simulated child: ``RunsTogether`` itself runs them, as soon as their time is over.

A call's place in the list is its own: it has its result, its failure, or its wish to be tried again. Now and then the function raises; then each
call has failed, and is tried again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tq.common.domain.directives import Discard, Retry, Snooze
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode, encode_call
from tq.common.values.many_calls import SEPARATOR_BYTES, ManyCalls
from tq.worker.child.block import Block
from tq.worker.child.start_page import StartPage
from tq.worker.child.together import results_of
from tq.worker.child.together_runs import RunsTogether

if TYPE_CHECKING:
    from tq.worker.agent.jobs import Job

    from .load import Attempt, Spec

RAISES: Final = 0.25  # of the calls, for all in it
RESULT: Final = b"result %b %d"


class Raised(Exception):
    """By the function, or in the place of one call."""


def value_of(plan: Attempt, payload: bytes, attempt: int) -> Any:
    """What the function has for one call."""
    match plan.outcome:
        case OutcomeNumber.SUCCESS:
            return RESULT % (payload, attempt)
        case OutcomeNumber.RETRY:
            return Retry(after=plan.after)
        case OutcomeNumber.SNOOZE:
            return Snooze(plan.after)
        case OutcomeNumber.DISCARD:
            return Discard("simulated")
    return Raised("simulated")


class CalledTogether(RunsTogether):
    """``jobs``: of one block, in their order, by their ordinals. ``begin`` says which of them run, ``end`` what they came to."""

    def __init__(self, page: StartPage, jobs: Sequence[tuple[Job, Spec]], *, raises: bool) -> None:
        self.begun = {job.ordinal: (job, spec) for job, spec in jobs if page.begin(job.ordinal)}
        self.left = [job.ordinal for job, _ in jobs if page.has_left(job.ordinal)]
        self._jobs, self._raises = jobs, raises
        self.reports: list[
            list[Any]
        ] = []  # ordinal, outcome, body, after; or the ordinal of one that was left
        self._starts: Any = self
        self._blobs: Any = self
        self._fork_guard: Any = self
        self._writer: Any = self
        self._reports: Any = self
        self._calls = ManyCalls(bytes(SEPARATOR_BYTES))
        self._flushed_at, self.size_bytes = 0.0, 0
        self._note = None
        self._wall = self._clock = float
        self._index = self._current = 0
        self._started, self._cancelled = 0.0, False

    def end(self) -> None:
        first = self._jobs[0][0]
        payloads = [encode_call((place,), {}) for place in range(len(self._jobs))]
        runs = [[job.id, 1, job.attempt, job.number] for job, _ in self._jobs]
        block = Block(first.ordinal, "together", "", first.lease, None, False, runs, payloads)
        served: Any = self
        self._run_together(block, served)

    # as the function

    def run_list(self, items: list[Any]) -> Sequence[Any]:
        return results_of("together", self._function, items)

    def _function(self, places: list[int]) -> list[Any]:
        if self._raises:
            raise Raised("simulated, for all")
        return [
            value_of(spec.attempt(job.attempt), spec.payload, job.attempt)
            for job, spec in map(self._jobs.__getitem__, places)
        ]

    def perform_once(self, call: Callable[[], None], make_context: Callable[[], Any]) -> None:
        call()

    # as the parts of a child

    def begin(self, ordinal: int) -> bool:
        return ordinal in self.begun

    def has_left(self, ordinal: int) -> bool:
        return ordinal in self.left

    def send(self, blobs: list[Any]) -> list[bytes]:
        return []

    def exit_if_forked(self, error: BaseException | None = None) -> None: ...
    def context(self) -> Any: ...
    def end_of_block(self) -> None: ...
    def _flush(self, now: float) -> None: ...
    @property
    def here(self) -> set[bytes]:
        return set()

    @property
    def used(self) -> bool:
        return False

    def result(self, ordinal: int, body: bytes, started: float, seconds: float) -> None:
        self.reports.append([ordinal, int(OutcomeNumber.SUCCESS), decode(body), None])

    def other(self, entry: list[Any]) -> None:
        self.reports.append([entry[0], entry[1], entry[2], entry[5]] if len(entry) > 1 else entry)

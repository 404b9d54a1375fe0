"""Says why a program waits: after two seconds without a result it asks the master, and warns if no worker will run the task.

::

    a wait ─► Stall: when to look, what was answered ─► StallQuestions: asks, seldom ─► one warning for each function; text of TimeoutError

A wait is never longer for it: the answer is taken when it comes, and what is not known at the end of a wait is not said.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...common.domain.ids import show_id
from ...common.domain.shards import shard_of_id
from ...common.errors import TqError
from .lent_slot import Loan, Runs, loan
from .outcomes import OutcomeBox

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..core.session import ClientSession

STUCK_SECONDS: Final = 2.0  # without a result, before the reason is looked up
PAUSE_SECONDS_MAX: Final = 60.0  # between two looks of one wait; each pause is twice the one before
ASK_SECONDS_MIN: Final = 0.5  # between two questions of a program, however many threads wait
SHORT_SECONDS: Final = 0.2  # a wait shorter than this polls, and asks for no reason
WARNED_MAX: Final = 1_000  # functions that were warned of
LOOK_SECONDS: Final = 2.0  # that a command which does not wait has for the answer


def complaint(task: dict[str, Any]) -> str:
    """The warning about a task, from its ``why`` or ``show``; empty when it needs no help to continue."""
    return f"{task['why']}; `tq why {show_id(task['id'])}` shows the current reason" if task["stuck"] else ""


class StallQuestions:
    """Of one session. ``warn``: where a warning goes; a command replaces it."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._asked_at = -math.inf
        self._warned: set[tuple[str, str]] = set()  # queue and function
        self.warn: Callable[[str], None] = _log

    def ask(self, id: bytes, *, warns: bool = True) -> Future[Any] | None:
        """Ask why this task waits; None: the last question was just now, or the master is away."""
        now = time.monotonic()
        # A master that is away would be asked as soon as it is back, by all programs at once.
        if now - self._asked_at < ASK_SECONDS_MIN or self._session.away_from(shard_of_id(id)):
            return None
        self._asked_at = now
        try:
            question = self._session.start_call(("get_tasks",), "why", id)
        except TqError:  # the wait for the result raises the same error
            return None
        if warns:
            # In the background: no wait is longer because of a warning.
            question.add_done_callback(self._answered)
        return question

    def complaint_now(self, id: bytes) -> str:
        """Of a task that was just submitted, whose submitter does not wait. Empty, too, when the answer does not come soon."""
        question = self.ask(id, warns=False)
        from concurrent.futures import wait  # most programs never wait in vain

        if question is None or not wait([question], LOOK_SECONDS).done:
            return ""
        task = answer_of(question)
        return complaint(task) if task else ""

    def _answered(self, question: Future[Any]) -> None:
        """In the I/O thread."""
        task = answer_of(question)
        if task is None or not task["stuck"]:
            return
        function = task["queue"], task["name"]
        if function not in self._warned and len(self._warned) < WARNED_MAX:
            self._warned.add(function)
            self.warn(complaint(task))


class Waitable(Protocol):
    """What is waited for: an ``OutcomeBox``, or what else knows the end of a task."""

    def wait(self, want: bytes | int, deadline: float | None) -> bool: ...


class Stall:
    """One wait. ``id``: the task that is waited for, or one of them, as of now. ``runs``: all of them; a task that waits for them
    lends its slot. ``warns``: if no worker will run it."""

    def __init__(
        self,
        session: ClientSession,
        id: Callable[[], bytes | None],
        timeout: float | None,
        *,
        runs: Runs | None = None,
        warns: bool = True,
    ) -> None:
        self._session, self._id, self._runs, self._warns = session, id, runs, warns
        # Half of a short timeout, so that its TimeoutError can say the reason.
        self._pause = STUCK_SECONDS if timeout is None else min(STUCK_SECONDS, timeout / 2)
        self._looks = timeout is None or timeout >= SHORT_SECONDS
        self._put_off = ASK_SECONDS_MIN / 2
        self._until = 0.0
        self._question: Future[Any] | None = None

    def wait(self, box: Waitable, want: bytes | int, deadline: float | None) -> bool:
        """``box.wait``, with looks in between."""
        lent = loan(self._runs)
        self._until = time.monotonic() + self._pause
        try:
            while not box.wait(want, self._next(deadline, lent)):
                if self._is_over(deadline):
                    return False
                self._act(lent)
        finally:
            if lent is not None:
                lent.end()
        return True

    async def wait_async(self, box: OutcomeBox, want: bytes | int, deadline: float | None) -> bool:
        """``box.wait_async``, with looks in between."""
        lent = loan(self._runs)
        self._until = time.monotonic() + self._pause
        try:
            while not await box.wait_async(want, self._next(deadline, lent)):
                if self._is_over(deadline):
                    return False
                self._act(lent)
        finally:
            if lent is not None:
                lent.end()
        return True

    @property
    def reason(self) -> str:
        """Why the task waited when the master was last asked; empty if that is not known."""
        question = self._question
        task = answer_of(question) if question is not None and question.done() else None
        return str(task["why"]) if task is not None else ""

    def _next(self, deadline: float | None, lent: Loan | None) -> float | None:
        """When there is something to do besides waiting."""
        until = self._until if self._looks else deadline
        if lent is not None and (until is None or lent.moment < until):
            until = lent.moment
        return until if deadline is None or until is None else min(until, deadline)

    def _is_over(self, deadline: float | None) -> bool:
        return deadline is not None and time.monotonic() >= deadline

    def _act(self, lent: Loan | None) -> None:
        if lent is not None:
            lent.act()
        if self._looks and time.monotonic() >= self._until:
            self._until = time.monotonic() + self._look()

    def _look(self) -> float:
        """In how many seconds to look again."""
        id = self._id()
        question = None if id is None else self._session.part(StallQuestions).ask(id, warns=self._warns)
        if question is None:
            # Another wait has asked just now: its turn comes, later for each time that it did not.
            self._put_off = min(2 * self._put_off, PAUSE_SECONDS_MAX)
            return self._put_off
        self._question, self._put_off = question, ASK_SECONDS_MIN / 2
        self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)
        return self._pause


def _log(words: str) -> None:
    import logging  # most programs never wait in vain

    logging.getLogger("tq.client").warning("%s", words)


def answer_of(question: Future[Any]) -> dict[str, Any] | None:
    """What the master said; None if it did not: it does not know the task, or is of an older version."""
    failed = question.cancelled() or question.exception() is not None
    return None if failed else question.result()

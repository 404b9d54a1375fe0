"""The loop of ``tq map`` and ``tq exec``: reads input, submits tasks, receives outcomes and prints lines until all are done
or it is stopped.

The loop waits in one place (``_wait``) for the first event of any kind. The ways in which a run can end are in
``stopping.py``; what it keeps for another run is in ``journal.py``.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from ....common.domain.model import StateNumber
from ....common.errors import NotSerializable
from ...tasks.outcomes import SUCCEEDED
from .items import Item
from .journal import Journal
from .output import Output
from .printing import Printer
from .progress import ItemProgress, ProgressPoller
from .results import Counts, MessageScreen, ResultWriter
from .source import Source
from .stall_warning import StallWarning
from .stopping import (
    ACKNOWLEDGE_SECONDS_MAX,
    END_SECONDS_MAX,
    GRACE_SECONDS,
    Interrupts,
    Wakeup,
)
from .submission import ItemSubmission
from .window import Window, WindowEntry

WINDOW_ITEMS: Final = 20_000  # enough to keep thousands of slots busy between two turns
WINDOW_BYTES: Final = 64 * 1024 * 1024
TURN_ITEMS: Final = 1_000  # read at a time in one turn of the loop: reading must not starve the output
CALLS_UNDER_WAY: Final = 8
TICK_SECONDS: Final = 0.25  # for the bar and for deadlines
CANCELLED: Final = int(StateNumber.CANCELLED)
REFUSED: Final = int(StateNumber.FAILED)  # what never became a task counts as failed


class Phase(Enum):
    RUNNING = 0
    ASKED = 1  # a stop was requested; a second request means: leave all tasks running
    CANCELLING = 2
    OVER = 3


class Ending(Enum):
    COMPLETE = 0
    INTERRUPTED = 1  # by a signal; what was not finished is cancelled
    LEFT = 2  # by two signals; what was submitted goes on
    TOO_MANY_FAILURES = 3
    NO_READER = 4  # of stdout


class RunScreen(MessageScreen, Protocol):
    """The output for people, with the bar."""

    @property
    def is_due(self) -> bool:
        """Whether anything would be drawn now."""

    def show(self, counts: Counts, total: int | None, under_way: InProgress) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class InProgress:
    """Lines that are not counted yet. ``ended``: wait for their turn to be printed; ``items``: running, with progress."""

    ended: int = 0
    items: Sequence[ItemProgress] = ()


class Run:
    def __init__(
        self,
        *,
        source: Source,
        submission: ItemSubmission,
        journal: Journal | None,
        run_id: bytes,
        output: Output,
        printer: Printer,
        wakeup: Wakeup,
        ordered: bool,
        max_failures: int | None,
        retry_failed: bool,
        resumed: bool,
        call_of: Callable[[Item], Item],
    ) -> None:
        self._source, self._submission, self._journal, self._run_id = source, submission, journal, run_id
        self._output, self._wakeup = output, wakeup
        self._screen: RunScreen  # while it runs
        self._retry_failed, self._resumed = retry_failed, resumed
        self._call_of = call_of
        self._window = Window(items_max=WINDOW_ITEMS, bytes_max=WINDOW_BYTES, ordered=ordered)
        self._interrupts = Interrupts(wakeup)
        self._progress_poller = ProgressPoller(submission.progress)
        self._stall_warning = StallWarning(submission.show)
        self._phase, self._ending = Phase.RUNNING, Ending.COMPLETE
        self._deadline = 0.0
        self._unwatched: deque[bytes] = deque()  # tasks whose results stay with the master for now
        self._watched: set[bytes] = set()  # of those, what was asked for
        self.counts = Counts()
        self._results = ResultWriter(
            output, printer, journal, self.counts, facts_of=submission.facts, max_failures=max_failures
        )
        if journal is not None:
            finished = journal.finished
            # Failed lines that run again are still to come.
            self.counts.before = finished.lines - (finished.failed if retry_failed else 0)
            self.counts.failed = 0 if retry_failed else finished.failed
            self.counts.done = self.counts.before - self.counts.failed

    @property
    def has_stored(self) -> bool:
        return self._submission.has_stored

    @property
    def signal(self) -> int:
        """The one that ended it."""
        return self._interrupts.signal

    def run(self, screen: RunScreen) -> Ending:
        self._screen = screen
        with self._interrupts.counted():
            while not self._is_over:
                self._turn()
                if screen.is_due or self._is_over:
                    screen.show(self.counts, self._source.total, self._under_way())
        return self._ending

    def _under_way(self) -> InProgress:
        """Polls the master, and therefore only while a bar is shown."""
        if self._is_over:
            return InProgress()
        return InProgress(ended=self._window.ended, items=self._progress_poller.look(self._window))

    def _turn(self) -> None:
        self._handle_signals()
        if self._phase is Phase.RUNNING:
            self._read_items()
        self._receive()
        if words := self._stall_warning.look(self._window):
            self._screen.complain(words)
        try:
            self._results.write(self._window, self._screen)
        except BrokenPipeError:
            self._stop(Ending.NO_READER)
        if self._results.has_too_many_failures:
            self._stop(Ending.TOO_MANY_FAILURES)
        self._finish()
        if not self._is_over:
            self._wait()

    @property
    def _is_over(self) -> bool:
        return self._phase is Phase.OVER

    # in

    def _read_items(self) -> None:
        """Items into the window and on to the master."""
        while self._may_take:
            # As many as there is room for: what is read is kept until it is printed.
            for item in self._source.take(min(TURN_ITEMS, self._window.room)):
                self._accept(item)
            if not self._source.has_records:
                break
        if not self._source.has_records or not self._window.takes_more:
            self._submission.send()  # nothing more comes at once
        if self._source.is_exhausted and self._journal is not None:
            self._journal.finished.check_end(self._source.last_number)

    @property
    def _may_take(self) -> bool:
        return (
            self._source.has_records
            and self._window.takes_more
            and self._submission.calls_under_way < CALLS_UNDER_WAY
            # Results are larger than the memory for them: first those that are here are printed.
            and not self._unwatched
        )

    def _accept(self, item: Item) -> None:
        number = item.number
        finished = None if self._journal is None else self._journal.finished
        again = False
        if finished is not None and number in finished:
            # A file that was changed since would have its results mixed up.
            finished.check(number, item.raw)
            again = self._retry_failed and not finished.succeeded(number)
            if not again:
                return
        # An item that never becomes a task is kept under its number; ids of tasks are longer.
        entry = WindowEntry(item, number.to_bytes(8, "big"), len(item.raw), retry=again)
        error = item.error
        if not error:
            try:
                call = self._call_of(item)
                keys = self._submission.lanes.of(item.args, item.kwargs)
                entry.id = self._submission.ids.of(self._run_id, number, keys)
                entry.weight += self._submission.add(entry.id, call.args, call.kwargs, keys)
            except (NotSerializable, ValueError) as cause:
                error = str(cause)
        self._window.add(entry)
        if error:
            # In the window all the same: with --keep-order its complaint comes in its turn.
            self._window.end(entry.id, REFUSED, None, error)

    # back

    def _receive(self) -> None:
        """Outcomes, and what the master refused."""
        for id, error in self._submission.settle():
            self._window.end(id, REFUSED, None, error)
        retried: list[bytes] = []
        for id, state, body in self._submission.take_outcomes():
            self._stall_warning.item_ended()
            entry = self._window.find(id)
            # Dropped meanwhile, or received before a connection was lost.
            if entry is None:
                continue
            if state != SUCCEEDED and self._should_retry(entry, state):
                entry.retried = True
                retried.append(id)
            elif state == CANCELLED and self._phase is Phase.CANCELLING:
                self.counts.cancelled += self._window.drop([id])
            else:
                self._window.end(id, state, body)
        if retried:
            self._submission.retry(retried)
        self._limit_watched()

    def _limit_watched(self) -> None:
        """When results are too large for the memory, request only the oldest few."""
        if not self._unwatched:
            if not self._window.is_overweight:
                return
            self._submission.stop_watching()
            self._unwatched.extend(self._window.open_ids)
            self._watched.clear()
        self._watched = {id for id in self._watched if self._window.find(id) is not None}
        room, wanted = self._window.watch_room(len(self._watched)), list[bytes]()
        while self._unwatched and len(wanted) < room:
            id = self._unwatched.popleft()
            if self._window.find(id) is not None:
                wanted.append(id)
        if wanted:
            self._submission.watch(wanted)
            self._watched.update(wanted)

    def _should_retry(self, entry: WindowEntry, state: int) -> bool:
        """Whether to run it again: cancelled by an earlier run, or failed with --retry-failed; at most once."""
        if entry.retried or self._phase is not Phase.RUNNING:
            return False
        return entry.retry or (self._resumed and state == CANCELLED)

    # the end

    def _finish(self) -> None:
        """Over, if nothing is left to do."""
        if self._phase is Phase.RUNNING:
            idle = self._window.is_done and not self._submission.calls_under_way
            if self._source.is_exhausted and idle and not self._output.waiting_bytes:
                self._phase = Phase.OVER
        elif self._phase is Phase.CANCELLING:
            acknowledged = self._submission.is_cancel_acknowledged
            printed = self._results.has_too_many_failures or self._window.is_done
            printed = printed and not self._window.open_ids and not self._output.waiting_bytes
            # Without a reader nothing can be printed, so nothing is waited for.
            is_finished = acknowledged and (printed or self._ending is Ending.NO_READER)
            if is_finished or time.monotonic() >= self._deadline:
                self.counts.left = len(self._window.open_ids)
                self._phase = Phase.OVER

    def _handle_signals(self) -> None:
        """What signals want, and what time has come for."""
        wishes = self._interrupts.count
        if self._phase is Phase.RUNNING and wishes:
            self._phase, self._ending = Phase.ASKED, Ending.INTERRUPTED
            # What is gathered is submitted, too: the journal's ids make it the same task at the next run.
            self._submission.send()
            self._deadline = time.monotonic() + GRACE_SECONDS
            self._screen.complain(
                f"cancelling {len(self._window.open_ids):,} unfinished in {GRACE_SECONDS:g} s; "
                "Ctrl-C again leaves them running"
            )
        if self._phase is Phase.ASKED:
            if wishes > 1:
                self._ending, self._phase = Ending.LEFT, Phase.OVER
                self.counts.left = len(self._window.open_ids)
            elif time.monotonic() >= self._deadline:
                self._stop(Ending.INTERRUPTED)
        elif self._phase is Phase.CANCELLING and wishes > 1:
            self._deadline = 0.0  # no word is waited for any more

    def _stop(self, ending: Ending) -> None:
        """Cancel what has not ended."""
        if self._phase in (Phase.CANCELLING, Phase.OVER):
            return
        self._phase, self._ending = Phase.CANCELLING, ending
        seconds = ACKNOWLEDGE_SECONDS_MAX if ending is Ending.NO_READER else END_SECONDS_MAX
        self._deadline = time.monotonic() + seconds
        self._submission.cancel(self._window.open_ids)

    def _wait(self) -> None:
        source, output = self._source.descriptor, self._output
        interests: dict[int, int] = {}
        if not output.is_file and self._ending is not Ending.NO_READER:
            # The next write reports a closed stdout
            interests[output.descriptor] = select.POLLOUT if output.waiting_bytes else 0
        # A descriptor that is not read must not be polled: it would be ready at once, each time.
        wants = self._phase is Phase.RUNNING and not self._source.has_records and self._window.room > 0
        if wants and source is not None:
            interests[source] = interests.get(source, 0) | select.POLLIN
        may_go_on = self._phase is Phase.RUNNING and self._may_take
        found = self._wakeup.wait(interests, 0.0 if may_go_on else TICK_SECONDS)
        if wants and source is not None and found.get(source):
            self._source.read()
        if found.get(output.descriptor, 0) & (select.POLLERR | select.POLLHUP) and not output.is_file:
            self._stop(Ending.NO_READER)

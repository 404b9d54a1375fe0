"""The part of a child process that runs the jobs of a block as one call (``coalesce=``), for ``loop.py``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import TYPE_CHECKING, Any

from ...common.domain.model import OutcomeNumber
from ...common.errors import CancelRequested, TimeLimit
from ...common.values.codec import decode_work
from .noted import note_end, note_start
from .report_buffer import BYTES_MAX, FLUSH_SECONDS
from .served import ServedTask, encode_result
from .together import end_of, item_of
from .verdict import Verdict, verdict

if TYPE_CHECKING:
    from ...common.domain.context import Context
    from ...common.values.many_calls import ManyCalls
    from .blobs import ChildBlobs
    from .block import Block
    from .fork_guard import ForkGuard
    from .output import OutputWriter
    from .report_buffer import ReportBuffer
    from .start_page import StartPage


class RunsTogether:
    """What it needs is the child's."""

    if TYPE_CHECKING:
        _starts: StartPage
        _blobs: ChildBlobs
        _fork_guard: ForkGuard
        _writer: OutputWriter
        _reports: ReportBuffer
        _calls: ManyCalls
        _note: Any
        _wall: Callable[[], float]
        _clock: Callable[[], float]
        _index: int
        _current: int
        _started: float
        _flushed_at: float
        _cancelled: bool

        def context(self) -> Context | None: ...
        def _flush(self, now: float) -> None: ...

    def _run_together(self, block: Block, served: ServedTask) -> None:
        """Run the jobs of a block as one call, and note the report of each. What ends the call ends each of them."""
        if not block.is_swift:
            self._flush(self._clock())  # it may take long, and what is over does not wait for it
        begun: list[int] = []
        left: list[int] = []
        for index in range(len(block.payloads)):
            if self._starts.begin(block.first + index):
                begun.append(index)
            elif self._starts.has_left(block.first + index):
                left.append(block.first + index)
        payloads = [block.payloads[index] for index in begun]
        # All at once where they are plain; None: each is read by itself, where it may raise.
        calls = self._calls.decode(payloads) or repeat(None)
        ends: dict[int, tuple[Verdict, list[bytes]]] = {}
        started, clock = self._wall(), self._clock()

        def call() -> None:
            items: dict[int, Any] = {}
            for index, payload, given in zip(begun, payloads, calls, strict=False):
                # Says whose arguments are read: a blob in them is fetched as that task.
                self._index = index
                try:
                    args, kwargs = given or decode_work(payload)[:2]
                    items[index] = item_of(args, kwargs)
                except (TimeLimit, CancelRequested):
                    raise
                except Exception as error:
                    ends[index] = verdict(error, block.timeout, __file__), []
            results = served.run_list(list(items.values())) if items else ()
            for index, value in zip(items, results, strict=True):
                ends[index] = end_of(value, block.timeout, encode_result, self._blobs.send, __file__)

        try:
            try:
                if begun:
                    self._cancelled, self._started = False, started
                    self._index, self._current = begun[-1], block.first + begun[-1]
                    served.perform_once(call, self.context)
                    # From here on a notice finds no job: what it meant is over.
                    self._current = 0
            except BaseException as error:
                self._fork_guard.exit_if_forked(error)
                self._current = 0
                ended = verdict(error, block.timeout, __file__)
                ends = {index: ends.get(index, (ended, [])) for index in begun}
        # A limit that is raised between the call and its end, in our own code.
        except BaseException as late:
            self._fork_guard.exit_if_forked(late)
            self._current = 0
            ended = verdict(late, block.timeout, __file__)
            ends = {index: ends.get(index, (ended, [])) for index in begun}
        self._fork_guard.exit_if_forked()
        self._blobs.here.clear()
        progress = self._writer.finish() if self._writer.used else None
        seconds = self._clock() - clock
        for index in begun:
            (outcome, body, after), named = ends[index]
            if self._note is not None:
                job = block.job(index)
                note_start(self._note, job)
                note_end(self._note, job, outcome, body)
            # What the function has reported is of all; it is shown at one.
            shown = progress if index == begun[-1] else None
            # Results alone travel as one slice, as those of jobs that run one after the other do.
            if outcome == OutcomeNumber.SUCCESS and body is not None and shown is None and not named:
                self._reports.result(block.first + index, body, started, seconds)
                continue
            entry = [block.first + index, int(outcome), body, started, seconds, after, shown]
            self._reports.other([*entry, named] if named else entry)
        for ordinal in left:  # reports are in the order of the jobs
            self._reports.other([ordinal])
        self._reports.end_of_block()
        now = self._clock()
        # By time and by size, as what runs one after the other; what is kept back leaves before the child waits for more.
        if now - self._flushed_at > FLUSH_SECONDS or self._reports.size_bytes > BYTES_MAX:
            self._flush(now)

"""Reports of ended attempts on their way to the master: kept until it has acknowledged them. Pure.

One call is under way at a time, and it always fits a frame: a body that fits no frame would be sent and refused again and
again, so it is replaced by a failure.

Results are kept in the slices in which children report them; slices whose tasks follow one another are joined, from whatever
children they are.

A call that the master refuses is sent again in halves until the bad row travels alone; that row is replaced by a failure
that says so. So a bad report costs its own attempt, and never the connection that all other reports need.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Sequence, Set
from typing import Any, Final, NamedTuple

from ...common.contract.workers import ReportRow
from ...common.domain.model import OutcomeNumber
from ...common.values.failure import Failure
from ...common.wire.frames import FRAME_BYTES_MAX, too_large
from .ended import Ended, EndedJob, EndedSlice
from .finish_call import FinishCall
from .runs import Key

FINISH_ROWS_MAX: Final = 2_000
FINISH_BYTES_MAX: Final = 4 * 1024 * 1024  # of bodies in one finish call; a larger body travels alone
# A row that is refused alone, on so many connections, is taken for bad, even if the master does not say that it is.
REFUSALS_MAX: Final = 2
REASON_CHARS_MAX: Final = 2_000
BODY_BYTES_MAX: Final = FRAME_BYTES_MAX - 4 * 1024  # beside it in its frame: ids, times, numbers


class Refusal(NamedTuple):
    """A report that the master does not accept. ``is_final``: it refuses the failure in its place too."""

    id: bytes
    attempt: int
    is_final: bool


class Outbox:
    """The length is counted in attempts."""

    def __init__(self) -> None:
        self._rows_max = FINISH_ROWS_MAX  # of the next call: fewer after a refusal
        self.body_bytes_max = BODY_BYTES_MAX
        self._waiting: deque[Ended] = deque()
        self._under_way: FinishCall | None = None
        self._length = 0
        self._ends: dict[int, EndedSlice] = {}  # slices that wait, by the id behind them

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Ended]:
        if self._under_way is not None:
            yield from self._under_way.ended
        yield from self._waiting

    @property
    def held(self) -> list[list[Any]]:
        """The form in which ``announce`` and ``release`` name them."""
        return [one.held for one in self]

    @property
    def held_with_seconds(self) -> list[list[Any]]:
        """The same; each with the seconds that it ran, of a slice those of the longest."""
        return [[*one.held, one.seconds_max] for one in self]

    def put(self, row: ReportRow, blobs: Sequence[bytes] = ()) -> None:
        self._waiting.append(EndedJob(row, blobs))
        self._length += 1

    def put_slice(self, slice: EndedSlice) -> None:
        self._length += len(slice)
        # The slice that ends where this one begins, whichever child it came from.
        before = self._ends.pop(int.from_bytes(slice.id, "big"), None)
        # Under another lease the same ids are another attempt's.
        if before is not None and before.is_followed_by(slice):
            before.join(slice)
        else:
            before = slice
            self._waiting.append(slice)
        self._ends[before.end] = before

    @property
    def has_call(self) -> bool:
        """Whether there is something to report, and no call is under way."""
        return self._under_way is None and bool(self._waiting)

    @property
    def has_call_under_way(self) -> bool:
        return self._under_way is not None

    @property
    def is_full(self) -> bool:
        """Whether what waits is enough for a call."""
        return self._length >= self._rows_max

    def take_call(self) -> FinishCall | None:
        """The next call; None while one is under way, or if there is nothing to report."""
        if not self.has_call:
            return None
        self._join_neighbours()
        self._ends.clear()  # what travels is joined with nothing
        bytes_max = min(FINISH_BYTES_MAX, self.body_bytes_max)
        taken: list[Ended] = []
        count = size = 0
        while self._waiting and count < self._rows_max:
            one = self._waiting.popleft()
            fits = _fitting(one, self._rows_max - count, bytes_max - size)
            if not fits and not taken:
                fits = 1  # it travels alone
            if fits < len(one) and isinstance(one, EndedSlice):
                self._waiting.appendleft(one.part(fits, len(one)))
                one = one.part(0, fits)
            elif not fits:
                self._waiting.appendleft(one)
            if not fits:
                break
            # Even alone it fits no frame of this master.
            if one.size_bytes > self.body_bytes_max:
                one = _shortened(one, self.body_bytes_max)
            taken.append(one)
            count += fits
            size += one.size_bytes
        self._under_way = FinishCall(taken)
        return self._under_way

    def take_rest(self) -> list[FinishCall]:
        """All reports that are not under way, for calls that are made without waiting for answers, as the worker ends."""
        calls: list[FinishCall] = []
        self._settle()
        while (call := self.take_call()) is not None:
            calls.append(call)
            self._settle()
        return calls

    def answered(self, stale: Set[int]) -> list[bytes]:
        """The call was answered: its rows are acknowledged. Returns the ids of those that came too late."""
        # Back to full calls by doubling: the bad row may have neighbours.
        self._rows_max = min(FINISH_ROWS_MAX, 2 * self._rows_max)
        late: list[bytes] = []
        if stale and self._under_way is not None:
            late = [id for place, (id, _) in enumerate(self._under_way.keys()) if place in stale]
        self._settle()
        return late

    def refused(self, reason: str, *, certain: bool) -> Refusal | None:
        """The call was refused. Returns the bad row, as soon as it is known. ``certain``: the master says that a report in
        the call is bad. Otherwise the reason may be another, and only a row that is refused alone twice is taken for bad.
        """
        if self._under_way is None:
            return None
        call, self._under_way = self._under_way, None
        # Halves: a bad row among two thousand travels alone after eleven refusals.
        self._rows_max = max(1, len(call) // 2)
        if len(call) > 1:
            # In front, in their order: the next call begins with the same row.
            self._waiting.extendleft(reversed(call.ended))
            return None
        [bad] = call.ended
        if isinstance(bad, EndedSlice):
            bad = bad.one(0)
        # Kept with the row: a new connection must not count from the start again.
        bad.refusals += 1
        id, attempt = bad.row.id, bad.row.attempt
        if not certain and bad.refusals < REFUSALS_MAX:
            self._waiting.appendleft(bad)
            return None
        # The failure in its place is refused as well: the attempt is left to the end of its lease.
        if bad.is_replaced:
            self._length -= 1
            return Refusal(id, attempt, is_final=True)
        text = f"the master refused the report of this attempt: {reason}"
        failure = Failure("ReportRefused", text[:REASON_CHARS_MAX]).encode()
        # Zeros for its times: they may be what the master does not accept.
        row = ReportRow(id, attempt, bad.row.lease, int(OutcomeNumber.ERROR), failure, 0.0, 0.0, None)
        self._waiting.appendleft(EndedJob(row, is_replaced=True))
        return Refusal(id, attempt, is_final=False)

    def connected(self) -> None:
        """Answers of the last connection do not come any more: what was under way is sent again."""
        if self._under_way is not None:
            self._waiting.extendleft(reversed(self._under_way.ended))
            self._under_way = None

    def drop(self, lost: Container[Key]) -> None:
        """The master does not accept these any more: it has given the tasks to other workers."""
        left: deque[Ended] = deque()
        for one in self._waiting:
            if isinstance(one, EndedSlice):
                left += one.without(lost)
            elif one.keys()[0] not in lost:
                left.append(one)
        self._length -= sum(map(len, self._waiting)) - sum(map(len, left))
        self._waiting = left
        # It names slices that were cut or dropped.
        self._ends.clear()

    def _join_neighbours(self) -> None:
        """Slices that have ended in another order than that of their tasks are as few as they can be. Not while a bad report is
        looked for: halves stay halves."""
        if len(self._waiting) < 2 or self._rows_max < FINISH_ROWS_MAX:
            return
        slices = [one for one in self._waiting if isinstance(one, EndedSlice)]
        slices.sort(key=_neighbourhood)
        joined: deque[Ended] = deque(one for one in self._waiting if not isinstance(one, EndedSlice))
        last: EndedSlice | None = None
        for one in slices:
            if last is not None and last.is_followed_by(one):
                last.join(one)
            else:
                last = one
                joined.append(one)
        self._waiting = joined

    def _settle(self) -> None:
        """Forget the call that is under way."""
        if self._under_way is not None:
            self._length -= len(self._under_way)
            self._under_way = None


def _neighbourhood(one: EndedSlice) -> tuple[bytes, int, bytes]:
    return one.lease, one.attempt, one.id


def _fitting(one: Ended, most: int, bytes_left: int) -> int:
    """How many of its attempts a call takes that has room for so many, and for bodies of so many bytes."""
    if one.size_bytes <= bytes_left:
        return min(len(one), most)
    if not isinstance(one, EndedSlice):
        return 0
    for place, body in enumerate(one.bodies[:most]):
        bytes_left -= len(body)
        if bytes_left < 0:
            return place
    return min(len(one), most)


def _shortened(one: Ended, bytes_max: int) -> EndedJob:
    """A failure in place of a body that fits no frame; it travels alone."""
    [row] = one.rows()
    text = too_large("the result has", len(row.body or b""), bytes_max)
    outcome = int(OutcomeNumber.ERROR) if row.outcome == OutcomeNumber.SUCCESS else row.outcome
    blobs = one.blobs if isinstance(one, EndedJob) else ()
    return EndedJob(row._replace(outcome=outcome, body=Failure("ResultTooLarge", text).encode()), blobs)

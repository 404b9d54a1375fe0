"""Reports of ended attempts on their way to the master: kept until it has acknowledged them. Pure.

One call is under way at a time, and it always fits a frame: a body that fits no frame would be sent and refused again and
again, so it is replaced by a failure.

A call that the master refuses is sent again in halves until the bad row travels alone; that row is replaced by a failure
that says so. So a bad report costs its own attempt, and never the connection that all other reports need.
"""

from __future__ import annotations

from collections.abc import Container, Set
from typing import Any, Final, NamedTuple

from ...common.contract.workers import ReportRow
from ...common.domain.model import OutcomeNumber
from ...common.values.failure import Failure
from ...common.wire.frames import FRAME_BYTES_MAX, too_large

FINISH_ROWS_MAX: Final = 2_000
FINISH_BYTES_MAX: Final = 4 * 1024 * 1024  # of bodies in one finish call; a larger body travels alone
# A row that is refused alone, on so many connections, is taken for bad, even if the master does not say that it is.
REFUSALS_MAX: Final = 2
REASON_CHARS_MAX: Final = 2_000
BODY_BYTES_MAX: Final = FRAME_BYTES_MAX - 4 * 1024  # beside it in its frame: ids, times, numbers

Key = tuple[bytes, int]  # id and attempt
# The arguments of one finish call: rows, and the hashes of the content that their results refer to.
FinishCall = tuple[list[ReportRow], list[list[Any]] | None]


class Refusal(NamedTuple):
    """A report that the master does not accept. ``is_final``: it refuses the failure in its place too."""

    id: bytes
    attempt: int
    is_final: bool


class Outbox:
    def __init__(self) -> None:
        self._rows_max = FINISH_ROWS_MAX  # of the next call: fewer after a refusal
        self._refusals: dict[Key, int] = {}  # of rows that travelled alone
        self._replaced: set[Key] = set()  # by failures
        self.body_bytes_max = BODY_BYTES_MAX
        self._rows: dict[Key, ReportRow] = {}
        self._blobs: dict[Key, list[bytes]] = {}  # hashes of the content that results refer to
        self._under_way: list[Key] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def held(self) -> list[list[Any]]:
        """The form in which ``announce`` and ``release`` name them."""
        return [[row.id, row.attempt, row.lease] for row in self._rows.values()]

    @property
    def ended(self) -> list[list[Any]]:
        """The same; each with the seconds that it ran."""
        return [[row.id, row.attempt, row.lease, row.seconds] for row in self._rows.values()]

    def put(self, key: Key, row: ReportRow, blobs: list[bytes] | None = None) -> None:
        self._rows[key] = row
        if blobs:
            self._blobs[key] = blobs

    def put_all(self, rows: list[ReportRow]) -> None:
        """Results that refer to no content."""
        self._rows.update(((row.id, row.attempt), row) for row in rows)

    @property
    def blobs_under_way(self) -> list[list[Any]] | None:
        """``[[index, [hash, …]], …]`` for the rows of the call under way, if any refers to content."""
        if not self._blobs:
            return None
        found = [[i, self._blobs[key]] for i, key in enumerate(self._under_way) if key in self._blobs]
        return found or None

    def take_call(self) -> list[ReportRow]:
        """The rows of the next call; none while one is under way."""
        rows: list[ReportRow] = []
        if self._under_way:
            return rows
        if len(self._rows) <= self._rows_max and self._bytes() <= min(FINISH_BYTES_MAX, self.body_bytes_max):
            self._under_way = list(self._rows)
            return list(self._rows.values())
        size = 0
        for key, row in self._rows.items():
            if row.body is not None:
                if len(row.body) > self.body_bytes_max:
                    row = self._rows[key] = _shortened(row, self.body_bytes_max)
                size += len(row.body or b"")
            if rows and (len(rows) >= self._rows_max or size > FINISH_BYTES_MAX):
                break
            rows.append(row)
            self._under_way.append(key)
        return rows

    def _bytes(self) -> int:
        """Of all bodies."""
        return sum([len(row.body) for row in self._rows.values() if row.body is not None])

    def take_rest(self) -> list[FinishCall]:
        """All rows that are not under way, for calls that are made without waiting for answers, as the worker ends."""
        calls: list[FinishCall] = []
        self._settle()
        while rows := self.take_call():
            calls.append((rows, self.blobs_under_way))
            self._settle()
        return calls

    def answered(self, stale: Set[int]) -> list[bytes]:
        """The call was answered: its rows are acknowledged. Returns the ids of those that came too late."""
        self._rows_max = min(FINISH_ROWS_MAX, 2 * self._rows_max)
        late = [key[0] for index, key in enumerate(self._under_way) if index in stale]
        self._settle()
        return late

    def refused(self, reason: str, *, certain: bool) -> Refusal | None:
        """The call was refused. Returns the bad row, as soon as it is known. ``certain``: the master says that a report in
        the call is bad. Otherwise the reason may be another, and only a row that is refused alone twice is taken for bad.
        """
        keys, self._under_way = self._under_way, []
        self._rows_max = max(1, len(keys) // 2)
        if len(keys) != 1 or keys[0] not in self._rows:
            return None
        [key] = keys
        self._refusals[key] = self._refusals.get(key, 0) + 1
        if not certain and self._refusals[key] < REFUSALS_MAX:
            return None
        if key in self._replaced:
            self.drop({key})
            return Refusal(*key, is_final=True)
        self._replaced.add(key)
        self._refusals.pop(key)
        self._blobs.pop(key, None)
        text = f"the master refused the report of this attempt: {reason}"
        failure = Failure("ReportRefused", text[:REASON_CHARS_MAX]).encode()
        error = int(OutcomeNumber.ERROR)
        old = self._rows[key]
        self._rows[key] = ReportRow(old.id, old.attempt, old.lease, error, failure, 0.0, 0.0, None)
        return Refusal(*key, is_final=False)

    def connected(self) -> None:
        """Answers of the last connection do not come any more: what was under way is sent again."""
        self._under_way.clear()

    def drop(self, lost: Container[Key]) -> None:
        """The master does not accept these any more: it has given the tasks to other workers."""
        self._rows = {key: row for key, row in self._rows.items() if key not in lost}
        self._blobs = {key: blobs for key, blobs in self._blobs.items() if key not in lost}
        self._replaced = {key for key in self._replaced if key not in lost}
        self._refusals = {key: count for key, count in self._refusals.items() if key not in lost}

    def _settle(self) -> None:
        """Forget the rows that are under way."""
        for key in self._under_way:
            self._rows.pop(key, None)
        for key in self._under_way if self._blobs else ():
            self._blobs.pop(key, None)
        if self._replaced or self._refusals:
            self._replaced.difference_update(self._under_way)
            for key in self._under_way:
                self._refusals.pop(key, None)
        self._under_way.clear()


def _shortened(row: ReportRow, bytes_max: int) -> ReportRow:
    """A failure in place of a body that fits no frame."""
    text = too_large("the result has", len(row.body or b""), bytes_max)
    outcome = int(OutcomeNumber.ERROR) if row.outcome == OutcomeNumber.SUCCESS else row.outcome
    return row._replace(outcome=outcome, body=Failure("ResultTooLarge", text).encode())

"""The progress and output of running attempts, kept for people to read.

A worker sends them in ``observe`` about twice a second, and the rest before it reports the attempt's end. Rows are accepted
from the holder of the lease only. Nothing here decides about a task, and nothing waits for it: output that is lost on
the way is missing for a reader and affects no task.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from ...common.domain.model import NOTE_CHARS_MAX, OUTPUT_KEPT_BYTES, StateNumber
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.wire.frames import pack, unpack
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.attempt_output import LogRow, Observation
from ..store.interface.queries import FullTask
from ..store.interface.store import Store
from .leases import LeasedAttempt

ROWS_MAX: Final = 1_000  # in one call
TEXT_BYTES_MAX: Final = 1024 * 1024  # in one call: bounds the time that its transaction takes
SIZE_MAX: Final = 2**53
LOGS_BYTES_MAX: Final = 1024**3  # of all texts together; beyond it the texts of the oldest tasks are deleted
TRIMMED_ATTEMPTS: Final = 100  # in one transaction
LOGS_SHOWN: Final = 8  # attempts whose output is included when a task is shown: half a megabyte at most


class AttemptOutput(Part):
    """Stores what workers send, and answers what people ask for."""

    def __init__(
        self,
        store: Store,
        running: Mapping[bytes, LeasedAttempt],
        began: Callable[[list[tuple[bytes, int, bytes, float | None]], Now], object],
    ) -> None:
        self._store, self._running, self._began = store, running, began
        self.has_grown = False  # since the last ``trim``

    def observe(self, rows: list[Any], now: Now) -> None:
        """Rows ``[id, attempt, lease, size, text, progress]``; rows of attempts that are not running are
        ignored. ``size``: bytes of output of the attempt so far; ``text``: the last of them."""
        check_observations(rows)
        accepted: list[Observation] = []
        for id, attempt, lease, size, text, progress in rows:
            held = self._running.get(id)
            if held is not None and held.attempt == attempt and held.lease == lease:
                if (
                    held.begun is None
                ):  # an attempt with output has begun, even if its worker has not reported that yet
                    self._began([(id, attempt, lease, 0.0)], now)
                packed = None if progress is None else pack([*progress, now.wall / 1000])
                accepted.append(Observation(held.seq, held.number, packed, size, text[-OUTPUT_KEPT_BYTES:]))
        if accepted:
            self._store.observe(accepted, OUTPUT_KEPT_BYTES)
            self.has_grown = True

    def trim(self) -> bool:
        """Delete old output beyond the bound; whether there may be more to delete."""
        if self._store.log_bytes <= LOGS_BYTES_MAX:
            return False
        self._store.trim_logs(TRIMMED_ATTEMPTS)
        return True

    def progress(self, task: FullTask) -> list[Any] | None:
        """``[done, total or nil, note, unix seconds]`` of the latest attempt."""
        packed = self._store.progress(task.seq, task.attempt - task.returned) if task.attempt else None
        return None if packed is None else list(unpack(packed))

    def texts(self, task: FullTask) -> dict[int, str]:
        """The output of the latest attempts, by attempt, as far as it is kept."""
        rows = self._store.logs(task.seq, task.attempt - task.returned, LOGS_SHOWN)
        return {row.attempt: row.text.decode("utf-8", "replace") for row in rows if row.text}

    def log(self, task: FullTask, attempt: int | None, offset: int) -> dict[str, Any]:
        """An attempt's output from byte ``offset`` on, or from the first byte that is kept."""
        current = task.attempt - task.returned
        held = self._running.get(task.id)
        runs = held is not None and held.begun is not None
        latest = current - (held is not None and not runs)
        wanted = latest if attempt is None else attempt
        rows = self._store.logs(task.seq, wanted, 1)
        row = rows[0] if rows and rows[0].attempt == wanted else LogRow(wanted, None, 0, b"")
        start = min(max(offset, row.size - len(row.text)), row.size)
        state = task.state if held is None else StateNumber.RUNNING if runs else StateNumber.READY
        return {
            "attempt": wanted,
            "start": start,
            "text": row.text[len(row.text) - (row.size - start) :],
            "size": row.size,
            "state": int(state),
            "progress": None if row.progress is None else list(unpack(row.progress)),
            "running": runs and wanted == current,
        }


def check_observations(rows: list[Any]) -> None:
    """Validate the rows of ``observe``; raises InvalidArgument."""
    if len(rows) > ROWS_MAX:
        raise InvalidArgument(f"observe: more than {ROWS_MAX:,} rows")
    bytes_left = TEXT_BYTES_MAX
    for row in rows:
        match row:
            case [bytes(), int(), bytes(), int(size), bytes(text), progress] if len(
                text
            ) <= size <= SIZE_MAX and _is_progress(progress):
                bytes_left -= len(text)
            case _:
                raise InvalidArgument(f"observe: not a row of an attempt's output: {brief(row, 200)}")
    if bytes_left < 0:
        raise InvalidArgument(f"observe: more than {TEXT_BYTES_MAX:,} bytes of text")


def _is_progress(progress: Any) -> bool:
    match progress:
        case None:
            return True
        case [int() | float() as done, int() | float() | None as total, str(note)]:
            return (
                math.isfinite(done)
                and (total is None or math.isfinite(total))
                and len(note) <= NOTE_CHARS_MAX
            )
    return False

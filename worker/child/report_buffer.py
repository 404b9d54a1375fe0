"""What a child has to report: gathered, and packed into as few entries as there are runs of plain results. Pure.

::

    result ──► the open slice: [first ordinal, [result, …], times]   results of consecutive ordinals of one block
    else  ──► an entry of its own: [ordinal, outcome, body, started, seconds, after, (progress, (blobs))]
    left  ──► [ordinal]                                              see start_page.py

``worker/agent/reports.py`` reads them.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

from ...common.wire.frames import pack

SLICE_FIELDS: Final = 3  # no other entry has as many
BYTES_MAX: Final = 64 * 1024  # of results, gathered before they are sent
FLUSH_SECONDS: Final = 0.002  # a report waits no longer than this for others to be sent with


class ReportBuffer:
    """``size_bytes``: of what is gathered; when it is more than BYTES_MAX, it is time to send."""

    def __init__(self) -> None:
        self._entries: list[list[Any]] = []
        self._next = 0  # the ordinal that the open slice would take
        self._bodies: list[bytes] = []
        self._times: list[float] = []
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def result(self, ordinal: int, body: bytes, started: float, seconds: float) -> None:
        if ordinal != self._next:
            self._bodies, self._times = [], []
            self._entries.append([ordinal, self._bodies, self._times])
        self._next = ordinal + 1
        self._bodies.append(body)
        times = self._times
        times.append(started)
        times.append(seconds)
        self.size_bytes += len(body)

    def other(self, entry: list[Any]) -> None:
        """The report of one job, or of one that was left."""
        self._entries.append(entry)
        self._next = 0
        self.size_bytes += sum(len(field) for field in entry if type(field) is bytes)

    def end_of_block(self) -> None:
        """The next job is of another block: its result goes into another slice."""
        self._next = 0

    def take(self) -> bytes:
        """All of it, as the body of a frame."""
        entries, self._entries, self._next, self.size_bytes = self._entries, [], 0, 0
        return pack([_packed(*fields) if len(fields) == SLICE_FIELDS else fields for fields in entries])


def _packed(first: int, bodies: list[bytes], times: list[float]) -> list[Any]:
    """A slice, its times as floats of eight bytes each."""
    return [first, bodies, array("d", times).tobytes()]

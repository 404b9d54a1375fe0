"""Tenants of tasks in arrays whose tasks stand in different lanes (see ``mixed.py``): which of them a filter means. Reads only.

Which tenant each task has is said by a column beside the payloads, which stays with the array: a task that has left it is found by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...common.wire.frames import unpack
from ..store.interface.lines import Span
from ..store.interface.slices import SliceStore
from .array_tags import TASKS_OF_ROW, runs
from .codes import Codes, unpacked_codes


class ArrayTenantsLook:
    """What one look at many tasks reads of such arrays. ``cost``: in rows of the store."""

    def __init__(self, store: SliceStore) -> None:
        self._store = store
        self._seq = self._stop = 0  # of the array that was read last
        self._tenants: Sequence[str] = ()
        self._codes: Codes = b""
        self.cost = self.bytes = 0

    def of(self, seq: int) -> str:
        """Of a task in the mixed lane."""
        self._read(seq)
        return self._tenants[self._codes[seq - self._seq]] if seq < self._stop else ""

    def pieces(self, span: Span, fits: Callable[[str], bool], alone: str = "") -> Iterator[Span]:
        """The parts of neighbours whose tenants fit, newest first. ``alone``: the tenant of tasks that are in no such array."""
        self._read(span.seq)
        if span.seq >= self._stop:
            if fits(alone):
                yield span
            return
        good = list(map(fits, self._tenants))
        codes = self._codes[span.seq - self._seq : span.stop - self._seq]
        self.cost += len(codes) // TASKS_OF_ROW
        for piece in runs(span, [good[code] for code in codes]):
            self.cost += 1
            yield piece

    def _read(self, seq: int) -> None:
        if self._seq <= seq < self._stop:
            return
        found = self._store.lanes_of_array(seq)
        self._seq, self._stop, self._tenants, self._codes = seq, seq, (), b""
        self.cost += 1
        # None would be a store that contradicts itself: then no tenant is known, and none fits.
        if found is not None and found.lanes is not None:
            _, keys, codes = unpack(found.lanes)
            self._tenants, self._codes = [tenant for tenant, _ in keys], unpacked_codes(codes, len(keys))
            self._seq, self._stop = found.seq, found.seq + len(self._codes)
            self.bytes += len(found.lanes)

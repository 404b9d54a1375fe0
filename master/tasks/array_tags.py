"""Arguments by which tasks of arrays are found: which of an array's tasks a filter means, and the tags of one task. Reads only.

What a map's tasks were given stands in columns beside their payloads and stays with the array, so that a task that has left it (a
failed attempt, a cancel) is found by its number. A listing goes down the numbers: one look at the last array below a task tells of all
tasks down to where it begins, also that none of those above its end is in an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from ...common.domain.argument_index import IndexColumns
from ...common.domain.tags import ARGUMENT
from ...common.wire.frames import unpack
from ..store.interface.lines import Span
from ..store.interface.slices import ArrayTags, SliceStore
from .kept_index import unpacked_index

Patterns = tuple[str, ...]
Fits = Callable[[str, Patterns], bool]
# Of an array are compared with texts that are known to fit, while a row of the store is read
TASKS_OF_ROW: Final = 32
TEXTS_SHOWN: Final = 10  # of one name in one line
NO_ARRAY: Final = ArrayTags(0, 0, None)


class ArrayTagsLook:
    """What one look at many tasks reads of their arrays. ``cost``: in rows of the store."""

    def __init__(self, store: SliceStore) -> None:
        self._store = store
        self._array = NO_ARRAY  # the last one that was read
        self._upper = 0  # no array begins between the end of that one and this number
        self._index: IndexColumns | None = None
        self.cost = self.bytes = 0

    def tags(self, seq: int, options: bytes | None) -> dict[str, str]:
        """All tags of a task."""
        index = self._of(seq)
        shared: dict[str, str] = unpack(options).get("tags", {}) if options else {}
        return shared if index is None else {**shared, **index.at(seq - self._array.seq)}

    def index(self, seq: int) -> tuple[IndexColumns | None, int]:
        """Of the array that a task was accepted in, and the number of its first task."""
        return self._of(seq), self._array.seq

    def some_texts(self, seq: int) -> dict[str, list[str]]:
        """Of each name in the index of the array of this task, for a person who types a filter."""
        index = self._of(seq)
        columns = () if index is None else index.columns
        return {
            name: [text for text in column.texts[: TEXTS_SHOWN + 1] if text][:TEXTS_SHOWN]
            for name, column in columns
        }

    def differ(self, seq: int, wanted: Mapping[str, Patterns]) -> bool:
        """Whether tasks of the array of this one may differ in what is wanted."""
        if not any(name.startswith(ARGUMENT) for name in wanted):
            return False
        index = self._of(seq)
        return index is not None and not wanted.keys().isdisjoint(index.names())

    def pieces(
        self,
        span: Span,
        wanted: Mapping[str, Patterns],
        fits: Fits,
        fits_shared: Callable[[Mapping[str, Patterns]], bool],
    ) -> Iterator[Span]:
        """The parts of neighbours of one array that fit, newest first, of an array whose tasks may ``differ``. ``fits_shared``: whether the
        tags that all of them have fit the rest of what is wanted."""
        index = self._of(span.seq)
        columns = {} if index is None else dict(index.columns)
        if not fits_shared({name: some for name, some in wanted.items() if name not in columns}):
            return
        start, stop = span.seq - self._array.seq, span.stop - self._array.seq
        meant = [True] * (stop - start)
        for name in wanted.keys() & columns.keys():
            texts, codes = columns[name].texts, columns[name].codes
            good = [bool(text) and fits(text, wanted[name]) for text in texts]
            each = [good[0]] * (stop - start) if codes is None else [good[code] for code in codes[start:stop]]
            meant = [one and other for one, other in zip(meant, each, strict=True)]
        self.cost += len(meant) // TASKS_OF_ROW
        for piece in runs(span, meant):
            self.cost += 1
            yield piece

    def _of(self, seq: int) -> IndexColumns | None:
        """The index of the array that a task was accepted in."""
        if not self._array.seq <= seq < self._upper:
            self._array = self._store.tags_upto(seq) or NO_ARRAY
            self._upper = max(self._array.stop, seq + 1)
            self._index = None if self._array.tags is None else unpacked_index(self._array.tags)
            self.cost += 1
            self.bytes += len(self._array.tags or b"")
        return self._index if seq < self._array.stop else None


def runs(span: Span, meant: Sequence[bool]) -> Iterator[Span]:
    """The parts of neighbours that are meant, each of them or not, newest first."""
    upper = span.stop
    for is_meant, run in groupby(reversed(meant)):
        lower = upper - sum(1 for _ in run)
        if is_meant:
            yield span.between(lower, upper)
        upper = lower

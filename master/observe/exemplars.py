"""A task for each bucket of a histogram, by which people find one that took so long: the exemplars of OpenMetrics.

Noted as attempts end, of each report the slowest of a function; read for a page, each once, and a bounded number for one page: what is
left out is there on the next.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final, NamedTuple

from ...common.domain.ids import show_id
from ...common.domain.tags import ARGUMENT
from ...common.runtime.exposition import Exemplar, Exemplars
from ...common.runtime.histogram import SECONDS
from ..engine.engine import Engine
from ..tasks.array_tags import ArrayTagsLook

READS_MAX: Final = 100  # tasks for one page: some milliseconds of a transaction
CHARS_MAX: Final = 128  # of all names and texts together, by the standard
ID: Final = "task_id"
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_]")  # what a label may not have, and a tag may

Pair = tuple[str, str]  # queue, task


class NotedTask(NamedTuple):
    seq: int
    seconds: float


class NotedTasks:
    def __init__(self) -> None:
        self._by_pair: dict[Pair, dict[int, NotedTask]] = {}
        self._labels: dict[
            int, dict[str, str]
        ] = {}  # of those that were read; empty: it is not kept any more

    def note(self, pair: Pair, seq: int, seconds: float) -> None:
        """An attempt of this task took so long: it stands for its bucket until another one does."""
        self._by_pair.setdefault(pair, {})[bisect_left(SECONDS, seconds)] = NotedTask(seq, seconds)

    def exemplars(self, engine: Engine) -> Exemplars:
        """By the place of the bucket. Runs in a transaction."""
        noted = {one.seq for by_bucket in self._by_pair.values() for one in by_bucket.values()}
        self._labels = {seq: labels for seq, labels in self._labels.items() if seq in noted}
        for seq in sorted(noted - self._labels.keys(), reverse=True)[:READS_MAX]:
            self._labels[seq] = _read(engine, seq)
        return {
            pair: {
                place: Exemplar(labels, one.seconds)
                for place, one in by_bucket.items()
                if (labels := self._labels.get(one.seq))
            }
            for pair, by_bucket in self._by_pair.items()
        }


def _read(engine: Engine, seq: int) -> dict[str, str]:
    task = engine.store.brief(seq)
    engine.work.looked(1)
    if task is None:
        return {}
    return labels_of(show_id(task.id), ArrayTagsLook(engine.store).tags(seq, task.options))


def labels_of(id: str, tags: dict[str, str]) -> dict[str, str]:
    """The task, and as many of its tags as there is room for. Not the arguments by which it is found: those are values of its caller, and
    metrics are read without a key."""
    labels = {ID: id}
    left = CHARS_MAX - len(ID) - len(id)
    for tag, text in tags.items():
        name = _NO_NAME.sub("_", tag)
        if tag.startswith(ARGUMENT) or name in labels or len(name) + len(text) > left:
            continue
        labels[name] = text
        left -= len(name) + len(text)
    return labels

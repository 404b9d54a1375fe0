"""A load on every shard of a cluster while its masters come and go: a thread for each submits one task after the other and waits for its result."""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

import tq
from tq.common.domain.shards import shard_of_name

from ..cluster.programs import eventually
from ..history.checker import Report, Violation
from .acting import Acting
from .trial import SECONDS


def queue_in(shard: int, shards: int) -> str:
    return next(name for n in itertools.count() if shard_of_name(name := f"queue-{n}", shards) == shard)


class ShardLoad:
    """``notes``: the file to which each task writes its number."""

    def __init__(self, app: tq.App, shards: int, notes: Path) -> None:
        self._app, self._shards, self._notes = app, shards, notes
        self._numbers = itertools.count()
        self._acting = Acting(functools.partial(self._act, shard) for shard in range(shards))
        self.answered = [
            list[float]() for _ in range(shards)
        ]  # by shard, the moments at which a task had its result
        self._submitted = [list[int]() for _ in range(shards)]

    def __enter__(self) -> ShardLoad:
        self._acting.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._acting.end()

    def goes_on(self, tasks: int = 20) -> None:
        """So many more in each shard."""
        before = [len(moments) for moments in self.answered]
        eventually(
            lambda: (
                self._acting.error is not None
                or all(
                    len(moments) >= had + tasks for moments, had in zip(self.answered, before, strict=True)
                )
            ),
            SECONDS,
        )
        self._acting.check()

    def pauses(self, since: float) -> list[float]:
        """The longest of each shard between two results, of those that ended behind that moment."""
        return [
            max((end - begin for begin, end in itertools.pairwise(moments) if end > since), default=0.0)
            for moments in self.answered
        ]

    def report(self) -> Report:
        """When it has ended: every task ran, and none began twice."""
        self._acting.check()
        submitted = [number for numbers in self._submitted for number in numbers]
        ran = Counter(map(int, self._notes.read_text("utf-8").split()))
        lost = [Violation("H1", str(number), "it has not run") for number in submitted if not ran[number]]
        extra = sum(times - 1 for times in ran.values())
        return Report(lost, tasks=len(submitted), starts=sum(ran.values()), extra_starts=extra)

    def _act(self, shard: int) -> None:
        noted = self._app.named("cluster_tasks:noted", queue=queue_in(shard, self._shards), max_crashes=100)
        while not self._acting.enough.is_set():
            number = next(self._numbers)
            self._submitted[shard].append(number)
            assert noted.submit(str(self._notes), number).result(timeout=SECONDS) == number
            self.answered[shard].append(time.monotonic())

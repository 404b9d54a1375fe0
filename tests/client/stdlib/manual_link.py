"""A link that notes what is sent and answers nothing, and receivers for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from tq.client.tasks.outcomes import TaskOutcome
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.errors import TqError
from tq.common.values.blob import Blob


class ManualLink:
    """A session, its link and its blobs in one: notes what is sent, and answers nothing."""

    stream = "default"
    known_shards = 1

    def __init__(self) -> None:
        self.link = self
        self.calls: list[tuple[list[bytes], dict[bytes, list[bytes]]]] = []
        self.answers: list[Future[Any]] = []
        self.uploads: list[list[Blob]] = []
        self._posted: list[Callable[[], None]] = []

    def post(self, step: Callable[[], None]) -> bool:
        self._posted.append(step)
        return True

    def turn(self) -> None:
        while self._posted:
            self._posted.pop(0)()

    def send(self, blobs: list[Blob]) -> None:
        self.uploads.append(blobs)

    def part(self, kind: object) -> ManualLink:
        return self

    def of(self, shard: int) -> ManualLink:
        return self

    def away_from(self, shard: int) -> float:
        return 0.0

    def submitted(self, named: object, done: object) -> None: ...

    def call(
        self,
        target: Any,
        method: str,
        args: Any,
        *,
        repeatable: bool,
        runs: Sequence[IdRun],
        box: Any = None,
        boxes: Any = (),
    ) -> Future[Any]:
        ids = [id for run in runs for id in run.ids()]
        self.calls.append((ids, dict(args[4]) if len(args) > 4 else {}))
        self.answers.append(Future())
        return self.answers[-1]


class Receiver:
    def __init__(self) -> None:
        self.task = new_ids()

    def succeeded(self, value: Any) -> None: ...
    def ended(self, outcome: TaskOutcome) -> None: ...
    def failed(self, error: TqError) -> None: ...

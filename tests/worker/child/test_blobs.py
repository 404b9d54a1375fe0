"""Where a worker's child gets the content of blobs: from the shard of the task that names it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in
from tq.common.values.blob import Blob
from tq.worker.child.blobs import ChildBlobs

OWN, NEIGHBOUR, OTHER = (id_in(id, shard) for id, shard in zip(new_ids.many(3), (1, 1, 2), strict=True))
DATA = b"content" * 1_000


class Line:
    """Answers each call with the content, and notes where it went."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def call(self, target: Any, method: str, *args: Any) -> Future[Any]:
        self.asked.append(target)
        done: Future[Any] = Future()
        _, offset, length = args
        done.set_result(DATA[offset : offset + length])
        return done


def test_the_result_of_a_task_is_fetched_from_its_shard_and_forgotten_with_the_attempt() -> None:
    line = Line()
    own = ChildBlobs(line, lambda: OWN)  # type: ignore[arg-type]
    assert own.of_result(NEIGHBOUR) is own
    other = own.of_result(OTHER)
    blob = Blob(Blob.of(DATA).digest, len(DATA), fetcher=other)
    assert blob.read() == DATA
    assert [target[:2] for target in line.asked] == [("of_task", OTHER)]
    own.here.clear()
    assert not other.here


def test_outside_a_task_there_is_one_place() -> None:
    blobs = ChildBlobs(Line(), lambda: None)  # type: ignore[arg-type]
    assert blobs.of_result(OTHER) is blobs

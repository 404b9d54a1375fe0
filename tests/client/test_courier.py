"""What travels in one call, where a call is refused as a whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

from tq.client.app import App
from tq.client.courier import CHUNK_BLOBS, Courier
from tq.client.options import choose
from tq.client.outcomes import Outcome
from tq.common.blob import Blob
from tq.common.errors import TqError, Unreachable
from tq.common.ids import new_ids

BLOB = Blob.of(b"content")


class Line:
    """An App and its link in one: notes what is sent, and answers nothing."""

    def __init__(self) -> None:
        self.link = self.blobs = self
        self.calls: list[tuple[list[bytes], dict[bytes, list[Blob]]]] = []
        self.uploads: list[list[Blob]] = []
        self._posted: list[Callable[[], None]] = []

    def post(self, step: Callable[[], None]) -> bool:
        self._posted.append(step)
        return True

    def turn(self) -> None:
        for step in self._posted:
            step()

    def send(self, blobs: list[Blob]) -> None:
        self.uploads.append(blobs)

    def submit_many(
        self, name: str, choice: Any, tasks: Any, ids: list[bytes], box: Any, link: Any, named: Any
    ) -> Future[Any]:
        self.calls.append((ids, named))
        return Future()


class Receiver:
    def __init__(self) -> None:
        self.task = new_ids()

    def ended(self, outcome: Outcome) -> None: ...
    def failed(self, error: TqError) -> None: ...


def shipped(parcels: list[list[Blob]]) -> tuple[list[bytes], Line]:
    line, choice = Line(), choose({})
    courier = Courier(cast(App, line))
    receivers = [Receiver() for _ in parcels]
    for receiver, blobs in zip(receivers, parcels, strict=True):
        courier.send("m:f", choice, b"payload", receiver, blobs)
    line.turn()
    ids = [receiver.task for receiver in receivers]
    courier._news.put((ids, Unreachable("the test is over")))
    courier.close()
    assert courier.join(20)
    return ids, line


def test_tasks_that_name_blobs_travel_apart_from_those_that_name_none() -> None:
    ids, line = shipped([[], [], [BLOB], [BLOB, BLOB], []])
    assert line.calls == [
        (ids[:2], {}),
        (ids[2:4], {ids[2]: [BLOB], ids[3]: [BLOB, BLOB]}),
        (ids[4:], {}),
    ]
    assert line.uploads == [[BLOB], [BLOB, BLOB]]


def test_the_blobs_of_one_call_are_bounded() -> None:
    ids, line = shipped([[BLOB] * (CHUNK_BLOBS - 1), [BLOB], [BLOB], [BLOB] * (CHUNK_BLOBS + 1)])
    assert [call for call, _ in line.calls] == [ids[:2], ids[2:3], ids[3:]]

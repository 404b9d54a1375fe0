"""What travels in one call, where a call is refused as a whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

from tq.client.core.session import Session
from tq.client.stdlib.submission_queue import CHUNK_BLOBS, Courier
from tq.client.tasks.options import choose
from tq.client.tasks.outcomes import Outcome
from tq.common.contract.tasks import OutcomeRow
from tq.common.domain.ids import new_ids
from tq.common.errors import StoreError, TqError, Unreachable
from tq.common.values.blob import Blob

BLOB = Blob.of(b"content")


class Line:
    """A session, its link and its blobs in one: notes what is sent, and answers nothing."""

    stream = "default"

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

    def part(self, kind: object) -> Line:
        return self

    def submitted(self, named: object, done: object) -> None: ...

    def call(
        self, target: Any, method: str, args: Any, *, again: bool, ids: tuple[bytes, ...], box: Any
    ) -> Future[Any]:
        self.calls.append((list(ids), dict(args[4]) if len(args) > 4 else {}))
        self.answers.append(Future())
        return self.answers[-1]


class Receiver:
    def __init__(self) -> None:
        self.task = new_ids()

    def ended(self, outcome: Outcome) -> None: ...
    def failed(self, error: TqError) -> None: ...


def shipped(parcels: list[list[Blob]]) -> tuple[list[bytes], Line]:
    line, choice = Line(), choose({})
    courier = Courier(cast(Session, line))
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
        (ids[2:4], {ids[2]: [BLOB.digest], ids[3]: [BLOB.digest]}),
        (ids[4:], {}),
    ]
    assert line.uploads == [[BLOB], [BLOB, BLOB]]


def test_the_blobs_of_one_call_are_bounded() -> None:
    ids, line = shipped([[BLOB] * (CHUNK_BLOBS - 1), [BLOB], [BLOB], [BLOB] * (CHUNK_BLOBS + 1)])
    assert [call for call, _ in line.calls] == [ids[:2], ids[2:3], ids[3:]]


class Meeting:
    """A courier over a line that answers when it is told to; every receiver is its own."""

    def __init__(self) -> None:
        self.line = Line()
        self.courier = Courier(cast(Session, self.line))
        self._choice = choose({})

    def send(self, count: int) -> list[bytes]:
        receivers = [Receiver() for _ in range(count)]
        for receiver in receivers:
            self.courier.send("m:f", self._choice, b"payload", receiver)
        self.line.turn()
        return [receiver.task for receiver in receivers]

    def end(self, ids: list[bytes]) -> None:
        self.courier._news.put([OutcomeRow(id, 10, None) for id in ids])
        self.courier.close()
        assert self.courier.join(20)


def test_while_two_calls_are_on_their_way_what_is_sent_gathers_for_the_next() -> None:
    meeting = Meeting()
    first, second = meeting.send(1), meeting.send(1)
    gathered = meeting.send(5) + meeting.send(7)
    assert meeting.line.calls == [(first, {}), (second, {})]
    meeting.line.answers[0].set_result(None)
    assert meeting.line.calls[2:] == [(gathered, {})]
    meeting.end(first + second + gathered)


def test_a_question_is_not_asked_before_what_it_may_be_about_was_sent() -> None:
    meeting = Meeting()
    first, second, third = meeting.send(1), meeting.send(1), meeting.send(1)
    meeting.courier.push()
    meeting.line.turn()
    assert [ids for ids, _ in meeting.line.calls] == [first, second, third]
    meeting.end(first + second + third)


def test_when_there_is_no_way_to_the_master_what_has_gathered_is_told_as_well() -> None:
    meeting = Meeting()
    first, second, third = meeting.send(1), meeting.send(1), meeting.send(1)
    for answer in list(meeting.line.answers):
        answer.set_exception(Unreachable("nobody there"))
    assert meeting.courier.join(20)
    assert [ids for ids, _ in meeting.line.calls] == [first, second]
    assert third  # told without being sent
    meeting.end([])


def test_a_refusal_of_one_call_leaves_the_others_alone() -> None:
    meeting = Meeting()
    meeting.send(1)
    second, third = meeting.send(1), meeting.send(1)
    meeting.line.answers[0].set_exception(StoreError("the disk is full"))
    assert [ids for ids, _ in meeting.line.calls][1:] == [second, third]
    meeting.end(second + third)

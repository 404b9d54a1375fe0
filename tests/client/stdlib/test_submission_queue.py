"""What travels in one call, where a call is refused as a whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

from tq.client.core.session import ClientSession
from tq.client.stdlib.submission_queue import CHUNK_BLOBS, SubmissionQueue
from tq.client.tasks.options import choose
from tq.client.tasks.outcomes import TaskOutcome
from tq.common.contract.tasks import OutcomeRow
from tq.common.domain.ids import new_ids
from tq.common.errors import StoreError, TqError, Unreachable
from tq.common.values.blob import Blob

BLOB = Blob.of(b"content")


class ManualLink:
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

    def part(self, kind: object) -> ManualLink:
        return self

    def submitted(self, named: object, done: object) -> None: ...

    def call(
        self, target: Any, method: str, args: Any, *, repeatable: bool, ids: tuple[bytes, ...], box: Any
    ) -> Future[Any]:
        self.calls.append((list(ids), dict(args[4]) if len(args) > 4 else {}))
        self.answers.append(Future())
        return self.answers[-1]


class Receiver:
    def __init__(self) -> None:
        self.task = new_ids()

    def ended(self, outcome: TaskOutcome) -> None: ...
    def failed(self, error: TqError) -> None: ...


def submitted(pending: list[list[Blob]]) -> tuple[list[bytes], ManualLink]:
    link, choice = ManualLink(), choose({})
    submissions = SubmissionQueue(cast(ClientSession, link))
    receivers = [Receiver() for _ in pending]
    for receiver, blobs in zip(receivers, pending, strict=True):
        submissions.send("m:f", choice, b"payload", receiver, blobs)
    link.turn()
    ids = [receiver.task for receiver in receivers]
    submissions._events.put((ids, Unreachable("the test is over")))
    submissions.close()
    assert submissions.join(20)
    return ids, link


def test_tasks_that_name_blobs_travel_apart_from_those_that_name_none() -> None:
    ids, link = submitted([[], [], [BLOB], [BLOB, BLOB], []])
    assert link.calls == [
        (ids[:2], {}),
        (ids[2:4], {ids[2]: [BLOB.digest], ids[3]: [BLOB.digest]}),
        (ids[4:], {}),
    ]
    assert link.uploads == [[BLOB], [BLOB, BLOB]]


def test_the_blobs_of_one_call_are_bounded() -> None:
    ids, link = submitted([[BLOB] * (CHUNK_BLOBS - 1), [BLOB], [BLOB], [BLOB] * (CHUNK_BLOBS + 1)])
    assert [call for call, _ in link.calls] == [ids[:2], ids[2:3], ids[3:]]


class Harness:
    """A submission queue over a link that the test answers by hand."""

    def __init__(self) -> None:
        self.link = ManualLink()
        self.submissions = SubmissionQueue(cast(ClientSession, self.link))
        self._choice = choose({})

    def send(self, count: int) -> list[bytes]:
        receivers = [Receiver() for _ in range(count)]
        for receiver in receivers:
            self.submissions.send("m:f", self._choice, b"payload", receiver)
        self.link.turn()
        return [receiver.task for receiver in receivers]

    def end(self, ids: list[bytes]) -> None:
        self.submissions._events.put([OutcomeRow(id, 10, None) for id in ids])
        self.submissions.close()
        assert self.submissions.join(20)


def test_while_two_calls_are_on_their_way_what_is_sent_gathers_for_the_next() -> None:
    harness = Harness()
    first, second = harness.send(1), harness.send(1)
    gathered = harness.send(5) + harness.send(7)
    assert harness.link.calls == [(first, {}), (second, {})]
    harness.link.answers[0].set_result(None)
    assert harness.link.calls[2:] == [(gathered, {})]
    harness.end(first + second + gathered)


def test_a_question_is_not_asked_before_what_it_may_be_about_was_sent() -> None:
    harness = Harness()
    first, second, third = harness.send(1), harness.send(1), harness.send(1)
    harness.submissions.push()
    harness.link.turn()
    assert [ids for ids, _ in harness.link.calls] == [first, second, third]
    harness.end(first + second + third)


def test_when_there_is_no_way_to_the_master_what_has_gathered_fails_as_well() -> None:
    harness = Harness()
    first, second, third = harness.send(1), harness.send(1), harness.send(1)
    for answer in list(harness.link.answers):
        answer.set_exception(Unreachable("no listener"))
    assert harness.submissions.join(20)
    assert [ids for ids, _ in harness.link.calls] == [first, second]
    assert third  # failed without being sent
    harness.end([])


def test_a_refusal_of_one_call_leaves_the_others_alone() -> None:
    harness = Harness()
    harness.send(1)
    second, third = harness.send(1), harness.send(1)
    harness.link.answers[0].set_exception(StoreError("the disk is full"))
    assert [ids for ids, _ in harness.link.calls][1:] == [second, third]
    harness.end(second + third)

"""Tasks of an Executor or Pool, from ``send`` to their receivers."""

from __future__ import annotations

from typing import cast

from tq.client.core.session import ClientSession
from tq.client.stdlib.submission_queue import SubmissionQueue
from tq.client.tasks.kinds import TaskKind
from tq.client.tasks.options import choose
from tq.common.contract.tasks import OutcomeSlice
from tq.common.errors import StoreError, Unreachable
from tq.common.values.blob import Blob

from .manual_link import ManualLink, Receiver

BLOB = Blob.of(b"content")


class Harness:
    """A submission queue over a link that the test answers by hand."""

    def __init__(self) -> None:
        self.link = ManualLink()
        self.submissions = SubmissionQueue(cast(ClientSession, self.link))
        self._kind = TaskKind("m:f", choose({}))

    def send(self, count: int) -> list[bytes]:
        receivers = [Receiver() for _ in range(count)]
        for receiver in receivers:
            self.submissions.send(self._kind, b"payload", receiver)
        self.link.turn()
        return [receiver.task for receiver in receivers]

    def end(self, ids: list[bytes]) -> None:
        self.submissions._events.put([OutcomeSlice(id, 10, [None]) for id in ids])
        self.submissions.close()
        assert self.submissions.join(20)


def test_blobs_are_uploaded_before_their_task_is_sent() -> None:
    harness = Harness()
    harness.submissions.send(TaskKind("m:f", choose({})), b"payload", receiver := Receiver(), [BLOB])
    assert harness.link.uploads == [[BLOB]]
    assert harness.link.calls == []
    harness.link.turn()
    assert harness.link.calls == [([receiver.task], {receiver.task: [BLOB.digest]})]
    harness.end([receiver.task])


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

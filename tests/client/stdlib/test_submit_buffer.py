"""Gathering and batching: what is sent in one submit call, and when."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any, cast

import pytest
from tq.client.core.session import ClientSession
from tq.client.stdlib.submit_buffer import SubmitBuffer
from tq.client.tasks.joining import CHUNK_BLOBS
from tq.client.tasks.kinds import TaskKind
from tq.client.tasks.options import choose
from tq.common.domain.ids import new_ids
from tq.common.errors import InvalidArgument, StoreError, TaskConflict, Unreachable
from tq.common.values.blob import Blob

from .manual_link import ManualLink

BLOB = Blob.of(b"content")


class Harness:
    """A buffer over a link that the test answers by hand."""

    def __init__(self) -> None:
        self.link, self.events = ManualLink(), SimpleQueue[Any]()
        self.buffer = SubmitBuffer(cast(ClientSession, self.link), self.events)
        self._kind = TaskKind("m:f", choose({}))

    def send(self, *tasks: list[Blob]) -> list[bytes]:
        ids = [new_ids() for _ in tasks]
        for id, blobs in zip(ids, tasks, strict=True):
            self.buffer.unsent.append((self._kind, id, b"payload", blobs))
            if not self.buffer.is_due:
                self.buffer.schedule(cast(Any, self.link))
        self.link.turn()
        return ids

    @property
    def sent(self) -> list[list[bytes]]:
        return [ids for ids, _ in self.link.calls]

    def failed(self) -> list[tuple[list[bytes], Exception]]:
        return [self.events.get_nowait() for _ in range(self.events.qsize())]


def test_tasks_that_name_blobs_travel_apart_from_those_that_name_none() -> None:
    harness = Harness()
    ids = harness.send([], [], [BLOB], [BLOB, BLOB], [])
    assert harness.link.calls == [
        (ids[:2], {}),
        (ids[2:4], {ids[2]: [BLOB.digest], ids[3]: [BLOB.digest]}),
        (ids[4:], {}),
    ]


def test_the_blobs_of_one_call_are_bounded() -> None:
    harness = Harness()
    ids = harness.send([BLOB] * (CHUNK_BLOBS - 1), [BLOB], [BLOB], [BLOB] * (CHUNK_BLOBS + 1))
    assert harness.sent == [ids[:2], ids[2:3], ids[3:]]


def test_while_two_calls_are_under_way_new_tasks_gather_for_the_next() -> None:
    harness = Harness()
    first, second = harness.send([]), harness.send([])
    gathered = harness.send(*[[]] * 5) + harness.send(*[[]] * 7)
    assert harness.sent == [first, second]
    harness.link.answers[0].set_result(None)
    assert harness.sent == [first, second, gathered]


def test_a_push_sends_gathered_tasks_before_the_next_call() -> None:
    harness = Harness()
    first, second, third = harness.send([]), harness.send([]), harness.send([])
    harness.buffer.push()
    harness.link.turn()
    assert harness.sent == [first, second, third]


def test_when_the_master_is_unreachable_gathered_tasks_fail_without_being_sent() -> None:
    harness = Harness()
    first, second, third = harness.send([]), harness.send([]), harness.send([])
    error = Unreachable("no listener")
    for answer in list(harness.link.answers):
        answer.set_exception(error)
    assert harness.sent == [first, second]
    assert harness.failed() == [(first, error), (third, error), (second, error)]


def test_a_refusal_of_one_call_leaves_the_others_alone() -> None:
    harness = Harness()
    first, second, third = harness.send([]), harness.send([]), harness.send([])
    error = StoreError("the disk is full")
    harness.link.answers[0].set_exception(error)
    assert harness.sent == [first, second, third]
    assert harness.failed() == [(first, error)]


@pytest.mark.parametrize("error", [TaskConflict("submitted before"), InvalidArgument("too large")])
def test_a_refusal_that_one_task_may_have_caused_reaches_that_task_alone(error: Exception) -> None:
    harness = Harness()
    harness.send([]), harness.send([])
    three = harness.send([], [], [])
    harness.link.answers[0].set_result(None)
    assert harness.sent[2] == three
    harness.link.answers[2].set_exception(error)
    assert harness.failed() == []
    assert harness.sent[3:] == [[id] for id in three]
    harness.link.answers[3].set_result(None)
    harness.link.answers[4].set_exception(error)
    harness.link.answers[5].set_result(None)
    assert harness.failed() == [([three[1]], error)]

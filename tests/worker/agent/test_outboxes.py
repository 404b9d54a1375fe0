"""Reports of several shards: each to its own, one call of each under way, all in turn."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st
from tq.common.contract.workers import ReportRow
from tq.common.domain.model import OutcomeNumber
from tq.common.domain.shards import shard_of_id, with_shard
from tq.worker.agent.ended import EndedSlice
from tq.worker.agent.finish_call import FinishCall
from tq.worker.agent.outboxes import Outboxes

from ...properties import examples


def row(number: int, shard: int) -> ReportRow:
    id = with_shard(number, shard).to_bytes(16, "big")
    return ReportRow(id, 1, b"lease", int(OutcomeNumber.ERROR), b"", 0.0, 0.0, None)


def calls_of(outboxes: Outboxes) -> list[FinishCall]:
    calls: list[FinishCall] = []
    while (call := outboxes.take_call()) is not None:
        calls.append(call)
    return calls


@examples(100)
@given(st.lists(st.integers(0, 5), max_size=60), st.sets(st.integers(0, 5)))
def test_each_call_is_of_one_shard_and_no_report_is_lost(shards: list[int], here: set[int]) -> None:
    outboxes = Outboxes(6, here)
    rows = [row(number, shard) for number, shard in enumerate(shards)]
    for one in rows:
        outboxes.put(one)
    calls = calls_of(outboxes)
    for call in calls:
        assert {shard_of_id(one.id) for one in call.rows()} == {shard_of_id(call.first)}
    assert sorted(one.id for call in calls for one in call.rows()) == sorted(
        one.id for one, shard in zip(rows, shards, strict=True) if shard in here
    )
    assert not outboxes.has_call, "one call of each is under way"
    assert len(outboxes) == len(outboxes.held) == len(rows)
    for call in calls:
        outboxes.of_shard[shard_of_id(call.first)].answered(set())
    assert len(outboxes) == sum(shard not in here for shard in shards)


def test_slices_go_to_the_shard_of_their_tasks() -> None:
    outboxes = Outboxes(2, {0, 1})
    first = with_shard(40, 1).to_bytes(16, "big")
    outboxes.put_slice(
        EndedSlice(first, 1, b"lease", [b"a", b"b"], array("d", [0, 0]), array("d", [0, 0]), 2)
    )
    assert (len(outboxes.of_shard[0]), len(outboxes.of_shard[1])) == (0, 2)


def test_what_is_lost_is_dropped_wherever_it_is() -> None:
    outboxes = Outboxes(3, set())
    rows = [row(1, 0), row(2, 1), row(3, 2)]
    for one in rows:
        outboxes.put(one)
    outboxes.drop({(rows[1].id, 1)})
    assert sorted(held[0] for held in outboxes.held) == sorted([rows[0].id, rows[2].id])
    assert len(outboxes.take_rest()) == 2

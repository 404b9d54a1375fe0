"""Flows, their tasks and their callbacks in a store."""

from __future__ import annotations

import pytest
from tq.master.store.interface.flows import FlowCallback, FlowMembers, FlowRow, NewFlow
from tq.master.store.interface.store import Inconsistent, Store

from .tasks import NOW

pytestmark = pytest.mark.usefixtures("transaction")


def add(store: Store, number: int) -> FlowRow:
    return store.flows.add(NewFlow(b"%016d" % number, f"n{number}", "k", b"node", 0, "open", NOW))


def end(store: Store, row: FlowRow, finished: int) -> FlowRow:
    row = row._replace(node=None, state="succeeded", finished=finished)
    store.flows.put([row])
    return row


def test_a_flow_is_as_it_was_put(store: Store) -> None:
    row = add(store, 1)
    assert (row.name, row.node, row.state, row.run, row.total, row.finished) == (
        "n1",
        b"node",
        "open",
        1,
        0,
        None,
    )
    assert store.flows.find(row.id) == store.flows.get(row.number) == row
    changed = row._replace(
        node=None, state="failed", ending=1, reason="r", work=2, place=3, run=4, total=9, succeeded=5, failed=3,
        cancelled=1, culprit=b"c" * 16, finished=NOW + 1,
    )  # fmt: skip
    store.flows.put([changed])
    assert store.flows.find(row.id) == changed
    assert store.flows.find(b"x" * 16) is None
    with pytest.raises(Inconsistent):
        store.flows.put([changed._replace(number=99)])


def test_those_that_have_not_ended_are_known_and_all_are_listed_newest_first(store: Store) -> None:
    rows = [add(store, number) for number in (1, 2, 3, 4)]
    end(store, rows[1], NOW)
    still_working = end(store, rows[2], NOW)._replace(work=1)
    store.flows.put([still_working])
    assert [row.name for row in store.flows.unfinished()] == ["n1", "n3", "n4"]
    assert [row.name for row in store.flows.before(rows[3].number, 2)] == ["n3", "n2"]
    assert [row.name for row in store.flows.before(99, 9)] == ["n4", "n3", "n2", "n1"]


def test_members_are_read_from_the_run_that_has_a_place(store: Store) -> None:
    flow, other = add(store, 1).number, add(store, 2).number
    members = [
        FlowMembers(flow, 0, b"a" * 16, 3),
        FlowMembers(flow, 3, b"b" * 16, 1),
        FlowMembers(flow, 4, b"c" * 16, 9),
    ]
    store.flows.add_members([*members, FlowMembers(other, 0, b"d" * 16, 5)])
    assert store.flows.members(flow, 0, 9) == members
    assert store.flows.members(flow, 2, 9) == members
    assert store.flows.members(flow, 3, 1) == members[1:2]
    assert store.flows.members(flow, 7, 9) == members[2:]
    assert store.flows.members(99, 0, 9) == []


def test_queues_are_noted_once(store: Store) -> None:
    flow = add(store, 1).number
    for queue in ("mail", "gpu", "mail"):
        store.flows.add_queue(flow, queue)
    assert sorted(store.flows.queues(flow)) == ["gpu", "mail"]


def test_callbacks_are_decided_once_for_each_run(store: Store) -> None:
    row = end(store, add(store, 1), NOW)
    callback = FlowCallback(row.number, b"t" * 16, "then", "mail", "m:f", b"o")
    store.flows.add_callback(callback)
    store.flows.add_callback(callback._replace(task="m:other"))  # the same token
    assert store.flows.callbacks(row.number, 1, 9) == [callback]
    assert (
        store.flows.count_callbacks(row.number, b"x"),
        store.flows.count_callbacks(row.number, b"t" * 16),
    ) == (1, 0)
    assert store.flows.with_callbacks() == [row.number]
    store.flows.decided([callback._replace(run=1)])
    assert store.flows.callbacks(row.number, 1, 9) == store.flows.with_callbacks() == []
    assert store.flows.callbacks(row.number, 2, 9) == [callback._replace(run=1)]


def test_old_ones_are_deleted_whole_in_bounded_portions_the_earliest_first(store: Store) -> None:
    rows = [add(store, number) for number in (1, 2, 3)]
    for place in range(5):
        store.flows.add_members([FlowMembers(rows[1].number, place, b"%016d" % place, 1)])
    store.flows.add_queue(rows[1].number, "mail")
    store.flows.add_callback(FlowCallback(rows[1].number, b"t" * 16, "then", "mail", "m:f", None))
    end(store, rows[1], NOW)
    end(store, rows[0], NOW + 5)
    assert store.flows.oldest() == NOW
    portions = []
    while gone := store.flows.forget(NOW + 1, 2):
        portions.append(gone)
    assert portions == [3, 3, 2]
    assert store.flows.find(rows[1].id) is None
    assert store.flows.members(rows[1].number, 0, 9) == []
    assert store.flows.queues(rows[1].number) == []
    assert store.flows.count_callbacks(rows[1].number, b"") == 0
    assert store.flows.oldest() == NOW + 5
    assert add(store, 4).number > rows[2].number

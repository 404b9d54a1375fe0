"""Leases of named tasks."""

from __future__ import annotations

from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import Want

from ..tasks import LEASE, NOW, as_array, id_of, insert, state_of, task, within


def test_of_named_tasks_those_are_leased_that_are_ready_and_no_others(store: Store, route: int) -> None:
    new = [(seq, id_of(seq), b"payload") for seq in range(11, 19)]
    insert(
        store,
        task(1, route),
        task(2, route, StateNumber.BLOCKED),
        task(3, route),
        as_array(task(11, route), new),
    )
    want = Want(5, LEASE, 1)
    named = [IdRun(id_of(1), 2), IdRun(id_of(13), 3)]
    leased = within(store, lambda: store.lease_these(named, want, 1_000, NOW))
    assert [(one.seq, getattr(one, "stop", one.seq + 1)) for one in leased] == [(1, 2), (13, 16)]
    ready = [seq for seq in (3, *range(11, 19)) if state_of(store, seq) == StateNumber.READY]
    assert ready == [3, 11, 12, 16, 17, 18]
    assert within(store, lambda: store.lease_these(named, want, 1_000, NOW)) == []

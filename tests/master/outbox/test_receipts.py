"""A row of an outbox is accepted once, however often a relay hands it over, and whatever has become of its tasks meanwhile."""

from __future__ import annotations

import pytest
from tq.common.contract.outbox import OutboxSubmit
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import Full, QuotaExceeded, StoreError, TaskConflict
from tq.master.outbox import receipts
from tq.master.outbox.receipts import KEPT_MS, Receipts

from ..conftest import Bench, Peer
from ..in_lanes import within

OUTBOX = "get_outbox"
CALL = b"\x92\x90\x80"


def row(id: bytes, queue: str = "q", payload: bytes = CALL) -> list[object]:
    return OutboxSubmit(queue, "m:f", {}, [[id, payload]]).to_wire()


def stored(bench: Bench) -> int:
    answer = bench.client(role=Role.ADMIN).call("get_tasks", "select", {"queues": ["q"]})
    return sum(tasks for _, tasks in answer["states"])


def purge(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    assert admin.call("get_tasks", "purge", {"queues": ["q"]})["tasks"]
    assert stored(bench) == 0


def test_a_row_is_accepted_once(bench: Bench) -> None:
    relay, id, receipt = bench.client(), new_ids(), new_ids()
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 1
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 0
    assert stored(bench) == 1


def test_a_row_whose_tasks_were_deleted_is_not_accepted_again_until_it_is_forgotten(bench: Bench) -> None:
    relay, id, receipt = bench.client(), new_ids(), new_ids()
    relay.call(OUTBOX, "hand_over", receipt, row(id))
    purge(bench)
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 0
    relay.call(OUTBOX, "forget", [receipt])
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 0, (
        "a relay that was stopped may still have the row"
    )
    assert stored(bench) == 0
    bench.advance(KEPT_MS / 1000 + 10)
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 1


def test_receipts_outlive_the_master(bench: Bench) -> None:
    receipt, id = new_ids(), new_ids()
    bench.client().call(OUTBOX, "hand_over", receipt, row(id))
    purge(bench)
    again = Bench(bench.engine.store, now=bench.now)
    assert again.client().call(OUTBOX, "hand_over", receipt, row(id)) == 0
    again.client().call(OUTBOX, "forget", [receipt])
    third = Bench(bench.engine.store, now=again.now)
    third.advance(KEPT_MS / 1000 + 10)
    assert not third.engine.store.outbox.has(receipt), "a restart does not lose the moment at which it goes"


def test_a_row_that_is_refused_has_no_receipt(bench: Bench) -> None:
    relay, id, receipt = bench.client(), new_ids(), new_ids()
    relay.call(("get_task_queue", "q"), "submit", "m:f", {}, [[id, CALL]])
    with pytest.raises(TaskConflict):
        relay.call(OUTBOX, "hand_over", receipt, row(id, payload=b"\x92\x91\x01\x80"))
    assert not bench.engine.store.outbox.has(receipt)


def test_a_row_of_a_full_queue_is_tried_again(bench: Bench) -> None:
    admin, relay, receipt = bench.client(role=Role.ADMIN), bench.client(), new_ids()
    admin.call("get_queues", "set", "q", 1)
    relay.call(OUTBOX, "hand_over", new_ids(), row(new_ids()))
    id = new_ids()
    with pytest.raises(Full, match="queue q is full"):
        relay.call(OUTBOX, "hand_over", receipt, row(id))
    purge(bench)
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 1


def test_two_relays_that_hand_the_same_row_over_at_once_are_not_both_believed(bench: Bench) -> None:
    one, other, receipt, id = bench.client(), bench.client(), new_ids(), new_ids()
    first, second = (
        one.ask(OUTBOX, "hand_over", receipt, row(id)),
        other.ask(OUTBOX, "hand_over", receipt, row(id)),
    )
    bench.step()
    assert one.answer(first) == 1
    with pytest.raises(Full, match="by another relay at this moment"):
        other.answer(second)
    assert other.call(OUTBOX, "hand_over", receipt, row(id)) == 0


def test_a_transaction_that_fails_leaves_neither_task_nor_receipt(bench: Bench) -> None:
    relay, receipt, id = bench.client(), new_ids(), new_ids()
    call = relay.ask(OUTBOX, "hand_over", receipt, row(id))

    def fail() -> None:
        raise StoreError("the disk is gone")

    bench.step(commit=fail)
    with pytest.raises(StoreError):
        relay.answer(call)
    bench.advance(30)
    assert not bench.engine.store.outbox.has(receipt)
    assert not bench.engine.part(Receipts)._kept, "what counts for the bound of its key went with it"
    assert relay.call(OUTBOX, "hand_over", receipt, row(id)) == 1
    assert bench.engine.part(Receipts)._kept == bench.engine.store.outbox.counts()


def test_a_key_has_so_many_receipts_and_forgotten_ones_make_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "RECEIPTS_MAX", 2)
    relay, known = bench.client(), [new_ids(), new_ids()]
    for receipt in known:
        relay.call(OUTBOX, "hand_over", receipt, row(new_ids()))
    with pytest.raises(QuotaExceeded, match=r"2 rows that they have not deleted yet.*shorter --keep"):
        relay.call(OUTBOX, "hand_over", new_ids(), row(new_ids()))
    assert Peer(bench, Role.ADMIN, new_ids()).call(OUTBOX, "hand_over", new_ids(), row(new_ids())) == 1, (
        "another key"
    )
    relay.call(OUTBOX, "forget", known)
    bench.advance(KEPT_MS / 1000 + 10)
    assert relay.call(OUTBOX, "hand_over", new_ids(), row(new_ids())) == 1


def test_receipts_go_in_portions(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "PORTION", 2)
    part = bench.engine.part(Receipts)
    store, known = bench.engine.store.outbox, [new_ids() for _ in range(5)]
    within(bench, lambda: store.keep([(one, "client") for one in known]))
    bench.client().call(OUTBOX, "forget", known)
    bench.advance(KEPT_MS / 1000 + 20)

    assert store.counts() == {}
    assert not part._kept

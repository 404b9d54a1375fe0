"""What a worker holds ends a portion at a time, however much it is and for whichever reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tq.common.domain.id_runs import ids_named
from tq.common.domain.ids import consecutive_ids
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import QuotaExceeded, StoreError
from tq.master.engine.accounts import Accounts
from tq.master.tasks.leases import Leases
from tq.master.workers import calls, membership

from ..conftest import GRACE_MS, Bench, Peer

PORTION, TASKS = 10, 35
FIRST = bytes(15) + b"\x01"
IDS = consecutive_ids(1, TASKS)
DISPATCHER = "get_dispatcher"


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calls, membership):
        monkeypatch.setattr(module, "ENDED_MAX", PORTION)


@pytest.fixture
def worker(bench: Bench) -> Peer:
    return bench.worker("m:f")


@pytest.fixture
def lease(bench: Bench, worker: Peer) -> bytes:
    """Of TASKS tasks, most of them in slices and one by itself."""
    client = bench.client()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[FIRST, [b"x"] * TASKS]])
    lease, _ = worker.call(DISPATCHER, "lease", TASKS)
    client.call("get_tasks", "cancel", [IDS[3]])
    return bytes(lease)


def leased(bench: Bench) -> int:
    return len(bench.engine.part(Leases).running)


def portions(bench: Bench) -> list[int]:
    """How many are still leased after each transaction, until nothing is left to do at once."""
    left = [leased(bench)]
    while (due := bench.engine.next_wakeup()) is not None and due <= bench.now.mono:
        bench.step()
        left.append(leased(bench))
    return left


def states(bench: Bench) -> Counter[int]:
    return Counter(state for _, state in bench.client().call("get_tasks", "states", IDS))


def attempts(bench: Bench, id: bytes) -> list[int]:
    return [one["outcome"] for one in bench.client().call("get_tasks", "show", id)["attempts"]]


def lose(bench: Bench, worker: Peer) -> None:
    worker.close()
    bench.now = bench.now._replace(wall=bench.now.wall + GRACE_MS, mono=bench.now.mono + GRACE_MS)
    bench.step()


READY_BUT_ONE = Counter({StateNumber.READY: TASKS - 1, StateNumber.CANCELLED: 1})


def test_the_tasks_of_a_lost_worker_end_in_portions(bench: Bench, worker: Peer, lease: bytes) -> None:
    lose(bench, worker)
    assert portions(bench) == [25, 15, 5, 0]
    assert states(bench)[StateNumber.READY] + states(bench)[StateNumber.SCHEDULED] >= TASKS - 1
    assert attempts(bench, IDS[0]) == attempts(bench, IDS[-1]) == [OutcomeNumber.LOST]
    [lost] = [fields for action, fields in bench.reports if action == "worker.lost"]
    assert lost["held"] == TASKS


def test_what_is_left_when_it_comes_back_is_still_its_own(bench: Bench, worker: Peer, lease: bytes) -> None:
    lose(bench, worker)
    again = bench.worker("m:f", node=worker.session.node, held=[[id, 1, lease] for id in IDS])
    left = set(bench.engine.part(Leases).running)
    assert 0 < len(left) < TASKS
    assert set(ids_named(again.announced["dropped"])) == set(IDS) - left
    assert portions(bench) == [len(left)]
    again.close()
    bench.advance(GRACE_MS / 1000 + 1)
    portions(bench)
    assert leased(bench) == 0, "it is lost like any other, once more"


def test_a_lost_worker_whose_transaction_fails_is_lost_again(
    bench: Bench, worker: Peer, lease: bytes
) -> None:
    def fails() -> None:
        bench.engine.store.rollback()
        raise StoreError("no")

    worker.close()
    bench.now = bench.now._replace(wall=bench.now.wall + GRACE_MS, mono=bench.now.mono + GRACE_MS)
    bench.step()
    bench.step(commit=fails)
    for _ in range(40):
        bench.advance(1)
    assert leased(bench) == 0


def test_what_a_worker_has_that_leaves_is_handed_back_in_portions(
    bench: Bench, worker: Peer, lease: bytes
) -> None:
    worker.call(DISPATCHER, "leave")
    assert portions(bench) == [25, 15, 5, 0]
    assert states(bench) == READY_BUT_ONE
    assert attempts(bench, IDS[0]) == attempts(bench, IDS[-1]) == []


def test_one_that_leaves_and_announces_itself_in_the_midst_loses_nothing(
    bench: Bench, worker: Peer, lease: bytes
) -> None:
    worker.call(DISPATCHER, "leave")
    again = bench.worker("m:f", node=worker.session.node)
    portions(bench)
    assert states(bench) == READY_BUT_ONE
    assert again.session.open


@pytest.mark.parametrize("begun", [False, True])
def test_a_release_is_answered_when_all_of_it_is_done(
    bench: Bench, worker: Peer, lease: bytes, begun: bool
) -> None:
    row: list[Any] = [[FIRST, TASKS], 1, lease]
    call = worker.ask(DISPATCHER, "release", [[*row, 1.0] if begun else row], begun)
    bench.step()
    assert call not in worker.answers
    assert portions(bench) == [25, 15, 5, 0]
    assert worker.answer(call) is None
    assert states(bench) == READY_BUT_ONE
    assert attempts(bench, IDS[-1]) == ([OutcomeNumber.RELEASED] if begun else [])


def test_a_release_goes_on_where_it_is_durable_when_a_transaction_fails(
    bench: Bench, worker: Peer, lease: bytes
) -> None:
    def fails() -> None:
        bench.engine.store.rollback()
        raise StoreError("no")

    call = worker.ask(DISPATCHER, "release", [[[FIRST, TASKS], 1, lease]])
    bench.step()
    bench.step(commit=fails)
    for _ in range(20):
        bench.advance(1)
    assert leased(bench) == 0
    assert states(bench) == READY_BUT_ONE
    assert worker.answers.get(call, (None, None))[0] is None


def test_what_a_release_waits_with_is_on_the_account_of_its_key(
    bench: Bench, worker: Peer, lease: bytes
) -> None:
    account = worker.session.account = Accounts().of("w")
    row = [[FIRST, 100_000], 1, lease]
    calls = [worker.ask(DISPATCHER, "release", [row]) for _ in range(4)]
    bench.step()
    with pytest.raises(QuotaExceeded, match="bytes in calls that wait"):
        worker.answer(calls[-1])
    worker.close()
    assert account.bytes == 0


def test_what_a_worker_says_it_has_no_more_is_handed_back_in_portions(
    bench: Bench, worker: Peer, lease: bytes
) -> None:
    kept = [[id, 1, lease] for id in IDS[:2]]
    again = bench.worker("m:f", node=worker.session.node, held=kept)
    assert portions(bench) == [25, 15, 5, 2]
    assert again.call(DISPATCHER, "finish", [[*row, 0, b"r", 0.0, 0.1, None] for row in kept]) == []
    assert attempts(bench, IDS[-1]) == []

"""Parked lease calls, and lanes that give something later."""

from __future__ import annotations

from tq.common.domain.model import Role

from ..conftest import Bench
from ..in_lanes import DISPATCHER, A, B, leased, submit


def test_a_waiting_worker_gets_what_comes_in_a_lane(bench: Bench) -> None:
    worker = bench.worker("m:f")
    call = worker.ask(DISPATCHER, "lease", 2)
    bench.step()
    ids = submit(bench, A)
    bench.step()
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids


def test_lanes_of_a_paused_queue_give_nothing_until_it_is_resumed(bench: Bench) -> None:
    ids = submit(bench, A)
    admin = bench.client(role=Role.ADMIN)
    admin.call("get_task_queue/q", "pause", "why")
    worker = bench.worker("m:f")
    call = worker.ask(DISPATCHER, "lease", 2)
    bench.step()
    assert call not in worker.answers
    admin.call("get_task_queue/q", "resume")
    bench.step()
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids


def test_what_comes_back_stands_in_its_lane_again(bench: Bench) -> None:
    ids = submit(bench, A) + submit(bench, B)
    worker = bench.worker("m:f")
    assert leased(worker, 1) == ids[:1]
    worker.close()
    bench.advance(30)
    other = bench.worker("m:f")
    assert leased(other, 2) == ids


def test_a_call_that_does_not_wait_is_answered_at_once_with_what_there_is(bench: Bench) -> None:
    ids = submit(bench, A)
    worker = bench.worker("m:f")
    call = worker.ask(DISPATCHER, "lease", 5, 0, False)
    bench.step()
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids


def test_a_call_that_does_not_wait_is_answered_with_nothing_and_takes_nothing_later(bench: Bench) -> None:
    worker = bench.worker("m:f")
    waiting = worker.ask(DISPATCHER, "lease", 1)
    look = worker.ask(DISPATCHER, "lease", 5, 0, False)
    bench.step()
    assert worker.answer(look) == [b"", []]
    ids = submit(bench, A)
    bench.step()
    assert [one[0] for one in worker.answer(waiting)[1][0][3]] == ids


def test_a_look_and_a_submit_of_one_transaction_meet(bench: Bench) -> None:
    worker = bench.worker("m:f")
    look = worker.ask(DISPATCHER, "lease", 5, 0, False)
    ids = submit(bench, A)
    bench.step()
    assert [one[0] for one in worker.answer(look)[1][0][3]] == ids

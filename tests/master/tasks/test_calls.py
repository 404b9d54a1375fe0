"""Calls about many tasks by their ids are done in portions, so that others are answered in between."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import StateNumber
from tq.common.errors import StoreError
from tq.master.tasks import calls as module

from ..conftest import Bench

IDS = [(number << 40).to_bytes(16, "big") for number in range(1, 11)]  # far from each other
CANCELLED, READY = int(StateNumber.CANCELLED), int(StateNumber.READY)


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS_TOGETHER", 3)


@pytest.fixture
def client(bench: Bench) -> Any:
    client = bench.client()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b""] for id in IDS])
    return client


def steps_until_answered(bench: Bench, client: Any, call: int) -> int:
    steps = 1
    bench.step()
    while call not in client.answers:
        steps += 1
        bench.step()
    return steps


def test_a_cancel_and_a_retry_of_ids_far_from_each_other_are_done_in_portions(
    bench: Bench, client: Any
) -> None:
    for method, state in (("cancel", CANCELLED), ("retry", READY)):
        call = client.ask("get_tasks", method, IDS)
        assert steps_until_answered(bench, client, call) == 4
        assert client.answer(call) == [[id, state] for id in IDS]


def test_another_client_is_answered_in_between(bench: Bench, client: Any) -> None:
    other = bench.client()
    call = client.ask("get_tasks", "cancel", IDS)
    bench.step()
    assert other.call("get_tasks", "states", IDS[:1]) == [[IDS[0], CANCELLED]]
    assert call not in client.answers
    assert steps_until_answered(bench, client, call) == 2


def test_a_portion_whose_transaction_failed_is_done_again(bench: Bench, client: Any) -> None:
    call = client.ask("get_tasks", "cancel", IDS)
    bench.step()

    def fail() -> None:
        raise StoreError("the disk says no")

    bench.step(commit=fail)
    bench.advance(1)
    steps_until_answered(bench, client, call)
    assert client.answer(call) == [[id, CANCELLED] for id in IDS]


def test_of_no_ids_nothing_is_answered_at_once(client: Any) -> None:
    assert client.call("get_tasks", "cancel", []) == []

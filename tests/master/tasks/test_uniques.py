"""Tasks that are the same by a key, on the shipped engine: what is accepted, answered, replaced or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tq
from tq.common.domain.ids import IdSource, consecutive_ids, new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.domain.unique import terms_of
from tq.common.errors import TaskConflict
from tq.master.tasks.uniques import SWEPT_TOGETHER

from ..conftest import Bench, Peer
from ..new_store import NewStore
from .test_explain import finish, lease

QUEUE = "get_task_queue/q"


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def ask(
    peer: Peer,
    key: str = "k",
    id: bytes | None = None,
    options: dict[str, Any] | None = None,
    task: str = "m:f",
    payload: bytes = b"x",
    **unique: Any,
) -> tuple[bytes, int]:
    id, terms = id or new_ids(), terms_of(tq.Unique(**unique), key).to_wire()
    return id, peer.ask(QUEUE, "submit", task, options or {}, [[id, payload]], *[None] * 6, "wait", terms)


def submit(peer: Peer, key: str = "k", **given: Any) -> bytes:
    """The id of the task that is there."""
    id, call = ask(peer, key, **given)
    peer.bench.step()
    answer = peer.answer(call)
    return answer if isinstance(answer, bytes) else id


def state(peer: Peer, id: bytes) -> int:
    [[_, number]] = peer.call("get_tasks", "states", [id])
    return int(number)


def test_while_one_waits_or_runs_the_next_one_is_that_one(bench: Bench, client: Peer) -> None:
    first = submit(client)
    assert submit(client) == first
    assert submit(client, "other") != first
    worker = bench.worker("m:f")
    held = lease(worker, 2)
    assert submit(client) == first
    finish(worker, held)
    assert submit(client) != first


def test_the_key_is_of_its_queue_and_callable(client: Peer) -> None:
    assert submit(client) != submit(client, task="m:g")


def test_of_two_in_one_transaction_one_is_stored(bench: Bench, client: Peer) -> None:
    other = bench.client()
    (first, one), (_, two) = ask(client), ask(other)
    bench.step()
    assert (client.answer(one), other.answer(two)) == (1, first)
    [row] = client.call("get_queues", "list")
    assert row["ready"] == 1


def test_a_repeated_submit_is_the_same_task_and_conflicts_with_nothing(bench: Bench, client: Peer) -> None:
    first = submit(client)
    _, again = ask(client, id=first, on_conflict="raise")
    bench.step()
    assert client.answer(again) == 0
    worker = bench.worker("m:f")
    finish(worker, lease(worker, 1))
    second = submit(client)
    _, late = ask(client, id=first, on_conflict="raise")  # the answer was lost for so long
    bench.step()
    assert (client.answer(late), second != first) == (0, True)
    with pytest.raises(TaskConflict, match="was submitted before with another name, queue or arguments"):
        submit(client, id=first, payload=b"other")


def test_a_conflict_may_be_refused(client: Peer) -> None:
    first = submit(client)
    with pytest.raises(TaskConflict, match="which is ready, has the same key 'k'"):
        submit(client, on_conflict="raise")
    assert state(client, first) == StateNumber.READY


def test_what_waits_is_replaced_and_what_runs_is_not(bench: Bench, client: Peer) -> None:
    first = submit(client)
    second = submit(client, on_conflict="replace")
    assert (state(client, first), second != first) == (StateNumber.CANCELLED, True)
    worker = bench.worker("m:f")
    [held] = lease(worker, 1)
    third = submit(client, on_conflict="replace")  # the one that a worker has goes on
    assert (held[0], third != second) == (second, True)
    assert submit(client, on_conflict="replace", id=third) == third


def test_debounce_the_last_call_within_the_delay_runs(bench: Bench, client: Peer) -> None:
    worker, rule = bench.worker("m:f"), {"states": ["scheduled"], "on_conflict": "replace"}
    ids = []
    for _ in range(3):
        ids.append(submit(client, options={"delay": 5.0}, **rule))
        bench.advance(3)
    asked = worker.ask("get_dispatcher", "lease", 5)
    bench.advance(3)
    _, groups = worker.answer(asked)
    assert [row[0] for group in groups for row in group[3]] == ids[2:]
    assert [state(client, id) for id in ids[:2]] == [StateNumber.CANCELLED] * 2


def test_cooldown_none_within_the_period_however_the_first_has_ended(bench: Bench, client: Peer) -> None:
    rule = {"states": tq.Unique.ANY, "period": 60}
    first = submit(client, **rule)
    worker = bench.worker("m:f")
    [held] = lease(worker, 1)
    worker.call("get_dispatcher", "finish", [[*held, int(OutcomeNumber.ERROR), b"", 0.0, 0.1, None]])
    bench.advance(58)
    assert submit(client, **rule) == first
    bench.advance(3)
    assert submit(client, **rule) != first


def test_a_restart_forgets_no_key(make_bench: Callable[..., Bench]) -> None:
    store = NewStore()
    first = submit(make_bench(store).client())
    bench = make_bench(store)
    assert submit(bench.client()) == first


def test_keys_of_tasks_that_have_ended_do_not_pile_up(bench: Bench, client: Peer) -> None:
    worker = bench.worker("m:f")
    for number in range(150):
        submit(client, f"key {number}")
        finish(worker, lease(worker, 1))
    assert len(bench.engine.store.uniques.behind(0, 150)) <= 1.5 * SWEPT_TOGETHER


def test_results_that_were_kept_for_a_time_do_not_pile_up_when_it_is_over(bench: Bench, client: Peer) -> None:
    worker = bench.worker("m:f")
    for number in range(200):
        # Of use are those of the last minute: fifty.
        submit(client, f"key {number}", period=60, states=tq.Unique.ANY)
        finish(worker, lease(worker, 1))
        if number % 50 == 49:
            bench.advance(61)
        if number == 49:
            assert len(bench.engine.store.uniques.behind(0, 1_000)) == 50, "each may be asked for again"
    assert len(bench.engine.store.uniques.behind(0, 1_000)) <= 3 * 50 + SWEPT_TOGETHER


def test_a_full_queue_is_waited_for_and_the_key_is_judged_when_there_is_room(
    bench: Bench, client: Peer
) -> None:
    client.call("get_queues", "set", "q", 1)
    blocker = submit(client, "blocker")
    (first, one), (_, two) = ask(client), ask(client)
    bench.step()
    assert client.answers == {}
    worker = bench.worker("m:f")
    for _ in range(2):
        lease(worker, 1)
        bench.step()
    assert (client.answer(one), client.answer(two)) == (1, first)
    assert blocker != first


def test_never_are_two_of_a_key_open(bench: Bench, client: Peer) -> None:
    """With any submits, and any ends between them."""
    worker, peers = bench.worker("m:f"), [bench.client() for _ in range(3)]
    made: dict[str, list[bytes]] = {"k0": [], "k1": []}
    held: list[list[Any]] = []
    for turn in range(60):
        key, how = f"k{turn % 2}", ("return", "skip", "raise")[turn % 3]
        asked = [(peer, *ask(peer, key, on_conflict=how)) for peer in peers]
        bench.step()
        replies = [(id, *peer.answers.pop(call)) for peer, id, call in asked]
        made[key] += [id for id, answer, error in replies if error is None and answer == 1]
        for ids in made.values():
            rows = client.call("get_tasks", "states", ids) if ids else []
            assert sum(number < StateNumber.SUCCEEDED for _, number in rows) <= 1
        if turn % 3 == 2:
            if held:
                finish(worker, held)
            held = [] if held else lease(worker, 2)
    assert all(len(ids) > 5 for ids in made.values())


def test_a_map_that_raises_is_stored_whole_or_not_at_all_though_it_has_room_in_portions(
    bench: Bench, client: Peer
) -> None:
    client.call("get_queues", "set", "q", 4)
    other, worker = submit(client, "k1"), bench.worker("m:f")
    ids = consecutive_ids(IdSource().take(8), 8)
    terms = terms_of(tq.Unique(on_conflict="raise"), [[f"k{place}" for place in range(8)], list(range(8))])
    call = client.ask(
        QUEUE, "submit", "m:f", {}, [[ids[0], [b"x"] * 8]], *[None] * 6, "wait", terms.to_wire()
    )
    bench.step()
    with pytest.raises(TaskConflict, match="the same key 'k1'"):
        client.answer(call)
    assert [number for _, number in client.call("get_tasks", "states", ids)] == [-1] * 8
    finish(worker, lease(worker, 1))
    assert state(client, other) == StateNumber.SUCCEEDED

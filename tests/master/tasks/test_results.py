"""What is kept of how tasks end, and for how long: by their own options, whether they are single or in an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, StateNumber, TaskOptions
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode
from tq.common.values.failure import Failure
from tq.common.wire.frames import pack
from tq.master.tasks.results import NOT_KEPT, NOTHING, drops_results

from ..conftest import Bench, Peer
from ..leased import each, each_outcome
from ..new_store import NewStore

RESULT, ERROR = encode("result"), Failure("ValueError", "secret").encode()


def submit(client: Peer, count: int = 3, **options: Any) -> list[bytes]:
    run = IdRun(new_ids(), count)
    client.call("get_task_queue/q", "submit", "m:f", options, [[run.first, [b"payload"] * count]], "s")
    return run.ids()


def lease(worker: Peer) -> list[list[Any]]:
    lease, groups = worker.call("get_dispatcher", "lease", 10)
    return [[entry[0], entry[1], lease] for entry in each(groups)]


def finish(worker: Peer, tokens: list[list[Any]], outcome: OutcomeNumber, body: bytes) -> None:
    worker.call(
        "get_dispatcher", "finish", [[*token, int(outcome), body, 0.0, 0.5, None] for token in tokens]
    )


def outcomes(client: Peer) -> list[tuple[int, bytes]]:
    return [(state, body) for _, state, body in each_outcome(client.call("get_result_queue/s", "collect"))]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("is_waiting", [False, True])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_with_errors_a_success_leaves_no_result_and_those_who_waited_get_none_either(
    make_bench: Callable[..., Bench], count: int, is_waiting: bool, is_restarted: bool
) -> None:
    store = NewStore()
    bench = make_bench(store)
    client, worker = bench.client(), bench.worker("m:f")
    if is_waiting:  # inserted as leased
        parked = worker.ask("get_dispatcher", "lease", 10)
        ids = submit(client, count, result="errors")
        name, groups = worker.answer(parked)
        tokens = [[entry[0], entry[1], name] for entry in each(groups)]
    else:
        ids = submit(client, count, result="errors")
        tokens = lease(worker)
    if is_restarted:
        bench = make_bench(store)
        client, worker = bench.client(), bench.worker("m:f", held=tokens)
        client.call("get_result_queue/s", "watch", ids)
    finish(worker, tokens, OutcomeNumber.SUCCESS, RESULT)
    assert outcomes(client) == [(StateNumber.SUCCEEDED, NOTHING)] * count
    assert [client.call("get_tasks", "show", id)["result"] for id in ids] == [NOTHING] * count


def test_with_errors_a_failure_is_kept_and_with_none_it_is_not(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    for policy, kept in (("errors", ERROR), ("none", NOT_KEPT)):
        [id] = submit(client, 1, result=policy)
        finish(worker, lease(worker), OutcomeNumber.ERROR, ERROR)
        assert outcomes(client) == [(StateNumber.FAILED, kept)]
        shown = client.call("get_tasks", "show", id)
        assert [shown["result"], shown["attempts"][0]["body"]] == [kept, kept]


def test_with_all_which_is_the_default_both_are_kept(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, 2)
    first, second = lease(worker)
    finish(worker, [first], OutcomeNumber.SUCCESS, RESULT)
    finish(worker, [second], OutcomeNumber.ERROR, ERROR)
    assert sorted(outcomes(client)) == [(StateNumber.SUCCEEDED, RESULT), (StateNumber.FAILED, ERROR)]


@pytest.mark.parametrize("count", [1, 3])
def test_tasks_that_say_for_how_long_are_deleted_at_their_own_time(bench: Bench, count: int) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    soon, usual, late = (
        submit(client, count, result_ttl=5.0),
        submit(client, count),
        submit(client, count, result_ttl=30 * 86_400.0),
    )
    finish(worker, lease(worker), OutcomeNumber.SUCCESS, RESULT)

    def left() -> list[bool]:
        return [
            len(client.call("get_tasks", "states", ids)) > 0
            and client.call("get_tasks", "states", ids)[0][1] >= 0
            for ids in (soon, usual, late)
        ]

    assert left() == [True, True, True]
    bench.advance(20)
    assert left() == [False, True, True]
    skip(bench, 8 * 86_400)
    assert left() == [False, False, True]
    skip(bench, 23 * 86_400)
    assert left() == [False, False, False]


def skip(bench: Bench, seconds: int) -> None:
    """Time in which no one asks for anything."""
    ms = seconds * 1000
    bench.now = bench.now._replace(wall=bench.now.wall + ms, mono=bench.now.mono + ms)
    for session in bench.engine.sessions:
        bench.engine.presence.seen(session, bench.now)
    bench.advance(30)


def test_an_option_that_is_none_of_these_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="use 'all', 'errors' or 'none'"):
        TaskOptions.from_wire({"result": "some"})
    with pytest.raises(InvalidArgument, match="result_ttl"):
        TaskOptions.from_wire({"result_ttl": 1e9})
    assert TaskOptions.from_wire({"result": "none"}).to_wire() == {"result": "none"}


def test_packed_options_say_whether_results_are_dropped() -> None:
    assert not drops_results(None)
    assert not drops_results(pack({"retries": 3}))
    assert drops_results(pack({"retries": 3, "result": "errors"}))

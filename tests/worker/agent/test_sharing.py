"""Which pool runs which tasks, and whose leases are lost."""

from __future__ import annotations

from tq.common.runtime.pool_spec import parse_pools
from tq.worker.agent.sharing import lost_of_each, shares

TASKS = {"m:crawl": True, "m:render": False}


def tasks_of(*pools: str, allow: tuple[str, ...] = ()) -> list[list[str]]:
    return [share.tasks for share in shares(parse_pools(list(pools)), TASKS.items(), allow, ())]


def test_one_pool_runs_everything() -> None:
    assert tasks_of("async:5") == [["m:crawl", "m:render"]]
    assert tasks_of("process:2") == [["m:crawl", "m:render"]]


def test_coroutine_functions_go_to_the_async_pool_where_there_is_one() -> None:
    assert tasks_of("process:2", "async:5") == [["m:render"], ["m:crawl"]]
    assert tasks_of("async:5", "thread:2") == [["m:crawl"], ["m:render"]]


def test_a_pool_of_a_queue_runs_what_is_in_it_and_others_get_nothing_of_it() -> None:
    fetch, rest = shares(parse_pools(["async:5@fetch", "process:2"]), TASKS.items(), ["os.*"], ["a", "b"])
    assert (fetch.tasks, fetch.queues, fetch.but) == (["m:crawl", "m:render"], ["fetch"], [])
    assert (rest.tasks, rest.queues, rest.but) == (["m:crawl", "m:render"], ["a", "b"], ["fetch"])


def test_callables_that_are_imported_for_their_first_task_go_where_functions_go() -> None:
    found = shares(parse_pools(["process:2", "async:5"]), TASKS.items(), ["os.*"], [])
    assert [share.allow for share in found] == [["os.*"], []]


def test_of_two_attempts_of_a_task_in_two_pools_the_older_is_lost_first() -> None:
    id = bytes(16)
    held = [[[id, 2, b"new"]], [[id, 1, b"old"]]]
    assert lost_of_each(held, [id]) == [[], [id]]
    assert lost_of_each(held, [id, id]) == [[id], [id]]
    assert lost_of_each(held, []) == [[], []]

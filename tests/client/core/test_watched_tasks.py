"""Watched tasks, kept as runs, are what a dict of every single task would be."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tq.client.core.watched_tasks import WatchedTasks, portions, without
from tq.common.domain.id_runs import IdRun

from ...properties import examples

BASES = [0x0193A000_0000_7000_8000_0000_0000_0000 + (which << 32) for which in range(3)]
RUNS = st.builds(
    lambda base, place, length: IdRun((base + place).to_bytes(16, "big"), length),
    st.sampled_from(BASES),
    st.integers(0, 12),
    st.sampled_from([1, 1, 2, 3, 8]),
)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("xyz"), RUNS),
    st.tuples(st.just("take"), st.none(), RUNS),
    st.tuples(st.just("drop"), st.sampled_from("xyz"), st.none()),
)


def each(runs: list[IdRun]) -> list[bytes]:
    return [id for run in runs for id in run.ids()]


@examples(300)
@given(st.lists(STEPS, max_size=30))
def test_any_steps_leave_what_a_dict_would_have(steps: list[Any]) -> None:
    watched, model = WatchedTasks(), dict[bytes, list[str]]()
    for step, listener, run in steps:
        if step == "add":
            new = [id for id in run.ids() if id not in model]
            if run.length == 1 and listener == "z":
                watched.add_one(listener, run.first)
            else:
                assert each(watched.add(listener, [run])) == new
            for id in run.ids():
                known = model.setdefault(id, [])
                if listener not in known:
                    known.append(listener)
        elif step == "take":
            parts = watched.take(run)
            assert [
                (run.id(place), list(part.listeners))
                for part in parts
                for place in range(part.start, part.stop)
            ] == [(id, model.pop(id)) for id in run.ids() if id in model]
        else:
            left_alone = {id for id, listeners in model.items() if listeners == [listener]}
            dropped = each(watched.drop(listener))
            assert sorted(dropped) == sorted(left_alone)
            model = {
                id: [other for other in listeners if other != listener]
                for id, listeners in model.items()
                if id not in left_alone
            }
        assert watched.tasks == len(model)
        assert sorted(each(watched.runs())) == sorted(model)
    assert set(watched.take_all()) == {listener for listeners in model.values() for listener in listeners}
    assert watched.tasks == 0


@given(st.lists(RUNS, max_size=8), st.lists(RUNS, max_size=8))
def test_runs_without_others(some: list[IdRun], others: list[IdRun]) -> None:
    assert each(without(some, others)) == sorted(set(each(some)) - set(each(others)))


@given(st.lists(RUNS, max_size=12), st.integers(1, 9))
def test_portions_have_all_tasks_in_order_and_at_most_so_many(runs: list[IdRun], tasks_max: int) -> None:
    found = list(portions(runs, tasks_max))
    assert [id for some in found for id in each(some)] == each(runs)
    assert all(len(each(some)) == tasks_max for some in found[:-1])
    assert all(0 < len(each(some)) <= tasks_max for some in found)


def test_a_million_watched_tasks_of_a_map_take_no_memory_for_each() -> None:
    tracemalloc.start()
    watched = WatchedTasks()
    for place in range(0, 1_000_000, 1_000):
        watched.add("box", [IdRun((BASES[0] + place).to_bytes(16, "big"), 1_000)])
    for place in range(0, 1_000_000, 2_000):  # every other thousand ends
        assert watched.take(IdRun((BASES[0] + place).to_bytes(16, "big"), 1_000))[0].listeners == ("box",)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert watched.tasks == 500_000
    assert size < 200_000

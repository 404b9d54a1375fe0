"""Maps that strikes cut into very many parts: held as a whole first, and cut in portions."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import StoreError
from tq.master.tasks.struck_tasks import StruckTasks

from ..conftest import Bench
from ..in_limits import leased
from ..leased import each
from .test_array_tags import found
from .test_struck_tasks import DISPATCHER, PAYLOAD, again, all_of, lift, mapped, row_of, rows, strike

ALTERNATELY = ["a", "b"] * 1_000


def cut_slowly(bench: Bench) -> None:
    """What is held as a whole is cut by 200 tasks a transaction."""
    bench.engine.part(StruckTasks).portion_tasks = 100


def until_compared(bench: Bench) -> None:
    while row_of(bench)["comparing"]:
        pass


def check_held(bench: Bench, ids: list[bytes]) -> None:
    """By a strike on every second one, and nothing else is held."""
    until_compared(bench)
    worker = bench.worker("m:f", slots=9)
    assert sorted(all_of(worker)) == ids[1::2]
    assert row_of(bench)["waiting"] == len(ids[::2])
    lift(bench, "arg.to=a")
    assert sorted(all_of(worker)) == ids[::2]


def test_a_map_that_is_held_alternately_is_accepted_as_a_whole_and_cut_in_portions(bench: Bench) -> None:
    strike(bench, "arg.to=a")
    cut_slowly(bench)
    ids, cut, given = mapped(bench, ALTERNATELY), [2], list[bytes]()
    worker = bench.worker("m:f", slots=9)
    assert (rows(bench, "tasks"), row_of(bench)["comparing"]) == (0, True)
    while row_of(bench)["comparing"]:
        cut.append(rows(bench, "slices") + len(given))
        given += leased(worker, 9)
    assert max(later - earlier for earlier, later in pairwise(cut)) < 1_100, "one array in a transaction"
    assert not {*given} & {*ids[::2]}, "while others of the map go out already"
    assert given
    assert sorted([*given, *all_of(worker)]) == ids[1::2]
    assert row_of(bench)["waiting"] == 1_000


def test_a_worker_that_waits_is_given_what_is_free_of_a_map_that_is_cut(bench: Bench) -> None:
    strike(bench, "arg.to=a")
    bench.engine.part(StruckTasks).parts_max = 10
    worker = bench.worker("m:f", slots=9)
    call = worker.ask(DISPATCHER, "lease", 9, 0, True)
    ids = mapped(bench, ["a", "b"] * 50)
    assert call not in worker.answers
    assert bench.engine.has_work
    bench.step()
    _, groups = worker.answer(call)
    assert [id for id, *_ in each(groups)] == ids[1:19:2]


def test_a_map_that_comes_twice_while_it_is_cut_is_there_once(bench: Bench) -> None:
    strike(bench, "arg.to=a")
    cut_slowly(bench)
    client, first = bench.client(), int.from_bytes(new_ids(), "big") & ~0xFFFF
    columns = {"index": {"arg.to": TextColumn.of(ALTERNATELY).to_wire()}}
    run = [first.to_bytes(16, "big"), [PAYLOAD] * len(ALTERNATELY)]
    stored = [
        client.call("get_task_queue/q", "submit", "m:f", {}, [run], *(None,) * 5, columns) for _ in range(2)
    ]
    assert stored == [len(ALTERNATELY), 0]
    check_held(bench, [(first + place).to_bytes(16, "big") for place in range(len(ALTERNATELY))])


def test_a_master_that_ends_while_a_map_is_cut_has_the_next_one_cut_the_rest(bench: Bench) -> None:
    strike(bench, "arg.to=a")
    cut_slowly(bench)
    ids = mapped(bench, ALTERNATELY)
    bench.step()
    after = again(bench)
    assert row_of(after)["comparing"]
    check_held(after, ids)


@pytest.mark.parametrize("steps", [0, 1, 3, 9])
def test_a_failed_transaction_while_a_map_is_cut_loses_nothing_of_it(bench: Bench, steps: int) -> None:
    strike(bench, "arg.to=a")
    cut_slowly(bench)
    ids = mapped(bench, ALTERNATELY)

    def fail() -> None:
        raise StoreError("disk full")

    for _ in range(steps):
        bench.step()
    bench.step(commit=fail)
    bench.advance(1)
    check_held(bench, ids)


def test_a_strike_that_ends_while_a_map_is_cut_frees_what_no_other_one_holds(bench: Bench) -> None:
    for condition in ("arg.to=b", "arg.to=a"):
        strike(bench, condition)
    cut_slowly(bench)
    ids, worker = mapped(bench, ALTERNATELY), bench.worker("m:f", slots=9)
    assert leased(worker, 9) == [], "it is held by both, whichever was first"
    lift(bench, "arg.to=b")
    assert not {*leased(worker, 9)} & {*ids[::2]}
    worker.close()
    bench.advance(60)
    check_held(bench, ids)


def test_a_mixed_map_that_is_held_alternately_is_cut_in_portions_and_keeps_turns_and_limits(
    bench: Bench,
) -> None:
    strike(bench, "arg.to=a")
    cut_slowly(bench)
    tenants = TextColumn.of(["s", "s", "t"] * 666 + ["s", "t"]).to_wire()
    limits = [[{"name": "one", "max_running": 1}, TextColumn.of(["x", "y"] * 1_000).to_wire()]]
    ids = mapped(bench, ALTERNATELY, columns={"tenant": tenants, "limits": limits})
    assert rows(bench, "tasks") == 0
    after = again(bench)
    until_compared(after)
    worker = after.worker("m:f", slots=9)
    assert all_of(worker) == [ids[1]], "the key y has one permit, and x is that of what is held"
    assert sum(found(after.client(role=Role.ADMIN), {"tenants": ["t"]}).values()) == 667
    lift(after, "arg.to=a")
    assert all_of(worker) == [ids[2]], "s has had its turn"

"""Tasks that need tasks of other shards, in two engines: nothing is lost, nothing counts twice, nothing waits without an end."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import StateNumber
from tq.common.domain.shards import id_in
from tq.common.errors import InvalidArgument, StoreError
from tq.common.values.codec import encode
from tq.common.wire.frames import pack
from tq.master.dependencies.becomings import Becomings
from tq.master.edges import edges as edges_module
from tq.master.store.interface.edges import EdgeRow
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench
from ..dependencies.conftest import ERROR, TASK, Graph, one
from .conftest import Carrier, Cluster


def test_a_task_waits_for_one_of_another_shard_and_gets_its_result(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page = a.submit()
    stored = b.submit(needs=[page.first])
    cluster.settle()
    assert b.state(stored) == "blocked"
    assert a.lease() == [page.first]
    a.finish(page.first, value="text")
    cluster.settle()
    assert b.lease() == [stored.first]
    assert b.carried(stored) == [[page.first, 10, [encode("text")]]]
    assert (a.tables()["promises"], b.tables()["mirror"]) == (1, 1)
    b.finish(stored.first)
    cluster.settle()
    cluster.nothing_is_left()


def test_what_has_ended_before_counts_as_soon_as_it_is_known(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(3)
    a.run_all()
    stored = b.submit(needs=[pages])
    cluster.settle()
    assert b.run_all() == [stored.first]


def test_a_task_may_need_tasks_of_its_own_shard_and_of_others_in_its_own_order(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages, own = a.submit(2), b.submit()
    merged = b.submit(needs=[one(pages, 1), own, one(pages, 0)])
    a.run_all()
    cluster.settle()
    assert b.state(merged) == "blocked"
    assert b.run_all() == [own.first]
    assert b.lease() == [merged.first]
    assert [row[0] for row in b.carried(merged)] == [one(pages, 1).first, own.first, pages.first]


def test_neighbours_of_an_array_wait_each_for_its_own(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(4)
    stored = b.submit(4, each=pages)
    leased = a.lease()
    a.finish(*leased[1:3])
    cluster.settle()
    assert b.states(stored) == ["blocked", "ready", "ready", "blocked"]
    a.finish(leased[0], outcome=ERROR)
    cluster.restart(1)
    cluster.settle()
    assert b.states(stored) == ["failed", "ready", "ready", "blocked"]
    a.finish(leased[3])
    cluster.settle()
    assert sorted(b.run_all()) == stored.ids()[1:]
    cluster.settle()
    cluster.nothing_is_left()


def test_a_failure_says_what_failed_there_and_a_chain_names_the_root(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page = a.submit()
    stored = b.submit(needs=[page.first])
    shown = a.submit(needs=[stored.first])
    [leased] = a.lease()
    a.finish(leased, outcome=ERROR)
    cluster.settle()
    failure = b.failure(stored)
    assert failure.message == f"jobs:work {show_id(page.first)} failed: ValueError: no such page"
    last = a.failure(shown)
    assert last.message == f"jobs:work {show_id(stored.first)} was not run: {failure.message}"
    assert last.detail["culprit"] == show_id(page.first)
    cluster.settle()
    cluster.nothing_is_left()


@pytest.mark.parametrize("how", ["cancelled", "expired", "purged", "never there"])
def test_whatever_ends_it_without_a_result_ends_the_wait(cluster: Cluster, how: str) -> None:
    a, b = cluster[0], cluster[1]
    page = IdRun(id_in(new_ids.many(1)[0], 0), 1) if how == "never there" else a.submit(expires=5.0)
    stored = b.submit(needs=[page.first])
    cluster.settle()
    if how == "cancelled":
        a.client.call("get_tasks", "cancel", [page.first])
    elif how == "purged":
        a.client.call("get_tasks", "purge", {"ids": [page.first, 1]})
    elif how == "expired":
        a.bench.advance(6)
    cluster.settle()
    assert b.state(stored) == "failed"
    word = {"purged": "is cancelled", "never there": "was deleted"}.get(how, f"is {how}")
    assert word in b.failure(stored).message
    cluster.settle()
    cluster.nothing_is_left()


def test_failures_are_collected_caught_or_counted_as_within_a_shard(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(3)
    all_of = b.submit(needs=[pages], on_error="collect")
    two_of = b.submit(needs=[pages], on_error=2)
    alarm = b.submit(needs=[pages], on_error="catch")
    quiet = b.submit(needs=[one(pages, 2)], on_error="catch")
    leased = a.lease()
    a.finish(leased[0], outcome=ERROR)
    a.finish(*leased[1:])
    cluster.settle()
    assert [b.state(run) for run in (all_of, two_of, alarm, quiet)] == [
        "ready",
        "ready",
        "ready",
        "cancelled",
    ]
    assert all_of.first in b.lease()
    assert [(state, len(bodies)) for _, state, bodies in b.carried(all_of)] == [(11, 1), (10, 2)]


def test_results_beyond_a_lease_are_given_in_pages(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(150)
    merged = b.submit(needs=[pages])
    leased = a.lease()
    a.finish(*leased, value="x" * 1_000)
    cluster.settle()
    assert b.lease() == [merged.first]
    assert b.carried(merged) == []
    attempt, lease = b.held[merged.first]
    ask = (("get_dependencies",), "results", merged.first, attempt, lease)
    rows = b.client.call(*ask, pages.first)
    assert [len(bodies) for _, _, bodies in rows] == [150]
    assert b.client.call(*ask, one(pages, 149).first) == [[one(pages, 149).first, 10, [encode("x" * 1_000)]]]


# what is carried


def test_rows_that_are_lost_late_or_carried_twice_count_once(cluster: Cluster) -> None:
    random = Random(7)  # noqa: S311 - the same every time
    carrier = Carrier(cluster.shards, random)
    a, b = cluster[0], cluster[1]
    for _ in range(12):
        pages = a.submit(random.randint(1, 4))
        merged = b.submit(needs=[pages], on_error="collect")
        last = a.submit(needs=[merged.first, pages.first])
        for _ in range(60):
            carrier.once()
            shard = random.choice(cluster.shards)
            shard.bench.step()
            if random.random() < 0.3:
                shard.run_all()
            ended = a.states(pages)
            if "succeeded" not in ended or "ready" in ended or "running" in ended:
                assert b.state(merged) == "blocked"
        for _ in range(3):
            cluster.settle()
            a.run_all()
            b.run_all()
        assert (b.state(merged), a.state(last)) == ("succeeded", "succeeded")
    cluster.settle()
    cluster.nothing_is_left()
    assert len(carrier.carried) > len({(here, row.number) for here, _, row in carrier.carried}), (
        "some came twice"
    )


def test_a_row_that_does_not_follow_is_left_out_until_those_before_it_come(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = [a.submit() for _ in range(3)]
    for page in pages:
        b.submit(needs=[page.first])
        b.bench.step()
    rows = b.edges.pending(0, 0, 99)
    first, *_, last = (row.number for row in rows)
    a.edges.received(1, rows[1:])
    assert a.edges.taken(1) == 0
    a.edges.received(1, rows[:1])
    a.edges.received(1, rows[2:])
    assert (a.edges.taken(1), a.edges.applied(1)) == (first, 0)
    a.edges.received(1, rows)
    a.bench.step()
    assert (a.edges.taken(1), a.edges.applied(1), a.tables()["promises"]) == (last, last, 3)


def test_rows_are_applied_in_portions_and_each_shard_has_its_turn(
    make_bench: Callable[..., Bench], new_store: Callable[[], SqliteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges_module, "APPLIED_TASKS", 2 * edges_module.ROW_COST)
    cluster = Cluster([new_store(), new_store(), new_store()])
    pages = [cluster[0].submit() for _ in range(4)]
    for page in pages:
        for shard in (1, 2):
            cluster[shard].submit(needs=[page.first])
    for shard in (1, 2):
        cluster[0].edges.received(shard, cluster[shard].edges.pending(0, 0, 99))
    cluster[0].bench.step()
    begun = [cluster[shard].edges.pending(0, 0, 1)[0].number for shard in (1, 2)]
    assert [cluster[0].edges.applied(shard) for shard in (1, 2)] == begun
    cluster.settle()
    assert cluster[0].tables()["promises"] == 8


def test_what_this_version_does_not_know_waits_and_is_said_once(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page = a.submit()
    a.edges.received(1, [EdgeRow(1, 99, pack(["of a later version"]))])
    assert not [a.bench.step() for _ in range(3)][-1].failed
    assert [fields["shard"] for action, fields in a.bench.reports if action == "edges.unknown"] == [1]
    assert a.edges.applied(1) == 0
    own = b.submit()
    assert b.run_all() == [own.first], "everything else goes on"
    assert a.run_all() == [page.first]


# failures


def test_nothing_of_a_transaction_that_failed_is_carried_or_counted(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]

    def fails() -> None:
        raise StoreError("disk full")

    page = a.submit()
    stored = b.submit(needs=[page.first])
    cluster.settle()
    [leased] = a.lease()
    a.worker.ask("get_dispatcher", "finish", [[leased, *a.held[leased], 0, encode("lost"), 0.0, 0.5, None]])
    a.bench.step(commit=fails)
    assert a.edges.pending(1, 0, 99) == ()
    cluster.restart(0)
    a.finish(leased, value="text")
    a.bench.step()
    b.edges.received(0, a.edges.pending(1, 0, 99))
    b.bench.step(commit=fails)
    assert (b.edges.applied(0), b.state(stored)) == (0, "blocked")
    b.bench.advance(5)
    cluster.settle()
    assert b.state(stored) == "ready"
    assert b.tables()["mirror"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_masters_that_start_again_at_any_moment_go_on_where_they_were(cluster: Cluster, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same every time
    carrier = Carrier(cluster.shards, random)
    a, b = cluster[0], cluster[1]
    pages = a.submit(5)
    merged = b.submit(needs=[pages])
    each = b.submit(5, each=pages)
    last = a.submit(needs=[merged.first, each])
    for _ in range(80):
        carrier.once()
        shard = random.randrange(2)
        cluster[shard].bench.step()
        if random.random() < 0.3:
            cluster[shard].run_all()
        if random.random() < 0.3:
            cluster.restart(shard)
    for _ in range(4):
        cluster.settle()
        a.run_all()
        b.run_all()
    assert (b.state(merged), set(b.states(each)), a.state(last)) == ("succeeded", {"succeeded"}, "succeeded")
    cluster.settle()
    cluster.nothing_is_left()


def test_a_long_answer_goes_on_after_a_restart(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges_module, "APPLIED_TASKS", 20)
    a, b = cluster[0], cluster[1]
    pages = a.submit(100)
    a.run_all()
    merged = b.submit(needs=[pages])
    a.edges.received(1, b.edges.pending(0, 0, 99))
    a.bench.step()
    assert 0 < a.bench.engine.store.edges.promises()[0].answered < 100
    cluster.restart(0)
    assert 0 < a.bench.engine.store.edges.promises()[0].answered < 100
    cluster.settle()
    assert b.run_all() == [merged.first]


# retries by hand, and what cannot be


def test_a_task_that_runs_again_is_waited_for_again(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(2)
    merged = b.submit(needs=[pages], on_error="collect")
    leased = a.lease()
    a.finish(leased[0], outcome=ERROR)
    cluster.settle()
    assert b.tables()["mirror"] == 1
    a.client.call("get_tasks", "retry", [leased[0]])
    a.finish(leased[1])
    cluster.settle()
    assert b.state(merged) == "blocked", "the first one runs again"
    assert a.run_all() == [leased[0]]
    cluster.settle()
    assert b.lease() == [merged.first]
    assert [(state, len(bodies)) for _, state, bodies in b.carried(merged)] == [(10, 2)]


def test_a_task_that_is_retried_asks_again(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page = a.submit()
    stored = b.submit(needs=[page.first])
    [leased] = a.lease()
    a.finish(leased, outcome=ERROR)
    cluster.settle()
    assert b.state(stored) == "failed"
    b.client.call("get_tasks", "retry", [stored.first])
    cluster.settle()
    assert b.state(stored) == "failed", "what it needs is still failed"
    a.client.call("get_tasks", "retry", [page.first])
    b.client.call("get_tasks", "retry", [stored.first])
    cluster.settle()
    assert b.state(stored) == "blocked"
    assert a.run_all() == [page.first]
    cluster.settle()
    assert b.run_all() == [stored.first]


def test_a_task_cannot_become_one_of_another_shard(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page, other = a.submit(), b.submit()
    assert a.lease() == [page.first]
    becomings = a.bench.engine.part(Becomings)
    outcome, body = becomings.judged(page.first, other.first, lambda route: True)
    assert b"of another shard" in body, outcome


def test_a_cluster_of_one_shard_refuses_what_is_not_there(graph: Graph) -> None:
    with pytest.raises(InvalidArgument, match="no task has the id"):
        graph.submit(needs=[id_in(new_ids.many(1)[0], 3)])


@pytest.fixture
def graph(bench: Bench) -> Graph:
    return Graph(bench)


def test_it_is_said_for_which_tasks_of_other_shards_a_task_waits_and_which_need_one(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages, own = a.submit(3), b.submit()
    merged = b.submit(needs=[pages, own.first])
    cluster.settle()
    why = b.client.call("get_tasks", "why", merged.first)["why"]
    assert "it waits for 4 of the 4 tasks that it needs (1 ready, 3 of shard 0)" in why
    b.run_all()
    why = b.client.call("get_tasks", "why", merged.first)["why"]
    assert "it waits for 3 of the 4 tasks that it needs (3 of shard 0); `tq why" in why
    assert show_id(pages.first) in why
    shown = b.client.call("get_dependencies", "of", merged.first)
    assert [row[:4] for row in shown["needs"]] == [[own.first, 1, b.queue, TASK]]
    assert shown["elsewhere"] == {"needs": [pages.to_wire()], "needed_in": []}
    [row] = a.client.call("get_dependencies", "rows", shown["elsewhere"]["needs"])
    assert row == [pages.first, 3, a.queue, TASK, [[StateNumber.READY, 3]]]
    shown = a.client.call("get_dependencies", "of", pages.first)
    assert shown["elsewhere"] == {"needs": [], "needed_in": [1]}
    assert [row[0] for row in b.client.call("get_dependencies", "needed_by", pages.first)] == [merged.first]
    assert a.bench.client(("other",)).call("get_dependencies", "rows", [pages.first]) == []
    a.run_all()
    cluster.settle()
    assert b.state(merged) == "ready"

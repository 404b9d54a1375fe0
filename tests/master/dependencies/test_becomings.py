"""Tasks that became others, as a worker reports them."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode, encode
from tq.common.values.failure import Failure
from tq.master.dependencies import becomings
from tq.master.dependencies.becomings import Becomings
from tq.master.dependencies.dependencies import Dependencies

from ..leased import each
from .conftest import ERROR, TASK, Graph, one

BECAME = int(OutcomeNumber.BECAME)
HASH = b"h" * 32


def report(graph: Graph, id: bytes, body: bytes) -> list[Any]:
    return [id, *graph.held.pop(id), BECAME, body, 0.0, 0.5, None]


def become(graph: Graph, id: IdRun, other: IdRun, cluster: bytes = b"") -> None:
    """The task, which is leased, returns the handle of the other one."""
    row = report(graph, id.first, other.first + cluster)
    assert graph.worker.call("get_dispatcher", "finish", [row]) == []


def pair(graph: Graph, **options: Any) -> tuple[IdRun, IdRun]:
    """A task that became another, which is ready."""
    first = graph.submit(**options)
    graph.lease()
    other = graph.submit()
    become(graph, first, other)
    return first, other


def shown(graph: Graph, run: IdRun) -> dict[str, Any]:
    found: dict[str, Any] = graph.client.call("get_tasks", "show", run.first)
    return found


def why(graph: Graph, run: IdRun) -> str:
    return str(shown(graph, run)["why"])


def recursion(graph: Graph, depth: int) -> list[IdRun]:
    """Tasks of which each became the next; the last one is leased."""
    runs = [graph.submit()]
    graph.lease()
    for _ in range(depth):
        runs.append(graph.submit())
        graph.lease()
        become(graph, runs[-2], runs[-1])
    return runs


@pytest.mark.parametrize("restart", [False, True])
def test_a_task_that_became_another_ends_with_its_result(graph: Graph, restart: bool) -> None:
    first, other = pair(graph)
    assert graph.states(first) + graph.states(other) == ["blocked", "ready"]
    assert graph.counts() == {"blocked": 1, "ready": 1}
    if restart:
        graph.restart()
    assert graph.lease() == [other.first], "the task itself holds no slot, and is not run"
    if restart:
        graph.restart()
    graph.finish(other.first, value=42)
    found = shown(graph, first)
    assert (graph.state(first), decode(found["result"])) == ("succeeded", 42)
    assert [row["outcome"] for row in found["attempts"]] == [BECAME]
    assert found["failures"] == 0
    assert graph.counts() == {"succeeded": 2}
    graph.restart()
    assert not graph.bench.engine.part(Becomings).are_open


@pytest.mark.parametrize("restart", [False, True])
def test_it_fails_with_the_failure_of_the_other_one_and_is_not_tried_again(
    graph: Graph, restart: bool
) -> None:
    first, other = pair(graph, retries=3)
    if restart:
        graph.restart()
    graph.lease()
    graph.finish(other.first, outcome=ERROR)
    assert graph.state(first) == "failed"
    assert graph.failure(first) == graph.failure(other)


def test_it_is_cancelled_and_expires_with_the_other_one(graph: Graph) -> None:
    first, other = pair(graph)
    graph.client.call("get_tasks", "cancel", [other.first])
    assert graph.state(first) == "cancelled"
    first = graph.submit()
    graph.lease()
    other = graph.submit(expires=5.0)
    become(graph, first, other)
    graph.bench.advance(6.0)
    assert graph.states(first) + graph.states(other) == ["expired", "expired"]


def test_it_has_begun_and_so_expires_no_more_by_itself(graph: Graph) -> None:
    first, other = pair(graph, expires=5.0)
    graph.bench.advance(6.0)
    assert graph.states(first) + graph.states(other) == ["blocked", "ready"]


def test_an_end_that_came_before_the_report_counts(graph: Graph) -> None:
    first, other = graph.submit(), graph.submit()
    graph.lease()
    graph.finish(other.first, value=7)
    become(graph, first, other)
    assert (graph.state(first), decode(shown(graph, first)["result"])) == ("succeeded", 7)


def test_a_repeated_report_changes_nothing_and_one_of_a_lost_lease_is_stale(graph: Graph) -> None:
    first = graph.submit()
    graph.lease()
    other = graph.submit()
    row = report(graph, first.first, other.first)
    for _ in range(2):
        assert graph.worker.call("get_dispatcher", "finish", [row]) == []
    assert graph.state(first) == "blocked"
    assert graph.worker.call("get_dispatcher", "finish", [[*row[:2], b"x" * 16, *row[3:]]]) == [0]
    graph.run_all()
    assert graph.worker.call("get_dispatcher", "finish", [row]) == []
    assert graph.counts() == {"succeeded": 2}


def test_a_cancel_of_one_that_waits_leaves_the_other_one(graph: Graph) -> None:
    first, other = pair(graph)
    graph.client.call("get_tasks", "cancel", [first.first])
    assert graph.states(first) + graph.states(other) == ["cancelled", "ready"]
    assert graph.failure(first).message == "", "it is a cancel like any other"
    graph.run_all()
    assert graph.states(first) + graph.states(other) == ["cancelled", "succeeded"]


def test_a_cancel_that_was_asked_for_while_it_ran_holds(graph: Graph) -> None:
    first = graph.submit()
    graph.lease()
    other = graph.submit()
    graph.client.call("get_tasks", "cancel", [first.first])
    become(graph, first, other)
    assert graph.states(first) + graph.states(other) == ["cancelled", "ready"]
    assert not graph.bench.engine.part(Becomings).are_open


def test_a_cancel_of_a_tree_takes_the_other_one_too(graph: Graph) -> None:
    first = graph.submit()
    graph.lease()
    _, lease = graph.held[first.first]
    other, parent = IdRun(new_ids(), 1), [first.first, lease]
    row = [other.first, encode([[], {}])]
    graph.client.call(
        ("get_task_queue", "default"), "submit", TASK, {}, [row], None, None, None, None, parent
    )
    become(graph, first, other)
    call = graph.client.ask("get_tasks", "cancel", [first.first], True, True)
    while call not in graph.client.answers:
        graph.bench.step()
    assert graph.states(first) + graph.states(other) == ["cancelled", "cancelled"]


def test_a_retry_by_hand_runs_the_function_again(graph: Graph) -> None:
    first, other = pair(graph)
    graph.lease()
    graph.finish(other.first, outcome=ERROR)
    graph.client.call("get_tasks", "retry", [first.first])
    assert graph.state(first) == "ready"
    assert graph.client.call("get_dependencies", "of", first.first)["became"] == []
    assert graph.lease() == [first.first]
    again = graph.submit()
    become(graph, first, again)
    graph.restart()
    graph.run_all()
    assert graph.states(first) + graph.states(other) == ["succeeded", "failed"]


def test_a_task_that_needs_it_gets_the_result_when_it_is_there(graph: Graph) -> None:
    first, other = pair(graph)
    after = graph.submit(needs=[first.first])
    assert graph.run_all() == [other.first]
    assert graph.lease() == [after.first]
    assert encode(None) in graph.payloads[after.first]


def test_what_it_needed_before_it_ran_does_not_make_it_ready_again(graph: Graph) -> None:
    pages = graph.submit(3)
    parsed = graph.submit(3, each=pages, on_error="collect")
    graph.lease()
    graph.finish(*pages.ids(), outcome=ERROR)
    graph.lease()
    other = graph.submit(3)
    for place in range(3):
        become(graph, one(parsed, place), one(other, place))
    graph.client.call("get_tasks", "retry", pages.ids())
    assert graph.states(parsed) == ["blocked"] * 3
    graph.lease()
    graph.finish(*pages.ids())
    graph.restart()
    assert graph.states(parsed) == ["blocked"] * 3
    graph.finish(*other.ids())
    assert graph.states(parsed) == ["succeeded"] * 3


def test_the_whole_chain_ends_and_after_a_restart_in_the_midst_of_it_too(graph: Graph) -> None:
    graph.bench.engine.part(Becomings).ended_at_once = 3
    runs = recursion(graph, 10)
    graph.finish(runs[-1].first, value="deep")
    states = [graph.state(run) for run in runs]
    assert states.count("succeeded") < len(runs), "a transaction ends a portion"
    graph.restart()
    for _ in range(5):
        graph.bench.step()
    assert [graph.state(run) for run in runs] == ["succeeded"] * len(runs)
    assert decode(shown(graph, runs[0])["result"]) == "deep"


def test_a_transaction_copies_results_of_so_many_bytes(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(becomings, "COPIED_BYTES", 1_000)
    runs = graph.submit(5)
    graph.lease()
    other = graph.submit()
    for id in runs.ids():
        become(graph, IdRun(id, 1), other)
    graph.lease()
    row = [other.first, *graph.held.pop(other.first), 0, encode("x" * 600), 0.0, 0.5, None]
    graph.worker.call("get_dispatcher", "finish", [row])
    assert graph.states(runs).count("succeeded") == 2
    for _ in range(3):
        graph.bench.step()
    assert graph.states(runs) == ["succeeded"] * 5


@pytest.mark.parametrize("policy", ["errors", "none"])
def test_what_is_kept_of_it_is_as_it_was_submitted(graph: Graph, policy: str) -> None:
    first, other = pair(graph, result=policy)
    graph.lease()
    graph.finish(other.first, value=42)
    assert decode(shown(graph, first)["result"]) is None
    failing, other = pair(graph, result=policy)
    graph.lease()
    graph.finish(other.first, outcome=ERROR)
    assert graph.failure(failing).type == ("NotKept" if policy == "none" else "ValueError")


def test_the_other_one_keeps_its_result_for_it(graph: Graph) -> None:
    first = graph.submit()
    graph.lease()
    other = graph.submit(result="none")
    become(graph, first, other)
    graph.lease()
    graph.finish(other.first, value=42)
    assert decode(shown(graph, first)["result"]) == 42


def test_it_names_the_content_of_the_result_too(graph: Graph) -> None:
    first, other = pair(graph)
    store = graph.bench.engine.store
    store.begin()
    store.blobs.put(HASH, 100, 0)
    store.commit()
    graph.lease()
    row = [other.first, *graph.held.pop(other.first), 0, b"result", 0.0, 0.5, None]
    graph.worker.call("get_dispatcher", "finish", [row], [[0, [HASH]]])
    assert graph.state(first) == "succeeded"
    assert store.blobs.find(HASH).refs == 2  # type: ignore[union-attr]


def test_what_it_became_is_kept_until_it_has_ended(graph: Graph) -> None:
    runs = recursion(graph, 2)
    graph.client.call("get_tasks", "cancel", [runs[1].first])  # the first one ends with it
    assert graph.states(runs[0]) + graph.states(runs[2]) == ["cancelled", "ready"]
    _, other = pair(graph)
    part = graph.bench.engine.part(Becomings)
    assert part.is_needed(other)
    assert not part.is_needed(runs[2])


# what is refused


def refused(graph: Graph, run: IdRun, message: str) -> None:
    assert graph.state(run) == "failed"
    failure = graph.failure(run)
    assert message in failure.message
    assert len(shown(graph, run)["attempts"]) == 1, "it is not tried again"


def test_a_handle_that_cannot_be_a_result_fails_the_task(graph: Graph) -> None:
    first = graph.submit(5, retries=3)
    graph.lease()
    itself, unknown, foreign, short = (one(first, place) for place in range(4))
    become(graph, itself, itself)
    refused(graph, itself, "it is its own")
    become(graph, unknown, IdRun(b"\1" * 16, 1))
    refused(graph, unknown, "no task has the id")
    graph.bench.engine.store.begin()
    graph.bench.engine.store.set_meta(becomings.CLUSTER_ID, b"mine")
    graph.bench.engine.store.commit()
    become(graph, foreign, graph.submit(), b"other")
    refused(graph, foreign, "is of another cluster")
    graph.worker.call("get_dispatcher", "finish", [report(graph, short.first, b"short")])
    refused(graph, short, "the report names no task")
    become(graph, one(first, 4), graph.submit(), b"mine")
    assert graph.state(one(first, 4)) == "blocked"


def test_the_key_of_the_worker_covers_the_queue_of_the_other_task(graph: Graph) -> None:
    first, other = graph.submit(), graph.submit(queue="secret")
    bound = graph.bench.worker(TASK, queues=("default",))
    lease, groups = bound.call("get_dispatcher", "lease", 1)
    [[id, attempt, *_]] = each(groups)
    row = [id, attempt, lease, BECAME, other.first, 0.0, 0.5, None]
    assert bound.call("get_dispatcher", "finish", [row]) == []
    refused(graph, first, "in a queue that the key of the worker may not use")


def test_no_task_waits_for_itself(graph: Graph) -> None:
    first, second = graph.submit(), graph.submit()
    graph.lease()
    become(graph, first, second)
    become(graph, second, first)
    refused(graph, second, f"task {show_id(first.first)} waits for this task in turn")
    assert graph.state(first) == "failed"
    first = graph.submit()
    graph.lease()
    middle = graph.submit(needs=[first.first])
    last = graph.submit(needs=[middle.first])
    become(graph, first, last)
    refused(graph, first, "waits for this task in turn")
    assert graph.states(middle) + graph.states(last) == ["failed", "failed"]


def test_a_circle_through_an_element_of_a_map_is_seen_and_its_neighbours_are_none(graph: Graph) -> None:
    pages = graph.submit(3)
    graph.lease()
    parsed = graph.submit(3, each=pages)
    become(graph, one(pages, 0), one(parsed, 1))
    assert graph.state(one(pages, 0)) == "blocked"
    become(graph, one(pages, 2), one(parsed, 2))
    refused(graph, one(pages, 2), "waits for this task in turn")
    become(graph, one(pages, 1), one(parsed, 0))
    refused(graph, one(pages, 1), "waits for this task in turn")


def test_what_is_too_much_to_look_through_is_refused(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(becomings, "LOOKS_MAX", 3)
    first, others = graph.submit(), [graph.submit() for _ in range(10)]
    graph.lease()
    for _ in range(5):
        graph.submit(needs=[first.first])
    other = graph.submit(needs=[run.first for run in others])
    become(graph, first, other)
    refused(graph, first, "waits for too many others")
    second = graph.submit()
    graph.lease()
    become(graph, second, other)
    assert graph.state(second) == "blocked", "nothing waits for it: that was seen at once"


@pytest.mark.parametrize("restart", [False, True])
def test_a_chain_has_a_bound(graph: Graph, monkeypatch: pytest.MonkeyPatch, restart: bool) -> None:
    monkeypatch.setattr(becomings, "CHAIN_MAX", 4)
    runs = recursion(graph, 4)
    graph.submit()
    [last] = graph.lease()
    if restart:
        graph.restart()
    become(graph, runs[4], IdRun(last, 1))
    refused(graph, runs[4], "more than 4 tasks would become one another in a chain")
    assert [graph.state(run) for run in runs] == ["failed"] * 5
    chains = recursion(graph, 2), recursion(graph, 2)
    become(graph, chains[0][-1], chains[1][0])
    refused(graph, chains[0][-1], "in a chain")


# what is shown


def test_both_say_so_and_why_names_what_it_waits_for(graph: Graph) -> None:
    first, other = pair(graph)
    of = graph.client.call("get_dependencies", "of", first.first)
    assert [row[0] for row in of["became"]] == [other.first]
    of = graph.client.call("get_dependencies", "of", other.first)
    assert [row[0] for row in of["became_it"]] == [first.first]
    assert why(graph, first).startswith(
        f"it became task {show_id(other.first)}: it ends as that does; of jobs:work"
    )
    body = shown(graph, first)["attempts"][0]["body"]
    assert Failure.decode(body).detail == {"became": show_id(other.first)}
    graph.run_all()
    of = graph.client.call("get_dependencies", "of", first.first)
    assert [row[0] for row in of["became"]] == [other.first]


def test_a_task_that_waits_inside_itself_lends_its_slot_to_what_another_became(graph: Graph) -> None:
    waiter = graph.submit()
    graph.lease()
    first = graph.submit()
    graph.lease()
    other, _ = graph.submit(), graph.submit()
    call = graph.worker.ask("get_dispatcher", "lend", waiter.first, [first.to_wire()], 5)
    graph.bench.step()
    assert call not in graph.worker.answers, "what it waits for runs"
    become(graph, first, other)
    _, groups = graph.worker.answer(call)
    assert [id for id, *_ in each(groups)] == [other.first]


def test_a_look_at_what_is_waited_for_follows_a_chain_in_one_step(graph: Graph) -> None:
    runs = recursion(graph, 10)
    part = graph.bench.engine.part(Dependencies)
    assert part.needs_of(runs[0].first) == part.needs_of(runs[9].first) == [runs[10]]
    assert f"; of jobs:work {show_id(runs[10].first)}: " in why(graph, runs[0])

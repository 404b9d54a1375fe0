"""Tasks that need others, in the engine: blocked, unblocked, fallen, retried, kept."""

from __future__ import annotations

import time

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import StateNumber
from tq.common.errors import Forbidden, InvalidArgument, QuotaExceeded, StoreError
from tq.common.values.codec import encode
from tq.common.values.needed import Carried
from tq.master.dependencies import decisions, dependencies, submits, unwritten
from tq.master.engine.accounts import LIMITS, Accounts, Resource

from ..conftest import Bench
from .conftest import ERROR, TASK, Graph, one

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here


def test_a_task_waits_until_what_it_needs_has_succeeded(graph: Graph) -> None:
    page = graph.submit()
    parsed = graph.submit(needs=[page.first])
    assert graph.state(parsed) == "blocked"
    assert graph.lease() == [page.first]
    graph.finish(page.first)
    assert graph.state(parsed) == "ready"
    assert graph.run_all() == [parsed.first]
    assert graph.counts() == {"succeeded": 2}


def test_what_has_ended_before_the_submit_counts_at_once(graph: Graph) -> None:
    page = graph.submit()
    graph.run_all()
    assert graph.state(graph.submit(needs=[page.first])) == "ready"
    bad = graph.submit()
    graph.lease()
    graph.finish(bad.first, outcome=ERROR)
    fallen = graph.submit(needs=[page.first, bad.first])
    assert graph.state(fallen) == "failed"


def test_a_whole_array_is_one_row_and_one_number(graph: Graph) -> None:
    pages = graph.submit(1_000)
    merged = graph.submit(needs=[pages])
    rows = graph.bench.engine.store.dependencies.open()
    assert [(row.left, row.missed, list(row.needs)) for row in rows] == [(1_000, 0, [pages])]
    for _ in range(9):
        graph.finish(*graph.lease(100))
    assert graph.bench.engine.store.dependencies.open()[0].left == 100
    assert graph.state(merged) == "blocked"
    graph.finish(*graph.lease(100))
    assert graph.state(merged) == "ready"


def test_elements_of_a_map_are_ready_as_soon_as_their_own_is(graph: Graph) -> None:
    pages = graph.submit(10)
    parsed = graph.submit(10, each=pages)
    leased = graph.lease()
    assert leased == pages.ids()
    graph.finish(*leased[3:6])
    graph.finish(leased[8], outcome=ERROR)
    assert graph.states(parsed) == ["blocked"] * 3 + ["ready"] * 3 + ["blocked"] * 2 + ["failed", "blocked"]
    assert graph.lease() == parsed.ids()[3:6]
    graph.finish(*leased[:3], *leased[6:8], leased[9])
    assert graph.states(parsed)[:3] == ["ready"] * 3
    failure = graph.failure(one(parsed, 8))
    assert failure.type == "DependencyFailed"
    assert failure.message == f"{'jobs:work'} {show_id(pages.ids()[8])} failed: ValueError: no such page"


def test_a_task_falls_with_the_first_that_fails_and_names_it(graph: Graph) -> None:
    pages = graph.submit(3)
    merged = graph.submit(needs=[pages])
    report = graph.submit(needs=[merged.first])
    leased = graph.lease()
    graph.finish(leased[1], outcome=ERROR)
    assert graph.state(merged) == graph.state(report) == "failed"
    said = graph.failure(merged).message
    assert said == (
        f"jobs:work {show_id(leased[1])} failed: ValueError: no such page (1 of the 3 tasks that it needs did not succeed)"
    )
    through = graph.failure(report)
    assert through.message == f"jobs:work {show_id(merged.first)} was not run: {said}"
    assert through.detail["culprit"] == show_id(leased[1])
    assert graph.counts() == {"failed": 3, "running": 2}


@pytest.mark.parametrize("how", ["cancelled", "expired", "purged"])
def test_whatever_ends_a_needed_task_without_a_result_ends_the_wait(graph: Graph, how: str) -> None:
    page = graph.submit(expires=5.0)
    parsed = graph.submit(needs=[page.first])
    if how == "cancelled":
        graph.client.call("get_tasks", "cancel", [page.first])
    elif how == "purged":
        graph.client.call("get_tasks", "purge", {"ids": [page.first, 1]})
    else:
        graph.bench.advance(6)
    assert graph.state(parsed) == "failed"
    word = {"purged": "was deleted"}.get(how, f"is {how}")
    assert word in graph.failure(parsed).message or "is cancelled" in graph.failure(parsed).message


def test_failures_are_collected_if_they_are_asked_for(graph: Graph) -> None:
    pages = graph.submit(3)
    merged = graph.submit(needs=[pages], on_error="collect")
    leased = graph.lease()
    graph.finish(*leased[:2], outcome=ERROR)
    assert graph.state(merged) == "blocked"
    graph.finish(leased[2])
    assert graph.lease() == [merged.first]
    carried = Carried(_body(graph.payloads[merged.first]))
    assert carried.collects
    assert [(row[1], len(row[2])) for row in carried.rows] == [(11, 2), (10, 1)]


def test_a_task_for_failures_runs_after_one_and_is_cancelled_where_there_is_none(graph: Graph) -> None:
    pages = graph.submit(3)
    alarm = graph.submit(needs=[pages], on_error="catch")
    alarms = graph.submit(3, each=pages, on_error="catch")
    for_one = graph.submit(needs=[pages.first], on_error="catch")
    leased = graph.lease()
    graph.finish(leased[0])
    assert graph.state(for_one) == "cancelled"
    assert graph.states(alarms) == ["cancelled", "blocked", "blocked"]
    graph.finish(leased[1], outcome=ERROR)
    assert graph.states(alarms) == ["cancelled", "ready", "blocked"]
    assert graph.state(alarm) == "blocked"
    graph.restart()
    graph.finish(leased[2])
    assert (graph.state(alarm), graph.states(alarms)) == ("ready", ["cancelled", "ready", "cancelled"])
    assert set(graph.lease()) == {alarm.first, alarms.ids()[1]}
    assert Carried(_body(graph.payloads[alarm.first])).collects
    assert graph.state(graph.submit(needs=[pages.first], on_error="catch")) == "cancelled"
    graph.client.call("get_tasks", "retry", [for_one.first])
    assert graph.state(for_one) == "cancelled"


def test_enough_successes_are_enough_when_all_have_ended(graph: Graph) -> None:
    pages = graph.submit(4)
    enough, too_few = graph.submit(needs=[pages], on_error=2), graph.submit(needs=[pages], on_error=3)
    leased = graph.lease()
    graph.finish(leased[0], outcome=ERROR)
    graph.finish(*leased[1:3])
    assert graph.states(enough) + graph.states(too_few) == ["blocked", "blocked"]
    graph.finish(leased[3], outcome=ERROR)
    assert graph.states(enough) + graph.states(too_few) == ["ready", "failed"]
    assert (
        "2 of the 4 tasks that it needs did not succeed, and 3 must succeed" in graph.failure(too_few).message
    )


def test_a_number_that_cannot_be_reached_is_refused_at_the_submit(graph: Graph) -> None:
    pages = graph.submit(4)
    with pytest.raises(InvalidArgument, match="needs only 4 other tasks"):
        graph.submit(needs=[pages], on_error=5)


def test_a_delay_counts_from_when_it_is_no_longer_blocked_and_expires_from_the_submit(graph: Graph) -> None:
    page = graph.submit()
    late, expiring = (
        graph.submit(needs=[page.first], delay=10.0),
        graph.submit(needs=[page.first], expires=8.0),
    )
    graph.bench.advance(7)
    graph.run_all()
    assert graph.states(late) + graph.states(expiring) == ["scheduled", "ready"]
    graph.bench.advance(4)
    assert graph.states(late) + graph.states(expiring) == ["scheduled", "expired"]
    graph.bench.advance(7)
    assert graph.state(late) == "ready"


def test_what_the_tasks_of_a_call_and_of_a_key_need_is_bounded_by_runs(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [graph.submit().first for _ in range(3)]
    monkeypatch.setattr(submits, "NEEDS_MAX", 6)
    row = [[0, pages], [0, pages[:2]]]
    with pytest.raises(InvalidArgument, match="2 tasks of one call need 5 runs of tasks, together at most 6"):
        graph.client.call(
            "get_task_queue/default", "submit", TASK, {}, [[new_ids(), b"", needs] for needs in row]
        )
    account = graph.client.session.account = Accounts().of("a")
    graph.submit(needs=pages)
    account.note(Resource.NEEDS, LIMITS[Resource.NEEDS].key - 5)
    with pytest.raises(QuotaExceeded, match="runs of tasks that others wait for"):
        graph.submit(needs=pages)
    graph.submit(needs=pages[:2])


def test_unknown_tasks_and_those_of_other_queues_are_refused_alike(graph: Graph) -> None:
    hidden = graph.submit(queue="other")
    stranger = graph.bench.client(("default",))
    for id in (hidden.first, new_ids()):
        with pytest.raises(InvalidArgument, match=f"no task has the id {show_id(id)}, which is needed"):
            graph.submit(needs=[id], client=stranger)
    pages = graph.submit(3)
    with pytest.raises(InvalidArgument, match="no task has the id"):
        graph.submit(needs=[IdRun(pages.first, 4)])


def test_a_submit_that_is_repeated_is_the_same_though_its_needs_are_deleted(graph: Graph) -> None:
    page = graph.submit()
    parsed = graph.submit(needs=[page.first])
    graph.run_all(), graph.run_all()
    graph.client.call("get_tasks", "purge", {"ids": [page.first, 1]})
    assert graph.states(page) == ["unknown"]
    graph.submit(needs=[page.first], first=parsed.first)
    assert graph.state(parsed) == "succeeded"


def test_what_a_task_needs_is_kept_until_it_has_ended(graph: Graph) -> None:
    page, other = graph.submit(), graph.submit()
    parsed = graph.submit(needs=[page.first])
    graph.finish(*graph.lease())
    graph.client.call("get_tasks", "purge", {"states": [10]})
    assert graph.states(page) + graph.states(other) == ["succeeded", "unknown"]
    graph.run_all()
    assert graph.state(parsed) == "succeeded"
    graph.client.call("get_tasks", "purge", {"states": [10]})
    assert graph.states(page) + graph.states(parsed) == ["unknown", "unknown"]
    assert not graph.part.known.own
    assert not graph.part.known.needed
    assert not graph.bench.engine.store.dependencies._all("any_dependent")[0][0]  # type: ignore[attr-defined]


def test_a_retry_waits_again_for_what_runs_again(graph: Graph) -> None:
    page = graph.submit()
    parsed = graph.submit(needs=[page.first])
    graph.lease()
    graph.finish(page.first, outcome=ERROR)
    assert graph.state(parsed) == "failed"
    graph.client.call("get_tasks", "retry", [parsed.first])
    assert graph.state(parsed) == "failed"
    rows = graph.client.call("get_tasks", "retry", [parsed.first, page.first])
    assert dict(rows) == {parsed.first: 2, page.first: 0}
    graph.run_all()
    assert graph.run_all() == [parsed.first]
    assert graph.counts() == {"succeeded": 2}


def test_elements_that_fell_are_retried_by_themselves(graph: Graph) -> None:
    pages = graph.submit(5)
    parsed = graph.submit(5, each=pages)
    leased = graph.lease()
    graph.finish(*leased[:2], outcome=ERROR)
    assert graph.states(parsed) == ["failed"] * 2 + ["blocked"] * 3
    graph.client.call("get_tasks", "retry", [leased[0], parsed.first])
    assert graph.states(parsed) == ["blocked", "failed"] + ["blocked"] * 3
    graph.finish(*leased[2:], *graph.lease())
    assert graph.states(parsed) == ["ready", "failed"] + ["ready"] * 3


def test_nothing_is_counted_twice_when_a_needed_task_is_retried(graph: Graph) -> None:
    bad, slow = graph.submit(), graph.submit()
    both = graph.submit(needs=[bad.first, slow.first], on_error="collect")
    graph.lease()
    graph.finish(bad.first, outcome=ERROR)
    graph.client.call("get_tasks", "retry", [bad.first])
    graph.lease()
    graph.finish(bad.first)
    assert graph.state(both) == "blocked"
    graph.finish(slow.first)
    assert graph.state(both) == "ready"


def test_what_is_submitted_while_the_store_is_in_trouble_is_written_whole(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submits are written later in such a transaction, when other parts have settled."""
    bad = graph.submit()
    graph.lease()
    graph.finish(bad.first, outcome=ERROR)
    dependencies_of_store = graph.bench.engine.store.dependencies

    def fail() -> None:
        raise StoreError("the disk says no")

    graph.client.ask("get_task_queue", "submit", TASK, {}, [[new_ids(), b""]])
    graph.bench.step(commit=fail)
    graph.connect()
    assert graph.bench.engine.trouble.since is not None
    graph.submit(needs=[bad.first])
    assert dependencies_of_store.open() == []
    monkeypatch.setattr(dependencies, "DECIDED_MAX", 1)
    three = graph.submit(3, needs=[bad.first])
    assert graph.bench.engine.trouble.since is not None
    graph.restart()
    for _ in range(3):
        graph.bench.step()
    assert set(graph.states(three)) == {"failed"}
    assert dependencies_of_store.open() == []


def test_a_long_chain_falls_in_portions_and_a_restart_in_between_loses_nothing(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "DECIDED_MAX", 20 * decisions.FALL_COST)
    first = last = graph.submit()
    for _ in range(50):
        last = graph.submit(needs=[last.first])
    graph.client.ask("get_tasks", "cancel", [first.first])
    graph.bench.step()
    assert graph.state(last) == "blocked"
    graph.restart()
    for _ in range(5):
        graph.bench.step()
    assert graph.state(last) == "failed"
    assert graph.counts() == {"cancelled": 1, "failed": 50}


@pytest.mark.parametrize("behind", [1_000, 0])
def test_counts_that_are_too_many_for_one_transaction_are_in_their_rows_later_after_a_restart_too(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    monkeypatch.setattr(unwritten, "WRITTEN_MAX", 10)
    monkeypatch.setattr(unwritten, "BEHIND_MAX", behind)
    root, other = graph.submit(), graph.submit()
    waiting = [graph.submit(needs=[root.first, other.first]) for _ in range(50)]
    store = graph.bench.engine.store

    def left() -> list[int]:
        return sorted(row.left for row in store.dependencies.open())

    graph.lease()
    graph.finish(root.first)
    assert left() == [1] * 10 + [2] * 40
    graph.restart()
    assert {dependent.left for _, _, dependent in graph.part.known.needed.over(other)} == {1}
    while graph.bench.engine.has_work:
        graph.bench.step()
    assert left() == [1] * 50
    graph.finish(other.first)
    while graph.bench.engine.has_work:
        graph.bench.step()
    assert sorted(graph.lease()) == sorted(one.first for one in waiting)


def test_results_are_given_to_who_holds_the_lease_and_to_no_one_else(graph: Graph) -> None:
    pages = graph.submit(250)
    merged = graph.submit(needs=[pages])
    graph.finish(*graph.lease(), value="x" * 100)
    assert graph.lease() == [merged.first]
    attempt, lease = graph.held[merged.first]
    rows = graph.client.call("get_dependencies", "results", merged.first, attempt, lease, pages.first)
    assert [(first, state, len(bodies)) for first, state, bodies in rows] == [(pages.first, 10, 250)]
    assert rows[0][2][0] == encode("x" * 100)
    rest = graph.client.call("get_dependencies", "results", merged.first, attempt, lease, pages.ids()[200])
    assert len(rest[0][2]) == 50
    with pytest.raises(Forbidden):
        graph.client.call("get_dependencies", "results", merged.first, attempt, b"x" * 16, pages.first)
    with pytest.raises(InvalidArgument):
        graph.client.call("get_dependencies", "results", merged.first, attempt, lease, new_ids())
    graph.finish(merged.first)
    with pytest.raises(Forbidden):
        graph.client.call("get_dependencies", "results", merged.first, attempt, lease, pages.first)


def test_a_key_that_does_not_cover_a_queue_does_not_see_its_tasks_among_needs(graph: Graph) -> None:
    page = graph.submit(queue="other")
    parsed = graph.submit(needs=[page.first])
    shown = graph.client.call("get_dependencies", "of", parsed.first)
    assert [row[:4] for row in shown["needs"]] == [[page.first, 1, "other", "jobs:work"]]
    assert [row[0] for row in graph.client.call("get_dependencies", "of", page.first)["needed_by"]] == [
        parsed.first
    ]
    assert graph.bench.client(("default",)).call("get_dependencies", "of", parsed.first)["needs"] == []


def test_who_asks_before_it_submits_learns_which_tasks_are_not_there_or_not_for_its_key(graph: Graph) -> None:
    pages, other = graph.submit(3), graph.submit(queue="other")
    beyond = IdRun(pages.first, 5)
    never = new_ids()
    asked = [one.to_wire() for one in (pages, beyond, other)] + [never]
    assert graph.client.call("get_dependencies", "missing", asked) == [pages.behind, never]
    assert graph.bench.client(("default",)).call("get_dependencies", "missing", asked) == [
        pages.behind,
        other.first,
        never,
    ]
    assert graph.client.call("get_dependencies", "missing", []) == []
    with pytest.raises(InvalidArgument, match="ask in portions"):
        graph.client.call("get_dependencies", "missing", [[pages.first, 10_001]])


def _body(payload: bytes) -> bytes:
    import msgpack

    made = msgpack.unpackb(payload)
    assert made.code == 20
    return bytes(made.data)


def test_very_many_that_need_one_task_are_counted_in_a_time_that_grows_with_their_number(
    bench: Bench,
) -> None:
    client, root = bench.client(), b"\x21" * 16
    client.call("get_task_queue/q", "submit", "m:f", {}, [[root, b""]])
    far = [b"\x31" * 12 + (2 * place).to_bytes(4, "big") for place in range(10_000)]
    for start in range(0, 10_000, 5_000):
        rows = [[id, b"", [0, [root]]] for id in far[start : start + 5_000]]
        client.call("get_task_queue/q", "submit", "m:f", {}, rows)
    began = time.thread_time()
    client.ask("get_tasks", "cancel", [root])
    retried = client.ask("get_tasks", "retry", [root])
    bench.step()
    assert time.thread_time() - began < 0.3  # it took a second, and four times that with twice as many
    assert client.answer(retried) == [[root, StateNumber.READY]]
    while bench.engine.has_work:
        bench.step()
    assert client.call("get_tasks", "states", far[:1]) == [[far[0], StateNumber.BLOCKED]]


@pytest.mark.parametrize("size", [1, 3])
def test_a_result_that_another_task_needs_is_kept_though_its_own_options_drop_it(
    graph: Graph, size: int
) -> None:
    pages, others = graph.submit(size, result="errors"), graph.submit(size, result="errors")
    graph.submit(needs=[pages])
    for id in graph.lease():
        graph.finish(id, value="page")
    kept = [
        [graph.client.call("get_tasks", "show", id)["result"] for id in run.ids()] for run in (pages, others)
    ]
    assert kept == [[encode("page")] * size, [encode(None)] * size]

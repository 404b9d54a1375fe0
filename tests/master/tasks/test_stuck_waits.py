"""A task that waits, inside itself, for a permit that it would keep without end is refused; one that waits for others' is not."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.limits import Limit
from tq.common.domain.model import OutcomeNumber
from tq.common.errors import InvalidArgument
from tq.master.tasks.lent_slots import LOOKS_MAX

from ..conftest import Bench, Peer
from ..in_lanes import DISPATCHER, submit
from ..in_limits import declare, finish, granted, under
from .test_mixed import submit as submit_map


def lend(worker: Peer, waiter: bytes, *ids: bytes, want: int = 1) -> int:
    """The call of a task that waits for these."""
    call = worker.ask(DISPATCHER, "lend", waiter, [IdRun(id, 1).to_wire() for id in ids], want)
    worker.bench.step()
    return call


def lent(answer: Any) -> list[bytes]:
    return [entry[0] for group in answer[1] for entry in group[3]]


def test_a_parent_that_has_the_only_permit_of_what_it_waits_for_is_refused_with_what_to_do(
    bench: Bench,
) -> None:
    declare(bench, Limit("smtp", max_running=1))
    [parent] = submit(bench, under("smtp"))
    worker = bench.worker("m:f")
    granted(worker, 1)
    [child] = submit(bench, under("smtp"))
    call = lend(worker, parent, child)
    with pytest.raises(
        InvalidArgument, match=r"held back by limit 'smtp', of which at most 1 may run.*Return the handle"
    ):
        worker.answer(call)


@pytest.mark.parametrize("want", [0, 1], ids=["a look", "a lease"])
def test_parents_that_have_all_permits_together_are_refused_when_the_last_one_waits_and_not_before(
    bench: Bench, want: int
) -> None:
    declare(bench, Limit("smtp", max_running=2))
    parents = submit(bench, under("smtp"), 2)
    worker = bench.worker("m:f")
    assert granted(worker, 2)[1] == parents
    children = submit(bench, under("smtp"), 2)
    first = lend(worker, parents[0], children[0], want=want)
    bench.advance(2)
    assert first not in worker.answers, "the other one may end, and give its permit back"
    last = lend(worker, parents[1], children[1], want=want)
    with pytest.raises(InvalidArgument, match="wait themselves"):
        worker.answer(last)
    bench.advance(2)
    assert first not in worker.answers, "the task that was refused ends, and gives its permit back"


def test_a_wait_that_the_end_of_another_task_ends_is_not_refused(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=2))
    parent, other = submit(bench, under("smtp"), 2)
    worker = bench.worker("m:f")
    lease, _ = granted(worker, 2)
    [child] = submit(bench, under("smtp"))
    call = lend(worker, parent, child)
    bench.advance(2)
    assert call not in worker.answers
    finish(worker, lease, [other])
    assert lent(worker.answer(call)) == [child]


def test_a_task_that_waits_for_one_that_waits_for_its_permit_is_refused_in_the_end(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    [parent], [middle] = submit(bench, under("smtp")), submit(bench, under("other"))
    worker = bench.worker("m:f")
    granted(worker, 2)
    first = lend(worker, parent, middle)
    [child] = submit(bench, under("smtp"))
    last = lend(worker, middle, child)
    with pytest.raises(InvalidArgument, match="limit 'smtp'"):
        worker.answer(last)
    assert first not in worker.answers


def test_another_key_of_the_limit_and_one_that_was_raised_meanwhile_are_no_reason(bench: Bench) -> None:
    declare(bench, Limit("host", max_running=1))
    [parent], [busy] = submit(bench, under("host", "a")), submit(bench, under("host", "b"))
    worker = bench.worker("m:f")
    lease, _ = granted(worker, 2)
    [child] = submit(bench, under("host", "b"))
    call = lend(worker, parent, child)
    bench.advance(2)
    assert call not in worker.answers
    finish(worker, lease, [busy])
    assert lent(worker.answer(call)) == [child]


def test_of_several_that_are_waited_for_one_that_can_go_on_is_enough(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    [parent], [free] = submit(bench, under("smtp")), submit(bench, under("other"))
    worker = bench.worker("m:f")
    granted(worker, 2)
    [child] = submit(bench, under("smtp"))
    call = lend(worker, parent, child, free)
    bench.advance(2)
    assert call not in worker.answers, "its result may be what it waits for"


def test_what_is_not_there_yet_may_go_on(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    [parent] = submit(bench, under("smtp"))
    worker = bench.worker("m:f")
    granted(worker, 1)
    [child] = submit(bench, under("smtp"))
    call = lend(worker, parent, child, new_ids())
    bench.advance(2)
    assert call not in worker.answers


def test_tasks_of_a_map_whose_keys_alternate_are_looked_at_by_their_own_keys(bench: Bench) -> None:
    parents = submit_map(bench, "ab")
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    assert given == parents
    children = submit_map(bench, "ab")
    both = lend(worker, parents[0], *children)
    bench.advance(2)
    assert both not in worker.answers, "the second one goes on when the other parent has ended"
    with pytest.raises(InvalidArgument, match="limit 'one' of key 'b'"):
        worker.answer(lend(worker, parents[1], children[1]))
    finish(worker, lease, [parents[1]])
    assert lent(worker.answer(both)) == [children[1]]


def test_tasks_of_a_map_which_wait_for_all_keys_of_each_other_are_refused_in_the_end(bench: Bench) -> None:
    parents = submit_map(bench, "ab")
    worker = bench.worker("m:f", slots=9)
    granted(worker, 9)
    children = submit_map(bench, "ba")
    first = lend(worker, parents[0], *children)
    with pytest.raises(InvalidArgument, match="limit 'one' of key 'b'"):
        worker.answer(lend(worker, parents[1], *children))
    assert first not in worker.answers


def become(worker: Peer, lease: bytes, id: bytes, other: bytes) -> None:
    """A task returns the handle of another one."""
    row = [id, 1, lease, int(OutcomeNumber.BECAME), other, 0.0, 0.0, None]
    assert worker.call(DISPATCHER, "finish", [row]) == []


def started(bench: Bench, count: int) -> tuple[Peer, bytes, list[bytes]]:
    """Tasks that run, without any limit."""
    ids = submit(bench, under("none"), count)
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    assert given == ids
    return worker, lease, ids


CIRCLE = "waits, itself or by what it waits for, for this task, which waits for it"


def test_a_task_whose_handle_is_returned_by_what_it_waits_for_is_refused(bench: Bench) -> None:
    worker, lease, [parent, child] = started(bench, 2)
    call = lend(worker, parent, child)
    assert call not in worker.answers
    become(worker, lease, child, parent)
    bench.advance(1)
    with pytest.raises(InvalidArgument, match=CIRCLE):
        worker.answer(call)


def test_a_task_that_waits_for_what_has_returned_its_handle_is_refused(bench: Bench) -> None:
    worker, lease, [parent, child] = started(bench, 2)
    become(worker, lease, child, parent)
    with pytest.raises(InvalidArgument, match=CIRCLE):
        worker.answer(lend(worker, parent, child))


def test_two_that_wait_for_each_other_are_refused_when_the_second_one_waits(bench: Bench) -> None:
    worker, lease, [one, other] = started(bench, 2)
    first = lend(worker, one, other)
    with pytest.raises(InvalidArgument, match=CIRCLE):
        worker.answer(lend(worker, other, one))
    finish(worker, lease, [other])
    bench.advance(2)
    assert first not in worker.answers, "its wait ends with the task, which its worker learns as ever"


@pytest.mark.parametrize("closed_by", ["a wait", "a handle"])
def test_a_circle_over_what_became_and_what_waits_is_seen_whichever_closes_it(
    bench: Bench, closed_by: str
) -> None:
    worker, lease, [parent, child, far] = started(bench, 3)
    become(worker, lease, child, far)
    call = lend(worker, parent, child)
    bench.advance(1)
    assert call not in worker.answers, "what it became runs"
    if closed_by == "a wait":
        call = lend(worker, far, parent)
    else:
        become(worker, lease, far, parent)
        bench.advance(1)
    with pytest.raises(InvalidArgument, match=CIRCLE):
        worker.answer(call)


def test_one_that_waits_for_others_too_is_refused_when_all_of_them_wait_for_it(bench: Bench) -> None:
    worker, lease, [parent, child, other] = started(bench, 3)
    call = lend(worker, parent, child, other)
    become(worker, lease, child, parent)
    bench.advance(2)
    assert call not in worker.answers, "the other one may be what it waits for first"
    become(worker, lease, other, parent)
    bench.advance(1)
    with pytest.raises(InvalidArgument, match=CIRCLE):
        worker.answer(call)


def test_a_wait_for_what_became_another_goes_on_when_that_is_ready(bench: Bench) -> None:
    worker, lease, [parent, child] = started(bench, 2)
    [ready] = submit(bench, under("none"))
    call = lend(worker, parent, child)
    become(worker, lease, child, ready)
    bench.advance(1)
    assert lent(worker.answer(call)) == [ready]


def test_many_waits_that_a_limit_holds_back_are_no_work_until_it_has_room(bench: Bench) -> None:
    """More than one transaction looks at: each look would ask for another transaction, without end and without a pause."""
    declare(bench, Limit("smtp", max_running=1))
    parents = submit(bench, under("other"), 3 * LOOKS_MAX)
    worker = bench.worker("m:f")
    granted(worker, len(parents))
    [running] = submit(bench, under("smtp"))
    lease, _ = granted(worker, 1)
    children = submit(bench, under("smtp"), len(parents))
    calls = [lend(worker, parent, child) for parent, child in zip(parents, children, strict=True)]
    steps = 0
    while bench.engine.has_work and steps < 100:
        bench.step()
        steps += 1
    assert steps < 100, "it turns without end"
    assert not set(calls) & set(worker.answers)
    finish(worker, lease, [running])
    while bench.engine.has_work:
        bench.step()
    assert len(set(calls) & set(worker.answers)) == 1

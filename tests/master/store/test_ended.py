"""The attempts that ended in a span of time, wherever they stand: in a task's row, in a slice, in a row of their own."""

from __future__ import annotations

from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.store import Store

from .tasks import LEASE, NOW, as_array, ended, id_of, insert, task, within

RUNNING = StateNumber.RUNNING
ALWAYS = 0, NOW * 2


def succeed(store: Store, seq: int, at: int) -> None:
    within(store, lambda: store.succeed([(b"", at - 7, at, seq, 1, LEASE)]))


def seqs(store: Store, since: int, until: int, most: int = 99) -> list[int]:
    return [row.seq for row in store.ended.between(since, until, most)[0]]


def test_a_success_is_found_by_when_it_ended_and_says_when_it_began(store: Store, route: int) -> None:
    insert(store, *(task(seq, route, RUNNING) for seq in (1, 2, 3)))
    for seq in (1, 2):
        succeed(store, seq, NOW + seq * 100)
    assert seqs(store, *ALWAYS) == [2, 1], "the last one first; the third has not ended"
    assert seqs(store, NOW + 101, NOW + 200) == [], "from the first moment on, and before the last one"
    assert seqs(store, NOW + 100, NOW + 201) == [2, 1]
    [row] = store.ended.between(NOW + 150, NOW + 999, 9)[0]
    assert (row.id, row.route, row.worker, row.attempt) == (id_of(2), route, 1, 1)
    assert (row.outcome, row.started, row.ended, row.seconds) == (0, NOW + 193, NOW + 200, 0.007)


def test_tasks_with_a_time_of_their_own_are_found_like_all_others(store: Store, route: int) -> None:
    insert(store, task(1, route, RUNNING, ttl=5_000), task(2, route, RUNNING))
    for seq in (1, 2):
        succeed(store, seq, NOW + seq)
    assert seqs(store, *ALWAYS) == [2, 1]


def test_an_attempt_that_failed_is_found_once_also_if_it_was_the_last_one(store: Store, route: int) -> None:
    insert(store, task(1, route, RUNNING), task(2, route, RUNNING))
    within(
        store,
        lambda: store.end_attempts(
            [
                ended(1, StateNumber.FAILED, ended=NOW + 9, finished=NOW + 9),
                ended(2, StateNumber.SCHEDULED, ended=NOW + 8, due=NOW + 50),
            ]
        ),
    )
    rows = store.ended.between(*ALWAYS, 9)[0]
    assert [(row.seq, row.outcome) for row in rows] == [
        (1, int(OutcomeNumber.ERROR)),
        (2, int(OutcomeNumber.ERROR)),
    ]


def test_neighbours_of_an_array_that_were_reported_together_are_one_row(store: Store, route: int) -> None:
    insert(store, as_array(task(1, route), [(seq, id_of(seq), b"") for seq in range(1, 9)]))
    within(store, lambda: store.lease([route], 8, None, LEASE, 7, NOW))
    within(
        store,
        lambda: store.slices.succeed(
            [
                SucceededSlice(1, 5, 1, LEASE, NOW + 900, [0.125] * 4, [None] * 4),
                SucceededSlice(6, 7, 1, LEASE, NOW + 950, [0.5], [b"x"]),
            ]
        ),
    )
    alone, together = store.ended.between(*ALWAYS, 9)[0]
    assert (together.id, together.tasks, together.worker, together.seconds) == (id_of(1), 4, 7, 0.5)
    assert (together.started, together.ended) == (NOW, NOW + 900), "from when they were leased"
    assert (alone.id, alone.tasks, alone.started, alone.ended) == (id_of(6), 1, NOW + 450, NOW + 950)


def test_what_was_not_begun_is_not_there(store: Store, route: int) -> None:
    insert(store, task(1, route), task(2, route, RUNNING))
    within(store, lambda: store.cancel_waiting([1], NOW + 5))
    within(store, lambda: store.end_attempts([ended(2, StateNumber.FAILED, started=None, finished=NOW + 6)]))
    assert seqs(store, *ALWAYS) == []


def test_a_part_of_too_many_is_the_last_ones_and_says_so(store: Store, route: int) -> None:
    insert(store, *(task(seq, route, RUNNING) for seq in range(1, 6)))
    for seq in range(1, 6):
        succeed(store, seq, NOW + seq)
    rows, is_whole = store.ended.between(*ALWAYS, 3)
    assert ([row.seq for row in rows], is_whole) == ([5, 4, 3], False)
    assert store.ended.between(*ALWAYS, 6)[1], "all of them"


def test_a_worker_is_known_by_its_number(store: Store) -> None:
    number = within(store, lambda: store.put_worker(b"n" * 16, "crow", 5, NOW))
    assert store.ended.worker(number) == (b"n" * 16, "crow")  # type: ignore[arg-type]
    assert store.ended.worker(999) is None

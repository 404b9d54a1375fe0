"""In which order the tasks of a queue start."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument
from tq.master.tasks.route import LaneKey

from tests.sampling import sampled

from ..conftest import Bench, Peer
from ..in_lanes import A, B, submit
from ..in_limits import granted, leased
from .test_mixed import submit as submit_map

SLICED = 5  # tasks of an array in the random life


def order(bench: Bench, how: str | None = None, aging: float | None = None, queue: str = "q") -> None:
    bench.client(role=Role.ADMIN).call("get_queues", "set", queue, None, how, aging)


def by_client(client: Peer, count: int = 1, queue: str = "q", **options: Any) -> list[bytes]:
    """Submitted as a program does: an array if there are several."""
    ids = list(IdRun(new_ids(), count).ids()) if count > 1 else [new_ids()]
    tasks = [[ids[0], [b"\x92\x90\x80"] * count]] if count > 1 else [[ids[0], b"\x92\x90\x80"]]
    client.call(f"get_task_queue/{queue}", "submit", "m:f", options, tasks)
    return ids


def one_by_one(worker: Peer, count: int) -> list[bytes]:
    return [id for _ in range(count) for id in leased(worker, 1)]


def test_with_lifo_what_was_submitted_last_starts_first_within_its_priority(bench: Bench) -> None:
    early, late = submit(bench, LaneKey(), 2)
    [urgent] = submit(bench, LaneKey(), priority=1)
    order(bench, "lifo")
    newest = submit(bench, A)
    worker = bench.worker("m:f", slots=9)
    assert one_by_one(worker, 4) == [urgent, *newest, late, early]


def test_with_lifo_the_last_tasks_of_an_array_start_first(bench: Bench) -> None:
    order(bench, "lifo")
    ids = by_client(bench.client(), 6)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 1) == [ids[5]]
    assert leased(worker, 2) == [
        ids[3],
        ids[4],
    ]  # what one worker is given at once it runs in the order of the submit
    newest = by_client(bench.client(), 1)
    assert one_by_one(worker, 4) == [*newest, ids[2], ids[1], ids[0]]


def test_a_queue_goes_back_to_fifo(bench: Bench) -> None:
    ids = submit(bench, LaneKey(), 3)
    worker = bench.worker("m:f", slots=9)
    order(bench, "lifo")
    assert leased(worker, 1) == [ids[2]]
    order(bench, "fifo")
    assert leased(worker, 9) == ids[:2]


def test_the_order_of_a_queue_survives_a_restart_and_is_shown(bench: Bench) -> None:
    order(bench, "lifo")
    order(bench, aging=600.0, queue="slow")
    ids = submit(bench, LaneKey(), 2)
    after = Bench(bench.engine.store, now=bench.now)  # type: ignore[arg-type]
    shown = {row["name"]: row for row in after.client(role=Role.ADMIN).call("get_queues", "list")}
    assert (shown["q"]["order"], shown["q"]["aging"]) == ("lifo", 0)
    assert (shown["slow"]["order"], shown["slow"]["aging"]) == ("fifo", 600)
    assert one_by_one(after.worker("m:f", slots=9), 2) == ids[::-1]


def test_what_has_waited_for_a_step_of_aging_goes_before_a_priority_that_is_one_higher(bench: Bench) -> None:
    order(bench, aging=600.0)
    low = submit(bench, LaneKey())
    bench.advance(590)
    between = submit(bench, LaneKey(), priority=2)
    bench.advance(610)
    late = submit(bench, LaneKey(), priority=2)  # two periods later than the first
    worker = bench.worker("m:f", slots=9)
    assert one_by_one(worker, 3) == [*between, *low, *late]


def test_nothing_waits_longer_than_its_bound_while_others_of_a_higher_priority_keep_coming(
    bench: Bench,
) -> None:
    order(bench, aging=60.0)
    worker = bench.worker("m:f", slots=1)
    [low] = submit(bench, LaneKey())
    waited = 0
    while True:
        submit(bench, LaneKey(), 2, priority=3)  # twice as many as start
        if leased(worker, 1) == [low]:
            break
        bench.advance(10)
        waited += 10
        assert waited < 10_000, "it starves"
    started = waited // 10
    # What was submitted within 3 × 60 s goes before it, and all of that had to start first, one in ten seconds.
    assert started <= 2 * (180 // 10 + 6)


def test_lanes_that_wait_are_aged_when_a_period_begins(bench: Bench) -> None:
    order(bench, aging=60.0)
    low = submit(bench, A)
    worker = bench.worker("m:f", slots=9)
    high = submit(bench, B, priority=2)
    assert leased(worker, 1) == high  # both lanes are looked up by now, and stand in line
    bench.advance(181)
    late = submit(bench, LaneKey("c"), priority=2)
    assert one_by_one(worker, 2) == [*low, *late]


def test_an_earlier_deadline_starts_first_within_a_priority_and_before_what_has_none(bench: Bench) -> None:
    client = bench.client()
    plain, none = by_client(client), by_client(client, 3)
    far, near = by_client(client, deadline=600), by_client(client, 3, deadline=30.0)
    moment = by_client(client, deadline=bench.now.wall / 1000 + 60)
    urgent = by_client(client, priority=1)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 2) == [*urgent, near[0]]
    assert one_by_one(worker, 8) == [*near[1:], *moment, *far, *plain, *none]


def test_a_deadline_orders_across_functions_and_tenants_take_their_turns_before_it(bench: Bench) -> None:
    late = submit(bench, LaneKey(has_deadline=True), deadline=600.0)
    near = submit(bench, LaneKey(has_deadline=True), task="m:g", deadline=30.0)
    worker = bench.worker("m:f", "m:g", slots=9)
    assert one_by_one(worker, 2) == [*near, *late]
    mine = submit(bench, LaneKey("a", has_deadline=True), 2, deadline=5.0)
    other = submit(bench, B)
    assert set(leased(worker, 2)) == {mine[0], *other}


def test_what_is_retried_keeps_its_deadline_and_a_deadline_that_has_passed_ends_nothing(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f", slots=9)
    ids = by_client(client, 3, deadline=10.0, retries=1, backoff=0.0)
    lease, _ = granted(worker, 1)
    others = by_client(client, deadline=60.0)
    bench.advance(30)
    body = b"\x80"
    worker.call("get_dispatcher", "finish", [[ids[0], 1, lease, 1, body, 0.0, 0.1, None]])
    bench.advance(1)
    assert one_by_one(worker, 4) == [*ids[:3], *others]


def test_a_task_returned_by_a_worker_has_its_place_again(bench: Bench) -> None:
    order(bench, "lifo")
    ids = by_client(bench.client(), 4)
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 2)
    assert given == ids[2:]
    worker.call("get_dispatcher", "release", [[id, 1, lease] for id in given])
    assert one_by_one(worker, 4) == ids[::-1]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("random", None), "order='random' is unknown; it is 'fifo' or 'lifo'"),
        (("lifo", 60.0), "a queue has one of them; tq queues set q --order fifo --aging 10min, or"),
        ((None, 0.5), "aging=0.5 is out of range"),
        ((None, -1), "aging=-1 is out of range"),
        ((3, None), "order must be text"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_changes_nothing(
    bench: Bench, given: tuple[Any, Any], why: str
) -> None:
    with pytest.raises(InvalidArgument, match=why):
        order(bench, *given)


def test_a_plain_queue_is_leased_from_as_before(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a queue without an order of its own costs: no lane is looked up."""
    submit(bench, LaneKey(), 50)
    worker = bench.worker("m:f", slots=9)
    assert len(leased(worker, 9)) == 9
    from tq.master.tasks.routes import Routes

    assert bench.engine.part(Routes).lanes.looks == 0


class Oracle:
    """All that waits, as tuples of (priority, when, deadline, number): what is next is found by looking at all."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, tuple[int, int, int | None, int]] = {}
        self.count = 0

    def add(self, ids: list[bytes], priority: int, when: int, deadline: int | None) -> None:
        for id in ids:
            self.count += 1
            self.waiting[id] = priority, when, deadline, self.count

    def next(self, now: int, *, is_lifo: bool, aging: int) -> bytes:
        def place(id: bytes) -> tuple[int, bool, int, int]:
            priority, when, deadline, number = self.waiting[id]
            steps = now // aging - when // aging if aging else 0
            turn = -number if is_lifo and deadline is None else number
            return -(priority + steps), deadline is None, deadline or 0, turn

        return min(self.waiting, key=place)


@pytest.mark.parametrize("seed", sampled(range(8), range(4)))
@pytest.mark.parametrize("kind", ["fifo", "lifo", "aging"])
def test_in_a_random_life_what_starts_is_what_a_look_at_all_that_waits_says(
    bench: Bench, kind: str, seed: int
) -> None:
    chance, oracle = random.Random(seed), Oracle()  # noqa: S311 - the same cases every time
    is_lifo, aging = kind == "lifo", 60_000 if kind == "aging" else 0
    order(bench, "lifo" if is_lifo else None, 60.0 if aging else None)
    client, worker = bench.client(), bench.worker("m:f", slots=99)
    for _ in range(80):
        match chance.randrange(5):
            case 0 | 1:
                count, priority = chance.choice((1, 1, SLICED)), chance.choice((-1, 0, 0, 1))
                seconds = chance.choice((None, 5, 50, 500)) if kind != "aging" else None
                options: dict[str, Any] = {"priority": priority} if priority else {}
                if seconds:
                    options["deadline"] = float(seconds)
                ids = by_client(client, count, **options)
                deadline = None if seconds is None else bench.now.wall + seconds * 1000
                oracle.add(ids, priority, bench.now.wall, deadline)
            case 2:
                bench.advance(chance.choice((1, 30, 90)))
            case _ if oracle.waiting:
                expected = oracle.next(bench.now.wall, is_lifo=is_lifo, aging=aging)
                assert leased(worker, 1) == [expected]
                del oracle.waiting[expected]
            case _:
                pass


@pytest.mark.parametrize(("how", "aging"), [("lifo", None), (None, 60.0)])
def test_a_map_whose_tenants_alternate_is_handed_out_whole_beside_tasks_of_that_order(
    bench: Bench, how: str | None, aging: float | None
) -> None:
    """Its lanes go by priority and age; what stands beside it, as the queue says."""
    before = submit_map(bench, "", tenants="abab")
    order(bench, how, aging)
    others = [*submit(bench, A, 2), *submit(bench, LaneKey(), 2, priority=1), *by_client(bench.client(), 3)]
    after = submit_map(bench, "", tenants="abcabc", deadline=50.0)
    bench.advance(70)
    late = [*submit(bench, B, 2), *submit(bench, LaneKey(), 2)]
    order(bench, how and "fifo", aging and 0)
    order(bench, how, aging)
    worker, given = bench.worker("m:f", slots=9), list[bytes]()
    while more := leased(worker, 3):
        given += more
    assert sorted(given) == sorted([*before, *others, *after, *late])
    assert [action for action, _ in bench.reports if action in ("master.bug", "store.failed")] == []

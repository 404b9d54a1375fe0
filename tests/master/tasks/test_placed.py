"""Tasks that ask for something of their worker: who is given them, when, and that what they hold is free when their lease ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.ids import consecutive_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.errors import InvalidArgument
from tq.master.tasks.placements import Placements
from tq.master.tasks.routes import Routes

from tests.sampling import sampled

from ..conftest import GRACE_MS, Bench
from ..leased import each

DISPATCHER = "get_dispatcher"
GPU = 1_000
SUCCESS, ERROR, RELEASED = int(OutcomeNumber.SUCCESS), int(OutcomeNumber.ERROR), None
Row = tuple[bytes, int, bytes]  # id, attempt, lease


class Submits:
    """Tasks with ids that no other test's have."""

    def __init__(self, bench: Bench) -> None:
        self.client = bench.client()
        self._next = 1

    def __call__(self, count: int = 1, **options: Any) -> list[bytes]:
        first = self._next.to_bytes(16, "big")
        ids = consecutive_ids(self._next, count)
        self._next += count + 1  # not neighbours of the next
        self.client.call("get_task_queue/q", "submit", "m:f", options, [[first, [b"x"] * count]])
        return ids

    def states(self, ids: list[bytes]) -> list[int]:
        return [state for _, state in self.client.call("get_tasks", "states", ids)]


class Taker:
    """A worker that always has a call parked, as the shipped one has while it has room."""

    def __init__(self, bench: Bench, *, want: int = 10, **has: Any) -> None:
        self.bench, self.want = bench, want
        self.peer = bench.worker("m:f", slots=16, **has)
        self.held: list[Row] = []
        self._park()

    def _park(self) -> None:
        self.call = self.peer.ask(DISPATCHER, "lease", self.want)
        self.bench.step()

    def taken(self) -> list[bytes]:
        """What it has been given since."""
        ids: list[bytes] = []
        while self.call in self.peer.answers:
            lease, groups = self.peer.answer(self.call)
            rows = [(id, attempt, lease) for id, attempt, *_ in each(groups)]
            self.held += rows
            ids += [id for id, _, _ in rows]
            self._park()
        return ids

    def end(self, *ids: bytes, outcome: int | None = SUCCESS) -> None:
        mine = [row for row in self.held if row[0] in ids]
        self.held = [row for row in self.held if row[0] not in ids]
        if outcome is None:
            self.peer.call(DISPATCHER, "release", [list(row) for row in mine])
        else:
            self.peer.call(DISPATCHER, "finish", [[*row, outcome, b"r", 0.0, 0.1, None] for row in mine])


def held(bench: Bench) -> Placements:
    return bench.engine.part(Routes).placements


@pytest.fixture
def submit(bench: Bench) -> Submits:
    return Submits(bench)


def test_a_worker_is_given_no_more_than_it_has_free(bench: Bench, submit: Submits) -> None:
    ids = submit(5, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == ids[:2]
    worker.end(ids[0])
    assert worker.taken() == ids[2:3]
    worker.end(ids[1], ids[2])
    assert worker.taken() == ids[3:]


def test_an_array_that_does_not_fit_stays_one_and_is_cut(bench: Bench, submit: Submits) -> None:
    ids = submit(1_000, needs={"gpu": GPU // 2})
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == ids[:4]
    [line] = submit.client.call("get_tasks", "lines", {}, 10, None)["rows"]
    assert line["tasks"] == 1_000
    assert held(bench).held == {worker_number(bench): {lane_number(bench): 4}}


def worker_number(bench: Bench) -> int:
    return next(iter(held(bench).held))


def lane_number(bench: Bench) -> int:
    return next(iter(held(bench).lanes))


def test_a_task_goes_only_where_its_condition_holds(bench: Bench, submit: Submits) -> None:
    [here] = submit(where="zone=eu")
    [there] = submit(where="zone!=eu")
    [gpu] = submit(where="has gpu and arch in (arm64, x86_64)")
    american = Taker(bench, labels={"zone": "us"})
    bare = Taker(bench)
    european = Taker(bench, labels={"zone": "eu", "arch": "arm64"}, resources={"gpu": GPU})
    assert sorted(american.taken() + bare.taken()) == [there]
    assert european.taken() == [here, gpu]


def test_a_task_without_needs_takes_nothing_and_waits_for_nothing(bench: Bench, submit: Submits) -> None:
    first = submit(2, needs={"gpu": GPU})
    plain = submit(3)
    worker = Taker(bench, resources={"gpu": GPU})
    assert worker.taken() == [first[0], *plain]


def test_the_order_of_all_tasks_is_kept_where_all_fit(bench: Bench, submit: Submits) -> None:
    [low] = submit()
    [gpu] = submit(needs={"gpu": GPU})
    [urgent] = submit(needs={"gpu": GPU}, priority=5)
    [last] = submit()
    worker = Taker(bench, resources={"gpu": 3 * GPU})
    assert worker.taken() == [urgent, low, gpu, last]


def test_of_several_needs_the_first_in_order_goes_first(bench: Bench, submit: Submits) -> None:
    low = submit(3, needs={"gpu": GPU})
    [high] = submit(needs={"gpu": 2 * GPU}, priority=5)
    [middle] = submit(needs={"gpu": GPU // 2}, priority=1)
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == [high]
    worker.end(high)
    assert worker.taken() == [middle, low[0]]


def test_a_waiting_worker_gets_what_it_has_room_for_when_it_comes(bench: Bench, submit: Submits) -> None:
    worker = Taker(bench, resources={"gpu": GPU})
    ids = submit(2, needs={"gpu": GPU})
    assert worker.taken() == ids[:1]


@pytest.mark.parametrize("outcome", [SUCCESS, ERROR, RELEASED])
def test_what_a_lease_held_is_free_when_it_ends(bench: Bench, submit: Submits, outcome: int | None) -> None:
    first, second = submit(2, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": GPU})
    assert worker.taken() == [first]
    worker.end(first, outcome=outcome)
    assert worker.taken() == [first if outcome is RELEASED else second]
    assert list(held(bench).held.values()) == [{lane_number(bench): 1}]


def test_what_a_lost_worker_held_is_free_elsewhere(bench: Bench, submit: Submits) -> None:
    [id] = submit(needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": GPU})
    assert worker.taken() == [id]
    worker.peer.close()
    other = Taker(bench, resources={"gpu": GPU})
    assert other.taken() == []
    bench.advance(GRACE_MS / 1000 + 1)
    assert other.taken() == [id]
    assert len(held(bench).held) == 1


def test_what_a_worker_that_left_held_is_free_elsewhere(bench: Bench, submit: Submits) -> None:
    [id] = submit(needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": GPU})
    assert worker.taken() == [id]
    worker.peer.call(DISPATCHER, "leave")
    assert Taker(bench, resources={"gpu": GPU}).taken() == [id]


def test_a_cancelled_task_holds_its_part_until_its_worker_reports_the_end(
    bench: Bench, submit: Submits
) -> None:
    first, second = submit(2, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": GPU})
    assert worker.taken() == [first]
    submit.client.call("get_tasks", "cancel", [first])
    assert worker.taken() == []
    worker.end(first, outcome=int(OutcomeNumber.CANCELLED))
    assert worker.taken() == [second]


def test_after_a_restart_of_the_master_what_is_leased_is_held(
    bench: Bench, submit: Submits, make_bench: Callable[..., Bench]
) -> None:
    alone = submit(1, needs={"gpu": GPU})
    many = submit(4, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": 3 * GPU})
    assert worker.taken() == [*alone, *many[:2]]
    before = held(bench).held
    after = make_bench(bench.engine.store)
    assert held(after).held == before
    again = after.worker(
        "m:f",
        node=worker.peer.session.node,
        held=[list(row) for row in worker.held],
        resources={"gpu": 3 * GPU},
    )
    call = again.ask(DISPATCHER, "lease", 9)
    after.step()
    assert call not in again.answers  # it holds all three still
    id, attempt, lease = worker.held[0]
    again.call(DISPATCHER, "finish", [[id, attempt, lease, SUCCESS, b"r", 0.0, 0.1, None]])
    assert [id for id, *_ in each(again.answer(call)[1])] == [many[2]]


def test_a_worker_that_comes_back_with_less_is_given_nothing_until_it_fits(
    bench: Bench, submit: Submits
) -> None:
    ids = submit(4, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == ids[:2]
    worker.peer.close()
    again = bench.worker(
        "m:f",
        node=worker.peer.session.node,
        held=[list(row) for row in worker.held],
        resources={"gpu": GPU},
    )
    call = again.ask(DISPATCHER, "lease", 9)
    bench.step()
    for id, attempt, lease in worker.held:
        assert call not in again.answers
        again.call(DISPATCHER, "finish", [[id, attempt, lease, SUCCESS, b"r", 0.0, 0.1, None]])
    assert [id for id, *_ in each(again.answer(call)[1])] == [ids[2]]


def test_a_big_task_is_not_passed_over_without_end_by_small_ones(bench: Bench, submit: Submits) -> None:
    small = submit(2, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == small
    [big] = submit(needs={"gpu": 2 * GPU})
    later = submit(5, needs={"gpu": GPU})
    worker.end(small[0])
    assert worker.taken() == []  # what became free is kept for the big one
    other = Taker(bench, resources={"gpu": GPU})
    assert other.taken() == later[:1]  # and only there
    worker.end(small[1])
    assert worker.taken() == [big]
    worker.end(big)
    assert worker.taken() == later[1:3]


def test_nothing_is_kept_for_a_task_that_no_worker_can_ever_run(bench: Bench, submit: Submits) -> None:
    submit(needs={"gpu": 64 * GPU})
    submit(needs={"gpu": GPU}, where="zone=moon")
    small = submit(3, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == small[:2]


def test_nothing_is_kept_while_the_queue_of_the_big_task_is_paused(bench: Bench, submit: Submits) -> None:
    small = submit(1, needs={"gpu": GPU})
    worker = Taker(bench, resources={"gpu": 2 * GPU})
    assert worker.taken() == small
    first = (10_000).to_bytes(16, "big")
    submit.client.call(
        "get_task_queue/other", "submit", "m:f", {"needs": {"gpu": 2 * GPU}}, [[first, [b"x"]]]
    )
    admin = bench.client(role=Role.ADMIN)
    admin.call("get_task_queue/other", "pause")
    later = submit(1, needs={"gpu": GPU})
    assert worker.taken() == later
    admin.call("get_task_queue/other", "resume")
    submit(1, needs={"gpu": GPU})
    worker.end(*later)
    assert worker.taken() == []


def test_a_slot_is_lent_to_a_task_only_where_there_is_room(bench: Bench, submit: Submits) -> None:
    [waiter] = submit()
    worker = Taker(bench, resources={"gpu": GPU}, want=1)
    assert worker.taken() == [waiter]
    [holder] = submit(needs={"gpu": GPU})
    assert worker.taken() == [holder]
    ids = submit(2, where="zone=nowhere")  # nothing that the parked call could take
    [wanted] = submit(needs={"gpu": GPU})
    call = worker.peer.ask(DISPATCHER, "lend", waiter, [wanted, *ids], 3)
    bench.step()
    assert call not in worker.peer.answers
    worker.end(holder)
    answers = [worker.peer.answers.pop(one) for one in (call, worker.call) if one in worker.peer.answers]
    [(answer, error)] = answers
    assert error is None
    assert [id for id, *_ in each(answer[1])] == [wanted]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"needs": {"gpu": 0.5}}, "needs: gpu is out of range"),
        ({"needs": {"gpu": "1"}}, "needs: gpu is out of range"),
        ({"needs": {"g p": 1}}, "a resource has a name"),
        ({"needs": [["gpu", 1]]}, "needs is a map"),
        ({"needs": "gpu"}, "needs is a map"),
        ({"where": 7}, "where is a condition"),
        ({"where": "zone="}, "a value is missing"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_the_submit(submit: Submits, options: Any, complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        submit(1, **options)


@pytest.mark.parametrize(
    "resources",
    [
        {"gpu": 0},
        {"gpu": -1},
        {"gpu": 0.5},
        {"gpu": "1"},
        {7: 1},
        {f"r{n}": 1 for n in range(17)},
        {"g" * 64: 1},
    ],
)
def test_a_worker_announces_nothing_that_is_no_amount(bench: Bench, resources: Any) -> None:
    with pytest.raises(InvalidArgument, match="announce"):
        bench.worker("m:f", resources=resources)


KINDS: list[dict[str, Any]] = [
    {},
    {"needs": {"gpu": GPU}},
    {"needs": {"gpu": GPU // 3}},
    {"needs": {"gpu": 2 * GPU, "mem": 5}},
    {"needs": {"mem": 3}},
    {"where": "zone=eu"},
    {"needs": {"gpu": 4 * GPU}, "where": "zone in (eu, us)"},
]
HOSTS: list[dict[str, Any]] = [
    {"labels": {"zone": "eu"}, "resources": {"gpu": 4 * GPU, "mem": 10}},
    {"labels": {"zone": "us"}, "resources": {"gpu": 2 * GPU, "mem": 7}},
    {"resources": {"mem": 3}},
]


@pytest.mark.parametrize("seed", sampled(range(12), range(4)))
def test_never_more_is_held_than_there_is_and_every_task_ends(
    bench: Bench, submit: Submits, make_bench: Callable[..., Bench], seed: int
) -> None:
    """Random submits, ends, losses and restarts; in between and at the end."""
    chance = random.Random(seed)  # noqa: S311
    options: dict[bytes, dict[str, Any]] = {}
    workers: list[tuple[Taker, dict[str, Any]]] = []
    for step in range(80):
        what = chance.random()
        if what < 0.3 and step < 50:
            kind = dict(chance.choice(KINDS), priority=chance.choice([0, 0, 5]), retries=1)
            options.update(dict.fromkeys(submit(chance.choice([1, 1, 7, 40]), **kind), kind))
        elif what < 0.4 and len(workers) < 4:
            has = chance.choice(HOSTS)
            workers.append((Taker(bench, want=chance.choice([1, 3, 20]), **has), has))
        elif what < 0.45 and workers:
            lost, _ = workers.pop(chance.randrange(len(workers)))
            lost.peer.close()
            bench.advance(GRACE_MS / 1000 + 1)
        elif workers:
            worker, _ = chance.choice(workers)
            some = chance.sample(worker.held, min(len(worker.held), chance.randint(1, 5)))
            worker.end(*(id for id, _, _ in some), outcome=chance.choice([SUCCESS, SUCCESS, ERROR, RELEASED]))
        for worker, has in workers:
            worker.taken()
            check(worker, has, options)
    workers += [(Taker(bench, want=20, **has), has) for has in HOSTS]
    for _ in range(400):
        for worker, has in workers:
            worker.taken()
            check(worker, has, options)
            worker.end(*(id for id, _, _ in worker.held))
        bench.advance(2)  # retries
        if set(submit.states(list(options))) <= {StateNumber.SUCCEEDED, StateNumber.FAILED, StateNumber.DEAD}:
            break
    else:
        raise AssertionError("some task is never given to a worker")
    assert held(bench).held == {}


def check(worker: Taker, has: dict[str, Any], options: dict[bytes, dict[str, Any]]) -> None:
    sums: dict[str, int] = {}
    for id, _, _ in worker.held:
        for name, amount in options[id].get("needs", {}).items():
            sums[name] = sums.get(name, 0) + amount
        if "where" in options[id]:
            assert has.get("labels", {}).get("zone") in ("eu", "us")
    assert all(amount <= has.get("resources", {}).get(name, 0) for name, amount in sums.items())


def test_limits_hold_back_and_resources_are_shared_at_once(bench: Bench, submit: Submits) -> None:
    """Three lanes with one GPU each, under a limit of one for each key."""
    limit = {"name": "by-host", "max_running": 1}
    columns = {"limits": [[limit, [["a", "b"], [0, 0, 1, 1]]]]}
    first = (1).to_bytes(16, "big")
    submit.client.call(
        "get_task_queue/q", "submit", "m:f", {"needs": {"gpu": GPU}}, [[first, [b"x"] * 4]], columns=columns
    )
    ids = consecutive_ids(1, 4)
    worker = Taker(bench, resources={"gpu": 3 * GPU})
    assert worker.taken() == [ids[0], ids[2]]  # a third GPU is free, and both keys are at their limit
    worker.end(ids[0])
    assert worker.taken() == [ids[1]]
    small = Taker(bench, resources={"gpu": GPU // 2})
    worker.end(ids[2])
    assert small.taken() == []
    assert worker.taken() == [ids[3]]


def test_tenants_take_turns_with_what_some_workers_have(bench: Bench, submit: Submits) -> None:
    for first, tenant in ((1, "a"), (101, "b")):
        submit.client.call(
            "get_task_queue/q",
            "submit",
            "m:f",
            {"needs": {"gpu": GPU}},
            [[first.to_bytes(16, "big"), [b"x"] * 4]],
            columns={"tenant": tenant},
        )
    worker = Taker(bench, resources={"gpu": GPU})
    given: list[bytes] = []
    for _ in range(8):
        [id] = worker.taken()
        given.append(id)
        worker.end(id)
    assert worker.taken() == []
    assert sorted(given) == consecutive_ids(1, 4) + consecutive_ids(101, 4)
    assert all(len({id[-1] > 100 for id in given[at : at + 2]}) == 2 for at in (0, 2, 4, 6))

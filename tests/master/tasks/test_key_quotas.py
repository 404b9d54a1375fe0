"""Keys with a quota: what their tasks that have not ended come to, and what is done with a submit for which there is no room."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tq.common.domain.ids import IdSource, consecutive_ids
from tq.common.domain.key_quota import KeyQuota
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.shards import Shard, shard_of_name
from tq.common.errors import Full, InvalidArgument, TqError, WouldDeadlock
from tq.master.keys.keyring import Keyring
from tq.master.tasks.key_quotas import KeyQuotas, KeyUse
from tq.master.tasks.route import RUNNING
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer
from ..in_lanes import within
from ..leased import each

QUEUE = "get_task_queue/q"
KEYS = "get_keys"
LONG = b"x" * 40
ERROR = b"\x84\xa4type\xa1E\xa7message\xa1m\xa9traceback\xa0\xa6detail\x80"


def program(bench: Bench, key_id: str = "acme", **quota: int) -> Peer:
    """A program with a key that has this quota."""
    peer = bench.client()
    verifier = replace(peer.session.verifier, key_id=key_id, quota=KeyQuota(**quota))
    peer.session.verifier = verifier
    within(bench, lambda: bench.engine.part(Keyring).put(verifier))
    return peer


def ask(
    peer: Peer, count: int, payload: bytes = b"x", on_full: str = "wait", parent: Any = None, **options: Any
) -> tuple[int, list[bytes]]:
    ids = consecutive_ids(IdSource().take(count), count)
    tasks = [[ids[0], [payload] * count]] if count > 1 else [[ids[0], payload]]
    call = peer.ask(QUEUE, "submit", "m:f", options, tasks, None, None, None, None, parent, None, on_full)
    peer.bench.step()
    return call, ids


def submit(peer: Peer, count: int, payload: bytes = b"x", on_full: str = "raise", **more: Any) -> list[bytes]:
    call, ids = ask(peer, count, payload, on_full, **more)
    assert peer.answer(call) == count
    return ids


def lease(worker: Peer, want: int) -> list[list[Any]]:
    lease, groups = worker.call("get_dispatcher", "lease", want)
    return [[id, attempt, lease] for id, attempt, *_ in each(groups)]


def end(worker: Peer, held: list[list[Any]], outcome: int = 0) -> None:
    body = b"" if outcome == 0 else ERROR
    worker.call("get_dispatcher", "finish", [[*one, outcome, body, 0.0, 0.1, None] for one in held])


def use(bench: Bench, key_id: str = "acme") -> KeyUse:
    """As it is counted, which is what a look at the store comes to."""
    part = bench.engine.part(KeyQuotas)
    counted = part.use(key_id)
    lanes = [lane for lane in bench.engine.part(Routes) if lane.key.owner == key_id]
    sizes = [size for _, _, size in bench.engine.store.unfinished_sizes([lane.number for lane in lanes])]
    assert counted == (len(sizes), sum(sizes))
    assert counted.tasks == sum(sum(lane.counts[: RUNNING + 1]) for lane in lanes)
    return counted


def test_tasks_count_until_they_have_ended_whatever_becomes_of_them(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    acme, worker, admin = program(bench, max_queued=50), bench.worker("m:f"), bench.client(role=Role.ADMIN)
    ids = submit(acme, 5, LONG, retries=3) + submit(acme, 1, delay=60.0)
    assert use(bench) == (6, 201)
    first, second = lease(worker, 2)
    assert use(bench) == (6, 201)
    end(worker, [first])
    assert use(bench) == (5, 161)
    end(worker, [second], outcome=1)  # it is tried again later
    assert use(bench) == (5, 161)
    admin.call("get_tasks", "cancel", [ids[3], ids[5]])
    assert use(bench) == (3, 120)
    admin.call("get_tasks", "retry", [ids[3]])
    assert use(bench) == (4, 160)
    worker.call("get_dispatcher", "release", lease(worker, 1))
    assert use(bench) == (4, 160)
    bench.engine._load()
    assert use(bench) == (4, 160)
    assert use(make_bench(bench.engine.store)) == (4, 160)
    admin.call("get_tasks", "purge", {"states": [int(StateNumber.READY), int(StateNumber.SCHEDULED)]})
    assert use(bench) == (0, 0)


def test_a_submit_beyond_the_quota_is_refused_with_quota_use_and_remedy(bench: Bench) -> None:
    acme = program(bench, max_queued=5, max_queued_bytes=100)
    submit(acme, 3)
    with pytest.raises(Full) as refused:
        submit(acme, 3)
    assert "the quota of key acme has no room for 3 more" in str(refused.value)
    assert "3 of at most 5 tasks that have not ended" in str(refused.value)
    assert "tq keys set acme --max-queued N" in str(refused.value)
    submit(acme, 1, LONG)
    with pytest.raises(Full, match="43 of at most 100 bytes of arguments") as refused:
        submit(acme, 1, LONG * 2)
    assert "tq keys set acme --max-queued-bytes SIZE" in str(refused.value)
    with pytest.raises(InvalidArgument, match="have 120 bytes, and key acme may have 100 bytes"):
        submit(acme, 1, LONG * 3, on_full="wait")
    assert use(bench) == (4, 43)


def test_a_submit_waits_until_tasks_of_its_key_have_ended_and_is_taken_in_portions(bench: Bench) -> None:
    acme, worker = program(bench, max_queued=3), bench.worker("m:f")
    first = submit(acme, 2)
    call, ids = ask(acme, 4)
    assert call not in acme.answers
    assert use(bench) == (3, 3)
    held = lease(worker, 2)
    assert [one[0] for one in held] == first
    assert use(bench) == (3, 3)  # what runs counts
    end(worker, held)
    assert use(bench) == (3, 3)
    assert call not in acme.answers
    held = lease(worker, 2)
    end(worker, held)
    assert acme.answer(call) == 4
    assert use(bench) == (2, 2)
    assert [one[0] for one in lease(worker, 9)] == ids[2:]
    assert not bench.engine.has_work


def test_bytes_are_waited_for_as_tasks_are(bench: Bench) -> None:
    acme, worker = program(bench, max_queued_bytes=100), bench.worker("m:f")
    call, ids = ask(acme, 5, LONG)
    assert use(bench) == (2, 80)
    assert not bench.engine.has_work
    for done in (0, 2):
        held = lease(worker, 2)
        assert [one[0] for one in held] == ids[done : done + 2]
        end(worker, held)
    assert acme.answer(call) == 5
    assert use(bench) == (1, 40)


def test_no_other_key_waits_for_one_whose_quota_is_used_up(bench: Bench) -> None:
    acme, other, plain = program(bench, max_queued=2), program(bench, "other", max_queued=9), bench.client()
    bench.client(role=Role.ADMIN).call("get_queues", "set", "q", 100)
    submit(acme, 2)
    call, _ = ask(acme, 3)
    assert call not in acme.answers
    submit(other, 3)
    submit(plain, 3)
    with pytest.raises(Full):
        submit(acme, 1)
    assert (use(bench), use(bench, "other")) == ((2, 2), (3, 3))


def test_a_quota_that_is_raised_or_removed_lets_in_what_waits(bench: Bench) -> None:
    acme, admin = program(bench, max_queued=1), bench.client(role=Role.ADMIN)
    call, _ = ask(acme, 6)
    admin.call(KEYS, "set", "acme", {"max_queued": 4})
    assert use(bench) == (4, 4)
    assert call not in acme.answers
    row = next(row for row in admin.call(KEYS, "list") if row["id"] == "acme")
    assert (row["max_queued"], row["max_queued_bytes"], row["queued"], row["queued_bytes"]) == (4, None, 4, 4)
    admin.call(KEYS, "set", "acme", {"max_queued": None})
    assert acme.answer(call) == 6
    submit(acme, 20)
    assert use(bench) == (6, 6)  # of a key without a quota nothing more is counted


def test_what_waits_and_has_no_room_under_a_quota_that_is_less_now_is_refused(bench: Bench) -> None:
    acme, admin, worker = (
        program(bench, max_queued_bytes=100),
        bench.client(role=Role.ADMIN),
        bench.worker("m:f"),
    )
    large, _ = ask(acme, 4, LONG)
    small, _ = ask(acme, 2, b"x" * 20)
    admin.call(KEYS, "set", "acme", {"max_queued_bytes": 39})
    with pytest.raises(InvalidArgument, match="have 40 bytes, and key acme may have 39 bytes"):
        acme.answer(large)
    assert small not in acme.answers
    assert use(bench) == (2, 80)
    end(worker, lease(worker, 2))
    assert use(bench) == (1, 20)
    end(worker, lease(worker, 1))
    assert acme.answer(small) == 2
    assert not bench.engine.has_work


def test_a_task_that_fills_the_quota_of_its_own_key_does_not_wait_for_it(bench: Bench) -> None:
    acme, worker = program(bench, max_queued=1), bench.worker("m:f")
    submit(acme, 1)
    [(id, _, held)] = lease(worker, 1)
    call, _ = ask(acme, 1, parent=[id, held])
    with pytest.raises(WouldDeadlock, match="tq keys set acme --max-queued N"):
        acme.answer(call)


def test_a_submit_that_is_sent_again_counts_once(bench: Bench) -> None:
    acme = program(bench, max_queued=3)
    ids = consecutive_ids(IdSource().take(3), 3)
    for new in (3, 0):
        call = acme.ask(QUEUE, "submit", "m:f", {}, [[ids[0], [b"x"] * 3]])
        bench.step()
        assert acme.answer(call) == new
        assert use(bench) == (3, 3)


def test_a_map_whose_tenants_alternate_counts_as_any_other(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    acme, worker = program(bench, max_queued=9), bench.worker("m:f")
    first = IdSource().take(4)
    tasks = [[consecutive_ids(first, 4)[0], [b"x"] * 4]]
    acme.call(QUEUE, "submit", "m:f", {}, tasks, columns={"tenant": [["a", "b"], [0, 1, 0, 1]]})
    counted = bench.engine.part(KeyQuotas)
    assert counted.use("acme") == (4, 4)
    end(worker, lease(worker, 3))
    assert counted.use("acme") == (1, 1)
    assert make_bench(bench.engine.store).engine.part(KeyQuotas).use("acme") == (1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_no_quota_is_exceeded_and_each_submit_is_answered(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same history every time
    acme, worker = program(bench, max_queued=12, max_queued_bytes=200), bench.worker("m:f")
    admin = bench.client(role=Role.ADMIN)
    calls, held = list[int](), list[list[Any]]()
    for _ in range(120):
        what = chance.random()
        if what < 0.35:
            calls.append(ask(acme, chance.randint(1, 9), b"x" * chance.randint(1, 60))[0])
        elif what < 0.6 and bench.engine.part(Routes).queue("q").counts[0]:
            held += lease(worker, chance.randint(1, 4))
        elif what < 0.9 and held:
            one = held.pop(chance.randrange(len(held)))
            end(worker, [one], chance.choice((0, 0, 1)))
        elif what >= 0.97:
            admin.call("get_tasks", "cancel_where", {"states": [0]})
        counted = use(bench)
        assert counted.tasks <= 12
        assert counted.bytes <= 200
    for _ in range(400):
        if held:
            end(worker, held)
        held = lease(worker, 9) if bench.engine.part(Routes).queue("q").counts[0] else []
        if not held and all(call in acme.answers for call in calls):
            break
    assert all(call in acme.answers for call in calls)
    assert use(bench) == (0, 0)


def refusal(acme: Peer, shard: int) -> tuple[int, TqError]:
    """How many tasks a shard takes, one after the other, and what it says then."""
    for taken in range(100):
        ids = consecutive_ids(IdSource(shard=shard).take(1), 1)
        call = acme.ask("get_task_queue/{spread}q", "submit", "m:f", {}, [[ids[0], b"x"]], on_full="raise")
        acme.bench.step()
        _, error = acme.answers.pop(call)
        if error is not None:
            return taken, error
    raise AssertionError("it takes whatever comes")


def test_each_of_several_shards_has_a_part_of_a_quota(make_bench: Callable[..., Bench]) -> None:
    together = 0
    for number in range(3):
        acme = program(make_bench(shard=Shard(number, 3)), max_queued=10, max_queued_bytes=1_000)
        taken, full = refusal(acme, number)
        assert isinstance(full, Full)
        assert (
            f"{taken} of at most {taken} tasks that have not ended (the part here of 10, divided over 3 shards)"
            in str(full)
        )
        together += taken
    assert together == 10


def in_shard(number: int, shards: int) -> str:
    """A queue that is there."""
    return next(name for name in map(str, range(99)) if shard_of_name(name, shards) == number)


def test_a_key_of_queues_in_one_shard_has_its_quota_whole_there(make_bench: Callable[..., Bench]) -> None:
    queue = in_shard(1, 3)
    bench = make_bench(shard=Shard(1, 3))
    acme = program(bench, max_queued=2)
    verifier = replace(acme.session.verifier, queues=(queue,))
    within(bench, lambda: bench.engine.part(Keyring).put(verifier))
    acme.session.verifier = verifier
    for _ in range(2):
        ids = consecutive_ids(IdSource(shard=1).take(1), 1)
        acme.call(f"get_task_queue/{queue}", "submit", "m:f", {}, [[ids[0], b"x"]])
    [row] = [row for row in bench.client(role=Role.ADMIN).call(KEYS, "list") if row["id"] == "acme"]
    assert (row["queued"], row["max_queued"], row["over"]) == (2, 2, 1)


def test_a_quota_of_an_earlier_version_that_leaves_a_shard_without_any_refuses_there(
    make_bench: Callable[..., Bench],
) -> None:
    said = [refusal(program(make_bench(shard=Shard(number, 3)), max_queued=2), number) for number in range(3)]
    [none] = [error for taken, error in said if not taken]
    assert isinstance(none, InvalidArgument)
    assert "divided over 3 shards, which leaves none of it for this one: raise it to 3" in str(none)


def test_a_quota_that_leaves_a_shard_without_any_is_not_set(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(shard=Shard(0, 3))
    program(bench, max_queued=9)
    admin = bench.client(role=Role.ADMIN)
    with pytest.raises(InvalidArgument, match="max_queued=2 leaves some of them without any"):
        admin.call(KEYS, "set", "acme", {"max_queued": 2})
    with pytest.raises(InvalidArgument, match="max_queued_bytes=1 leaves"):
        admin.call(KEYS, "add", "client", [], "", "", {"max_queued_bytes": 1})

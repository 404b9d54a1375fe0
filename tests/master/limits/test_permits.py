"""How many tasks may start: never more than a limit lets, whatever happens, and no token is lost."""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

import pytest
from tq.common.domain.limit_parts import limit_here
from tq.common.domain.limits import Limit
from tq.common.domain.shards import Shard
from tq.master.limits.permits import ANY_NUMBER, Permits
from tq.master.store.interface.limits import BucketRow

from tests.sampling import sampled

NOW = 1_700_000_000_000
SMTP: Any = (("smtp", "a", 1),)


def permits(*limits: Limit) -> tuple[Permits, dict[str, Limit | None]]:
    held: dict[str, Limit | None] = {limit.name: limit for limit in limits}
    return Permits(held.get), held


def test_so_many_run_as_the_limit_lets_by_key() -> None:
    made, _ = permits(Limit("smtp", max_running=3))
    assert made.room(SMTP, NOW) == 3
    made.take(SMTP, 2, NOW)
    assert made.room(SMTP, NOW) == 1
    assert made.room((("smtp", "b", 1),), NOW) == 3
    made.take(SMTP, 1, NOW)
    assert made.room(SMTP, NOW) == 0
    assert made.ready_at(SMTP, NOW) is None
    assert made.holding(SMTP, NOW) == [("smtp", "a")]
    made.give_back(SMTP, 1)
    assert made.room(SMTP, NOW) == 1
    assert made.ready_at(SMTP, NOW) == NOW


def test_tokens_come_back_with_time_to_the_millisecond() -> None:
    made, _ = permits(Limit("smtp", rate="7/min", burst=2))
    made.take(SMTP, 2, NOW)
    assert made.room(SMTP, NOW) == 0
    at = made.ready_at(SMTP, NOW)
    assert at == NOW + 8_572  # a seventh of a minute
    assert made.room(SMTP, at - 1) == 0
    assert made.room(SMTP, at) == 1
    assert made.room(SMTP, NOW + 3_600_000) == 2  # no more than the burst


def test_each_key_is_asked_for_by_itself() -> None:
    made, _ = permits(Limit("smtp", rate="7/min", burst=2))
    for key in "abc":
        terms: Any = (("smtp", key, 1),)
        assert made.room(terms, NOW) == made.room_of(("smtp", key), 1, NOW) == 2
        made.take(terms, 2, NOW)
        assert made.room_of(("smtp", key), 1, NOW) == 0
    assert [(row.key, row.level) for row in made.unwritten()] == [("a", 0), ("b", 0), ("c", 0)]


def test_a_limit_that_is_changed_counts_in_the_same_moment() -> None:
    made, held = permits(Limit("smtp", rate="7/min", burst=2))
    made.take(SMTP, 1, NOW)
    assert made.room(SMTP, NOW) == 1
    held["smtp"] = Limit("smtp", rate="7/min", burst=2, max_running=1)
    assert made.room(SMTP, NOW) == 0
    held["smtp"] = Limit("smtp", rate="9/h", burst=5)
    assert made.room(SMTP, NOW) == 1  # the token that was left, of another rate now
    held["smtp"] = None
    assert made.room(SMTP, NOW) == ANY_NUMBER
    held["smtp"] = Limit("smtp", rate="9/h", burst=5)
    assert made.room(SMTP, NOW) == 5


def test_of_several_limits_the_tightest_counts() -> None:
    made, _ = permits(Limit("smtp", max_running=5), Limit("all", rate="1/s", burst=2))
    both: Any = (("smtp", "a", 1), ("all", "", 1))
    assert made.room(both, NOW) == 2
    made.take(both, 2, NOW)
    assert made.holding(both, NOW) == [("all", "")]
    assert made.ready_at(both, NOW) == NOW + 1_000
    assert made.state("smtp", "a", NOW).running == 2
    assert made.state("all", "", NOW).tokens == 0


def test_a_task_counts_for_its_units() -> None:
    made, _ = permits(Limit("gb", max_running=64))
    large: Any = (("gb", "", 30),)
    assert made.room(large, NOW) == 2
    made.take(large, 2, NOW)
    assert made.room((("gb", "", 4),), NOW) == 1
    assert made.state("gb", "", NOW).running == 60


def test_a_limit_that_nothing_is_known_of_bounds_nothing() -> None:
    made, held = permits(Limit("smtp", max_running=1))
    assert made.room((), NOW) == made.room((("other", "", 1),), NOW) == ANY_NUMBER
    made.take(SMTP, 1, NOW)
    held["smtp"] = None  # lifted by an operator
    assert made.room(SMTP, NOW) == ANY_NUMBER
    made.take(SMTP, 10, NOW)
    held["smtp"] = Limit("smtp", max_running=12)
    assert made.room(SMTP, NOW) == 1


def test_a_task_that_is_larger_than_what_an_operator_has_left_runs_alone_and_leaves_a_debt() -> None:
    made, held = permits(Limit("gb", max_running=64, rate="64/s", burst=64))
    large: Any = (("gb", "", 30),)
    held["gb"] = Limit("gb", max_running=10, rate="10/s", burst=10)
    assert made.room(large, NOW) == 1
    made.take(large, 1, NOW)
    assert made.room((("gb", "", 1),), NOW) == 0
    made.give_back(large, 1)
    assert made.ready_at((("gb", "", 1),), NOW) == NOW + 2_100  # thirty of ten, and one
    assert made.ready_at(large, NOW) == NOW + 3_000


def test_a_rate_that_changes_keeps_the_tokens_that_there_are() -> None:
    made, held = permits(Limit("smtp", rate="60/min", burst=10))
    made.take(SMTP, 6, NOW)
    held["smtp"] = Limit("smtp", rate="5/s", burst=100)
    assert made.state("smtp", "a", NOW).tokens == 4
    assert made.state("smtp", "a", NOW + 1_000).tokens == 9


def test_what_has_nothing_to_remember_is_forgotten() -> None:
    made, _ = permits(Limit("smtp", max_running=1, rate="1/s"))
    for number in range(1_000):
        keyed: Any = (("smtp", str(number), 1),)
        made.take(keyed, 1, NOW + 10 * number)
        made.give_back(keyed, 1)
    assert made.keys < 210  # those of the last second, and some


def test_a_master_that_starts_again_has_the_tokens_and_what_runs() -> None:
    limit = Limit("smtp", max_running=9, rate="1/s", burst=5)
    made, held = permits(limit)
    made.take(SMTP, 4, NOW)
    rows = made.unwritten()
    assert made.unwritten() == []
    after = Permits(held.get)
    after.load(rows, NOW + 2_000)
    after.runs(SMTP, 4, NOW + 2_000)
    assert after.state("smtp", "a", NOW + 2_000) == (4, 3)
    assert after.room(SMTP, NOW + 2_000) == 3
    assert [row.full for row in rows] == [NOW + 4_000]


@pytest.mark.parametrize("seed", sampled(range(20), range(6)))
def test_over_random_histories_no_limit_is_exceeded_and_every_token_is_used(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same cases every time
    tasks, burst, most = chance.randint(1, 50), chance.randint(1, 8), chance.randint(1, 10)
    made, held = permits(Limit("x", max_running=most, rate=f"{tasks}/s", burst=burst))
    now, running, starts = NOW, Counter[str](), {key: deque[int]() for key in "abc"}
    stored: dict[tuple[str, str], BucketRow] = {}
    for _ in range(400):
        key = chance.choice("abc")
        terms: Any = (("x", key, 1),)
        room = made.room(terms, now)
        assert room <= most - running[key]
        if room:
            count = chance.randint(1, room)
            made.take(terms, count, now)
            running[key] += count
            starts[key].extend([now] * count)
        elif running[key] == 0:  # it waits for tokens alone, and no longer than they need
            at = made.ready_at(terms, now)
            assert at is not None
            assert made.room(terms, at - 1) == 0
            assert made.room(terms, at) >= 1
            now = at
        if chance.random() < 0.5 and running[key]:
            count = chance.randint(1, running[key])
            made.give_back(terms, count)
            running[key] -= count
        now += chance.choice((0, 1, 17, 400))
        if chance.random() < 0.05:  # the master starts again
            stored.update({(row.name, row.key): row for row in made.unwritten()})
            again = Permits(held.get)
            again.load(stored.values(), now)
            for one, count in running.items():
                again.runs((("x", one, 1),), count, now)
            made = again
    for times in starts.values():
        moments = list(times)
        for first in range(len(moments)):
            for last in range(first, len(moments)):
                started, ms = last - first + 1, moments[last] - moments[first]
                assert started <= burst + tasks * ms / 1000


def test_parts_of_a_limit_let_no_more_start_in_all_shards_than_the_whole_at_any_time() -> None:
    chance = random.Random(7)  # noqa: S311 - the same cases every time
    limit = Limit("smtp", max_running=11, rate="40/s", burst=9)
    for shards in (2, 3, 4):
        each = [Permits({"smtp": limit_here(limit, Shard(n, shards))}.get) for n in range(shards)]
        running, starts, now = [0] * shards, deque[int](), NOW
        most = 0
        for _ in range(3_000):
            now += chance.choice((0, 0, 1, 7, 90))
            shard = chance.randrange(shards)
            if running[shard] and chance.random() < 0.5:
                each[shard].give_back(SMTP, 1)
                running[shard] -= 1
            elif each[shard].room(SMTP, now):
                each[shard].take(SMTP, 1, now)
                running[shard] += 1
                starts.append(now)
            most = max(most, sum(running))
        assert most <= 11
        for first, since in enumerate(starts):
            for count, moment in enumerate(list(starts)[first : first + 60], 1):
                assert (count - 9) * 1_000 <= (moment - since) * 40


def test_a_part_that_is_too_small_for_a_task_never_starts_it_alone() -> None:
    large: Any = (("smtp", "a", 3),)
    for limit in (Limit("smtp", max_running=4), Limit("smtp", rate="4/s", burst=4)):
        part = Permits({"smtp": limit_here(limit, Shard(0, 2))}.get)
        assert part.room(large, NOW) == 0
        assert part.ready_at(large, NOW) is None  # no time helps, and none is waited for
        assert Permits(
            {"smtp": Limit("smtp", limit.max_running and 2, limit.rate, limit.burst and 2)}.get
        ).room(large, NOW)

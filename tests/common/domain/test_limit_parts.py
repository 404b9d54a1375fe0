"""What of a limit each shard has: never more in all than the limit says, and all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.limit_parts import (
    LimitHere,
    LimitPart,
    check_parts,
    check_place,
    division_in_words,
    limit_here,
    part_of,
)
from tq.common.domain.limits import Limit, LimitRate
from tq.common.domain.shards import SHARDS_MAX, Shard, shard_of_name
from tq.common.errors import InvalidArgument, WrongShard

SHARDS = 4
TAGS = {shard_of_name(tag, SHARDS): tag for tag in map(str, range(100))}  # one in each shard


def in_all(limit: Limit, shards: int) -> list[LimitHere]:
    return [limit_here(limit, Shard(number, shards)) for number in range(shards)]


@given(st.integers(0, 1_000_000), st.text(min_size=1, max_size=20), st.integers(1, 300))
def test_the_parts_of_a_number_come_to_it_and_differ_by_one_at_most(
    whole: int, name: str, shards: int
) -> None:
    parts = [part_of(whole, name, Shard(number, shards)) for number in range(shards)]
    assert sum(parts) == whole
    assert max(parts) - min(parts) <= 1


@given(st.text("ab{}", min_size=1, max_size=9), st.integers(1, 1_000), st.integers(1, 50), st.booleans())
def test_whatever_its_name_no_more_runs_or_starts_in_all_shards_than_a_limit_lets(
    name: str, count: int, shards: int, has_rate: bool
) -> None:
    limit = Limit(name, max_running=count, rate=f"{count}/min" if has_rate else None)
    here = in_all(limit, shards)
    assert sum(one.max_running or 0 for one in here) == count
    if limit.most_together is not None:
        assert sum(one.most_together or 0 for one in here) == limit.most_together
        rates = [one.tokens for one in here if one.tokens is not None]
        assert sum(rate.tasks * shards * 60_000 // rate.ms for rate in rates) == count * shards


def test_the_rest_is_not_always_of_shard_0() -> None:
    first = {
        next(n for n in range(SHARDS) if part_of(1, name, Shard(n, SHARDS))) for name in map(str, range(99))
    }
    assert first == set(range(SHARDS))


def test_in_a_cluster_of_one_shard_a_limit_is_what_it_says() -> None:
    limit = Limit("smtp", max_running=1)
    assert limit_here(limit, Shard()) is limit


def test_with_a_tag_a_limit_is_whole_where_the_tag_is_and_nowhere_else() -> None:
    limit = Limit(f"{{{TAGS[2]}}}smtp", max_running=3, rate="5/s")
    here = in_all(limit, SHARDS)
    assert here[2] is limit
    assert [one.max_running for one in here] == [0, 0, 3, 0]
    assert all(one.tokens is None for one in here if one is not limit)


def test_a_rate_is_divided_without_a_rest() -> None:
    part = limit_here(Limit("smtp", rate="100/min", burst=9), Shard(0, SHARDS))
    assert isinstance(part, LimitPart)
    assert part.tokens == LimitRate(100, SHARDS * 60_000)
    assert part.most_together in (2, 3)
    assert (part.rate, part.name, part.max_running) == ("100/min", "smtp", None)


@pytest.mark.parametrize(
    "limit",
    [
        Limit("smtp", max_running=3),
        Limit("smtp", max_running=9, rate="100/min"),  # one together
        Limit("smtp", rate="100/min", burst=3),
        Limit("smtp", max_running=8, units=3),
    ],
)
def test_a_limit_that_leaves_a_shard_without_any_is_refused_with_the_line_to_write(limit: Limit) -> None:
    with pytest.raises(InvalidArgument, match=r"divided over the 4 shards .* it takes at least"):
        check_parts(limit, SHARDS)
    check_parts(limit, 1)
    with pytest.raises(InvalidArgument, match=r"or write tq\.Limit\('\{mail\}smtp', …\)"):
        check_place(limit, [""], "{mail}fast", Shard(0, SHARDS))


def test_a_limit_that_is_large_enough_for_each_shard_is_divided() -> None:
    check_place(Limit("smtp", max_running=SHARDS), [""], "mail", Shard(0, SHARDS))
    check_place(Limit("smtp", max_running=SHARDS_MAX), [""], "mail", Shard(0, SHARDS_MAX))


def test_keys_are_counted_where_a_tag_says_and_are_refused_without_one() -> None:
    with pytest.raises(InvalidArgument, match=r"write tq\.Limit\('\{mail\}host', …\)"):
        check_place(Limit("host", max_running=99), ["a", "b"], "mail", Shard(0, SHARDS))
    tag = TAGS[1]
    check_place(Limit(f"{{{tag}}}host", max_running=1), ["a"], tag, Shard(1, SHARDS))


def test_a_limit_with_the_tag_of_another_shard_is_refused_with_the_tag_of_the_queue() -> None:
    limit = Limit(f"{{{TAGS[1]}}}smtp", max_running=3)
    with pytest.raises(
        WrongShard, match=rf"is in shard 1 .* write tq\.Limit\('\{{{TAGS[2]}\}}smtp', …\)"
    ) as refused:
        check_place(limit, [""], TAGS[2], Shard(2, SHARDS))
    assert (refused.value.shard, refused.value.here) == (1, 2)


def test_a_division_is_said_in_words() -> None:
    assert division_in_words(10, 4) == "divided over 4 shards: 2 or 3 in each"
    assert division_in_words(8, 4) == "divided over 4 shards: 2 in each"
    assert division_in_words(None, 4) == "divided over 4 shards"


def at(shard: int) -> str:
    """A key whose shard is this one."""
    return TAGS[shard]


def test_in_a_queue_that_is_in_every_shard_each_key_is_whole_in_its_own() -> None:
    limit = Limit("{spread}host", max_running=1)
    assert all(one is limit for one in in_all(limit, SHARDS))
    for shard in range(SHARDS):
        check_place(limit, [at(shard)], "{spread}fetch", Shard(shard, SHARDS))
    with pytest.raises(WrongShard, match="in shard 2 of this cluster, and its task is in shard 1"):
        check_place(limit, [at(1), at(2)], "{spread}fetch", Shard(1, SHARDS))


@pytest.mark.parametrize(
    ("name", "keys", "queue", "line"),
    [
        ("{spread}host", ["a"], "mail", r"write tq\.Limit\('\{mail\}host', …\)"),
        ("{spread}host", [""], "{spread}fetch", "it takes by=; without, leave out its tag"),
        ("host", ["a"], "{spread}fetch", r"write tq\.Limit\('\{spread\}host', …\) with by="),
        ("{mail}host", ["a"], "{spread}fetch", r"write tq\.Limit\('\{spread\}host', …\) with by="),
        ("{mail}api", [""], "{spread}fetch", r"or tq\.Limit\('api', …\) without by=: each shard has a part"),
    ],
)
def test_what_cannot_hold_in_every_shard_is_refused_with_the_line_to_write(
    name: str, keys: list[str], queue: str, line: str
) -> None:
    for shard in range(SHARDS):  # in each, so that it is found at the first try
        with pytest.raises(InvalidArgument, match=line):
            check_place(Limit(name, max_running=99), keys, queue, Shard(shard, SHARDS))


def test_a_limit_without_keys_is_divided_also_in_a_queue_that_is_in_every_shard() -> None:
    check_place(Limit("api", max_running=SHARDS), [""], "{spread}fetch", Shard(0, SHARDS))
    with pytest.raises(InvalidArgument, match="it takes at least 4"):
        check_place(Limit("api", max_running=3), [""], "{spread}fetch", Shard(0, SHARDS))

"""What of a quota and of a cap each shard has: never more in all than they say, and all of it where queues are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.globs import glob
from tq.common.domain.key_quota import NO_QUOTA, KeyQuota
from tq.common.domain.quota_parts import (
    cap_here,
    check_cap_parts,
    check_quota_parts,
    in_shards_of,
    quota_here,
    shards_of_queues,
)
from tq.common.domain.shards import Shard, shard_of_name
from tq.common.domain.tenants import TenantTerms
from tq.common.errors import InvalidArgument

SHARDS = 4
ALL = tuple(range(SHARDS))
NAMES = {shard_of_name(name, SHARDS): name for name in map(str, range(100))}  # a queue in each shard


@given(st.text("ab{}*?[]!", min_size=1, max_size=8), st.text("ab{}*", max_size=8), st.integers(1, 9))
def test_a_queue_that_fits_a_pattern_is_in_a_shard_of_it(pattern: str, name: str, shards: int) -> None:
    if glob(pattern).fits(name):
        assert shard_of_name(name, shards) in shards_of_queues([pattern], shards)


@pytest.mark.parametrize(
    ("queues", "shards"),
    [
        ([], ALL),
        ([NAMES[2]], (2,)),
        ([NAMES[3], NAMES[1], NAMES[3]], (1, 3)),
        ([f"{{{NAMES[1]}}}*"], (1,)),
        ([f"a{{{NAMES[1]}}}[xy]?"], (1,)),
        (["img*"], ALL),
        (["*{shop}"], ALL),  # as {other}{shop}
        (["{sh*p}x"], ALL),
        (["{}*"], ALL),
        ([NAMES[2], "*"], ALL),
        (["{spread}fetch"], ALL),
        (["{spread}*"], ALL),
    ],
)
def test_the_shards_of_a_key_are_those_of_its_queues(queues: list[str], shards: tuple[int, ...]) -> None:
    assert shards_of_queues(queues, SHARDS) == shards


@given(
    st.integers(1, 5_000), st.lists(st.sampled_from(sorted(NAMES.values())), max_size=3), st.text(max_size=9)
)
def test_the_parts_of_a_quota_and_of_a_cap_come_to_it(whole: int, queues: list[str], name: str) -> None:
    quota = KeyQuota(whole, 3 * whole)
    parts = [quota_here(quota, name, queues, Shard(number, SHARDS)) for number in ALL]
    assert sum(one.quota.max_queued or 0 for one in parts) == whole
    assert sum(one.quota.max_queued_bytes or 0 for one in parts) == 3 * whole
    assert {one.whole for one in parts} == {quota}
    caps = [cap_here(TenantTerms(1, whole, tuple(queues)), name, Shard(number, SHARDS)) for number in ALL]
    assert sum(one.max_running or 0 for one in caps) == whole


def test_a_key_of_one_queue_has_its_quota_whole() -> None:
    quota = KeyQuota(3, None)
    assert quota_here(quota, "acme", [NAMES[2]], Shard(2, SHARDS)) == (quota, quota, 1)
    assert quota_here(quota, "acme", [NAMES[2]], Shard(1, SHARDS)).quota == KeyQuota(0, None)


def test_what_has_no_bound_is_not_divided() -> None:
    assert quota_here(NO_QUOTA, "acme", [], Shard(1, SHARDS)).is_none
    assert cap_here(TenantTerms(3), "acme", Shard(1, SHARDS)) == TenantTerms(3)


def test_in_a_cluster_of_one_shard_a_quota_and_a_cap_are_what_they_say() -> None:
    quota, terms = KeyQuota(1, 1), TenantTerms(1, 1)
    assert quota_here(quota, "acme", [], Shard()) == (quota, quota, 1)
    assert cap_here(terms, "acme", Shard()) is terms
    check_quota_parts(quota, [], 1)
    check_cap_parts(terms, "acme", 1)


def test_a_number_that_leaves_a_shard_without_any_is_refused_with_what_to_do() -> None:
    check_quota_parts(KeyQuota(4, 4), [], SHARDS)
    check_quota_parts(KeyQuota(1), [NAMES[1]], SHARDS)
    for quota in (KeyQuota(3), KeyQuota(100, 3)):
        with pytest.raises(
            InvalidArgument, match=r"=3 leaves some .* at least 4; .* tq keys add --queue mail"
        ):
            check_quota_parts(quota, [], SHARDS)
    check_cap_parts(TenantTerms(1, 4), "acme", SHARDS)
    check_cap_parts(TenantTerms(1, 1, (NAMES[1],)), "acme", SHARDS)
    with pytest.raises(
        InvalidArgument, match=r"all shards, here 4, .* tq tenants set acme --max-running 3 --sh"
    ):
        check_cap_parts(TenantTerms(1, 3), "acme", SHARDS)


def test_where_queues_are_named_already_the_refusal_does_not_ask_for_their_names() -> None:
    named = (NAMES[1], NAMES[2])
    with pytest.raises(
        InvalidArgument, match=f"the shards of {NAMES[1]}, {NAMES[2]}, here 2, and 1 leaves"
    ) as found:
        check_cap_parts(TenantTerms(1, 1, named), "acme", SHARDS)
    assert "or name fewer queues" in str(found.value)
    with pytest.raises(
        InvalidArgument, match="the shards that its queues are in, here 2, and max_queued=1"
    ) as found:
        check_quota_parts(KeyQuota(1), named, SHARDS)
    assert f"some of these queues, in fewer shards: {NAMES[1]}, {NAMES[2]}" in str(found.value)
    assert "tq keys add" not in str(found.value)


def test_a_cap_is_in_the_shard_or_the_shards_of_its_queues() -> None:
    assert in_shards_of(["mail"], 1) == "in the shard of mail"
    assert in_shards_of(["mail", "docs"], 1) == "in the shard of mail, docs"
    assert in_shards_of(["mail", "docs"], 2) == "in the shards of mail, docs"


@pytest.mark.parametrize("queue", ["img*", "{spread}fetch"])
def test_a_queue_in_several_shards_names_none(queue: str) -> None:
    with pytest.raises(InvalidArgument, match=r"are in several shards; name one queue for each shard"):
        check_cap_parts(TenantTerms(1, 9, (queue,)), "acme", SHARDS)


def test_in_a_cluster_of_one_shard_no_queue_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"has one shard, .* leave out --shards-of"):
        check_cap_parts(TenantTerms(1, 9, ("mail",)), "acme", 1)

"""Which shard a name and an id are in: always the same, as the stores of a cluster are made by it."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.shards import SHARDS_MAX, shard_of_id, shard_of_name, tag_of, with_shard


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("fetch", "fetch"),
        ("{shop}fetch", "shop"),
        ("fetch{shop}", "shop"),
        ("{shop}{mail}", "shop"),
        ("a{}b", "a{}b"),
        ("a{b", "a{b"),
        ("}a{b}", "b"),
        ("{{x}", "{x"),
        ("", ""),
    ],
)
def test_the_tag_of_a_name_is_what_stands_in_its_first_pair_of_braces(name: str, tag: str) -> None:
    assert tag_of(name) == tag


def test_the_shard_of_a_name_is_what_the_protocol_page_says() -> None:
    for name, tag in (("fetch", b"fetch"), ("{shop}fetch", b"shop"), ("grüße", "grüße".encode())):
        expected = int.from_bytes(hashlib.sha256(tag).digest()[:8], "big") % 16
        assert shard_of_name(name, 16) == expected


def test_the_shard_of_a_name_never_changes() -> None:
    """These are written down: a store that was made yesterday holds its queues by them."""
    names = ("default", "fetch", "mail", "{shop}fetch", "results")
    assert [shard_of_name(name, 16) for name in names] == [13, 11, 3, 13, 13]


@given(st.text())
def test_in_a_cluster_of_one_shard_everything_is_in_shard_0(name: str) -> None:
    assert shard_of_name(name, 1) == 0


@given(st.text(st.characters()), st.integers(1, SHARDS_MAX))
def test_every_name_has_a_shard_whatever_its_characters(name: str, shards: int) -> None:
    assert 0 <= shard_of_name(name + "\ud800", shards) < shards


def test_names_are_spread_evenly() -> None:
    per_shard = Counter(shard_of_name(f"queue-{number}", 16) for number in range(16_000))
    assert len(per_shard) == 16
    assert 800 < min(per_shard.values()) <= max(per_shard.values()) < 1_200


@given(st.binary(min_size=16, max_size=16), st.integers(0, SHARDS_MAX - 1))
def test_an_id_is_in_the_shard_that_was_written_into_it_and_keeps_its_other_bits(
    id: bytes, shard: int
) -> None:
    moved = with_shard(int.from_bytes(id, "big"), shard).to_bytes(16, "big")
    assert shard_of_id(moved) == shard
    assert with_shard(int.from_bytes(moved, "big"), shard_of_id(id)).to_bytes(16, "big") == id

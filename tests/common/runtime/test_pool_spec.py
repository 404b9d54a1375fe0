"""Pools as they are written."""

from __future__ import annotations

import pytest
from tq.common.runtime.pool_spec import PoolSpec, parse_pool, parse_pools


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        ("process:2", PoolSpec("process", 1, 2)),
        ("thread:50", PoolSpec("thread", 50, 1)),
        ("async:500x2", PoolSpec("async", 500, 2)),
        ("process:2-8", PoolSpec("process", 1, 2, most=8)),
        ("async:500x1-4@fetch", PoolSpec("async", 500, 1, ("fetch",), most=4)),
        ("async:500@fetch,crawl.*", PoolSpec("async", 500, 1, ("fetch", "crawl.*"))),
    ],
)
def test_a_pool_is_written_as_it_is_read(text: str, pool: PoolSpec) -> None:
    assert parse_pool(text) == pool
    assert str(pool) == text


@pytest.mark.parametrize(
    "texts",
    [
        ["fibre:5"],
        ["async"],
        ["async:0"],
        ["async:999999"],
        ["process:2x2"],
        ["process:8-2"],
        ["process:0-2"],
        ["async:50-100"],
        ["async:50x4-1"],
        ["async:5@"],
        ["async:5", "async:6"],
        ["process:2", "thread:5"],
    ],
)
def test_what_is_no_pool_is_refused_with_what_to_write(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"write|@QUEUE"):
        parse_pools(texts)

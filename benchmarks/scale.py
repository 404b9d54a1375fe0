"""How much is measured: the sizes of every measurement, for a whole reading and for a quick one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Sizes. Each is large enough that its figure does not move by more than the machine itself does."""

    noop_tasks: int
    round_trips: int
    short_tasks: int  # of 10 ms, for two slots
    values: int  # of 1 MB, there and back
    backlog_small: int
    backlog_large: int
    backlog_small_times: int  # a small backlog is over in a quarter of a second
    crowd_workers: int
    crowd_tasks: int  # at most, for each length
    crowd_seconds: float
    idle_seconds: float
    store_tasks: int
    packed_tasks: int
    socket_bytes: int
    socket_trips: int
    syncs: int
    pool_tasks: int
    pool_items: int  # one by one; more in chunks
    tutorial_tasks: int
    peer_tasks: int
    single_tasks: int  # submitted one by one, each way
    ended_tasks: int  # of each kind of end
    purged_tasks: int
    transactions: int
    transaction_workers: int
    joined_tasks: int  # that one task needs
    joined_peer_tasks: int
    chained_tasks: int
    paired_tasks: int  # leaves of a tree, a power of two
    crawled_urls: int
    controlled_tasks: int  # of one map
    controlled_pairs: int
    page_tasks: int  # that there are while a view is asked for
    page_seconds: float  # of open pages
    pages: int  # open at once
    kills: int  # of a master that serves while another one stands by
    orderly_stops: int  # likewise
    rest_seconds: float  # of masters with a database that have nothing to do


FULL: Final = Scale(
    noop_tasks=100_000,
    round_trips=1_000,
    short_tasks=400,
    values=200,
    backlog_small=10_000,
    backlog_large=1_000_000,
    backlog_small_times=10,
    crowd_workers=1_000,
    crowd_tasks=500_000,
    crowd_seconds=8.0,
    idle_seconds=20.0,
    store_tasks=100_000,
    packed_tasks=100_000,
    socket_bytes=400_000_000,
    socket_trips=5_000,
    syncs=300,
    pool_tasks=50_000,
    pool_items=20_000,
    tutorial_tasks=5_000,
    peer_tasks=5_000,
    single_tasks=40_000,
    ended_tasks=20_000,
    purged_tasks=200_000,
    transactions=10_000,
    transaction_workers=10_000,
    joined_tasks=10_000,
    joined_peer_tasks=10_000,
    chained_tasks=1_000,
    paired_tasks=4_096,
    crawled_urls=50_000,
    controlled_tasks=60_000,
    controlled_pairs=9,
    page_tasks=1_000_000,
    page_seconds=20.0,
    pages=20,
    kills=100,
    orderly_stops=20,
    rest_seconds=20.0,
)

QUICK: Final = Scale(
    noop_tasks=10_000,
    round_trips=100,
    short_tasks=100,
    values=20,
    backlog_small=5_000,
    backlog_large=50_000,
    backlog_small_times=2,
    crowd_workers=50,
    crowd_tasks=20_000,
    crowd_seconds=2.0,
    idle_seconds=2.0,
    store_tasks=5_000,
    packed_tasks=5_000,
    socket_bytes=20_000_000,
    socket_trips=200,
    syncs=20,
    pool_tasks=5_000,
    pool_items=2_000,
    tutorial_tasks=500,
    peer_tasks=500,
    single_tasks=4_000,
    ended_tasks=4_000,
    purged_tasks=20_000,
    transactions=1_000,
    transaction_workers=500,
    joined_tasks=2_000,
    joined_peer_tasks=500,
    chained_tasks=100,
    paired_tasks=256,
    crawled_urls=2_000,
    controlled_tasks=1_000,
    controlled_pairs=1,
    page_tasks=20_000,
    page_seconds=3.0,
    pages=20,
    kills=2,
    orderly_stops=2,
    rest_seconds=6.0,
)

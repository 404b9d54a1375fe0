"""How large the chunks of a map become, on a cluster that is played: slots, and what each item and each task costs."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.stdlib.pool_pace import (
    CHUNK_BYTES_MAX,
    CHUNK_ITEMS_MAX,
    CHUNK_SECONDS,
    CHUNKS_PER_SLOT,
    ChunkPace,
)

TASK_SECONDS = 0.0005  # what a task costs besides its items
ROUND_SECONDS = 0.002  # until the client knows that a chunk has ended


class Played:
    """A map of items that take so long each. ``chunks``: the seconds and items of each, in the order of sending."""

    def __init__(
        self, length: int, slots: int, item_seconds: Callable[[int], float], item_bytes: float = 0
    ) -> None:
        self.pace = ChunkPace(length, slots)
        self.chunks: list[tuple[float, int]] = []
        self.seconds = 0.0
        waiting: deque[tuple[float, int]] = deque()
        free, running, known = slots, list[tuple[float, int]](), list[tuple[float, int]]()
        sent = 0
        while sent < length or waiting or running or known:
            while sent < length and self.pace.has_room:
                items = min(self.pace.size, length - sent)
                chunk = sum(map(item_seconds, range(sent, sent + items))) + TASK_SECONDS, items
                self.pace.sent(items)
                self.pace.item_bytes = item_bytes
                self.chunks.append(chunk)
                waiting.append(chunk)
                sent += items
            while free and waiting:
                seconds, items = waiting.popleft()
                heapq.heappush(running, (self.seconds + seconds, items))
                free -= 1
            if running and (not known or running[0][0] <= known[0][0]):
                self.seconds, items = heapq.heappop(running)
                heapq.heappush(known, (self.seconds + ROUND_SECONDS, items))
                free += 1
            else:
                self.seconds, items = heapq.heappop(known)
                self.pace.ended(items, self.seconds)

    @property
    def sizes(self) -> list[int]:
        return [items for _, items in self.chunks]


def test_the_first_chunks_are_single_items() -> None:
    assert Played(10_000, 4, lambda _: 1e-6).sizes[: 4 * CHUNKS_PER_SLOT] == [1] * 4 * CHUNKS_PER_SLOT


def test_small_items_travel_in_large_chunks_which_costs_a_small_part_of_the_time() -> None:
    played = Played(1_000_000, 2, lambda _: 2e-6)
    assert 1_000 <= max(played.sizes) <= CHUNK_ITEMS_MAX
    assert len(played.chunks) <= 500
    assert played.seconds <= 1.3 * (1_000_000 * 2e-6 / 2)


@pytest.mark.parametrize("item_seconds", [0.0005, 0.002, 0.01])
def test_a_chunk_takes_some_tens_of_milliseconds(item_seconds: float) -> None:
    played = Played(20_000, 4, lambda _: item_seconds)
    assert max(seconds for seconds, _ in played.chunks) <= 2 * CHUNK_SECONDS
    long = sum(items for seconds, items in played.chunks if seconds >= CHUNK_SECONDS / 3)
    assert long >= 0.7 * 20_000


def test_long_items_travel_alone() -> None:
    assert set(Played(50, 4, lambda _: 1.0).sizes) == {1}


def test_large_items_travel_in_small_chunks() -> None:
    played = Played(5_000, 2, lambda _: 1e-5, item_bytes=CHUNK_BYTES_MAX / 3)
    assert max(played.sizes) == 3


@given(
    st.integers(1, 3_000),
    st.integers(1, 16),
    st.sampled_from([1e-6, 1e-4, 3e-3]),
    st.sampled_from([1, 2, 30]),
)
def test_all_items_are_sent_and_no_slot_waits_long_for_another_at_the_end(
    length: int, slots: int, item_seconds: float, uneven: int
) -> None:
    played = Played(length, slots, lambda index: item_seconds * (1 if index % 7 else uneven))
    assert sum(played.sizes) == length
    left = length
    for items in played.sizes:
        assert items <= max(1, -(-left // (slots * CHUNKS_PER_SLOT)))
        left -= items
    assert played.pace.has_room


def test_slow_items_after_quick_ones_make_the_chunks_small_again() -> None:
    played = Played(20_000, 2, lambda index: 1e-5 if index < 5_000 else 5e-3)
    behind = [items for (seconds, items) in played.chunks[len(played.chunks) // 2 :]]
    assert max(behind) <= 4 * CHUNK_SECONDS / 5e-3
